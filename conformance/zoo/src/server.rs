//! The server: takes messages, keeps the session and the numbers, and has the worker execute.

use crate::{
    arguments::{self, Arguments},
    command::Options,
    envelope::{self, Message, Request},
    faults,
    limits::Limits,
    reply::{Refusal, Reply, field, integer},
    sequence::Place,
    session::{About, Sessions, Welcome},
    store::Store,
    switches::Switches,
    wire::Wire,
    worker::{Job, Progress, Worker},
};
use remofile_proto::{Code, Keys, SessionId, Token};
use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long the worker is waited for before anything else is read: most operations take less.
const SHORT: i64 = 20;

/// A running server.
pub(crate) struct Server {
    wire: Wire,
    worker: Worker,
    sessions: Sessions,
    running: Option<Running>,
    /// What came behind a request that is being executed, and may have to be executed after it ([SEQ-26]).
    kept: Vec<Vec<Vec<u8>>>,
    limits: Limits,
    switches: Switches,
    read_only: bool,
}

/// The numbered request that is being executed.
struct Running {
    session: SessionId,
    seq: u64,
    header: Vec<u8>,
    progress: Arc<Progress>,
    /// Whoever awaits its reply.
    held: Vec<Held>,
    /// It was answered PENDING.
    is_pending: bool,
}

/// A request or poll that is held ([SEQ-13]).
struct Held {
    prefix: Vec<Vec<u8>>,
    until: Instant,
}

impl Server {
    /// Opens everything, and tells on standard error where it serves.
    pub(crate) fn start(options: &Options) -> Result<Self, String> {
        let switches = Switches::new(options.fault, options.oddity, options.reached.clone());
        let token = Token::parse(&options.token).map_err(|error| error.to_string())?;
        let keys = Keys::derive(&token);
        let limits = Limits::new(options.lease_ms, &switches);
        let store = Store::open(&options.directory, options.read_only, limits.clone(), switches.clone())?;
        let mut boot = [0; 16];
        getrandom::fill(&mut boot).map_err(|error| format!("no random bytes: {error}"))?;
        let about = About { boot, root: store.root_id(), read_only: options.read_only };
        let context = zmq::Context::new();
        let wire = Wire::bind(&context, options, &keys, &limits)?;
        let worker = Worker::start(&context, store)?;
        let sessions =
            Sessions::new(keys.hello.clone(), options.token.clone(), about, limits.clone(), switches.clone());
        eprintln!("zoo-server: serving on {}", wire.endpoint());
        let read_only = options.read_only;
        Ok(Self { wire, worker, sessions, running: None, kept: Vec::new(), limits, switches, read_only })
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
        let reading = !(self.wire.is_rep && holds) && self.kept.len() < self.limits.window;
        let ready = self.wire.wait(&self.worker.done, reading, self.patience())?;
        if ready.zap {
            self.wire.admit()?;
        }
        if ready.done {
            self.finish()?;
        }
        self.answer_pending()?;
        if ready.message
            && let Some(frames) = self.wire.receive()?
        {
            self.take(frames)?;
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
        let split = if self.wire.is_rep { Some((&frames[..0], &frames[..])) } else { envelope::split(&frames) };
        let Some((prefix, body)) = split else { return Ok(()) };
        let message = envelope::classify(body, &self.limits, &self.switches);
        match message {
            Message::Ignore => self.ignore(),
            Message::Refuse(session, seq, refusal) => self.reply(prefix, session, seq, refusal.into()),
            Message::Request(request) if request.seq == 0 => self.unnumbered(prefix, &request),
            Message::Request(request) => {
                if self.numbered(prefix, &request)? {
                    self.kept.push(frames);
                }
                Ok(())
            }
        }
    }

    /// [ENV-19]
    fn ignore(&self) -> Result<(), zmq::Error> {
        if self.wire.is_rep { self.wire.send(vec![Vec::new()]) } else { Ok(()) }
    }

    /// Step 4 of the order.
    fn unnumbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let result = match request.op {
            "hello" => self.arguments(request).and_then(|args| self.hello(request.session, &args)),
            "ping" | "bye" => {
                self.sessions.heard(request.session);
                self.arguments(request).and_then(|_| match request.op {
                    "ping" => self.sessions.ping(request.session).map(Reply::ok),
                    _ => self.bye(request.session),
                })
            }
            _ => {
                self.sessions.heard(request.session);
                Err(Code::BadOp.into())
            }
        };
        self.reply(prefix, request.session, 0, result.unwrap_or_else(Reply::from))?;
        self.take_kept()
    }

