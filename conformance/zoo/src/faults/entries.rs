//! Faults of entries and etags.

use super::declare::faults;

faults! {
    MTIME_IS_ATIME = "mtime-is-atime", ["ENTRY-2", "PUT-2", "TOUCH-1", "COMMIT-4"],
        "It takes the time of the last access for the time of the last change.";
}
