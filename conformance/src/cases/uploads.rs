//! Sections 11.15 to 11.19 and 12: uploads.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
