//! The command line: commands, aliases and flags.

use super::{
    cat, complete, completion, demo, entries, hash, info, keys, list, man,
    output::{Color, Progress},
    partials, ping, remove, rename, serve, stat, sync, transfer, usage, write,
};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Transfers files to and from one served directory, encrypted, with nothing but a token.
#[derive(Debug, Parser)]
#[command(
    name = "remofile",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
        remofile demo                          the whole tour on this machine\n  \
        remofile run ./shared 6768             serve ./shared, print what to paste on the client\n  \
        remofile upload ubuntu.iso /isos       with REMOFILE_SERVER and REMOFILE_TOKEN set\n  \
        remofile list /isos"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the server is and how to prove oneself to it: by flag, else by environment variable, else by the profile, else
/// by default. An empty variable counts as none.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// host, host:port, [::1]:port, tcp://… or ipc://… of the server [env: REMOFILE_SERVER]
    #[arg(long, global = true, value_name = "ENDPOINT", conflicts_with = "hostname")]
    pub(crate) server: Option<String>,
    /// Host name of the server, in place of --server [env: REMOFILE_HOSTNAME]
    #[arg(long, global = true, value_name = "HOST", hide_short_help = true)]
    pub(crate) hostname: Option<String>,
    /// Port of the server where its name has none [env: REMOFILE_PORT] [default: 6768]
    #[arg(long = "server-port", global = true, value_name = "PORT", hide_short_help = true)]
    pub(crate) server_port: Option<u16>,
    /// The token; better by REMOFILE_TOKEN or --token-file, since `ps` shows a command line [env: REMOFILE_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with_all = ["token_file", "token_command"])]
    pub(crate) token: Option<String>,
    /// A file that holds the token [env: REMOFILE_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "token_command")]
    pub(crate) token_file: Option<PathBuf>,
    /// A shell command that prints the token, such as `pass show remofile`
    #[arg(long, global = true, value_name = "COMMAND", value_hint = ValueHint::CommandString, hide_short_help = true)]
    pub(crate) token_command: Option<String>,
    /// The server's public key, where it has one of its own (see generate-keys) [env: REMOFILE_PUBLIC_KEY]
    #[arg(long, global = true, value_name = "KEY", hide_short_help = true)]
    pub(crate) public_key: Option<String>,
    /// The profile of the configuration file to use [env: REMOFILE_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The configuration file [env: REMOFILE_CONFIG] [default: ~/.config/remofile/config.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub(crate) config: Option<PathBuf>,
    /// Seconds without an answer after which a call fails [env: REMOFILE_TIMEOUT] [default: 30]
    #[arg(long, global = true, value_name = "SECONDS", hide_short_help = true)]
    pub(crate) timeout: Option<f64>,
    /// Seconds to wait while another client holds the session [default: its lease and a little]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) wait: Option<f64>,
    /// Take the session over from whoever holds it
    #[arg(long, global = true, num_args = 0, default_missing_value = "session", value_enum)]
    pub(crate) take: Option<Take>,
    /// No encryption and no protection: for experiments on one machine
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) insecure: bool,
}

/// What `--take` takes: the session, or behind `sync resolve` a version of a file. One type, since a flag of all
/// commands and one of a single command can share a name in no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Take {
    /// The session
    #[value(hide = true)]
    Session,
    /// The version in the conflict copy
    Local,
    /// The version that has kept the name
    Remote,
    /// The version that was modified last
    Newer,
    /// Both, as files of their own
    Both,
}

/// How much is said, and how.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Data as one JSON object a line on standard output; errors stay text on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More detail; -vv shows what goes on inside
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_short_help = true)]
    pub(crate) color: Color,
    /// How to show progress
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW", hide_short_help = true)]
    pub(crate) progress: Progress,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List directories and files of the server
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Upload files and directories into the served directory
    #[command(visible_alias = "put")]
    Upload(transfer::UploadArgs),
    /// Download files and directories from the served directory
    #[command(visible_alias = "get")]
    Download(transfer::DownloadArgs),
    /// Keep a local directory and one of the server alike, in both directions or one
    Sync(sync::SyncArgs),
    /// Make a directory: NAME in DIR, or PATH
    #[command(visible_aliases = ["folder", "mkdir"])]
    Directory(entries::DirectoryArgs),
    /// Make an empty file: NAME in DIR, or PATH
    #[command(visible_alias = "touch")]
    File(entries::FileArgs),
    /// Remove files and directories: PATH…, or NAME DIR
    #[command(visible_alias = "rm")]
    Remove(remove::RemoveArgs),
    /// Move or rename on the server
    #[command(visible_alias = "mv")]
    Move(rename::MoveArgs),
    /// Copy on the server
    #[command(visible_alias = "cp")]
    Copy(rename::CopyArgs),
    /// Show all that the server says of files and directories
    Stat(stat::StatArgs),
    /// Print BLAKE3 hashes of files, or check them against a list
    Hash(hash::HashArgs),
    /// Sum up the sizes of what directories hold
    Du(usage::DuArgs),
    /// Print the content of files
    Cat(cat::CatArgs),
    /// Write standard input into a file, in place
    Write(write::WriteArgs),
    /// List or discard what transfers that broke off have left
    Partials(partials::PartialsArgs),
    /// Serve a directory until stopped
    #[command(visible_alias = "serve")]
    Run(serve::RunArgs),
    /// Serve a directory in the background
    Start(serve::StartArgs),
    /// End a server that was started in the background
    Stop(serve::StopArgs),
    /// The whole tour on this machine: serve, upload, list, download, compare
    Demo(demo::DemoArgs),
    /// Measure the round trip to the server
    Ping(ping::PingArgs),
    /// Show what a server says of itself, and who holds its session
    Info(info::InfoArgs),
    /// Print a new token
    GenerateToken(keys::TokenArgs),
    /// Print a new key pair for a server
    GenerateKeys(keys::KeysArgs),
    /// Print the completion script of a shell
    Completion(completion::CompletionArgs),
    /// Print a manual page, or write all of them
    Man(man::ManArgs),
    /// What the completion scripts ask
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
}
