//! Why a run stopped: by a guard before anything was done, or because no item could go on.

use super::Side;
use crate::client::ClientError;
use std::{io, path::PathBuf};

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A guard stopped it; nothing was done. [`SyncOptions::allow_delete`](super::SyncOptions::allow_delete) lets it go on.
    #[error("stopped before anything was done: {0}")]
    SafetyCheck(SafetyCheck),
    /// The server or the session is gone, the call was cancelled, or a root cannot be read. What was done so far is
    /// done whole, and the next run goes on from there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The archive cannot be read or written.
    #[error("the archive '{}'", .path.display())]
    State {
        /// Its file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run synchronises the same two directories.
    #[error("another run synchronises the same directories ('{}' is locked)", .path.display())]
    Locked {
        /// The archive's lock.
        path: PathBuf,
    },
    /// Neither the environment nor the options tell where archives are kept.
    #[error("there is no directory for archives: neither XDG_STATE_HOME nor HOME is set")]
    NoStateDirectory,
}

/// Why a run was stopped before anything was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SafetyCheck {
    /// A root is gone that was there when it was last synchronised.
    #[error("the {side} directory is gone")]
    Vanished {
        /// Which one.
        side: Side,
    },
    /// A root is empty that had entries when it was last synchronised.
    #[error("the {side} directory is empty, and held {held} entries when it was last synchronised")]
    Emptied {
        /// Which one.
        side: Side,
        /// How many entries it had.
        held: u64,
    },
    /// The local directory was synchronised with that path before, but what is served there now is another directory
    /// (its root id differs).
    #[error("the server serves another directory than when this one was last synchronised with it")]
    OtherRoot,
    /// More than half of a side and more than ten items would be removed.
    #[error("{removed} of {held} entries would be removed on the {side} side")]
    Deletions {
        /// The side that would lose them.
        side: Side,
        /// How many.
        removed: u64,
        /// Of how many.
        held: u64,
    },
}
