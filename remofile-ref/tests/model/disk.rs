//! What outlives a server: a log of everything executed. Each request carries a label of its own.

use remofile::{ExecutionStatus, Outcome, Storage, Success};
use remofile_proto::{Answer, Code, Digest, Entry, Etag, HashResult, Kind, Operation, ReadResult, Refusal, RemotePath};
use std::cell::RefCell;
use std::rc::Rc;

/// Shared by all servers that are started one after the other.
#[derive(Default)]
pub struct DiskLog {
    /// Labels in the order of their execution; those of reads are not among them.
    pub executed: Vec<u64>,
    /// The label of the last change.
    pub state: u64,
    /// Something was wrong with what the store was given.
    pub faults: Vec<String>,
}

pub struct ModelDisk {
    pub log: Rc<RefCell<DiskLog>>,
    running: Option<(u64, u64, Operation)>,
}

/// What a request is made of; the label says which request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    Touch,
    Put,
    Refused,
    Read,
    Hash,
    Copy,
}

/// The request with this label, and its payload.
pub fn request(kind: Kinds, label: u64, slices: u64) -> (Operation, Option<Vec<u8>>) {
    let path = |text: String| RemotePath::parse(&text).unwrap();
    match kind {
        Kinds::Touch => (Operation::Touch { path: path("/t".into()), mtime_ns: label as i64 }, None),
        Kinds::Put => {
            let put = Operation::Put { path: path("/p".into()), pre: Default::default(), mtime_ns: Some(label as i64) };
            (put, Some(label.to_le_bytes().to_vec()))
        }
        Kinds::Refused => (Operation::Remove { path: path(format!("/{label}")), etag: None }, None),
        Kinds::Read => (Operation::Read { path: path("/r".into()), off: label, len: 16, etag: None }, None),
        Kinds::Hash => (Operation::Hash { path: path("/h".into()), off: label, len: Some(slices) }, None),
        Kinds::Copy => {
            let (from, to) = (path(format!("/{label}")), path(format!("/to/{slices}")));
            (Operation::Copy { from, to, pre: Default::default(), etag: None }, None)
        }
    }
}

/// Whether this is the reply to the request with this label; of a read, what state it saw.
pub fn answers(label: u64, reply: &remofile_proto::Reply<'_>, operation: &Operation) -> Result<Option<u64>, String> {
    let wrong = |what: &dyn std::fmt::Debug| Err(format!("request {label} was answered {what:?}"));
    match (reply.into_answer(operation), operation) {
        (Ok(Answer::Entry(entry)), _) if entry.mtime_ns == Some(label as i64) => Ok(None),
        (Ok(Answer::Hash(hash)), _) if hash.len == label => Ok(None),
        (Ok(Answer::Read(_)), _) => {
            let payload = reply.payload.unwrap();
            if payload[..8] != label.to_le_bytes() {
                return wrong(&payload);
            }
            Ok(Some(u64::from_le_bytes(payload[8..].try_into().unwrap())))
        }
        (Err(remofile_proto::ReplyError::Refused(refusal)), Operation::Remove { .. })
            if refusal.msg == Some(label.to_string()) =>
        {
            Ok(None)
        }
        (other, _) => wrong(&other),
    }
}

impl ModelDisk {
    pub fn new(log: Rc<RefCell<DiskLog>>) -> Self {
        Self { log, running: None }
    }

    fn change(&self, label: u64) -> Outcome {
        let mut log = self.log.borrow_mut();
        log.executed.push(label);
        log.state = label;
        let mtime_ns = Some(label as i64);
        Ok(Success::of(Answer::Entry(Entry { kind: Kind::Dir, size: None, mtime_ns, etag: None, racy: false })))
    }

    fn finish(&self, operation: &Operation, payload: &[u8]) -> Outcome {
        match operation {
            Operation::Touch { mtime_ns, .. } => self.change(*mtime_ns as u64),
            Operation::Put { mtime_ns, .. } => {
                let label = mtime_ns.unwrap() as u64;
                if payload != label.to_le_bytes() {
                    self.log.borrow_mut().faults.push(format!("put {label} has the payload {payload:?}"));
                }
                self.change(label)
            }
            Operation::Remove { path, .. } => {
                let label = path.as_str()[1..].parse().unwrap();
                self.log.borrow_mut().executed.push(label);
                Err(Refusal::because(Code::NotFound, label.to_string()))
            }
            Operation::Read { off, .. } => {
                let mut payload = off.to_le_bytes().to_vec();
                payload.extend(self.log.borrow().state.to_le_bytes());
                let answer = Answer::Read(ReadResult { etag: Etag::try_from(&[1][..]).unwrap(), size: 0 });
                Ok(Success { answer, payload: Some(payload) })
            }
            Operation::Hash { off, .. } => {
                self.log.borrow_mut().executed.push(*off);
                let etag = Etag::try_from(&[1][..]).unwrap();
                Ok(Success::of(Answer::Hash(HashResult { hash: Digest::new([0; 32]), len: *off, etag })))
            }
            Operation::Copy { from, .. } => self.change(from.as_str()[1..].parse().unwrap()),
            other => Err(Refusal::because(Code::Internal, format!("{other:?}"))),
        }
    }
}

impl Storage for ModelDisk {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        if self.running.is_some() {
            self.log.borrow_mut().faults.push("two operations at once".into());
        }
        let slices = match operation {
            Operation::Hash { len, .. } => len.unwrap(),
            Operation::Copy { to, .. } => to.as_str()["/to/".len()..].parse().unwrap(),
            _ => 0,
        };
        if slices == 0 {
            return ExecutionStatus::Done(self.finish(operation, payload));
        }
        self.running = Some((0, slices, operation.clone()));
        ExecutionStatus::Working { done: 0, total: slices }
    }

    fn proceed(&mut self) -> ExecutionStatus {
        let (done, total, operation) = self.running.take().unwrap();
        if done + 1 >= total {
            return ExecutionStatus::Done(self.finish(&operation, &[]));
        }
        self.running = Some((done + 1, total, operation));
        ExecutionStatus::Working { done: done + 1, total }
    }

    fn cancel(&mut self) {
        if self.running.take().is_none() {
            self.log.borrow_mut().faults.push("nothing to cancel".into());
        }
    }
}
