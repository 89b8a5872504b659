//! What `--help` promises, held to: every command has examples, and they are command lines that parse.

use super::args::Cli;
use clap::{Command, CommandFactory as _, Parser as _};

/// Every command that a user sees, those within others too, with its name.
fn commands(command: &Command, name: &str) -> Vec<(String, Command)> {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    let below = visible.flat_map(|below| commands(below, &format!("{name} {}", below.get_name())));
    [(name.to_owned(), command.clone())].into_iter().chain(below).collect()
}

/// The command lines of the part "Examples", without the remarks behind them.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| line.trim() != "Examples:").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' ') || line.is_empty()).map(str::trim);
    lines.filter_map(|line| line.split("  ").next()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The words of each call of the command in a shell line, without redirections.
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
fn every_command_and_flag_says_what_it_is() {
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
