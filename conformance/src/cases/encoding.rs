//! Section 4: the CBOR profile.

mod heads;
mod keys;
mod values;

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [values::cases(), heads::cases(), keys::cases()].into_iter().flatten().collect()
}
