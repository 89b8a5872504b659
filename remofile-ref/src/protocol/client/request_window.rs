//! The client's half of the numbering as a pure state machine: **every submitted request stays here, byte for
//! byte, until its number is answered or the session is lost, and nothing is sent above base + window.**
//!
//! What is absent: sockets, clocks and threads. A driver submits while it may, sends what [`RequestWindow::next_to_send`]
//! gives, says so by [`RequestWindow::sent`], and reports replies, connections and time.
//!
//! The payload type is the driver's: bytes, or where to read them again. The stream only hands it back.

mod in_flight;
mod rtt;
#[cfg(test)]
mod tests;

pub use rtt::RetryPolicy;

use in_flight::InFlight;
use remofile_proto::cbor::{Map, Value};
use remofile_proto::{Code, Operation, OperationClass, Recovery, Reply, SessionId, encode_request};
use rtt::RttEstimator;
use std::collections::VecDeque;
use std::time::Duration;

/// What a reply, or time going by, means.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum WindowEvent<P> {
    /// Nothing: a reply to no request that waits for one.
    Ignored,
    /// The server counts differently: what was lost will be sent again.
    Repairing,
    /// The request is still being executed, and will be polled.
    Pending {
        /// Its number.
        seq: u64,
    },
    /// The request is answered, by this reply.
    Answered {
        /// Its number.
        seq: u64,
        /// Its payload, no longer needed here.
        payload: P,
    },
    /// The session is lost: nothing is sent any more, and [`RequestWindow::into_unacked`] gives what is uncertain.
    Lost(SessionLoss),
}

/// How a session was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionLoss {
    /// The server said so: NO_SESSION, BAD_MESSAGE, SEQ_REUSED or another code of 10 to 19.
    #[error("the server ended the session with code {0}")]
    Code(u64),
    /// Resending brought no answer [SEQ-23].
    #[error("{rounds} attempts brought no answer")]
    Silence {
        /// How often the lowest unanswered request was sent again.
        rounds: u32,
    },
}

/// A request to be sent: the same bytes each time [SEQ-17].
#[derive(Debug)]
pub struct Outgoing<'a, P> {
    /// Its number.
    pub seq: u64,
    /// The header frame.
    pub header: &'a [u8],
    /// The payload, where the operation has one.
    pub payload: &'a P,
}

/// A request without a reply when its session was lost.
#[derive(Debug)]
pub struct UnackedRequest<P> {
    /// Its number in the lost session.
    pub seq: u64,
    /// Its payload.
    pub payload: P,
    /// Whether it may have been executed: it was sent, and not answered NO_SESSION when it was sent but once.
    pub sent: bool,
    /// How a client finds out in a new session what it did.
    pub recovery: Recovery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowPhase {
    /// Everything from the cursor on is sent.
    Flowing,
    /// A SEQ came: nothing is sent until the last message that was sent is answered [SEQ-18].
    Gap,
    /// After silence base alone is sent, and then everything unanswered [SEQ-20].
    Probing { sent: bool },
    /// One number is being executed, and is polled alone [SEQ-22].
    Polling { seq: u64, poll: Poll },
    /// Nothing is sent any more.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    At(Duration),
    Due,
    Outstanding,
}

/// The requests of one session that are not all answered.
#[derive(Debug)]
pub struct RequestWindow<P> {
    session: SessionId,
    window: u64,
    policy: RetryPolicy,
    rtt: RttEstimator,
    /// The lowest unanswered number, or the next one where all are answered.
    base: u64,
    /// From base on: answered ones stay until base passes them.
    in_flight: VecDeque<InFlight<P>>,
    /// The next number to send in this pass over the unanswered.
    cursor: u64,
    /// The message sent last on this connection.
    last_sent: Option<u64>,
    phase: WindowPhase,
    connected: bool,
    /// When something was last sent or heard.
    active: Duration,
    /// When something was last answered, or asked while nothing else was awaited.
    progressed_at: Duration,
    /// Silences since something was last answered.
    rounds: u32,
    /// A SEQ has made everything be resent since something was last answered.
    repaired: bool,
}

impl<P> RequestWindow<P> {
    /// Nothing is submitted; `window` is that of hello's result, at least 1. The connection is up.
    #[must_use]
    pub fn new(now: Duration, session: SessionId, window: u64, policy: RetryPolicy) -> Self {
        Self {
            session,
            window: window.max(1),
            policy,
            rtt: RttEstimator::default(),
            base: 1,
            in_flight: VecDeque::new(),
            cursor: 1,
            last_sent: None,
            phase: WindowPhase::Flowing,
            connected: true,
            active: now,
            progressed_at: now,
            rounds: 0,
            repaired: false,
        }
    }

