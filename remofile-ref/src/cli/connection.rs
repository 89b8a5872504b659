//! From flags and environment to an open session.

use super::{
    args::{Cli, ConnectionArgs},
    failure::Failure,
};
use crate::{
    client::{ClientOptions, FileClient},
    transport::Endpoint,
};
use remofile_proto::{Path, PathError, Token, z85};
use std::{fs, time::Duration};

/// The port where none is given.
const DEFAULT_PORT: u16 = 6768;

/// Opens a session with the server that the command line and the environment name.
pub(crate) fn connect(cli: &Cli) -> Result<FileClient, Failure> {
    let connection = &cli.connection;
    let endpoint = endpoint(connection)?;
    let token = token(connection)?.ok_or_else(|| {
        Failure::usage_with(
            "no token is given",
            "set REMOFILE_TOKEN to what `remofile run` printed, or use --token-file",
        )
    })?;
    let options = options(connection)?;
    FileClient::connect(&endpoint, &token, options).map_err(Failure::from)
}

/// The token of the command line, the environment or the token file, in this order; a token on the command line
/// is worth a warning, since others on the machine can see it.
pub(crate) fn token(connection: &ConnectionArgs) -> Result<Option<Token>, Failure> {
    if let Some(text) = &connection.token {
        if std::env::var_os("REMOFILE_TOKEN").is_none_or(|value| value != text.as_str()) {
            warn_of_visible_token();
        }
        return parse_token(text).map(Some);
    }
    let Some(file) = &connection.token_file else { return Ok(None) };
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read the token file '{}': {error}", file.display())))?;
    parse_token(text.trim_end_matches(['\r', '\n'])).map(Some)
}

pub(crate) fn warn_of_visible_token() {
    anstream::eprintln!(
        "remofile: warning: a token on the command line can be seen by others on this machine; use REMOFILE_TOKEN or --token-file"
    );
}

pub(crate) fn parse_token(text: &str) -> Result<Token, Failure> {
    Token::parse(text).map_err(|error| {
        Failure::usage_with(format!("the token is not valid: {error}"), "`remofile generate-token` prints a new one")
    })
}

/// A path on the server; one without a leading slash counts from the served directory, and one slash at its end
/// means nothing.
pub(crate) fn remote_path(text: &str) -> Result<Path, Failure> {
    let mut absolute = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    if absolute.len() > 1 && absolute.ends_with('/') {
        absolute.pop();
    }
    Path::parse(&absolute).map_err(|why: PathError| Failure::BadPath { path: text.to_owned(), why })
}

fn endpoint(connection: &ConnectionArgs) -> Result<Endpoint, Failure> {
    let text = match (&connection.server, &connection.hostname) {
        (Some(server), _) => server.clone(),
        (None, Some(host)) => format!("{host}:{}", connection.server_port.unwrap_or(DEFAULT_PORT)),
        (None, None) => {
            return Err(Failure::usage_with("no server is given", "set REMOFILE_SERVER=HOST:PORT, or use --server"));
        }
    };
    text.parse::<Endpoint>().map_err(|error| {
        Failure::usage_with(
            format!("'{}' is not an endpoint: {error}", text.escape_default()),
            "write host:port, [::1]:port, tcp://host:port or ipc:///path",
        )
    })
}

fn options(connection: &ConnectionArgs) -> Result<ClientOptions, Failure> {
    let timeout = seconds("--timeout", connection.timeout)?;
    if timeout.is_zero() {
        return Err(Failure::usage("--timeout 0 leaves no time for an answer"));
    }
    let mut options = ClientOptions::new().timeout(timeout).take(connection.take).insecure(connection.insecure);
    options = match connection.wait {
        Some(wait) => options.wait(seconds("--wait", wait)?),
        None => options.wait_for_lease(),
    };
    if let Some(text) = &connection.public_key {
        let key = z85::decode(text).map_err(|error| {
            Failure::usage_with(
                format!("the public key is not valid: {error}"),
                "it is the 40 characters that `remofile generate-keys` printed behind `public`",
            )
        })?;
        options = options.server_key(key);
    }
    Ok(options)
}

fn seconds(flag: &str, number: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(number).map_err(|_| Failure::usage(format!("{flag} {number} is not a time in seconds")))
}
