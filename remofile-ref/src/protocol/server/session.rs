//! The server's session as a pure state machine: **at any moment at most one request is being executed, every
//! number is executed at most once and in order, and each request is answered once.**
//!
//! What is absent: sockets, files, clocks and randomness. Time is an argument, monotonic, from any starting point; ids
//! come from clients. Operations leave as data ([`SessionAction::Perform`]) and come back as outcomes
//! ([`Session::on_outcome`]); the [`Pending`] between the two can be neither copied nor used twice.
//!
//! Memory is bounded: `window` remembered replies without payloads (`reply_cache`), as many uploads as the store
//! stages (`open_uploads`), 1,024 retired ids (`retired_ids`), and one header of the owner.

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
use open_uploads::{OpenUploads, UploadChange};
use owner::{RunningRequest, SessionOwner, milliseconds};
use remofile_proto::envelope::Request;
use remofile_proto::limits::{HEADER, LEASE_MIN_MS, Limits};
use remofile_proto::{
    Answer, Code, Detail, Hello, HelloReply, Operation, OperationInfo, Payload, Refusal, SessionId, UploadId,
};
use reply_cache::{CachedReply, ReplyCache};
use retired_ids::RetiredIds;
use std::time::Duration;

/// The BLAKE3 hash of a header frame: two headers are the same exactly when these are.
type Fingerprint = [u8; 32];

/// The longest message in a refusal, in bytes; the rest is cut off.
const MAX_MESSAGE: usize = 256;

/// What a server offers to the client that opens the session.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// The result of every hello; its `lease_ms` is the longest lease, granted where no shorter one is asked for.
    pub welcome: HelloReply,
    /// How many uploads the store stages at most.
    pub uploads: usize,
}

/// What a request leads to.
#[derive(Debug)]
#[must_use]
pub enum SessionAction {
    /// Send this answer.
    Reply(Reply),
    /// Send this answer after cancelling the running operation, whose `Pending` is void.
    Abandon(Reply),
    /// The operation is to be executed, and its outcome passed to [`Session::on_outcome`].
    Perform(Operation, Pending),
    /// The client asks for the operation that is being executed: the answer is its outcome, or
    /// [`Pending::not_yet`] after about 500 ms.
    Poll,
}

/// A request that is being executed and owes one answer: answering consumes it.
///
/// ```compile_fail,E0382
/// # use remofile::{Outcome, protocol::server::session::{Pending, Session}};
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
    running: RunningRequest,
    upload: Option<UploadChange>,
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
    limits: ServerLimits,
    owner: Option<SessionOwner>,
    retired_ids: RetiredIds,
    /// The server's latest work was for the owner.
    worked_for_owner: bool,
}

