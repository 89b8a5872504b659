//! The server's session as a pure state machine: **at any moment at most one request is being executed, every
//! number is executed at most once and in order, and each request that comes in is answered once.**
//!
//! What is absent: sockets, files, clocks and randomness. Time is an argument, monotonic and counted from any
//! moment; ids come from clients. Operations leave as data ([`SessionAction::Perform`]) and come back as outcomes
//! ([`Session::on_outcome`]); the [`Pending`] between the two can be neither copied nor used twice.
//!
//! Memory is bounded: `window` remembered replies without payloads (`reply_cache`), as many uploads as the store
//! stages (`open_uploads`), 1,024 ended ids (`retired_ids`), and one header of whoever holds the session.

mod answer;
mod open_uploads;
mod owner;
mod reply_cache;
mod retired_ids;
#[cfg(test)]
mod tests;

pub use answer::Reply;
pub use owner::OwnerInfo;

use crate::{Outcome, Success};
use answer::{answer, refuse};
use open_uploads::{Begun, UploadEffect};
use owner::{Holder, Running, milliseconds};
use remofile_proto::envelope::Request;
use remofile_proto::limits::{HEADER, LEASE_MIN_MS, Limits};
use remofile_proto::{Answer, Code, Detail, Hello, Operation, Refusal, SessionId, UploadId, Welcome};
use reply_cache::{Remembered, Replies};
use retired_ids::Ended;
use std::time::Duration;

/// The BLAKE3 hash of a header frame: two headers are the same exactly when these are.
type Fingerprint = [u8; 32];

/// The longest sentence for people in a refusal, in bytes; the rest is cut off.
const MAX_MESSAGE: usize = 256;

/// What a server offers to whoever opens the session.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// The result of every hello; its `lease_ms` is the longest lease, granted where no shorter one is asked for.
    pub welcome: Welcome,
    /// How many uploads the store stages at most.
    pub uploads: usize,
}

/// What a request leads to.
#[derive(Debug)]
#[must_use]
pub enum SessionAction {
    /// This is the answer.
    Reply(Reply),
    /// This is the answer, and the operation that is being executed is to be cancelled first: its `Pending` is void.
    Abandon(Reply),
    /// The operation is to be executed, and its outcome told to [`Session::on_outcome`].
    Perform(Operation, Pending),
    /// The client asks for the operation that is being executed: the answer is its outcome, or
    /// [`Pending::not_yet`] after about 500 ms.
    Poll,
}

/// A request that is being executed, and owes an answer: one, since it is used up by it.
///
/// ```compile_fail,E0382
/// # use remofile::{Outcome, session::{Pending, Session}};
/// # use std::time::Duration;
/// fn answer_twice(session: &mut Session, now: Duration, pending: Pending, outcome: Outcome) {
///     session.on_outcome(now, pending, outcome.clone());
///     session.on_outcome(now, pending, outcome);
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Pending {
    session: SessionId,
    running: Running,
    uploads: UploadEffect,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Consumes its number, and the reply is remembered.
    Execute,
    /// Consumes its number, and is executed again on a resend.
    Compute,
    /// Answers a resend, and changes nothing.
    Recompute,
}

impl Pending {
    /// The answer PENDING, which consumes nothing [SEQ-11]; progress in bytes or items where it is known.
    #[must_use]
    pub fn not_yet(&self, done: Option<u64>, total: Option<u64>) -> Reply {
        let detail = Detail::Progress { done, total };
        refuse(self.session, self.running.seq, Refusal { detail, ..Refusal::new(Code::Pending) })
    }

    /// The answer to a request whose session ended while it was being executed.
    #[must_use]
    pub fn abandoned(self) -> Reply {
        refuse(self.session, self.running.seq, Refusal::new(Code::NoSession))
    }
}

/// The server's session.
#[derive(Debug)]
pub struct Session {
    terms: ServerLimits,
    holder: Option<Holder>,
    ended: Ended,
    /// The server's latest work was for the holder.
    worked_for_holder: bool,
}

impl Session {
    /// Nobody holds the session, and no id has ended.
    #[must_use]
    pub fn new(terms: ServerLimits) -> Self {
        Self { terms, holder: None, ended: Ended::default(), worked_for_holder: false }
    }

    /// Takes a request at a monotonic time; `authentic` says whether hello's `auth` fits the token.
    pub fn on_request(
        &mut self,
        now: Duration,
        request: &Request<'_>,
        authentic: impl FnOnce(&SessionId, &[u8; 32]) -> bool,
    ) -> SessionAction {
        let header = &request.header;
        let is_hello = header.seq == 0 && header.op == "hello";
        let holder = self.holder.as_mut().filter(|holder| holder.id == header.session && !is_hello);
        self.worked_for_holder = holder.is_some();
        if let Some(holder) = holder {
            // [SES-13] whatever the answer, but hello has to be OK.
            holder.heard_at(now);
        }
        if header.seq != 0 {
            return self.numbered(request);
        }
        match header.op {
            "hello" => self.hello(now, request, authentic),
            "ping" => self.ping(request),
            "bye" => self.bye(request),
            _ => SessionAction::Reply(refuse(header.session, 0, Refusal::new(Code::BadOp))),
        }
    }

