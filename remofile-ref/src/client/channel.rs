//! One session over one socket: requests in, completions out, repairs in between.

mod hello;
mod unnumbered;

use super::{
    Cancel, ClientError, ClientOptions,
    flow::{Flow, Mark},
    payload::{Content, Payload},
    progress::Observer,
    subject,
    unflushed::{Unflushed, needs_flush},
};
use crate::{
    keys::new_session,
    stream::{Event, Patience, Stream},
    transport::{
        self, Bounds, ClientPattern, ClientSecurity, ClientSocket, Context, CurveKey, Endpoint, LinkEvent, LinkVerdict,
        Message, Sent, Socket, TransportError, Wake,
    },
};
use remofile_proto::{
    Answer, Code, Keys, Operation, Refusal, Reply, ReplyError, SessionId, Token, Welcome, cbor::Value, envelope, limits,
};
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

/// A request without a reply.
#[derive(Debug)]
struct Awaited {
    operation: Operation,
    /// How many bytes of payload it has.
    payload_len: usize,
    sent: Sendings,
}

/// How often a request was sent.
#[derive(Clone, Copy, Debug)]
enum Sendings {
    None,
    One(Mark),
    Several(Mark),
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
    stream: Stream<Payload>,
    /// Those without a reply, for reading it when it comes.
    awaited: HashMap<u64, Awaited>,
    flow: Flow,
    completions: VecDeque<Completion>,
    /// The code of the last reply outside the numbering.
    unnumbered: Option<u64>,
    /// When the server was last heard.
    heard: Instant,
    /// Since when there has been no connection; never on a socket whose connection is not watched.
    disconnected: Option<Instant>,
    /// The request that the server has said to be executing.
    pending: Option<u64>,
    /// Since when the socket has taken nothing: all that is seen of a peer that is gone where nothing is watched.
    full: Option<Instant>,
    is_over: bool,
    /// How many requests wait for others since the first of them.
    held: Option<(u32, Instant)>,
    unflushed: Unflushed,
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
    /// Connects and says hello.
    pub(super) fn open(endpoint: &Endpoint, token: &Token, options: ClientOptions) -> Result<Self, ClientError> {
        let endpoint_text = endpoint.to_string();
        let keys = Keys::derive(token);
        let socket = connect(endpoint, &keys, &options).map_err(|error| from_transport(error, &endpoint_text))?;
        Self::begin(socket, endpoint_text, keys, options)
    }

    /// Says hello over a socket of the embedding program.
    pub(super) fn over(socket: Socket, token: &Token, mut options: ClientOptions) -> Result<Self, ClientError> {
        let socket = ClientSocket::adopt(socket).map_err(|error| from_transport(error, "the given socket"))?;
        options.lockstep |= socket.is_lockstep();
        Self::begin(socket, "the given socket".to_owned(), Keys::derive(token), options)
    }

