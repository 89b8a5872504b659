//! Section 13: durability, and what outlives a restart.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
