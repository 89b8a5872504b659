//! The client's half of the numbering as a pure state machine: **every submitted request stays here, byte for
//! byte, until its number is answered or the session is lost, and nothing is sent above base + window.**
//!
//! What is absent: sockets, clocks and threads. A driver submits while it may, sends what [`Stream::next_to_send`]
//! gives, says so by [`Stream::sent`], and tells of replies, connections and time.
//!
//! The payload type is the driver's: bytes, or where to read them again. The stream only hands it back.

mod in_flight;
mod rtt;
#[cfg(test)]
mod tests;

pub use rtt::Patience;

use in_flight::Slot;
use remofile_proto::cbor::{Map, Value};
use remofile_proto::{Code, Operation, OperationClass, Recovery, Reply, SessionId, encode_request};
use rtt::Pace;
use std::collections::VecDeque;
use std::time::Duration;

/// What a reply, or time going by, means.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Event<P> {
    /// Nothing: a reply that nobody waits for.
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
    /// The session is lost: nothing is sent any more, and [`Stream::into_unanswered`] tells what is in doubt.
    Lost(Loss),
}

/// How a session was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
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
pub struct Leftover<P> {
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
enum Phase {
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
pub struct Stream<P> {
    session: SessionId,
    window: u64,
    patience: Patience,
    pace: Pace,
    /// The lowest unanswered number, or the next one where all are answered.
    base: u64,
    /// From base on: answered ones stay until base passes them.
    slots: VecDeque<Slot<P>>,
    /// The next number to send in this pass over the unanswered.
    cursor: u64,
    /// The message sent last on this connection.
    last_sent: Option<u64>,
    phase: Phase,
    connected: bool,
    /// When something was last sent or heard.
    active: Duration,
    /// When something was last answered, or asked while nothing else was awaited.
    hopeful: Duration,
    /// Silences since something was last answered.
    rounds: u32,
    /// A SEQ has made everything be resent since something was last answered.
    repaired: bool,
}

impl<P> Stream<P> {
    /// Nothing is submitted; `window` is that of hello's result, at least 1. The connection is up.
    #[must_use]
    pub fn new(now: Duration, session: SessionId, window: u64, patience: Patience) -> Self {
        Self {
            session,
            window: window.max(1),
            patience,
            pace: Pace::default(),
            base: 1,
            slots: VecDeque::new(),
            cursor: 1,
            last_sent: None,
            phase: Phase::Flowing,
            connected: true,
            active: now,
            hopeful: now,
            rounds: 0,
            repaired: false,
        }
    }

    /// Whether there is room below base + window [SEQ-16].
    #[must_use]
    pub fn can_submit(&self) -> bool {
        self.phase != Phase::Lost && (self.slots.len() as u64) < self.window
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
        self.slots.push_back(Slot::new(header, payload, operation));
        Ok(seq)
    }

    /// The request that is to be sent now, if any; [`Stream::sent`] tells that it was.
    ///
    /// A request that changes something waits until every `read`, `list` and `uploads` before it is answered:
    /// the server may compute those again [SEQ-24].
    pub fn next_to_send(&mut self) -> Option<Outgoing<'_, P>> {
        if !self.connected {
            return None;
        }
        let seq = match self.phase {
            Phase::Gap | Phase::Lost => return None,
            Phase::Probing { sent } => (!sent).then_some(self.base)?,
            Phase::Polling { seq, poll } => (poll == Poll::Due).then_some(seq)?,
            Phase::Flowing => self.next_in_pass()?,
        };
        let (header, payload, _) = self.slot(seq)?.waiting()?;
        Some(Outgoing { seq, header, payload })
    }

