//! FLUSH and the syncs before a rename: waiting for stable storage without standing still.

use super::errno::failed_io;
use super::job::{Job, Step};
use super::{SLICE, Store};
use crate::fs::background_sync::BackgroundSync;
use crate::fs::calls::syncfs;
use crate::storage::Success;
use remofile_proto::{Answer, Code, Refusal};
use rustix::fd::AsFd;
use std::io;

/// What is known about stable storage.
///
/// **After a failed sync no FLUSH of this process answers OK again** [DUR-4], nor does a MOVE that has to sync: the kernel reports a page
/// that it could not write once, marks it clean, and says yes from then on. The operator has to look at
/// the disk and start the server anew.
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

    /// [DUR-4]: what a sync says after one that failed is not to be believed.
    pub(super) fn refuse_if_lost(&self) -> Result<(), Refusal> {
        match self.lost {
            true => Err(Refusal::because(Code::Internal, "content did not reach stable storage")),
            false => Ok(()),
        }
    }

    fn advance(&mut self, root: impl AsFd) -> Result<bool, Refusal> {
        loop {
            self.refuse_if_lost()?;
            match &self.running {
                Some(sync) => match sync.wait(SLICE) {
                    None => return Ok(false),
                    Some(result) => {
                        self.running = None;
                        self.conclude(result);
                    }
                },
                None if self.dirty => {
                    let sync = BackgroundSync::of_file(root.as_fd(), syncfs).map_err(failed_io("syncing"))?;
                    self.running = Some(sync);
                    self.dirty = false;
                }
                None => return Ok(true),
            }
        }
    }

    fn conclude(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::error!(%error, "syncfs failed: flush will be refused until the server is started anew");
            self.lost = true;
        }
    }
}

/// A FLUSH under way; all there is to know is in [`Durability`].
#[derive(Debug)]
pub(super) struct Flush;

impl Job for Flush {
    fn step(&mut self, store: &mut Store) -> Step {
        match store.durability.advance(store.jail.root()) {
            Ok(true) => Step::Done(Ok(Success::of(Answer::Empty))),
            Ok(false) => Step::More { done: 0, total: 0 },
            Err(refusal) => Step::Done(Err(refusal)),
        }
    }

    fn abandon(&mut self, _store: &mut Store) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn root() -> std::fs::File {
        std::fs::File::open("/").unwrap()
    }

    fn finish(durability: &mut Durability) -> Result<(), Refusal> {
        while !durability.advance(root())? {}
        Ok(())
    }

    #[test]
    fn a_failed_sync_refuses_every_later_flush() {
        let mut durability = Durability::new();
        durability.running = Some(BackgroundSync::of_file(root(), |_| Err(rustix::io::Errno::IO)).unwrap());
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
        durability.note_change();
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn a_sync_that_nobody_waited_for_is_still_judged() {
        let mut durability = Durability::new();
        durability.dirty = false;
        durability.running = Some(BackgroundSync::of_file(root(), |_| Err(rustix::io::Errno::IO)).unwrap());
        assert_eq!(finish(&mut durability).unwrap_err().code, Code::Internal);
    }

    #[test]
    fn nothing_is_synced_where_nothing_changed() {
        let mut durability = Durability::new();
        durability.dirty = false;
        assert!(durability.advance(root()).unwrap());
        assert!(durability.running.is_none());
    }
}
