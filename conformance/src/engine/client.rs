//! The client that cases drive. It numbers and sends requests, waits for replies, and checks every reply.

mod codes;
mod in_order;
mod reconnect;
mod session;

pub(crate) use codes::ExpectedCodes;
pub(crate) use session::HelloReply;

use crate::{
    engine::{
        environment::Environment,
        error::{CaseError, CaseResult, failed},
        journal::{Direction, SharedJournal},
        lint::{self, Expected, Finding},
    },
    mutation,
    wire::{
        cbor::Value,
        code::{Code, PENDING},
        connection::{Connection, Frames, Received, SocketKind},
        reply::Reply,
        request::Request,
    },
};
use std::{
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

/// The least time between a PENDING and the poll after it [SEQ-22].
const POLL_AFTER: Duration = Duration::from_millis(100);

/// The largest chunk that a server may announce.
const CHUNK_MAX: u64 = 1_048_576;

/// One client with one connection.
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) environment: Rc<Environment>,
    journal: SharedJournal,
    connection: Connection,
    /// Routing frames before the delimiter, as proxies would add them.
    route: Frames,
    /// The id that requests carry.
    pub(crate) session: [u8; 16],
    /// The number of the next request.
    pub(crate) next: u64,
    hello_reply: Option<HelloReply>,
    awaited: Vec<Awaited>,
    inbox: VecDeque<Reply>,
    /// Messages of one empty frame, as only a REP socket sends them [ENV-19].
    empty_messages: u32,
    /// Connections cut since the last message.
    cuts: u32,
    /// Whether a PENDING arrived, or a connection was given up, in this case: later requests may have been refused.
    was_pending: bool,
    was_cut: bool,
}

/// A request that was sent, and how many replies may still arrive.
struct Awaited {
    session: [u8; 16],
    seq: u64,
    request: Option<Request>,
    frames: Frames,
    replies: u32,
}

impl Client {
    /// Connects a client that has no session yet.
    pub(crate) fn new(
        name: &str,
        environment: &Rc<Environment>,
        journal: &SharedJournal,
        pattern: SocketKind,
    ) -> CaseResult<Self> {
        Ok(Self {
            name: name.to_owned(),
            environment: Rc::clone(environment),
            journal: Rc::clone(journal),
            connection: environment.connection(pattern)?,
            route: Vec::new(),
            session: crate::engine::environment::random_id(),
            next: 1,
            hello_reply: None,
            awaited: Vec::new(),
            inbox: VecDeque::new(),
            empty_messages: 0,
            cuts: 0,
            was_pending: false,
            was_cut: false,
        })
    }

    /// The socket of this client.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Prepares for another case: takes its journal and forgets everything but requests that may still be answered.
    pub(crate) fn rest(&mut self, journal: &SharedJournal) {
        self.journal = Rc::clone(journal);
        self.awaited.retain(|sent| sent.replies > 0);
        self.awaited.iter_mut().for_each(|sent| sent.frames.clear());
        self.inbox.clear();
        self.route.clear();
        (self.was_pending, self.was_cut) = (false, false);
    }

    /// Continues on another socket, of any target and kind. Messages in flight on the old one are lost.
    pub(crate) fn replace_connection(&mut self, connection: Connection) {
        self.connection = connection;
        self.was_cut = true;
        self.awaited.clear();
        self.inbox.clear();
    }

    /// Continues over a new connection to the same server.
    pub(crate) fn reconnect(&mut self) -> CaseResult {
        let connection = self.environment.connection(self.connection.socket_kind())?;
        self.replace_connection(connection);
        Ok(())
    }

    /// Sends these routing frames before the delimiter of every later message, and expects them before each reply [ENV-2].
    /// None of them may be empty, and the socket must be a DEALER.
    pub(crate) fn set_route(&mut self, route: &[&[u8]]) {
        self.route = route.iter().map(|frame| frame.to_vec()).collect();
    }

    /// Sends a request under the next number (0 for an operation without one) and returns the number.
    pub(crate) fn send(&mut self, request: &Request) -> CaseResult<u64> {
        let seq = if matches!(request.op.as_str(), "hello" | "ping" | "bye") { 0 } else { self.next };
        self.send_as(seq, request)?;
        if seq != 0 {
            self.next += 1;
        }
        Ok(seq)
    }