    /// Tells that what [`Stream::next_to_send`] gave was handed to the socket.
    pub fn sent(&mut self, now: Duration) {
        let seq = match &mut self.phase {
            Phase::Gap | Phase::Lost => return,
            Phase::Probing { sent } => {
                *sent = true;
                self.base
            }
            Phase::Polling { seq, poll } => {
                *poll = Poll::Outstanding;
                *seq
            }
            Phase::Flowing => {
                let seq = self.cursor;
                self.cursor += 1;
                seq
            }
        };
        if !(self.base..self.end()).any(|seq| self.awaits(seq)) {
            self.hopeful = now;
        }
        self.active = now;
        self.last_sent = Some(seq);
        if let Some(slot) = self.slot_mut(seq) {
            slot.note_sent(now);
        }
    }

    /// Takes a reply; what it says to the operation is the driver's to read when it is [`Event::Answered`].
    pub fn on_reply(&mut self, now: Duration, reply: &Reply<'_>) -> Event<P> {
        let Reply { session, seq, code, result, .. } = *reply;
        if session != self.session || self.phase == Phase::Lost {
            return Event::Ignored;
        }
        match code {
            SEQ => self.on_gap(now, seq, next(result)),
            PENDING => self.on_pending(now, seq),
            // [CODE-4], [ENV-21]
            10..=19 | BAD_MESSAGE => {
                if code == NO_SESSION
                    && let Some(slot) = self.slot_mut(seq)
                {
                    slot.note_refused();
                }
                self.lose(Loss::Code(code))
            }
            _ => self.on_answer(now, seq),
        }
    }

    /// Tells that time has gone by; call it at [`Stream::next_deadline`].
    pub fn on_timer(&mut self, now: Duration) -> Event<P> {
        if let Phase::Polling { seq, poll: Poll::At(at) } = self.phase {
            if now >= at {
                self.phase = Phase::Polling { seq, poll: Poll::Due };
            }
            return Event::Ignored;
        }
        if self.silence_ends().is_none_or(|at| now < at) {
            return Event::Ignored;
        }
        if self.rounds >= self.patience.rounds && now.saturating_sub(self.hopeful) >= self.patience.total {
            return self.lose(Loss::Silence { rounds: self.rounds });
        }
        self.rounds += 1;
        self.active = now;
        self.phase = match self.phase {
            Phase::Polling { seq, .. } => Phase::Polling { seq, poll: Poll::Due },
            _ => Phase::Probing { sent: false },
        };
        Event::Repairing
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
        self.rounds = self.rounds.min(self.patience.rounds.saturating_sub(1));
        match &mut self.phase {
            Phase::Lost => {}
            Phase::Polling { poll, .. } if *poll == Poll::Outstanding => *poll = Poll::Due,
            Phase::Polling { .. } => {}
            _ => self.resend(),
        }
    }

