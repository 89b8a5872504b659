//! The settings of one source: command line, environment or configuration file.

use crate::{
    failure::Failure,
    options::{ConnectionOptions, WaitOptions},
    render::{escaped, warn},
    units::{parse_port, parse_timeout},
};
use std::{
    fs::File,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// The port if none is given.
pub(crate) const DEFAULT_PORT: u16 = 6768;

/// The settings of one source. Where several have one subject, the first one that is set counts.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) server: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) token_command: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait: Option<Duration>,
    pub(crate) insecure: Option<bool>,
}

impl Settings {
    /// The settings of the command line.
    pub(crate) fn of_options(options: &ConnectionOptions, wait: &WaitOptions) -> Self {
        Self {
            server: options.server.server.clone(),
            hostname: options.server.hostname.clone(),
            port: options.server.server_port,
            token: options.token.token.clone(),
            token_file: options.token.token_file.clone(),
            token_command: options.token.token_command.clone(),
            public_key: options.server.public_key.clone(),
            timeout: options.server.timeout,
            wait: wait.wait,
            insecure: options.insecure.insecure.then_some(true),
        }
    }

    /// The settings of the environment; an empty variable counts as unset.
    pub(crate) fn of_environment() -> Result<Self, Failure> {
        Ok(Self {
            server: variable("REMOFILE_SERVER")?,
            hostname: variable("REMOFILE_HOSTNAME")?,
            port: parsed("REMOFILE_PORT", parse_port)?,
            token: variable("REMOFILE_TOKEN")?,
            token_file: variable("REMOFILE_TOKEN_FILE")?.map(PathBuf::from),
            token_command: None,
            public_key: variable("REMOFILE_PUBLIC_KEY")?,
            timeout: parsed("REMOFILE_TIMEOUT", parse_timeout)?,
            wait: None,
            insecure: None,
        })
    }

    /// Whether it has a server.
    pub(crate) fn names_server(&self) -> bool {
        self.server.is_some() || self.hostname.is_some()
    }

    /// Whether it has a token, or a source of one.
    pub(crate) fn names_token(&self) -> bool {
        self.token.is_some() || self.token_file.is_some() || self.token_command.is_some()
    }
}

/// An environment variable, if it is set and not empty.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Failure> {
    let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    value.into_string().map(Some).map_err(|_| Failure::usage(format!("{name} is not UTF-8")))
}

/// Warns of a file with a token that other users can read.
pub(crate) fn warn_of_readable(file: &File, path: &Path, what: &str) {
    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        warn(format_args!(
            "the {what} '{0}' contains a token and is accessible to other users (mode {mode:03o}); run `chmod 600 '{0}'`",
            path.display()
        ));
    }
}

fn parsed<T>(name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>, Failure> {
    let Some(text) = variable(name)? else { return Ok(None) };
    parse(&text).map(Some).map_err(|why| Failure::usage(format!("{name} '{}' is {why}", escaped(&text))))
}
