//! A server without a socket: takes messages, returns replies, and runs long operations in slices in between.

use crate::{
    Confinement,
    server::service::{Frames, HandleOutcome, Service},
    storage::ServedStore,
    transport::Bounds,
};
use remofile_proto::{SessionId, envelope::HEADER_START};
use std::{collections::VecDeque, fmt, io, path::PathBuf, time::Instant};

/// Whether hello's `auth` fits the token.
pub(super) type Authentic = Box<dyn Fn(&SessionId, &[u8; 32]) -> bool + Send>;

/// A server without a socket: the embedding program receives and sends.
///
/// Each message goes to [`Handler::handle`]; while [`Handler::is_working`], the program calls
/// [`Handler::run_slice`] repeatedly, between messages or when idle, and sends the replies that it returns.
///
/// **Long operations.** HASH, COPY, COMMIT, BEGIN, LIST and FLUSH may take many slices of about 10 ms. The client is
/// owed one reply: the result, or PENDING after half a second, and then it asks again. Messages that arrive while a
/// reply is owed are queued: at most as many bytes as a client may have unanswered, and twice the window of messages.
/// Further messages are dropped, and clients send them again; a program that receives only while [`Handler::has_room`]
/// drops no request that is within the limits.
///
/// **Security.** The handler encrypts nothing, and only `auth` in hello protects the session: the embedding program
/// has to secure the transport.
///
/// ```
/// use remofile::{FileServer, HandleOutcome, generate_token};
/// use remofile_proto::{Hello, Keys, Operation, Reply, SessionId, encode_request};
///
/// # let directory = tempfile::tempdir()?;
/// let token = generate_token();
/// let mut handler = FileServer::new(&directory, &token)?.open()?;
///
/// // What a client would send: here from the codec.
/// let session = SessionId::new([0xa1; 16]);
/// let auth = Keys::derive(&token).hello.auth(session);
/// let hello = Operation::Hello(Hello { auth, client: "doc".to_owned(), take: None, lease_ms: None });
/// let request = vec![b"who sent it".to_vec(), vec![], encode_request(session, 0, &hello)];
///
/// let HandleOutcome::Reply(reply) = handler.handle(&request) else { panic!("hello is answered at once") };
/// assert_eq!(reply[0], b"who sent it");
/// assert_eq!(Reply::decode(&reply[1..])?.code, 0);
///
/// // What is not Remofile's is left to the program.
/// assert_eq!(handler.handle(&[&b"who sent it"[..], b"", b"GET /"]), HandleOutcome::NotOurs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handler {
    service: Service<Box<dyn ServedStore>, Authentic>,
    started: Instant,
    /// Messages that arrived while a reply was owed, not decoded yet.
    waiting: VecDeque<Frames>,
    waiting_bytes: usize,
    room: QueueLimits,
}

/// The limits of the queue: all that one client may have unanswered, and as many other messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    messages: usize,
    bytes: usize,
    /// The largest request that is within the limits, in bytes.
    largest: usize,
}

impl QueueLimits {
    pub(super) fn of(bounds: &Bounds) -> Self {
        let (window, largest) =
            (usize::from(bounds.window), bounds.chunk.saturating_add(bounds.header).saturating_add(2_048));
        let largest = usize::try_from(largest).unwrap_or(usize::MAX);
        Self { messages: 2 * window, bytes: largest.saturating_mul(window + 1), largest }
    }
}

impl Handler {
    pub(super) fn new(service: Service<Box<dyn ServedStore>, Authentic>, room: QueueLimits) -> Self {
        Self { service, started: Instant::now(), waiting: VecDeque::new(), waiting_bytes: 0, room }
    }

    /// Takes a received message, all its frames as a ROUTER or DEALER passes them raw: routing frames and the empty
    /// delimiter too. [`HandleOutcome::Reply`] begins with the same ones. A REP socket strips the delimiter: add one to
    /// its messages, and remove it from the replies.
    pub fn handle<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> HandleOutcome {
        let must_wait = self.service.owes_reply() || !self.waiting.is_empty();
        if must_wait && is_of_this_version(frames) {
            // The address belongs to this message, which is handled later.
            self.service.set_peer_address(None);
            return self.keep(frames);
        }
        self.handle_now(frames)
    }

