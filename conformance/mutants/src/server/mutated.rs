//! Mutations of how requests are taken, executed and answered.

use super::{
    Server, changes,
    execution::{Held, Running},
    is_reading,
};
use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    envelope::Request,
    mutations::{codes, control, encoding, envelope, hello, moving, sequence, session, targets, uploads},
    reply::{Answer, Fields, Refusal, Reply, field, integer, text},
    sequence::SeqStatus,
};
use remofile_proto::{
    Code, SessionId,
    cbor::{Item, Value},
};
use std::time::{Duration, Instant};

/// Messages that arrive within so many milliseconds of each other have arrived together.
const TOGETHER: i64 = 3;

/// How much later PENDING comes.
const PENDING_DELAY: Duration = Duration::from_millis(2_500);

impl Behaviour {
    pub(super) fn mutated_root(&self, root: Option<[u8; 16]>, boot: [u8; 16]) -> Option<[u8; 16]> {
        root.map(|root| if self.has(&hello::ROOT_IS_DRAWN) { boot } else { root })
    }

    /// Whether `ping` and its like may have a number.
    pub(super) fn mutated_numbered_ping(&self) -> bool {
        self.has(&envelope::NUMBERED_PING)
    }

    /// The reply to a message that a REP socket has to answer with an empty one.
    pub(super) fn mutated_empty_reply(&self) -> Option<Reply> {
        self.has(&envelope::REP_ANSWERS_IN_FULL).then(|| Refusal::from(Code::BadMessage).into())
    }

    pub(super) fn mutated_renewal_by_ping(&self) -> bool {
        !self.has(&session::PING_RENEWS_NOTHING)
    }

    pub(super) fn mutated_code_of_unnumbered(&self, code: Code) -> Code {
        if self.has(&envelope::UNNUMBERED_IS_BAD) { Code::BadMessage } else { code }
    }

    pub(super) fn mutated_renewal_by_request(&self, status: SeqStatus) -> bool {
        match status {
            SeqStatus::Remembered => !self.has(&session::REPEATED_RENEW_NOTHING),
            SeqStatus::Other | SeqStatus::Reused => !self.has(&session::REFUSED_RENEW_NOTHING),
            SeqStatus::Next => true,
        }
    }

    /// Whether a released session executes nothing more.
    pub(super) fn mutated_end_of_released(&self) -> bool {
        !self.has(&session::RELEASED_GOES_ON)
    }

    /// Whether a poll has to equal the request.
    pub(super) fn mutated_comparison_of_polls(&self) -> bool {
        !self.has(&sequence::POLLS_OF_ANOTHER)
    }

    pub(super) fn mutated_refusal_of_poll(&self, seq: u64) -> Option<Refusal> {
        let next = || vec![field("next", integer(seq + 1))];
        self.has(&sequence::POLLS_ARE_SEQ).then(|| Refusal::with(Code::Seq, next()))
    }

    pub(super) fn mutated_hold(&self, hold: Duration) -> Duration {
        match hold {
            _ if self.has(&sequence::POLLS_NOT_HELD) => Duration::ZERO,
            hold if self.has(&sequence::POLLS_HELD_LONG) => hold * 5,
            hold => hold,
        }
    }

    pub(super) fn mutated_older_polls(&self, held: &mut Vec<Held>) {
        if !held.is_empty() && self.has(&envelope::OLDER_POLLS_FORGOTTEN) {
            held.clear();
        }
    }

    /// Whether a read-only server, or any, refuses to remove the served directory.
    pub(super) fn mutated_removal_of_root(&self) -> bool {
        !self.has(&moving::ROOT_IS_LEFT_TO_THE_SYSTEM)
    }

    /// Whether a reply is remembered.
    pub(super) fn mutated_memory_of_reply(&self, held: &[Held]) -> bool {
        !(held.is_empty() && self.has(&sequence::FINISHED_UNAWAITED))
    }

    pub(super) fn mutated_renewal_by_work(&self) -> bool {
        !self.has(&session::IDLE_FROM_THE_START)
    }

