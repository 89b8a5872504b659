//! How long timeout lasts: from the measured round trip, in the manner of RFC 6298.

use std::time::Duration;

/// When a client gives up waiting, and when it gives up altogether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Silence before anything was measured.
    pub initial: Duration,
    /// The shortest timeout: a server may hold a request for 500 ms.
    pub shortest: Duration,
    /// The longest timeout between two resends.
    pub longest: Duration,
    /// How long after a PENDING the next poll is sent [SEQ-22]; 100 ms at least.
    pub poll: Duration,
    /// Rounds of resending without an answer before failure is reported [SEQ-23].
    pub rounds: u32,
    /// Failure is not reported before this long after the last answer, however fast the rounds went by.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(5),
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(20),
            poll: Duration::from_millis(100),
            rounds: 3,
            total: Duration::from_secs(30),
        }
    }
}

/// How long a server may hold a request before it says anything, beside the round trip.
const HOLD: Duration = Duration::from_millis(600);

/// The measured round trip.
#[derive(Debug, Default)]
pub(super) struct RttEstimator {
    /// Smoothed round trip and its mean deviation.
    measured: Option<(Duration, Duration)>,
}

impl RttEstimator {
    /// Takes the round trip of a request that was sent once and answered at once.
    pub(super) fn sample(&mut self, round_trip: Duration) {
        self.measured = Some(match self.measured {
            None => (round_trip, round_trip / 2),
            Some((smoothed, deviation)) => {
                ((smoothed * 7 + round_trip) / 8, (deviation * 3 + smoothed.abs_diff(round_trip)) / 4)
            }
        });
    }

    /// The timeout after which something is taken for lost, doubled with every round without an answer.
    pub(super) fn timeout(&self, policy: &RetryPolicy, rounds: u32) -> Duration {
        let once = match self.measured {
            None => policy.initial,
            Some((smoothed, deviation)) => smoothed + deviation * 4 + HOLD,
        };
        once.max(policy.shortest).saturating_mul(1 << rounds.min(16)).min(policy.longest)
    }

    /// The smoothed round trip, once one was measured.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.measured.map(|(smoothed, _)| smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_never_shorter_than_a_server_may_hold_a_request() {
        let mut rtt = RttEstimator::default();
        for _ in 0..50 {
            rtt.sample(Duration::from_micros(100));
        }
        assert_eq!(rtt.timeout(&RetryPolicy::default(), 0), Duration::from_secs(1));
    }

    #[test]
    fn silence_grows_with_the_round_trip() {
        let mut rtt = RttEstimator::default();
        for _ in 0..50 {
            rtt.sample(Duration::from_secs(4));
        }
        let timeout = rtt.timeout(&RetryPolicy::default(), 0);
        assert!(timeout > Duration::from_secs(4) && timeout < Duration::from_secs(6), "{timeout:?}");
    }

    #[test]
    fn silence_doubles_with_every_round_up_to_the_longest() {
        let seconds =
            [0, 1, 2, 3, 60].map(|rounds| RttEstimator::default().timeout(&RetryPolicy::default(), rounds).as_secs());
        assert_eq!(seconds, [5, 10, 20, 20, 20]);
    }
}