    fn begin(socket: ClientSocket, endpoint: String, keys: Keys, options: ClientOptions) -> Result<Self, ClientError> {
        let started = Instant::now();
        let session = new_session();
        let disconnected = socket.is_watched().then_some(started);
        let mut channel = Self {
            socket,
            endpoint,
            stream: Stream::new(Duration::ZERO, session, 1, patience(&options)),
            keys,
            options,
            started,
            session,
            welcome: unknown_welcome(),
            awaited: HashMap::new(),
            flow: Flow::default(),
            completions: VecDeque::new(),
            unnumbered: None,
            heard: started,
            disconnected,
            full: None,
            pending: None,
            is_over: true,
            held: None,
            unflushed: Unflushed::default(),
            observer: Observer::default(),
        };
        channel.await_connection()?;
        channel.say_hello(None, channel.options.take)?;
        Ok(channel)
    }

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
        self.completions.is_empty() && self.stream.can_submit() && self.flow.has_room(self.chunk() as u64)
    }

    /// How many bytes of payload may be under way, either way.
    pub(super) fn in_flight_limit(&self) -> u64 {
        self.flow.limit()
    }

    /// Whether the window has room for another request.
    pub(super) fn can_submit(&self) -> bool {
        self.stream.can_submit()
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
        while !self.stream.can_submit() {
            self.turn()?;
        }
        let payload_len = payload.len();
        let seq = self.stream.submit(&operation, payload).map_err(|_| self.lost("it is over"))?;
        let awaited = Awaited { operation, payload_len, sent: Sendings::None };
        self.flow.submitted(awaited.bytes());
        self.awaited.insert(seq, awaited);
        Ok(seq)
    }

    /// Waits for an answer to any unanswered request.
    pub(super) fn next_completion(&mut self) -> Result<Completion, ClientError> {
        loop {
            if let Some(completion) = self.completions.pop_front() {
                return Ok(completion);
            }
            if self.is_over || self.stream.unanswered() == 0 {
                return Err(self.lost("nothing is awaited"));
            }
            self.turn()?;
        }
    }

    /// Whether a request of this session may have been executed: asked once an answer to it will not come any more.
    pub(super) fn may_have_been_executed(&self, seq: u64) -> bool {
        self.stream.may_have_been_executed(seq)
    }

    pub(super) fn set_cancel(&mut self, cancel: Cancel) {
        self.options.cancel = cancel;
    }

    pub(super) fn replace_cancel(&mut self, cancel: Cancel) -> Cancel {
        std::mem::replace(&mut self.options.cancel, cancel)
    }

    /// Opens a new session in place of the one that was lost.
    pub(super) fn reopen(&mut self) -> Result<(), ClientError> {
        tracing::info!("opening a new session");
        self.awaited.clear();
        self.flow = Flow::default();
        self.completions.clear();
        self.await_connection()?;
        // Whoever has taken the session over is not robbed of it in turn.
        self.say_hello(Some(self.session), false)
    }

    /// Takes note of a change that the server has made, as its answer or a look tells.
    pub(super) fn changed(&mut self) {
        self.unflushed.changed(self.welcome.boot);
    }

    /// Takes note of a flush that was answered OK: whether it covers all changes [DUR-6].
    pub(super) fn flushed(&mut self) -> bool {
        self.unflushed.flushed(self.welcome.boot)
    }

    /// Lets time go by, in which answers are taken note of and the session is kept.
    pub(super) fn rest_until(&mut self, at: Instant) -> Result<(), ClientError> {
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.is_over {
                return Err(self.lost("it is over"));
            }
            self.turn_within(left.min(CANCEL_CHECK))?;
            self.keep_session()?;
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn await_connection(&mut self) -> Result<(), ClientError> {
        let deadline = Instant::now() + self.options.connect_timeout;
        while self.disconnected.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.unreachable("no connection in time"));
            }
            self.wait(left)?;
        }
        Ok(())
    }

    /// Sends what is due, waits for what comes, and takes note of time.
    fn turn(&mut self) -> Result<(), ClientError> {
        self.turn_within(self.options.timeout)
    }

    fn turn_within(&mut self, limit: Duration) -> Result<(), ClientError> {
        self.send_what_is_due()?;
        let now = self.now();
        let due = self.stream.next_deadline();
        let wait = due.map_or(limit, |due| due.saturating_sub(now)).min(limit);
        for message in self.wait(wait)? {
            self.on_message(message)?;
        }
        if self.disconnected.is_some_and(|since| since.elapsed() >= self.options.timeout) {
            return Err(self.lost("there was no connection for too long"));
        }
        if self.full.is_some_and(|since| since.elapsed() >= self.options.timeout) {
            return Err(self.lost("the socket took nothing for too long"));
        }
        if due.is_some() && self.stream.next_deadline().is_some_and(|due| due <= self.now()) {
            let event = self.stream.on_timer(self.now());
            self.on_event(event)?;
        }
        Ok(())
    }

    /// Waits for messages or events of the connection; gives all messages that are there.
    fn wait(&mut self, wait: Duration) -> Result<Vec<Vec<Message>>, ClientError> {
        let ends = Instant::now() + wait;
        let mut messages = Vec::new();
        loop {
            self.check_cancelled()?;
            let left = ends.saturating_duration_since(Instant::now());
            match self.socket.poll(left.min(CANCEL_CHECK)).map_err(|error| self.failed(error))? {
                Wake::Readable => {
                    while let Some(message) = self.socket.recv().map_err(|error| self.failed(error))? {
                        messages.push(message);
                    }
                }
                Wake::Event(LinkEvent::HandshakeSucceeded) => {
                    if self.disconnected.take().is_some() {
                        self.stream.on_reconnected(self.now());
                    }
                }
                Wake::Event(LinkEvent::Disconnected) => {
                    self.disconnected.get_or_insert_with(Instant::now);
                    self.stream.on_disconnected();
                }
                Wake::Event(_) | Wake::Room => {}
                Wake::Timeout if left > CANCEL_CHECK => continue,
                Wake::Timeout => {}
            }
            return Ok(messages);
        }
    }

    fn send_what_is_due(&mut self) -> Result<(), ClientError> {
        self.held = None;
        let now = self.now();
        if self.disconnected.is_some() {
            return Ok(());
        }
        while let Some(due) = self.stream.next_to_send() {
            let mut frames = vec![Message::new(), Message::from(due.header)];
            frames.extend(due.payload.frame().map_err(|error| ClientError::local("", error))?);
            let seq = due.seq;
            match self.socket.send(frames).map_err(|error| self.failed(error))? {
                Sent::Queued => {
                    self.full = None;
                    self.stream.sent(now);
                    if let Some(awaited) = self.awaited.get_mut(&seq) {
                        awaited.note_sent(&mut self.flow, now);
                    }
                }
                Sent::Full(_) => {
                    self.full.get_or_insert_with(Instant::now);
                    break;
                }
            }
        }
        Ok(())
    }

    fn on_message(&mut self, mut message: Vec<Message>) -> Result<(), ClientError> {
        self.heard = Instant::now();
        let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
        let reply = match Reply::decode(&frames) {
            Ok(reply) => reply,
            // [CBOR-11] for what claims to be of this session; anything else is ignored [ENV-9].
            Err(error) if claims(&frames, self.session) => {
                return Err(self.broken(&error));
            }
            Err(_) => return Ok(()),
        };
        if reply.seq == 0 && reply.session == self.session && reply.code != u64::from(Code::BadMessage.number()) {
            self.unnumbered = Some(reply.code);
            return Ok(());
        }
        match self.stream.on_reply(self.started.elapsed(), &reply) {
            Event::Pending { seq } => {
                self.pending = Some(seq);
                if let Some(Awaited { operation, .. }) = self.awaited.get(&seq) {
                    let (done, total) = worked(&reply);
                    self.observer.serve(operation.name(), subject(operation), done, total);
                }
                Ok(())
            }
            Event::Answered { seq, .. } => {
                self.pending = self.pending.filter(|pending| *pending != seq);
                let Some(awaited) = self.awaited.remove(&seq) else { return Ok(()) };
                awaited.note_answered(&mut self.flow, self.started.elapsed());
                let Awaited { operation, payload_len, .. } = awaited;
                let result = match reply.into_answer(&operation) {
                    Ok(answer) => {
                        if needs_flush(&operation) {
                            self.changed();
                        }
                        Ok(answer)
                    }
                    Err(ReplyError::Refused(refusal)) => Err(refusal),
                    // [CODE-4]
                    Err(error @ ReplyError::UnknownCode { .. }) => {
                        Err(Refusal::because(Code::Internal, error.to_string()))
                    }
                    Err(error) => return Err(self.broken(&error)),
                };
                let len = if let Operation::Read { len, .. } = operation { len } else { u64::MAX };
                if message.last().is_some_and(|payload| payload.len() as u64 > len) {
                    return Err(self.broken(&"a payload is longer than what was asked for"));
                }
                let result = result.map(|answer| {
                    let content = matches!(answer, Answer::Read(_)).then(|| message.pop()).flatten().map(Content);
                    (answer, content)
                });
                self.completions.push_back(Completion { seq, payload_len, result });
                Ok(())
            }
            event => self.on_event(event),
        }
    }

    fn on_event(&mut self, event: Event<Payload>) -> Result<(), ClientError> {
        match event {
            Event::Lost(loss) => Err(self.lost(&loss.to_string())),
            _ => Ok(()),
        }
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

impl Awaited {
    /// How many bytes of content it brings to either side.
    fn bytes(&self) -> u64 {
        match self.operation {
            Operation::Read { len, .. } => len,
            _ => self.payload_len as u64,
        }
    }

    fn note_sent(&mut self, flow: &mut Flow, now: Duration) {
        self.sent = match self.sent {
            Sendings::None if self.bytes() == 0 => Sendings::None,
            Sendings::None => Sendings::One(flow.sent(now)),
            Sendings::One(mark) | Sendings::Several(mark) => Sendings::Several(mark),
        };
    }

    fn note_answered(&self, flow: &mut Flow, now: Duration) {
        match self.sent {
            Sendings::None => {}
            Sendings::One(mark) => flow.answered(now, self.bytes(), mark, true),
            Sendings::Several(mark) => flow.answered(now, self.bytes(), mark, false),
        }
    }
}

fn connect(endpoint: &Endpoint, keys: &Keys, options: &ClientOptions) -> Result<ClientSocket, TransportError> {
    let security = if options.insecure {
        ClientSecurity::Null
    } else {
        ClientSecurity::Curve {
            server: CurveKey::new(options.server_key.unwrap_or(*keys.server.public())),
            public: CurveKey::new(*keys.client.public()),
            secret: CurveKey::new(*keys.client.secret()),
        }
    };
    let socket_options = transport::ClientOptions {
        pattern: if options.lockstep { ClientPattern::Req } else { ClientPattern::Dealer },
        bounds: Bounds { chunk: 1_048_576, ..Bounds::default() },
        connect_timeout: options.connect_timeout,
        ..transport::ClientOptions::default()
    };
    ClientSocket::connect(&Context::new(), endpoint, &security, &socket_options)
}

/// Whether the frames look like a reply of this session.
fn claims(frames: &[&[u8]], session: SessionId) -> bool {
    frames.iter().find(|frame| !frame.is_empty()).is_some_and(|header| {
        let start = envelope::HEADER_START.len();
        header.starts_with(&envelope::HEADER_START)
            && header.get(start..start + SessionId::LEN) == Some(session.as_bytes())
    })
}

/// What PENDING says of its operation.
fn worked(reply: &Reply<'_>) -> (u64, Option<u64>) {
    let number = |key| match reply.result.get(key) {
        Some(Value::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    (number("done").unwrap_or(0), number("total"))
}

fn patience(options: &ClientOptions) -> Patience {
    let third = options.timeout / 3;
    let default = Patience::default();
    Patience {
        initial: default.initial.min(third),
        shortest: default.shortest.min(third),
        longest: default.longest.min(third),
        total: options.timeout,
        ..default
    }
}

/// What holds until hello is answered [SES-11].
fn unknown_welcome() -> Welcome {
    Welcome {
        window: limits::BEFORE_WELCOME,
        chunk: limits::CHUNK_MIN,
        header: limits::HEADER as u64,
        lease_ms: limits::LEASE_MIN_MS,
        boot: remofile_proto::BootId::new([0; 16]),
        root: None,
        names: remofile_proto::Names::Posix,
        folds: false,
        ro: false,
        caps: Vec::new(),
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
