//! How many bytes may be under way at once: what the path carries, found by measuring and never by guessing.
//!
//! The product of the highest rate of delivery and the shortest round trip is what the path itself holds. Four times
//! that has it found out soon, and keeps it full while answers come in bursts and both ends read, hash, encrypt and
//! write at once; more would only wait in queues and fall out of caches. This is the model of BBR (draft-ietf-ccwg-bbr,
//! with the estimate of its section 4.1.1) on top of a transport that does the congestion control: there is no pacing,
//! and no reaction to loss.

use std::time::Duration;

/// How many bytes may be under way before anything was measured, and at least. Small requests hardly ever reach it.
const FLOOR: u64 = 1 << 20;

/// As many requests may be under way at least, however large they are.
const REQUESTS: u64 = 4;

/// How many bytes may be under way at most: 160 MB/s at a round trip of 100 ms.
const CEILING: u64 = 16 << 20;

/// How many times what the path holds may be under way.
const GAIN: u128 = 4;

/// How many round trips the highest rate is remembered, and twice as many at most.
const RATE_ROUNDS: u32 = 8;

/// How long the shortest round trip holds until it is measured again, with little in flight.
const ROUND_TRIP_HOLDS: Duration = Duration::from_secs(10);

/// What is under way, and how much may be.
#[derive(Debug, Default)]
pub(super) struct CongestionController {
    in_flight: u64,
    /// How many requests were sent and are not answered.
    awaited: u64,
    /// Bytes answered so far, and when the last of them were.
    delivered: u64,
    delivered_at: Duration,
    /// When that was sent which was answered last.
    answered_sent_at: Duration,
    rate: HighestRate,
    round_trip: Option<ShortestRoundTrip>,
}

/// What was so when a request was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendSample {
    sent_at: Duration,
    delivered: u64,
    delivered_at: Duration,
    answered_sent_at: Duration,
    /// How many bytes were under way with it.
    in_flight: u64,
}

#[derive(Clone, Copy, Debug)]
struct ShortestRoundTrip {
    shortest: Duration,
    measured_at: Duration,
    /// Since when little is sent, so that it can be measured again.
    probed_since: Option<Duration>,
}

/// The highest rate of late, in bytes a second.
#[derive(Debug, Default)]
struct HighestRate {
    now: u64,
    before: u64,
    rounds: u32,
    /// A round is over when something is answered that was sent after this many bytes had been delivered.
    round_ends: u64,
}

impl CongestionController {
    /// Whether so many bytes more may be under way; a request that is alone always may.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let floor = FLOOR.max(bytes.saturating_mul(REQUESTS));
        self.in_flight == 0 || self.in_flight.saturating_add(bytes) <= self.limit().max(floor)
    }

    /// How many bytes may be under way.
    pub(super) fn limit(&self) -> u64 {
        match self.round_trip {
            Some(ShortestRoundTrip { shortest, probed_since: None, .. }) => {
                let held = u128::from(self.rate.highest()) * shortest.as_nanos() / NANOSECONDS;
                u64::try_from(held * GAIN).unwrap_or(CEILING).clamp(FLOOR, CEILING)
            }
            _ => FLOOR,
        }
    }

    /// A request was submitted, with so many bytes of payload in itself or expected in its answer.
    pub(super) fn submitted(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_add(bytes);
    }

    /// A submitted request was sent for the first time.
    pub(super) fn sent(&mut self, now: Duration) -> SendSample {
        if self.awaited == 0 {
            // Idle time is no time of delivery.
            (self.delivered_at, self.answered_sent_at) = (now, now);
        }
        self.awaited += 1;
        SendSample {
            sent_at: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            answered_sent_at: self.answered_sent_at,
            in_flight: self.in_flight,
        }
    }

    /// A request with so many bytes was answered. `sent_once`: where it was sent several times, the reply may be to any of
    /// them, and nothing is measured.
    pub(super) fn answered(&mut self, now: Duration, bytes: u64, sample: SendSample, sent_once: bool) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.awaited = self.awaited.saturating_sub(1);
        self.delivered += bytes;
        self.delivered_at = now;
        if !sent_once {
            return;
        }
        // Answers that were looked at together seem to come faster than the path is, and so do requests sent
        // together: the longer of both times is the true one.
        let took = now.saturating_sub(sample.delivered_at).max(sample.sent_at.saturating_sub(sample.answered_sent_at));
        self.answered_sent_at = sample.sent_at;
        if let Some(rate) = rate(self.delivered - sample.delivered, took) {
            self.rate.take(rate, sample.delivered, self.delivered);
        }
        self.measure_round_trip(now, now.saturating_sub(sample.sent_at), sample);
    }

    fn measure_round_trip(&mut self, now: Duration, round_trip: Duration, sample: SendSample) {
        let measured = ShortestRoundTrip { shortest: round_trip, measured_at: now, probed_since: None };
        let Some(known) = &mut self.round_trip else {
            self.round_trip = Some(measured);
            return;
        };
        let is_probe = known.probed_since.is_some_and(|since| sample.sent_at >= since && sample.in_flight <= FLOOR);
        if round_trip <= known.shortest || is_probe {
            *known = measured;
        } else if known.probed_since.is_none() && now.saturating_sub(known.measured_at) >= ROUND_TRIP_HOLDS {
            known.probed_since = Some(now);
        }
    }
}

