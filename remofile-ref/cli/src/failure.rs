//! Why a command fails: the error, the hint and the exit code.

use super::{
    cancel::signalled,
    exit_code,
    render::{escaped, human_duration, human_milliseconds, human_size, print_error, print_hint},
    system_error::{in_lower_case, system_text},
};
use remofile::client::ClientError;
use remofile_proto::{Code, PathError};
use std::{error::Error, fmt, io};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An invalid command line, environment or configuration.
    Usage { what: String, hint: Option<String> },
    /// An invalid remote path.
    BadPath { path: String, why: PathError },
    /// A pattern that matches nothing on the server.
    NoMatch { pattern: String },
    /// A file or directory that does not exist, with a hint of its own.
    Missing { error: ClientError, hint: &'static str },
    /// Files whose hashes differ from those of a list.
    Mismatch { file: String, failed: u64, total: u64 },
    /// An error of the library.
    Client(ClientError),
    /// A signal that stopped a transfer.
    Stopped { done: u64, total: Option<u64>, can_resume: bool },
    /// An error of the system: `cannot WHAT 'OBJECT': WHY`.
    Local { what: &'static str, object: String, source: io::Error },
    /// An error of another process, which printed it and exited with this code.
    Reported(u8),
    /// An error with its cause.
    Caused { what: String, source: Box<dyn Error + Send + Sync> },
    /// An error with its own exit code.
    Other { what: String, hint: Option<String>, exit_code: u8 },
    /// Some of several items, each of which was reported.
    Some { failed: u64, total: u64 },
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// An invalid command line, environment or configuration.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Failure::Usage { what: what.into(), hint: None }
    }

    /// The same with a hint.
    pub(crate) fn usage_with(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Usage { what: what.into(), hint: Some(hint.into()) }
    }

    /// An error of the system: `cannot WHAT 'OBJECT': WHY`.
    pub(crate) fn local(what: &'static str, object: impl Into<String>, source: io::Error) -> Self {
        Failure::Local { what, object: object.into(), source }
    }

    /// An error with its cause: `WHAT: CAUSE`.
    pub(crate) fn caused(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Failure::Caused { what: what.into(), source: source.into() }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage { .. } => exit_code::USAGE,
            Failure::BadPath { .. } => exit_code::BAD_NAME,
            Failure::NoMatch { .. } => exit_code::NOT_FOUND,
            Failure::Mismatch { .. } => exit_code::NOT_VERIFIED,
            Failure::Client(ClientError::Cancelled) => signalled().unwrap_or(exit_code::OTHER),
            Failure::Client(error) | Failure::Missing { error, .. } => exit_code::of_client_error(error),
            Failure::Local { source, .. } => exit_code::of_system_error(source),
            Failure::Stopped { .. } => signalled().unwrap_or(exit_code::INTERRUPTED),
            Failure::Reported(code) => *code,
            Failure::Other { exit_code, .. } => *exit_code,
            Failure::Caused { .. } | Failure::Output(_) => exit_code::OTHER,
            Failure::Some { .. } => exit_code::SOME_FAILED,
        }
    }

    /// Whether a file or directory does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.exit_code() == exit_code::NOT_FOUND
    }

    /// Prints the error, and below it the hint if there is one.
    pub(crate) fn print(&self) {
        print_error(&self.to_string());
        if let Some(hint) = self.hint() {
            print_hint(&hint);
        }
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Failure::Usage { hint, .. } | Failure::Other { hint, .. } => return hint.clone(),
            Failure::BadPath { .. } => "use /NAME/NAME…, without `.`, `..` and control characters",
            Failure::NoMatch { .. } => {
                "`*` and `?` match within a name, but not a leading dot; `**` matches any number of directories"
            }
            Failure::Missing { hint, .. } => hint,
            Failure::Client(error) => client_hint(error)?,
            Failure::Stopped { done, total, can_resume } => return Some(resume_hint(*done, *total, *can_resume)),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage { what, .. } | Failure::Other { what, .. } => f.write_str(what),
            Failure::BadPath { path, why } => write!(f, "invalid path '{}': {why}", escaped(path)),
            Failure::NoMatch { pattern } => write!(f, "no match for '{}'", escaped(pattern)),
            Failure::Mismatch { file, failed, total } => {
                write!(f, "'{}': checksum mismatch of {failed} of {total} files", escaped(file))
            }
            Failure::Client(error) | Failure::Missing { error, .. } => write_client_error(f, error),
            Failure::Stopped { .. } => write_client_error(f, &ClientError::Cancelled),
            Failure::Local { what, object, source } => {
                write!(f, "cannot {what} '{}': {}", escaped(object), system_text(source))
            }
            Failure::Reported(code) => write!(f, "exit code {code}"),
            Failure::Caused { what, source } => {
                write!(f, "{what}: ")?;
                write_chain(f, source.as_ref())
            }
            Failure::Some { failed, total } => write!(f, "{failed} of {total} items failed"),
            Failure::Output(error) => write!(f, "cannot write to standard output: {}", system_text(error)),
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

/// The text of an error of the library.
pub(crate) fn client_error_text(error: &ClientError) -> String {
    struct Text<'a>(&'a ClientError);
    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_client_error(f, self.0)
        }
    }
    Text(error).to_string()
}

