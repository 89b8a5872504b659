//! One session over one socket: requests in, completions out, repairs in between.

mod drive;
mod hello;
mod open;
mod sent_log;
mod unnumbered;

use self::sent_log::{OutstandingRequest, SentLog};
use super::{
    Cancel, ClientError, ClientOptions,
    congestion::CongestionController,
    durability::DurabilityTracker,
    payload::{Content, Payload},
    progress::Observer,
};
use crate::{
    protocol::client::request_window::RequestWindow,
    transport::{ClientSocket, LinkVerdict, TransportError},
};
use remofile_proto::{Answer, Keys, Operation, Refusal, SessionId, Welcome, limits};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

/// How often a client that waits looks whether it was cancelled.
const CANCEL_CHECK: Duration = Duration::from_millis(100);

/// How many small requests wait for each other at most, and for how long where more come: libzmq's thread is woken once
/// for all of them, and so is the server.
const HELD_REQUESTS: u32 = 8;
const HELD_FOR: Duration = Duration::from_millis(1);

/// No payload of a request that waits is larger, in bytes: more is worth waking a thread for.
const HELD_BYTES: usize = 16_384;

/// An answered request.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) seq: u64,
    /// How many bytes of payload the request had.
    pub(super) payload_len: usize,
    pub(super) result: Result<(Answer, Option<Content>), Refusal>,
}

