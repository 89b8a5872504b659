//! What a client wants, and how it goes about it: puts, uploads and flushes, by the table of section 16 where a session
//! was lost.

use super::disk::{Content, digest};
use remofile::protocol::client::handshake::{Handshake, HelloOutcome};
use remofile::protocol::client::request_window::{RequestWindow, RetryPolicy, WindowEvent};
use remofile_proto::{
    Answer, BootId, Code, Operation, Precondition, Recovery, RemotePath, Reply, ReplyError, SessionId, Staged,
    UploadId, encode_request,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub type MessageFrames = Vec<Vec<u8>>;

#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    Put(String, Content),
    Upload(String, Content),
    Flush,
}

/// How a client can be wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClientFault {
    None,
    /// Takes a commit whose session was lost for executed.
    TrustsTheLost,
    /// Takes what one server acknowledged for flushed by the next one, whatever became of the disk in between.
    IgnoresBoot,
}

#[derive(Debug)]
enum ClientPhase {
    Handshake(Handshake),
    Open(RequestWindow<Option<Content>>),
    Waiting(Duration),
    Leaving(Duration),
    Left,
}

/// How far the present job is.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Start,
    /// Everything is submitted; the answers come.
    Running,
    /// It was done all the same, as a look has shown, and what was begun for it is taken away.
    Finishing,
    /// Something was refused: when all is answered it begins again.
    Failed,
}

#[derive(Debug)]
pub struct Client {
    number: u8,
    phase: ClientPhase,
    fault: ClientFault,
    policy: RetryPolicy,
    session: SessionId,
    next_session: u8,
    next_label: i64,
    pub takes: bool,
    jobs: VecDeque<Job>,
    stage: Stage,
    /// Something of the present job may have been executed without an answer.
    in_doubt: bool,
    to_submit: VecDeque<(Operation, Option<Content>)>,
    awaited: BTreeMap<u64, Operation>,
    outbox: VecDeque<Vec<u8>>,
    /// Done, and not flushed yet.
    acknowledged: Vec<(String, Content, bool)>,
    boot: Option<BootId>,
    /// What a flush was acknowledged of, by path.
    pub promised: BTreeMap<String, Content>,
    /// Flushed, and whatever came later of the same path.
    pub allowed: BTreeMap<String, Vec<Content>>,
    pub lost_sessions: u64,
}

const SILENCE: Duration = Duration::from_secs(2);
pub const CHUNK: usize = 4;

impl Client {
    pub fn new(number: u8, jobs: Vec<Job>, fault: ClientFault) -> Self {
        Self {
            number,
            phase: ClientPhase::Waiting(Duration::ZERO),
            fault,
            policy: RetryPolicy { total: Duration::from_secs(1_000_000), ..RetryPolicy::default() },
            session: SessionId::new([0; 16]),
            next_session: 1,
            next_label: 1,
            takes: false,
            jobs: jobs.into(),
            stage: Stage::Start,
            in_doubt: false,
            to_submit: VecDeque::new(),
            awaited: BTreeMap::new(),
            outbox: VecDeque::new(),
            acknowledged: Vec::new(),
            boot: None,
            promised: BTreeMap::new(),
            allowed: BTreeMap::new(),
            lost_sessions: 0,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.phase, ClientPhase::Left)
    }

    /// Whether a job that is not done yet makes this of a path.
    pub fn wants(&self, path: &str, content: &Content) -> bool {
        self.jobs
            .iter()
            .any(|job| matches!(job, Job::Put(at, whole) | Job::Upload(at, whole) if at == path && whole == content))
    }

    /// The process dies, and the same call is made again: what it knew is gone, but for what it was asked to do.
    pub fn die(&mut self) {
        if !self.is_done() && !matches!(self.phase, ClientPhase::Leaving(_)) {
            self.forget();
            self.takes = true;
            self.in_doubt = true;
            self.phase = ClientPhase::Waiting(Duration::ZERO);
        }
    }