impl Session {
    /// A session without an owner and without retired ids.
    #[must_use]
    pub fn new(limits: ServerLimits) -> Self {
        Self { limits, owner: None, retired_ids: RetiredIds::default(), worked_for_owner: false }
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
        let owner = self.owner.as_mut().filter(|owner| owner.id == header.session && !is_hello);
        self.worked_for_owner = owner.is_some();
        if let Some(owner) = owner {
            // [SES-13] whatever the answer, but hello has to be OK.
            owner.mark_heard(now);
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
        let limit = self.limits.welcome.chunk.max(HEADER as u64);
        let owner = self.owner.as_mut().filter(|owner| owner.id == pending.session);
        let Some(owner) = owner.filter(|owner| owner.running == Some(pending.running)) else {
            return pending.abandoned();
        };
        owner.running = None;
        owner.mark_heard(now);
        self.worked_for_owner = true;
        let RunningRequest { seq, fingerprint } = pending.running;
        if pending.purpose == Purpose::Execute
            && let Some(upload) = pending.upload
        {
            owner.open_uploads.note(upload, &outcome);
        }
        let reply = answer(pending.session, seq, outcome, limit);
        match pending.purpose {
            Purpose::Execute => {
                let header = reply.header.clone().into_boxed_slice();
                owner.reply_cache.remember(fingerprint, CachedReply::Reply(header));
            }
            Purpose::Compute => owner.reply_cache.remember(fingerprint, CachedReply::Recompute),
            Purpose::Recompute => {}
        }
        reply
    }

    /// Notes that the work on the last request or outcome took until `now`: if it was for the owner, the owner's idle
    /// time starts here [SES-14].
    pub fn work_ended(&mut self, now: Duration) {
        let worked = std::mem::take(&mut self.worked_for_owner);
        if let Some(owner) = self.owner.as_mut().filter(|_| worked) {
            owner.mark_heard(now);
        }
    }

    /// The id of the owner; `None` after its bye.
    #[must_use]
    pub fn owner(&self) -> Option<SessionId> {
        self.owner.as_ref().filter(|owner| !owner.closed).map(|owner| owner.id)
    }

    /// The current or last owner at a time, for logs.
    #[must_use]
    pub fn owner_info(&self, now: Duration) -> Option<OwnerInfo> {
        self.owner.as_ref().map(|owner| owner.owner_info(now))
    }

    /// How many bytes of replies are remembered: below 600 times the window.
    #[must_use]
    pub fn remembered_bytes(&self) -> usize {
        self.owner.as_ref().map_or(0, |owner| owner.reply_cache.bytes())
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
        if let Some(owner) = self.owner.as_mut().filter(|owner| owner.id == id && !owner.closed) {
            // [SES-4]
            owner.mark_heard(now);
            return SessionAction::Reply(welcome(&self.limits, owner));
        }
        let replaced = match &self.owner {
            Some(owner) if owner.id == id => return refused(Refusal::new(Code::NoSession)),
            _ if self.retired_ids.contains(id) => return refused(Refusal::new(Code::NoSession)),
            Some(owner) if !owner.is_expired(now) && hello.take != Some(owner.id) => {
                let detail = Detail::Busy(owner.busy_detail(now));
                return refused(Refusal { detail, ..Refusal::new(Code::Busy) });
            }
            owner => owner.as_ref().map(|owner| (owner.id, owner.running.is_some())),
        };
        let owner = self.owner.insert(new_owner(&self.limits, now, id, hello));
        let reply = welcome(&self.limits, owner);
        let Some((old, is_executing)) = replaced else { return SessionAction::Reply(reply) };
        self.retired_ids.push(old);
        // [SES-9] The operation of the old id is abandoned before anything is executed for the new one.
        if is_executing { SessionAction::Abandon(reply) } else { SessionAction::Reply(reply) }
    }

    fn ping(&self, request: &Request<'_>) -> SessionAction {
        let (Ok(reply) | Err(reply)) = self.unnumbered(request, self.owner() == Some(request.header.session));
        SessionAction::Reply(reply)
    }

    fn bye(&mut self, request: &Request<'_>) -> SessionAction {
        // [SES-18] bye of the released id is OK as well.
        let known = self.owner.as_ref().is_some_and(|owner| owner.id == request.header.session);
        match (self.unnumbered(request, known), &mut self.owner) {
            (Ok(reply), Some(owner)) => {
                owner.closed = true;
                // [SES-17] bye abandons the running operation.
                if owner.running.take().is_some() { SessionAction::Abandon(reply) } else { SessionAction::Reply(reply) }
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
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.id == id) else {
            return refused(Refusal::new(Code::NoSession));
        };
        let running = RunningRequest { seq, fingerprint: blake3::hash(request.header_frame).into() };
        if let Some(now_running) = owner.running.filter(|running| running.seq == seq) {
            // [SEQ-12]
            return if now_running == running { SessionAction::Poll } else { refused(Refusal::new(Code::SeqReused)) };
        }
        let next = owner.reply_cache.next();
        let again = match owner.reply_cache.find(seq) {
            Some((fingerprint, remembered)) if *fingerprint == running.fingerprint => match remembered {
                CachedReply::Reply(header) => {
                    return SessionAction::Reply(Reply { header: header.to_vec(), payload: None });
                }
                CachedReply::Recompute => true,
            },
            // [SES-18] of a released session nothing but remembered replies is left.
            _ if owner.closed => return refused(Refusal::new(Code::NoSession)),
            Some(_) => return refused(Refusal::new(Code::SeqReused)),
            None if seq != next => return refused(Refusal { detail: Detail::Next(next), ..Refusal::new(Code::Seq) }),
            None => false,
        };
        if owner.running.is_some() {
            // A resend that has to be computed again, after the running operation.
            return refused(Refusal::new(Code::Pending));
        }
        self.execute(request, running, again)
    }

    fn execute(&mut self, request: &Request<'_>, running: RunningRequest, again: bool) -> SessionAction {
        let is_recomputable = OperationInfo::by_name(request.header.op).is_some_and(OperationInfo::is_recomputable);
        let purpose = match (again, is_recomputable) {
            (true, _) => Purpose::Recompute,
            // [SEQ-8]
            (false, true) => Purpose::Compute,
            (false, false) => Purpose::Execute,
        };
        let operation = self.admitted(request);
        if let Some(owner) = &mut self.owner {
            owner.running = Some(running);
        }
        let upload = operation.as_ref().ok().and_then(UploadChange::of);
        let pending = Pending { session: request.header.session, running, upload, purpose };
        match operation {
            Ok(operation) => SessionAction::Perform(operation, pending),
            // [SEQ-6] a refusal consumes the number as well.
            Err(refusal) => SessionAction::Reply(self.on_outcome(Duration::ZERO, pending, Err(refusal))),
        }
    }

    /// The operation, or what it is refused for before the store looks at it.
    fn admitted(&self, request: &Request<'_>) -> Result<Operation, Refusal> {
        if !OperationInfo::by_name(request.header.op).is_some_and(OperationInfo::is_numbered) {
            // [ENV-13] hello, ping and bye are not numbered.
            return Err(Refusal::new(Code::BadOp));
        }
        let operation = self.parse(request)?;
        match operation.up() {
            Some(up) if operation.info().needs_begin() && !self.may_name(up) => Err(Refusal::new(Code::NoUpload)),
            _ => Ok(operation),
        }
    }

    /// Whether `up` was begun in this session [APPEND-2].
    fn may_name(&self, up: UploadId) -> bool {
        // DENIED, which a read-only server's store answers, comes before NO_UPLOAD.
        self.limits.welcome.ro || self.owner.as_ref().is_some_and(|owner| owner.open_uploads.contains(up))
    }

    fn parse(&self, request: &Request<'_>) -> Result<Operation, Refusal> {
        let HelloReply { chunk, header, .. } = self.limits.welcome;
        let limits = Limits { chunk, header: usize::try_from(header).unwrap_or(usize::MAX) };
        Operation::parse(&request.header, Payload::of_request(request), &limits)
    }
}

fn new_owner(limits: &ServerLimits, now: Duration, id: SessionId, hello: Hello) -> SessionOwner {
    let longest = limits.welcome.lease_ms;
    // [SES-12]
    let lease_ms = hello.lease_ms.map_or(longest, |asked| asked.max(LEASE_MIN_MS).min(longest));
    SessionOwner {
        id,
        client: hello.client,
        lease: Duration::from_millis(lease_ms),
        last_heard: now,
        closed: false,
        reply_cache: ReplyCache::new(usize::try_from(limits.welcome.window).unwrap_or(usize::MAX)),
        open_uploads: OpenUploads::new(limits.uploads),
        running: None,
    }
}

fn welcome(limits: &ServerLimits, owner: &SessionOwner) -> Reply {
    let welcome = HelloReply { lease_ms: milliseconds(owner.lease), ..limits.welcome.clone() };
    answer(owner.id, 0, Ok(Success::of(Answer::Hello(welcome))), u64::MAX)
}
