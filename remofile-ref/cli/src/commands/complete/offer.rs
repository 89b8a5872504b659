//! Finds the candidates for the word at the cursor, from the definition of the command line.

use super::{remote_paths, shell_words::Line};
use crate::commands::completion::Shell;
use crate::{
    connection::Config,
    failure::Failure,
    options::{ConnectionOptions, MessageOptions},
    render::escaped,
};
use clap::{Arg, Args, Command, FromArgMatches as _, ValueHint};
use std::io::{self, Write as _};

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    #[arg(value_enum)]
    shell: Shell,
    /// The line before the cursor, if the shell does not split it into words
    #[arg(long, allow_hyphen_values = true)]
    line: Option<String>,
    /// The word at the cursor, as the shell splits the line
    #[arg(long, allow_hyphen_values = true)]
    word: Option<String>,
    /// The words after the command; the last one is at the cursor
    #[arg(last = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) options: MessageOptions,
}

/// The candidates, or what the shell completes itself.
#[derive(Debug, PartialEq, Eq)]
enum Candidates {
    /// Words and their descriptions.
    Words(Vec<(String, String)>),
    Files,
    Directories,
    /// Paths on the server; without any, local files if `or_files`.
    Remote {
        or_files: bool,
    },
    Nothing,
}

/// Prints the candidates. It prints no errors, which would disturb the line that the user is editing.
pub(crate) fn run(args: &CompleteArgs, root: Command) -> Result<(), Failure> {
    let line = args.line.as_deref().map(Line::split);
    let (words, current) = match &line {
        Some(line) => (line.words.get(1..).unwrap_or_default(), line.current.as_str()),
        None => match args.words.split_last() {
            Some((current, words)) => (words, current.as_str()),
            None => (&[][..], ""),
        },
    };
    let candidates = match candidates(root.clone(), words, current) {
        Candidates::Remote { or_files } => match remote_paths::paths(&connection_of(root, words), current) {
            paths if paths.is_empty() && or_files => Candidates::Files,
            paths => Candidates::Words(paths.into_iter().map(|path| (path, String::new())).collect()),
        },
        candidates => candidates,
    };
    let mut out = io::stdout().lock();
    let words = match candidates {
        Candidates::Words(words) => words,
        Candidates::Files => return Ok(writeln!(out, "files")?),
        Candidates::Directories => return Ok(writeln!(out, "directories")?),
        Candidates::Remote { .. } | Candidates::Nothing => return Ok(()),
    };
    writeln!(out, "words")?;
    for (word, about) in words {
        // One word per line; words with control characters are omitted.
        if !word.starts_with(current) || escaped(&word) != word {
            continue;
        }
        match (&line, about.lines().next().unwrap_or_default()) {
            (Some(line), _) => writeln!(out, "{}", line.quote(&word, args.word.as_deref().unwrap_or_default()))?,
            (None, "") => writeln!(out, "{word}")?,
            (None, about) => writeln!(out, "{word}\t{about}")?,
        }
    }
    Ok(())
}

fn candidates(mut root: Command, words: &[String], current: &str) -> Candidates {
    root.build();
    let mut command = &root;
    let (mut positionals, mut only_positionals, mut awaited) = (0, false, None);
    for word in words {
        if awaited.take().is_some() {
            continue;
        }
        match word.as_str() {
            "--" if !only_positionals => only_positionals = true,
            flag if !only_positionals && flag.starts_with('-') && flag.len() > 1 => {
                awaited = value_awaited(command, flag)
            }
            name if command.has_subcommands() && positionals == 0 => match command.find_subcommand(name) {
                Some(subcommand) => command = subcommand,
                None if command.get_positionals().next().is_some() => positionals += 1,
                None => return Candidates::Nothing,
            },
            _ => positionals += 1,
        }
    }
    if let Some(flag) = awaited {
        return value(flag, current, "");
    }
    if current.starts_with('-') && !only_positionals {
        return match current.split_once('=') {
            Some((name, begun)) => long(command, name.trim_start_matches('-'))
                .filter(|flag| takes_value(flag))
                .map_or(Candidates::Nothing, |flag| value(flag, begun, &format!("{name}="))),
            None => Candidates::Words(flags(command)),
        };
    }
    if command.has_subcommands() && positionals == 0 {
        let mut words = subcommands(command);
        let is_begun = |(name, _): &(String, String)| !current.is_empty() && name.starts_with(current);
        if command.get_positionals().next().is_none() || words.iter().any(is_begun) {
            return Candidates::Words(words);
        }
        // A subcommand, or a positional argument instead of it.
        if current.is_empty() {
            words.extend(local_directories());
            return Candidates::Words(words);
        }
    }
    positional(command, positionals, current)
}