    pub fn next_deadline(&self) -> Option<Duration> {
        match &self.phase {
            ClientPhase::Handshake(handshake) => handshake.next_deadline(),
            ClientPhase::Open(stream) => stream.next_deadline(),
            ClientPhase::Waiting(at) | ClientPhase::Leaving(at) => Some(*at),
            ClientPhase::Left => None,
        }
    }

    pub fn on_timer(&mut self, now: Duration) -> Result<(), String> {
        match &mut self.phase {
            ClientPhase::Handshake(handshake) if handshake.next_deadline().is_none_or(|at| now >= at) => {
                self.say_hello(now)
            }
            ClientPhase::Waiting(at) if now >= *at => self.open(now, None),
            ClientPhase::Leaving(at) if now >= *at => self.say_bye(now),
            ClientPhase::Open(stream) => {
                let event = stream.on_timer(now);
                self.note(now, event, None)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub fn on_reconnected(&mut self, now: Duration) {
        if let ClientPhase::Open(stream) = &mut self.phase {
            stream.on_reconnected(now);
        }
    }

    /// The next message, if there is one.
    pub fn send(&mut self, now: Duration) -> Option<MessageFrames> {
        if let Some(header) = self.outbox.pop_front() {
            return Some(vec![vec![], header]);
        }
        self.plan();
        let ClientPhase::Open(stream) = &mut self.phase else { return None };
        while stream.can_submit()
            && let Some((operation, payload)) = self.to_submit.pop_front()
        {
            let seq = stream.submit(&operation, payload).expect("there is room");
            self.awaited.insert(seq, operation);
        }
        let outgoing = stream.next_to_send()?;
        let frames = [vec![], outgoing.header.to_vec()].into_iter().chain(outgoing.payload.clone()).collect();
        stream.sent(now);
        Some(frames)
    }

    pub fn receive(&mut self, now: Duration, frames: &[Vec<u8>]) -> Result<(), String> {
        let reply = Reply::decode(frames).map_err(|error| format!("malformed reply: {error}"))?;
        match &mut self.phase {
            ClientPhase::Handshake(handshake) => match handshake.on_reply(&reply) {
                HelloOutcome::Ignored => {}
                HelloOutcome::Open(welcome) => {
                    let is_another = self.boot.replace(welcome.boot).is_some_and(|before| before != welcome.boot);
                    let stream = RequestWindow::new(now, self.session, welcome.window, self.policy.clone());
                    self.phase = ClientPhase::Open(stream);
                    if is_another && self.fault == ClientFault::None {
                        self.look_again();
                    }
                }
                HelloOutcome::Again => self.say_hello(now),
                HelloOutcome::Busy(busy) if self.takes => {
                    self.takes = false;
                    self.open(now, Some(busy.session));
                }
                HelloOutcome::Busy(_) => self.phase = ClientPhase::Waiting(now + Duration::from_secs(10)),
                other => return Err(format!("hello was answered {other:?}")),
            },
            ClientPhase::Open(stream) => {
                let event = stream.on_reply(now, &reply);
                self.note(now, event, Some(&reply))?;
            }
            ClientPhase::Leaving(_) if reply.session == self.session && reply.seq == 0 => {
                self.phase = ClientPhase::Left
            }
            ClientPhase::Waiting(_) | ClientPhase::Leaving(_) | ClientPhase::Left => {}
        }
        self.plan();
        if self.jobs.is_empty() && matches!(&self.phase, ClientPhase::Open(stream) if stream.unanswered() == 0) {
            self.say_bye(now);
        }
        Ok(())
    }

    fn path(&self) -> Option<RemotePath> {
        match self.jobs.front()? {
            Job::Put(path, _) | Job::Upload(path, _) => Some(RemotePath::parse(path).unwrap()),
            Job::Flush => None,
        }
    }

    fn upload_id(&self) -> UploadId {
        UploadId::new([self.number; 16])
    }

    /// What was not flushed may be gone with the server that acknowledged it: it is looked at again.
    fn look_again(&mut self) {
        for (path, content, is_upload) in self.acknowledged.drain(..).rev() {
            let job = if is_upload { Job::Upload(path, content) } else { Job::Put(path, content) };
            self.jobs.push_front(job);
            self.in_doubt = true;
        }
    }

    fn label(&mut self) -> i64 {
        self.next_label += 1;
        i64::from(self.number) << 32 | self.next_label
    }

    fn ask(&mut self, operation: Operation, payload: Option<Content>) {
        self.to_submit.push_back((operation, payload));
    }

    fn ask_for_hash(&mut self) {
        if let Some(path) = self.path() {
            self.ask(Operation::Hash { path, off: 0, len: None }, None);
        }
    }

    fn ask_to_put(&mut self, content: Content) {
        let (path, mtime_ns) = (self.path().unwrap(), Some(self.label()));
        self.ask(Operation::Put { path, pre: Precondition::Any, mtime_ns }, Some(content));
    }

    /// Begins the present job, if none of it is under way.
    fn plan(&mut self) {
        if !matches!(self.phase, ClientPhase::Open(_)) || !self.awaited.is_empty() || !self.to_submit.is_empty() {
            return;
        }
        if matches!(self.stage, Stage::Running | Stage::Finishing) {
            return;
        }
        let Some(job) = self.jobs.front().cloned() else { return };
        self.stage = Stage::Running;
        match job {
            Job::Put(..) if self.in_doubt => self.ask_for_hash(),
            Job::Put(_, content) => self.ask_to_put(content),
            Job::Upload(..) => {
                let (up, path) = (self.upload_id(), self.path().unwrap());
                self.ask(Operation::Begin { up, path, size: None }, None);
            }
            Job::Flush => self.ask(Operation::Flush, None),
        }
    }

    fn send_rest(&mut self, content: &[u8], off: usize) {
        let up = self.upload_id();
        for at in (off..content.len()).step_by(CHUNK) {
            let chunk = content[at..content.len().min(at + CHUNK)].to_vec();
            self.ask(Operation::Append { up, off: at as u64 }, Some(chunk));
        }
        let (size, hash, mtime_ns) = (content.len() as u64, digest(content), Some(self.label()));
        self.ask(Operation::Commit { up, size, hash, pre: Precondition::Any, mtime_ns }, None);
    }

    fn job_is_done(&mut self) {
        self.stage = Stage::Start;
        self.in_doubt = false;
        let job = self.jobs.pop_front();
        let is_upload = matches!(job, Some(Job::Upload(..)));
        match job {
            Some(Job::Put(path, content) | Job::Upload(path, content)) => {
                self.allowed.entry(path.clone()).or_default().push(content.clone());
                // Only the last one of a path is to be there.
                self.acknowledged.retain(|(earlier, ..)| *earlier != path);
                self.acknowledged.push((path, content, is_upload));
            }
            Some(Job::Flush) => {
                for (path, content, _) in self.acknowledged.drain(..) {
                    let later = self.allowed.entry(path.clone()).or_default();
                    if let Some(at) = later.iter().rposition(|one| *one == content) {
                        later.drain(..at);
                    }
                    self.promised.insert(path, content);
                }
            }
            None => {}
        }
    }

    fn answered(&mut self, operation: &Operation, result: Result<Answer, Code>) -> Result<(), String> {
        if self.stage == Stage::Failed {
            return Ok(());
        }
        if let (Operation::Append { .. }, Ok(_)) = (operation, &result) {
            // Perhaps after the answer to the commit, where its own was lost at first.
            return Ok(());
        }
        if let Operation::Abort { .. } = operation {
            match self.stage {
                Stage::Finishing => self.job_is_done(),
                // Of something else than this source: now it starts over.
                _ => self.stage = Stage::Start,
            }
            return Ok(());
        }
        let job = self.jobs.front().cloned().ok_or("an answer to nothing")?;
        match (&job, operation, result) {
            (Job::Put(..), Operation::Put { .. }, Ok(_)) | (Job::Flush, Operation::Flush, Ok(_)) => self.job_is_done(),
            (Job::Put(_, content), Operation::Hash { .. }, found) => match found {
                Ok(Answer::Hash(found)) if found.hash == digest(content) => self.job_is_done(),
                _ => self.ask_to_put(content.clone()),
            },
            (Job::Upload(_, content), Operation::Begin { .. }, Ok(Answer::Staged(staged))) => {
                self.go_on_behind(content, &staged);
            }
            (Job::Upload(_, content), Operation::Hash { .. }, found) => match found {
                // [UP-8]
                Ok(Answer::Hash(found)) if found.hash == digest(content) => {
                    let up = self.upload_id();
                    self.ask(Operation::Abort { up }, None);
                    self.stage = Stage::Finishing;
                }
                _ => self.send_rest(content, 0),
            },
            (Job::Upload(..), Operation::Commit { .. }, Ok(_)) => self.job_is_done(),
            (_, _, Err(Code::NoUpload | Code::Offset | Code::Digest)) => {
                self.stage = Stage::Failed;
                self.to_submit.clear();
            }
            (job, operation, result) => return Err(format!("{job:?}: {operation:?} was answered {result:?}")),
        }
        Ok(())
    }

    fn go_on_behind(&mut self, content: &[u8], staged: &Staged) {
        let off = staged.off as usize;
        let is_ours = off <= content.len() && staged.hash == digest(&content[..off.min(content.len())]);
        if !is_ours {
            // [UP-5]
            let up = self.upload_id();
            self.ask(Operation::Abort { up }, None);
        } else if off == 0 && self.in_doubt {
            self.ask_for_hash();
        } else {
            self.send_rest(content, off.min(content.len()));
        }
    }

    fn note(
        &mut self,
        now: Duration,
        event: WindowEvent<Option<Content>>,
        reply: Option<&Reply<'_>>,
    ) -> Result<(), String> {
        match event {
            WindowEvent::Answered { seq, .. } => {
                let operation = self.awaited.remove(&seq).ok_or(format!("{seq} is answered twice"))?;
                let result = match reply.unwrap().into_answer(&operation) {
                    Ok(answer) => Ok(answer),
                    Err(ReplyError::Refused(refusal)) => Err(refusal.code),
                    Err(error) => return Err(format!("{operation:?}: {error:?}")),
                };
                self.answered(&operation, result)?;
                if self.stage == Stage::Failed && self.awaited.is_empty() {
                    self.stage = Stage::Start;
                }
            }
            WindowEvent::Lost(_) => {
                self.lost_sessions += 1;
                let lost = std::mem::replace(&mut self.phase, ClientPhase::Waiting(now));
                let ClientPhase::Open(stream) = lost else { unreachable!() };
                let mut doubtful = false;
                for unacked in stream.into_unacked().into_iter().filter(|unacked| unacked.sent) {
                    doubtful |= unacked.recovery != Recovery::Repeat;
                    if unacked.recovery == Recovery::ResumeUnlessCommitted && self.fault == ClientFault::TrustsTheLost {
                        self.job_is_done();
                    }
                }
                self.forget();
                self.in_doubt |= doubtful;
                self.open(now, None);
            }
            WindowEvent::Ignored | WindowEvent::Repairing | WindowEvent::Pending { .. } => {}
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.stage = Stage::Start;
        self.to_submit.clear();
        self.awaited.clear();
        self.outbox.clear();
    }

    fn open(&mut self, now: Duration, take: Option<SessionId>) {
        self.phase = ClientPhase::Handshake(Handshake::new("simulation", None, take, SILENCE));
        self.say_hello(now);
    }

    fn say_hello(&mut self, now: Duration) {
        let ClientPhase::Handshake(handshake) = &mut self.phase else { return };
        let mut id = [self.number; 16];
        id[0] = self.next_session;
        self.next_session = self.next_session.checked_add(1).expect("so many sessions are a loop");
        self.session = SessionId::new(id);
        self.outbox.clear();
        self.outbox.push_back(handshake.say_hello(now, self.session, super::world::auth(self.session)));
    }

    fn say_bye(&mut self, now: Duration) {
        self.phase = ClientPhase::Leaving(now + SILENCE);
        self.outbox.push_back(encode_request(self.session, 0, &Operation::Bye));
    }
}
