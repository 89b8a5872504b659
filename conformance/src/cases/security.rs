//! Section 5: token, keys and CURVE.

mod handshakes;
mod secrets;
mod unauthenticated;

use crate::engine::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [handshakes::cases(), unauthenticated::cases(), secrets::cases()].into_iter().flatten().collect()
}
