//! Why a run stopped: by a safety check, or by an error that concerns all items.

use super::Side;
use crate::client::ClientError;
use std::{io, path::PathBuf};

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A safety check stopped it; nothing was changed. See
    /// [`SyncOptions::allow_delete`](super::SyncOptions::allow_delete).
    #[error("stopped before any change: {0}")]
    SafetyCheck(SafetyCheck),
    /// The server or the session is gone, the call was cancelled, or a root cannot be read. Finished actions are
    /// complete, and the next run continues from there.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The saved state cannot be read or written.
    #[error("cannot use the saved state '{}'", .path.display())]
    State {
        /// Its file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run synchronises the same two directories.
    #[error("another run is synchronising these directories ('{}' is locked)", .path.display())]
    Locked {
        /// The lock of the saved state.
        path: PathBuf,
    },
    /// Neither the environment nor the options specify a directory for the saved state.
    #[error("no directory for the saved state: neither XDG_STATE_HOME nor HOME is set")]
    NoStateDirectory,
}

/// A check that stopped a run before it changed anything.
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
