//! Derives a verdict from the events of a client's monitor, in place of endless retries ([CURVE-7]).
//!
//! libzmq reports little about why a connection fails, and retries forever:
//!
//! | situation | events |
//! |---|---|
//! | wrong server key, or a cut in the handshake | connected, handshake failed without detail, again and again |
//! | client key refused (ZAP 400) | authentication refused, once |
//! | one side without CURVE | handshake failed by protocol, once |
//! | a peer that is no ZeroMQ socket | connected and silence, or disconnected without a reason |
//! | closed port | connect retried |
//!
//! [`LinkWatch`] is pure: time is an argument. **A verdict does not change.**

use std::time::{Duration, Instant};

/// The number of failures of one kind until a verdict: a single one may be an interrupted connection.
const FAILURES: u32 = 3;

/// The shortest time between the first failure and the verdict.
const FAILING_FOR: Duration = Duration::from_secs(2);

/// How a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeFailure {
    /// The connection ended during the handshake, for whatever reason.
    NoDetail,
    /// One side asks for CURVE and the other does not.
    Mechanism,
    /// The peer broke ZMTP or CURVE in another way.
    Protocol,
}

/// What happened to a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkEvent {
    /// The transport connection stands; nothing is authenticated yet.
    Connected,
    /// The peer is authenticated: requests may be sent.
    HandshakeSucceeded,
    /// The handshake failed.
    HandshakeFailed(HandshakeFailure),
    /// The server refused the client's key.
    AuthRefused,
    /// The transport connection ended. What was under way may be lost.
    Disconnected,
    /// A connection attempt failed; another follows.
    ConnectRetried,
}

/// Why a link is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LinkVerdict {
    /// The server's ZAP handler refused the client key.
    #[error("the server refused the token")]
    AuthRefused,
    /// Handshake after handshake failed.
    #[error("the server does not complete the handshake: the token or the server's public key is wrong")]
    KeyRefused,
    /// One side uses CURVE and the other does not.
    #[error("server and client do not agree on security: one of them runs without CURVE")]
    Mechanism,
    /// Nothing accepts connections.
    #[error("nothing accepts connections at this address")]
    Unreachable,
    /// The peer accepts connections, but is not a Remofile server.
    #[error("what answers at this address is not a Remofile server")]
    NotRemofile,
}

/// Derives the verdict on a client's link from its events.
#[derive(Clone, Debug)]
pub struct LinkWatch {
    /// When the link is given up if no handshake has succeeded.
    deadline: Instant,
    succeeded: bool,
    connected: bool,
    /// Whether the current connection has reported a reason for its end.
    explained: bool,
    handshakes: Failures,
    attempts: Failures,
    verdict: Option<LinkVerdict>,
}

impl LinkWatch {
    /// Starts with a link that is opened `now` and has `connect_timeout` for its first handshake.
    #[must_use]
    pub fn new(now: Instant, connect_timeout: Duration) -> Self {
        Self {
            deadline: now + connect_timeout,
            succeeded: false,
            connected: false,
            explained: false,
            handshakes: Failures::default(),
            attempts: Failures::default(),
            verdict: None,
        }
    }

    /// Processes an event at the time `now`.
    pub fn on_event(&mut self, event: LinkEvent, now: Instant) {
        let verdict = match event {
            LinkEvent::Connected => {
                self.connected = true;
                self.explained = false;
                self.attempts = Failures::default();
                None
            }
            LinkEvent::HandshakeSucceeded => {
                self.succeeded = true;
                self.explained = true;
                None
            }
            LinkEvent::HandshakeFailed(failure) => {
                self.explained = true;
                self.handshakes.count(now);
                self.verdict_on(failure)
            }
            LinkEvent::AuthRefused => {
                self.explained = true;
                Some(LinkVerdict::AuthRefused)
            }
            // libzmq ends a connection to a peer that is not a ZeroMQ socket without a reason, and does not reconnect.
            LinkEvent::Disconnected => (self.connected && !self.explained).then_some(LinkVerdict::NotRemofile),
            LinkEvent::ConnectRetried => {
                self.attempts.count(now);
                None
            }
        };
        self.verdict = self.verdict.or(verdict);
    }

    /// Whether a handshake has ever succeeded.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        self.succeeded
    }

    /// The verdict as of `now`, if there is one.
    pub fn verdict(&mut self, now: Instant) -> Option<LinkVerdict> {
        if self.verdict.is_none() && !self.succeeded {
            let reached = |due: Option<Instant>| due.is_some_and(|due| now >= due);
            if reached(self.handshakes.due()) {
                self.verdict = Some(LinkVerdict::KeyRefused);
            } else if reached(self.attempts.due()) {
                self.verdict = Some(LinkVerdict::Unreachable);
            } else if now >= self.deadline {
                self.verdict = Some(if self.connected { LinkVerdict::NotRemofile } else { LinkVerdict::Unreachable });
            }
        }
        self.verdict
    }

    /// When to check the verdict again without an event; `None` once there is one or a handshake has succeeded.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        if self.succeeded || self.verdict.is_some() {
            return None;
        }
        [self.handshakes.due(), self.attempts.due(), Some(self.deadline)].into_iter().flatten().min()
    }

    /// libzmq does not reconnect after a protocol error; other failures may be interrupted connections.
    fn verdict_on(&self, failure: HandshakeFailure) -> Option<LinkVerdict> {
        match failure {
            HandshakeFailure::NoDetail => None,
            HandshakeFailure::Mechanism => Some(LinkVerdict::Mechanism),
            HandshakeFailure::Protocol => Some(LinkVerdict::NotRemofile),
        }
    }
}

