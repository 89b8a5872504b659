//! Every call to the file system fails in turn, once or for good, while a client does all that changes a disk.

#![allow(clippy::unwrap_used)]

use super::{Store, StoreError, StoreOptions};
use crate::fs::calls::faulty::{Failpoint, Fault};
use crate::storage::{ExecutionStatus, Storage};
use remofile_proto::{Answer, Code, Digest, Operation, Precondition, RemotePath, UploadId};
use rustix::io::Errno;
use std::path::{Path as DiskPath, PathBuf};

const OLD: &[u8] = b"old content";
const NEW: &[u8] = b"new and longer content";
const UP: UploadId = UploadId::new([7; 16]);

/// What a client does, in this order.
const ACTIONS: [ClientAction; 14] = [
    ClientAction::Put("created", None),
    ClientAction::Put("replaced", Some(OLD)),
    ClientAction::Upload("small", Some(OLD), 100),
    // Beyond what is synced at once.
    ClientAction::Upload("large", Some(OLD), 1_200_000),
    ClientAction::Copy("kept", "copied", Some(OLD)),
    ClientAction::Move("moving", "moved", Some(OLD)),
    ClientAction::Move("renaming", "renamed", None),
    ClientAction::Write("written"),
    ClientAction::Truncate("cut"),
    ClientAction::Touch("touched"),
    ClientAction::Mkdir("made"),
    ClientAction::Remove("doomed"),
    ClientAction::Look("kept"),
    ClientAction::Flush,
];

