//! A client as a driver of the real state machines would be, without a socket.

use super::disk::{self, Kinds};
use super::network::Frames;
use super::random::ModelRandom;
use super::server::auth;
use remofile::protocol::client::handshake::{Handshake, HelloOutcome};
use remofile::protocol::client::request_window::{RequestWindow, RetryPolicy, WindowEvent};
use remofile_proto::{Operation, Reply, SessionId, encode_request};
use std::collections::HashMap;
use std::time::Duration;

/// How a client can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Says hello again with the same id, after silence and over a new connection.
    SameHello,
    /// Counts messages in flight instead of numbers above the lowest unanswered.
    WindowOfFlights,
    /// Sends everything again at every SEQ.
    ResendsAtEveryGap,
}

pub enum Phase {
    Handshake(Handshake),
    Open(RequestWindow<Option<Vec<u8>>>),
    /// Another client owns the session.
    Waiting(Duration),
    /// Everything is done: bye is sent until it is answered.
    Leaving(Duration),
    Left,
}

pub struct Peer {
    pub phase: Phase,
    pub fault: Fault,
    pub session: SessionId,
    pub window: u64,
    pub policy: RetryPolicy,
    /// Kinds of requests that are still to be submitted, the next one last.
    pub todo: Vec<(Kinds, u64)>,
    requests: HashMap<u64, (u64, Operation)>,
    outbox: Option<Frames>,
    hello: Vec<u8>,
    pub submitted: Vec<u64>,
    pub reads: Vec<u64>,
    /// Labels that were answered.
    pub acknowledged: Vec<u64>,
    /// Labels whose session was lost, and whether they were sent.
    pub in_doubt: Vec<(u64, bool)>,
    pub losses: Vec<remofile::protocol::client::request_window::SessionLoss>,
    /// More than one hello was said before a session was open.
    pub late_hellos: bool,
    /// Takes the session from its owner.
    pub takes: bool,
}

const HELLO_SILENCE: Duration = Duration::from_secs(2);

impl Peer {
    pub fn new(todo: Vec<(Kinds, u64)>, policy: RetryPolicy, fault: Fault) -> Self {
        Self {
            phase: Phase::Handshake(Handshake::new("model", None, None, HELLO_SILENCE)),
            fault,
            session: SessionId::new([0; 16]),
            window: 1,
            policy,
            todo,
            requests: HashMap::new(),
            outbox: None,
            hello: Vec::new(),
            submitted: Vec::new(),
            reads: Vec::new(),
            acknowledged: Vec::new(),
            in_doubt: Vec::new(),
            losses: Vec::new(),
            late_hellos: false,
            takes: false,
        }
    }