    fn hello(&mut self, id: SessionId, args: &Arguments) -> Result<Reply, Refusal> {
        let result = match self.sessions.hello(id, args, self.running.is_some())? {
            Welcome::Again(result) => result,
            Welcome::Opened(result) => {
                self.cancel();
                result
            }
        };
        Ok(Reply::ok(result))
    }

    fn bye(&mut self, id: SessionId) -> Result<Reply, Refusal> {
        let result = self.sessions.bye(id)?;
        self.cancel();
        Ok(Reply::ok(result))
    }

    /// [SES-9], [SES-17], [SEQ-15]: abandons what runs; whoever is held is told ([SEQ-27]).
    fn cancel(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.progress.cancel();
        for held in &running.held {
            if self.switches.has(&faults::sequence::REPLIES_LOST_ON_CANCEL) {
                break;
            }
            // A reply that cannot be sent is one that nobody receives: the next wait tells of a broken socket.
            let _ = self.reply(&held.prefix, running.session, running.seq, Refusal::from(Code::NoSession).into());
        }
    }

    /// Steps 5 and 6 of the order; whether the message is to be kept.
    fn numbered(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<bool, zmq::Error> {
        let (session, seq) = (request.session, request.seq);
        let Some(holder) = self.sessions.holder.as_mut().filter(|holder| holder.id == session) else {
            return self.refuse(prefix, request, Code::NoSession.into());
        };
        holder.heard = Instant::now();
        let place = holder.numbers.place(seq, request.header);
        match (place, holder.released, &mut self.running) {
            (Place::Remembered(frames), ..) => {
                let frames = prefix.iter().chain(frames).cloned().collect();
                self.wire.send(frames)?;
                Ok(false)
            }
            (_, true, _) => self.refuse(prefix, request, Code::NoSession.into()),
            (Place::Reused, ..) => self.refuse(prefix, request, Code::SeqReused.into()),
            (Place::Next, _, Some(running)) if running.header != request.header => {
                self.refuse(prefix, request, Code::SeqReused.into())
            }
            (Place::Next, _, Some(running)) => {
                let until = Instant::now() + self.limits.hold;
                running.held.push(Held { prefix: prefix.to_vec(), until });
                Ok(false)
            }
            (Place::Next, _, None) => self.execute(prefix, request).map(|()| false),
            (Place::Other, _, Some(running)) if seq > running.seq && !running.is_pending => Ok(true),
            (Place::Other, ..) => {
                let next = vec![field("next", integer(holder.numbers.next))];
                self.refuse(prefix, request, Refusal::with(Code::Seq, next))
            }
        }
    }

    fn refuse(&self, prefix: &[Vec<u8>], request: &Request<'_>, refusal: Refusal) -> Result<bool, zmq::Error> {
        self.reply(prefix, request.session, request.seq, refusal.into())?;
        Ok(false)
    }

    /// Has the next number executed, and waits for a little while.
    fn execute(&mut self, prefix: &[Vec<u8>], request: &Request<'_>) -> Result<(), zmq::Error> {
        let (session, seq, progress) = (request.session, request.seq, Arc::new(Progress::default()));
        let held = vec![Held { prefix: prefix.to_vec(), until: Instant::now() + self.limits.hold }];
        let header = request.header.to_vec();
        self.running = Some(Running { session, seq, header, progress: Arc::clone(&progress), held, is_pending: false });
        let job = self.arguments(request).map(|arguments| Job {
            session,
            op: request.op.to_owned(),
            arguments,
            payload: request.payload.unwrap_or_default().to_vec(),
            progress,
        });
        match job {
            Err(refusal) => self.conclude(refusal.into()),
            Ok(job) => {
                if self.worker.execute(job).is_err() {
                    return self.conclude(Refusal::from(Code::Internal).into());
                }
                if self.wire.wait(&self.worker.done, false, SHORT)?.done { self.finish() } else { Ok(()) }
            }
        }
    }

    /// What the worker has to say.
    fn finish(&mut self) -> Result<(), zmq::Error> {
        while let Some((progress, reply)) = self.worker.answer() {
            // What was cancelled is heard by nobody.
            if self.running.as_ref().is_some_and(|running| Arc::ptr_eq(&running.progress, &progress)) {
                self.conclude(reply)?;
            }
        }
        Ok(())
    }

    /// [SEQ-14] The running request has its reply.
    fn conclude(&mut self, reply: Reply) -> Result<(), zmq::Error> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let denied = reply.code == Code::Denied.number();
        let frames = self.frames(running.session, running.seq, reply);
        for held in &running.held {
            self.wire.send(held.prefix.iter().chain(&frames).cloned().collect())?;
        }
        if let Some(holder) = &mut self.sessions.holder {
            holder.heard = Instant::now();
            holder.numbers.consume(running.header, frames);
            if denied && self.switches.has(&faults::targets::REFUSALS_RELEASE) {
                holder.released = true;
            }
        }
        self.take_kept()
    }

