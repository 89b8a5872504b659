//! Which changes a flush can answer for [DUR-6].

use remofile_proto::{BootId, Operation};

/// The server process that acknowledged the oldest change that no flush has covered.
#[derive(Debug, Default)]
pub(super) struct DurabilityTracker(Option<BootId>);

impl DurabilityTracker {
    /// Takes note of a change that was made as far as `boot` tells.
    pub(super) fn changed(&mut self, boot: BootId) {
        self.0.get_or_insert(boot);
    }

    /// Takes note of a flush that `boot` has answered OK: whether it covers all that was acknowledged. Where it does
    /// not, what is found to be there from now on was there when it was made, and is durable.
    #[must_use]
    pub(super) fn flushed(&mut self, boot: BootId) -> bool {
        self.0.take().is_none_or(|acknowledging| acknowledging == boot)
    }
}

/// Whether an operation makes what a flush has to cover. Staged bytes are compared before they are gone on with [UP-5],
/// and a commit makes them durable [DUR-1].
pub(super) fn needs_flush(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Mkdir { .. }
            | Operation::Put { .. }
            | Operation::Write { .. }
            | Operation::Truncate { .. }
            | Operation::Touch { .. }
            | Operation::Remove { .. }
            | Operation::Move { .. }
            | Operation::Copy { .. }
            | Operation::Commit { .. }
    )
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
        assert!(tracker.flushed(FIRST));
    }

    #[test]
    fn a_flush_does_not_cover_what_another_process_acknowledged() {
        let mut tracker = DurabilityTracker::default();
        tracker.changed(FIRST);
        tracker.changed(SECOND);
        assert!(!tracker.flushed(SECOND));
    }

    #[test]
    fn what_was_told_once_is_not_told_again() {
        let mut tracker = DurabilityTracker::default();
        tracker.changed(FIRST);
        assert!(!tracker.flushed(SECOND));
        assert!(tracker.flushed(SECOND));
    }
}