/// The number of failures, and the time of the first.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    first: Option<Instant>,
}

impl Failures {
    fn count(&mut self, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(now);
    }

    /// When there have been enough, for long enough; `None` while there are too few.
    fn due(&self) -> Option<Instant> {
        self.first.filter(|_| self.count >= FAILURES).map(|first| first + FAILING_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The verdict at `at_ms` after events at given milliseconds.
    fn verdict(events: &[(u64, LinkEvent)], at_ms: u64) -> Option<LinkVerdict> {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut watch = LinkWatch::new(start, TIMEOUT);
        for (milliseconds, event) in events {
            watch.on_event(*event, at(*milliseconds));
        }
        watch.verdict(at(at_ms))
    }

    fn failing(first_ms: u64) -> Vec<(u64, LinkEvent)> {
        [0, 100, 200]
            .into_iter()
            .flat_map(|later| {
                [
                    (first_ms + later, LinkEvent::Connected),
                    (first_ms + later, LinkEvent::HandshakeFailed(HandshakeFailure::NoDetail)),
                    (first_ms + later, LinkEvent::Disconnected),
                ]
            })
            .collect()
    }

    #[test]
    fn one_refused_authentication_is_enough() {
        let events = [(0, LinkEvent::Connected), (1, LinkEvent::AuthRefused), (1, LinkEvent::Disconnected)];
        assert_eq!(verdict(&events, 1), Some(LinkVerdict::AuthRefused));
    }

    #[test]
    fn a_refusal_after_a_success_counts_too() {
        let events = [(0, LinkEvent::HandshakeSucceeded), (9_000, LinkEvent::AuthRefused)];
        assert_eq!(verdict(&events, 9_000), Some(LinkVerdict::AuthRefused));
    }

    #[test]
    fn three_failed_handshakes_over_two_seconds_refuse_the_key() {
        assert_eq!(verdict(&failing(50), 2_049), None);
        assert_eq!(verdict(&failing(50), 2_050), Some(LinkVerdict::KeyRefused));
    }

    #[test]
    fn two_failed_handshakes_may_be_cuts() {
        assert_eq!(verdict(&failing(0)[..6], 9_999), None);
    }

    #[test]
    fn failed_handshakes_after_a_success_are_no_refusal() {
        let mut events = vec![(0, LinkEvent::HandshakeSucceeded)];
        events.extend(failing(10));
        assert_eq!(verdict(&events, 60_000), None);
    }

    #[test]
    fn another_mechanism_is_reported_at_once() {
        let events = [(0, LinkEvent::Connected), (1, LinkEvent::HandshakeFailed(HandshakeFailure::Mechanism))];
        assert_eq!(verdict(&events, 1), Some(LinkVerdict::Mechanism));
    }

    #[test]
    fn three_retries_over_two_seconds_are_unreachable() {
        let events = [0, 100, 300].map(|at| (at, LinkEvent::ConnectRetried));
        assert_eq!(verdict(&events, 1_999), None);
        assert_eq!(verdict(&events, 2_000), Some(LinkVerdict::Unreachable));
    }

    #[test]
    fn a_connection_forgives_the_retries_before_it() {
        let mut events = [0, 100, 300].map(|at| (at, LinkEvent::ConnectRetried)).to_vec();
        events.push((400, LinkEvent::Connected));
        assert_eq!(verdict(&events, 5_000), None);
    }

    #[test]
    fn connected_and_silence_is_not_remofile() {
        let events = [(0, LinkEvent::Connected)];
        assert_eq!(verdict(&events, 9_999), None);
        assert_eq!(verdict(&events, 10_000), Some(LinkVerdict::NotRemofile));
    }

    #[test]
    fn disconnected_without_a_reason_is_not_remofile() {
        let events = [(0, LinkEvent::Connected), (1, LinkEvent::Disconnected)];
        assert_eq!(verdict(&events, 1), Some(LinkVerdict::NotRemofile));
    }

    #[test]
    fn silence_without_a_connection_is_unreachable() {
        assert_eq!(verdict(&[], 10_000), Some(LinkVerdict::Unreachable));
    }

    #[test]
    fn a_disconnection_after_a_success_is_no_verdict() {
        let events = [(0, LinkEvent::Connected), (1, LinkEvent::HandshakeSucceeded), (2, LinkEvent::Disconnected)];
        assert_eq!(verdict(&events, 60_000), None);
    }

    #[test]
    fn the_first_verdict_stays() {
        let events = [(0, LinkEvent::AuthRefused), (1, LinkEvent::HandshakeSucceeded)];
        assert_eq!(verdict(&events, 60_000), Some(LinkVerdict::AuthRefused));
    }

    #[test]
    fn the_next_look_is_due_when_the_verdict_falls() {
        let start = Instant::now();
        let mut watch = LinkWatch::new(start, TIMEOUT);
        assert_eq!(watch.due(), Some(start + TIMEOUT));
        for _ in 0..FAILURES {
            watch.on_event(LinkEvent::ConnectRetried, start);
        }
        assert_eq!(watch.due(), Some(start + FAILING_FOR));
        watch.on_event(LinkEvent::HandshakeSucceeded, start);
        assert_eq!(watch.due(), None);
    }
}
