//! Section 8: paths and names.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