    /// Takes the outcome of an operation, at the time at which it ended.
    pub fn on_outcome(&mut self, now: Duration, pending: Pending, outcome: Outcome) -> Reply {
        let limit = self.terms.welcome.chunk.max(HEADER as u64);
        let holder = self.holder.as_mut().filter(|holder| holder.id == pending.session);
        let Some(holder) = holder.filter(|holder| holder.running == Some(pending.running)) else {
            return pending.abandoned();
        };
        holder.running = None;
        holder.heard_at(now);
        self.worked_for_holder = true;
        let Running { seq, fingerprint } = pending.running;
        if pending.purpose == Purpose::Execute {
            holder.begun.note(pending.uploads, &outcome);
        }
        let reply = answer(pending.session, seq, outcome, limit);
        match pending.purpose {
            Purpose::Execute => {
                let header = reply.header.clone().into_boxed_slice();
                holder.replies.remember(fingerprint, Remembered::Reply(header));
            }
            Purpose::Compute => holder.replies.remember(fingerprint, Remembered::Recompute),
            Purpose::Recompute => {}
        }
        reply
    }

    /// Tells that the work on the last request or outcome lasted until now: where it was the holder's, idle time
    /// counts from here [SES-14].
    pub fn work_ended(&mut self, now: Duration) {
        let worked = std::mem::take(&mut self.worked_for_holder);
        if let Some(holder) = self.holder.as_mut().filter(|_| worked) {
            holder.heard_at(now);
        }
    }

    /// The id that holds the session; one that said bye does not.
    #[must_use]
    pub fn owner(&self) -> Option<SessionId> {
        self.holder.as_ref().filter(|holder| !holder.released).map(|holder| holder.id)
    }

    /// Who holds the session at a time, or held it last; for logs.
    #[must_use]
    pub fn owner_info(&self, now: Duration) -> Option<OwnerInfo> {
        self.holder.as_ref().map(|holder| holder.owner_info(now))
    }

    /// How many bytes of replies are remembered: below 600 times the window.
    #[must_use]
    pub fn remembered_bytes(&self) -> usize {
        self.holder.as_ref().map_or(0, |holder| holder.replies.bytes())
    }