    /// [SEQ-10] Whoever was held for long enough is told how far it is.
    fn answer_pending(&mut self) -> Result<(), zmq::Error> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let now = Instant::now();
        let due: Vec<Held> = running.held.extract_if(.., |held| held.until <= now).collect();
        if due.is_empty() {
            return Ok(());
        }
        running.is_pending = true;
        let (done, total) = (running.progress.done.load(Relaxed), running.progress.total.load(Relaxed));
        let result = match total {
            0 => Vec::new(),
            _ => vec![field("done", integer(done)), field("total", integer(total))],
        };
        let (session, seq) = (running.session, running.seq);
        for held in due {
            let pending = Reply { code: Code::Pending.number(), result: result.clone(), payload: None };
            self.reply(&held.prefix, session, seq, pending)?;
        }
        self.take_kept()
    }

    /// What was kept has its turn, in its order; some of it may have to be kept again.
    fn take_kept(&mut self) -> Result<(), zmq::Error> {
        std::mem::take(&mut self.kept).into_iter().try_for_each(|frames| self.take(frames))
    }

    /// Steps 7 to 12 of the order.
    fn arguments(&self, request: &Request<'_>) -> Result<Arguments, Refusal> {
        let Request { op, args, payload, .. } = request;
        if request.seq > 0 && matches!(*op, "hello" | "ping" | "bye") {
            return Err(Code::BadOp.into());
        }
        let arguments = arguments::read(op, *args, *payload, &self.limits, &self.switches)?;
        let root_goes = *op == "remove" && arguments.path.is_root();
        let denied = (self.read_only && changes(op))
            || (root_goes && !self.switches.has(&faults::moving::ROOT_IS_LEFT_TO_THE_SYSTEM));
        if denied { Err(Code::Denied.into()) } else { Ok(arguments) }
    }

    fn reply(&self, prefix: &[Vec<u8>], session: SessionId, seq: u64, reply: Reply) -> Result<(), zmq::Error> {
        self.wire.send(prefix.iter().cloned().chain(self.frames(session, seq, reply)).collect())
    }

    /// Every reply takes its form here, once; what is remembered keeps it.
    fn frames(&self, session: SessionId, seq: u64, reply: Reply) -> Vec<Vec<u8>> {
        let turned = seq > 0 && self.switches.has(&faults::control::NOTHING_RIGHT);
        if turned { reply.turned_around().frames(session, seq) } else { reply.frames(session, seq) }
    }
}

/// What a read-only server denies.
fn changes(op: &str) -> bool {
    !matches!(op, "hello" | "ping" | "bye" | "stat" | "list" | "read" | "hash" | "uploads" | "flush")
}
