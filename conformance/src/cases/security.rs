//! Section 5: token, keys and CURVE.

mod handshakes;
mod secrets;
mod strangers;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [handshakes::cases(), strangers::cases(), secrets::cases()].into_iter().flatten().collect()
}
