//! A failpoint for tests: ends a run at a chosen step, as a kill would, without cleaning up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Fails after a number of steps; by default never.
#[derive(Clone, Debug)]
pub(super) struct SyncFailpoint {
    left: Arc<AtomicU64>,
}

impl SyncFailpoint {
    pub(super) fn after(steps: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(steps)) }
    }

    /// Takes one step; false once the number is reached.
    pub(super) fn passes(&self) -> bool {
        let step = |left: u64| Some(left.saturating_sub(1));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok_and(|left| left > 0)
    }
}

impl Default for SyncFailpoint {
    fn default() -> Self {
        Self::after(u64::MAX)
    }
}