    pub fn start(&mut self, now: Duration, random: &mut ModelRandom) {
        self.say_hello(now, random);
    }

    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Left)
    }

    /// The next message, if there is one to send.
    pub fn send(&mut self, now: Duration, next_label: &mut u64) -> Option<Frames> {
        if let Some(frames) = self.outbox.take() {
            return Some(frames);
        }
        let Phase::Open(stream) = &mut self.phase else { return None };
        while let Some((kind, slices)) = self.todo.last().copied().filter(|_| stream.can_submit()) {
            let (operation, payload) = disk::request(kind, *next_label, slices);
            let Ok(seq) = stream.submit(&operation, payload) else { break };
            self.requests.insert(seq, (*next_label, operation));
            self.submitted.push(*next_label);
            if kind == Kinds::Read {
                self.reads.push(*next_label);
            }
            *next_label += 1;
            self.todo.pop();
        }
        if self.fault == Fault::WindowOfFlights {
            let flights = stream.next_to_send().map(|outgoing| outgoing.seq);
            let in_flight = self.requests.keys().filter(|seq| flights.is_some_and(|next| **seq < next)).count();
            if in_flight as u64 >= self.window {
                return None;
            }
        }
        let outgoing = stream.next_to_send()?;
        let frames = [vec![], outgoing.header.to_vec()].into_iter().chain(outgoing.payload.clone()).collect();
        stream.sent(now);
        Some(frames)
    }

    pub fn receive(&mut self, now: Duration, frames: &[Vec<u8>], random: &mut ModelRandom) -> Result<(), String> {
        let reply = Reply::decode(frames).map_err(|error| format!("malformed reply: {error}"))?;
        match &mut self.phase {
            Phase::Handshake(handshake) => match handshake.on_reply(&reply) {
                HelloOutcome::Ignored => {}
                HelloOutcome::Open(welcome) => {
                    self.window = welcome.window;
                    let window = if self.fault == Fault::WindowOfFlights { 1 << 30 } else { welcome.window };
                    self.requests.clear();
                    self.phase = Phase::Open(RequestWindow::new(now, self.session, window, self.policy.clone()));
                }
                HelloOutcome::Again => self.say_hello(now, random),
                HelloOutcome::Busy(busy) if self.takes => {
                    self.takes = false;
                    self.phase = Phase::Handshake(Handshake::new("model", None, Some(busy.session), HELLO_SILENCE));
                    self.say_hello(now, random);
                }
                HelloOutcome::Busy(_) => self.phase = Phase::Waiting(now + Duration::from_secs(1)),
                other => return Err(format!("hello was answered {other:?}")),
            },
            Phase::Open(stream) => {
                let event = stream.on_reply(now, &reply);
                if self.fault == Fault::ResendsAtEveryGap && reply.code == 14 {
                    stream.on_reconnected(now);
                }
                self.note(now, event, Some(&reply), random)?;
            }
            // OK and NO_SESSION both end it.
            Phase::Leaving(_) if reply.session == self.session && reply.seq == 0 => self.phase = Phase::Left,
            Phase::Waiting(_) | Phase::Leaving(_) | Phase::Left => {}
        }
        self.leave_when_done(now);
        Ok(())
    }

    pub fn on_timer(&mut self, now: Duration, random: &mut ModelRandom) -> Result<(), String> {
        match &mut self.phase {
            Phase::Handshake(handshake) if handshake.next_deadline().is_none_or(|at| now >= at) => {
                self.say_hello(now, random);
            }
            Phase::Waiting(at) if now >= *at => {
                self.phase = Phase::Handshake(Handshake::new("model", None, None, HELLO_SILENCE));
                self.say_hello(now, random);
            }
            Phase::Leaving(at) if now >= *at => self.say_bye(now),
            Phase::Open(stream) => {
                let event = stream.on_timer(now);
                self.note(now, event, None, random)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub fn on_reconnected(&mut self, now: Duration) {
        if let Phase::Open(stream) = &mut self.phase {
            stream.on_reconnected(now);
            if self.fault == Fault::SameHello {
                self.outbox = Some(vec![vec![], self.hello.clone()]);
            }
        }
    }

    pub fn next_deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.next_deadline(),
            Phase::Open(stream) => stream.next_deadline(),
            Phase::Waiting(at) | Phase::Leaving(at) => Some(*at),
            Phase::Left => None,
        }
    }

    fn note(
        &mut self,
        now: Duration,
        event: WindowEvent<Option<Vec<u8>>>,
        reply: Option<&Reply<'_>>,
        random: &mut ModelRandom,
    ) -> Result<(), String> {
        match event {
            WindowEvent::Answered { seq, .. } => {
                let (label, operation) = self.requests.remove(&seq).ok_or(format!("{seq} is answered twice"))?;
                let saw = disk::answers(label, reply.unwrap(), &operation)?;
                if let Some(saw) = saw.filter(|saw| *saw >= label) {
                    return Err(format!("read {label} saw the later change {saw}"));
                }
                self.acknowledged.push(label);
            }
            WindowEvent::Lost(loss) => {
                self.losses.push(loss);
                let lost = Phase::Handshake(Handshake::new("model", None, Some(self.session), HELLO_SILENCE));
                let Phase::Open(stream) = std::mem::replace(&mut self.phase, lost) else { unreachable!() };
                for unacked in stream.into_unacked() {
                    let (label, _) = self.requests.remove(&unacked.seq).ok_or("an answered request is left over")?;
                    self.in_doubt.push((label, unacked.sent));
                }
                self.say_hello(now, random);
            }
            WindowEvent::Ignored | WindowEvent::Repairing | WindowEvent::Pending { .. } => {}
        }
        Ok(())
    }

    fn leave_when_done(&mut self, now: Duration) {
        if matches!(&self.phase, Phase::Open(stream) if stream.unanswered() == 0 && self.todo.is_empty()) {
            self.say_bye(now);
        }
    }

    fn say_bye(&mut self, now: Duration) {
        self.phase = Phase::Leaving(now + HELLO_SILENCE);
        self.outbox = Some(vec![vec![], encode_request(self.session, 0, &Operation::Bye)]);
    }

    fn say_hello(&mut self, now: Duration, random: &mut ModelRandom) {
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        self.late_hellos |= handshake.next_deadline().is_some();
        let again = self.fault == Fault::SameHello && !self.hello.is_empty() && handshake.next_deadline().is_some();
        if !again {
            self.session = SessionId::new(random.id());
            self.hello = handshake.say_hello(now, self.session, auth(self.session));
        } else {
            // The machine has no way to say hello twice with one id: another one is made and thrown away.
            let mut same = Handshake::new("model", None, None, HELLO_SILENCE);
            let _ = same.say_hello(now, self.session, auth(self.session));
            *handshake = same;
        }
        self.outbox = Some(vec![vec![], self.hello.clone()]);
    }
}
