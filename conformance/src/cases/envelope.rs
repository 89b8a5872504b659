//! Section 3: the envelope.

mod refused;
mod routing;
mod unanswered;
mod version;

use crate::engine::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [routing::cases(), unanswered::cases(), version::cases(), refused::cases()].into_iter().flatten().collect()
}
