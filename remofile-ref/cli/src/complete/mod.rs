//! `__complete`: what could stand at the cursor, for the scripts that `completion` prints.

mod remote;
mod shell_words;

use super::{args::Cli, completion::Shell, config::Config, failure::Failure, output::escaped};
use clap::{Arg, Args, Command, CommandFactory as _, FromArgMatches as _, ValueHint};
use shell_words::Line;
use std::io::{self, Write as _};

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    #[arg(value_enum)]
    shell: Shell,
    /// All of the line before the cursor, where the shell gives no words
    #[arg(long, allow_hyphen_values = true)]
    line: Option<String>,
    /// What the shell takes for the word at the cursor
    #[arg(long, allow_hyphen_values = true)]
    word: Option<String>,
    /// The words behind the command; the last is the one at the cursor
    #[arg(last = true)]
    words: Vec<String>,
}

/// What the shell is told: a list, or to look for itself.
#[derive(Debug, PartialEq, Eq)]
enum Offer {
    /// Words and what they are.
    Words(Vec<(String, String)>),
    Files,
    Directories,
    /// Paths of the server; where there are none, local files if so said.
    Remote {
        or_files: bool,
    },
    Nothing,
}

/// Never fails and says nothing on standard error: whoever presses Tab did not run a command.
pub(crate) fn run(args: &CompleteArgs) -> Result<(), Failure> {
    let line = args.line.as_deref().map(Line::split);
    let (words, current) = match &line {
        Some(line) => (line.words.get(1..).unwrap_or_default(), line.current.as_str()),
        None => match args.words.split_last() {
            Some((current, words)) => (words, current.as_str()),
            None => (&[][..], ""),
        },
    };
    let offer = match offer(words, current) {
        Offer::Remote { or_files } => match remote::paths(&connection_of(words), current) {
            paths if paths.is_empty() && or_files => Offer::Files,
            paths => Offer::Words(paths.into_iter().map(|path| (path, String::new())).collect()),
        },
        offer => offer,
    };
    let mut out = io::stdout().lock();
    let candidates = match offer {
        Offer::Words(candidates) => candidates,
        Offer::Files => return Ok(writeln!(out, "files")?),
        Offer::Directories => return Ok(writeln!(out, "directories")?),
        Offer::Remote { .. } | Offer::Nothing => return Ok(()),
    };
    writeln!(out, "words")?;
    for (word, about) in candidates {
        // A line each, and nothing that could move a cursor.
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

fn offer(words: &[String], current: &str) -> Offer {
    let mut root = Cli::command();
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
                None => return Offer::Nothing,
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
                .map_or(Offer::Nothing, |flag| value(flag, begun, &format!("{name}="))),
            None => Offer::Words(flags(command)),
        };
    }
    if command.has_subcommands() && positionals == 0 {
        let mut words = subcommands(command);
        let is_begun = |(name, _): &(String, String)| !current.is_empty() && name.starts_with(current);
        if command.get_positionals().next().is_none() || words.iter().any(is_begun) {
            return Offer::Words(words);
        }
        // Either is possible: a command, or what stands in its place.
        if current.is_empty() {
            words.extend(local_directories());
            return Offer::Words(words);
        }
    }
    positional(command, positionals, current)
}

/// The directories here that are not hidden, in order.
fn local_directories() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = directories.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).map(|name| (name, String::new())).collect();
    names.sort();
    names
}

/// The flag whose value the next word is, if this word ends with one.
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
            // Behind its letter the value may stand at once.
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

