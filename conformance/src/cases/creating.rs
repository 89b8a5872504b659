//! Sections 11.7 and 11.8: mkdir and put.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
