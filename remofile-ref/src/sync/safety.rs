//! The safety checks, which stop a run before it changes anything.

use super::{Change, Plan, SafetyCheck, Side, input::SyncInput};

/// Up to this many removals on a side are always allowed.
const ALWAYS_ALLOWED: u64 = 10;

/// Checks the removals of a plan.
pub(super) fn check(plan: &Plan, input: &SyncInput) -> Result<(), SafetyCheck> {
    for losing in [Side::Local, Side::Remote] {
        let removed = RemovalCount::of(plan, losing);
        let (held_files, held) = input.count(losing);
        let other = losing.other();
        // An empty side is more often a disk that is not mounted than a directory that was emptied.
        if removed.entries > 0 && !input.saved.is_empty() && input.count(other).1 == 0 {
            return Err(SafetyCheck::Emptied { side: other, held: input.saved.len() as u64 });
        }
        for (removed, held) in [(removed.files, held_files), (removed.entries, held)] {
            if removed > ALWAYS_ALLOWED && removed.saturating_mul(2) > held {
                return Err(SafetyCheck::Deletions { side: losing, removed, held });
            }
        }
    }
    Ok(())
}

/// The removals on one side.
struct RemovalCount {
    files: u64,
    entries: u64,
}

impl RemovalCount {
    fn of(plan: &Plan, losing: Side) -> Self {
        let mut removed = Self { files: 0, entries: 0 };
        for action in &plan.actions {
            if let Change::Remove { on, is_directory } = action.change
                && on == losing
            {
                removed.files += u64::from(!is_directory);
                removed.entries += 1;
            }
        }
        removed
    }
}
