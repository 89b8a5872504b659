//! Section 10: kinds, targets and refusals.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
