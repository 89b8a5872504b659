//! For tests: ends a run at a chosen step as a kill would, with nothing tidied up behind it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Blows after so many steps; by default never.
#[derive(Clone, Debug)]
pub(super) struct Failpoint {
    left: Arc<AtomicU64>,
}

impl Failpoint {
    pub(super) fn after(steps: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(steps)) }
    }

    /// One step more; false from the moment on that it has blown.
    pub(super) fn passes(&self) -> bool {
        let burn = |left: u64| Some(left.saturating_sub(1));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, burn).is_ok_and(|left| left > 0)
    }
}

impl Default for Failpoint {
    fn default() -> Self {
        Self::after(u64::MAX)
    }
}
