//! Faults of codes, their order, and what all operations share.

use super::declare::faults;

faults! {
    UNKNOWN_ARGUMENTS = "unknown-arguments-are-ignored", ["CBOR-13"],
        "It picks the arguments that it knows, and never sees the others.";
}
