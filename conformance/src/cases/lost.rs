//! Section 16: lost requests and lost replies.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
