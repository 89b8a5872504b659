//! Sections 11.1 and 11.2: hello, ping and bye.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
