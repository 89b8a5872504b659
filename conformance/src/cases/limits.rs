//! Section 15: limits.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