    /// Whether there is room below base + window [SEQ-16].
    #[must_use]
    pub fn can_submit(&self) -> bool {
        self.phase != WindowPhase::Lost && (self.in_flight.len() as u64) < self.window
    }

    /// Takes a request and gives its number.
    ///
    /// # Errors
    /// There is no room: the payload comes back.
    pub fn submit(&mut self, operation: &Operation, payload: P) -> Result<u64, P> {
        if !self.can_submit() {
            return Err(payload);
        }
        let seq = self.end();
        let header = encode_request(self.session, seq, operation);
        self.in_flight.push_back(InFlight::new(header, payload, operation));
        Ok(seq)
    }

    /// The request that is to be sent now, if any; [`RequestWindow::sent`] reports that it was.
    ///
    /// A request that changes something waits until every `read`, `list` and `uploads` before it is answered:
    /// the server may compute those again [SEQ-24].
    pub fn next_to_send(&mut self) -> Option<Outgoing<'_, P>> {
        if !self.connected {
            return None;
        }
        let seq = match self.phase {
            WindowPhase::Gap | WindowPhase::Lost => return None,
            WindowPhase::Probing { sent } => (!sent).then_some(self.base)?,
            WindowPhase::Polling { seq, poll } => (poll == Poll::Due).then_some(seq)?,
            WindowPhase::Flowing => self.next_in_pass()?,
        };
        let (header, payload, _) = self.in_flight_at(seq)?.waiting()?;
        Some(Outgoing { seq, header, payload })
    }

    /// Tells that what [`RequestWindow::next_to_send`] gave was handed to the socket.
    pub fn sent(&mut self, now: Duration) {
        let seq = match &mut self.phase {
            WindowPhase::Gap | WindowPhase::Lost => return,
            WindowPhase::Probing { sent } => {
                *sent = true;
                self.base
            }
            WindowPhase::Polling { seq, poll } => {
                *poll = Poll::Outstanding;
                *seq
            }
            WindowPhase::Flowing => {
                let seq = self.cursor;
                self.cursor += 1;
                seq
            }
        };
        if !(self.base..self.end()).any(|seq| self.awaits(seq)) {
            self.progressed_at = now;
        }
        self.active = now;
        self.last_sent = Some(seq);
        if let Some(in_flight_at) = self.in_flight_at_mut(seq) {
            in_flight_at.note_sent(now);
        }
    }

    /// Takes a reply; what it says to the operation is the driver's to read when it is [`WindowEvent::Answered`].
    pub fn on_reply(&mut self, now: Duration, reply: &Reply<'_>) -> WindowEvent<P> {
        let Reply { session, seq, code, result, .. } = *reply;
        if session != self.session || self.phase == WindowPhase::Lost {
            return WindowEvent::Ignored;
        }
        match code {
            SEQ => self.on_gap(now, seq, next(result)),
            PENDING => self.on_pending(now, seq),
            // [CODE-4], [ENV-21]
            10..=19 | BAD_MESSAGE => {
                if code == NO_SESSION
                    && let Some(in_flight_at) = self.in_flight_at_mut(seq)
                {
                    in_flight_at.note_refused();
                }
                self.lose(SessionLoss::Code(code))
            }
            _ => self.on_answer(now, seq),
        }
    }

