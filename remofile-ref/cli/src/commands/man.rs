//! `man`: manual pages from the help texts.

use crate::{exit_code, failure::Failure, options::MessageOptions, render::note};
use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

const ENVIRONMENT: &[(&str, &str)] = &[
    ("REMOFILE_SERVER", "the server, as with --server"),
    ("REMOFILE_HOSTNAME, REMOFILE_PORT", "host and port of the server if REMOFILE_SERVER is not set"),
    ("REMOFILE_TOKEN", "the token"),
    ("REMOFILE_TOKEN_FILE", "a file with the token"),
    ("REMOFILE_PUBLIC_KEY", "the public key of a server with its own key pair"),
    ("REMOFILE_TIMEOUT", "seconds to wait for an answer of the server"),
    ("REMOFILE_PROFILE", "the profile of the configuration file"),
    ("REMOFILE_CONFIG", "the configuration file"),
    ("REMOFILE_LOG", "the log filter, by levels and modules: debug, remofile=trace"),
    ("NO_COLOR, CLICOLOR_FORCE", "disable colors; enable colors in a pipe"),
];

const FILES: &[(&str, &str)] = &[(
    "~/.config/remofile/config.toml",
    "Profiles: a section [profiles.NAME] with server, hostname, port, token, token_file, token_command, public_key, \
     timeout, wait or insecure. Keys before the first section apply to all profiles; default_profile = \"NAME\" sets \
     the profile that is used without --profile. Options override environment variables, which override this file.",
)];

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile man | man -l -                                    read the page of the program\n  \
    remofile man upload | man -l -                             read the page of one command\n  \
    remofile man --output ~/.local/share/man/man1              write all pages")]
pub(crate) struct ManArgs {
    /// Command [default: the program]
    command: Option<String>,
    /// Write all pages to DIR
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: MessageOptions,
}

/// Prints a page of `root`, the command line, or writes all of them.
pub(crate) fn run(args: &ManArgs, mut root: Command) -> Result<(), Failure> {
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
    note(format_args!("wrote {} pages to '{}'", pages.len(), directory.display()));
    Ok(())
}

/// A command and its subcommands.
fn with_all_below(command: &Command) -> Vec<&Command> {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    [command].into_iter().chain(visible.flat_map(with_all_below)).collect()
}

/// `remofile`, or `remofile-upload`.
fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: &Command, title: &str) -> io::Result<Vec<u8>> {
    // The page lists the options that the short help omits.
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
    definitions(&mut page, "EXIT STATUS", exit_code::MEANINGS.iter().map(|(code, text)| (code.to_string(), *text)))?;
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

/// Text without roff requests.
fn literal(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti");
    let lines = text.lines().map(|line| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}
