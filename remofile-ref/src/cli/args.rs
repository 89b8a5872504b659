//! The command line: commands, aliases and flags.

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
    List(ListArgs),
    /// Upload files and directories into the served directory
    #[command(visible_alias = "put")]
    Upload(TransferArgs),
    /// Download files and directories from the served directory
    #[command(visible_alias = "get")]
    Download(TransferArgs),
    /// Make a directory: NAME in DIR, or PATH
    #[command(visible_aliases = ["folder", "mkdir"])]
    Directory(MakeArgs),
    /// Make an empty file: NAME in DIR, or PATH
    #[command(visible_alias = "touch")]
    File(MakeArgs),
    /// Remove files and directories: PATH…, or NAME DIR
    #[command(visible_alias = "rm")]
    Remove(RemoveArgs),
    /// Serve a directory until stopped
    #[command(visible_alias = "serve")]
    Run(RunArgs),
    /// The whole tour on this machine: serve, upload, list, download, compare
    Demo(DemoArgs),
    /// Print a new token
    GenerateToken,
    /// Print a new key pair for a server
    GenerateKeys,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The directory, or a file
    #[arg(default_value = "/")]
    pub(crate) path: String,
    /// One entry a line with kind, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Hidden entries too: names that begin with a dot
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Everything below as well
    #[arg(short, long, visible_alias = "tree")]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// Sources, then the destination; with one argument the destination is / (upload) or . (download)
    #[arg(required = true, value_name = "SRC… [DEST]")]
    pub(crate) paths: Vec<String>,
    /// Directories with all they hold; links and special files are skipped
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Replace existing files
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// The name, or a path
    pub(crate) name: String,
    /// The directory that it is made in
    pub(crate) directory: Option<String>,
    /// Fine if it exists already
    #[arg(short, long)]
    pub(crate) update: bool,
    /// Make missing parents as well
    #[arg(short, long)]
    pub(crate) parents: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Paths; or exactly a NAME without a slash and an absolute DIR
    #[arg(required = true)]
    pub(crate) paths: Vec<String>,
    /// Directories with all they hold
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Fine if it does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The directory to serve
    pub(crate) directory: PathBuf,
    /// The port; 0 takes a free one
    #[arg(default_value_t = 6768)]
    pub(crate) port: u16,
    /// The token; else REMOFILE_TOKEN, else a new one
    #[arg(value_name = "TOKEN")]
    pub(crate) run_token: Option<String>,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) bind: String,
    /// Refuse every change
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The largest file in bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_size: Option<u64>,
    /// A file with the secret key that generate-keys printed, in place of one derived from the token
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// How long a silent client keeps the session, in seconds; 1 at least
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) lease: u64,
    /// Take one request at a time, over a REP socket, in place of a ROUTER
    #[arg(long)]
    pub(crate) rep: bool,
    /// Serve / as root all the same
    #[arg(long)]
    pub(crate) allow_root: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The file to transfer; else the executable itself
    pub(crate) file: Option<PathBuf>,
}
