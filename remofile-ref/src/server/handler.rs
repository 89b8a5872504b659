//! A server without a socket: messages in, replies out, and long operations in slices between them.

use crate::{
    Confinement,
    server::service::{Frames, Reaction, Service},
    storage::ServedStore,
    transport::Bounds,
};
use remofile_proto::{
    SessionId,
    envelope::{self, Message},
};
use std::{collections::VecDeque, fmt, io, path::PathBuf, time::Instant};

/// Whether hello's `auth` fits the token.
pub(super) type Authentic = Box<dyn Fn(&SessionId, &[u8; 32]) -> bool + Send>;

/// A server without a socket: the embedding program receives and sends.
///
/// Each message goes to [`Handler::handle`]; while [`Handler::is_working`], [`Handler::run_slice`] is called again
/// and again, between the messages or in a thread's spare time, and what it gives is sent.
///
/// **Long operations.** HASH, COPY, COMMIT, BEGIN, LIST and FLUSH may take many slices of about 10 ms. Whoever asked is
/// owed one reply meanwhile: the result, or after half a second PENDING, upon which the client asks again. Requests that
/// come while a reply is owed are kept and have their turn behind it: as many bytes as a client may have unanswered, and
/// twice the window of messages. Beyond that they are dropped, which clients survive; a program that receives only while
/// [`Handler::has_room`] drops none that is within the limits.
///
/// **Security.** Nothing is encrypted here, and `auth` in hello alone guards the session: what carries the messages is
/// the embedding program's to secure.
///
/// ```
/// use remofile::{FileServer, Reaction, generate_token};
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
/// let Reaction::Reply(reply) = handler.handle(&request) else { panic!("hello is answered at once") };
/// assert_eq!(reply[0], b"who sent it");
/// assert_eq!(Reply::decode(&reply[1..])?.code, 0);
///
/// // What is not Remofile's is left to the program.
/// assert_eq!(handler.handle(&[&b"who sent it"[..], b"", b"GET /"]), Reaction::NotOurs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handler {
    service: Service<Box<dyn ServedStore>, Authentic>,
    started: Instant,
    header_limit: usize,
    /// Requests that came while a reply was owed.
    waiting: VecDeque<Frames>,
    waiting_bytes: usize,
    room: Room,
}

/// What may wait: all that one client may have unanswered, and as many other messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    messages: usize,
    bytes: usize,
    /// The largest request that is within the limits, in bytes.
    largest: usize,
}

impl Room {
    pub(super) fn of(bounds: &Bounds) -> Self {
        let (window, largest) =
            (usize::from(bounds.window), bounds.chunk.saturating_add(bounds.header).saturating_add(2_048));
        let largest = usize::try_from(largest).unwrap_or(usize::MAX);
        Self { messages: 2 * window, bytes: largest.saturating_mul(window + 1), largest }
    }
}

impl Handler {
    pub(super) fn new(service: Service<Box<dyn ServedStore>, Authentic>, header_limit: usize, room: Room) -> Self {
        let (waiting, waiting_bytes) = (VecDeque::new(), 0);
        Self { service, started: Instant::now(), header_limit, waiting, waiting_bytes, room }
    }

    /// Takes a received message, all its frames as a ROUTER or DEALER passes them raw: routing frames and the empty
    /// delimiter too. [`Reaction::Reply`] has the same ones in front. Messages of a REP socket, which has taken the
    /// delimiter off, are given one, and replies relieved of it.
    pub fn handle<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Reaction {
        let must_wait = self.service.owes_reply() || !self.waiting.is_empty();
        if must_wait && matches!(envelope::receive(frames, self.header_limit).message, Message::Request(_)) {
            // Its turn comes later; where another message comes from is no news of it.
            self.service.comes_from(None);
            return self.keep(frames);
        }
        self.handle_now(frames)
    }

    /// Tells where the next message comes from, such as an IP address, for the log.
    pub fn comes_from(&mut self, address: Option<String>) {
        self.service.comes_from(address);
    }

    /// Takes a received message and works until there is a reply: at once, or within about half a second, which is when
    /// a long operation is answered PENDING. It goes on while the next message is answered; clients ask every 100 ms.
    /// `None` for what is not answered: see [`Reaction::NotOurs`] and [`Reaction::Silent`].
    ///
    /// For lockstep carriers that have one request at a time, such as a POST of HTTP; not to be mixed with
    /// [`Handler::handle`], whose replies it might give.
    #[must_use = "a reply that is not sent is owed to a client"]
    pub fn answer<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Option<Frames> {
        match self.handle(frames) {
            Reaction::Reply(reply) => Some(reply),
            Reaction::NotOurs | Reaction::Silent => None,
            Reaction::Later => {
                while self.is_working() {
                    if let Some(reply) = self.run_slice() {
                        return Some(reply);
                    }
                }
                None
            }
        }
    }

    /// Does the next slice, about 10 ms, of the operation that runs, or handles a request that had to wait; gives the
    /// reply that is now due, if any.
    #[must_use = "a reply that is not sent is owed to a client"]
    pub fn run_slice(&mut self) -> Option<Frames> {
        if !self.service.owes_reply()
            && let Some(frames) = self.waiting.pop_front()
        {
            self.waiting_bytes -= bytes_of(&frames);
            return match self.handle_now(&frames) {
                Reaction::Reply(reply) => Some(reply),
                Reaction::Later | Reaction::NotOurs | Reaction::Silent => None,
            };
        }
        let reply = self.service.run_slice(self.started.elapsed());
        self.service.work_ended(self.started.elapsed());
        reply
    }

    /// Has the kernel (Landlock) keep the calling thread, which is to be the one that calls [`Handler::handle`] and
    /// [`Handler::run_slice`], and all that it starts from now on, in the served directory, for good. In the directories
    /// of `removable` files may still be removed.
    ///
    /// A second wall around the jail that every request is in anyway; to be called once everything else is open that
    /// the thread is to use, such as its log file.
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is as it was.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.service.storage().confine_thread(removable)
    }

    /// Whether [`Handler::run_slice`] has something to do: a poll for messages is not to wait then.
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
        let Room { messages, bytes, largest } = self.room;
        if self.service.owes_reply() {
            self.waiting.len() < messages && self.waiting_bytes.saturating_add(largest) <= bytes
        } else {
            self.waiting.is_empty()
        }
    }

    fn handle_now<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Reaction {
        let reaction = self.service.handle(self.started.elapsed(), frames);
        self.service.work_ended(self.started.elapsed());
        reaction
    }

    fn keep<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Reaction {
        let bytes = frames.iter().map(|frame| frame.as_ref().len()).sum::<usize>();
        if self.waiting.len() >= self.room.messages || self.waiting_bytes.saturating_add(bytes) > self.room.bytes {
            tracing::debug!(bytes, "a request is dropped: too many wait already");
            return Reaction::Silent;
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(frames.iter().map(|frame| frame.as_ref().to_vec()).collect());
        Reaction::Later
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("working", &self.is_working()).finish_non_exhaustive()
    }
}

fn bytes_of(frames: &Frames) -> usize {
    frames.iter().map(Vec::len).sum()
}
