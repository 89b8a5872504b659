//! The server loop, which connects socket and handler: on a socket of its own or of the embedding program.

use super::{Handler, ServeError, StopHandle, stop::Stop};
use crate::{
    Confinement,
    server::service::{Frames, HandleOutcome},
    transport::{Endpoint, MAX_FRAMES, Message, ServerSocket, Socket, TransportError},
};
use std::{
    fmt, io,
    ops::Deref,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long an idle loop waits for a message; a stop ends the wait.
const IDLE: Duration = Duration::from_secs(3_600);

/// After this many messages a long operation gets a slice, and the loop checks for a stop by a signal handler.
const MESSAGES_PER_SLICE: u32 = 32;

/// The most replies in a batch, and the longest time a reply waits in one; a slow operation sends the batch at once.
const HELD_REPLIES: usize = 16;
const HELD_FOR: Duration = Duration::from_millis(1);

/// The largest request and reply that are batched, in bytes; larger ones are worth waking a thread for.
const HELD_BYTES: usize = 16_384;

/// Offset of the number in a header: after `85 64`, the magic, `50` and the session.
const SEQ_AT: usize = 2 + 4 + 1 + 16;

/// A server that listens on a socket of its own.
#[derive(Debug)]
pub struct BoundServer {
    server: SocketServer,
    endpoint: Endpoint,
}

/// A server on a socket that the embedding program made: ROUTER, REP, DEALER or PAIR.
///
/// [`SocketServer::run`] serves and drops what is not Remofile's; [`SocketServer::run_with`] hands that to the program;
/// [`SocketServer::turn`] does one turn for a program with a loop of its own:
///
/// ```
/// use remofile::zmq::{Context, POLLIN, ROUTER, poll};
/// use remofile::{FileServer, generate_token};
/// # use remofile::zmq::DEALER;
///
/// # let directory = tempfile::tempdir()?;
/// let context = Context::new();
/// let socket = context.socket(ROUTER)?;
/// socket.bind("inproc://everything")?;
/// # let asker = context.socket(DEALER)?;
/// # asker.connect("inproc://everything")?;
/// # asker.send("what time is it?", 0)?;
/// let mut server = FileServer::new(&directory, generate_token())?.on_socket(socket)?;
/// loop {
///     // While a long operation runs, there is work even if no message comes.
///     let wait_ms = if server.is_working() { 0 } else { 10_000 };
///     poll(&mut [server.socket().as_poll_item(POLLIN)], wait_ms)?; // and whatever else the program waits for
///     if let Some(message) = server.turn(std::time::Duration::ZERO)? {
///         assert_eq!(&message[1][..], b"what time is it?");
///         server.socket().send_multipart([&message[0][..], b"half past ten"], 0)?;
///         break;
///     }
/// }
/// # assert_eq!(asker.recv_bytes(0)?, b"half past ten");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A reply that cannot be sent, because the queue is full or the peer is gone (also on a ROUTER that is mandatory), is
/// dropped: clients repair that, at the price of a second. The socket is the program's in all else: its options,
/// security, lingering, and to whom a DEALER with several peers sends, which has to be one that routes by the frames in
/// front.
pub struct SocketServer {
    socket: ServerSocket,
    handler: Handler,
    stop: Stop,
    /// Messages since the last slice of a long operation.
    since_slice: u32,
    /// A REP socket has handed a message to the program, which may not have answered it.
    handed_over: bool,
    held: ReplyBatch,
}

/// Replies to small requests, sent together so that libzmq's thread and the client wake up once for all of them.
#[derive(Default)]
struct ReplyBatch {
    replies: Vec<Frames>,
    since: Option<Instant>,
}

/// How messages that are not Remofile's are handled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foreign {
    Dropped,
    HandedOver,
}

impl BoundServer {
    pub(super) fn new(server: SocketServer, endpoint: Endpoint) -> Self {
        Self { server, endpoint }
    }

    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The port that it listens on, over TCP.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        match self.endpoint {
            Endpoint::Tcp { port, .. } => Some(port),
            _ => None,
        }
    }

    /// Stops it, from any thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.server.stop_handle()
    }

    /// As [`Handler::confine_thread`]: to be called in the thread that is to call [`BoundServer::run`]. Threads of
    /// libzmq run already, and are not confined; they open no files.
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is not confined.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.server.confine_thread(removable)
    }

    /// Serves as [`BoundServer::run`] does, and calls `beat` at least once in `every`:
    /// for a watchdog that detects a blocked loop.
    ///
    /// # Errors
    /// Those of [`BoundServer::run`].
    pub fn run_with_beat(&mut self, every: Duration, beat: impl FnMut()) -> Result<(), ServeError> {
        self.server.run_with_beat(every, beat)
    }

    /// Serves until it is stopped, which takes the rest of a slice of work at most, about 10 ms, unless the disk itself
    /// stands still. Everything staged is kept. The socket is closed and the directory free when this is dropped.
    ///
    /// # Errors
    /// The socket failed, or its ZAP handler ended [CURVE-3].
    pub fn run(&mut self) -> Result<(), ServeError> {
        self.server.run()
    }
}

