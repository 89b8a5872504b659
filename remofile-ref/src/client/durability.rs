//! Which changes a flush can answer for [DUR-6].

use remofile_proto::BootId;

/// Which server process acknowledged the oldest change that no flush has covered, and how often such changes were left
/// to another process.
#[derive(Debug, Default)]
pub(super) struct DurabilityTracker {
    oldest: Option<BootId>,
    losses: u64,
}

impl DurabilityTracker {
    /// Takes note of a change that the process `boot` has acknowledged.
    pub(super) fn changed(&mut self, boot: BootId) {
        if *self.oldest.get_or_insert(boot) != boot {
            self.losses += 1;
            self.oldest = Some(boot);
        }
    }

    /// Takes note of a flush that the process `boot` has answered OK. Gives how often changes were acknowledged by a
    /// process that ended before they were flushed; a caller that knows a smaller number has to look at what is there.
    /// What it finds was there when the flush was made, and is durable.
    #[must_use]
    pub(super) fn flushed(&mut self, boot: BootId) -> u64 {
        self.losses += u64::from(self.oldest.take().is_some_and(|acknowledging| acknowledging != boot));
        self.losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: BootId = BootId::new([1; 16]);
    const SECOND: BootId = BootId::new([2; 16]);

    #[test]
    fn a_flush_covers_what_the_same_process_acknowledged() {
        let mut tracker = DurabilityTracker::default();
        tracker.changed(FIRST);
        assert_eq!(tracker.flushed(FIRST), 0);
    }

    #[test]
    fn a_flush_does_not_cover_what_another_process_acknowledged() {
        let mut tracker = DurabilityTracker::default();
        tracker.changed(FIRST);
        tracker.changed(SECOND);
        assert_eq!(tracker.flushed(SECOND), 1);
    }

    #[test]
    fn a_loss_is_counted_once() {
        let mut tracker = DurabilityTracker::default();
        tracker.changed(FIRST);
        assert_eq!(tracker.flushed(SECOND), 1);
        assert_eq!(tracker.flushed(SECOND), 1);
    }
}