/// What the user can do about an error of the library.
pub(crate) fn client_hint(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::Unreachable { .. } => "check that the server runs (`remofile run DIR`), and its host and port",
        ClientError::TokenRefused { .. } => {
            "compare REMOFILE_TOKEN (and REMOFILE_PUBLIC_KEY, if the server has its own key pair) with the output of \
             `remofile run`"
        }
        ClientError::NotRemofile { .. } => "check the port that `remofile run` printed",
        ClientError::Busy(_) => "wait for it with --wait SECONDS, or take over the session with --take",
        ClientError::TimedOut { .. } => {
            "use --timeout SECONDS to wait longer; `remofile ping` shows whether the server answers"
        }
        ClientError::SessionLost { .. } => "run the same command again; transferred data is kept",
        ClientError::InDoubt { .. } | ClientError::NotFlushed => "check with `remofile list` before you run it again",
        ClientError::SourceChanged { .. } => "run the same command again when no other program writes to the file",
        ClientError::NotVerified { .. } => "run the same command again; no corrupt file was stored",
        ClientError::Local { source, .. } => match source.kind() {
            io::ErrorKind::AlreadyExists => "use --overwrite to replace files",
            io::ErrorKind::IsADirectory => "use -r to transfer a directory and its contents",
            io::ErrorKind::StorageFull => "free some space, and run the same command again to resume",
            _ => return None,
        },
        ClientError::Refused { operation, refusal, .. } => match (refusal.code, *operation) {
            (Code::Exists, "upload" | "download") => "use --overwrite to replace it",
            (Code::Exists, "move" | "copy") => "use --overwrite to replace the target",
            (Code::Exists, _) => "use -u to accept an existing one",
            (Code::NotFound, "upload" | "begin" | "mkdir" | "put") => {
                "the parent directory must exist; `remofile directory -p PATH` creates it"
            }
            (Code::NotEmpty, _) => "use -r to remove a directory and its contents",
            (Code::NotFile, "download") => "use -r to download a directory and its contents",
            (Code::NotFile, "copy") => "use -r to copy a directory and its contents",
            (Code::NotFile, "hash" | "open") => "use 'DIR/*', in quotes, for all files in a directory",
            (Code::NotFile, _) => "it is a directory",
            (Code::UnsupportedKind, _) => "symbolic links and special files are not supported",
            (Code::Denied, _) => "the server may be read-only (see `remofile info`), or lack permission on its disk",
            (Code::NoSpace, _) => "free some space on the server, and run the same command again to resume an upload",
            (Code::Changed, _) => "another client changed it; run the same command again",
            (Code::NameClash, _) => {
                "the server has a name that differs only in case or normalization; use another name"
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn resume_hint(done: u64, total: Option<u64>, can_resume: bool) -> String {
    if !can_resume {
        return "a stream cannot be resumed; the other side discarded the incomplete file".to_owned();
    }
    let done = match total {
        Some(total) => format!(" ({} of {} transferred)", human_size(done), human_size(total)),
        None if done > 0 => format!(" ({} transferred)", human_size(done)),
        None => String::new(),
    };
    format!("run the same command again to resume{done}")
}

/// Writes `WHAT 'OBJECT': WHY`, where the texts of the library are for programs.
fn write_client_error(f: &mut fmt::Formatter<'_>, error: &ClientError) -> fmt::Result {
    match error {
        ClientError::Refused { operation, path, refusal } => {
            write!(f, "cannot {}", task(operation))?;
            if !path.is_empty() {
                write!(f, " '{}'", escaped(path))?;
            }
            write!(f, ": {}", refusal.code.text())
        }
        ClientError::Busy(busy) => write!(
            f,
            "cannot open a session: '{}' holds it (last active {} ago)",
            escaped(&busy.client),
            human_milliseconds(busy.idle_ms)
        ),
        ClientError::TimedOut { operation, after } => {
            write!(f, "cannot {}: no answer within {}", task(operation), human_duration(*after))
        }
        ClientError::InDoubt { operation, path, source } => {
            write!(
                f,
                "connection lost during {operation} of '{}': the server may or may not have completed it",
                escaped(path)
            )?;
            match source {
                Some(source) => {
                    f.write_str(": ")?;
                    write_client_error(f, source)
                }
                None => Ok(()),
            }
        }
        ClientError::NotFlushed => {
            f.write_str("the server restarted before it flushed all changes to disk: some of them may be lost")
        }
        ClientError::Local { path, source } => {
            write!(f, "'{}': {}", escaped(&path.to_string_lossy()), system_text(source))
        }
        ClientError::SourceChanged { path } => write!(f, "'{}': file changed while it was read", escaped(path)),
        ClientError::NotVerified { path, reason } => write!(f, "cannot verify '{}': {reason}", escaped(path)),
        ClientError::TokenRefused { endpoint } => {
            write!(f, "cannot open a session with '{endpoint}': token or key rejected, or not the right server")
        }
        ClientError::NotRemofile { endpoint, reason } => {
            write!(f, "'{endpoint}' is not a Remofile server: {reason}")
        }
        ClientError::Unreachable { endpoint, reason } => {
            write!(f, "cannot connect to '{endpoint}': {}", in_lower_case(reason))
        }
        ClientError::Cancelled => f.write_str(match signalled() {
            Some(exit_code::TERMINATED) => "terminated",
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
            Some(error) => write!(f, "{between}{}", system_text(error))?,
            None => write!(f, "{between}{error}")?,
        }
        (next, between) = (error.source(), ": ");
    }
    Ok(())
}

/// What an operation of the protocol does for its user.
fn task(operation: &str) -> &str {
    match operation {
        "hello" => "open a session",
        "stat" => "access",
        "mkdir" => "create directory",
        "put" | "write" => "write",
        "touch" => "set the modification time of",
        "begin" | "append" | "commit" => "upload",
        "uploads" => "list incomplete uploads",
        "abort" => "discard the incomplete upload",
        "flush" => "flush changes to disk",
        other => other,
    }
}
