//! Faults of sequence numbers.

use super::declare::faults;

faults! {
    MEMORY_ONE_SHORT = "memory-one-short", ["SEQ-2", "SEQ-3"],
        "It drops the oldest reply when the memory is full, before the next one comes.";
    REPLIES_LOST_ON_CANCEL = "replies-lost-on-cancel", ["SEQ-27", "ENV-8"],
        "It throws whoever waits away together with the operation that is cancelled.";
}
