//! How a command fails: its text, its hint and its exit code.

use super::serve::Refused;
use super::{
    cancel::signalled,
    output::{escaped, human_duration, human_size},
};
use remofile::client::ClientError;
use remofile_proto::{Code, PathError};
use std::{error::Error, fmt, io, time::Duration};

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
    pub(crate) const GUARDED: u8 = 25;
    pub(crate) const CONFLICTS: u8 = 26;
    pub(crate) const INTERRUPTED: u8 = 130;
    pub(crate) const TERMINATED: u8 = 143;

    /// Every code and its meaning.
    pub(crate) const MEANINGS: [(u8, &str); 18] = [
        (0, "done"),
        (OTHER, "something else failed"),
        (USAGE, "the command line or the configuration does not make sense"),
        (NOT_FOUND, "something that was named does not exist"),
        (EXISTS, "something is there already, or is of the wrong kind"),
        (NETWORK, "network or time-out"),
        (REFUSED, "the token or key was refused"),
        (BUSY, "another client holds the session"),
        (PROTOCOL, "the other side speaks another protocol or version"),
        (NOT_VERIFIED, "what arrived is not what was sent"),
        (LIMIT, "a limit is reached or the disk is full"),
        (BAD_NAME, "a name or path is not valid"),
        (SOME_FAILED, "some of several items failed"),
        (SOURCE_CHANGED, "the source changed while it was read"),
        (GUARDED, "a guard stopped a synchronisation before anything was done"),
        (CONFLICTS, "both sides are synchronised, and conflicts are left"),
        (INTERRUPTED, "interrupted by SIGINT"),
        (TERMINATED, "terminated by SIGTERM"),
    ];
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line, the environment or the configuration does not make sense.
    Usage { what: String, hint: Option<String> },
    /// A remote path is not a path.
    BadPath { path: String, why: PathError },
    /// A pattern that nothing on the server matches.
    NoMatch { pattern: String },
    /// What a command changes is not there, and a flag would make it.
    Missing { error: ClientError, hint: &'static str },
    /// Files whose hashes are not those of a list.
    Mismatch { file: String, failed: u64, total: u64 },
    /// The library failed.
    Client(ClientError),
    /// A signal stopped a transfer, of which so many bytes are there.
    Stopped { there: u64, total: Option<u64>, continues: bool },
    /// A local file, outside of a transfer: `cannot WHAT 'OBJECT': WHY`.
    Local { what: &'static str, object: String, source: io::Error },
    /// A server did not start, or could not be stopped.
    Server(Refused),
    /// Another process has said what is wrong, and ended with this code.
    Reported(u8),
    /// Serving failed.
    Serve { what: String, source: Box<dyn Error + Send + Sync> },
    /// A sentence of its own, with a hint where one helps.
    Said { what: String, hint: Option<String>, exit: u8 },
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
            Failure::NoMatch { .. } => exit::NOT_FOUND,
            Failure::Mismatch { .. } => exit::NOT_VERIFIED,
            Failure::Client(error) | Failure::Missing { error, .. } => client_exit_code(error),
            Failure::Local { source, .. } => local_exit_code(source),
            Failure::Stopped { .. } => signalled().unwrap_or(exit::INTERRUPTED),
            Failure::Server(refused) => refused.exit,
            Failure::Reported(code) => *code,
            Failure::Said { exit, .. } => *exit,
            Failure::Serve { .. } | Failure::Output(_) => exit::OTHER,
            Failure::Some { .. } => exit::SOME_FAILED,
        }
    }

    /// Whether it is that something named does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.exit_code() == exit::NOT_FOUND
    }

    /// What is said of a failure of one item among others.
    pub(crate) fn text_of(error: &ClientError) -> String {
        struct Said<'a>(&'a ClientError);
        impl fmt::Display for Said<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_client_error(f, self.0)
            }
        }
        Said(error).to_string()
    }

    /// What is advised of it.
    pub(crate) fn hint_of(error: &ClientError) -> Option<&'static str> {
        client_hint(error)
    }

    /// The exit code that it would be on its own.
    pub(crate) fn exit_code_of(error: &ClientError) -> u8 {
        client_exit_code(error)
    }

    /// What the user can do about it, where that is not in the text already.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Failure::Usage { hint, .. } | Failure::Server(Refused { hint, .. }) | Failure::Said { hint, .. } => {
                return hint.clone();
            }
            Failure::BadPath { .. } => "a path is /NAME/NAME…, without `.`, `..` and control characters",
            Failure::NoMatch { .. } => {
                "`*` and `?` stay within a name and match no dot in front of it; `**` is any number of directories"
            }
            Failure::Missing { hint, .. } => hint,
            Failure::Client(error) => client_hint(error)?,
            Failure::Stopped { there, total, continues } => return Some(how_to_continue(*there, *total, *continues)),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage { what, .. } | Failure::Said { what, .. } => f.write_str(what),
            Failure::BadPath { path, why } => write!(f, "invalid path '{}': {why}", escaped(path)),
            Failure::NoMatch { pattern } => write!(f, "no match for '{}'", escaped(pattern)),
            Failure::Mismatch { file, failed, total } => {
                write!(f, "cannot verify '{}': {failed} of {total} files did not match", escaped(file))
            }
            Failure::Client(error) | Failure::Missing { error, .. } => write_client_error(f, error),
            Failure::Stopped { .. } => write_client_error(f, &ClientError::Cancelled),
            Failure::Local { what, object, source } => {
                write!(f, "cannot {what} '{}': {}", escaped(object), plain(source))
            }
            Failure::Server(refused) => f.write_str(&refused.what),
            Failure::Reported(code) => write!(f, "it ended with exit code {code}"),
            Failure::Serve { what, source } => {
                write!(f, "{what}: ")?;
                write_chain(f, source.as_ref())
            }
            Failure::Some { failed, total } => write!(f, "{failed} of {total} items failed"),
            Failure::Output(error) => write!(f, "cannot write to standard output: {}", plain(error)),
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

