//! Why a server does not start, in words that say what to do about it.

use super::neighbours::{addresses, listener};
use crate::{
    failure::{Failure, exit, plain},
    output::escaped,
};
use remofile::{
    StoreError,
    server::ServeError,
    transport::{Endpoint, TransportError},
};
use std::{io, path::Path};

/// A server that did not start, or could not be stopped.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
    pub(crate) exit: u8,
}

impl Refused {
    pub(super) fn new(exit: u8, what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Failure::Server(refused)
    }
}

/// A path as the user wrote it, harmless.
pub(super) fn named(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// The system refused something that has to do with a file.
pub(super) fn local(what: &str, path: &Path, error: &io::Error) -> Refused {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => exit::NOT_FOUND,
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => exit::EXISTS,
        _ => exit::OTHER,
    };
    Refused::new(exit, format!("cannot {what} '{}': {}", named(path), plain(error)))
}

/// The directory that was named cannot be served.
pub(super) fn directory(path: &Path, error: &io::Error) -> Refused {
    let refused = local("serve", path, error);
    match error.kind() {
        io::ErrorKind::NotFound => refused.hint(format!("make it first: mkdir '{}'", named(path))),
        io::ErrorKind::NotADirectory => refused.hint("a directory is served, with all that is in it"),
        io::ErrorKind::PermissionDenied => refused.hint("serve it as a user who may read and enter it"),
        _ => refused,
    }
}

/// The library refused.
pub(super) fn start(path: &Path, error: &ServeError) -> Failure {
    match error {
        ServeError::Store(StoreError::Root { source, .. }) => directory(path, source).into(),
        ServeError::Store(StoreError::InUse) => {
            Refused::new(exit::BUSY, format!("cannot serve '{}': another server serves it already", named(path)))
                .hint("one server writes to a directory at a time; --read-only serves it beside another")
                .into()
        }
        ServeError::Store(StoreError::Staging { doing, source }) => {
            let what = format!(
                "cannot serve '{}': its directory .remofile does not work ({doing}): {}",
                named(path),
                plain(source)
            );
            let refused = Refused::new(exit::OTHER, what);
            match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    refused.hint("uploads are kept there until they are whole; --read-only does without")
                }
                _ => refused,
            }
            .into()
        }
        ServeError::Transport(TransportError::Bind { endpoint, source }) => listen(endpoint, source).into(),
        _ => Failure::Serve { what: format!("cannot serve '{}'", named(path)), source: chain(error).into() },
    }
}

fn listen(endpoint: &Endpoint, error: &io::Error) -> Refused {
    let shown = endpoint.to_string();
    let shown = shown.strip_prefix("tcp://").unwrap_or(&shown);
    let port = match endpoint {
        Endpoint::Tcp { port, .. } => *port,
        _ => 0,
    };
    let refused = |why: &str| Refused::new(exit::NETWORK, format!("cannot listen on '{shown}': {why}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let who = match listener(port) {
                Some(process) => format!("the port is taken by '{}', process {}", escaped(&process.name), process.pid),
                None => "the port is taken".to_owned(),
            };
            refused(&who).hint("name another port, or 0 for a free one")
        }
        io::ErrorKind::PermissionDenied if (1..1024).contains(&port) => {
            refused("only root may listen on a port below 1024").hint("name a port from 1024 on, or 0 for a free one")
        }
        io::ErrorKind::AddrNotAvailable => {
            let known: Vec<String> = addresses().iter().map(ToString::to_string).collect();
            let known = if known.is_empty() { "127.0.0.1".to_owned() } else { known.join(", ") };
            refused("this machine does not have that address")
                .hint(format!("it has {known}; 0.0.0.0 is all of IPv4, :: all"))
        }
        _ => refused(&plain(error)),
    }
}

/// An error that cannot be kept, with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
