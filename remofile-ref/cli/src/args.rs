//! The command line: all commands and their aliases.

use super::{
    cancel,
    commands::{
        cat, complete, completion, create, demo, du, generate, hash, info, list, man, partials, ping, relocate, remove,
        stat, sync, transfer, write,
    },
    failure::Failure,
    options::{AllOptions, MessageOptions, ObeyedOptions},
    serve,
};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Transfer files to and from a served directory over an encrypted connection
#[derive(Debug, Parser)]
#[command(
    name = "remofile",
    version,
    max_term_width = 100,
    after_help = "Options may stand before or after the command; `remofile COMMAND --help` lists those that it accepts.\n\n\
        Examples:\n  \
        remofile demo                          run a demo on this machine\n  \
        remofile run ./shared 6768             serve ./shared and print the settings for clients\n  \
        remofile upload ubuntu.iso /isos       with REMOFILE_SERVER and REMOFILE_TOKEN set\n  \
        remofile list /isos"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    options: AllOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List directories and files on the server
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Upload files and directories
    #[command(visible_alias = "put")]
    Upload(transfer::UploadArgs),
    /// Download files and directories
    #[command(visible_alias = "get")]
    Download(transfer::DownloadArgs),
    /// Synchronize a local directory with one on the server
    Sync(Box<sync::SyncArgs>),
    /// Create a directory: NAME in DIR, or PATH
    #[command(visible_aliases = ["folder", "mkdir"])]
    Directory(create::DirectoryArgs),
    /// Create an empty file: NAME in DIR, or PATH
    #[command(visible_alias = "touch")]
    File(create::FileArgs),
    /// Remove files and directories: PATH…, or NAME DIR
    #[command(visible_alias = "rm")]
    Remove(remove::RemoveArgs),
    /// Move or rename files and directories on the server
    #[command(visible_alias = "mv")]
    Move(relocate::MoveArgs),
    /// Copy files and directories on the server
    #[command(visible_alias = "cp")]
    Copy(relocate::CopyArgs),
    /// Show the metadata of files and directories
    Stat(stat::StatArgs),
    /// Print BLAKE3 checksums of files, or check them
    Hash(hash::HashArgs),
    /// Print the disk usage of directories
    Du(du::DuArgs),
    /// Print the contents of files
    Cat(cat::CatArgs),
    /// Write standard input to a file in place
    Write(write::WriteArgs),
    /// List or discard incomplete transfers
    Partials(partials::PartialsArgs),
    /// Serve a directory in the foreground
    #[command(visible_alias = "serve")]
    Run(serve::RunArgs),
    /// Serve a directory in the background
    Start(serve::StartArgs),
    /// Stop a server in the background
    Stop(serve::StopArgs),
    /// Run a demo on this machine: serve, upload, list, download, compare
    Demo(demo::DemoArgs),
    /// Measure the round-trip time to the server
    Ping(ping::PingArgs),
    /// Show the limits of a server and the owner of its session
    Info(info::InfoArgs),
    /// Print a new token
    GenerateToken(generate::TokenArgs),
    /// Print a new key pair for a server
    GenerateKeys(generate::KeysArgs),
    /// Print a shell completion script
    Completion(completion::CompletionArgs),
    /// Print a manual page, or write all of them to a directory
    Man(man::ManArgs),
    /// Complete a word for the completion scripts
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
}

/// Why a command line does not run.
#[derive(Debug)]
pub(crate) enum ParseFailure {
    Clap(clap::Error),
    Options(Failure),
}

impl Cli {
    /// Reads a command line, and hands the options before the command to it.
    pub(crate) fn read<I>(arguments: I) -> Result<Self, ParseFailure>
    where
        I: IntoIterator,
        I::Item: Into<std::ffi::OsString> + Clone,
    {
        let mut matches = Self::command().try_get_matches_from(arguments).map_err(ParseFailure::Clap)?;
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        let mut cli = Self::from_arg_matches_mut(&mut matches).map_err(ParseFailure::Clap)?;
        cli.command.obeyed().inherit(&cli.options, &name).map_err(ParseFailure::Options)?;
        if let Command::Sync(args) = &mut cli.command {
            args.hand_down().map_err(ParseFailure::Options)?;
        } else if let Command::Partials(args) = &mut cli.command {
            args.hand_down().map_err(ParseFailure::Options)?;
        }
        Ok(cli)
    }

