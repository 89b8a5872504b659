//! Why a server does not start or stop, with hints.

use super::{interfaces::addresses, processes::listener};
use crate::{exit_code, failure::Failure, render::escaped, system_error::system_text};
use remofile::{
    StoreError,
    server::ServeError,
    transport::{Endpoint, TransportError},
};
use std::{io, path::Path};

/// Why a server does not start or stop.
#[derive(Debug)]
pub(super) struct StartError {
    what: String,
    hint: Option<String>,
    exit_code: u8,
}

impl StartError {
    pub(super) fn new(exit_code: u8, what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, exit_code }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Failure::Other { what: error.what, hint: error.hint, exit_code: error.exit_code }
    }
}

/// An escaped path.
pub(super) fn named(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// An error of the system with a file.
pub(super) fn local(what: &'static str, path: &Path, error: io::Error) -> Failure {
    Failure::local(what, path.to_string_lossy(), error)
}

/// An error of the system with the directory to serve.
pub(super) fn directory(path: &Path, error: &io::Error) -> StartError {
    let failed = StartError::new(
        exit_code::of_system_error(error),
        format!("cannot serve '{}': {}", named(path), system_text(error)),
    );
    match error.kind() {
        io::ErrorKind::NotFound => failed.hint(format!("`mkdir '{}'` creates it", named(path))),
        io::ErrorKind::NotADirectory => failed.hint("only a directory can be served"),
        io::ErrorKind::PermissionDenied => failed.hint("run the server as a user who can read the directory"),
        _ => failed,
    }
}

/// An error of the library.
pub(super) fn start(path: &Path, error: &ServeError) -> Failure {
    match error {
        ServeError::Store(StoreError::Root { source, .. }) => directory(path, source).into(),
        ServeError::Store(StoreError::InUse) => {
            StartError::new(exit_code::BUSY, format!("cannot serve '{}': another server is serving it", named(path)))
                .hint("only one server can write to a directory; use --read-only for a second one")
                .into()
        }
        ServeError::Store(StoreError::Staging { doing, source }) => {
            let what = format!(
                "cannot serve '{}': cannot use its directory .remofile ({doing}): {}",
                named(path),
                system_text(source)
            );
            let failed = StartError::new(exit_code::OTHER, what);
            match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    failed.hint("it stores incomplete uploads; --read-only does not need it")
                }
                _ => failed,
            }
            .into()
        }
        ServeError::Transport(TransportError::Bind { endpoint, source }) => listen(endpoint, source).into(),
        _ => Failure::caused(format!("cannot serve '{}'", named(path)), chain(error)),
    }
}

fn listen(endpoint: &Endpoint, error: &io::Error) -> StartError {
    let shown = endpoint.to_string();
    let shown = shown.strip_prefix("tcp://").unwrap_or(&shown);
    let port = match endpoint {
        Endpoint::Tcp { port, .. } => *port,
        _ => 0,
    };
    let failed = |why: &str| StartError::new(exit_code::NETWORK, format!("cannot listen on '{shown}': {why}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let reason = match listener(port) {
                Some(process) => format!("port in use by '{}' (process {})", escaped(&process.name), process.pid),
                None => "port in use".to_owned(),
            };
            failed(&reason).hint("use another port, or 0 for a free one")
        }
        io::ErrorKind::PermissionDenied if (1..1024).contains(&port) => {
            failed("only root can use ports below 1024").hint("use a port from 1024, or 0 for a free one")
        }
        io::ErrorKind::AddrNotAvailable => {
            let known: Vec<String> = addresses().iter().map(ToString::to_string).collect();
            let known = if known.is_empty() { "127.0.0.1".to_owned() } else { known.join(", ") };
            failed("not an address of this machine")
                .hint(format!("its addresses: {known}; 0.0.0.0 for all IPv4 addresses, :: for all addresses"))
        }
        _ => failed(&system_text(error)),
    }
}

/// An error and its causes as text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
