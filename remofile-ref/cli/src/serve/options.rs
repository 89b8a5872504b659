//! The options of `run` and `start`.

use super::{log::LogArgs, start_error::named};
use crate::{
    connection::{DEFAULT_PORT, parse_token, serve_token, warn_of_visible_token},
    failure::Failure,
    options::{InsecureOptions, ObeyedOptions, OutputOptions, TokenOptions},
    render::escaped,
    system_error::system_text,
    units::{number_in, parse_port, parse_size},
};
use clap::{Args, ValueHint};
use remofile_proto::{KeyPair, Token, z85};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// The placeholder for the port in the name of a file.
const PORT: &str = "{port}";

/// The options of `run` and `start`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Directory to serve
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Port; 0 selects a free one
    #[arg(default_value_t = DEFAULT_PORT, value_parser = parse_port)]
    pub(crate) port: u16,
    /// Token [default: REMOFILE_TOKEN, a token file, or a new token]
    #[arg(value_name = "TOKEN")]
    pub(crate) run_token: Option<String>,
    /// Address to listen on; 0.0.0.0 for all IPv4 addresses, :: for all addresses
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) bind: String,
    /// Reject all changes
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Maximum size of a file: 500M, 20G (powers of 1024), 20GB (powers of 1000)
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// Seconds after which an inactive client loses its session
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = number_in(1..=86_400_u64))]
    pub(crate) lease: u64,
    /// Write the process id to FILE while the server runs; {port} is replaced by the port
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pidfile: Option<PathBuf>,
    /// Read the secret key from FILE (see generate-keys), instead of deriving it from the token
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Use a REP socket instead of a ROUTER socket: one request at a time
    #[arg(long)]
    pub(crate) rep: bool,
    /// Allow serving /
    #[arg(long)]
    pub(crate) allow_root: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) token: TokenOptions,
    #[command(flatten)]
    pub(crate) insecure: InsecureOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

impl ServeArgs {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        self.output.obeyed().with_token(&mut self.token, &mut self.insecure)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        remofile run ./shared                          port 6768, local clients only, a new token\n  \
        remofile run --bind 0.0.0.0 ./shared           clients on other machines too\n  \
        remofile run --read-only ./shared 0            a free port, read-only\n  \
        remofile run --token-file ~/token ./shared     a fixed token\n\n\
        When the server is ready, it prints the settings for clients. SIGTERM and SIGINT stop it; incomplete uploads\n\
        are kept. SIGHUP reopens the log file.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Detach from the terminal when ready; used by `start`
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

/// The token of the command line, the environment or a file, if there is one.
pub(super) fn given_token(args: &ServeArgs) -> Result<Option<Token>, Failure> {
    match &args.run_token {
        Some(text) => {
            warn_of_visible_token();
            parse_token(text).map(Some)
        }
        None => serve_token(&args.token),
    }
}

/// Parses the address of `--bind`.
pub(super) fn bind_address(text: &str) -> Result<IpAddr, Failure> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        _ => text.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| {
            Failure::usage_with(
                format!("invalid address '{}' for --bind", escaped(text)),
                "use an IP address of this machine, 0.0.0.0 for all IPv4 addresses or :: for all addresses",
            )
        }),
    }
}

/// Replaces `{port}` in a path.
pub(super) fn with_port(path: &Path, port: u16) -> PathBuf {
    match path.to_str() {
        Some(text) => PathBuf::from(text.replace(PORT, &port.to_string())),
        None => path.to_owned(),
    }
}

/// Reads the output of `generate-keys`, or a secret key.
pub(super) fn key_pair(file: &Path) -> Result<KeyPair, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("key file '{}': {}", named(file), system_text(&error))))?;
    let secret = text
        .lines()
        .find_map(|line| line.strip_prefix("secret "))
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .trim();
    z85::decode(secret).map(KeyPair::from_secret).map_err(|error| {
        Failure::usage_with(
            format!("'{}': invalid secret key: {error}", named(file)),
            "use the output of `remofile generate-keys`",
        )
    })
}
