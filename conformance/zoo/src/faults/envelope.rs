//! Faults of the envelope.

use super::declare::faults;

faults! {
    REPLIES_ARE_ANSWERED = "replies-are-answered", ["ENV-15", "ENV-8"],
        "It did not look for replies, and refuses them like any header that it cannot read.";
}
