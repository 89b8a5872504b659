//! `run`: serves a directory until it is told to stop.

use super::{
    args::Cli,
    connection::{parse_token, token, warn_of_visible_token},
    failure::Failure,
};
use crate::{
    keys::generate_token,
    server::{FileServer, ServeError},
    transport::{Endpoint, EndpointError, ServerPattern, raise_descriptor_limit},
};
use clap::Args;
use remofile_proto::{KeyPair, z85};
use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    time::Duration,
};

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

pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<(), Failure> {
    let directory = fs::canonicalize(&args.directory)
        .map_err(|error| Failure::usage(format!("cannot serve '{}': {error}", args.directory.display())))?;
    if directory == Path::new("/") && !args.allow_root {
        return Err(Failure::usage_with("will not serve '/'", "serve a directory below it, or say --allow-root"));
    }
    let token = match &args.run_token {
        Some(text) => {
            warn_of_visible_token();
            parse_token(text)?
        }
        None => token(&cli.connection)?.unwrap_or_else(generate_token),
    };
    let endpoint = endpoint(&args.bind, args.port)?;
    let cannot_start = |error: ServeError| Failure::Serve {
        what: format!("cannot serve '{}' on {endpoint}", args.directory.display()),
        source: Box::new(error),
    };
    let mut server = FileServer::new(&directory, &token)
        .map_err(cannot_start)?
        .read_only(args.read_only)
        .max_file_size(args.max_size)
        .lease(Duration::from_secs(args.lease))
        .pattern(if args.rep { ServerPattern::Rep } else { ServerPattern::Router })
        .insecure(cli.connection.insecure);
    let pinned = args.secret_key_file.as_deref().map(key_pair).transpose()?;
    if let Some(keys) = &pinned {
        server = server.key_pair(keys.clone());
    }

    let stop = server.stop_handle();
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        stop.as_fd()
            .try_clone_to_owned()
            .and_then(|wake| signal_hook::low_level::pipe::register(signal, wake))
            .map_err(|error| Failure::Serve { what: "cannot handle signals".to_owned(), source: Box::new(error) })?;
    }
    if let Err(error) = raise_descriptor_limit() {
        tracing::warn!(%error, "the limit of open descriptors stays as it is");
    }
    let mut bound = server.bind(&endpoint).map_err(cannot_start)?;

    let port = bound.local_port().unwrap_or(args.port);
    let mut out = io::stdout().lock();
    writeln!(out, "# serving {}", directory.display())?;
    writeln!(out, "# {}", reach(&args.bind, cli.connection.insecure))?;
    writeln!(out, "export REMOFILE_SERVER={}", client_endpoint(&args.bind, port))?;
    writeln!(out, "export REMOFILE_TOKEN={}", token.reveal())?;
    if let Some(keys) = &pinned {
        writeln!(out, "export REMOFILE_PUBLIC_KEY='{}'", z85::encode(keys.public()))?;
    }
    out.flush()?;
    drop(out);

    bound.run().map_err(|error| Failure::Serve { what: "serving ended".to_owned(), source: Box::new(error) })
}

fn endpoint(bind: &str, port: u16) -> Result<Endpoint, Failure> {
    let host = match bind.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) if bind == "localhost" || bind == "*" => bind.replace('*', "0.0.0.0").replace("localhost", "127.0.0.1"),
        Err(_) => {
            return Err(Failure::usage_with(
                format!("--bind '{}' is not an address", bind.escape_default()),
                "write an IP address of this machine, 0.0.0.0 for all of IPv4, :: for all",
            ));
        }
    };
    format!("{host}:{port}").parse().map_err(|error: EndpointError| Failure::usage(error.to_string()))
}

fn reach(bind: &str, insecure: bool) -> String {
    let loopback = bind == "localhost" || bind.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let reach = if loopback {
        "reached from this machine only; --bind 0.0.0.0 lets others in. Paste on the client:"
    } else {
        "paste on the client, with this machine's name or address as HOST:"
    };
    if insecure { format!("NOT ENCRYPTED (--insecure); {reach}") } else { reach.to_owned() }
}

fn client_endpoint(bind: &str, port: u16) -> String {
    match bind.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => format!("HOST:{port}"),
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Ok(IpAddr::V4(address)) if !address.is_loopback() => format!("{address}:{port}"),
        _ => format!("localhost:{port}"),
    }
}

/// Reads what `generate-keys` printed, or the secret key alone.
fn key_pair(file: &Path) -> Result<KeyPair, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read the key file '{}': {error}", file.display())))?;
    let secret = text
        .lines()
        .find_map(|line| line.strip_prefix("secret "))
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .trim();
    z85::decode(secret).map(KeyPair::from_secret).map_err(|error| {
        Failure::usage_with(
            format!("'{}' holds no secret key: {error}", file.display()),
            "keep what `remofile generate-keys` printed in that file",
        )
    })
}
