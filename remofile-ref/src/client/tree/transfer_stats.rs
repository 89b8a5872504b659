//! The outcome of each item of a transfer: reported at once, and added up.

use super::{TreeTransferred, concerns_one_item};
use crate::client::{
    ClientError, ItemOutcome, Planned, SkipReason, TransferItem, TransferStatus, Transferred,
    transfer_options::ItemCallback,
};
use std::path::Path as LocalPath;

/// Adds up a transfer.
pub(super) struct TransferStats<'a> {
    pub(super) done: TreeTransferred,
    on_item: &'a mut ItemCallback<'a>,
}

impl<'a> TransferStats<'a> {
    pub(super) fn new(on_item: &'a mut ItemCallback<'a>) -> Self {
        Self { done: TreeTransferred::default(), on_item }
    }

    pub(super) fn record(&mut self, local: &LocalPath, remote: &str, done: Transferred) {
        self.done.count(&done);
        let outcome = match done.status {
            TransferStatus::Newer => ItemOutcome::Skipped(SkipReason::Newer),
            _ => ItemOutcome::Done(done),
        };
        self.report(local, remote, outcome);
    }

    pub(super) fn plan(&mut self, local: &LocalPath, remote: &str, planned: Planned) {
        let (status, bytes, transferred) = match planned {
            Planned::Directory => return self.report(local, remote, ItemOutcome::Planned(planned)),
            Planned::New { bytes } | Planned::Replace { bytes } => (TransferStatus::New, bytes, bytes),
            Planned::Resume { bytes, done } => (TransferStatus::Resumed, bytes, bytes - done),
            Planned::Unchanged { bytes } => (TransferStatus::Unchanged, bytes, 0),
        };
        self.done.count(&Transferred { status, bytes, transferred });
        self.report(local, remote, ItemOutcome::Planned(planned));
    }

    pub(super) fn skip(&mut self, local: &LocalPath, remote: &str, reason: SkipReason) {
        match reason {
            SkipReason::Link | SkipReason::Special => self.done.skipped += 1,
            SkipReason::Excluded => self.done.excluded += 1,
            SkipReason::Newer => self.done.newer += 1,
        }
        self.report(local, remote, ItemOutcome::Skipped(reason));
    }

    /// Takes note of an item that failed; fails where no other item can succeed either.
    pub(super) fn fail(
        &mut self,
        local: &LocalPath,
        remote: &str,
        name: impl Into<String>,
        error: ClientError,
    ) -> Result<(), ClientError> {
        if concerns_one_item(&error) {
            self.report(local, remote, ItemOutcome::Failed(&error));
        }
        self.done.fail(name, error)
    }

    fn report(&mut self, local: &LocalPath, remote: &str, outcome: ItemOutcome<'_>) {
        (self.on_item)(&TransferItem { local, remote, outcome });
    }
}
