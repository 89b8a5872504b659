//! The server without its socket: envelope, session and store joined.
//!
//! **Invariant**: while an operation runs, whoever asked for it is owed at most one reply, and the store is not
//! touched by anything else.
//!
//! A driver receives a message, calls [`Service::handle`], and sends what it is told to. While
//! [`Service::is_working`], it calls [`Service::run_slice`] again and again; in between it receives only while
//! no reply is owed ([`Service::owes_reply`]), so that nothing has to be queued here: the socket queues.

mod access_log;
#[cfg(test)]
mod tests;

use crate::protocol::server::session::{Holding, Pending, Reply, Session, Step, Terms};
use crate::{ExecutionStatus, Storage};
use access_log::Journal;
use remofile_proto::envelope::{self, Message, Request};
use remofile_proto::{Code, Operation, Refusal, SessionId};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How long a request or poll is held before it is answered PENDING [SEQ-10], [SEQ-13].
pub const HOLD: Duration = Duration::from_millis(500);

/// The frames of a message, routing frames and delimiter included.
pub type Frames = Vec<Vec<u8>>;

/// What a driver does with a message that it received.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Reaction {
    /// It sends these frames.
    Reply(Frames),
    /// The message is not of this protocol: dropped or handed to the embedding program; a REP socket sends one
    /// empty frame [ENV-14], [ENV-19].
    NotOurs,
    /// The message is a reply, or a request that a [`Handler`](crate::server::Handler) has no room for: not answered, but
    /// for the empty frame of a REP socket [ENV-15].
    Silent,
    /// An operation runs, and the reply will come out of [`Service::run_slice`] or that of the handler.
    Later,
}

/// A server: everything but the socket and the clock.
///
/// Times are monotonic and counted from any moment, the same for all calls.
pub struct Service<S, A> {
    session: Session,
    storage: S,
    authentic: A,
    header_limit: usize,
    work: Option<Work>,
    /// Answers to polls whose operation was abandoned, not sent yet: more than one only where a driver receives
    /// although a reply is owed.
    owed: VecDeque<Frames>,
    journal: Journal,
}

/// An operation that takes more than one slice.
#[derive(Debug)]
struct Work {
    session: SessionId,
    operation: Operation,
    since: Duration,
    pending: Pending,
    /// Whoever waits for the reply: routing frames and since when.
    held: Option<(Frames, Duration)>,
    done: u64,
    total: u64,
}

impl<S: Storage, A: Fn(&SessionId, &[u8; 32]) -> bool> Service<S, A> {
    /// A server that nobody has spoken to; `authentic` says whether hello's `auth` fits the token.
    pub fn new(terms: Terms, storage: S, authentic: A) -> Self {
        let header_limit = usize::try_from(terms.welcome.header).unwrap_or(usize::MAX);
        let (work, owed, journal) = (None, VecDeque::new(), Journal::default());
        Self { session: Session::new(terms), storage, authentic, header_limit, work, owed, journal }
    }

    /// Takes a received message: all its frames, those before the empty delimiter and the delimiter too.
    ///
    /// After a call that took long, [`Service::work_ended`] keeps the server's own work from counting as the
    /// client's silence.
    pub fn handle<F: AsRef<[u8]>>(&mut self, now: Duration, frames: &[F]) -> Reaction {
        let reaction = self.take(now, frames);
        self.journal.address = None;
        reaction
    }

    /// Does the next slice of the operation that runs; gives the reply that is now due, if any.
    pub fn run_slice(&mut self, now: Duration) -> Option<Frames> {
        if let Some(frames) = self.owed.pop_front() {
            return Some(frames);
        }
        let work = self.work.as_mut()?;
        match self.storage.proceed() {
            ExecutionStatus::Done(outcome) => {
                let Work { session, operation, since, pending, held, .. } = self.work.take()?;
                if Journal::is_heard() {
                    self.journal.outcome(now, since, session, &operation, 0, &outcome);
                }
                // [SEQ-14] remembered, whether or not somebody waits for it.
                let reply = self.session.on_outcome(now, pending, outcome);
                held.map(|(prefix, _)| addressed(prefix, reply))
            }
            ExecutionStatus::Working { done, total } => {
                (work.done, work.total) = (done, total);
                let (prefix, _) = work.held.take_if(|(_, since)| now.saturating_sub(*since) >= HOLD)?;
                Some(addressed(prefix, work.not_yet()))
            }
        }
    }

    /// Tells where the next message comes from, for the log.
    pub fn comes_from(&mut self, address: Option<String>) {
        self.journal.address = address;
    }

    /// Tells that the last [`Service::handle`] or [`Service::run_slice`] lasted until now: where it was for the
    /// client that holds the session, its idle time counts from here [SES-14]. May be called after each.
    pub fn work_ended(&mut self, now: Duration) {
        self.session.work_ended(now);
        self.journal.tell_done(now);
    }

    /// Whether [`Service::run_slice`] has something to do.
    pub fn is_working(&self) -> bool {
        self.work.is_some() || !self.owed.is_empty()
    }

