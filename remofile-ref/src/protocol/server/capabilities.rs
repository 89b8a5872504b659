//! The capabilities of this server.

use remofile_proto::{Capabilities, Capability};

/// What the server announces in the reply to hello: every capability that the codec implements [EXT-1].
#[must_use]
pub fn announced_capabilities() -> Capabilities {
    Capability::ALL.iter().map(|capability| capability.name()).collect()
}
