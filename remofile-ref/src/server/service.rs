//! The server without its socket: envelope, session and store together.
//!
//! **Invariant**: while an operation runs, its client is owed at most one reply, and nothing else uses the store.
//!
//! A driver receives a message, calls [`Service::handle`], and sends the reply. While [`Service::is_working`], it calls
//! [`Service::run_slice`] repeatedly; in between it receives only while no reply is owed ([`Service::owes_reply`]), so
//! that the socket queues and the service does not.

mod access_log;
#[cfg(test)]
mod tests;

use crate::protocol::server::session::{OwnerInfo, Pending, Reply, ServerLimits, Session, SessionAction};
use crate::{ExecutionStatus, Storage};
use access_log::AccessLog;
use remofile_proto::envelope::{self, Message, Request};
use remofile_proto::{Code, Operation, Refusal, SessionId};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How long a request or poll waits before it is answered PENDING [SEQ-10], [SEQ-13].
pub const HOLD: Duration = Duration::from_millis(500);

/// The frames of a message, routing frames and delimiter included.
pub type Frames = Vec<Vec<u8>>;

/// What a driver does with a received message.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum HandleOutcome {
    /// It sends these frames.
    Reply(Frames),
    /// The message is not of this protocol: dropped or handed to the embedding program; a REP socket sends one
    /// empty frame [ENV-14], [ENV-19].
    NotOurs,
    /// The message is a reply, or a request that a [`Handler`](crate::server::Handler) has no room for: not answered,
    /// but for the empty frame of a REP socket [ENV-15].
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
    work: Option<RunningOperation>,
    /// Answers to polls whose operation was abandoned, not sent yet: more than one only where a driver receives
    /// although a reply is owed.
    owed: VecDeque<Frames>,
    access_log: AccessLog,
}

/// An operation that takes more than one slice.
#[derive(Debug)]
struct RunningOperation {
    session: SessionId,
    operation: Operation,
    since: Duration,
    pending: Pending,
    /// The routing frames of the request that waits for the reply, and the time since when.
    waiting: Option<(Frames, Duration)>,
    done: u64,
    total: u64,
}

impl<S: Storage, A: Fn(&SessionId, &[u8; 32]) -> bool> Service<S, A> {
    /// A server without a session; `authentic` says whether hello's `auth` fits the token.
    pub fn new(limits: ServerLimits, storage: S, authentic: A) -> Self {
        let header_limit = usize::try_from(limits.welcome.header).unwrap_or(usize::MAX);
        let (work, owed, access_log) = (None, VecDeque::new(), AccessLog::default());
        Self { session: Session::new(limits), storage, authentic, header_limit, work, owed, access_log }
    }

    /// Takes a received message: all its frames, those before the empty delimiter and the delimiter too.
    ///
    /// After a call that took long, [`Service::work_ended`] keeps the server's own work from counting as the
    /// client's silence.
    pub fn handle<F: AsRef<[u8]>>(&mut self, now: Duration, frames: &[F]) -> HandleOutcome {
        let outcome = self.take(now, frames);
        self.access_log.address = None;
        outcome
    }

    /// Runs the next slice of the operation; returns the reply that is due, if any.
    pub fn run_slice(&mut self, now: Duration) -> Option<Frames> {
        if let Some(frames) = self.owed.pop_front() {
            return Some(frames);
        }
        let work = self.work.as_mut()?;
        match self.storage.proceed() {
            ExecutionStatus::Done(outcome) => {
                let RunningOperation { session, operation, since, pending, waiting, .. } = self.work.take()?;
                if AccessLog::is_enabled() {
                    self.access_log.outcome(now, since, session, &operation, 0, &outcome);
                }
                // [SEQ-14] The reply is remembered even if no request waits for it.
                let reply = self.session.on_outcome(now, pending, outcome);
                waiting.map(|(prefix, _)| addressed(prefix, reply))
            }
            ExecutionStatus::Working { done, total } => {
                (work.done, work.total) = (done, total);
                let (prefix, _) = work.waiting.take_if(|(_, since)| now.saturating_sub(*since) >= HOLD)?;
                Some(addressed(prefix, work.not_yet()))
            }
        }
    }

    /// Sets the address of the peer that sends the next message, for the log.
    pub fn set_peer_address(&mut self, address: Option<String>) {
        self.access_log.address = address;
    }

    /// Notes that the last [`Service::handle`] or [`Service::run_slice`] took until `now`: if it was for the owner of
    /// the session, the owner's idle time starts here [SES-14]. May be called after each.
    pub fn work_ended(&mut self, now: Duration) {
        self.session.work_ended(now);
        self.access_log.log_done(now);
    }

    /// Whether [`Service::run_slice`] has something to do.
    pub fn is_working(&self) -> bool {
        self.work.is_some() || !self.owed.is_empty()
    }

