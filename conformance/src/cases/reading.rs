//! Sections 11.3, 11.5 and 11.6: stat, read and hash.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
