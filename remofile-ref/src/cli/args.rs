//! The command line: commands, aliases and flags.

use super::{demo, entries, list, serve, transfer};
use clap::{Args, Parser, Subcommand};
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

/// Where the server is and how to prove oneself to it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// host:port, [::1]:port, tcp://… or ipc://… of the server
    #[arg(long, global = true, env = "REMOFILE_SERVER", value_name = "ENDPOINT")]
    pub(crate) server: Option<String>,
    /// Host name of the server, where --server is not given
    #[arg(long, global = true, env = "REMOFILE_HOSTNAME", value_name = "HOST", hide = true)]
    pub(crate) hostname: Option<String>,
    /// Port of the server, where --server is not given
    #[arg(long = "server-port", global = true, env = "REMOFILE_PORT", value_name = "PORT", hide = true)]
    pub(crate) server_port: Option<u16>,
    /// The token; better given by REMOFILE_TOKEN or --token-file, since `ps` shows a command line
    #[arg(long, global = true, env = "REMOFILE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// A file that holds the token
    #[arg(long, global = true, env = "REMOFILE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The server's public key, where it has one of its own (see generate-keys)
    #[arg(long, global = true, env = "REMOFILE_PUBLIC_KEY", value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// Seconds without an answer after which a call fails
    #[arg(long, global = true, env = "REMOFILE_TIMEOUT", value_name = "SECONDS", default_value_t = 30.0)]
    pub(crate) timeout: f64,
    /// Seconds to wait while another client holds the session; else its lease and a little
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) wait: Option<f64>,
    /// Take the session over from whoever holds it
    #[arg(long, global = true)]
    pub(crate) take: bool,
    /// No encryption and no protection: for experiments on one machine
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
}

/// How much is said.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// One JSON object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// More detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a directory of the server
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Upload files and directories into the served directory
    #[command(visible_alias = "put")]
    Upload(transfer::TransferArgs),
    /// Download files and directories from the served directory
    #[command(visible_alias = "get")]
    Download(transfer::TransferArgs),
    /// Make a directory: NAME in DIR, or PATH
    #[command(visible_aliases = ["folder", "mkdir"])]
    Directory(entries::MakeArgs),
    /// Make an empty file: NAME in DIR, or PATH
    #[command(visible_alias = "touch")]
    File(entries::MakeArgs),
    /// Remove files and directories: PATH…, or NAME DIR
    #[command(visible_alias = "rm")]
    Remove(entries::RemoveArgs),
    /// Serve a directory until stopped
    #[command(visible_alias = "serve")]
    Run(serve::RunArgs),
    /// The whole tour on this machine: serve, upload, list, download, compare
    Demo(demo::DemoArgs),
    /// Print a new token
    GenerateToken,
    /// Print a new key pair for a server
    GenerateKeys,
}