    // [SES-3] in this order.
    fn hello(
        &mut self,
        now: Duration,
        request: &Request<'_>,
        authentic: impl FnOnce(&SessionId, &[u8; 32]) -> bool,
    ) -> SessionAction {
        let id = request.header.session;
        let refused = |refusal| SessionAction::Reply(refuse(id, 0, refusal));
        let hello = match self.parse(request) {
            Ok(Operation::Hello(hello)) => hello,
            Ok(_) => return refused(Refusal::new(Code::BadOp)),
            Err(refusal) => return refused(refusal),
        };
        if !authentic(&id, &hello.auth) {
            return refused(Refusal::new(Code::Auth));
        }
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.id == id && !holder.released) {
            // [SES-4]
            holder.heard_at(now);
            return SessionAction::Reply(welcome(&self.terms, holder));
        }
        let replaced = match &self.holder {
            Some(holder) if holder.id == id => return refused(Refusal::new(Code::NoSession)),
            _ if self.ended.contains(id) => return refused(Refusal::new(Code::NoSession)),
            Some(holder) if !holder.gives_way(now) && hello.take != Some(holder.id) => {
                let detail = Detail::Busy(holder.introduce(now));
                return refused(Refusal { detail, ..Refusal::new(Code::Busy) });
            }
            holder => holder.as_ref().map(|holder| (holder.id, holder.running.is_some())),
        };
        let holder = self.holder.insert(admit(&self.terms, now, id, hello));
        let reply = welcome(&self.terms, holder);
        let Some((old, works)) = replaced else { return SessionAction::Reply(reply) };
        self.ended.push(old);
        // [SES-9] what runs for the old id is abandoned before anything is executed for the new one.
        if works { SessionAction::Abandon(reply) } else { SessionAction::Reply(reply) }
    }

    fn ping(&self, request: &Request<'_>) -> SessionAction {
        let (Ok(reply) | Err(reply)) = self.unnumbered(request, self.owner() == Some(request.header.session));
        SessionAction::Reply(reply)
    }

    fn bye(&mut self, request: &Request<'_>) -> SessionAction {
        // [SES-18] bye of the released id is OK as well.
        let known = self.holder.as_ref().is_some_and(|holder| holder.id == request.header.session);
        match (self.unnumbered(request, known), &mut self.holder) {
            (Ok(reply), Some(holder)) => {
                holder.released = true;
                // [SES-17] bye abandons what still runs.
                if holder.running.take().is_some() {
                    SessionAction::Abandon(reply)
                } else {
                    SessionAction::Reply(reply)
                }
            }
            (Ok(reply) | Err(reply), _) => SessionAction::Reply(reply),
        }
    }

    fn unnumbered(&self, request: &Request<'_>, known: bool) -> Result<Reply, Reply> {
        let id = request.header.session;
        // [CODE-5] BAD_ARGS comes before NO_SESSION where there is no number.
        self.parse(request).map_err(|refusal| refuse(id, 0, refusal))?;
        if !known {
            return Err(refuse(id, 0, Refusal::new(Code::NoSession)));
        }
        Ok(answer(id, 0, Ok(Success::of(Answer::Empty)), u64::MAX))
    }

    fn numbered(&mut self, request: &Request<'_>) -> SessionAction {
        let (id, seq) = (request.header.session, request.header.seq);
        let refused = |refusal| SessionAction::Reply(refuse(id, seq, refusal));
        let Some(holder) = self.holder.as_ref().filter(|holder| holder.id == id) else {
            return refused(Refusal::new(Code::NoSession));
        };
        let running = Running { seq, fingerprint: blake3::hash(request.header_frame).into() };
        if let Some(now_running) = holder.running.filter(|running| running.seq == seq) {
            // [SEQ-12]
            return if now_running == running { SessionAction::Poll } else { refused(Refusal::new(Code::SeqReused)) };
        }
        let next = holder.replies.next();
        let again = match holder.replies.find(seq) {
            Some((fingerprint, remembered)) if *fingerprint == running.fingerprint => match remembered {
                Remembered::Reply(header) => {
                    return SessionAction::Reply(Reply { header: header.to_vec(), payload: None });
                }
                Remembered::Recompute => true,
            },
            // [SES-18] of a released session nothing but remembered replies is left.
            _ if holder.released => return refused(Refusal::new(Code::NoSession)),
            Some(_) => return refused(Refusal::new(Code::SeqReused)),
            None if seq != next => return refused(Refusal { detail: Detail::Next(next), ..Refusal::new(Code::Seq) }),
            None => false,
        };
        if holder.running.is_some() {
            // A resend that has to be computed again: its turn comes when what runs is over.
            return refused(Refusal::new(Code::Pending));
        }
        self.execute(request, running, again)
    }

    fn execute(&mut self, request: &Request<'_>, running: Running, again: bool) -> SessionAction {
        let purpose = match request.header.op {
            _ if again => Purpose::Recompute,
            // [SEQ-8]
            "read" | "list" | "uploads" => Purpose::Compute,
            _ => Purpose::Execute,
        };
        let operation = self.admitted(request);
        if let Some(holder) = &mut self.holder {
            holder.running = Some(running);
        }
        let uploads = operation.as_ref().map_or(UploadEffect::None, UploadEffect::of);
        let pending = Pending { session: request.header.session, running, uploads, purpose };
        match operation {
            Ok(operation) => SessionAction::Perform(operation, pending),
            // [SEQ-6] a refusal consumes the number as well.
            Err(refusal) => SessionAction::Reply(self.on_outcome(Duration::ZERO, pending, Err(refusal))),
        }
    }

    /// The operation, or what it is refused for before the store looks at it.
    fn admitted(&self, request: &Request<'_>) -> Result<Operation, Refusal> {
        if let "hello" | "ping" | "bye" = request.header.op {
            // [ENV-13] these stand outside the numbering.
            return Err(Refusal::new(Code::BadOp));
        }
        match self.parse(request)? {
            Operation::Append { up, .. } | Operation::Commit { up, .. } if !self.may_name(up) => {
                Err(Refusal::new(Code::NoUpload))
            }
            operation => Ok(operation),
        }
    }

    /// Whether `up` was begun in this session [APPEND-2].
    fn may_name(&self, up: UploadId) -> bool {
        // DENIED, which a read-only server's store answers, comes before NO_UPLOAD.
        self.terms.welcome.ro || self.holder.as_ref().is_some_and(|holder| holder.begun.contains(up))
    }

    fn parse(&self, request: &Request<'_>) -> Result<Operation, Refusal> {
        let Welcome { chunk, header, .. } = self.terms.welcome;
        let limits = Limits { chunk, header: usize::try_from(header).unwrap_or(usize::MAX) };
        Operation::parse(&request.header, request.payload.map_or(0, <[u8]>::len), &limits)
    }
}

fn admit(terms: &ServerLimits, now: Duration, id: SessionId, hello: Hello) -> Holder {
    let longest = terms.welcome.lease_ms;
    // [SES-12]
    let lease_ms = hello.lease_ms.map_or(longest, |asked| asked.max(LEASE_MIN_MS).min(longest));
    Holder {
        id,
        client: hello.client,
        lease: Duration::from_millis(lease_ms),
        heard: now,
        released: false,
        replies: Replies::new(usize::try_from(terms.welcome.window).unwrap_or(usize::MAX)),
        begun: Begun::new(terms.uploads),
        running: None,
    }
}

fn welcome(terms: &ServerLimits, holder: &Holder) -> Reply {
    let welcome = Welcome { lease_ms: milliseconds(holder.lease), ..terms.welcome.clone() };
    answer(holder.id, 0, Ok(Success::of(Answer::Welcome(welcome))), u64::MAX)
}