    /// Sends a request under any number; `next` does not change.
    pub(crate) fn send_as(&mut self, seq: u64, request: &Request) -> CaseResult {
        let frames = request.frames(self.session, seq);
        self.transmit(&frames)?;
        self.await_reply(self.session, seq, Some(request.clone()), frames);
        Ok(())
    }

    /// Sends the identical bytes of an earlier request again.
    pub(crate) fn resend(&mut self, seq: u64) -> CaseResult {
        let session = self.session;
        let found = self.awaited.iter().rposition(|sent| sent.session == session && sent.seq == seq);
        let Some(found) = found else {
            return Err(CaseError::Harness(format!("request {seq} was never sent")));
        };
        let frames = self.awaited[found].frames.clone();
        self.transmit(&frames)?;
        self.awaited[found].replies += 1;
        Ok(())
    }

    /// Sends any frames after the delimiter. `answer` is the session and number that an answer would carry.
    pub(crate) fn send_raw(&mut self, frames: &[Vec<u8>], answer: Option<([u8; 16], u64)>) -> CaseResult {
        self.transmit(frames)?;
        if let Some((session, seq)) = answer {
            self.await_reply(session, seq, None, frames.to_vec());
        }
        Ok(())
    }

    /// Sends a whole message unchanged, with or without a delimiter; no answer is expected.
    pub(crate) fn send_whole(&mut self, frames: &[Vec<u8>]) -> CaseResult {
        self.journal.borrow_mut().record(&self.name, Direction::Sent, frames);
        self.connection.send_bare(frames).map_err(unsent)
    }

    /// The next reply that no caller has taken, to any request.
    pub(crate) fn any_reply(&mut self) -> CaseResult<Reply> {
        if let Some(reply) = self.inbox.pop_front() {
            return Ok(reply);
        }
        let timeout = self.environment.timeouts.get().reply;
        let reply = self.next_reply(Instant::now() + timeout)?;
        reply.ok_or_else(|| CaseError::Silent(format!("no answer within {} ms", timeout.as_millis())))
    }

    /// Waits for the reply to a number of this session, of any code.
    pub(crate) fn first_reply(&mut self, seq: u64) -> CaseResult<Reply> {
        self.reply_of(self.session, seq)
    }

    /// Waits for the reply to a number of any session, of any code.
    pub(crate) fn reply_of(&mut self, session: [u8; 16], seq: u64) -> CaseResult<Reply> {
        let deadline = Instant::now() + self.environment.timeouts.get().reply;
        self.reply_until(session, seq, deadline)?.ok_or_else(|| {
            let waited = self.environment.timeouts.get().reply;
            CaseError::Silent(format!("no answer to {} within {} ms", self.describe(session, seq), waited.as_millis()))
        })
    }

    /// Waits for the reply to a number of any session until the deadline.
    pub(crate) fn reply_until(&mut self, session: [u8; 16], seq: u64, deadline: Instant) -> CaseResult<Option<Reply>> {
        if let Some(index) = self.inbox.iter().position(|reply| reply.session == session && reply.seq == seq) {
            return Ok(self.inbox.remove(index));
        }
        while let Some(reply) = self.next_reply(deadline)? {
            if reply.session == session && reply.seq == seq {
                return Ok(Some(reply));
            }
            self.inbox.push_back(reply);
        }
        Ok(None)
    }

    /// Waits for the final reply to a number, at most ten times the reply timeout, and polls while it is PENDING.
    pub(crate) fn final_reply(&mut self, seq: u64) -> CaseResult<Reply> {
        let (asked, most) = (Instant::now(), self.environment.timeouts.get().reply * 10);
        loop {
            let reply = self.first_reply(seq)?;
            if reply.code != PENDING || seq == 0 {
                return Ok(reply);
            }
            if asked.elapsed() > most {
                return Err(CaseError::Silent(format!("request {seq} is PENDING for more than {} s", most.as_secs())));
            }
            // No reply is expected now; any that arrives is kept.
            self.receive_until(Instant::now() + POLL_AFTER)?;
            self.resend(seq)?;
        }
    }

    /// Sends a request and waits for its final reply, of any code.
    pub(crate) fn call(&mut self, request: Request) -> CaseResult<Reply> {
        let seq = self.send(&request)?;
        self.final_reply(seq)
    }

    /// Sends a setup request: any code but OK makes the case untestable.
    pub(crate) fn setup(&mut self, request: Request) -> CaseResult<Reply> {
        if mutation::active!(PrerequisiteIgnored) {
            return self.call(request);
        }
        self.expect_ok(request).map_err(|error| error.into_prerequisite("a setup step"))
    }

