//! Executes operations on a backend: preconditions, uploads, pages of listings, etags and time slices.

mod durability;
mod entries;
mod list;
mod names;
mod staging;
mod target;
mod task;
mod uploads;

use super::backend::Backend;
use super::posix::Posix;
use super::{ExecutionStatus, Outcome, Storage, StoreError, StoreOptions, Success};
use crate::server::landlock::Confinement;
use durability::{Durability, Flush};
use list::{List, TreeWalk};
use remofile_proto::{Answer, Code, Operation, Refusal, RemotePath, RootId, UploadId};
use staging::Staging;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path as LocalPath, PathBuf};
use std::time::Duration;
use task::{CopyFile, HashRange, Task, TaskState};
use uploads::{BeginOutcome, UploadRecord};

/// How long one time slice of a long operation lasts at most, where the disk answers.
const TIME_SLICE: Duration = Duration::from_millis(10);

/// Executes operations on a backend, one at a time.
#[derive(Debug)]
pub struct Store<B: Backend = Posix> {
    backend: B,
    staging: Staging,
    options: StoreOptions,
    uploads: BTreeMap<UploadId, UploadRecord<B::File>>,
    walk: Option<TreeWalk<B::Dir>>,
    durability: Durability,
    task: Option<Box<dyn Task<B>>>,
}

impl Store {
    /// Opens a directory for serving: makes and locks its staging directory, and removes from it what an earlier
    /// process left unfinished and expired uploads. Read-only, it does none of this. A directory that is renamed later
    /// stays the one that is served.
    ///
    /// # Errors
    ///
    /// If the directory or its staging directory cannot be used, another server has the lock, or the
    /// kernel cannot keep operations inside.
    pub fn open(root: &LocalPath, options: StoreOptions) -> Result<Self, StoreError> {
        Self::with_backend(Posix::open(root, options.read_only)?, options)
    }
}

impl<B: Backend> Store<B> {
    /// Serves what a backend keeps. A backend that is read-only makes the store so.
    ///
    /// # Errors
    ///
    /// [`StoreError::Staging`] where the staging area of the backend cannot be used.
    pub fn with_backend(backend: B, options: StoreOptions) -> Result<Self, StoreError> {
        let read_only = options.read_only || backend.info().read_only;
        let mut store = Self {
            backend,
            staging: Staging::default(),
            options: StoreOptions { read_only, ..options },
            uploads: BTreeMap::new(),
            walk: None,
            durability: Durability::new(),
            task: None,
        };
        if !read_only {
            store.staging =
                Staging::open(&store.backend).map_err(|source| StoreError::staging("clearing it", source))?;
            let uploads = UploadRecord::find_all(&store.backend, store.options.upload_expiry);
            store.uploads.extend(uploads.map_err(|source| StoreError::staging("looking for uploads", source))?);
        }
        Ok(store)
    }

    /// SortedNames the served root; absent where the backend has no name for it.
    #[must_use]
    pub fn root_id(&self) -> Option<RootId> {
        self.backend.info().root_id
    }

    /// Whether names at the root that differ only in case or normalisation are one entry.
    #[must_use]
    pub fn folds(&self) -> bool {
        self.backend.info().folds
    }