    /// When [`Stream::on_timer`] is to be called, if nothing is heard before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Polling { poll: Poll::At(at), .. } => Some(at),
            _ => self.silence_ends(),
        }
    }

    /// How many requests are submitted and not answered.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.slots.iter().filter(|slot| slot.waiting().is_some()).count()
    }

    /// Whether this number may have been executed though no reply to it will come: see [`Leftover::sent`].
    #[must_use]
    pub fn may_have_been_executed(&self, seq: u64) -> bool {
        self.awaits(seq)
    }

    /// The smoothed round trip, once one was measured.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.pace.round_trip()
    }

    /// What is left when the session is lost, in order [LOST-2].
    #[must_use]
    pub fn into_unanswered(self) -> Vec<Leftover<P>> {
        (self.base..).zip(self.slots).filter_map(|(seq, slot)| slot.into_leftover(seq)).collect()
    }

    fn on_gap(&mut self, now: Duration, seq: u64, next: Option<u64>) -> Event<P> {
        // [SEQ-19]; and what this pass has not sent yet, it will send anyway.
        let stale = next.is_none_or(|next| next < self.base) || seq >= self.cursor || !self.awaits(seq);
        if stale || !matches!(self.phase, Phase::Flowing | Phase::Gap) {
            return Event::Ignored;
        }
        self.active = now;
        self.phase = Phase::Gap;
        self.repair_behind(seq);
        Event::Repairing
    }

    fn on_pending(&mut self, now: Duration, seq: u64) -> Event<P> {
        if !self.awaits(seq) || matches!(self.phase, Phase::Polling { seq: other, .. } if other != seq) {
            return Event::Ignored;
        }
        self.active = now;
        self.progress(now);
        self.phase = Phase::Polling { seq, poll: Poll::At(now + self.patience.poll) };
        Event::Pending { seq }
    }

    fn on_answer(&mut self, now: Duration, seq: u64) -> Event<P> {
        if !self.awaits(seq) {
            return Event::Ignored;
        }
        let Some((payload, round_trip)) = self.slot_mut(seq).and_then(|slot| slot.answer(now)) else {
            return Event::Ignored;
        };
        if let Some(round_trip) = round_trip {
            self.pace.measure(round_trip);
        }
        self.active = now;
        self.progress(now);
        let was_base = seq == self.base;
        while self.slots.front().is_some_and(|slot| slot.waiting().is_none()) {
            self.slots.pop_front();
            self.base += 1;
        }
        self.cursor = self.cursor.max(self.base);
        match self.phase {
            Phase::Polling { seq: polled, .. } if polled == seq => self.resend(),
            Phase::Probing { .. } if was_base => self.resend(),
            // Replies come in the order of what was sent: what is still missing below has been lost.
            Phase::Gap | Phase::Flowing => self.repair_behind(seq),
            _ => {}
        }
        Event::Answered { seq, payload }
    }

    /// If `seq` was the last message that was sent, sends again whatever is missing before it.
    fn repair_behind(&mut self, seq: u64) {
        let missing = (self.base..self.cursor).any(|seq| self.awaits(seq));
        if self.last_sent != Some(seq) || !missing {
            if self.phase == Phase::Gap && !missing {
                self.phase = Phase::Flowing;
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
        self.phase = Phase::Flowing;
    }

    fn progress(&mut self, now: Duration) {
        self.hopeful = now;
        self.rounds = 0;
        self.repaired = false;
    }

    fn lose(&mut self, loss: Loss) -> Event<P> {
        self.phase = Phase::Lost;
        Event::Lost(loss)
    }

    /// The next unanswered number of this pass, unless it has to wait.
    fn next_in_pass(&mut self) -> Option<u64> {
        while self.cursor < self.end() && self.slot(self.cursor).is_none_or(|slot| slot.waiting().is_none()) {
            self.cursor += 1;
        }
        let class_of = |seq| self.slot(seq).and_then(Slot::waiting).map(|(_, _, class)| class);
        let computed = |seq| class_of(seq) == Some(OperationClass::Recomputable);
        // [SEQ-24]
        let waits = class_of(self.cursor)? == OperationClass::Mutating && (self.base..self.cursor).any(computed);
        (!waits).then_some(self.cursor)
    }

    /// When silence has lasted too long, if a reply is due at all.
    fn silence_ends(&self) -> Option<Duration> {
        let due = match self.phase {
            Phase::Flowing => self.last_sent.is_some() && (self.base..self.cursor).any(|seq| self.awaits(seq)),
            Phase::Gap => true,
            Phase::Probing { sent } => sent,
            Phase::Polling { poll, .. } => poll == Poll::Outstanding,
            Phase::Lost => false,
        };
        (due && self.connected).then(|| self.active + self.pace.silence(&self.patience, self.rounds))
    }

    /// Whether this number was sent and is not answered.
    fn awaits(&self, seq: u64) -> bool {
        self.slot(seq).is_some_and(Slot::awaits)
    }

    /// One behind the last submitted number.
    fn end(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    fn slot(&self, seq: u64) -> Option<&Slot<P>> {
        self.slots.get(usize::try_from(seq.checked_sub(self.base)?).ok()?)
    }

    fn slot_mut(&mut self, seq: u64) -> Option<&mut Slot<P>> {
        self.slots.get_mut(usize::try_from(seq.checked_sub(self.base)?).ok()?)
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
