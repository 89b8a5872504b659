//! Section 7.2: the request that is being executed, and the requests that wait for its reply.

use super::{Server, TOGETHER};
use crate::{
    envelope::Request,
    mutations,
    reply::{Refusal, Reply, field, integer},
    variants,
    worker::{Progress, Task},
};
use remofile_proto::{Code, SessionId};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long the worker is waited for before anything else is read: most operations take less.
const SHORT: i64 = 20;

/// How much later a mutation answers PENDING.
const LATE: Duration = Duration::from_millis(2_500);

/// The numbered request that is being executed.
pub(super) struct Running {
    pub(super) session: SessionId,
    pub(super) seq: u64,
    pub(super) header: Vec<u8>,
    pub(super) progress: Arc<Progress>,
    /// The requests that wait for its reply.
    pub(super) held: Vec<Held>,
    /// It was answered PENDING.
    pub(super) is_pending: bool,
    /// PENDING was put off, which a mutation does once.
    pub(super) was_put_off: bool,
}

/// A request or poll that is held ([SEQ-13]).
pub(super) struct Held {
    pub(super) prefix: Vec<Vec<u8>>,
    pub(super) until: Instant,
}

impl Server {
    /// Has the next number executed, and waits for a little while.
    pub(super) fn execute(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let (session, seq, progress) = (request.session, request.seq, Arc::new(Progress::default()));
        let held = vec![Held { prefix: prefix.to_vec(), until: Instant::now() + self.limits.hold }];
        let header = request.header.to_vec();
        let (is_pending, was_put_off) = (false, false);
        self.running =
            Some(Running { session, seq, header, progress: Arc::clone(&progress), held, is_pending, was_put_off });
        self.executed += 1;
        if (self.executed.is_multiple_of(50) && self.behaviour.is_variant(&variants::NOW_AND_THEN))
            || self.behaviour.is_variant(&variants::PENDING_FIRST)
        {
            self.say_pending(Instant::now() + self.limits.hold)?;
        }
        let task = self.arguments(request).map(|arguments| Task {
            session: self.owner(prefix, session),
            op: request.op.to_owned(),
            arguments,
            payload: request.payload.unwrap_or_default().to_vec(),
            progress,
        });
        match task {
            Err(refusal) => self.conclude(refusal.into()),
            Ok(task) => {
                if self.worker.execute(task).is_err() {
                    return self.conclude(Refusal::from(Code::Internal).into());
                }
                self.keep_what_comes_together()?;
                if self.transport.wait(&self.worker.done, false, SHORT)?.done { self.finish() } else { Ok(()) }
            }
        }
    }

    /// Whose uploads a request may go on with.
    fn owner(&self, prefix: &[Vec<u8>], session: SessionId) -> SessionId {
        match prefix.first() {
            Some(way) if self.behaviour.selects(&mutations::uploads::OF_A_CONNECTION) => {
                let mut id = [0; 16];
                id.copy_from_slice(&blake3::hash(way).as_bytes()[..16]);
                SessionId::new(id)
            }
            _ => session,
        }
    }

    /// A mutation: keeps the requests that arrive soon after one, however short that one takes.
    fn keep_what_comes_together(&mut self) -> Result<(), zmq::Error> {
        while self.behaviour.selects(&mutations::sequence::KEPT_BACKWARDS)
            && !self.transport.is_rep
            && self.kept.len() < self.limits.window
            && self.transport.wait(&self.worker.done, true, TOGETHER)?.message
        {
            self.kept.extend(self.transport.receive()?);
        }
        Ok(())
    }

    /// A legal variant has a remembered number executed once more, and waits for the end ([SEQ-8]).
    pub(super) fn execute_again(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let (session, progress) = (request.session, Arc::new(Progress::default()));
        let task = self.arguments(request).map(|arguments| Task {
            session,
            op: request.op.to_owned(),
            arguments,
            payload: Vec::new(),
            progress: Arc::clone(&progress),
        });
        let reply = match task.map(|task| self.worker.execute(task)) {
            Err(refusal) => refusal.into(),
            Ok(Err(_)) => Refusal::from(Code::Internal).into(),
            Ok(Ok(())) => loop {
                self.transport.wait(&self.worker.done, false, -1)?;
                match self.worker.answer() {
                    Some((of, reply)) if Arc::ptr_eq(&of, &progress) => break reply,
                    // The reply of a cancelled operation is dropped.
                    _ => {}
                }
            },
        };
        self.reply(prefix, session, request.seq, reply)
    }