    /// Whether a reply ends its session.
    pub(super) fn mutated_release(&self, code: Code) -> bool {
        code == Code::Denied && self.has(&targets::REFUSALS_RELEASE)
    }

    pub(super) fn mutated_code_of_cancel(&self, code: Code, held: &[Held]) -> Code {
        if !held.is_empty() && self.has(&sequence::CANCELLED_IS_INTERNAL) { Code::Internal } else { code }
    }

    pub(super) fn mutated_replies_of_cancel<'h>(&self, held: &'h [Held]) -> &'h [Held] {
        if !held.is_empty() && self.has(&sequence::REPLIES_LOST_ON_CANCEL) { &[] } else { held }
    }
}

impl Running {
    /// The held requests that get PENDING now: those that are due, or none where it is delayed once.
    pub(super) fn mutated_due(&mut self, due: Vec<Held>, now: Instant, behaviour: &Behaviour) -> Vec<Held> {
        let is_first = !due.is_empty() && !self.is_pending && !self.was_put_off;
        if is_first && behaviour.has(&sequence::PENDING_COMES_LATE) {
            self.was_put_off = true;
            self.held.extend(due.into_iter().map(|held| Held { until: now + PENDING_DELAY, ..held }));
            return Vec::new();
        }
        due
    }
}

impl Server {
    /// Takes the messages that wait in reverse order.
    pub(super) fn mutated_arrival(&mut self) -> Result<(), zmq::Error> {
        let mut waiting = Vec::new();
        while self.behaviour.selects(&sequence::BACKWARDS)
            && !self.transport.is_rep
            && self.transport.wait(&self.worker.done, true, TOGETHER)?.message
        {
            waiting.extend(self.transport.receive()?);
        }
        if waiting.len() > 1 && self.behaviour.has(&sequence::BACKWARDS) {
            waiting.reverse();
        }
        waiting.into_iter().try_for_each(|frames| self.take(frames))
    }

    /// What a message that does not decode does to the session; gives the frames of a remembered reply.
    pub(super) fn mutated_bad_message(&mut self, id: SessionId, seq: u64) -> Option<Vec<Vec<u8>>> {
        let owner = self.sessions.owner.as_mut().filter(|owner| owner.id == id)?;
        if let Some(remembered) = owner.numbers.remembered(seq)
            && self.behaviour.has(&sequence::FOUND_BY_NUMBER)
        {
            return Some(remembered.to_vec());
        }
        if self.behaviour.has(&session::BAD_MESSAGE_RENEWS) {
            owner.heard = Instant::now();
        }
        if seq == owner.numbers.next && self.behaviour.has(&sequence::BAD_MESSAGE_CONSUMES) {
            owner.numbers.next += 1;
        }
        None
    }

    pub(super) fn mutated_arguments_of_hello(
        &self,
        request: &Request<'_>,
        checked: Result<Arguments, Refusal>,
    ) -> Result<Arguments, Refusal> {
        match (&checked, request.args.get("auth")) {
            (Err(_), Some(Value::Bytes(auth)))
                if self.sessions.is_wrong(request.session, auth) && self.behaviour.has(&hello::AUTH_FIRST) =>
            {
                Err(Code::Auth.into())
            }
            _ => checked,
        }
    }

    pub(super) fn mutated_reply_to_hello(&mut self, request: &Request<'_>, is_current: bool, answer: Answer) -> Answer {
        if is_current && answer.is_ok() && self.behaviour.has(&hello::PENDING_HELLO) {
            return Ok(Reply { code: Code::Pending.number(), result: Fields::new(), payload: None });
        }
        if is_current && answer.is_err() && self.behaviour.has(&session::REFUSED_HELLOS_RENEW) {
            self.sessions.heard(request.session);
        }
        answer
    }

