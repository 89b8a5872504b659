//! Sections 11.12 to 11.14: remove, move and copy.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