/// The directories of the current directory that are not hidden, sorted.
fn local_directories() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = directories.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).map(|name| (name, String::new())).collect();
    names.sort();
    names
}

/// The option whose value is the next word, if this word ends with one.
fn value_awaited<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    if let Some(name) = word.strip_prefix("--") {
        return if name.contains('=') { None } else { long(command, name).filter(|flag| takes_value(flag)) };
    }
    let mut letters = word.chars().skip(1);
    while let Some(letter) = letters.next() {
        let flag = command
            .get_arguments()
            .find(|flag| flag.get_short_and_visible_aliases().is_some_and(|all| all.contains(&letter)))?;
        if takes_value(flag) {
            // The value may follow the letter within the word.
            return letters.next().is_none().then_some(flag);
        }
    }
    None
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|flag| flag.get_long_and_visible_aliases().is_some_and(|all| all.contains(&name)))
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

fn flags(command: &Command) -> Vec<(String, String)> {
    let visible = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let mut flags = Vec::new();
    for flag in visible {
        let about = flag.get_help().map(ToString::to_string).unwrap_or_default();
        for name in flag.get_long_and_visible_aliases().unwrap_or_default() {
            flags.push((format!("--{name}"), about.clone()));
        }
        for letter in flag.get_short_and_visible_aliases().unwrap_or_default() {
            flags.push((format!("-{letter}"), about.clone()));
        }
    }
    flags
}

fn subcommands(command: &Command) -> Vec<(String, String)> {
    let visible = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let names = visible.flat_map(|subcommand| {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let names = subcommand.get_name_and_visible_aliases().into_iter().map(str::to_owned).collect::<Vec<_>>();
        names.into_iter().map(move |name| (name, about.clone()))
    });
    names.collect()
}

