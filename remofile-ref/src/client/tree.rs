//! Directories with all they hold: what transfers, copies and removals of them share.

mod copy;
mod download;
mod local;
pub(crate) mod pipeline;
mod remote_scan;
mod remove;
mod transfer_stats;
mod upload;

pub use remove::TreeRemoved;

use super::{ClientError, TransferStatus, Transferred};

/// How many failures are named; all are counted.
const NAMED_FAILURES: usize = 100;

/// How a directory was transferred or copied with all it holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TreeTransferred {
    /// Files that were transferred, whole or what was missing of them, or copied.
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
    /// How many bytes of content were sent or received; none for a copy, which the server makes.
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

    /// Adds what a second look at the same items came to: it counts none of them twice.
    fn add_second_pass(&mut self, second: Self) {
        self.transferred += second.transferred;
        for (path, error) in second.failures {
            if self.failures.len() < NAMED_FAILURES && self.failures.iter().all(|(failed, _)| *failed != path) {
                self.failures.push((path, error));
            }
        }
        self.failed = self.failed.max(second.failed).max(self.failures.len() as u64);
    }

    /// Takes note of an item that failed; fails where no other item can succeed either.
    fn fail(&mut self, path: impl Into<String>, error: ClientError) -> Result<(), ClientError> {
        if !concerns_one_item(&error) {
            return Err(error);
        }
        self.failed += 1;
        if self.failures.len() < NAMED_FAILURES {
            self.failures.push((path.into(), error));
        }
        Ok(())
    }
}

/// Whether other items may still succeed.
pub(crate) fn concerns_one_item(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused { .. }
            | ClientError::Local { .. }
            | ClientError::SourceChanged { .. }
            | ClientError::NotVerified { .. }
    )
}
