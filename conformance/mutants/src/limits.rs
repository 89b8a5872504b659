//! The server's own limits, all in one place.

use crate::{behaviour::Behaviour, variants};
use std::time::Duration;

/// Longer than any operation takes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Up to here a mutation hashes a whole file, so that no run waits for it, and bytes are read as fast as they come.
pub(crate) const QUICK: u64 = 16_777_216;

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
    /// The most entries or uploads of a page.
    pub(crate) page: u64,
    /// Staged uploads.
    pub(crate) uploads: usize,
    /// How long a request is held before it is answered PENDING ([SEQ-10]).
    pub(crate) hold: Duration,
    /// How long a poll is held ([SEQ-13]).
    pub(crate) hold_poll: Duration,
    /// How many bytes are read, hashed or copied between two progress reports.
    pub(crate) slice: usize,
}

impl Limits {
    /// How long the first `bytes` of `len` take, as on a disk of 125 MB/s where they are many: operations that take long
    /// are what many cases wait for, and leave the processor to the servers beside this one.
    pub(crate) fn time_to_read(&self, bytes: u64, len: u64) -> Duration {
        if len > QUICK { Duration::from_nanos(bytes.saturating_mul(8)) } else { Duration::ZERO }
    }

    pub(crate) fn new(lease_ms: Option<u64>, behaviour: &Behaviour) -> Self {
        let usual = Self {
            window: 64,
            chunk: 262_144,
            header: 65_536,
            lease_ms: lease_ms.unwrap_or(30_000),
            ended: 4_096,
            page: 1_000,
            uploads: 64,
            hold: Duration::from_millis(500),
            hold_poll: Duration::from_millis(500),
            slice: 1_048_576,
        };
        usual.varied(behaviour)
    }

    /// Other limits that are as good.
    fn varied(self, behaviour: &Behaviour) -> Self {
        let is = |variant| behaviour.is_variant(variant);
        match self {
            usual if is(&variants::WINDOW_OF_ONE) => Self { window: 1, ..usual },
            usual if is(&variants::SMALLEST_LIMITS) => {
                Self { window: 1, chunk: 65_536, header: 16_384, ended: 1_024, ..usual }
            }
            usual if is(&variants::LARGEST_LIMITS) => {
                Self { window: 1_024, chunk: 1_048_576, header: 65_536, uploads: 1_024, page: u64::MAX, ..usual }
            }
            usual if is(&variants::SHORT_LEASE) => Self { lease_ms: 3_000, ..usual },
            usual if is(&variants::LONG_LEASE) => Self { lease_ms: 7 * 24 * 3_600_000, ..usual },
            usual if is(&variants::PAGES_OF_ONE) => Self { page: 1, ..usual },
            usual if is(&variants::PAGES_OF_FEW) => Self { page: 4, ..usual },
            usual if is(&variants::SLOW_DISK) => Self { hold: Duration::ZERO, ..usual },
            usual if is(&variants::LATE_PENDING) => {
                Self { hold: Duration::from_millis(900), hold_poll: Duration::from_millis(900), ..usual }
            }
            usual if is(&variants::NEVER_PENDING) => Self { hold: NEVER, hold_poll: NEVER, ..usual },
            usual => usual,
        }
    }
}