    /// How the command prints messages.
    pub(crate) fn messages(&mut self) -> MessageOptions {
        match &mut self.command {
            Command::Sync(args) => args.effective_options().messages(),
            Command::Partials(args) => args.effective_options().messages(),
            command => command.obeyed().messages(),
        }
    }

    /// Whether the command sets up its own log.
    pub(crate) fn has_own_log(&self) -> bool {
        matches!(self.command, Command::Run(_))
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        // These two end by signals in their own way.
        if !matches!(self.command, Command::Run(_) | Command::Demo(_)) {
            cancel::handle_signals().map_err(|error| Failure::caused("cannot handle signals", error))?;
        }
        match &self.command {
            Command::List(args) => list::run(args),
            Command::Upload(args) => transfer::upload(args),
            Command::Download(args) => transfer::download(args),
            Command::Sync(args) => sync::run(args),
            Command::Directory(args) => create::directory(args),
            Command::File(args) => create::file(args),
            Command::Remove(args) => remove::run(args),
            Command::Move(args) => relocate::rename(args),
            Command::Copy(args) => relocate::copy(args),
            Command::Stat(args) => stat::run(args),
            Command::Hash(args) => hash::run(args),
            Command::Du(args) => du::run(args),
            Command::Cat(args) => cat::run(args),
            Command::Write(args) => write::run(args),
            Command::Partials(args) => partials::run(args),
            Command::Run(args) => serve::run(args),
            Command::Start(args) => serve::start(args),
            Command::Stop(args) => serve::stop(args),
            Command::Demo(args) => demo::run(args),
            Command::Ping(args) => ping::run(args),
            Command::Info(args) => info::run(args),
            Command::GenerateToken(args) => generate::token(args),
            Command::GenerateKeys(args) => generate::keys(args),
            Command::Completion(args) => completion::run(args),
            Command::Man(args) => man::run(args, Self::command()),
            Command::Complete(args) => complete::run(args, Self::command()),
        }
    }
}

impl Command {
    fn obeyed(&mut self) -> ObeyedOptions<'_> {
        match self {
            Command::List(args) => args.options.obeyed(),
            Command::Upload(args) => args.options.obeyed(),
            Command::Download(args) => args.options.obeyed(),
            Command::Sync(args) => args.options.obeyed(),
            Command::Directory(args) => args.make.options.obeyed(),
            Command::File(args) => args.make.options.obeyed(),
            Command::Remove(args) => args.options.obeyed(),
            Command::Move(args) => args.options.obeyed(),
            Command::Copy(args) => args.options.obeyed(),
            Command::Stat(args) => args.options.obeyed(),
            Command::Hash(args) => args.options.obeyed(),
            Command::Du(args) => args.options.obeyed(),
            Command::Cat(args) => args.options.obeyed(),
            Command::Write(args) => args.options.obeyed(),
            Command::Partials(args) => args.options.obeyed(),
            Command::Run(args) => args.serve.obeyed(),
            Command::Start(args) => args.serve.obeyed(),
            Command::Stop(args) => args.options.obeyed(),
            Command::Demo(args) => args.options.obeyed(),
            Command::Ping(args) => args.options.obeyed(),
            Command::Info(args) => args.obeyed(),
            Command::GenerateToken(args) => args.options.obeyed(),
            Command::GenerateKeys(args) => args.options.obeyed(),
            Command::Completion(args) => args.options.obeyed(),
            Command::Man(args) => args.options.obeyed(),
            Command::Complete(args) => args.options.obeyed(),
        }
    }
}