    /// Whether a request or poll is waiting: a driver receives nothing meanwhile, at most about 500 ms.
    pub fn owes_reply(&self) -> bool {
        !self.owed.is_empty() || self.work.as_ref().is_some_and(|work| work.waiting.is_some())
    }

    /// The id of the session's owner.
    pub fn owner(&self) -> Option<SessionId> {
        self.session.owner()
    }

    /// How many bytes of replies are remembered: below 600 times the window.
    pub fn remembered_bytes(&self) -> usize {
        self.session.remembered_bytes()
    }

    /// The store.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The store, for work besides requests, such as expiring uploads; `None` while an operation runs.
    pub fn storage_mut(&mut self) -> Option<&mut S> {
        if self.work.is_some() { None } else { Some(&mut self.storage) }
    }

    fn take<F: AsRef<[u8]>>(&mut self, now: Duration, frames: &[F]) -> HandleOutcome {
        let received = envelope::receive(frames, self.header_limit);
        match &received.message {
            Message::NotOurs => HandleOutcome::NotOurs,
            Message::Reply => HandleOutcome::Silent,
            Message::Request(request) => self.request(now, received.prefix, request),
            refused => match refused.refusal() {
                Some(header) => {
                    match refused {
                        Message::BadMessage { session, error, .. } => {
                            self.access_log.malformed(now, Some(*session), &Refusal::from(*error));
                        }
                        _ => self.access_log.malformed(now, None, &Refusal::new(Code::Version)),
                    }
                    HandleOutcome::Reply(envelope::frames(received.prefix, header, None))
                }
                None => HandleOutcome::NotOurs,
            },
        }
    }

    fn request<F: AsRef<[u8]>>(&mut self, now: Duration, prefix: &[F], request: &Request<'_>) -> HandleOutcome {
        let is_enabled = AccessLog::is_enabled();
        let before = if is_enabled && request.header.seq == 0 { self.session.owner_info(now) } else { None };
        match self.session.on_request(now, request, &self.authentic) {
            SessionAction::Reply(reply) => {
                if is_enabled {
                    self.log_unexecuted(now, before.as_ref(), request, &reply);
                }
                HandleOutcome::Reply(envelope::frames(prefix, reply.header, reply.payload))
            }
            SessionAction::Abandon(reply) => {
                if is_enabled {
                    self.log_unexecuted(now, before.as_ref(), request, &reply);
                }
                self.abandon();
                HandleOutcome::Reply(envelope::frames(prefix, reply.header, reply.payload))
            }
            SessionAction::Perform(operation, pending) => {
                let (session, payload) = (request.header.session, request.payload.unwrap_or_default());
                match self.storage.perform(&operation, payload) {
                    ExecutionStatus::Done(outcome) => {
                        if is_enabled {
                            self.access_log.outcome(now, now, session, &operation, payload.len(), &outcome);
                        }
                        let reply = self.session.on_outcome(now, pending, outcome);
                        HandleOutcome::Reply(envelope::frames(prefix, reply.header, reply.payload))
                    }
                    ExecutionStatus::Working { done, total } => {
                        let waiting = Some((copied(prefix), now));
                        self.work =
                            Some(RunningOperation { session, operation, since: now, pending, waiting, done, total });
                        HandleOutcome::Later
                    }
                }
            }
            SessionAction::Poll => self.poll(now, prefix),
        }
    }

    fn poll<F: AsRef<[u8]>>(&mut self, now: Duration, prefix: &[F]) -> HandleOutcome {
        // The session says Poll only while an operation runs, and then there is work.
        let Some(work) = &mut self.work else { return HandleOutcome::NotOurs };
        match work.waiting.replace((copied(prefix), now)) {
            // A second poll, perhaps over a new connection, answers the first.
            Some((earlier, _)) => HandleOutcome::Reply(addressed(earlier, work.not_yet())),
            None => HandleOutcome::Later,
        }
    }

    fn log_unexecuted(&mut self, now: Duration, before: Option<&OwnerInfo>, request: &Request<'_>, reply: &Reply) {
        self.access_log.unexecuted(now, request, &reply.header);
        let after = if request.header.seq == 0 { self.session.owner_info(now) } else { None };
        match (request.header.op, before, &after) {
            ("hello", _, Some(after)) => self.access_log.hello(now, before, after),
            ("bye", Some(before), Some(after)) if after.closed => self.access_log.bye(now, before),
            _ => {}
        }
    }

    fn abandon(&mut self) {
        if let Some(RunningOperation { pending, waiting, .. }) = self.work.take() {
            self.storage.cancel();
            self.owed.extend(waiting.map(|(prefix, _)| addressed(prefix, pending.abandoned())));
        }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for Service<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, storage, work, owed, .. } = self;
        let mut debug = f.debug_struct("Service");
        debug.field("session", session).field("storage", storage).field("work", work).field("owed", owed);
        debug.finish_non_exhaustive()
    }
}

impl RunningOperation {
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