    pub(super) fn mutated_arguments_of_ping(
        &mut self,
        is_current: bool,
        checked: Result<Arguments, Refusal>,
    ) -> Result<Arguments, Refusal> {
        match (&checked, &mut self.sessions.owner) {
            (Err(_), _) if !is_current && self.behaviour.has(&codes::PINGS_OF_OTHERS) => Err(Code::NoSession.into()),
            (Err(_), Some(owner)) if is_current && self.behaviour.has(&sequence::REFUSED_PING_COUNTS) => {
                owner.numbers.next += 1;
                checked
            }
            _ => checked,
        }
    }

    /// Whether `bye` cancels the running operation.
    pub(super) fn mutated_cancel_by_bye(&self) -> bool {
        self.running.is_none() || !self.behaviour.has(&sequence::BYE_LETS_IT_RUN)
    }

    /// A refusal before session and number are checked.
    pub(super) fn mutated_early_refusal(&self, request: &Request<'_>) -> Option<Refusal> {
        let owner = self.sessions.owner.as_ref().filter(|owner| owner.id == request.session);
        if owner.is_some_and(|owner| owner.numbers.next >= request.seq) {
            return None;
        }
        let refusal = self.arguments(request).err()?;
        let is_early = match owner {
            None => self.behaviour.has(&codes::ARGS_BEFORE_SESSION),
            Some(_) => self.behaviour.has(&codes::ARGS_BEFORE_SEQ),
        };
        is_early.then_some(refusal)
    }

    /// The refusal of a request of another session, unless it is executed.
    pub(super) fn mutated_request_of_others(&self, status: SeqStatus, refusal: Refusal) -> Option<Refusal> {
        match status {
            SeqStatus::Next if self.behaviour.has(&session::OTHERS_ARE_EXECUTED) => None,
            SeqStatus::Other if self.behaviour.has(&codes::NO_SESSION_LATE) => Some(self.wrong_number()),
            _ => Some(refusal),
        }
    }

    /// Refuses a request again whose reply is not remembered.
    pub(super) fn mutated_resend_of_read(
        &self,
        request: &Request<'_>,
        status: SeqStatus,
        released: bool,
    ) -> Option<Refusal> {
        let is_resend = status == SeqStatus::Remembered && is_reading(request.op);
        let is_forgotten = self.behaviour.any(&[
            (is_resend && released, &session::READS_AFTER_BYE),
            (is_resend && !released, &sequence::READS_FORGOTTEN),
        ]);
        is_forgotten.then(|| self.wrong_number())
    }

    pub(super) fn mutated_resend(&self, frames: &[Vec<u8>]) -> Result<(), zmq::Error> {
        let is_twice = self.behaviour.has(&envelope::REMEMBERED_TWICE);
        if is_twice { self.transport.send(frames.to_vec()) } else { Ok(()) }
    }

    /// Whether a request after the running one is kept.
    pub(super) fn mutated_keeping(&self, running: &Running) -> bool {
        match running.is_pending {
            true => self.behaviour.has(&sequence::KEPT_AFTER_PENDING),
            false => !self.behaviour.has(&sequence::SEQ_BEFORE_PENDING),
        }
    }

    pub(super) fn mutated_wrong_number(&mut self, seq: u64, refusal: Refusal) -> Refusal {
        let Some(owner) = &mut self.sessions.owner else { return refusal };
        let next = owner.numbers.next;
        if seq > next && self.behaviour.has(&sequence::SEQ_CONSUMES) {
            owner.numbers.next = seq;
        }
        match next {
            _ if self.behaviour.has(&codes::SEQ_WITHOUT_NEXT) => Refusal::with(Code::Seq, Fields::new()),
            next if self.behaviour.has(&sequence::SEQ_RETURNS_THE_LAST) => {
                Refusal::with(Code::Seq, vec![field("next", integer(next - 1))])
            }
            _ => refusal,
        }
    }