impl SocketServer {
    pub(super) fn new(mut socket: ServerSocket, handler: Handler, stop: Stop) -> Result<Self, ServeError> {
        let watch = |source| TransportError::System { what: "watch for the stop", source };
        socket.wake_by(stop.descriptor().map_err(watch)?);
        Ok(Self { socket, handler, stop, since_slice: 0, handed_over: false, held: ReplyBatch::default() })
    }

    /// As [`Handler::confine_thread`], for the thread that is to call [`SocketServer::run`] or [`SocketServer::turn`].
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is not confined.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.handler.confine_thread(removable)
    }

    /// Stops it, from any thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.handle()
    }

    /// Serves until it is stopped, and drops what is not Remofile's; a REP socket answers that with an empty frame.
    ///
    /// # Errors
    /// The socket failed.
    pub fn run(&mut self) -> Result<(), ServeError> {
        while !self.is_stopped() {
            self.turn_in(IDLE, Foreign::Dropped)?;
        }
        self.send_held()?;
        tracing::info!("stopped");
        Ok(())
    }

    fn run_with_beat(&mut self, every: Duration, mut beat: impl FnMut()) -> Result<(), ServeError> {
        let mut next = Instant::now();
        while !self.is_stopped() {
            let now = Instant::now();
            if now >= next {
                beat();
                next = now + every;
            }
            self.turn_in(IDLE.min(next.saturating_duration_since(now)), Foreign::Dropped)?;
        }
        self.send_held()?;
        tracing::info!("stopped");
        Ok(())
    }

    /// Serves until it is stopped, and hands to `foreign` every message that is not Remofile's, whole and as the socket
    /// received it, with the socket to answer on. While a long operation runs, such messages wait for about 10 ms; what
    /// `foreign` takes is time that Remofile's clients wait.
    ///
    /// What `foreign` leaves unanswered on a REP socket is answered with an empty frame.
    ///
    /// # Errors
    /// The socket failed.
    pub fn run_with(&mut self, mut foreign: impl FnMut(Vec<Message>, &Socket)) -> Result<(), ServeError> {
        while !self.is_stopped() {
            if let Some(message) = self.turn_in(IDLE, Foreign::HandedOver)? {
                foreign(message, self.socket.socket());
            }
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// One turn of the loop: takes at most one message, for which it waits for at most `wait` unless a long operation
    /// runs, and does at most one slice of that, about 10 ms. Gives a message that is not Remofile's, whole and as the
    /// socket received it. The stop wakes it, and is to be looked for by [`StopHandle::is_stopped`].
    ///
    /// May return `None` although messages are waiting. On a REP socket the program answers the message before the next
    /// turn, which sends an empty frame otherwise.
    ///
    /// # Errors
    /// The socket failed.
    pub fn turn(&mut self, wait: Duration) -> Result<Option<Vec<Message>>, ServeError> {
        self.turn_in(wait, Foreign::HandedOver)
    }

    /// Whether a turn has work although no message comes: a poll is not to wait then.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.handler.is_working()
    }

    /// The socket, to be polled, and for messages of the program's own.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        self.socket.socket()
    }

    /// Ends serving and gives the socket back. The directory is free then; sessions have ended.
    ///
    /// # Panics
    /// Never: a server of this type is on a socket of the program.
    #[must_use]
    pub fn into_socket(self) -> Socket {
        self.socket.into_adopted().expect("only BoundServer has a socket that was bound here, and it keeps this inside")
    }

    fn is_stopped(&self) -> bool {
        // A signal handler's byte costs a system call to see: not for every message.
        self.stop.is_called() || (self.since_slice.is_multiple_of(MESSAGES_PER_SLICE) && self.stop.is_due())
    }

    fn turn_in(&mut self, wait: Duration, foreign: Foreign) -> Result<Option<Vec<Message>>, ServeError> {
        self.answer_what_was_handed_over()?;
        let is_busy = self.handler.is_working() || !self.held.replies.is_empty();
        let wait = if is_busy { Duration::ZERO } else { wait };
        let message = if self.may_receive(foreign) { self.socket.recv(wait)? } else { None };
        self.since_slice = if message.is_some() { self.since_slice.wrapping_add(1) } else { 0 };
        let handed_over = match message {
            Some(message) => self.take(message, foreign)?,
            None => {
                self.send_held()?;
                None
            }
        };
        let is_due = self.since_slice.is_multiple_of(MESSAGES_PER_SLICE);
        if is_due
            && self.handler.is_working()
            && let Some(reply) = self.handler.run_slice()
        {
            self.send(reply)?;
        }
        Ok(handed_over)
    }

    /// While a reply is owed, libzmq queues messages, for at most half a second [SEQ-10]. On a socket that is shared
    /// with the program the loop receives on, and the handler queues Remofile's requests.
    fn may_receive(&self, foreign: Foreign) -> bool {
        match foreign {
            Foreign::HandedOver if !self.socket.must_answer() => self.handler.has_room(),
            _ => !self.handler.owes_reply(),
        }
    }

    fn take(&mut self, mut message: Vec<Message>, foreign: Foreign) -> Result<Option<Vec<Message>>, ServeError> {
        let outcome = if message.len() > MAX_FRAMES {
            HandleOutcome::NotOurs
        } else {
            if is_unnumbered(&message) {
                // The access log names the peer that opens a session.
                self.handler.set_peer_address(peer_address(&mut message));
            }
            let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
            self.handler.handle(&frames)
        };
        // The program may take long until the next turn; a REP socket receives nothing before it has sent.
        let may_hold = foreign == Foreign::Dropped && !self.socket.must_answer() && size(&message) <= HELD_BYTES;
        match outcome {
            HandleOutcome::Reply(reply) if may_hold && size(&reply) <= HELD_BYTES => self.hold(reply).map(|()| None),
            HandleOutcome::Reply(reply) => {
                self.send_held()?;
                self.send(reply).map(|()| None)
            }
            HandleOutcome::Later => self.send_held().map(|()| None),
            HandleOutcome::NotOurs if foreign == Foreign::HandedOver => {
                self.handed_over = self.socket.must_answer();
                if self.handed_over {
                    // The delimiter, which REP itself does not show.
                    message.remove(0);
                }
                Ok(Some(message))
            }
            HandleOutcome::NotOurs | HandleOutcome::Silent => self.answer_nothing().map(|()| None),
        }
    }

    /// Adds a reply to the batch.
    fn hold(&mut self, reply: Frames) -> Result<(), ServeError> {
        let since = *self.held.since.get_or_insert_with(Instant::now);
        self.held.replies.push(reply);
        if self.held.replies.len() >= HELD_REPLIES || since.elapsed() >= HELD_FOR { self.send_held() } else { Ok(()) }
    }

    fn send_held(&mut self) -> Result<(), ServeError> {
        self.held.since = None;
        for reply in std::mem::take(&mut self.held.replies) {
            self.send(reply)?;
        }
        Ok(())
    }

    fn answer_what_was_handed_over(&mut self) -> Result<(), ServeError> {
        if std::mem::take(&mut self.handed_over) && self.socket.can_send()? { self.answer_nothing() } else { Ok(()) }
    }

    /// [ENV-19] A REP socket cannot go on without having sent.
    fn answer_nothing(&mut self) -> Result<(), ServeError> {
        if self.socket.must_answer() { self.send(vec![Vec::new(), Vec::new()]) } else { Ok(()) }
    }

    fn send(&mut self, frames: Frames) -> Result<(), ServeError> {
        Ok(self.socket.send(frames.into_iter().map(Message::from).collect())?)
    }
}

impl fmt::Debug for SocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketServer").field("handler", &self.handler).finish_non_exhaustive()
    }
}

/// How many bytes are in the frames of a message.
fn size<F: Deref<Target = [u8]>>(frames: &[F]) -> usize {
    frames.iter().map(|frame| frame.len()).sum()
}

/// Whether a message looks like hello, ping or bye: the number after magic and session is 0 [ENV-13].
fn is_unnumbered(message: &[Message]) -> bool {
    let header = message.iter().position(|frame| frame.is_empty()).and_then(|delimiter| message.get(delimiter + 1));
    header.and_then(|header| header.get(SEQ_AT)) == Some(&0)
}

/// The IP address of the peer that sent a message, where libzmq knows it.
fn peer_address(message: &mut [Message]) -> Option<String> {
    message.last_mut()?.gets("Peer-Address").map(ToOwned::to_owned)
}
