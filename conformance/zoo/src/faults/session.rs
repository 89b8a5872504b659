//! Faults of sessions.

use super::declare::faults;

faults! {
    ENDED_IDS_OPEN_AGAIN = "ended-ids-open-again", ["SES-5"],
        "It remembers who holds the session, and nobody who did.";
}