/// What the system said, as part of a sentence: `no such file or directory`.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error ").map_or(text.as_str(), |(text, _)| text);
    let mut characters = text.chars();
    let capital = characters.next().filter(|first| first.is_ascii_uppercase());
    // `No such file`, but not `ENOSPC`.
    match capital {
        Some(first) if !characters.as_str().starts_with(|second: char| second.is_ascii_uppercase()) => {
            format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
        }
        _ => text.to_owned(),
    }
}

fn how_to_continue(there: u64, total: Option<u64>, continues: bool) -> String {
    if !continues {
        return "a stream cannot be continued: nothing of it was left on the other side".to_owned();
    }
    let there = match total {
        Some(total) => format!(": {} of {} are there", human_size(there), human_size(total)),
        None if there > 0 => format!(": {} are there", human_size(there)),
        None => String::new(),
    };
    format!("run the same command again to continue{there}")
}

fn client_exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Unreachable { .. } | ClientError::TimedOut { .. } | ClientError::SessionLost { .. } => {
            exit::NETWORK
        }
        ClientError::InDoubt { .. } | ClientError::NotFlushed => exit::NETWORK,
        ClientError::TokenRefused { .. } => exit::REFUSED,
        ClientError::BadEndpoint(_) | ClientError::BadToken(_) => exit::USAGE,
        ClientError::BadPath(_) => exit::BAD_NAME,
        ClientError::Busy(_) => exit::BUSY,
        ClientError::NotRemofile { .. } | ClientError::Protocol { .. } => exit::PROTOCOL,
        ClientError::NotVerified { .. } => exit::NOT_VERIFIED,
        ClientError::SourceChanged { .. } => exit::SOURCE_CHANGED,
        ClientError::Local { source, .. } => local_exit_code(source),
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
        ClientError::Incomplete(_) => exit::SOME_FAILED,
        ClientError::Cancelled => signalled().unwrap_or(exit::OTHER),
        // Transport, and kinds of errors that the library has since this command was built.
        _ => exit::OTHER,
    }
}

fn local_exit_code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => exit::NOT_FOUND,
        io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => exit::EXISTS,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => exit::LIMIT,
        io::ErrorKind::InvalidFilename => exit::BAD_NAME,
        _ => exit::OTHER,
    }
}

