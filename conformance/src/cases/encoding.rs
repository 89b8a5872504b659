//! Section 4: the CBOR profile.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
