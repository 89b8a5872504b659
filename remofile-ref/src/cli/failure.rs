//! How a command fails: its text, its hint and its exit code.

use crate::client::ClientError;
use remofile_proto::{Code, PathError};
use std::{error::Error, fmt, io};

/// Exit codes; README lists them.
pub(crate) mod exit {
    pub(crate) const OTHER: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const NOT_FOUND: u8 = 3;
    pub(crate) const EXISTS: u8 = 4;
    pub(crate) const NETWORK: u8 = 5;
    pub(crate) const REFUSED: u8 = 6;
    pub(crate) const BUSY: u8 = 7;
    pub(crate) const PROTOCOL: u8 = 8;
    pub(crate) const NOT_VERIFIED: u8 = 9;
    pub(crate) const LIMIT: u8 = 10;
    pub(crate) const BAD_NAME: u8 = 11;
    pub(crate) const SOME_FAILED: u8 = 23;
    pub(crate) const SOURCE_CHANGED: u8 = 24;
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line does not make sense.
    Usage { what: String, hint: Option<String> },
    /// A remote path is not a path.
    BadPath { path: String, why: PathError },
    /// The library failed.
    Client(ClientError),
    /// Serving failed.
    Serve { what: String, source: Box<dyn Error + Send + Sync> },
    /// Several items, of which some failed; each was reported on its own.
    Some { failed: u64, total: u64 },
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Failure::Usage { what: what.into(), hint: None }
    }

    pub(crate) fn usage_with(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Usage { what: what.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage { .. } => exit::USAGE,
            Failure::BadPath { .. } => exit::BAD_NAME,
            Failure::Client(error) => client_exit_code(error),
            Failure::Serve { .. } | Failure::Output(_) => exit::OTHER,
            Failure::Some { .. } => exit::SOME_FAILED,
        }
    }

    /// What the user can do about it, where that is not in the text already.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Failure::Usage { hint, .. } => return hint.clone(),
            Failure::Client(ClientError::Unreachable { .. }) => {
                "is the server running (`remofile run DIR`), and is this its host and port?"
            }
            Failure::Client(ClientError::TokenRefused { .. }) => {
                "compare REMOFILE_TOKEN (and REMOFILE_PUBLIC_KEY, if the server has a key of its own) with what `remofile run` printed"
            }
            Failure::Client(ClientError::NotRemofile { .. }) => "is this the port that `remofile run` printed?",
            Failure::Client(ClientError::Busy(_)) => "wait until it is done, or use --take to take the session over",
            Failure::Client(ClientError::Local { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                "use --overwrite to replace files"
            }
            Failure::Client(ClientError::InDoubt { .. }) => "look with `remofile list` before you repeat it",
            Failure::Client(error) => match error.code()? {
                Code::Exists if matches!(error, ClientError::Refused { operation: "upload", .. }) => {
                    "use --overwrite to replace it"
                }
                Code::Exists => "use -u where it is fine that it exists",
                Code::NotEmpty => "use -r to remove a directory with all it holds",
                Code::NotFile if matches!(error, ClientError::Refused { operation: "download", .. }) => {
                    "use -r to download a directory with all it holds"
                }
                Code::NotFile => "a directory stands there",
                Code::UnsupportedKind => "links and special files are neither followed nor opened",
                _ => return None,
            },
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage { what, .. } => f.write_str(what),
            Failure::BadPath { path, why } => write!(f, "invalid path '{}': {why}", path.escape_default()),
            Failure::Client(error) => write_chain(f, error),
            Failure::Serve { what, source } => {
                write!(f, "{what}: ")?;
                write_chain(f, source.as_ref())
            }
            Failure::Some { failed, total } => write!(f, "{failed} of {total} items failed"),
            Failure::Output(error) => write!(f, "cannot write to standard output: {error}"),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

fn client_exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Unreachable { .. } | ClientError::TimedOut { .. } | ClientError::SessionLost { .. } => {
            exit::NETWORK
        }
        ClientError::InDoubt { .. } => exit::NETWORK,
        ClientError::TokenRefused { .. } => exit::REFUSED,
        ClientError::BadEndpoint(_) | ClientError::BadToken(_) => exit::USAGE,
        ClientError::BadPath(_) => exit::BAD_NAME,
        ClientError::Busy(_) => exit::BUSY,
        ClientError::NotRemofile { .. } | ClientError::Protocol { .. } => exit::PROTOCOL,
        ClientError::NotVerified { .. } => exit::NOT_VERIFIED,
        ClientError::SourceChanged { .. } => exit::SOURCE_CHANGED,
        ClientError::Local { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => exit::NOT_FOUND,
            io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => exit::EXISTS,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => exit::LIMIT,
            _ => exit::OTHER,
        },
        ClientError::Refused { refusal, .. } => match refusal.code {
            Code::NotFound => exit::NOT_FOUND,
            Code::Exists | Code::NotFile | Code::NotDir | Code::NotEmpty | Code::NameClash | Code::UnsupportedKind => {
                exit::EXISTS
            }
            Code::BadName => exit::BAD_NAME,
            Code::TooLarge | Code::NoSpace | Code::Limit => exit::LIMIT,
            Code::Changed => exit::SOURCE_CHANGED,
            Code::Digest => exit::NOT_VERIFIED,
            Code::BadMessage | Code::BadOp | Code::BadArgs | Code::Version => exit::PROTOCOL,
            _ => exit::OTHER,
        },
        ClientError::Cancelled | ClientError::Transport(_) => exit::OTHER,
    }
}

fn write_chain(f: &mut fmt::Formatter<'_>, error: &dyn Error) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}
