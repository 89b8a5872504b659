//! Sections 11.9 to 11.11: write, truncate and touch.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