    /// Sends the positive control of a refusal, which differs from it in one thing and must be answered OK.
    pub(crate) fn control(&mut self, request: Request) -> CaseResult<Reply> {
        if mutation::active!(PositiveControlIgnored) {
            return self.call(request);
        }
        self.expect_ok(request).map_err(|error| error.into_prerequisite("the positive control"))
    }

    /// Checks that a request is answered OK.
    pub(crate) fn expect_ok(&mut self, request: Request) -> CaseResult<Reply> {
        self.expect(request, crate::wire::code::OK)
    }

    /// Checks that a request is answered with one of the codes.
    pub(crate) fn expect(&mut self, request: Request, codes: impl ExpectedCodes) -> CaseResult<Reply> {
        let seq = self.send(&request)?;
        self.expect_reply(seq, codes)
    }

    /// Waits for the final reply to a number and checks that it has one of the codes.
    pub(crate) fn expect_reply(&mut self, seq: u64, codes: impl ExpectedCodes) -> CaseResult<Reply> {
        let reply = self.final_reply(seq)?;
        self.expect_code(&reply, codes.codes())?;
        Ok(reply)
    }

    fn expect_code(&self, reply: &Reply, wanted: &[Code]) -> CaseResult {
        if wanted.contains(&reply.code) || mutation::active!(CodeNotCompared) {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        let what = self.describe(reply.session, reply.seq);
        failed(format!("{what} was answered {}, not {} (result {})", reply.code, wanted.join(" or "), reply.result))
    }

    /// Sends a `ping` and waits for its reply: by then every earlier message is handled, and what is unanswered and not
    /// being executed stays unanswered. Returns how many replies have arrived and were not taken.
    pub(crate) fn barrier(&mut self) -> CaseResult<usize> {
        let reply = self.call(crate::wire::request::ping())?;
        if !reply.is_ok() {
            return failed(format!("ping of a session that is open was answered {}", reply.code));
        }
        Ok(self.inbox.len())
    }

    /// The replies that have arrived and that no caller has taken.
    pub(crate) fn take_unasked(&mut self) -> Vec<Reply> {
        self.inbox.drain(..).collect()
    }

    /// How many messages of one empty frame have come, as a REP socket must send them [ENV-19].
    pub(crate) fn empty_messages(&self) -> u32 {
        self.empty_messages
    }

    /// Receives replies until the deadline, and keeps them.
    pub(crate) fn receive_until(&mut self, deadline: Instant) -> CaseResult {
        while let Some(reply) = self.next_reply(deadline)? {
            self.inbox.push_back(reply);
        }
        Ok(())
    }

    fn next_reply(&mut self, deadline: Instant) -> CaseResult<Option<Reply>> {
        loop {
            let received = self.connection.receive_or_disconnect(deadline);
            let message = match received.map_err(|error| CaseError::Harness(format!("receive: {error}")))? {
                Received::Message(message) => message,
                Received::Nothing => return Ok(None),
                Received::Cut => {
                    self.repair()?;
                    continue;
                }
            };
            self.cuts = 0;
            let whole = message.clone();
            let Some((prefix, frames)) = self.connection.split(message) else {
                self.journal.borrow_mut().record(&self.name, Direction::Received, &whole);
                self.note(vec![finding("ENV-2", "a message without an empty frame")]);
                return failed("received a message without an empty frame");
            };
            self.journal.borrow_mut().record(&self.name, Direction::Received, &frames);
            if frames.len() == 1 && frames[0].is_empty() {
                self.empty_messages += 1;
                continue;
            }
            return self.judge(&prefix, frames).map(Some);
        }
    }

    fn judge(&mut self, prefix: &[Vec<u8>], frames: Frames) -> CaseResult<Reply> {
        // The header shows which request it answers, and with it what to check.
        let root = self.environment.root_text();
        let generic =
            Expected { op: None, limit: None, after: None, len: None, chunk: self.chunk(), root: root.as_deref() };
        let (shape, mut findings) = lint::lint(&frames, &generic);
        let Some(shape) = shape else {
            let what = findings.last().map(|finding| finding.what.clone()).unwrap_or_default();
            self.note(findings);
            return failed(format!("received a reply that cannot be decoded: {what}"));
        };
        if let Some(what) = self.unexpected_routing(prefix) {
            findings.push(finding("ENV-2", what.clone()));
            self.note(findings);
            return failed(what);
        }
        let awaited = self
            .awaited
            .iter_mut()
            .rev()
            .find(|sent| sent.session == shape.session && sent.seq == shape.seq && sent.replies > 0);
        let mut op = String::new();
        match awaited {
            Some(sent) => {
                sent.replies -= 1;
                if let Some(request) = &sent.request {
                    op.clone_from(&request.op);
                    let argument =
                        |key: &str| request.args.iter().find(|(name, _)| name == key).map(|(_, value)| value);
                    let expected = Expected {
                        op: Some(&request.op),
                        limit: argument("limit").and_then(Value::uint),
                        after: argument("after"),
                        len: argument("len").and_then(Value::uint),
                        ..generic
                    };
                    findings.retain(|found| found.requirement == "ENV-2");
                    findings.extend(lint::lint(&frames, &expected).1);
                }
            }
            None => {
                let known = self.awaited.iter().any(|sent| sent.session == shape.session && sent.seq == shape.seq);
                let requirement = if known { "ENV-8" } else { "ENV-12" };
                findings
                    .push(finding(requirement, format!("{} for seq {}, which awaits no reply", shape.code, shape.seq)));
            }
        }
        let endless =
            findings.iter().find(|found| PAGES_END_BY.contains(&found.requirement)).map(|found| found.what.clone());
        self.note(findings);
        if let Some(what) = endless {
            return failed(format!("a page from which the listing cannot continue: {what}"));
        }
        self.was_pending |= shape.code == PENDING;
        let payload = frames.get(1).cloned();
        Ok(Reply {
            op,
            session: shape.session,
            seq: shape.seq,
            code: shape.code,
            result: shape.result,
            payload,
            frames,
        })
    }

    /// What is wrong with the frames before the delimiter. REQ sockets do not return them.
    fn unexpected_routing(&self, prefix: &[Vec<u8>]) -> Option<String> {
        let fine = match prefix.split_last() {
            None => self.connection.socket_kind() != SocketKind::Dealer,
            Some((delimiter, route)) => delimiter.is_empty() && *route == self.route[..],
        };
        let lengths = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
        (!fine).then(|| {
            let (came, sent) = (lengths(prefix), lengths(&self.route));
            format!("a reply has other routing frames than its request: lengths {came:?} for {sent:?} and 0")
        })
    }

    fn note(&self, findings: Vec<Finding>) {
        self.journal.borrow_mut().linted(findings);
    }

    fn transmit(&self, frames: &[Vec<u8>]) -> CaseResult {
        self.journal.borrow_mut().record(&self.name, Direction::Sent, frames);
        if self.route.is_empty() {
            return self.connection.send(frames).map_err(unsent);
        }
        let whole: Frames = self.route.iter().cloned().chain([Vec::new()]).chain(frames.iter().cloned()).collect();
        self.connection.send_bare(&whole).map_err(unsent)
    }

    fn await_reply(&mut self, session: [u8; 16], seq: u64, request: Option<Request>, frames: Frames) {
        self.awaited.push(Awaited { session, seq, request, frames, replies: 1 });
    }

    fn describe(&self, session: [u8; 16], seq: u64) -> String {
        let sent = self.awaited.iter().rev().find(|sent| sent.session == session && sent.seq == seq);
        match sent.and_then(|sent| sent.request.as_ref()) {
            Some(request) => format!("request {seq}, {} {}", request.op, Value::Map(request.args.clone())),
            None => format!("seq {seq}"),
        }
    }

    fn chunk(&self) -> u64 {
        self.hello_reply.as_ref().map_or(CHUNK_MAX, |hello_reply| hello_reply.chunk)
    }
}

fn unsent(error: zmq::Error) -> CaseError {
    match error {
        zmq::Error::EAGAIN => CaseError::Silent("the server accepts no more messages".into()),
        other => CaseError::Harness(format!("send: {other}")),
    }
}

/// Each page of a listing continues after the one before and has at least one entry, so that a listing ends. Where
/// one of these is broken the case ends, because the listing might not.
const PAGES_END_BY: &[&str] = &["LIST-2", "LIST-7", "UPLOADS-1", "UPLOADS-2"];

fn finding(requirement: &'static str, what: impl Into<String>) -> Finding {
    Finding { requirement, what: what.into() }
}
