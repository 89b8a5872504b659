//! Random sequences of operations against a model of the directory.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