/// The possible values of an argument; each word starts with `prefix`.
fn value(arg: &Arg, begun: &str, prefix: &str) -> Candidates {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let visible = possible.iter().filter(|value| !value.is_hide_set());
        let word = |value: &clap::builder::PossibleValue| {
            (format!("{prefix}{}", value.get_name()), value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        return Candidates::Words(visible.map(word).collect());
    }
    if arg.get_id() == "profile" {
        let names = Config::read(None).map(Config::into_names).unwrap_or_default();
        return Candidates::Words(names.into_iter().map(|name| (format!("{prefix}{name}"), String::new())).collect());
    }
    // Shells complete file names by the whole word.
    match arg.get_value_hint() {
        ValueHint::DirPath if prefix.is_empty() || begun.is_empty() => Candidates::Directories,
        ValueHint::FilePath | ValueHint::AnyPath | ValueHint::ExecutablePath => Candidates::Files,
        _ => Candidates::Nothing,
    }
}

fn positional(command: &Command, index: usize, current: &str) -> Candidates {
    let all: Vec<&Arg> = command.get_positionals().collect();
    let Some(arg) = all
        .get(index)
        .or_else(|| all.last().filter(|last| last.get_num_args().is_some_and(|range| range.max_values() > 1)))
    else {
        return Candidates::Nothing;
    };
    let is_absolute = current.starts_with('/');
    match (command.get_name(), value(arg, current, "")) {
        // The last argument is the destination, but more may follow.
        ("upload", _) if index > 0 && is_absolute => Candidates::Remote { or_files: true },
        ("upload", _) => Candidates::Files,
        ("download", _) if index > 0 && !is_absolute => Candidates::Files,
        ("download", _) => Candidates::Remote { or_files: index > 0 },
        ("run" | "start" | "stop" | "demo" | "man", candidates) => candidates,
        (_, Candidates::Nothing) => Candidates::Remote { or_files: false },
        (_, candidates) => candidates,
    }
}

/// The connection options of an incomplete command line.
fn connection_of(root: Command, words: &[String]) -> ConnectionOptions {
    let line = ["remofile".to_owned()].into_iter().chain(words.iter().cloned());
    let mut connection = ConnectionOptions::default();
    let Ok(matches) = root.ignore_errors(true).try_get_matches_from(line) else { return connection };
    let mut level = Some(&matches);
    while let Some(matches) = level {
        if matches.try_contains_id("server").is_ok()
            && let Ok(own) = ConnectionOptions::from_arg_matches(matches)
        {
            connection = own.or(&connection);
        }
        level = matches.subcommand().map(|(_, below)| below);
    }
    connection
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory as _;

    fn completed(line: &str) -> Candidates {
        let Line { words, current, .. } = Line::split(line);
        candidates(Cli::command(), &words[1..], &current)
    }

    fn words(line: &str) -> Vec<String> {
        match completed(line) {
            Candidates::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_and_aliases_are_completed_after_options() {
        let words = words("remofile -q --server a:1 ");
        assert!(
            ["list", "ls", "upload", "put", "run"].iter().all(|name| words.iter().any(|word| word == name)),
            "{words:?}"
        );
        assert!(!words.iter().any(|word| word == "__complete"));
    }

    #[test]
    fn options_are_completed() {
        let words = words("remofile list -");
        assert!(
            ["--long", "-l", "--json", "--server"].iter().all(|name| words.iter().any(|word| word == name)),
            "{words:?}"
        );
    }

    #[test]
    fn values_are_completed_after_a_space_and_an_equals_sign() {
        assert_eq!(words("remofile list --color "), ["auto", "always", "never"]);
        assert_eq!(words("remofile list --color=a"), ["--color=auto", "--color=always", "--color=never"]);
        assert_eq!(words("remofile completion "), ["bash", "zsh", "fish"]);
    }

    #[test]
    fn an_upload_takes_local_files_and_a_remote_destination() {
        assert_eq!(completed("remofile upload /tmp/"), Candidates::Files);
        assert_eq!(completed("remofile put a /"), Candidates::Remote { or_files: true });
        assert_eq!(completed("remofile put a b"), Candidates::Files);
    }

    #[test]
    fn a_download_takes_remote_files_and_a_local_destination() {
        assert_eq!(completed("remofile get "), Candidates::Remote { or_files: false });
        assert_eq!(completed("remofile get /a /b"), Candidates::Remote { or_files: true });
        assert_eq!(completed("remofile get /a ."), Candidates::Files);
    }

    #[test]
    fn other_commands_take_remote_paths() {
        for line in ["remofile ls ", "remofile rm -r /a /b", "remofile -v mkdir --parents /a", "remofile rm -- -a"] {
            assert_eq!(completed(line), Candidates::Remote { or_files: false }, "{line}");
        }
        assert_eq!(completed("remofile ping "), Candidates::Nothing);
        assert_eq!(completed("remofile nothing "), Candidates::Nothing);
    }

    #[test]
    fn the_shell_completes_local_files() {
        assert_eq!(completed("remofile list --token-file "), Candidates::Files);
        assert_eq!(completed("remofile list --server "), Candidates::Nothing);
    }
}
