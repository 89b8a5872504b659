//! Storage: executes the operations of the protocol on files.
//!
//! [`Store`] is the engine; it keeps to the rules of the protocol. A [`Backend`] keeps the files: [`Posix`] in a
//! directory, [`Memory`] in memory, or one of your own.
//!
//! Sockets, sessions, sequence numbers and the bytes of messages are not known here.

mod backend;
mod engine;
#[cfg(test)]
mod equality;
mod memory;
mod outcome;
mod posix;
mod refusal;
mod status;
#[cfg(test)]
mod sweep;

pub use backend::{Access, Backend, BackendDir, BackendFile, BackendInfo, BackgroundSync, Location};
#[cfg(feature = "transport")]
pub(crate) use engine::ServedStore;
pub use engine::Store;
pub use memory::{Memory, MemoryDir, MemoryFile};
pub use outcome::{ExecutionStatus, Outcome, Storage, Success};
pub use posix::{Posix, PosixDir, PosixFile};
pub use status::Status;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How files are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The largest payload in bytes; also bounds the pages of listings.
    pub chunk: u64,
    /// Whether every change is refused; then nothing is created in the directory either.
    pub read_only: bool,
    /// The largest size in bytes of a file.
    pub max_file_size: Option<u64>,
    /// How many uploads may be staged at once; at least one always may.
    pub max_uploads: usize,
    /// How long an upload may stay unchanged.
    pub upload_expiry: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            chunk: 256 << 10,
            read_only: false,
            max_file_size: None,
            max_uploads: 64,
            upload_expiry: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{} cannot be opened as a directory", path.display())]
    Root {
        /// The path that was given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The kernel has no `openat2`, or a sandbox forbids it; without it there is no safe way to serve.
    #[error("the system call openat2 (Linux 5.6 or newer) does not work here")]
    NoOpenat2 {
        /// What the system says.
        source: io::Error,
    },
    /// Another server holds the lock.
    #[error("another server serves this directory")]
    InUse,
    /// The directory `.remofile` in it cannot be used.
    #[error("the staging directory .remofile does not work: {doing}")]
    Staging {
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl StoreError {
    fn staging(doing: &'static str, source: impl Into<io::Error>) -> Self {
        Self::Staging { doing, source: source.into() }
    }
}