/// What a value of this flag or argument can be; each word begins with `prefix`.
fn value(arg: &Arg, begun: &str, prefix: &str) -> Offer {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let visible = possible.iter().filter(|value| !value.is_hide_set());
        let word = |value: &clap::builder::PossibleValue| {
            (format!("{prefix}{}", value.get_name()), value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        return Offer::Words(visible.map(word).collect());
    }
    if arg.get_id() == "profile" {
        let names = Config::read(None).map(Config::into_names).unwrap_or_default();
        return Offer::Words(names.into_iter().map(|name| (format!("{prefix}{name}"), String::new())).collect());
    }
    // Shells look for files by the whole word.
    match arg.get_value_hint() {
        ValueHint::DirPath if prefix.is_empty() || begun.is_empty() => Offer::Directories,
        ValueHint::FilePath | ValueHint::AnyPath | ValueHint::ExecutablePath => Offer::Files,
        _ => Offer::Nothing,
    }
}

fn positional(command: &Command, index: usize, current: &str) -> Offer {
    let all: Vec<&Arg> = command.get_positionals().collect();
    let Some(arg) = all
        .get(index)
        .or_else(|| all.last().filter(|last| last.get_num_args().is_some_and(|range| range.max_values() > 1)))
    else {
        return Offer::Nothing;
    };
    let is_absolute = current.starts_with('/');
    match (command.get_name(), value(arg, current, "")) {
        // The last is the destination, and nobody knows yet which one is the last.
        ("upload", _) if index > 0 && is_absolute => Offer::Remote { or_files: true },
        ("upload", _) => Offer::Files,
        ("download", _) if index > 0 && !is_absolute => Offer::Files,
        ("download", _) => Offer::Remote { or_files: index > 0 },
        ("run" | "start" | "stop" | "demo" | "man", offer) => offer,
        (_, Offer::Nothing) => Offer::Remote { or_files: false },
        (_, offer) => offer,
    }
}

/// The flags of the connection among words that are no whole command line yet.
fn connection_of(words: &[String]) -> super::args::ConnectionArgs {
    let parse = |words: &[String]| {
        let line = ["remofile".to_owned()].into_iter().chain(words.iter().cloned());
        let matches = Cli::command().ignore_errors(true).try_get_matches_from(line).ok()?;
        let matches = matches.subcommand().map_or(matches.clone(), |(_, below)| below.clone());
        super::args::ConnectionArgs::from_arg_matches(&matches).ok()
    };
    parse(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn offered(line: &str) -> Offer {
        let Line { words, current, .. } = Line::split(line);
        offer(&words[1..], &current)
    }

    fn words(line: &str) -> Vec<String> {
        match offered(line) {
            Offer::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_and_their_aliases_are_offered_behind_flags_too() {
        let words = words("remofile -q --server a:1 ");
        assert!(
            ["list", "ls", "upload", "put", "run"].iter().all(|name| words.iter().any(|word| word == name)),
            "{words:?}"
        );
        assert!(!words.iter().any(|word| word == "__complete"));
    }

    #[test]
    fn flags_of_the_command_and_of_all_are_offered() {
        let words = words("remofile list -");
        assert!(
            ["--long", "-l", "--json", "--server"].iter().all(|name| words.iter().any(|word| word == name)),
            "{words:?}"
        );
    }

    #[test]
    fn values_are_offered_behind_a_blank_and_behind_an_equals_sign() {
        assert_eq!(words("remofile list --color "), ["auto", "always", "never"]);
        assert_eq!(words("remofile list --color=a"), ["--color=auto", "--color=always", "--color=never"]);
        assert_eq!(words("remofile completion "), ["bash", "zsh", "fish"]);
    }

    #[test]
    fn an_upload_goes_from_here_to_there() {
        assert_eq!(offered("remofile upload /tmp/"), Offer::Files);
        assert_eq!(offered("remofile put a /"), Offer::Remote { or_files: true });
        assert_eq!(offered("remofile put a b"), Offer::Files);
    }

    #[test]
    fn a_download_goes_from_there_to_here() {
        assert_eq!(offered("remofile get "), Offer::Remote { or_files: false });
        assert_eq!(offered("remofile get /a /b"), Offer::Remote { or_files: true });
        assert_eq!(offered("remofile get /a ."), Offer::Files);
    }

    #[test]
    fn other_paths_are_those_of_the_server() {
        for line in ["remofile ls ", "remofile rm -r /a /b", "remofile -v mkdir --parents /a", "remofile rm -- -a"] {
            assert_eq!(offered(line), Offer::Remote { or_files: false }, "{line}");
        }
        assert_eq!(offered("remofile ping "), Offer::Nothing);
        assert_eq!(offered("remofile nothing "), Offer::Nothing);
    }

    #[test]
    fn local_values_are_left_to_the_shell() {
        assert_eq!(offered("remofile list --token-file "), Offer::Files);
        assert_eq!(offered("remofile list --server "), Offer::Nothing);
    }
}