    /// What the worker has to say.
    pub(super) fn finish(&mut self) -> Result<(), zmq::Error> {
        while let Some((progress, reply)) = self.worker.answer() {
            // The reply of a cancelled operation is dropped.
            if self.running.as_ref().is_some_and(|running| Arc::ptr_eq(&running.progress, &progress)) {
                self.conclude(reply)?;
            }
        }
        Ok(())
    }

    /// [SEQ-14] The running request has its reply.
    fn conclude(&mut self, reply: Reply) -> Result<(), zmq::Error> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let code = Code::from_number(reply.code.into()).unwrap_or(Code::Internal);
        let frames = self.frames(running.session, running.seq, reply);
        for held in &running.held {
            self.transport.send(held.prefix.iter().chain(&frames).cloned().collect())?;
        }
        let unheard = running.held.is_empty() && self.behaviour.has(&mutations::sequence::FINISHED_UNAWAITED);
        if let Some(holder) = self.sessions.holder.as_mut().filter(|_| !unheard) {
            if !self.behaviour.has(&mutations::session::IDLE_FROM_THE_START) {
                holder.heard = Instant::now();
            }
            holder.numbers.consume(running.seq, running.header, frames, code);
            if code == Code::Denied && self.behaviour.has(&mutations::targets::REFUSALS_RELEASE) {
                holder.released = true;
            }
        }
        self.take_kept()
    }

    /// [SEQ-10] Answers PENDING to the requests that were held for long enough.
    pub(super) fn answer_pending(&mut self) -> Result<(), zmq::Error> {
        self.say_pending(Instant::now())
    }

    /// Answers PENDING to the requests that are held until `now` at most.
    fn say_pending(&mut self, now: Instant) -> Result<(), zmq::Error> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let due: Vec<Held> = running.held.extract_if(.., |held| held.until <= now).collect();
        if due.is_empty() {
            return Ok(());
        }
        if !running.is_pending && !running.was_put_off && self.behaviour.has(&mutations::sequence::PENDING_COMES_LATE) {
            running.was_put_off = true;
            running.held.extend(due.into_iter().map(|held| Held { until: now + LATE, ..held }));
            return Ok(());
        }
        running.is_pending = true;
        let (done, total) = (running.progress.done.load(Relaxed), running.progress.total.load(Relaxed));
        let result = match total {
            0 => Vec::new(),
            _ if self.behaviour.is_variant(&variants::LATE_PENDING) => Vec::new(),
            _ => vec![field("done", integer(done)), field("total", integer(total))],
        };
        let (session, seq) = (running.session, running.seq);
        for held in due {
            let pending = Reply { code: Code::Pending.number(), result: result.clone(), payload: None };
            if self.behaviour.has(&mutations::sequence::PENDING_CONSUMES) {
                return self.conclude_early(pending, held);
            }
            self.reply(&held.prefix, session, seq, pending)?;
        }
        if !self.kept.is_empty() && self.behaviour.has(&mutations::sequence::KEPT_ARE_LOST) {
            self.kept.clear();
        }
        self.take_kept()
    }

    /// PENDING as if it were the last word.
    fn conclude_early(&mut self, pending: Reply, held: Held) -> Result<(), zmq::Error> {
        if let Some(running) = &mut self.running {
            running.held.push(held);
        }
        self.conclude(pending)
    }

    /// [SES-9], [SES-17], [SEQ-15]: cancels the running operation, and answers the held requests ([SEQ-27]).
    pub(super) fn cancel(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.progress.cancel();
        for held in &running.held {
            if self.behaviour.has(&mutations::sequence::REPLIES_LOST_ON_CANCEL) {
                break;
            }
            // A failed send is dropped: the next wait reports a broken socket.
            let internal = self.behaviour.has(&mutations::sequence::CANCELLED_IS_INTERNAL);
            let code = if internal { Code::Internal } else { Code::NoSession };
            let _ = self.reply(&held.prefix, running.session, running.seq, Refusal::from(code).into());
        }
    }
}