/// A session, and the socket under it.
pub(super) struct Channel {
    socket: ClientSocket,
    endpoint: String,
    keys: Keys,
    options: ClientOptions,
    started: Instant,
    session: SessionId,
    welcome: Welcome,
    requests: RequestWindow<Payload>,
    /// Those without a reply, for reading it when it comes.
    awaited: HashMap<u64, OutstandingRequest>,
    congestion: CongestionController,
    completions: VecDeque<Completion>,
    /// The code of the last reply outside the numbering.
    unnumbered: Option<u64>,
    /// When the server was last received_at.
    received_at: Instant,
    /// Since when there has been no connection; never on a socket whose connection is not watched.
    disconnected: Option<Instant>,
    /// The request that the server has said to be executing.
    pending: Option<u64>,
    /// Since when the socket has taken nothing: all that is seen of a peer that is gone where nothing is watched.
    full: Option<Instant>,
    is_over: bool,
    /// How many requests wait for others since the first of them.
    held: Option<(u32, Instant)>,
    durability: DurabilityTracker,
    pub(super) observer: Observer,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("endpoint", &self.endpoint)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Channel {
    pub(super) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The largest payload in bytes.
    pub(super) fn chunk(&self) -> usize {
        usize::try_from(self.welcome.chunk.min(limits::CHUNK_MAX)).unwrap_or(limits::HEADER)
    }

    /// Whether another payload of a whole chunk may be under way. Answers that nobody has taken yet come first: they
    /// hold memory, and tell how far it is.
    pub(super) fn has_room(&self) -> bool {
        self.completions.is_empty() && self.requests.can_submit() && self.congestion.has_room(self.chunk() as u64)
    }

    /// How many bytes of payload may be under way, either way.
    pub(super) fn in_flight_limit(&self) -> u64 {
        self.congestion.limit()
    }

    /// Whether the window has room for another request.
    pub(super) fn can_submit(&self) -> bool {
        self.requests.can_submit()
    }

    /// Takes a request, and waits for room in the window where there is none.
    pub(super) fn submit(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        let seq = self.number(operation, payload)?;
        self.send_what_is_due()?;
        Ok(seq)
    }

    /// As [`submit`](Self::submit), for one of many: a small one waits until others have come, or anything is waited for.
    pub(super) fn submit_of_many(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        let is_small = payload.len() <= HELD_BYTES;
        let seq = self.number(operation, payload)?;
        let (others, since) = self.held.unwrap_or_else(|| (0, Instant::now()));
        self.held = Some((others + 1, since));
        if !is_small || others + 1 >= HELD_REQUESTS || since.elapsed() >= HELD_FOR {
            self.send_what_is_due()?;
        }
        Ok(seq)
    }

    /// Takes a request as the next one, and waits for room in the window where there is none.
    fn number(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        // A stream whose session is lost has no room, and never will.
        if self.is_over {
            return Err(self.lost("it is over"));
        }
        while !self.requests.can_submit() {
            self.drive()?;
        }
        let payload_len = payload.len();
        let seq = self.requests.submit(&operation, payload).map_err(|_| self.lost("it is over"))?;
        let awaited = OutstandingRequest { operation, payload_len, sent: SentLog::None };
        self.congestion.submitted(awaited.bytes());
        self.awaited.insert(seq, awaited);
        Ok(seq)
    }

    /// Waits for an answer to any unanswered request.
    pub(super) fn next_completion(&mut self) -> Result<Completion, ClientError> {
        loop {
            if let Some(completion) = self.completions.pop_front() {
                return Ok(completion);
            }
            if self.is_over || self.requests.unanswered() == 0 {
                return Err(self.lost("nothing is awaited"));
            }
            self.drive()?;
        }
    }

    /// Whether a request of this session may have been executed: asked once an answer to it will not come any more.
    pub(super) fn may_have_been_executed(&self, seq: u64) -> bool {
        self.requests.may_have_been_executed(seq)
    }

    pub(super) fn set_cancel(&mut self, cancel: Cancel) {
        self.options.cancel = cancel;
    }

    pub(super) fn replace_cancel(&mut self, cancel: Cancel) -> Cancel {
        std::mem::replace(&mut self.options.cancel, cancel)
    }

    /// Opens a new session in place of the one that was lost.
    pub(super) fn reopen(&mut self) -> Result<(), ClientError> {
        tracing::info!("handshake a new session");
        self.awaited.clear();
        self.congestion = CongestionController::default();
        self.completions.clear();
        self.await_connection()?;
        // Whoever has taken the session over is not robbed of it in drive.
        self.say_hello(Some(self.session), false)
    }

    /// Takes note of a change that the server has made, as its answer or a look tells.
    pub(super) fn changed(&mut self) {
        self.durability.changed(self.welcome.boot);
    }

    /// Takes note of a flush that was answered OK: whether it covers all changes [DUR-6].
    pub(super) fn flushed(&mut self) -> bool {
        self.durability.flushed(self.welcome.boot)
    }

    /// Lets time go by, in which answers are taken note of and the session is kept.
    pub(super) fn sleep_until(&mut self, at: Instant) -> Result<(), ClientError> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.is_over {
                return Err(self.lost("it is over"));
            }
            self.drive_within(left.min(CANCEL_CHECK))?;
            self.keep_session()?;
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn lost(&mut self, reason: &str) -> ClientError {
        self.is_over = true;
        ClientError::SessionLost { reason: reason.to_owned() }
    }

    /// [ENV-22], [CBOR-11] A session whose server breaks the protocol is given up.
    fn broken(&mut self, error: &dyn fmt::Display) -> ClientError {
        self.send_bye();
        ClientError::Protocol { reason: error.to_string() }
    }

    fn failed(&mut self, error: TransportError) -> ClientError {
        self.is_over = true;
        from_transport(error, &self.endpoint)
    }

    fn not_remofile(&self, reason: &str) -> ClientError {
        ClientError::NotRemofile { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }

    fn unreachable(&self, reason: &str) -> ClientError {
        ClientError::Unreachable { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }
}

fn from_transport(error: TransportError, endpoint: &str) -> ClientError {
    let endpoint = endpoint.to_owned();
    match error {
        TransportError::Link(LinkVerdict::AuthRefused | LinkVerdict::KeyRefused) => {
            ClientError::TokenRefused { endpoint }
        }
        TransportError::Link(verdict @ (LinkVerdict::Mechanism | LinkVerdict::NotRemofile)) => {
            ClientError::NotRemofile { endpoint, reason: verdict.to_string() }
        }
        TransportError::Link(verdict) => ClientError::Unreachable { endpoint, reason: verdict.to_string() },
        TransportError::Connect { source, .. } => ClientError::Unreachable { endpoint, reason: source.to_string() },
        other => ClientError::Transport(Box::new(other)),
    }
}
