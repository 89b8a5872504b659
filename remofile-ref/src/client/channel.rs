//! One session over one socket: requests in, completions out, repairs in between.

mod drive;
mod hello;
mod inbox;
mod open;
mod sent_log;
mod unnumbered;

use self::inbox::Inbox;
pub(super) use self::inbox::{CallerId, Completion, Delivery};
use self::sent_log::{OutstandingRequest, SentLog};
use super::{
    Cancel, ClientError, ClientOptions, congestion::CongestionController, durability::DurabilityTracker,
    payload::Payload,
};
use crate::{
    protocol::client::request_window::RequestWindow,
    transport::{ClientSocket, LinkVerdict, TransportError},
};
use remofile_proto::{HelloReply, Keys, Operation, SessionId, limits};
use std::{
    collections::HashMap,
    fmt,
    os::unix::net::UnixStream,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

/// How often a client that waits looks whether it was cancelled.
pub(super) const CANCEL_CHECK: Duration = Duration::from_millis(100);

/// How many small requests wait for each other at most, and for how long where more come: libzmq's thread is woken once
/// for all of them, and so is the server.
const HELD_REQUESTS: u32 = 8;
const HELD_FOR: Duration = Duration::from_millis(1);

/// No payload of a request that waits is larger, in bytes: more is worth waking a thread for.
const HELD_BYTES: usize = 16_384;

/// A session, and the socket under it.
pub(super) struct Channel {
    socket: ClientSocket,
    endpoint: String,
    keys: Keys,
    options: ClientOptions,
    started: Instant,
    session: SessionId,
    welcome: Arc<HelloReply>,
    requests: RequestWindow<Payload>,
    /// Those without a reply, for reading it when it comes.
    awaited: HashMap<u64, OutstandingRequest>,
    congestion: CongestionController,
    /// The callers that have sent requests.
    inboxes: HashMap<CallerId, Inbox>,
    /// How often a session was opened.
    generation: u64,
    /// Why the last session was lost.
    loss: String,
    /// Who drives the session now, and what ends its call.
    caller: CallerId,
    cancel: Cancel,
    /// A thread receives for all callers.
    pub(super) is_driven: bool,
    /// How many threads want to use the channel.
    wanted: Arc<AtomicUsize>,
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
    pub(super) fn welcome(&self) -> Arc<HelloReply> {
        Arc::clone(&self.welcome)
    }

    /// The largest payload in bytes.
    pub(super) fn chunk(&self) -> usize {
        usize::try_from(self.welcome.chunk.min(limits::CHUNK_MAX)).unwrap_or(limits::HEADER)
    }

    /// Takes a request of a caller, where the window has room for it.
    ///
    /// A small request of many waits until others have come, or anything is waited for.
    pub(super) fn submit(
        &mut self,
        caller: CallerId,
        request: &mut Option<(Operation, Payload)>,
        is_of_many: bool,
    ) -> Result<Option<u64>, ClientError> {
        self.open_inbox(caller)?;
        if !self.requests.can_submit() {
            return Ok(None);
        }
        let Some((operation, payload)) = request.take() else { return Ok(None) };
        let payload_len = payload.len();
        let seq = self.requests.submit(&operation, payload).map_err(|_| self.lost("it takes no requests"))?;
        let outstanding = OutstandingRequest { operation, payload_len, caller, sent: SentLog::None };
        let bytes = outstanding.bytes();
        self.congestion.submitted(bytes);
        self.open_inbox(caller)?.note_submitted(bytes);
        self.awaited.insert(seq, outstanding);
        let (others, since) = self.held.unwrap_or_else(|| (0, Instant::now()));
        let waits = is_of_many && payload_len <= HELD_BYTES && others + 1 < HELD_REQUESTS && since.elapsed() < HELD_FOR;
        if waits {
            self.held = Some((others + 1, since));
        } else {
            self.send_what_is_due()?;
        }
        Ok(Some(seq))
    }

    /// Whether the window has room for another request.
    pub(super) fn can_submit(&self) -> bool {
        self.requests.can_submit()
    }

    /// Fails where the session is lost or has ended.
    pub(super) fn check_open(&self) -> Result<(), ClientError> {
        if self.is_over { Err(self.lost_again()) } else { Ok(()) }
    }

    /// Stops waiting when a byte comes over `waker`; gives the number of threads that want the channel, for those to count.
    pub(super) fn interrupt_on(&mut self, waker: UnixStream) -> Arc<AtomicUsize> {
        self.socket.interrupt_on(waker);
        Arc::clone(&self.wanted)
    }

    /// Whether the session is lost or has ended.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The calls from here on are those of `caller`, and `cancel` ends them.
    pub(super) fn enter(&mut self, caller: CallerId, cancel: &Cancel) {
        self.caller = caller;
        self.cancel.clone_from(cancel);
    }

    /// Opens a new session in place of the one that was lost.
    pub(super) fn reopen(&mut self) -> Result<(), ClientError> {
        tracing::info!("opening a new session");
        self.keep_uncertain();
        self.congestion = CongestionController::default();
        self.generation += 1;
        // No request may be sent before hello is answered.
        self.is_over = true;
        self.await_connection()?;
        // A client that has taken the session over keeps it.
        self.say_hello(Some(self.session), false)
    }

    /// Takes note of a change that the server has made, by its reply or by a later look.
    pub(super) fn changed(&mut self) {
        self.durability.changed(self.welcome.boot);
    }

    /// Takes note of a flush that was answered OK; gives how often changes were lost in this session's life [DUR-6].
    pub(super) fn flushed(&mut self) -> u64 {
        self.durability.flushed(self.welcome.boot)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn lost(&mut self, reason: &str) -> ClientError {
        self.is_over = true;
        reason.clone_into(&mut self.loss);
        ClientError::SessionLost { reason: reason.to_owned() }
    }

    /// The error of a session that was lost before.
    fn lost_again(&self) -> ClientError {
        ClientError::SessionLost { reason: self.loss.clone() }
    }

    /// [ENV-22], [CBOR-11] A session whose server breaks the protocol is given up.
    fn broken(&mut self, error: &dyn fmt::Display) -> ClientError {
        self.send_bye();
        ClientError::Protocol { reason: error.to_string() }
    }

    fn failed(&mut self, error: TransportError) -> ClientError {
        self.is_over = true;
        self.loss = error.to_string();
        from_transport(error, &self.endpoint)
    }

    fn not_remofile(&self, reason: &str) -> ClientError {
        ClientError::NotRemofile { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }

    fn unreachable(&self, reason: &str) -> ClientError {
        ClientError::Unreachable { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.send_bye();
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