    /// The session and number of a refusal.
    pub(super) fn mutated_address(&self, (mut id, mut seq): (SessionId, u64), refusal: &Refusal) -> (SessionId, u64) {
        if let Some(owner) = &self.sessions.owner {
            if owner.id != id && self.behaviour.has(&envelope::OWNERS_SESSION) {
                id = owner.id;
            }
            if refusal.code == Code::Seq && self.behaviour.has(&envelope::SEQ_OF_NEXT) {
                seq = owner.numbers.next;
            }
        }
        (id, seq)
    }

    pub(super) fn mutated_kept(&mut self) {
        if self.kept.len() > 1 && self.behaviour.has(&sequence::KEPT_BACKWARDS) {
            self.kept.reverse();
        }
    }

    pub(super) fn mutated_kept_after_pending(&mut self) {
        if !self.kept.is_empty() && self.behaviour.has(&sequence::KEPT_ARE_LOST) {
            self.kept.clear();
        }
    }

    /// Refuses operations of a read-only server before their arguments are checked.
    pub(super) fn mutated_read_only(&self, op: &str) -> Result<(), Refusal> {
        let is_nothing = self.read_only && matches!(op, "flush" | "uploads");
        let is_denied = self.read_only && changes(op);
        if is_denied && self.behaviour.has(&codes::READ_ONLY_IS_BAD_OP) {
            return Err(Code::BadOp.into());
        }
        let is_early = self.behaviour.any(&[(is_nothing, &codes::UNFLUSHED), (is_denied, &codes::DENIED_EARLY)]);
        if is_early { Err(Code::Denied.into()) } else { Ok(()) }
    }

    pub(super) fn mutated_reply(&self, seq: u64, mut reply: Reply) -> Reply {
        if seq > 0 && self.behaviour.has(&control::NOTHING_RIGHT) {
            reply = reply.inverted();
        }
        let has_msg = seq > 0 && reply.result.iter().any(|(key, _)| key == "msg");
        if reply.code == Code::NotFound.number() && self.behaviour.has(&codes::ROOT_IS_REVEALED) {
            reply.result = vec![field("msg", text(&format!("{}: not found", self.directory.display())))];
        }
        if reply.code == Code::NotEmpty.number() && self.behaviour.has(&codes::OWN_CODE) {
            reply.code = 77;
        }
        if reply.code == Code::BadMessage.number() && self.behaviour.has(&encoding::WRITES_DEEP) {
            let causes = (0..8).fold(text("it does not decode"), |causes, _| Item::Array(vec![causes]));
            reply.result.push(field("cause", causes));
        }
        if has_msg && self.behaviour.has(&codes::NUMBERS_FOR_PEOPLE) {
            reply.result = vec![field("msg", integer(reply.code.into()))];
        }
        reply
    }

    /// The session whose uploads a request may use.
    pub(super) fn mutated_owner(&self, prefix: &[Vec<u8>], session: SessionId) -> SessionId {
        match prefix.first() {
            Some(way) if self.behaviour.selects(&uploads::OF_A_CONNECTION) => {
                let mut id = [0; 16];
                id.copy_from_slice(&blake3::hash(way).as_bytes()[..16]);
                SessionId::new(id)
            }
            _ => session,
        }
    }

    /// Keeps the requests that arrive soon after one, however short that one takes.
    pub(super) fn mutated_gathering(&mut self) -> Result<(), zmq::Error> {
        while self.behaviour.selects(&sequence::KEPT_BACKWARDS)
            && !self.transport.is_rep
            && self.kept.len() < self.limits.window
            && self.transport.wait(&self.worker.done, true, TOGETHER)?.message
        {
            self.kept.extend(self.transport.receive()?);
        }
        Ok(())
    }

    /// The PENDING reply to send; nothing where it concludes the request.
    pub(super) fn mutated_pending(&mut self, pending: Reply, held: &Held) -> Result<Option<Reply>, zmq::Error> {
        if !self.behaviour.has(&sequence::PENDING_CONSUMES) {
            return Ok(Some(pending));
        }
        if let Some(running) = &mut self.running {
            running.held.push(Held { prefix: held.prefix.clone(), until: held.until });
        }
        self.conclude(pending).map(|()| None)
    }
}
