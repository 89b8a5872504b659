//! A disk that keeps what was synced, and of the rest as much as a power cut pleases.

use remofile::{ExecutionStatus, Outcome, Storage, Success};
use remofile_proto::{
    Answer, Code, Detail, Digest, Entry, Etag, HashResult, Kind, Operation, Refusal, Staged, UploadId,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

pub type Content = Vec<u8>;

/// What a directory and its staging directory hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub files: BTreeMap<String, Content>,
    pub staged: BTreeMap<UploadId, (String, Content)>,
}

/// The disk itself, which outlives servers.
#[derive(Debug, Default)]
pub struct Platter {
    pub now: State,
    pub stable: State,
    /// Files that were made, and not replaced, since the last sync: their content may be missing after a power cut.
    unsynced: Vec<String>,
    /// The labels of what made or replaced a file, in order.
    pub executed: Vec<i64>,
    /// A disk that says that it has synced, and has not.
    pub lies: bool,
}

impl Platter {
    pub fn new(lies: bool) -> Self {
        Self { lies, ..Self::default() }
    }

    /// What may have become of each thing that was not synced is chosen by `pick`, which is given how many ways there
    /// are.
    pub fn lose_power(&mut self, mut pick: impl FnMut(usize) -> usize) {
        let before = std::mem::replace(&mut self.now, self.stable.clone());
        let names: Vec<String> = before.files.keys().chain(self.stable.files.keys()).cloned().collect();
        for name in names {
            let (new, old) = (before.files.get(&name), self.stable.files.get(&name));
            if new == old {
                continue;
            }
            let is_torn = self.unsynced.contains(&name);
            match (pick(if is_torn { 3 } else { 2 }), new) {
                (0, _) => {}
                (1, Some(new)) => drop(self.now.files.insert(name, new.clone())),
                (1, None) => drop(self.now.files.remove(&name)),
                _ => drop(self.now.files.insert(name, Content::new())),
            }
        }
        for (up, (path, bytes)) in before.staged {
            let kept = self.stable.staged.get(&up).map_or(0, |(_, kept)| kept.len()).min(bytes.len());
            match pick(3) {
                0 => {}
                // The length may have reached the disk before the bytes.
                1 => {
                    let mut zeroed = bytes[..kept].to_vec();
                    zeroed.resize(bytes.len(), 0);
                    self.now.staged.insert(up, (path, zeroed));
                }
                _ => drop(self.now.staged.insert(up, (path, bytes))),
            }
        }
        self.stable = self.now.clone();
        self.unsynced.clear();
    }

    fn put(&mut self, path: &str, content: &[u8], label: i64, is_synced: bool) {
        self.executed.push(label);
        match self.now.files.insert(path.to_owned(), content.to_vec()) {
            // [DUR-1] What replaces has its content on the disk first.
            Some(_) => {}
            None if is_synced => {}
            None => self.unsynced.push(path.to_owned()),
        }
    }

    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> Outcome {
        let refused = |code| Err(Refusal::new(code));
        match operation {
            Operation::Put { path, mtime_ns, .. } => {
                self.put(path.as_str(), payload, mtime_ns.unwrap(), false);
                Ok(Success::of(Answer::Entry(entry())))
            }
            Operation::Begin { up, path, .. } => {
                let path = path.as_str().to_owned();
                // [BEGIN-3]
                self.now.staged.retain(|id, (target, _)| id == up || *target != path);
                let (target, bytes) = self.now.staged.entry(*up).or_insert_with(|| (path.clone(), Content::new()));
                if *target != path {
                    (*target, *bytes) = (path, Content::new());
                }
                Ok(Success::of(Answer::Staged(Staged { off: bytes.len() as u64, hash: digest(bytes) })))
            }
            Operation::Append { up, off } => match self.now.staged.get_mut(up) {
                None => refused(Code::NoUpload),
                Some((_, bytes)) if bytes.len() as u64 != *off => {
                    let detail = Detail::Offset(bytes.len() as u64);
                    Err(Refusal { code: Code::Offset, detail, msg: None })
                }
                Some((_, bytes)) => {
                    bytes.extend(payload);
                    Ok(Success::of(Answer::Offset(bytes.len() as u64)))
                }
            },
            Operation::Commit { up, size, hash, mtime_ns, .. } => match self.now.staged.get(up).cloned() {
                None => refused(Code::NoUpload),
                Some((_, bytes)) if bytes.len() as u64 != *size => {
                    let detail = Detail::Offset(bytes.len() as u64);
                    Err(Refusal { code: Code::Offset, detail, msg: None })
                }
                Some((path, bytes)) => {
                    self.now.staged.remove(up);
                    if *hash != digest(&bytes) {
                        return refused(Code::Digest);
                    }
                    self.put(&path, &bytes, mtime_ns.unwrap(), true);
                    Ok(Success::of(Answer::Entry(entry())))
                }
            },
            Operation::Abort { up } => {
                self.now.staged.remove(up);
                Ok(Success::of(Answer::Empty))
            }
            Operation::Hash { path, .. } => match self.now.files.get(path.as_str()) {
                None => refused(Code::NotFound),
                Some(content) => Ok(Success::of(Answer::Hash(HashResult {
                    hash: digest(content),
                    len: content.len() as u64,
                    etag: etag(),
                }))),
            },
            Operation::Flush => {
                if !self.lies {
                    self.stable = self.now.clone();
                    self.unsynced.clear();
                }
                Ok(Success::of(Answer::Empty))
            }
            other => panic!("unexpected operation {other:?}"),
        }
    }
}

/// The store of one server.
#[derive(Debug)]
pub struct SimulatedDisk {
    platter: Rc<RefCell<Platter>>,
    flushing: Option<Operation>,
}

impl SimulatedDisk {
    pub fn new(platter: Rc<RefCell<Platter>>) -> Self {
        Self { platter, flushing: None }
    }
}

impl Storage for SimulatedDisk {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        assert!(self.flushing.is_none(), "two operations at once");
        if *operation == Operation::Flush {
            // It takes its time: clients poll.
            self.flushing = Some(operation.clone());
            return ExecutionStatus::Working { done: 0, total: 0 };
        }
        ExecutionStatus::Done(self.platter.borrow_mut().perform(operation, payload))
    }

    fn proceed(&mut self) -> ExecutionStatus {
        let operation = self.flushing.take().expect("a flush runs");
        ExecutionStatus::Done(self.platter.borrow_mut().perform(&operation, &[]))
    }

    fn cancel(&mut self) {
        self.flushing.take().expect("a flush runs");
    }
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

fn etag() -> Etag {
    Etag::try_from(&[1][..]).unwrap()
}

fn entry() -> Entry {
    Entry { kind: Kind::File, size: Some(0), mtime_ns: Some(0), etag: Some(etag()), racy: false }
}