#[derive(Clone, Copy, Debug)]
enum ClientAction {
    /// A file, and what is there before.
    Put(&'static str, Option<&'static [u8]>),
    Upload(&'static str, Option<&'static [u8]>, usize),
    Copy(&'static str, &'static str, Option<&'static [u8]>),
    Move(&'static str, &'static str, Option<&'static [u8]>),
    Write(&'static str),
    Truncate(&'static str),
    Touch(&'static str),
    Mkdir(&'static str),
    Remove(&'static str),
    /// Everything that only reads.
    Look(&'static str),
    Flush,
}

/// A name, and its content before and after.
type ContentChange = (&'static str, Option<&'static [u8]>, Option<Vec<u8>>);

/// A served directory and the calls that fail on it.
struct FaultFixture {
    around: tempfile::TempDir,
    store: Store,
    failpoint: Failpoint,
    fault: Fault,
}

fn path(name: &str) -> RemotePath {
    RemotePath::parse(&format!("/{name}")).unwrap()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

fn uploaded(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// In memory where there is such a place: thousands of syncs take their time on a disk.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl ClientAction {
    /// The file that it makes or changes, and its content before and after.
    fn change(self) -> Option<ContentChange> {
        match self {
            Self::Put(name, before) => Some((name, before, Some(NEW.to_vec()))),
            Self::Upload(name, before, len) => Some((name, before, Some(uploaded(len)))),
            Self::Copy(_, name, before) | Self::Move(_, name, before) => Some((name, before, Some(NEW.to_vec()))),
            Self::Write(name) => Some((name, Some(OLD), Some(b"old NEWtent".to_vec()))),
            Self::Truncate(name) => Some((name, Some(OLD), Some(OLD[..3].to_vec()))),
            Self::Remove(name) => Some((name, Some(OLD), None)),
            Self::Touch(_) | Self::Mkdir(_) | Self::Look(_) | Self::Flush => None,
        }
    }

    /// Whether repeating it is refused where the first one had its effect, and with what.
    fn code_if_done(self) -> Code {
        match self {
            Self::Mkdir(_) => Code::Exists,
            Self::Move(..) | Self::Remove(_) => Code::NotFound,
            _ => Code::Ok,
        }
    }
}

fn prepare(root: &DiskPath) {
    std::fs::create_dir(root).unwrap();
    for action in ACTIONS {
        if let Some((name, Some(before), _)) = action.change() {
            std::fs::write(root.join(name), before).unwrap();
        }
        match action {
            ClientAction::Copy(from, ..) | ClientAction::Move(from, ..) => {
                std::fs::write(root.join(from), NEW).unwrap()
            }
            ClientAction::Touch(name) => std::fs::write(root.join(name), OLD).unwrap(),
            _ => {}
        }
    }
}

impl FaultFixture {
    /// Opens the directory. Where that fails, opens it again without faults, as the next process would.
    fn open(fault: Fault) -> Self {
        let around = directory();
        let root = around.path().join("root");
        prepare(&root);
        let failpoint = Failpoint::new(fault);
        let store = Store::open(&root, StoreOptions::default()).unwrap_or_else(|error| {
            assert!(!failpoint.failed().is_empty(), "{error}");
            assert!(!matches!(error, StoreError::InUse), "{error}");
            failpoint.clear();
            Store::open(&root, StoreOptions::default()).unwrap()
        });
        Self { around, store, failpoint, fault }
    }

    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.root().join(name)).ok()
    }

    fn ask(&mut self, operation: &Operation, payload: &[u8]) -> Result<Answer, Code> {
        let mut performed = self.store.perform(operation, payload);
        loop {
            match performed {
                ExecutionStatus::Done(outcome) => {
                    return outcome.map(|success| success.answer).map_err(|refusal| {
                        assert!(
                            refusal.code != Code::Internal || refusal.msg.is_some(),
                            "the reason of the failure is missing"
                        );
                        refusal.code
                    });
                }
                ExecutionStatus::Working { .. } => performed = self.store.proceed(),
            }
        }
    }

    fn code(&mut self, operation: &Operation, payload: &[u8]) -> Code {
        self.ask(operation, payload).err().unwrap_or(Code::Ok)
    }

    /// The first code that is not OK.
    fn attempt(&mut self, action: ClientAction) -> Code {
        let pre = Precondition::Any;
        match action {
            ClientAction::Put(name, _) => self.code(&Operation::Put { path: path(name), pre, mtime_ns: Some(1) }, NEW),
            ClientAction::Upload(name, _, len) => self.upload(name, &uploaded(len)),
            ClientAction::Copy(from, to, _) => {
                self.code(&Operation::Copy { from: path(from), to: path(to), pre, etag: None }, &[])
            }
            ClientAction::Move(from, to, _) => {
                self.code(&Operation::Move { from: path(from), to: path(to), pre, etag: None }, &[])
            }
            ClientAction::Write(name) => self.code(&Operation::Write { path: path(name), off: 4, etag: None }, b"NEW"),
            ClientAction::Truncate(name) => {
                self.code(&Operation::Truncate { path: path(name), size: 3, etag: None }, &[])
            }
            ClientAction::Touch(name) => self.code(&Operation::Touch { path: path(name), mtime_ns: 1 }, &[]),
            ClientAction::Mkdir(name) => self.code(&Operation::Mkdir { path: path(name) }, &[]),
            ClientAction::Remove(name) => self.code(&Operation::Remove { path: path(name), etag: None }, &[]),
            ClientAction::Look(name) => {
                let looks = [
                    Operation::Stat { path: path(name) },
                    Operation::List { path: RemotePath::root(), after: None, limit: None, tree: true },
                    Operation::Read { path: path(name), off: 0, len: 100, etag: None },
                    Operation::Hash { path: path(name), off: 0, len: None },
                    Operation::Uploads { after: None },
                ];
                let codes = looks.map(|look| self.code(&look, &[]));
                codes.into_iter().find(|code| *code != Code::Ok).unwrap_or(Code::Ok)
            }
            ClientAction::Flush => self.code(&Operation::Flush, &[]),
        }
    }

    /// As a client does it: continues after the staged bytes, if they are its own.
    fn upload(&mut self, name: &str, content: &[u8]) -> Code {
        let begin = Operation::Begin { up: UP, path: path(name), size: Some(content.len() as u64) };
        let staged = match self.ask(&begin, &[]) {
            Ok(Answer::Staged(staged)) => staged,
            Ok(other) => panic!("{other:?}"),
            Err(code) => return code,
        };
        let staged_len = usize::try_from(staged.off).unwrap();
        assert_eq!(staged.hash, digest(&content[..staged_len]), "something else is staged");
        let (mut off, half) = (staged_len, content.len() / 2);
        while off < content.len() {
            let end = if off < half { half } else { content.len() };
            let code = self.code(&Operation::Append { up: UP, off: off as u64 }, &content[off..end]);
            if code != Code::Ok {
                return code;
            }
            off = end;
        }
        let (size, hash) = (content.len() as u64, digest(content));
        self.code(&Operation::Commit { up: UP, size, hash, pre: Precondition::Any, mtime_ns: None }, &[])
    }

    /// Acts while calls fail; returns whether it was refused.
    fn attempt_in_fault(&mut self, action: ClientAction) -> bool {
        let before = self.failpoint.failed().len();
        let code = self.attempt(action);
        let failed = self.failpoint.failed().split_off(before);
        if code == Code::Ok {
            self.assert_done(action);
            return false;
        }
        if failed.is_empty() {
            self.assert_refused_for_a_lost_sync(action, code);
            return true;
        }
        let is_clear = match self.fault.errno {
            Errno::IO => code == Code::Internal,
            // What fails at a sync, or leaves a staged file in doubt, is the server's failure, whatever its reason.
            _ => {
                let is_ours = failed.iter().any(|call| call.contains("sync") || *call == "ftruncate");
                code == Code::NoSpace || (code == Code::Internal && is_ours)
            }
        };
        assert!(is_clear, "{action:?} was refused with {code:?} when {failed:?} failed by {}", self.fault.errno);
        if let Some((name, old, new)) = action.change() {
            let content = self.content(name);
            let is_old = content.as_deref() == old;
            // A look at what was just done may fail, when it cannot be undone any more.
            let is_look = failed[0].contains("stat");
            let is_in_place = matches!(action, ClientAction::Write(_));
            let is_mixed = || content.as_ref().is_some_and(|is| is.len() == OLD.len() && is.starts_with(b"old "));
            assert!(
                is_old || (is_look && content == new) || (is_in_place && is_mixed()),
                "{action:?} was refused with {code:?} when {failed:?} failed, and left {content:?}"
            );
        }
        true
    }

    /// [DUR-4] For the rest of this server's life: it cannot know what is on stable storage.
    fn assert_refused_for_a_lost_sync(&self, action: ClientAction, code: Code) {
        let may_be_refused = matches!(action, ClientAction::Flush | ClientAction::Move(_, _, Some(_)));
        let has_lost = self.failpoint.failed().iter().any(|call| ["syncfs", "fdatasync"].contains(call));
        assert!(
            may_be_refused && has_lost && code == Code::Internal,
            "{action:?} was refused with {code:?}, and nothing failed"
        );
    }

    fn assert_done(&self, action: ClientAction) {
        if let Some((name, _, new)) = action.change() {
            assert!(self.content(name) == new, "{action:?} was acknowledged, and left something else");
        }
    }

    /// Repeats what was refused, when no call fails.
    fn attempt_after_fault(&mut self, action: ClientAction) {
        let code = self.attempt(action);
        if code == Code::Internal {
            return self.assert_refused_for_a_lost_sync(action, code);
        }
        let is_flush = matches!(action, ClientAction::Flush);
        assert!(!(is_flush && self.failpoint.failed().contains(&"syncfs")), "a flush after one that failed is OK");
        assert!(
            code == Code::Ok || code == action.code_if_done(),
            "{action:?} is refused with {code:?} when no call fails"
        );
        self.assert_done(action);
    }

    /// Nothing was believed that a second sync said, and the next server finds nothing half done.
    fn close(self) -> PathBuf {
        assert!(!self.failpoint.believed_a_second_sync(), "a sync that had failed was made again, and believed");
        let Self { around, store, failpoint, .. } = self;
        let root_id = store.root_id();
        drop((store, failpoint));
        let root = around.path().join("root");
        let mut store = Store::open(&root, StoreOptions::default()).unwrap();
        assert_eq!(store.root_id(), root_id, "the next server serves another root");
        let abort = store.perform(&Operation::Abort { up: UP }, &[]);
        assert!(matches!(abort, ExecutionStatus::Done(Ok(_))));
        let left = std::fs::read_dir(root.join(".remofile")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name != "lock" && name != "root").collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        root
    }
}

/// The n-th call fails, for every n until none is left; gives how many calls that were.
fn every_call(errno: Errno, persists: bool) -> u64 {
    for nth in 1.. {
        let mut bench = FaultFixture::open(Fault { errno, nth, persists, only: &[] });
        let refused: Vec<bool> = ACTIONS.iter().map(|action| bench.attempt_in_fault(*action)).collect();
        let failed = !bench.failpoint.failed().is_empty();
        bench.failpoint.clear();
        for (action, _) in ACTIONS.iter().zip(&refused).filter(|(_, refused)| **refused) {
            bench.attempt_after_fault(*action);
        }
        assert_eq!(bench.content("kept").as_deref(), Some(NEW), "{nth}: an unrelated file has changed");
        bench.close();
        if !failed {
            assert!(nth > 150, "{nth} calls are too few");
            return nth - 1;
        }
    }
    unreachable!("a script ends")
}

#[test]
fn each_call_that_fails_once_is_reported_and_harms_nothing() {
    for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT] {
        println!("{errno}: {} calls failed once", every_call(errno, false));
    }
}

#[test]
fn calls_that_fail_from_any_one_on_are_reported_and_harm_nothing() {
    for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT] {
        println!("{errno}: from each of {} calls on, all failed", every_call(errno, true));
    }
}
