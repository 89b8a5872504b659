//! FLUSH and the syncs before a rename: waiting for stable storage without standing still.

use super::task::{Task, TaskState};
use super::{Store, TIME_SLICE};
use crate::storage::Success;
use crate::storage::backend::{Backend, BackgroundSync};
use crate::storage::refusal::failed;
use remofile_proto::{Answer, Code, Refusal};
use std::io;

/// Whether what was changed is on stable storage.
///
/// **After a failed sync no FLUSH of this process answers OK again** [DUR-4], nor does a MOVE that has to sync: the kernel reports a page
/// that it could not write once, marks it clean, and reports success from then on. The operator has to check
/// the disk and restart the server.
#[derive(Debug)]
pub(super) struct Durability {
    /// Whether anything changed since the last sync began; true at first, for an earlier process [DUR-3].
    dirty: bool,
    lost: bool,
    /// Also the sync of a FLUSH that was cancelled: its failure must not go unnoticed.
    running: Option<BackgroundSync>,
}

impl Durability {
    pub(super) fn new() -> Self {
        Self { dirty: true, lost: false, running: None }
    }

    /// To be called before anything is changed.
    pub(super) fn note_change(&mut self) {
        self.dirty = true;
    }

    /// To be called when the sync of a file that stays has failed.
    pub(super) fn note_loss(&mut self) {
        self.lost = true;
    }

    /// [DUR-4]: a sync after one that failed proves nothing.
    pub(super) fn refuse_if_lost(&self) -> Result<(), Refusal> {
        match self.lost {
            true => Err(Refusal::because(Code::Internal, "content did not reach stable storage")),
            false => Ok(()),
        }
    }

    fn advance<B: Backend>(&mut self, backend: &B) -> Result<bool, Refusal> {
        loop {
            self.refuse_if_lost()?;
            match &self.running {
                Some(sync) => match sync.wait(TIME_SLICE) {
                    None => return Ok(false),
                    Some(result) => {
                        self.running = None;
                        self.conclude(result);
                    }
                },
                None if self.dirty => {
                    let sync = backend.start_sync().map_err(failed("syncing"))?;
                    self.running = Some(sync);
                    self.dirty = false;
                }
                None => return Ok(true),
            }
        }
    }

    fn conclude(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::error!(%error, "syncfs failed: flush will be refused until the server is restarted");
            self.lost = true;
        }
    }
}

/// A FLUSH that runs; its state is in [`Durability`].
#[derive(Debug)]
pub(super) struct Flush;

impl<B: Backend> Task<B> for Flush {
    fn step(&mut self, store: &mut Store<B>) -> TaskState {
        match store.durability.advance(&store.backend) {
            Ok(true) => TaskState::Done(Ok(Success::of(Answer::Empty))),
            Ok(false) => TaskState::More { done: 0, total: 0 },
            Err(refusal) => TaskState::Done(Err(refusal)),
        }
    }

    fn abandon(&mut self, _store: &mut Store<B>) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::storage::Memory;

    fn failed_sync() -> BackgroundSync {
        BackgroundSync::finished(Err(io::ErrorKind::Other.into()))
    }

    fn finish(durability: &mut Durability) -> Result<(), Refusal> {
        while !durability.advance(&Memory::new())? {}
        Ok(())
    }

    #[test]
    fn a_failed_sync_refuses_every_later_flush() {
        let mut durability = Durability::new();
        durability.running = Some(failed_sync());
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
        durability.note_change();
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn the_failure_of_a_cancelled_sync_counts() {
        let mut durability = Durability::new();
        durability.dirty = false;
        durability.running = Some(failed_sync());
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn nothing_is_synced_where_nothing_changed() {
        let mut durability = Durability::new();
        durability.dirty = false;
        assert!(durability.advance(&Memory::new()).unwrap());
        assert!(durability.running.is_none());
    }
}
