//! The server: takes messages, keeps the session and the numbers, and has the worker execute.

mod execution;
mod mutated;

use crate::{
    arguments::{self, Arguments},
    behaviour::Behaviour,
    command::Options,
    envelope::{self, Message, Request},
    lax_decoder,
    limits::Limits,
    reply::{Refusal, Reply, field, integer},
    sequence::SeqStatus,
    session::{About, HelloOutcome, Sessions},
    store::Store,
    transport::Transport,
    variants,
    worker::Worker,
};
use execution::{Held, Running};
use remofile_proto::{Code, Keys, SessionId, Token};
use std::{
    convert::Infallible,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How late a hello is answered, where it is.
const LATE: Duration = Duration::from_millis(300);

/// A running server.
pub(crate) struct Server {
    transport: Transport,
    worker: Worker,
    sessions: Sessions,
    running: Option<Running>,
    /// Messages that arrived while a request is executed, and may have to be executed after it ([SEQ-26]).
    kept: Vec<Vec<Vec<u8>>>,
    limits: Limits,
    behaviour: Behaviour,
    read_only: bool,
    directory: PathBuf,
    /// How many numbered requests were.
    executed: u64,
}

impl Server {
    /// Opens everything, and tells on standard error where it serves.
    pub(crate) fn start(options: &Options) -> Result<Self, String> {
        let behaviour = Behaviour::new(options.mutation, options.variant, options.reached.clone());
        let token = Token::parse(&options.token).map_err(|error| error.to_string())?;
        let keys = Keys::derive(&token);
        let limits = Limits::new(options.lease_ms, &behaviour);
        let store = Store::open(&options.directory, options.read_only, limits.clone(), behaviour.clone())?;
        let mut boot = [0; 16];
        getrandom::fill(&mut boot).map_err(|error| format!("no random bytes: {error}"))?;
        let root = behaviour.mutated_root(store.root_id(), boot);
        let about = About { boot, root, read_only: options.read_only };
        let context = zmq::Context::new();
        let transport = Transport::bind(&context, options, &keys, &limits, &behaviour)?;
        let worker = Worker::start(&context, store)?;
        let mut sessions =
            Sessions::new(keys.hello.clone(), options.token.clone(), about, limits.clone(), behaviour.clone());
        sessions.mutated_start(&options.directory);
        eprintln!("mutation-server: serving on {}", transport.endpoint());
        let (read_only, directory) = (options.read_only, options.directory.clone());
        Ok(Self {
            transport,
            worker,
            sessions,
            running: None,
            kept: Vec::new(),
            limits,
            behaviour,
            read_only,
            directory,
            executed: 0,
        })
    }

    /// Serves until something fails.
    pub(crate) fn serve(&mut self) -> Result<Infallible, String> {
        loop {
            self.turn().map_err(|error| format!("the socket failed: {error}"))?;
        }
    }

    /// Waits for whatever comes next, and deals with it.
    fn turn(&mut self) -> Result<(), zmq::Error> {
        // A REP socket cannot receive before it has answered, and kept messages are few.
        let holds = self.running.as_ref().is_some_and(|running| !running.held.is_empty());
        let reading = !(self.transport.is_rep && holds) && self.kept.len() < self.limits.window;
        let ready = self.transport.wait(&self.worker.done, reading, self.patience())?;
        if ready.zap {
            self.transport.admit()?;
        }
        if ready.done {
            self.finish()?;
        }
        self.answer_pending()?;
        self.sessions.mutated_expiry(self.running.is_some());
        if ready.message
            && let Some(frames) = self.transport.receive()?
        {
            self.take(frames)?;
            self.mutated_arrival()?;
        }
        Ok(())
    }

    /// How long nothing has to be done, in milliseconds; for ever is negative.
    fn patience(&self) -> i64 {
        let held = self.running.iter().flat_map(|running| &running.held);
        let left = |held: &Held| held.until.saturating_duration_since(Instant::now());
        let millis = |left: Duration| i64::try_from(left.as_millis()).unwrap_or(i64::MAX - 1) + 1;
        held.map(left).min().map_or(-1, millis)
    }

    /// A message has come.
    fn take(&mut self, frames: Vec<Vec<u8>>) -> Result<(), zmq::Error> {
        let split = if self.transport.is_rep {
            Some((&frames[..0], &frames[..]))
        } else {
            envelope::split(&frames, &self.behaviour)
        };
        let Some((prefix, body)) = split else { return Ok(()) };
        // [ENV-23]
        if frames.len() > 32 && self.behaviour.is_variant(&variants::LONG_ROUTES) {
            return self.ignore();
        }
        let prefix = &envelope::way_back(prefix, &self.behaviour)[..];
        let mut body = body.to_vec();
        if let Some(header) = body.first_mut() {
            let owner = self.sessions.owner.as_ref().map(|owner| owner.id);
            *header = lax_decoder::read(header, owner, &self.behaviour).into_owned();
        }
        let message = envelope::classify(&body, &self.limits, &self.behaviour);
        match message {
            Message::Ignore => self.ignore(),
            Message::Refuse(session, seq, refusal) => self.refuse_unread(prefix, session, seq, refusal),
            Message::Request(request) if self.is_unnumbered(&request) => self.unnumbered(prefix, &request),
            Message::Request(request) => {
                if self.numbered(prefix, &request)? {
                    self.kept.push(frames);
                }
                Ok(())
            }
        }
    }

    /// [ENV-13]
    fn is_unnumbered(&self, request: &Request<'_>) -> bool {
        request.seq == 0 || (is_of_session(request.op) && self.behaviour.mutated_numbered_ping())
    }

    /// Steps 2 and 3 of the order.
    fn refuse_unread(
        &mut self,
        prefix: &[Vec<u8>],
        session: SessionId,
        seq: u64,
        refusal: Refusal,
    ) -> Result<(), zmq::Error> {
        if let Some(frames) = self.mutated_bad_message(session, seq) {
            return self.transport.send(prefix.iter().cloned().chain(frames).collect());
        }
        self.reply(prefix, session, seq, refusal.into())
    }

    /// [ENV-19]
    fn ignore(&self) -> Result<(), zmq::Error> {
        if !self.transport.is_rep {
            return Ok(());
        }
        if let Some(reply) = self.behaviour.mutated_empty_reply() {
            return self.reply(&[], SessionId::new([0; 16]), 0, reply);
        }
        self.transport.send(vec![Vec::new()])
    }

    /// Step 4 of the order.
    fn unnumbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let is_current = self.sessions.is_current(request.session);
        let result = match request.op {
            "hello" => {
                if self.behaviour.is_variant(&variants::LATE_HELLO) {
                    thread::sleep(LATE);
                }
                let checked = self.mutated_arguments_of_hello(request, self.arguments(request));
                let result = checked.and_then(|args| self.hello(request.session, &args));
                self.mutated_reply_to_hello(request, is_current, result)
            }
            "ping" | "bye" => {
                if self.behaviour.mutated_renewal_by_ping() {
                    self.sessions.heard(request.session);
                }
                let checked = self.mutated_arguments_of_ping(is_current, self.arguments(request));
                checked.and_then(|_| match request.op {
                    "ping" => self.sessions.ping(request.session).map(Reply::ok),
                    _ => self.bye(request.session),
                })
            }
            _ => {
                self.sessions.heard(request.session);
                Err(self.behaviour.mutated_code_of_unnumbered(Code::BadOp).into())
            }
        };
        self.reply(prefix, request.session, request.seq, result.unwrap_or_else(Reply::from))?;
        self.take_kept()
    }

    fn hello(&mut self, id: SessionId, args: &Arguments) -> Result<Reply, Refusal> {
        let result = match self.sessions.hello(id, args, self.running.is_some())? {
            HelloOutcome::Repeated(result) => result,
            HelloOutcome::Opened(result) => {
                self.cancel();
                result
            }
        };
        Ok(Reply::ok(result))
    }

    fn bye(&mut self, id: SessionId) -> Result<Reply, Refusal> {
        let result = self.sessions.bye(id)?;
        if self.mutated_cancel_by_bye() {
            self.cancel();
        }
        Ok(Reply::ok(result))
    }

    /// Steps 5 and 6 of the order; whether the message is to be kept.
    fn numbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<bool, zmq::Error> {
        if let Some(refusal) = self.mutated_early_refusal(request) {
            return self.refuse(prefix, request, refusal);
        }
        let Some(owner) = &mut self.sessions.owner else {
            return self.refuse(prefix, request, Code::NoSession.into());
        };
        let status = owner.numbers.status(request.seq, request.header);
        if owner.id != request.session {
            return match self.mutated_request_of_others(status, Code::NoSession.into()) {
                None => self.execute(prefix, request).map(|()| false),
                Some(refusal) => self.refuse(prefix, request, refusal),
            };
        }
        if self.behaviour.mutated_renewal_by_request(status) {
            owner.heard = Instant::now();
        }
        let released = owner.released;
        if let Some(refusal) = self.mutated_resend_of_read(request, status, released) {
            return self.refuse(prefix, request, refusal);
        }
        match (status, &self.running) {
            (SeqStatus::Remembered, running)
                if is_reading(request.op) && self.behaviour.is_variant(&variants::READS_AGAIN) =>
            {
                match running {
                    // In its turn, like every request.
                    Some(_) => Ok(true),
                    None => self.execute_again(prefix, request).map(|()| false),
                }
            }
            (SeqStatus::Remembered, _) => self.send_again(prefix, request.seq).map(|()| false),
            _ if released && self.behaviour.mutated_end_of_released() => {
                self.refuse(prefix, request, Code::NoSession.into())
            }
            (SeqStatus::Reused, _) => self.refuse(prefix, request, Code::SeqReused.into()),
            (SeqStatus::Next, Some(running))
                if running.header != request.header && self.behaviour.mutated_comparison_of_polls() =>
            {
                self.refuse(prefix, request, Code::SeqReused.into())
            }
            (SeqStatus::Next, Some(_)) => self.hold(prefix, request),
            (SeqStatus::Next, None) => self.execute(prefix, request).map(|()| false),
            (SeqStatus::Other, Some(running)) if request.seq > running.seq && self.mutated_keeping(running) => Ok(true),
            (SeqStatus::Other, _) => {
                let refusal = self.mutated_wrong_number(request.seq, self.wrong_number());
                self.refuse(prefix, request, refusal)
            }
        }
    }

    /// [SEQ-3]
    fn send_again(&self, prefix: &[Vec<u8>], seq: u64) -> Result<(), zmq::Error> {
        let remembered = self.sessions.owner.as_ref().and_then(|owner| owner.numbers.remembered(seq));
        let frames: Vec<_> = prefix.iter().chain(remembered.unwrap_or_default()).cloned().collect();
        self.mutated_resend(&frames)?;
        self.transport.send(frames)
    }

    /// [SEQ-13] A poll: it waits with the request that is being executed.
    fn hold(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<bool, zmq::Error> {
        if let Some(refusal) = self.behaviour.mutated_refusal_of_poll(request.seq) {
            return self.refuse(prefix, request, refusal);
        }
        let until = Instant::now() + self.behaviour.mutated_hold(self.limits.hold_poll);
        if let Some(running) = &mut self.running {
            self.behaviour.mutated_older_polls(&mut running.held);
            if self.behaviour.is_variant(&variants::OLDER_POLLS) {
                // [SEQ-27]
                running.held.iter_mut().for_each(|older| older.until = Instant::now());
            }
            running.held.push(Held { prefix: prefix.to_vec(), until });
        }
        Ok(false)
    }

    /// [SEQ-5], with the number that is due.
    fn wrong_number(&self) -> Refusal {
        let next = self.sessions.owner.as_ref().map_or(1, |owner| owner.numbers.next);
        Refusal::with(Code::Seq, vec![field("next", integer(next))])
    }

    fn refuse(&self, prefix: &[Vec<u8>], request: &Request<'_>, refusal: Refusal) -> Result<bool, zmq::Error> {
        let (session, seq) = self.mutated_address((request.session, request.seq), &refusal);
        self.reply(prefix, session, seq, refusal.into())?;
        Ok(false)
    }

    /// Takes the kept messages in their order; some of them may have to be kept again.
    fn take_kept(&mut self) -> Result<(), zmq::Error> {
        self.mutated_kept();
        std::mem::take(&mut self.kept).into_iter().try_for_each(|frames| self.take(frames))
    }

    /// Steps 7 to 12 of the order.
    fn arguments(&self, request: &Request<'_>) -> Result<Arguments, Refusal> {
        let Request { op, args, payload, .. } = request;
        if request.seq > 0 && is_of_session(op) && !self.behaviour.mutated_numbered_ping() {
            return Err(Code::BadOp.into());
        }
        self.mutated_read_only(op)?;
        let arguments = arguments::read(op, *args, *payload, &self.limits, &self.behaviour)?;
        let removes_root = *op == "remove" && arguments.path.is_root();
        if (self.read_only && changes(op)) || (removes_root && self.behaviour.mutated_removal_of_root()) {
            return Err(Code::Denied.into());
        }
        Ok(arguments)
    }

    fn reply(&self, prefix: &[Vec<u8>], session: SessionId, seq: u64, reply: Reply) -> Result<(), zmq::Error> {
        self.transport.send(prefix.iter().cloned().chain(self.frames(session, seq, reply)).collect())
    }

    /// Every reply takes its form here, once; what is remembered keeps it.
    fn frames(&self, session: SessionId, seq: u64, reply: Reply) -> Vec<Vec<u8>> {
        self.mutated_reply(seq, reply).varied(&self.behaviour).frames(session, seq, &self.behaviour)
    }
}

/// The operations of a session itself ([ENV-13]).
fn is_of_session(op: &str) -> bool {
    matches!(op, "hello" | "ping" | "bye")
}

/// A legal variant executes these again instead of remembering their replies ([SEQ-8]), and some mutations forget them.
fn is_reading(op: &str) -> bool {
    matches!(op, "read" | "list" | "uploads")
}

/// What a read-only server denies.
fn changes(op: &str) -> bool {
    !matches!(op, "hello" | "ping" | "bye" | "stat" | "list" | "read" | "hash" | "uploads" | "flush")
}
