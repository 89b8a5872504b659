//! `man`: manual pages, made of what `--help` knows.

use super::{
    args::Cli,
    failure::{Failure, exit},
    output::note,
};
use clap::{Args, Command, CommandFactory as _, ValueHint};
use clap_mangen::Man;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

const ENVIRONMENT: &[(&str, &str)] = &[
    ("REMOFILE_SERVER", "the server, as --server has it"),
    ("REMOFILE_HOSTNAME, REMOFILE_PORT", "its host and port, where REMOFILE_SERVER is not set"),
    ("REMOFILE_TOKEN", "the token"),
    ("REMOFILE_TOKEN_FILE", "a file that holds the token"),
    ("REMOFILE_PUBLIC_KEY", "the public key of a server that has one of its own"),
    ("REMOFILE_TIMEOUT", "seconds without an answer after which a call fails"),
    ("REMOFILE_PROFILE", "the profile of the configuration file to use"),
    ("REMOFILE_CONFIG", "the configuration file"),
    ("REMOFILE_LOG", "what is logged, as a filter of levels and modules: debug, remofile=trace"),
    ("NO_COLOR, CLICOLOR_FORCE", "no colours; colours in a pipe too"),
];

const FILES: &[(&str, &str)] = &[(
    "~/.config/remofile/config.toml",
    "Profiles: a section [profiles.NAME] with server, hostname, port, token, token_file, token_command, public_key, \
     timeout, wait or insecure. What stands before the first section holds for all of them; default_profile = \"NAME\" \
     names the one that is used when none is asked for. Flags go before the environment, and it before this file.",
)];

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile man | man -l -                                    read about all commands\n  \
    remofile man upload | man -l -                             about one\n  \
    remofile man --output ~/.local/share/man/man1              write all of them")]
pub(crate) struct ManArgs {
    /// The command that the page is about; else the program
    pub(crate) command: Option<String>,
    /// Write all pages into this directory
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(crate) output: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<(), Failure> {
    let mut root = Cli::command();
    root.build();
    if let Some(directory) = &args.output {
        return write_all(&root, directory);
    }
    let command = match &args.command {
        None => &root,
        Some(name) => root.find_subcommand(name).filter(|command| !command.is_hide_set()).ok_or_else(|| {
            Failure::usage_with(format!("no command '{name}'"), "`remofile --help` lists the commands")
        })?,
    };
    let page = page(command, &title(command))?;
    io::stdout().lock().write_all(&page)?;
    Ok(())
}

fn write_all(root: &Command, directory: &Path) -> Result<(), Failure> {
    let cannot = |path: &Path| {
        let object = path.display().to_string();
        move |source| Failure::Local { what: "write", object, source }
    };
    fs::create_dir_all(directory).map_err(cannot(directory))?;
    let pages = with_all_below(root);
    for command in &pages {
        let title = title(command);
        let file = directory.join(format!("{title}.1"));
        fs::write(&file, page(command, &title)?).map_err(cannot(&file))?;
    }
    note(format_args!("wrote {} pages into '{}'", pages.len(), directory.display()));
    Ok(())
}

/// A command, and those within it.
fn with_all_below(command: &Command) -> Vec<&Command> {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    [command].into_iter().chain(visible.flat_map(with_all_below)).collect()
}

/// `remofile`, or `remofile-upload`.
fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: &Command, title: &str) -> io::Result<Vec<u8>> {
    // What the short help leaves out belongs here.
    let command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(command.clone())
        .title(title)
        .manual("Remofile")
        .source(concat!("remofile ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        let text = text.to_string();
        let (remarks, examples) = text.split_once("Examples:\n").unwrap_or((&text, ""));
        if !remarks.trim().is_empty() {
            writeln!(page, ".SH NOTES\n{}", literal(remarks.trim()))?;
        }
        writeln!(page, ".SH EXAMPLES\n.nf")?;
        examples.lines().try_for_each(|line| writeln!(page, "{}", literal(line.trim())))?;
        writeln!(page, ".fi")?;
    }
    definitions(&mut page, "ENVIRONMENT", ENVIRONMENT.iter().map(|(name, text)| ((*name).to_owned(), *text)))?;
    definitions(&mut page, "FILES", FILES.iter().map(|(name, text)| ((*name).to_owned(), *text)))?;
    definitions(&mut page, "EXIT STATUS", exit::MEANINGS.iter().map(|(code, text)| (code.to_string(), *text)))?;
    Ok(page)
}

fn definitions<'a>(
    page: &mut Vec<u8>,
    heading: &str,
    items: impl Iterator<Item = (String, &'a str)>,
) -> io::Result<()> {
    writeln!(page, ".SH \"{heading}\"")?;
    for (name, text) in items {
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", literal(&name), literal(text))?;
    }
    Ok(())
}

/// Text in which nothing is an instruction to roff.
fn literal(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti");
    let lines = text.lines().map(|line| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}
