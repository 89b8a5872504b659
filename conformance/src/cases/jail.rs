//! Section 8: what is outside the served directory.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
