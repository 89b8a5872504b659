//! Tests of the help texts and messages: examples that parse, and plain words.

use super::{args::Cli, exit_code};
use clap::{Command, CommandFactory as _, Parser as _};
use std::{fs, path::Path};

/// Every visible command and subcommand, with its name.
fn commands(command: &Command, name: &str) -> Vec<(String, Command)> {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    let below = visible.flat_map(|below| commands(below, &format!("{name} {}", below.get_name())));
    [(name.to_owned(), command.clone())].into_iter().chain(below).collect()
}

/// The command lines of the section "Examples", without the remarks.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| line.trim() != "Examples:").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' ') || line.is_empty()).map(str::trim);
    lines.filter_map(|line| line.split("  ").next()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The words of each `remofile` command in a shell line, without redirections.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut is_redirected = false;
    for character in line.chars().chain([' ']) {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == character => quote = None,
            (None, ' ' | '|' | ';' | '&' | '>' | '<') => {
                if let Some(word) = word.take()
                    && !std::mem::take(&mut is_redirected)
                {
                    calls.last_mut().expect("it begins with one").push(word);
                }
                match character {
                    '|' | ';' | '&' => calls.push(Vec::new()),
                    '>' | '<' => is_redirected = true,
                    _ => {}
                }
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    let is_ours =
        |call: &Vec<String>| call.iter().find(|word| !word.contains('=')).is_some_and(|word| word == "remofile");
    calls
        .into_iter()
        .filter(is_ours)
        .map(|call| call.into_iter().skip_while(|word| word != "remofile").collect())
        .collect()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples_of_itself() {
    let without: Vec<_> = commands(&Cli::command(), "remofile")
        .into_iter()
        .filter(|(name, command)| {
            let own = command.get_name();
            let mut names = command.get_all_aliases().chain([own]);
            let examples = examples(command);
            name != "remofile" && !names.any(|name| examples.iter().any(|line| line.contains(name)))
                || examples.is_empty()
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(without, [""; 0], "without examples");
}

#[test]
fn every_example_is_a_command_line() {
    let mut wrong = Vec::new();
    for (_, command) in commands(&Cli::command(), "remofile") {
        for example in examples(&command) {
            let calls = calls(&example);
            let refused = calls.iter().filter_map(|words| Cli::try_parse_from(words).err());
            wrong.extend(refused.filter(|error| error.use_stderr()).map(|error| format!("{example}: {error}")));
            if calls.is_empty() && example.contains("remofile") {
                wrong.push(format!("{example}: no call of the command"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_command_and_option_has_a_help_text() {
    let mut silent = Vec::new();
    for (name, command) in commands(&Cli::command(), "remofile") {
        if command.get_about().is_none() {
            silent.push(name.clone());
        }
        let arguments =
            command.get_arguments().filter(|argument| !argument.is_hide_set() && argument.get_help().is_none());
        silent.extend(arguments.map(|argument| format!("{name} {}", argument.get_id())));
    }
    assert_eq!(silent, [""; 0]);
}

#[test]
fn shell_lines_are_split_into_calls() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        calls("tar c . | remofile upload - > 'a b' --name x"),
        [words(&["remofile", "upload", "-", "--name", "x"])]
    );
    assert_eq!(calls("A=1 remofile ls 'x y' && echo"), [words(&["remofile", "ls", "x y"])]);
}

/// Words and phrases that no message contains.
const BANNED: [&str; 26] = [
    "nobody",
    "whoever",
    "anew",
    "stranger",
    "knock",
    "is told",
    "behind",
    "as it is",
    "as they are",
    "tally",
    "riddle",
    "whatever",
    "somebody",
    "ourselves",
    "oneself",
    "colour",
    "synchronis",
    "broke off",
    "all the same",
    "Os {",
    "kind: ",
    "entity not found",
    "invalid digit",
    "invalid float literal",
    "ParseIntError",
    "number too large to fit",
];

fn assert_plain(place: &str, text: &str) {
    for banned in BANNED {
        assert!(!text.to_lowercase().contains(&banned.to_lowercase()), "{place}: '{banned}' in {text:?}");
    }
}

/// Every source of this crate with its name, up to its tests.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("help_tests.rs") {
                let source = fs::read_to_string(&path).unwrap();
                let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
                sources.push((path.display().to_string(), source[..end].to_owned()));
            }
        }
    }
    sources
}

/// The string literals of a source, with line continuations joined, and the code before each.
fn literals(source: &str) -> Vec<(String, String)> {
    let code: Vec<_> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n").replace("'\"'", "' '").replace("'\\\\'", "' '");
    let (mut literals, mut before, mut rest) = (Vec::new(), String::new(), code.as_str());
    while let Some((code, after)) = rest.split_once('"') {
        before.push_str(code);
        let (mut literal, mut characters) = (String::new(), after.chars());
        loop {
            match characters.next() {
                Some('"') | None => break,
                Some('\\') => match characters.next() {
                    Some('\n') => characters = characters.as_str().trim_start().chars(),
                    Some(escaped) => literal.push(if escaped == 'n' { '\n' } else { escaped }),
                    None => break,
                },
                Some(character) => literal.push(character),
            }
        }
        literals.push((before.clone(), literal));
        before.push('_');
        rest = characters.as_str();
    }
    literals
}

#[test]
fn help_texts_are_in_plain_words() {
    for (name, mut command) in commands(&Cli::command(), "remofile") {
        assert_plain(&name, &command.render_long_help().to_string());
        assert_plain(&name, &command.render_help().to_string());
    }
    for (code, meaning) in exit_code::MEANINGS {
        assert_plain(&code.to_string(), meaning);
    }
}

#[test]
fn help_texts_of_options_start_with_a_capital_and_end_without_a_full_stop() {
    for (name, command) in commands(&Cli::command(), "remofile") {
        let texts = command.get_arguments().filter_map(|argument| argument.get_help()).map(ToString::to_string);
        for text in texts.chain(command.get_about().map(ToString::to_string)) {
            assert!(text.starts_with(|first: char| first.is_uppercase()), "{name}: {text}");
            assert!(!text.ends_with('.'), "{name}: {text}");
        }
    }
}

#[test]
fn messages_are_in_plain_words() {
    let mut count = 0;
    for (file, source) in sources() {
        for (_, literal) in literals(&source) {
            assert_plain(&file, &literal);
            count += 1;
        }
    }
    assert!(count > 800, "{count} literals found");
}

#[test]
fn errors_hints_and_log_messages_start_in_lower_case_and_end_without_a_full_stop() {
    const STARTS: [&str; 13] = [
        "Failure::usage(",
        "Failure::usage_with(",
        "Failure::caused(",
        "Failure::local(",
        "note(",
        "warn(",
        "StartError::new(",
        ".hint(",
        "Err(",
        "tracing::info!(",
        "tracing::warn!(",
        "tracing::error!(",
        "failed(",
    ];
    // Names of options and variables, and code.
    const NAMES: [&str; 4] = ["LOCAL", "SRC", "NOTIFY", "REMOFILE"];
    let mut count = 0;
    for (file, source) in sources() {
        for (before, literal) in literals(&source) {
            let before = before.trim_end().trim_end_matches("format!(").trim_end_matches("format_args!(").trim_end();
            let is_second = before.ends_with("_,") || before.ends_with("),");
            if !STARTS.iter().any(|start| before.ends_with(start)) || is_second {
                continue;
            }
            count += 1;
            let is_name = NAMES.iter().any(|name| literal.starts_with(name));
            assert!(is_name || !literal.starts_with(|first: char| first.is_uppercase()), "{file}: {literal}");
            assert!(!literal.ends_with('.'), "{file}: {literal}");
        }
    }
    assert!(count > 100, "{count} messages found");
}
