//! Faults of remove, move and copy.

use super::declare::faults;

faults! {
    COPY_IS_NEW = "copy-is-new", ["COPY-1"],
        "It leaves the copy with the time at which it was made.";
}
