//! Faults of kinds and targets.

use super::declare::faults;

faults! {
    MOVE_REPLACES = "move-replaces", ["TARGET-4", "TARGET-1"],
        "It renames without a look, and whatever file was there is gone.";
}
