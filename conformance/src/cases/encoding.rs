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

/// A malformed `stat`: the beginning of the case's id, the requirements, the corruption in words, and the corruption.
type BrokenHeader = (&'static str, &'static [&'static str], &'static str, fn(&mut HeaderParts));

/// The case that this corruption is answered BAD_MESSAGE.
fn bad_message((name, checks, words, corrupt): BrokenHeader) -> Case {
    must(&format!("{name}-is-bad-message"), checks)
        .without_directory()
        .sends(format!("A `stat` with {words}"))
        .passes("BAD_MESSAGE with its session and number, which is not consumed.")
        .run(move |t| expect_corruption_refused(t, Seq::Own, corrupt))
}