    /// Tells that time has gone by; call it at [`RequestWindow::next_deadline`].
    pub fn on_timer(&mut self, now: Duration) -> WindowEvent<P> {
        if let WindowPhase::Polling { seq, poll: Poll::At(at) } = self.phase {
            if now >= at {
                self.phase = WindowPhase::Polling { seq, poll: Poll::Due };
            }
            return WindowEvent::Ignored;
        }
        if self.silence_ends().is_none_or(|at| now < at) {
            return WindowEvent::Ignored;
        }
        if self.rounds >= self.policy.rounds && now.saturating_sub(self.progressed_at) >= self.policy.total {
            return self.lose(SessionLoss::Silence { rounds: self.rounds });
        }
        self.rounds += 1;
        self.active = now;
        self.phase = match self.phase {
            WindowPhase::Polling { seq, .. } => WindowPhase::Polling { seq, poll: Poll::Due },
            _ => WindowPhase::Probing { sent: false },
        };
        WindowEvent::Repairing
    }

    /// Tells that the connection is gone: nothing is sent, and silence means nothing.
    pub fn on_disconnected(&mut self) {
        self.connected = false;
    }

    /// Tells that the connection is up again: what was under way is taken for lost [SEQ-21].
    pub fn on_reconnected(&mut self, now: Duration) {
        self.connected = true;
        self.active = now;
        self.last_sent = None;
        // The new connection gets its chance.
        self.rounds = self.rounds.min(self.policy.rounds.saturating_sub(1));
        match &mut self.phase {
            WindowPhase::Lost => {}
            WindowPhase::Polling { poll, .. } if *poll == Poll::Outstanding => *poll = Poll::Due,
            WindowPhase::Polling { .. } => {}
            _ => self.resend(),
        }
    }