    /// Sets the address of the peer that sends the next message, such as an IP address, for the log.
    pub fn set_peer_address(&mut self, address: Option<String>) {
        self.service.set_peer_address(address);
    }

    /// Takes a received message and works until there is a reply: at once, or within about half a second, which is when
    /// a long operation is answered PENDING. It continues while the next message is answered; clients ask every 100 ms.
    /// `None` for what is not answered: see [`HandleOutcome::NotOurs`] and [`HandleOutcome::Silent`].
    ///
    /// For lockstep carriers that have one request at a time, such as a POST of HTTP; not to be mixed with
    /// [`Handler::handle`], whose replies it might give.
    #[must_use = "a reply that is not sent is owed to a client"]
    pub fn answer<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Option<Frames> {
        match self.handle(frames) {
            HandleOutcome::Reply(reply) => Some(reply),
            HandleOutcome::NotOurs | HandleOutcome::Silent => None,
            HandleOutcome::Later => {
                while self.is_working() {
                    if let Some(reply) = self.run_slice() {
                        return Some(reply);
                    }
                }
                None
            }
        }
    }

    /// Runs the next slice of the operation, about 10 ms, or handles a queued request; returns the reply that is due,
    /// if any.
    #[must_use = "a reply that is not sent is owed to a client"]
    pub fn run_slice(&mut self) -> Option<Frames> {
        if !self.service.owes_reply()
            && let Some(frames) = self.waiting.pop_front()
        {
            self.waiting_bytes -= bytes_of(&frames);
            return match self.handle_now(&frames) {
                HandleOutcome::Reply(reply) => Some(reply),
                HandleOutcome::Later | HandleOutcome::NotOurs | HandleOutcome::Silent => None,
            };
        }
        let reply = self.service.run_slice(self.started.elapsed());
        self.service.work_ended(self.started.elapsed());
        reply
    }

    /// Restricts the calling thread and all threads and processes that it starts later to the served directory, by
    /// Landlock and irrevocably. Call it in the thread that calls [`Handler::handle`] and [`Handler::run_slice`]. Files
    /// in the directories of `removable` may still be removed.
    ///
    /// This adds to the restriction of every request by `openat2`. Call it after opening everything else that the
    /// thread uses, such as its log file.
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is not confined.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.service.storage().confine_thread(removable)
    }

    /// Whether [`Handler::run_slice`] has something to do: then a poll for messages must not wait.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.service.is_working() || !self.waiting.is_empty()
    }

    /// Whether a reply is still to come out of [`Handler::run_slice`], for at most about 500 ms.
    #[must_use]
    pub fn owes_reply(&self) -> bool {
        self.service.owes_reply()
    }

    /// Whether another message should be received: not while so many requests wait that the next one would be dropped,
    /// nor while those that waited have their turn.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let QueueLimits { messages, bytes, largest } = self.room;
        if self.service.owes_reply() {
            self.waiting.len() < messages && self.waiting_bytes.saturating_add(largest) <= bytes
        } else {
            self.waiting.is_empty()
        }
    }

    fn handle_now<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> HandleOutcome {
        let outcome = self.service.handle(self.started.elapsed(), frames);
        self.service.work_ended(self.started.elapsed());
        outcome
    }

    fn keep<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> HandleOutcome {
        let bytes = frames.iter().map(|frame| frame.as_ref().len()).sum::<usize>();
        if self.waiting.len() >= self.room.messages || self.waiting_bytes.saturating_add(bytes) > self.room.bytes {
            tracing::debug!(bytes, "message dropped: the queue is full");
            return HandleOutcome::Silent;
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(frames.iter().map(|frame| frame.as_ref().to_vec()).collect());
        HandleOutcome::Later
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("working", &self.is_working()).finish_non_exhaustive()
    }
}

/// Whether a message looks like one of this version of the protocol, by its first bytes: only a message that is handled
/// is decoded, and so each one is decoded once.
fn is_of_this_version<F: AsRef<[u8]>>(frames: &[F]) -> bool {
    let mut frames = frames.iter().map(AsRef::as_ref).skip_while(|frame| !frame.is_empty());
    frames.nth(1).is_some_and(|header| header.starts_with(&HEADER_START))
}

fn bytes_of(frames: &Frames) -> usize {
    frames.iter().map(Vec::len).sum()
}
