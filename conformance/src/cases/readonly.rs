//! Section 14: a server that refuses every change.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
