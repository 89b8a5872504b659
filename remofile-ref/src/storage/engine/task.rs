//! Operations that take more than one time slice: HASH, COPY, and what they share with BEGIN.

use super::entries::open_file;
use super::staging::discard;
use super::target::{CompleteFile, Decision, commit_rename, decide, precheck, unstable};
use super::{Store, TIME_SLICE};
use crate::storage::backend::{Access, Backend, BackendFile, BackgroundSync};
use crate::storage::refusal::failed;
use crate::storage::status::Status;
use crate::storage::{Outcome, Success};
use remofile_proto::{Answer, Code, Digest, Etag, HashResult, Precondition, Refusal, RemotePath};
use std::io;
use std::time::Instant;

/// Bytes that one time slice may process.
const SLICE_BYTES: u64 = 8 << 20;
const BUFFER_BYTES: u64 = 256 << 10;
/// Up to here content is synced at once; beyond, in a thread.
pub(super) const SYNCED_AT_ONCE: u64 = 1 << 20;

/// The state of a task after a time slice.
pub(super) enum TaskState {
    Done(Outcome),
    More { done: u64, total: u64 },
}

/// An operation that runs in time slices.
pub(super) trait Task<B: Backend>: std::fmt::Debug + Send {
    /// Works for one time slice.
    fn step(&mut self, store: &mut Store<B>) -> TaskState;

    /// Undoes what was done so far.
    fn abandon(&mut self, store: &mut Store<B>);
}

/// Hashes a range of a file with BLAKE3.
#[derive(Debug)]
pub(super) struct Hashing {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    start: u64,
    position: u64,
    end: u64,
}

impl Hashing {
    pub(super) fn new(start: u64, end: u64) -> Self {
        let buffer = Vec::with_capacity(usize_of(BUFFER_BYTES.min(end.saturating_sub(start))));
        Self { hasher: blake3::Hasher::new(), buffer, start, position: start, end }
    }

    /// Hashes for one time slice; true at the end of the range or of the file.
    pub(super) fn advance(&mut self, file: &impl BackendFile) -> io::Result<bool> {
        let slice = TimeSlice::begin();
        let begun_at = self.position;
        while self.position < self.end {
            if slice.is_over(self.position - begun_at) {
                return Ok(false);
            }
            self.buffer.clear();
            let wanted = usize_of(BUFFER_BYTES.min(self.end - self.position));
            if file.read_at(&mut self.buffer, self.position, wanted)? == 0 {
                break;
            }
            self.hasher.update(&self.buffer);
            self.position += self.buffer.len() as u64;
        }
        Ok(true)
    }

    pub(super) fn done(&self) -> u64 {
        self.position - self.start
    }

    pub(super) fn more(&self) -> TaskState {
        TaskState::More { done: self.done(), total: self.end.saturating_sub(self.start) }
    }

    pub(super) fn hasher(&self) -> &blake3::Hasher {
        &self.hasher
    }
}

/// A HASH that runs.
#[derive(Debug)]
pub(super) struct HashRange<F> {
    file: F,
    before: Etag,
    hashing: Hashing,
}

impl<F: BackendFile> HashRange<F> {
    pub(super) fn begin<B: Backend<File = F>>(
        store: &Store<B>,
        path: &RemotePath,
        off: u64,
        len: Option<u64>,
    ) -> Result<Self, Refusal> {
        let (file, status) = open_file(&store.backend, path, Access::Read)?;
        let end = len.map_or(status.size, |len| off.saturating_add(len).min(status.size));
        Ok(Self { file, before: status.etag(), hashing: Hashing::new(off, end) })
    }

    fn outcome(&self) -> Outcome {
        let etag = self.file.status().map(|status| status.etag()).map_err(failed("looking at the file"))?;
        if etag != self.before {
            return Err(Refusal::new(Code::Changed));
        }
        let hash = digest(self.hashing.hasher());
        Ok(Success::of(Answer::Hash(HashResult { hash, len: self.hashing.done(), etag })))
    }
}

impl<B: Backend> Task<B> for HashRange<B::File> {
    fn step(&mut self, _store: &mut Store<B>) -> TaskState {
        match self.hashing.advance(&self.file) {
            Ok(true) => TaskState::Done(self.outcome()),
            Ok(false) => self.hashing.more(),
            Err(error) => TaskState::Done(Err(failed("reading")(error))),
        }
    }

    fn abandon(&mut self, _store: &mut Store<B>) {}
}

/// A COPY that runs: into a temporary file that gets its name at the end.
#[derive(Debug)]
pub(super) struct CopyFile<F> {
    source: F,
    before: Status,
    to: RemotePath,
    pre: Precondition,
    name: String,
    file: F,
    position: u64,
    /// Whether the backend copies ranges; otherwise the bytes pass through this buffer.
    by_backend: bool,
    buffer: Vec<u8>,
    sync: Option<BackgroundSync>,
    stable: bool,
}

