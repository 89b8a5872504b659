//! Section 5: token, keys and CURVE.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
