//! Section 7.1: sequence numbers.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
