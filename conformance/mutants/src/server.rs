//! The server: takes messages, keeps the session and the numbers, and has the worker execute.

mod execution;

use crate::{
    arguments::{self, Arguments},
    behaviour::Behaviour,
    command::Options,
    envelope::{self, Message, Request},
    lax_decoder,
    limits::Limits,
    mutations,
    reply::{Refusal, Reply, field, integer, text},
    sequence::Place,
    session::{About, HelloOutcome, Sessions},
    store::Store,
    transport::Transport,
    variants,
    worker::Worker,
};
use execution::{Held, Running};
use remofile_proto::{
    Code, Keys, SessionId, Token,
    cbor::{Item, Value},
};
use std::{
    convert::Infallible,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// What comes within so many milliseconds of each other has come together.
const TOGETHER: i64 = 3;

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
        let mut root = store.root_id();
        if root.is_some() && behaviour.has(&mutations::hello::ROOT_IS_DRAWN) {
            root = Some(boot);
        }
        let about = About { boot, root, read_only: options.read_only };
        let context = zmq::Context::new();
        let transport = Transport::bind(&context, options, &keys, &limits, &behaviour)?;
        let worker = Worker::start(&context, store)?;
        let mut sessions =
            Sessions::new(keys.hello.clone(), options.token.clone(), about, limits.clone(), behaviour.clone());
        sessions.restore(&options.directory);
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
        self.sessions.expire(self.running.is_some());
        if ready.message
            && let Some(frames) = self.transport.receive()?
        {
            self.take(frames)?;
            self.take_backwards()?;
        }
        Ok(())
    }

    /// A mutation: takes the messages that wait in reverse order.
    fn take_backwards(&mut self) -> Result<(), zmq::Error> {
        let mut waiting = Vec::new();
        while self.behaviour.selects(&mutations::sequence::BACKWARDS)
            && !self.transport.is_rep
            && self.transport.wait(&self.worker.done, true, TOGETHER)?.message
        {
            waiting.extend(self.transport.receive()?);
        }
        if waiting.len() > 1 && self.behaviour.has(&mutations::sequence::BACKWARDS) {
            waiting.reverse();
        }
        waiting.into_iter().try_for_each(|frames| self.take(frames))
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
            let holder = self.sessions.holder.as_ref().map(|holder| holder.id);
            *header = lax_decoder::read(header, holder, &self.behaviour).into_owned();
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
        let is_sessions = matches!(request.op, "hello" | "ping" | "bye");
        request.seq == 0 || (is_sessions && self.behaviour.has(&mutations::envelope::NUMBERED_PING))
    }

    /// Steps 2 and 3 of the order.
    fn refuse_unread(
        &mut self,
        prefix: &[Vec<u8>],
        session: SessionId,
        seq: u64,
        refusal: Refusal,
    ) -> Result<(), zmq::Error> {
        if let Some(holder) = self.sessions.holder.as_mut().filter(|holder| holder.id == session) {
            if let Some(remembered) = holder.numbers.remembered(seq)
                && self.behaviour.has(&mutations::sequence::FOUND_BY_NUMBER)
            {
                return self.transport.send(prefix.iter().chain(remembered).cloned().collect());
            }
            if self.behaviour.has(&mutations::session::BAD_MESSAGE_RENEWS) {
                holder.heard = Instant::now();
            }
            if seq == holder.numbers.next && self.behaviour.has(&mutations::sequence::BAD_MESSAGE_CONSUMES) {
                holder.numbers.next += 1;
            }
        }
        self.reply(prefix, session, seq, refusal.into())
    }

    /// [ENV-19]
    fn ignore(&self) -> Result<(), zmq::Error> {
        if !self.transport.is_rep {
            return Ok(());
        }
        if self.behaviour.has(&mutations::envelope::REP_ANSWERS_IN_FULL) {
            return self.reply(&[], SessionId::new([0; 16]), 0, Refusal::from(Code::BadMessage).into());
        }
        self.transport.send(vec![Vec::new()])
    }

    /// Step 4 of the order.
    fn unnumbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let result = match request.op {
            "hello" => {
                if self.behaviour.is_variant(&variants::LATE_HELLO) {
                    thread::sleep(LATE);
                }
                let checked = self.arguments(request).map_err(|refusal| self.of_a_wrong_auth(request, refusal));
                let is_holders = self.sessions.holder.as_ref().is_some_and(|holder| holder.id == request.session);
                let result = checked.and_then(|args| self.hello(request.session, &args));
                if is_holders && result.is_ok() && self.behaviour.has(&mutations::hello::PENDING_HELLO) {
                    let pending = Reply { code: Code::Pending.number(), result: Vec::new(), payload: None };
                    return self.reply(prefix, request.session, request.seq, pending);
                }
                if is_holders && result.is_err() && self.behaviour.has(&mutations::session::REFUSED_HELLOS_RENEW) {
                    self.sessions.heard(request.session);
                }
                result
            }
            "ping" | "bye" => {
                if !self.behaviour.has(&mutations::session::PING_RENEWS_NOTHING) {
                    self.sessions.heard(request.session);
                }
                let is_holders = self.sessions.holder.as_ref().is_some_and(|holder| holder.id == request.session);
                let checked = match self.arguments(request) {
                    Err(_) if !is_holders && self.behaviour.has(&mutations::codes::PINGS_OF_OTHERS) => {
                        Err(Code::NoSession.into())
                    }
                    checked => checked,
                };
                if let (Err(_), Some(holder)) = (&checked, &mut self.sessions.holder)
                    && is_holders
                    && self.behaviour.has(&mutations::sequence::REFUSED_PING_COUNTS)
                {
                    holder.numbers.next += 1;
                }
                checked.and_then(|_| match request.op {
                    "ping" => self.sessions.ping(request.session).map(Reply::ok),
                    _ => self.bye(request.session),
                })
            }
            _ => {
                self.sessions.heard(request.session);
                if self.behaviour.has(&mutations::envelope::UNNUMBERED_IS_BAD) {
                    return self.reply(prefix, request.session, 0, Refusal::from(Code::BadMessage).into());
                }
                Err(Code::BadOp.into())
            }
        };
        self.reply(prefix, request.session, request.seq, result.unwrap_or_else(Reply::from))?;
        self.take_kept()
    }

    /// A mutation: what is said of bad arguments of who has a wrong auth.
    fn of_a_wrong_auth(&self, request: &Request<'_>, refusal: Refusal) -> Refusal {
        match request.args.get("auth") {
            Some(Value::Bytes(auth))
                if self.sessions.is_wrong(request.session, auth)
                    && self.behaviour.has(&mutations::hello::AUTH_FIRST) =>
            {
                Code::Auth.into()
            }
            _ => refusal,
        }
    }

    fn hello(&mut self, id: SessionId, args: &Arguments) -> Result<Reply, Refusal> {
        let result = match self.sessions.hello(id, args, self.running.is_some())? {
            HelloOutcome::Again(result) => result,
            HelloOutcome::Opened(result) => {
                self.cancel();
                result
            }
        };
        Ok(Reply::ok(result))
    }

    fn bye(&mut self, id: SessionId) -> Result<Reply, Refusal> {
        let result = self.sessions.bye(id)?;
        if self.running.is_none() || !self.behaviour.has(&mutations::sequence::BYE_LETS_IT_RUN) {
            self.cancel();
        }
        Ok(Reply::ok(result))
    }

    /// Steps 5 and 6 of the order; whether the message is to be kept.
    fn numbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<bool, zmq::Error> {
        if let Some(refusal) = self.refused_early(request) {
            return self.refuse(prefix, request, refusal);
        }
        let (session, seq) = (request.session, request.seq);
        let behaviour = self.behaviour.clone();
        let Some(holder) = self.sessions.holder.as_mut() else {
            return self.refuse(prefix, request, Code::NoSession.into());
        };
        let place = holder.numbers.place(seq, request.header);
        if holder.id != session {
            let next = vec![field("next", integer(holder.numbers.next))];
            return match place {
                Place::Next if behaviour.has(&mutations::session::OTHERS_ARE_EXECUTED) => {
                    self.execute(prefix, request).map(|()| false)
                }
                Place::Other if behaviour.has(&mutations::codes::NO_SESSION_LATE) => {
                    self.refuse(prefix, request, Refusal::with(Code::Seq, next))
                }
                _ => self.refuse(prefix, request, Code::NoSession.into()),
            };
        }
        let repeated =
            matches!(place, Place::Remembered(_)) && behaviour.has(&mutations::session::REPEATED_RENEW_NOTHING);
        let refused =
            matches!(place, Place::Other | Place::Reused) && behaviour.has(&mutations::session::REFUSED_RENEW_NOTHING);
        if !repeated && !refused {
            holder.heard = Instant::now();
        }
        match (place, holder.released, &mut self.running) {
            (Place::Remembered(_), _, running)
                if is_reading(request.op) && behaviour.is_variant(&variants::READS_AGAIN) =>
            {
                match running {
                    // In its turn, as everything is.
                    Some(_) => Ok(true),
                    None => self.execute_again(prefix, request).map(|()| false),
                }
            }
            (Place::Remembered(_), released, _)
                if is_reading(request.op)
                    && behaviour.any(&[
                        (released, &mutations::session::READS_AFTER_BYE),
                        (!released, &mutations::sequence::READS_FORGOTTEN),
                    ]) =>
            {
                let next = vec![field("next", integer(holder.numbers.next))];
                self.refuse(prefix, request, Refusal::with(Code::Seq, next))
            }
            (Place::Remembered(frames), ..) => {
                let frames: Vec<_> = prefix.iter().chain(frames).cloned().collect();
                if behaviour.has(&mutations::envelope::REMEMBERED_TWICE) {
                    self.transport.send(frames.clone())?;
                }
                self.transport.send(frames)?;
                Ok(false)
            }
            (_, true, _) if !behaviour.has(&mutations::session::RELEASED_GOES_ON) => {
                self.refuse(prefix, request, Code::NoSession.into())
            }
            (Place::Reused, ..) => self.refuse(prefix, request, Code::SeqReused.into()),
            (Place::Next, _, Some(running))
                if running.header != request.header && !behaviour.has(&mutations::sequence::POLLS_OF_ANOTHER) =>
            {
                self.refuse(prefix, request, Code::SeqReused.into())
            }
            (Place::Next, _, Some(running)) => {
                if behaviour.has(&mutations::sequence::POLLS_ARE_SEQ) {
                    let next = vec![field("next", integer(seq + 1))];
                    return self.refuse(prefix, request, Refusal::with(Code::Seq, next));
                }
                let mut hold = self.limits.hold_poll;
                if behaviour.has(&mutations::sequence::POLLS_NOT_HELD) {
                    hold = Duration::ZERO;
                }
                if behaviour.has(&mutations::sequence::POLLS_HELD_LONG) {
                    hold *= 5;
                }
                let until = Instant::now() + hold;
                if !running.held.is_empty() && behaviour.has(&mutations::envelope::OLDER_POLLS_FORGOTTEN) {
                    running.held.clear();
                }
                if behaviour.is_variant(&variants::OLDER_POLLS) {
                    // [SEQ-27]
                    running.held.iter_mut().for_each(|older| older.until = Instant::now());
                }
                running.held.push(Held { prefix: prefix.to_vec(), until });
                Ok(false)
            }
            (Place::Next, _, None) => self.execute(prefix, request).map(|()| false),
            (Place::Other, _, Some(running))
                if seq > running.seq
                    && match running.is_pending {
                        true => behaviour.has(&mutations::sequence::KEPT_AFTER_PENDING),
                        false => !behaviour.has(&mutations::sequence::SEQ_BEFORE_PENDING),
                    } =>
            {
                Ok(true)
            }
            (Place::Other, ..) => {
                let next = holder.numbers.next;
                if seq > next && behaviour.has(&mutations::sequence::SEQ_CONSUMES) {
                    holder.numbers.next = seq;
                }
                let next = if behaviour.has(&mutations::sequence::SEQ_RETURNS_THE_LAST) { next - 1 } else { next };
                let result = match behaviour.has(&mutations::codes::SEQ_WITHOUT_NEXT) {
                    true => Vec::new(),
                    false => vec![field("next", integer(next))],
                };
                self.refuse(prefix, request, Refusal::with(Code::Seq, result))
            }
        }
    }

    /// A mutation finds this wrong before it looks at session and number.
    fn refused_early(&self, request: &Request<'_>) -> Option<Refusal> {
        let holder = self.sessions.holder.as_ref().filter(|holder| holder.id == request.session);
        let is_due = holder.is_some_and(|holder| holder.numbers.next >= request.seq);
        if is_due {
            return None;
        }
        let found = self.arguments(request).err()?;
        let early = match holder {
            None => self.behaviour.has(&mutations::codes::ARGS_BEFORE_SESSION),
            Some(_) => self.behaviour.has(&mutations::codes::ARGS_BEFORE_SEQ),
        };
        early.then_some(found)
    }

    fn refuse(&self, prefix: &[Vec<u8>], request: &Request<'_>, refusal: Refusal) -> Result<bool, zmq::Error> {
        let (mut session, mut seq) = (request.session, request.seq);
        if let Some(holder) = &self.sessions.holder {
            if holder.id != session && self.behaviour.has(&mutations::envelope::OWNERS_SESSION) {
                session = holder.id;
            }
            if refusal.code == Code::Seq && self.behaviour.has(&mutations::envelope::SEQ_OF_NEXT) {
                seq = holder.numbers.next;
            }
        }
        self.reply(prefix, session, seq, refusal.into())?;
        Ok(false)
    }

    /// What was kept has its turn, in its order; some of it may have to be kept again.
    fn take_kept(&mut self) -> Result<(), zmq::Error> {
        if self.kept.len() > 1 && self.behaviour.has(&mutations::sequence::KEPT_BACKWARDS) {
            self.kept.reverse();
        }
        std::mem::take(&mut self.kept).into_iter().try_for_each(|frames| self.take(frames))
    }

    /// Steps 7 to 12 of the order.
    fn arguments(&self, request: &Request<'_>) -> Result<Arguments, Refusal> {
        let Request { op, args, payload, .. } = request;
        let is_sessions = matches!(*op, "hello" | "ping" | "bye");
        if request.seq > 0 && is_sessions && !self.behaviour.has(&mutations::envelope::NUMBERED_PING) {
            return Err(Code::BadOp.into());
        }
        let denied = self.read_only && changes(op);
        let is_nothing = self.read_only && matches!(*op, "flush" | "uploads");
        if is_nothing && self.behaviour.has(&mutations::codes::UNFLUSHED) {
            return Err(Code::Denied.into());
        }
        if denied && self.behaviour.has(&mutations::codes::READ_ONLY_IS_BAD_OP) {
            return Err(Code::BadOp.into());
        }
        if denied && self.behaviour.has(&mutations::codes::DENIED_EARLY) {
            return Err(Code::Denied.into());
        }
        let arguments = arguments::read(op, *args, *payload, &self.limits, &self.behaviour)?;
        let root_goes = *op == "remove" && arguments.path.is_root();
        let denied = denied || (root_goes && !self.behaviour.has(&mutations::moving::ROOT_IS_LEFT_TO_THE_SYSTEM));
        if denied { Err(Code::Denied.into()) } else { Ok(arguments) }
    }

    fn reply(&self, prefix: &[Vec<u8>], session: SessionId, seq: u64, reply: Reply) -> Result<(), zmq::Error> {
        self.transport.send(prefix.iter().cloned().chain(self.frames(session, seq, reply)).collect())
    }

    /// Every reply takes its form here, once; what is remembered keeps it.
    fn frames(&self, session: SessionId, seq: u64, reply: Reply) -> Vec<Vec<u8>> {
        let turned = seq > 0 && self.behaviour.has(&mutations::control::NOTHING_RIGHT);
        let mut reply = if turned { reply.inverted() } else { reply };
        let is_for_people = seq > 0 && reply.result.iter().any(|(key, _)| key == "msg");
        if reply.code == Code::NotFound.number() && self.behaviour.has(&mutations::codes::ROOT_IS_REVEALED) {
            reply.result = vec![field("msg", text(&format!("{}: nothing there", self.directory.display())))];
        }
        let is_not_empty = reply.code == Code::NotEmpty.number();
        if is_not_empty && self.behaviour.has(&mutations::codes::OWN_CODE) {
            reply.code = 77;
        }
        if reply.code == Code::BadMessage.number() && self.behaviour.has(&mutations::encoding::WRITES_DEEP) {
            let description = (0..8).fold(text("it does not decode"), |description, _| Item::Array(vec![description]));
            reply.result.push(field("description", description));
        }
        if is_for_people && self.behaviour.has(&mutations::codes::NUMBERS_FOR_PEOPLE) {
            reply.result = vec![field("msg", integer(reply.code.into()))];
        }
        reply.varied(&self.behaviour).frames(session, seq, &self.behaviour)
    }
}

/// A legal variant executes these again in place of remembering their replies ([SEQ-8]), and some mutations forget them.
fn is_reading(op: &str) -> bool {
    matches!(op, "read" | "list" | "uploads")
}

/// What a read-only server denies.
fn changes(op: &str) -> bool {
    !matches!(op, "hello" | "ping" | "bye" | "stat" | "list" | "read" | "hash" | "uploads" | "flush")
}
