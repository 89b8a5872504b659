//! A limit on log lines about unauthenticated peers: one a second, with a count.

use std::time::{Duration, Instant};

/// At least this long between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts events and says when a line about them is due.
#[derive(Debug, Default)]
pub(super) struct LogRate {
    last_line: Option<Instant>,
    unreported: u64,
}

impl LogRate {
    /// Counts an event.
    pub(super) fn count(&mut self) {
        self.unreported += 1;
    }

    /// How many events a line has to report now; `None` while there are none or the last line is too young.
    pub(super) fn report(&mut self, now: Instant) -> Option<u64> {
        if self.wait(now)? > Duration::ZERO {
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }

    /// How long until the next line is due; `None` while there is nothing to report.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.last_line.map_or(Duration::ZERO, |last| (last + INTERVAL).saturating_duration_since(now));
        (self.unreported > 0).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_reported_before_an_event() {
        assert_eq!(LogRate::default().report(Instant::now()), None);
    }

    #[test]
    fn a_burst_makes_two_lines() {
        let mut rate = LogRate::default();
        rate.count();
        let start = Instant::now();
        assert_eq!(rate.report(start), Some(1));
        for millisecond in 0..999 {
            rate.count();
            assert_eq!(rate.report(start + Duration::from_millis(millisecond)), None);
        }
        assert_eq!(rate.report(start + INTERVAL), Some(999));
    }
}
