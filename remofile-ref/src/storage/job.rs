//! Operations that take more than a slice of time: HASH, COPY, and what they share with BEGIN.

use super::errno::{failed, failed_io};
use super::status::Status;
use super::target::{Complete, Verdict, code_of_root, foresee, install, judge, unstable_io};
use super::{SLICE, Store};
use crate::fs::background_sync::BackgroundSync;
use crate::fs::calls::{copy_file_range, fdatasync, fstat, ioctl_ficlone, pread};
use crate::storage::{Outcome, Success};
use remofile_proto::{Answer, Code, Digest, Etag, HashResult, Precondition, Refusal, RemotePath};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::time::Instant;

/// Bytes done in a slice before anybody else is asked again.
const SLICE_BYTES: u64 = 8 << 20;
const BUFFER_BYTES: u64 = 256 << 10;
/// Up to here content is synced at once; beyond, in a thread.
pub(super) const SYNCED_AT_ONCE: u64 = 1 << 20;

/// How far a job came in one slice.
pub(super) enum Step {
    Done(Outcome),
    More { done: u64, total: u64 },
}

/// An operation in slices.
pub(super) trait Job: std::fmt::Debug + Send {
    /// Works for one slice.
    fn step(&mut self, store: &mut Store) -> Step;

    /// Leaves everything as it was before the operation.
    fn abandon(&mut self, store: &mut Store);
}