    /// When [`RequestWindow::on_timer`] is to be called, if nothing is heard before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.phase {
            WindowPhase::Polling { poll: Poll::At(at), .. } => Some(at),
            _ => self.silence_ends(),
        }
    }

    /// How many requests are submitted and not answered.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.in_flight.iter().filter(|in_flight_at| in_flight_at.waiting().is_some()).count()
    }

    /// Whether this number may have been executed though no reply to it will come: see [`UnackedRequest::sent`].
    #[must_use]
    pub fn may_have_been_executed(&self, seq: u64) -> bool {
        self.awaits(seq)
    }

    /// The smoothed round trip, once one was measured.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.rtt.round_trip()
    }

    /// What is left when the session is lost, in order [LOST-2].
    #[must_use]
    pub fn into_unacked(self) -> Vec<UnackedRequest<P>> {
        (self.base..).zip(self.in_flight).filter_map(|(seq, in_flight_at)| in_flight_at.into_unacked(seq)).collect()
    }

    fn on_gap(&mut self, now: Duration, seq: u64, next: Option<u64>) -> WindowEvent<P> {
        // [SEQ-19]; and what this pass has not sent yet, it will send anyway.
        let stale = next.is_none_or(|next| next < self.base) || seq >= self.cursor || !self.awaits(seq);
        if stale || !matches!(self.phase, WindowPhase::Flowing | WindowPhase::Gap) {
            return WindowEvent::Ignored;
        }
        self.active = now;
        self.phase = WindowPhase::Gap;
        self.repair_behind(seq);
        WindowEvent::Repairing
    }

    fn on_pending(&mut self, now: Duration, seq: u64) -> WindowEvent<P> {
        if !self.awaits(seq) || matches!(self.phase, WindowPhase::Polling { seq: other, .. } if other != seq) {
            return WindowEvent::Ignored;
        }
        self.active = now;
        self.progress(now);
        self.phase = WindowPhase::Polling { seq, poll: Poll::At(now + self.policy.poll) };
        WindowEvent::Pending { seq }
    }

    fn on_answer(&mut self, now: Duration, seq: u64) -> WindowEvent<P> {
        if !self.awaits(seq) {
            return WindowEvent::Ignored;
        }
        let Some((payload, round_trip)) = self.in_flight_at_mut(seq).and_then(|in_flight_at| in_flight_at.answer(now))
        else {
            return WindowEvent::Ignored;
        };
        if let Some(round_trip) = round_trip {
            self.rtt.sample(round_trip);
        }
        self.active = now;
        self.progress(now);
        let was_base = seq == self.base;
        while self.in_flight.front().is_some_and(|in_flight_at| in_flight_at.waiting().is_none()) {
            self.in_flight.pop_front();
            self.base += 1;
        }
        self.cursor = self.cursor.max(self.base);
        match self.phase {
            WindowPhase::Polling { seq: polled, .. } if polled == seq => self.resend(),
            WindowPhase::Probing { .. } if was_base => self.resend(),
            // Replies come in the order of what was sent: what is still missing below has been lost.
            WindowPhase::Gap | WindowPhase::Flowing => self.repair_behind(seq),
            _ => {}
        }
        WindowEvent::Answered { seq, payload }
    }

    /// If `seq` was the last message that was sent, sends again whatever is missing before it.
    fn repair_behind(&mut self, seq: u64) {
        let missing = (self.base..self.cursor).any(|seq| self.awaits(seq));
        if self.last_sent != Some(seq) || !missing {
            if self.phase == WindowPhase::Gap && !missing {
                self.phase = WindowPhase::Flowing;
            }
            return;
        }
        // Once without an answer in between; then silence paces the attempts.
        if !std::mem::replace(&mut self.repaired, true) {
            self.resend();
        }
    }

    fn resend(&mut self) {
        self.cursor = self.base;
        self.phase = WindowPhase::Flowing;
    }

    fn progress(&mut self, now: Duration) {
        self.progressed_at = now;
        self.rounds = 0;
        self.repaired = false;
    }

    fn lose(&mut self, loss: SessionLoss) -> WindowEvent<P> {
        self.phase = WindowPhase::Lost;
        WindowEvent::Lost(loss)
    }

    /// The next unanswered number of this pass, unless it has to wait.
    fn next_in_pass(&mut self) -> Option<u64> {
        while self.cursor < self.end()
            && self.in_flight_at(self.cursor).is_none_or(|in_flight_at| in_flight_at.waiting().is_none())
        {
            self.cursor += 1;
        }
        let class_of = |seq| self.in_flight_at(seq).and_then(InFlight::waiting).map(|(_, _, class)| class);
        let computed = |seq| class_of(seq) == Some(OperationClass::Recomputable);
        // [SEQ-24]
        let waits = class_of(self.cursor)? == OperationClass::Mutating && (self.base..self.cursor).any(computed);
        (!waits).then_some(self.cursor)
    }

    /// When silence has lasted too long, if a reply is due at all.
    fn silence_ends(&self) -> Option<Duration> {
        let due = match self.phase {
            WindowPhase::Flowing => self.last_sent.is_some() && (self.base..self.cursor).any(|seq| self.awaits(seq)),
            WindowPhase::Gap => true,
            WindowPhase::Probing { sent } => sent,
            WindowPhase::Polling { poll, .. } => poll == Poll::Outstanding,
            WindowPhase::Lost => false,
        };
        (due && self.connected).then(|| self.active + self.rtt.timeout(&self.policy, self.rounds))
    }

    /// Whether this number was sent and is not answered.
    fn awaits(&self, seq: u64) -> bool {
        self.in_flight_at(seq).is_some_and(InFlight::awaits)
    }

    /// One after the last submitted number.
    fn end(&self) -> u64 {
        self.base + self.in_flight.len() as u64
    }

    fn in_flight_at(&self, seq: u64) -> Option<&InFlight<P>> {
        self.in_flight.get(usize::try_from(seq.checked_sub(self.base)?).ok()?)
    }

    fn in_flight_at_mut(&mut self, seq: u64) -> Option<&mut InFlight<P>> {
        self.in_flight.get_mut(usize::try_from(seq.checked_sub(self.base)?).ok()?)
    }
}

/// What SEQ carries.
fn next(result: Map<'_>) -> Option<u64> {
    match result.get("next")? {
        Value::Int(next) => u64::try_from(next).ok(),
        _ => None,
    }
}

const PENDING: u64 = Code::Pending as u64;
const SEQ: u64 = Code::Seq as u64;
const NO_SESSION: u64 = Code::NoSession as u64;
const BAD_MESSAGE: u64 = Code::BadMessage as u64;
