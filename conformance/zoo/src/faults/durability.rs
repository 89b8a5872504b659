//! Faults of flush and durability.

use super::declare::faults;

faults! {
    NO_FLUSH = "flush-is-not-offered", ["FLUSH-1", "OP-1"],
        "It syncs every file by itself, and sees no need for flush.";
}