    /// Whether a request or poll is held: a driver receives nothing meanwhile, at most about 500 ms.
    pub fn owes_reply(&self) -> bool {
        !self.owed.is_empty() || self.work.as_ref().is_some_and(|work| work.held.is_some())
    }

    /// The id that holds the session.
    pub fn holder(&self) -> Option<SessionId> {
        self.session.holder()
    }

    /// How many bytes of replies are remembered: below 600 times the window.
    pub fn remembered_bytes(&self) -> usize {
        self.session.remembered_bytes()
    }

    /// The store.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The store, for what goes on beside requests, such as expiring uploads; not while an operation runs.
    pub fn storage_mut(&mut self) -> Option<&mut S> {
        if self.work.is_some() { None } else { Some(&mut self.storage) }
    }

    fn take<F: AsRef<[u8]>>(&mut self, now: Duration, frames: &[F]) -> Reaction {
        let received = envelope::receive(frames, self.header_limit);
        match &received.message {
            Message::NotOurs => Reaction::NotOurs,
            Message::Reply => Reaction::Silent,
            Message::Request(request) => self.request(now, received.prefix, request),
            refused => match refused.refusal() {
                Some(header) => {
                    match refused {
                        Message::BadMessage { session, error, .. } => {
                            self.journal.malformed(now, Some(*session), &Refusal::from(*error));
                        }
                        _ => self.journal.malformed(now, None, &Refusal::new(Code::Version)),
                    }
                    Reaction::Reply(envelope::frames(received.prefix, header, None))
                }
                None => Reaction::NotOurs,
            },
        }
    }

    fn request<F: AsRef<[u8]>>(&mut self, now: Duration, prefix: &[F], request: &Request<'_>) -> Reaction {
        let is_heard = Journal::is_heard();
        let before = if is_heard && request.header.seq == 0 { self.session.holding(now) } else { None };
        match self.session.on_request(now, request, &self.authentic) {
            Step::Reply(reply) => {
                if is_heard {
                    self.note_unexecuted(now, before.as_ref(), request, &reply);
                }
                Reaction::Reply(envelope::frames(prefix, reply.header, reply.payload))
            }
            Step::Abandon(reply) => {
                if is_heard {
                    self.note_unexecuted(now, before.as_ref(), request, &reply);
                }
                self.abandon();
                Reaction::Reply(envelope::frames(prefix, reply.header, reply.payload))
            }
            Step::Perform(operation, pending) => {
                let (session, payload) = (request.header.session, request.payload.unwrap_or_default());
                match self.storage.perform(&operation, payload) {
                    ExecutionStatus::Done(outcome) => {
                        if is_heard {
                            self.journal.outcome(now, now, session, &operation, payload.len(), &outcome);
                        }
                        let reply = self.session.on_outcome(now, pending, outcome);
                        Reaction::Reply(envelope::frames(prefix, reply.header, reply.payload))
                    }
                    ExecutionStatus::Working { done, total } => {
                        let held = Some((copied(prefix), now));
                        self.work = Some(Work { session, operation, since: now, pending, held, done, total });
                        Reaction::Later
                    }
                }
            }
            Step::Poll => self.poll(now, prefix),
        }
    }

    fn poll<F: AsRef<[u8]>>(&mut self, now: Duration, prefix: &[F]) -> Reaction {
        // The session says Poll only while an operation runs, and then there is work.
        let Some(work) = &mut self.work else { return Reaction::NotOurs };
        match work.held.replace((copied(prefix), now)) {
            // A second poll, perhaps over a new connection: the one before is not held any longer.
            Some((earlier, _)) => Reaction::Reply(addressed(earlier, work.not_yet())),
            None => Reaction::Later,
        }
    }

    fn note_unexecuted(&mut self, now: Duration, before: Option<&Holding>, request: &Request<'_>, reply: &Reply) {
        self.journal.unexecuted(now, request, &reply.header);
        let after = if request.header.seq == 0 { self.session.holding(now) } else { None };
        match (request.header.op, before, &after) {
            ("hello", _, Some(after)) => self.journal.hello(now, before, after),
            ("bye", Some(before), Some(after)) if after.released => self.journal.bye(now, before),
            _ => {}
        }
    }

    fn abandon(&mut self) {
        if let Some(Work { pending, held, .. }) = self.work.take() {
            self.storage.cancel();
            self.owed.extend(held.map(|(prefix, _)| addressed(prefix, pending.abandoned())));
        }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for Service<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, storage, work, owed, .. } = self;
        let mut told = f.debug_struct("Service");
        told.field("session", session).field("storage", storage).field("work", work).field("owed", owed);
        told.finish_non_exhaustive()
    }
}

impl Work {
    fn not_yet(&self) -> Reply {
        self.pending.not_yet(Some(self.done), (self.total > 0).then_some(self.total))
    }
}

fn copied<F: AsRef<[u8]>>(prefix: &[F]) -> Frames {
    prefix.iter().map(|frame| frame.as_ref().to_vec()).collect()
}

fn addressed(mut prefix: Frames, reply: Reply) -> Frames {
    prefix.extend([reply.header].into_iter().chain(reply.payload));
    prefix
}