/// Bytes of a file on their way through BLAKE3.
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

    /// Hashes for one slice; true when the end, announced or real, is reached.
    pub(super) fn advance(&mut self, file: impl AsFd) -> Result<bool, Errno> {
        let slice = Slice::begin();
        let begun_at = self.position;
        while self.position < self.end {
            if slice.is_over(self.position - begun_at) {
                return Ok(false);
            }
            self.buffer.clear();
            match pread(&file, rustix::buffer::spare_capacity(&mut self.buffer), self.position) {
                Ok(0) => break,
                Ok(_) => {
                    self.buffer.truncate(usize_of(self.end - self.position));
                    self.hasher.update(&self.buffer);
                    self.position += self.buffer.len() as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(true)
    }

    pub(super) fn done(&self) -> u64 {
        self.position - self.start
    }

    pub(super) fn more(&self) -> Step {
        Step::More { done: self.done(), total: self.end.saturating_sub(self.start) }
    }

    pub(super) fn hasher(&self) -> &blake3::Hasher {
        &self.hasher
    }
}

/// A HASH under way.
#[derive(Debug)]
pub(super) struct Hash {
    file: OwnedFd,
    before: Etag,
    hashing: Hashing,
}

impl Hash {
    pub(super) fn begin(store: &Store, path: &RemotePath, off: u64, len: Option<u64>) -> Result<Self, Refusal> {
        let (file, status) = store.jail.place(path, Code::NotFile)?.open_file(OFlags::RDONLY)?;
        let end = len.map_or(status.size, |len| off.saturating_add(len).min(status.size));
        Ok(Self { file, before: status.etag(), hashing: Hashing::new(off, end) })
    }

    fn outcome(&self) -> Outcome {
        let etag = fstat(&self.file).map(|stat| Status::from(stat).etag()).map_err(failed("looking at the file"))?;
        if etag != self.before {
            return Err(Refusal::new(Code::Changed));
        }
        let hash = digest(self.hashing.hasher());
        Ok(Success::of(Answer::Hash(HashResult { hash, len: self.hashing.done(), etag })))
    }
}

impl Job for Hash {
    fn step(&mut self, _store: &mut Store) -> Step {
        match self.hashing.advance(&self.file) {
            Ok(true) => Step::Done(self.outcome()),
            Ok(false) => self.hashing.more(),
            Err(errno) => Step::Done(Err(failed("reading")(errno))),
        }
    }

    fn abandon(&mut self, _store: &mut Store) {}
}

/// A COPY under way: into a temporary file that gets its name at the end.
#[derive(Debug)]
pub(super) struct Copy {
    source: OwnedFd,
    before: Status,
    to: RemotePath,
    pre: Precondition,
    name: String,
    file: OwnedFd,
    position: u64,
    /// Whether the kernel copies; otherwise the bytes pass through this buffer.
    in_kernel: bool,
    buffer: Vec<u8>,
    barrier: Option<BackgroundSync>,
    stable: bool,
}

impl Copy {
    pub(super) fn begin(
        store: &mut Store,
        from: &RemotePath,
        to: &RemotePath,
        pre: &Precondition,
        etag: Option<&Etag>,
    ) -> Result<Self, Refusal> {
        if to.is_at_or_below(from) {
            return Err(Refusal::new(Code::Loop));
        }
        let (source, before) = store.jail.place(from, Code::NotFile)?.open_file(OFlags::RDONLY)?;
        before.matches(etag)?;
        foresee(&store.jail, to, pre)?;
        store.options.refuse_size(before.size)?;
        let (name, file) = store.staging()?.create_temporary().map_err(failed("staging the copy"))?;
        let position = if ioctl_ficlone(&file, &source).is_ok() { before.size } else { 0 };
        let (to, pre) = (to.clone(), pre.clone());
        let (buffer, barrier, in_kernel, stable) = (Vec::new(), None, true, false);
        Ok(Self { source, before, to, pre, name, file, position, in_kernel, buffer, barrier, stable })
    }

    fn advance(&mut self, store: &mut Store) -> Result<Step, Refusal> {
        if let Some(barrier) = &self.barrier {
            match barrier.wait(SLICE) {
                None => return Ok(self.more()),
                Some(result) => result.map_err(unstable_io)?,
            }
            (self.barrier, self.stable) = (None, true);
        }
        if !self.transfer()? {
            return Ok(self.more());
        }
        let after = fstat(&self.source).map(Status::from).map_err(failed("looking at the source"))?;
        if after.etag() != self.before.etag() {
            return Err(Refusal::new(Code::Changed));
        }
        let place = store.jail.place(&self.to, code_of_root(&self.pre))?;
        let replaces =
            self.pre != Precondition::Absent && matches!(judge(&place, &self.pre, None)?, Verdict::Replace(_));
        if replaces && !self.stable && self.before.size > SYNCED_AT_ONCE {
            self.barrier = Some(BackgroundSync::of_file(&self.file, fdatasync).map_err(failed_io("syncing"))?);
            return Ok(self.more());
        }
        let staging = store.staging.as_ref().ok_or_else(|| Refusal::new(Code::Denied))?;
        let complete = Complete {
            staging: staging.as_fd(),
            name: &self.name,
            file: self.file.as_fd(),
            stable: self.stable,
            mtime_ns: Some(self.before.mtime_ns()),
        };
        let entry = install(&complete, &place, &self.pre)?;
        Ok(Step::Done(Ok(Success::of(Answer::Entry(entry)))))
    }

    /// Copies for one slice; true when the source's end is reached.
    fn transfer(&mut self) -> Result<bool, Refusal> {
        let slice = Slice::begin();
        let begun_at = self.position;
        while self.position < self.before.size {
            if slice.is_over(self.position - begun_at) {
                return Ok(false);
            }
            let wanted = (self.before.size - self.position).min(SLICE_BYTES);
            let copied = if self.in_kernel { self.copy_in_kernel(wanted)? } else { self.copy_by_hand(wanted)? };
            match copied {
                // A source that became shorter: seen by its etag.
                0 if !self.in_kernel => break,
                0 => self.in_kernel = false,
                copied => self.position += copied,
            }
        }
        Ok(true)
    }

    fn copy_in_kernel(&self, wanted: u64) -> Result<u64, Refusal> {
        let (mut from, mut to) = (self.position, self.position);
        match copy_file_range(&self.source, Some(&mut from), &self.file, Some(&mut to), usize_of(wanted)) {
            Ok(copied) => Ok(copied as u64),
            // Whatever the kernel cannot do here, reading and writing can, or says why not.
            Err(Errno::INTR | Errno::INVAL | Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => Ok(0),
            Err(errno) => Err(failed("copying")(errno)),
        }
    }

    fn copy_by_hand(&mut self, wanted: u64) -> Result<u64, Refusal> {
        self.buffer.clear();
        self.buffer.reserve_exact(usize_of(wanted.min(BUFFER_BYTES)));
        let read = loop {
            match pread(&self.source, rustix::buffer::spare_capacity(&mut self.buffer), self.position) {
                Err(Errno::INTR) => {}
                result => break result.map_err(failed("reading the source"))?,
            }
        };
        crate::fs::io::write_all_at(&self.file, &self.buffer, self.position).map_err(failed("writing the copy"))?;
        Ok(read as u64)
    }

    fn more(&self) -> Step {
        Step::More { done: self.position, total: self.before.size }
    }
}

impl Job for Copy {
    fn step(&mut self, store: &mut Store) -> Step {
        self.advance(store).unwrap_or_else(|refusal| {
            self.abandon(store);
            Step::Done(Err(refusal))
        })
    }

    fn abandon(&mut self, store: &mut Store) {
        if let Some(staging) = &store.staging {
            staging.discard(&self.name);
        }
    }
}

/// The digest of what a hasher has seen.
pub(super) fn digest(hasher: &blake3::Hasher) -> Digest {
    Digest::new(*hasher.finalize().as_bytes())
}

/// The time and the bytes that one step may take.
struct Slice(Instant);

impl Slice {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_over(&self, bytes: u64) -> bool {
        bytes >= SLICE_BYTES || (bytes > 0 && self.0.elapsed() >= SLICE)
    }
}

/// A length that was bounded by a constant well below the address space.
fn usize_of(bounded: u64) -> usize {
    usize::try_from(bounded).unwrap_or(usize::MAX)
}
