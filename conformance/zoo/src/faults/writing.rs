//! Faults of mkdir, put, write, truncate and touch.

use super::declare::faults;

faults! {
    NOTHING_IS_NO_FILE = "nothing-is-no-file", ["PUT-1", "ENV-4"],
        "It takes a payload of no bytes for one that was forgotten.";
}
