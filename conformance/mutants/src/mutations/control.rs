//! Mutations by which the self-test finds out whether the suite is in order: one that cannot be missed, and others that only
//! a whole suite notices.

use super::declare::mutations;

mutations! {
    NOTHING_RIGHT = "nothing-is-answered-right", ["LIST-1", "SES-6"],
        "It refuses what is right and takes what is wrong.";
    REFUSED_AND_DONE = "refused-and-done", ["REFUSE-1", "TARGET-4"],
        "It writes over a file, and looks afterwards whether it was to be there.";
}
