//! Section 4: the CBOR profile.

mod heads;
mod keys;
mod values;

use crate::{
    cases::support::messages::{Seq, expect_corruption_refused},
    engine::case::{Case, must},
    wire::malformed::HeaderParts,
};

pub(super) fn cases() -> Vec<Case> {
    [values::cases(), heads::cases(), keys::cases()].into_iter().flatten().collect()
}

/// A `stat` that is expect_corrupted_refused: the beginning of the case's id, what it checks, the damage in words, and the damage.
type BrokenHeader = (&'static str, &'static [&'static str], &'static str, fn(&mut HeaderParts));

/// The case that such a damage is BAD_MESSAGE.
fn bad_message((name, checks, words, corrupt): BrokenHeader) -> Case {
    must(&format!("{name}-is-bad-message"), checks)
        .without_directory()
        .sends(format!("A `stat` with {words}"))
        .passes("BAD_MESSAGE with its session and number, which is still to be had.")
        .run(move |t| expect_corruption_refused(t, Seq::Own, corrupt))
}
