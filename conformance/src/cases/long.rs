//! Section 7.2: long operations.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