impl HighestRate {
    fn highest(&self) -> u64 {
        self.now.max(self.before)
    }

    fn take(&mut self, rate: u64, sent_after: u64, delivered: u64) {
        if sent_after >= self.round_ends {
            self.round_ends = delivered;
            self.rounds += 1;
            if self.rounds == RATE_ROUNDS {
                (self.before, self.now, self.rounds) = (self.now, 0, 0);
            }
        }
        self.now = self.now.max(rate);
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

/// Bytes a second; none where no time went by.
fn rate(bytes: u64, took: Duration) -> Option<u64> {
    let rate = (u128::from(bytes) * NANOSECONDS).checked_div(took.as_nanos())?;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const CHUNK: u64 = 1 << 18;

    /// A path of a rate in bytes a second and a round trip, with a queue in front of it.
    struct NetworkPath {
        rate: u64,
        round_trip: Duration,
        free_at: Duration,
        answers: VecDeque<(Duration, SendSample)>,
    }

    impl NetworkPath {
        fn new(rate: u64, round_trip: Duration) -> Self {
            Self { rate, round_trip, free_at: Duration::ZERO, answers: VecDeque::new() }
        }

        /// Keeps as much under way as there is room for until `end`; gives the time then, and the bytes answered.
        fn run(&mut self, controller: &mut CongestionController, mut now: Duration, end: Duration) -> (Duration, u64) {
            let mut answered = 0;
            while now < end {
                while controller.has_room(CHUNK) {
                    controller.submitted(CHUNK);
                    let sample = controller.sent(now);
                    self.free_at = self.free_at.max(now) + Duration::from_nanos(CHUNK * 1_000_000_000 / self.rate);
                    self.answers.push_back((self.free_at + self.round_trip, sample));
                }
                let (at, sample) = self.answers.pop_front().expect("there is room for one at least");
                now = now.max(at);
                controller.answered(now, CHUNK, sample, true);
                answered += CHUNK;
            }
            (now, answered)
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn milliseconds(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_short_path_keeps_little_under_way() {
        let mut controller = CongestionController::default();
        NetworkPath::new(1 << 30, Duration::from_micros(200)).run(&mut controller, Duration::ZERO, seconds(2));
        assert!(controller.limit() <= 2 * FLOOR, "{}", controller.limit());
    }

    #[test]
    fn a_long_path_is_filled_and_hardly_more() {
        for (rate, round_trip) in [(100 << 20, 20), (40 << 20, 100), (150 << 20, 50), (1_000 << 20, 5)] {
            let mut controller = CongestionController::default();
            let mut path = NetworkPath::new(rate, milliseconds(round_trip));
            let (now, _) = path.run(&mut controller, Duration::ZERO, seconds(1));
            let (end, answered) = path.run(&mut controller, now, now + seconds(8));
            let possible = u128::from(rate) * (end - now).as_nanos() / NANOSECONDS;
            assert!(u128::from(answered) * 100 >= possible * 97, "{answered} of {possible} at {round_trip} ms");
            let held = rate * round_trip / 1_000;
            assert!(controller.limit() <= held * 5 + FLOOR, "{} of {held} at {round_trip} ms", controller.limit());
        }
    }

    #[test]
    fn it_grows_within_a_few_round_trips_and_never_beyond_the_ceiling() {
        let mut controller = CongestionController::default();
        let mut path = NetworkPath::new(10 << 30, milliseconds(100));
        path.run(&mut controller, Duration::ZERO, milliseconds(350));
        assert_eq!(controller.limit(), CEILING);
        path.run(&mut controller, milliseconds(350), seconds(3));
        assert_eq!(controller.limit(), CEILING);
    }

    #[test]
    fn a_path_that_got_longer_is_measured_again() {
        let mut controller = CongestionController::default();
        let (now, _) = NetworkPath::new(100 << 20, milliseconds(5)).run(&mut controller, Duration::ZERO, seconds(3));
        controller.in_flight = 0;
        controller.awaited = 0;
        let mut longer = NetworkPath::new(100 << 20, milliseconds(80));
        let (now, _) = longer.run(&mut controller, now, now + seconds(15));
        let (end, answered) = longer.run(&mut controller, now, now + seconds(5));
        let possible = u128::from(100u64 << 20) * (end - now).as_nanos() / NANOSECONDS;
        assert!(u128::from(answered) * 100 >= possible * 95, "{answered} of {possible}");
    }

    #[test]
    fn queues_do_not_grow_however_long_it_takes() {
        let mut controller = CongestionController::default();
        let held = (100 << 20) / 50;
        NetworkPath::new(100 << 20, milliseconds(20)).run(&mut controller, Duration::ZERO, seconds(120));
        assert!(controller.limit() <= held * 5, "{} of {held}", controller.limit());
    }

    #[test]
    fn what_was_sent_twice_measures_nothing() {
        let mut controller = CongestionController::default();
        controller.submitted(CHUNK);
        let sample = controller.sent(Duration::ZERO);
        controller.answered(milliseconds(1), CHUNK, sample, false);
        assert!(controller.round_trip.is_none() && controller.rate.highest() == 0);
        assert!(controller.has_room(CHUNK));
    }

    #[test]
    fn a_request_that_is_alone_may_go_however_large_it_is() {
        let mut controller = CongestionController::default();
        assert!(controller.has_room(u64::MAX));
        controller.submitted(CEILING);
        assert!(!controller.has_room(1));
    }
}
