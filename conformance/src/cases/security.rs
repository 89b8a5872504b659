//! Section 5: token, keys and CURVE.

mod handshakes;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [handshakes::cases()].into_iter().flatten().collect()
}
