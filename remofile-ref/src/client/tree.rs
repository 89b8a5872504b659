//! Directories with all they hold: what both directions share.

mod download;
mod flight;
mod ledger;
mod local;
mod upload;

use super::{ClientError, TransferStatus, Transferred};

/// How a directory was transferred with all it holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TreeTransferred {
    /// Files that were transferred, whole or what was missing of them.
    pub files: u64,
    /// Files that were there already with the same content.
    pub unchanged: u64,
    /// Directories, the top one included.
    pub directories: u64,
    /// Links, special files, and names that the server left out: none of them was transferred.
    pub skipped: u64,
    /// Files that stayed as they were, being newer than the source ([`Replace::Older`](super::Replace::Older)).
    pub newer: u64,
    /// What the options exclude; a directory counts once, with all it holds.
    pub excluded: u64,
    /// The size of all files in bytes, of unchanged ones too.
    pub bytes: u64,
    /// How many bytes of content were sent or received.
    pub transferred: u64,
    /// How many items failed.
    pub failed: u64,
    /// The first hundred of those, by path and reason.
    pub failures: Vec<(String, ClientError)>,
}

impl TreeTransferred {
    pub(super) fn count(&mut self, done: &Transferred) {
        match done.status {
            TransferStatus::Unchanged => self.unchanged += 1,
            TransferStatus::Newer => self.newer += 1,
            TransferStatus::New | TransferStatus::Resumed => self.files += 1,
        }
        self.bytes += done.bytes;
        self.transferred += done.transferred;
    }
}