impl<F: BackendFile> CopyFile<F> {
    pub(super) fn begin<B: Backend<File = F>>(
        store: &mut Store<B>,
        from: &RemotePath,
        to: &RemotePath,
        pre: &Precondition,
        etag: Option<&Etag>,
    ) -> Result<Self, Refusal> {
        if to.is_at_or_below(from) {
            return Err(Refusal::new(Code::Loop));
        }
        let (source, before) = open_file(&store.backend, from, Access::Read)?;
        before.matches(etag)?;
        precheck(&store.backend, to, pre)?;
        store.options.refuse_size(before.size)?;
        let (name, file) = store.staging.create_temporary(&store.backend).map_err(failed("staging the copy"))?;
        let (to, pre) = (to.clone(), pre.clone());
        let (position, buffer, sync, by_backend, stable) = (0, Vec::new(), None, true, false);
        Ok(Self { source, before, to, pre, name, file, position, by_backend, buffer, sync, stable })
    }

    fn advance<B: Backend<File = F>>(&mut self, store: &mut Store<B>) -> Result<TaskState, Refusal> {
        if let Some(sync) = &self.sync {
            match sync.wait(TIME_SLICE) {
                None => return Ok(self.more()),
                Some(result) => result.map_err(unstable)?,
            }
            (self.sync, self.stable) = (None, true);
        }
        if !self.transfer()? {
            return Ok(self.more());
        }
        let after = self.source.status().map_err(failed("looking at the source"))?;
        if after.etag() != self.before.etag() {
            return Err(Refusal::new(Code::Changed));
        }
        let replaces = self.pre != Precondition::Absent
            && matches!(decide(&store.backend, &self.to, &self.pre, None)?, Decision::Replace(_));
        if replaces && !self.stable && self.before.size > SYNCED_AT_ONCE {
            self.sync = Some(self.file.start_sync().map_err(failed("syncing"))?);
            return Ok(self.more());
        }
        let complete = CompleteFile {
            name: &self.name,
            file: &self.file,
            stable: self.stable,
            mtime_ns: Some(self.before.mtime_ns()),
        };
        let entry = commit_rename(&store.backend, &complete, &self.to, &self.pre)?;
        Ok(TaskState::Done(Ok(Success::of(Answer::Entry(entry)))))
    }

    /// Copies for one time slice; true at the end of the source.
    fn transfer(&mut self) -> Result<bool, Refusal> {
        let slice = TimeSlice::begin();
        let begun_at = self.position;
        while self.position < self.before.size {
            if slice.is_over(self.position - begun_at) {
                return Ok(false);
            }
            let wanted = (self.before.size - self.position).min(SLICE_BYTES);
            let copied =
                if self.by_backend { self.copy_by_backend(wanted)? } else { self.copy_through_buffer(wanted)? };
            match copied {
                // A source that became shorter: seen by its etag.
                0 if !self.by_backend => break,
                0 => self.by_backend = false,
                copied => self.position += copied,
            }
        }
        Ok(true)
    }

    fn copy_by_backend(&self, wanted: u64) -> Result<u64, Refusal> {
        // At the start the whole file is offered: a file system may share its blocks at once.
        let len = if self.position == 0 { self.before.size } else { wanted };
        self.file.copy_range(&self.source, self.position, len).map_err(failed("copying"))
    }

    fn copy_through_buffer(&mut self, wanted: u64) -> Result<u64, Refusal> {
        self.buffer.clear();
        let len = usize_of(wanted.min(BUFFER_BYTES));
        let read = self.source.read_at(&mut self.buffer, self.position, len).map_err(failed("reading the source"))?;
        self.file.write_at(&self.buffer, self.position).map_err(failed("writing the copy"))?;
        Ok(read as u64)
    }

    fn more(&self) -> TaskState {
        TaskState::More { done: self.position, total: self.before.size }
    }
}

impl<B: Backend> Task<B> for CopyFile<B::File> {
    fn step(&mut self, store: &mut Store<B>) -> TaskState {
        self.advance(store).unwrap_or_else(|refusal| {
            discard(&store.backend, &self.name);
            TaskState::Done(Err(refusal))
        })
    }

    fn abandon(&mut self, store: &mut Store<B>) {
        discard(&store.backend, &self.name);
    }
}

/// The digest of what a hasher has seen.
pub(super) fn digest(hasher: &blake3::Hasher) -> Digest {
    Digest::new(*hasher.finalize().as_bytes())
}

/// The time and the bytes that one step may take.
struct TimeSlice(Instant);

impl TimeSlice {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_over(&self, bytes: u64) -> bool {
        bytes >= SLICE_BYTES || (bytes > 0 && self.0.elapsed() >= TIME_SLICE)
    }
}

/// A length that is bounded by a constant well below the address space.
fn usize_of(bounded: u64) -> usize {
    usize::try_from(bounded).unwrap_or(usize::MAX)
}