fn client_hint(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::Unreachable { .. } => "is the server running (`remofile run DIR`), and is this its host and port?",
        ClientError::TokenRefused { .. } => {
            "compare REMOFILE_TOKEN (and REMOFILE_PUBLIC_KEY, if the server has a key of its own) with what `remofile run` printed"
        }
        ClientError::NotRemofile { .. } => "is this the port that `remofile run` printed?",
        ClientError::Busy(_) => "wait until it is done (--wait SECONDS), or use --take to take the session over",
        ClientError::TimedOut { .. } => {
            "--timeout SECONDS waits longer; `remofile ping` shows whether the server answers"
        }
        ClientError::SessionLost { .. } => "run the same command again; what was transferred is kept",
        ClientError::InDoubt { .. } | ClientError::NotFlushed => "look with `remofile list` before you repeat it",
        ClientError::SourceChanged { .. } => "run the same command again when nobody writes to it",
        ClientError::NotVerified { .. } => "run the same command again; nothing wrong was left under the final name",
        ClientError::Local { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
            "use --overwrite to replace files"
        }
        ClientError::Local { source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
            "use -r to transfer a directory with all it holds"
        }
        ClientError::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            "make room, and run the same command again: it continues"
        }
        ClientError::Refused { operation, refusal, .. } => match (refusal.code, *operation) {
            (Code::Exists, "upload" | "download") => "use --overwrite to replace it",
            (Code::Exists, "move" | "copy") => "use --overwrite to replace the target",
            (Code::Exists, _) => "use -u where it is fine that it exists",
            (Code::NotFound, "upload" | "begin" | "mkdir" | "put") => {
                "the directory that it goes into must exist; `remofile directory -p PATH` makes it"
            }
            (Code::NotEmpty, _) => "use -r to remove a directory with all it holds",
            (Code::NotFile, "download") => "use -r to download a directory with all it holds",
            (Code::NotFile, "copy") => "use -r to copy a directory with all it holds",
            (Code::NotFile, "hash" | "open") => "'DIR/*' in quotes stands for all that is in a directory",
            (Code::NotFile, _) => "a directory stands there",
            (Code::UnsupportedKind, _) => "links and special files are neither followed nor opened",
            (Code::Denied, _) => {
                "the server may be read-only (`remofile info` says so), or lack the rights on its disk"
            }
            (Code::NoSpace, _) => "make room on the server, and run the same command again: an upload continues",
            (Code::Changed, _) => "somebody else changed it meanwhile; run the same command again",
            (Code::NameClash, _) => "the server has a name that differs only in case or accents; choose another one",
            _ => return None,
        },
        _ => return None,
    })
}

/// `WHAT 'OBJECT': WHY`, where the library's own texts are for programs.
fn write_client_error(f: &mut fmt::Formatter<'_>, error: &ClientError) -> fmt::Result {
    match error {
        ClientError::Refused { operation, path, refusal } => {
            write!(f, "cannot {}", doing(operation))?;
            if !path.is_empty() {
                write!(f, " '{}'", escaped(path))?;
            }
            write!(f, ": {}", refusal.code.text())
        }
        ClientError::Busy(busy) => write!(
            f,
            "cannot open a session: the server is in use by '{}', last heard {} ago",
            escaped(&busy.client),
            human_duration(busy.idle_ms)
        ),
        ClientError::TimedOut { operation, after } => {
            write!(f, "cannot {}: no answer within {}", doing(operation), seconds(*after))
        }
        ClientError::InDoubt { operation, path, source } => {
            write!(f, "cannot tell whether the server did {operation} '{}': the connection was lost", escaped(path))?;
            match source {
                Some(source) => {
                    f.write_str(": ")?;
                    write_client_error(f, source)
                }
                None => Ok(()),
            }
        }
        ClientError::NotFlushed => f.write_str(
            "cannot tell whether all of it outlives a power cut: the server was started again before it was asked to see to that",
        ),
        ClientError::Local { path, source } => {
            write!(f, "cannot use the local '{}': {}", escaped(&path.to_string_lossy()), plain(source))
        }
        ClientError::SourceChanged { path } => {
            write!(f, "cannot transfer '{}': it changed while it was read", escaped(path))
        }
        ClientError::NotVerified { path, reason } => {
            write!(f, "cannot verify '{}': {reason}", escaped(path))
        }
        ClientError::TokenRefused { endpoint } => write!(
            f,
            "cannot open a session with '{endpoint}': it refused the token or key, or is not the server that they belong to"
        ),
        ClientError::NotRemofile { endpoint, reason } => {
            write!(f, "cannot talk to '{endpoint}': it does not answer as a Remofile server: {reason}")
        }
        ClientError::Unreachable { endpoint, reason } => {
            write!(f, "cannot reach '{endpoint}': {}", plain(&io::Error::other(reason.clone())))
        }
        ClientError::Cancelled => f.write_str(match signalled() {
            Some(exit::TERMINATED) => "terminated",
            _ => "interrupted",
        }),
        other => write_chain(f, other),
    }
}

fn write_chain(f: &mut fmt::Formatter<'_>, error: &(dyn Error + 'static)) -> fmt::Result {
    let mut next = Some(error);
    let mut between = "";
    while let Some(error) = next {
        match error.downcast_ref::<io::Error>() {
            Some(error) => write!(f, "{between}{}", plain(error))?,
            None => write!(f, "{between}{error}")?,
        }
        (next, between) = (error.source(), ": ");
    }
    Ok(())
}

/// An operation of the protocol as what its user wants.
fn doing(operation: &str) -> &str {
    match operation {
        "hello" => "open a session",
        "stat" => "look at",
        "mkdir" => "make the directory",
        "put" | "write" => "write",
        "touch" => "set the time of",
        "begin" | "append" | "commit" => "upload",
        "uploads" => "list partial uploads",
        "abort" => "discard the partial upload",
        "flush" => "make changes durable",
        other => other,
    }
}

fn seconds(duration: Duration) -> String {
    human_duration(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
