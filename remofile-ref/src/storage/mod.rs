//! The store: executes operations on the served directory, and is the only user of the file system.
//!
//! What is absent: sockets, sessions, sequence numbers, bytes of messages. **No name of a request ever
//! reaches the kernel but below the descriptor of the served directory**: see `jail.rs`.

mod durable;
mod errno;
mod file;
mod jail;
mod job;
mod list;
mod names;
mod outcome;
mod staging;
mod status;
#[cfg(test)]
mod sweep;
mod target;
mod upload;

use crate::fs::calls::openat;
use crate::server::landlock::{Confinement, confine_thread};
use durable::{Durability, Flush};
use jail::Jail;
use job::{Copy, Hash, Job, Step};
use list::{List, Walk};
pub use outcome::{ExecutionStatus, Outcome, Storage, Success};
use remofile_proto::{Answer, Code, Operation, Refusal, RemotePath, RootId, UploadId};
use rustix::fd::AsFd;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use staging::Staging;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use upload::{BeginStep, Upload};

/// How long one slice of a long operation lasts at most, where the disk answers.
const SLICE: Duration = Duration::from_millis(10);

/// How a directory is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The largest payload in bytes; also bounds the pages of listings.
    pub chunk: u64,
    /// Whether every change is refused; then nothing is created in the directory either.
    pub read_only: bool,
    /// The size in bytes that no file is let grow beyond.
    pub max_file_size: Option<u64>,
    /// How many uploads may be staged at once; at least one always may.
    pub max_uploads: usize,
    /// How long an upload may stay untouched.
    pub upload_expiry: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            chunk: 256 << 10,
            read_only: false,
            max_file_size: None,
            max_uploads: 64,
            upload_expiry: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

impl StoreOptions {
    fn refuse_size(&self, size: u64) -> Result<(), Refusal> {
        match self.max_file_size {
            Some(limit) if size > limit => {
                Err(Refusal::because(Code::TooLarge, format!("files here have at most {limit} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// Why a directory cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{} cannot be opened as a directory", path.display())]
    Root {
        /// The path that was given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The kernel has no `openat2`, or a sandbox forbids it; without it there is no safe way to serve.
    #[error("the system call openat2 (Linux 5.6 or newer) does not work here")]
    Jail {
        /// What the system says.
        source: io::Error,
    },
    /// Another server holds the lock.
    #[error("another server serves this directory")]
    InUse,
    /// The directory `.remofile` in it cannot be used.
    #[error("the staging directory .remofile does not work: {doing}")]
    Staging {
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl StoreError {
    fn staging(doing: &'static str, errno: Errno) -> Self {
        Self::Staging { doing, source: errno.into() }
    }
}

/// A served directory, opened once: one that is renamed meanwhile stays the one that is served.
#[derive(Debug)]
pub struct Store {
    jail: Jail,
    /// Absent where the store is read-only.
    staging: Option<Staging>,
    options: StoreOptions,
    root_id: Option<RootId>,
    folds: bool,
    uploads: BTreeMap<UploadId, Upload>,
    walk: Option<Walk>,
    durability: Durability,
    job: Option<Box<dyn Job>>,
}

impl Store {
    /// Opens a directory for serving: makes and locks its staging directory and clears that of what an
    /// earlier process left unfinished and of expired uploads. Read-only, it does none of this.
    ///
    /// # Errors
    ///
    /// If the directory or its staging directory cannot be used, another server has the lock, or the
    /// kernel cannot keep operations inside.
    pub fn open(root: &std::path::Path, options: StoreOptions) -> Result<Self, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, root, flags, Mode::empty())
            .map_err(|errno| StoreError::Root { path: root.to_owned(), source: errno.into() })?;
        let jail = Jail::new(opened).map_err(|errno| StoreError::Jail { source: errno.into() })?;
        let folds = jail.folds();
        let mut store = Self {
            jail,
            staging: None,
            options,
            root_id: None,
            folds,
            uploads: BTreeMap::new(),
            walk: None,
            durability: Durability::new(),
            job: None,
        };
        if store.options.read_only {
            if let Some((identity, root_id)) = Staging::peek(store.jail.root()) {
                store.jail.reserve(identity);
                store.root_id = root_id;
            }
        } else {
            store.open_staging()?;
        }
        Ok(store)
    }

    /// Names the served directory; absent where it is read-only and was never served for writing.
    #[must_use]
    pub fn root_id(&self) -> Option<RootId> {
        self.root_id
    }

    /// Whether names at the root that differ only in case or normalisation are one entry.
    #[must_use]
    pub fn folds(&self) -> bool {
        self.folds
    }

    /// Whether every change is refused.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.options.read_only
    }

    /// Has the kernel (Landlock) keep the calling thread, and all threads and processes that it starts from now on, in
    /// the served directory: whatever this program does wrong, no file elsewhere is opened, made or removed by them. Files
    /// that are open stay so. In the directories of `removable` files may still be removed, a pid file for example.
    ///
    /// For good: there is no way out. The thread that works on requests is the one to confine, and it alone.
    ///
    /// # Errors
    /// A directory of `removable` cannot be opened, or the kernel refuses a rule; the thread is as it was.
    pub fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        confine_thread(self.jail.root(), self.options.read_only, removable)
    }

    fn open_staging(&mut self) -> Result<(), StoreError> {
        let opened = Staging::open(self.jail.root().as_fd())?;
        let uploads = Upload::find_all(&opened.staging, self.options.upload_expiry)
            .map_err(|errno| StoreError::staging("looking for uploads", errno))?;
        self.jail.reserve(opened.identity);
        self.jail.assume_folding(opened.folds);
        self.folds = self.jail.folds();
        self.uploads.extend(uploads);
        self.root_id = Some(opened.root_id);
        self.staging = Some(opened.staging);
        Ok(())
    }

    fn staging(&mut self) -> Result<&mut Staging, Refusal> {
        self.staging.as_mut().ok_or_else(|| Refusal::new(Code::Denied))
    }

    fn run(&mut self, mut job: Box<dyn Job>) -> ExecutionStatus {
        match job.step(self) {
            Step::Done(outcome) => ExecutionStatus::Done(outcome),
            Step::More { done, total } => {
                self.job = Some(job);
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
                let hash = Hash::begin(self, path, *off, *len)?;
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
                let copy = Copy::begin(self, from, to, pre, etag.as_ref())?;
                Ok(self.run(Box::new(copy)))
            }
            Operation::Begin { up, path, size } => match self.begin(*up, path, *size)? {
                BeginStep::Known(staged) => answer(Answer::Staged(staged)),
                BeginStep::Unread(read_back) => Ok(self.run(read_back)),
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

impl Drop for Store {
    /// What runs is left as by a cancel: no half of a copy stays behind.
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Storage for Store {
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
        match self.job.take() {
            Some(job) => self.run(job),
            None => ExecutionStatus::Done(Err(Refusal::because(Code::Internal, "nothing is being worked on"))),
        }
    }

    fn cancel(&mut self) {
        if let Some(mut job) = self.job.take() {
            job.abandon(self);
        }
    }
}

/// LOOP comes before DENIED in the order of codes.
fn denied_change(operation: &Operation) -> Outcome {
    Err(match (operation.path(), operation.target()) {
        (Some(from), Some(to)) if to.is_at_or_below(from) => Refusal::new(Code::Loop),
        _ => Refusal::because(Code::Denied, "this server changes nothing"),
    })
}

/// A text as a path, if it is a valid one.
fn checked_path(text: &str) -> Option<RemotePath> {
    RemotePath::parse(text).ok()
}
