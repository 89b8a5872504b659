//! The fault that nobody can miss: where the suite does, nothing that it says counts.

use super::declare::faults;

faults! {
    NOTHING_RIGHT = "nothing-is-answered-right", ["LIST-1", "SES-6"],
        "It refuses what is right and takes what is wrong.";
}
