//! The server's own limits, all in one place.

use crate::switches::Switches;
use std::time::Duration;

/// What the server announces, and where it stops.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Requests that may be unanswered, and replies that are remembered: 1 to 1,024.
    pub(crate) window: usize,
    /// The largest payload in bytes: 65,536 to 1,048,576.
    pub(crate) chunk: u64,
    /// The largest request header in bytes: 16,384 to 65,536.
    pub(crate) header: usize,
    /// The longest lease in milliseconds, and that of who asks for none.
    pub(crate) lease_ms: u64,
    /// Ids of ended sessions that are remembered.
    pub(crate) ended: usize,
    /// The most entries of a page.
    pub(crate) page: u64,
    /// Staged uploads.
    pub(crate) uploads: usize,
    /// How long a request is held before it is answered PENDING ([SEQ-10]).
    pub(crate) hold: Duration,
    /// How many bytes are read, hashed or copied before progress is told and a cancel is heard.
    pub(crate) slice: usize,
}

impl Limits {
    pub(crate) fn new(lease_ms: Option<u64>, _switches: &Switches) -> Self {
        Self {
            window: 64,
            chunk: 262_144,
            header: 65_536,
            lease_ms: lease_ms.unwrap_or(30_000),
            ended: 4_096,
            page: 1_000,
            uploads: 64,
            hold: Duration::from_millis(500),
            slice: 1_048_576,
        }
    }
}
