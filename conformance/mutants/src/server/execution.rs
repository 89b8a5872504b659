//! Section 7.2: the request that is being executed, and the requests that wait for its reply.

use super::Server;
use crate::{
    envelope::Request,
    reply::{Refusal, Reply, field, integer},
    variants,
    worker::{Progress, Task},
};
use remofile_proto::{Code, SessionId};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

/// How long the worker is waited for before anything else is read: most operations take less.
const SHORT: i64 = 20;

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
            session: self.mutated_owner(prefix, session),
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
                self.mutated_gathering()?;
                if self.transport.wait(&self.worker.done, false, SHORT)?.done { self.finish() } else { Ok(()) }
            }
        }
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
    pub(super) fn conclude(&mut self, reply: Reply) -> Result<(), zmq::Error> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let code = Code::from_number(reply.code.into()).unwrap_or(Code::Internal);
        let frames = self.frames(running.session, running.seq, reply);
        for held in &running.held {
            self.transport.send(held.prefix.iter().chain(&frames).cloned().collect())?;
        }
        if let Some(owner) = &mut self.sessions.owner
            && self.behaviour.mutated_memory_of_reply(&running.held)
        {
            if self.behaviour.mutated_renewal_by_work() {
                owner.heard = Instant::now();
            }
            owner.numbers.consume(running.seq, running.header, frames, code);
            owner.released |= self.behaviour.mutated_release(code);
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
        let due = running.mutated_due(due, now, &self.behaviour);
        if due.is_empty() {
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
            let Some(pending) = self.mutated_pending(pending, &held)? else { return Ok(()) };
            self.reply(&held.prefix, session, seq, pending)?;
        }
        self.mutated_kept_after_pending();
        self.take_kept()
    }

    /// [SES-9], [SES-17], [SEQ-15]: cancels the running operation, and answers the held requests ([SEQ-27]).
    pub(super) fn cancel(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.progress.cancel();
        let code = self.behaviour.mutated_code_of_cancel(Code::NoSession, &running.held);
        for held in self.behaviour.mutated_replies_of_cancel(&running.held) {
            // A failed send is dropped: the next wait reports a broken socket.
            let _ = self.reply(&held.prefix, running.session, running.seq, Refusal::from(code).into());
        }
    }
}