    /// Whether every change is refused.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.options.read_only
    }

    /// Restricts the calling thread by Landlock, and all threads and processes that it starts later, to the served
    /// directory: they cannot open, make or remove a file elsewhere. Open files stay open. Files in the directories of
    /// `removable`, such as a pid file, can still be removed. The restriction cannot be lifted.
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is not restricted then.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.backend.confine_thread(removable)
    }

    fn run(&mut self, mut task: Box<dyn Task<B>>) -> ExecutionStatus {
        match task.step(self) {
            TaskState::Done(outcome) => ExecutionStatus::Done(outcome),
            TaskState::More { done, total } => {
                self.task = Some(task);
                ExecutionStatus::Working { done, total }
            }
        }
    }

    fn start(&mut self, operation: &Operation, payload: &[u8]) -> Result<ExecutionStatus, Refusal> {
        let entry = |entry| Ok(ExecutionStatus::Done(Ok(Success::of(Answer::Entry(entry)))));
        let answer = |answer| Ok(ExecutionStatus::Done(Ok(Success::of(answer))));
        match operation {
            Operation::Stat { path } => entry(self.stat(path)?),
            Operation::List { path, after, limit, tree } => {
                let list = List::begin(self, path, after.as_deref(), *limit, *tree)?;
                Ok(self.run(Box::new(list)))
            }
            Operation::Read { path, off, len, etag } => {
                Ok(ExecutionStatus::Done(self.read(path, *off, *len, etag.as_ref())))
            }
            Operation::Hash { path, off, len } => {
                let hash = HashRange::begin(self, path, *off, *len)?;
                Ok(self.run(Box::new(hash)))
            }
            Operation::Mkdir { path } => entry(self.mkdir(path)?),
            Operation::Put { path, pre, mtime_ns } => entry(self.put(path, pre, *mtime_ns, payload)?),
            Operation::Write { path, off, etag } => entry(self.write(path, *off, etag.as_ref(), payload)?),
            Operation::Truncate { path, size, etag } => entry(self.truncate(path, *size, etag.as_ref())?),
            Operation::Touch { path, mtime_ns } => entry(self.touch(path, *mtime_ns)?),
            Operation::Remove { path, etag } => {
                self.remove(path, etag.as_ref())?;
                answer(Answer::Empty)
            }
            Operation::Move { from, to, pre, etag } => entry(self.rename(from, to, pre, etag.as_ref())?),
            Operation::Copy { from, to, pre, etag } => {
                let copy = CopyFile::begin(self, from, to, pre, etag.as_ref())?;
                Ok(self.run(Box::new(copy)))
            }
            Operation::Begin { up, path, size } => match self.begin(*up, path, *size)? {
                BeginOutcome::Known(staged) => answer(Answer::Staged(staged)),
                BeginOutcome::Unread(read_back) => Ok(self.run(read_back)),
            },
            Operation::Append { up, off } => answer(Answer::Offset(self.append(*up, *off, payload)?)),
            Operation::Commit { up, size, hash, pre, mtime_ns } => {
                let commit = self.commit(*up, *size, *hash, pre, *mtime_ns)?;
                Ok(self.run(Box::new(commit)))
            }
            Operation::Abort { up } => {
                self.abort(*up);
                answer(Answer::Empty)
            }
            Operation::Uploads { after } => answer(Answer::Uploads(self.uploads(*after))),
            Operation::Flush => Ok(self.run(Box::new(Flush))),
            Operation::Hello(_) | Operation::Ping | Operation::Bye => Err(Refusal::new(Code::BadOp)),
        }
    }
}

impl<B: Backend> Drop for Store<B> {
    /// Cancels the operation that runs: no part of a copy is left.
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<B: Backend> Storage for Store<B> {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        self.cancel();
        self.walk.take_if(|walk| walk.is_stale());
        if operation.info().is_mutating() {
            if self.options.read_only {
                return ExecutionStatus::Done(denied_change(operation));
            }
            self.durability.note_change();
        }
        self.start(operation, payload).unwrap_or_else(|refusal| ExecutionStatus::Done(Err(refusal)))
    }

    fn proceed(&mut self) -> ExecutionStatus {
        match self.task.take() {
            Some(task) => self.run(task),
            None => ExecutionStatus::Done(Err(Refusal::because(Code::Internal, "no operation runs"))),
        }
    }

    fn cancel(&mut self) {
        if let Some(mut task) = self.task.take() {
            task.abandon(self);
        }
    }
}

/// A store of any backend, for a server.
#[cfg(feature = "transport")]
pub(crate) trait ServedStore: Storage + Send {
    /// See [`Store::root_id`].
    fn root_id(&self) -> Option<RootId>;
    /// See [`Store::folds`].
    fn folds(&self) -> bool;
    /// See [`Store::read_only`].
    fn read_only(&self) -> bool;
    /// See [`Store::confine_thread`].
    fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement>;
}

#[cfg(feature = "transport")]
impl<B: Backend> ServedStore for Store<B> {
    fn root_id(&self) -> Option<RootId> {
        self.root_id()
    }

    fn folds(&self) -> bool {
        self.folds()
    }

    fn read_only(&self) -> bool {
        self.read_only()
    }

    fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        self.confine_thread(removable)
    }
}

/// LOOP comes before DENIED in the order of codes.
fn denied_change(operation: &Operation) -> Outcome {
    let into_itself = operation.path().zip(operation.target()).is_some_and(|(from, to)| to.is_at_or_below(from));
    Err(if into_itself {
        Refusal::new(Code::Loop)
    } else {
        Refusal::because(Code::Denied, "this server changes nothing")
    })
}

/// A text as a path, if it is a valid one.
fn checked_path(text: &str) -> Option<RemotePath> {
    RemotePath::parse(text).ok()
}

/// The bytes that `N` pairs of hexadecimal digits stand for.
pub(super) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
