//! Uploads: append-only files in the staging directory that get their name at once, by COMMIT.
//!
//! **Nothing is committed that was not hashed as it was written, or read back since.** An upload that a
//! failure left uncertain is discarded.

use super::staging::{self, discard};
use super::target::{CompleteFile, commit_rename, precheck, unstable};
use super::task::{Hashing, SYNCED_AT_ONCE, Task, TaskState, digest};
use super::{Store, TIME_SLICE, checked_path, parse_hex};
use crate::fs::time::now_ns;
use crate::storage::backend::{Access, Backend, BackendFile, BackgroundSync, Location};
use crate::storage::refusal::{failed, is_link};
use crate::storage::status::Revision;
use crate::storage::{Outcome, Success};
use remofile_proto::reply::PAGE_OVERHEAD;
use remofile_proto::{
    Answer, Code, Detail, Digest, Entry, Precondition, Refusal, RemotePath, Staged, UploadEntry, UploadId, Uploads,
};
use rustix::io::Errno;
use std::io;
use std::ops::Bound;
use std::time::{Duration, Instant};

/// Names of staged files are this and the upload's id in hexadecimal digits.
const PREFIX: &str = "up-";
/// The suffix of the metadata sidecar of an upload.
const SIDECAR: &str = ".about";
const SIDECAR_MAGIC: &str = "remofile upload 1";
/// More than the longest path and all that stands with it.
const SIDECAR_MAX: usize = 8 << 10;

/// An upload in the staging area.
#[derive(Debug)]
pub(super) struct UploadRecord<F> {
    path: RemotePath,
    size: Option<u64>,
    /// How long it had been untouched when it was last looked at.
    age: Duration,
    looked_at: Instant,
    /// Present once it was begun in this process.
    open: Option<OpenUpload<F>>,
}

/// An upload whose bytes are known.
#[derive(Debug)]
struct OpenUpload<F> {
    file: F,
    hasher: blake3::Hasher,
    off: u64,
    /// The staged file when it was last hashed or written here; absent where its status could not be read.
    revision: Option<Revision>,
    /// A sync that runs, also that of a cancelled COMMIT: its failure must not go unnoticed.
    sync: Option<BackgroundSync>,
}

impl<F: BackendFile> OpenUpload<F> {
    fn new(file: F, hasher: blake3::Hasher, off: u64) -> Self {
        let revision = revision_of(&file);
        Self { file, hasher, off, revision, sync: None }
    }
}

impl<F> UploadRecord<F> {
    /// Finds what earlier processes staged; removes what is too old or damaged.
    pub(super) fn find_all<B: Backend<File = F>>(backend: &B, expiry: Duration) -> io::Result<Vec<(UploadId, Self)>> {
        let mut found = Vec::new();
        for name in backend.staged_names()?.iter().filter(|name| name.starts_with(PREFIX)) {
            let data = name.strip_suffix(SIDECAR).unwrap_or(name);
            let Some(up) = data.strip_prefix(PREFIX).and_then(parse_hex).map(UploadId::new) else { continue };
            match Self::find(backend, up) {
                Ok(Some(upload)) if upload.age < expiry => {
                    // Each has two names here.
                    if name == data {
                        found.push((up, upload));
                    }
                }
                Ok(_) => staging::remove(backend, name)?,
                // [UP-3] What cannot be read now may be whole.
                Err(error) => tracing::warn!(%error, name, "cannot read a staged upload; it is left unchanged"),
            }
        }
        Ok(found)
    }

    /// Nothing where a part of the upload is missing or damaged.
    fn find<B: Backend<File = F>>(backend: &B, up: UploadId) -> io::Result<Option<Self>> {
        let (Some(sidecar), Some(written), Some(begun)) = (
            present(staging::read(backend, &sidecar_name(up), SIDECAR_MAX))?,
            backend.stat(Location::Staged(&data_name(up)))?,
            backend.stat(Location::Staged(&sidecar_name(up)))?,
        ) else {
            return Ok(None);
        };
        let Some((path, size)) = parse_sidecar(&sidecar).filter(|_| written.needs_file().is_ok()) else {
            return Ok(None);
        };
        let touched = i128::from(written.mtime_ns().max(begun.mtime_ns()));
        let age = u64::try_from(now_ns() - touched).map_or(Duration::ZERO, Duration::from_nanos);
        Ok(Some(Self { path, size, age, looked_at: Instant::now(), open: None }))
    }

    fn age(&self) -> Duration {
        self.age.saturating_add(self.looked_at.elapsed())
    }

    fn touch(&mut self) {
        (self.age, self.looked_at) = (Duration::ZERO, Instant::now());
    }
}

impl<B: Backend> Store<B> {
    /// Answers at once where the running hash is known, else returns the task that reads the file back.
    pub(super) fn begin(
        &mut self,
        up: UploadId,
        path: &RemotePath,
        size: Option<u64>,
    ) -> Result<BeginOutcome<B::File>, Refusal> {
        self.options.refuse_size(size.unwrap_or(0))?;
        self.refuse_what_cannot_fit(up, path, size.unwrap_or(0))?;
        let known = self.uploads.get(&up).filter(|upload| upload.path == *path && !self.is_missing(up));
        let described = known.map(|upload| upload.size == size);
        match described {
            None => self.stage(up, path, size)?,
            Some(right) => self.refresh_sidecar(up, path, size, right)?,
        }
        self.make_room_for(up, path);
        let Some(upload) = self.uploads.get_mut(&up) else { return Err(Refusal::new(Code::Internal)) };
        upload.size = size;
        upload.touch();
        // [BEGIN-1] The running hash does not include what another process has done to the staged file.
        let named = self.backend.stat(Location::Staged(&data_name(up))).ok().flatten();
        let is_unchanged = |open: &OpenUpload<B::File>| {
            open.revision.is_some() && named.map(|status| status.revision()) == open.revision
        };
        if let Some(begun) = upload.open.as_ref().filter(|open| open.sync.is_some() || is_unchanged(open)) {
            return Ok(BeginOutcome::Known(Staged { off: begun.off, hash: digest(&begun.hasher) }));
        }
        let opened = self.backend.open(Location::Staged(&data_name(up)), Access::Write);
        let (file, status) = opened.map_err(failed("opening the staged file"))?;
        let hashing = Hashing::new(0, status.size);
        Ok(BeginOutcome::Unread(Box::new(ReadBack { up, file: Some(file), hashing })))
    }

    pub(super) fn append(&mut self, up: UploadId, off: u64, payload: &[u8]) -> Result<u64, Refusal> {
        let options = &self.options;
        let no_upload = || Refusal::new(Code::NoUpload);
        let upload = self.uploads.get_mut(&up).ok_or_else(no_upload)?;
        let begun = upload.open.as_mut().ok_or_else(no_upload)?;
        if off != begun.off {
            return Err(offset(begun.off));
        }
        let end = begun.off + payload.len() as u64;
        options.refuse_size(end)?;
        match begun.file.write_at(payload, begun.off) {
            Ok(()) => {
                begun.hasher.update(payload);
                begun.off = end;
                begun.revision = revision_of(&begun.file);
                upload.touch();
                Ok(end)
            }
            // [APPEND-3]: the acknowledged bytes stay, the others are removed.
            Err(error) if !is_io_error(&error) && begun.file.set_size(begun.off).is_ok() => {
                Err(failed("appending")(error))
            }
            Err(_) => {
                self.discard(up);
                Err(Refusal::because(Code::Internal, "the staged file could not be written, and was discarded"))
            }
        }
    }

    /// Checks [COMMIT-1] in its order and returns the task that does the rest.
    pub(super) fn commit(
        &mut self,
        up: UploadId,
        size: u64,
        hash: Digest,
        pre: &Precondition,
        mtime_ns: Option<i64>,
    ) -> Result<CommitUpload, Refusal> {
        if self.is_missing(up) {
            self.discard(up);
        }
        let upload = self.uploads.get(&up).ok_or_else(|| Refusal::new(Code::NoUpload))?;
        let begun = upload.open.as_ref().ok_or_else(|| Refusal::new(Code::NoUpload))?;
        if size != begun.off {
            return Err(offset(begun.off));
        }
        // A file of another length has other bytes than were hashed.
        let has_other_length = begun.file.status().is_ok_and(|status| status.size != size);
        if hash != digest(&begun.hasher) || has_other_length {
            self.discard(up);
            return Err(Refusal::new(Code::Digest));
        }
        precheck(&self.backend, &upload.path, pre)?;
        Ok(CommitUpload { up, pre: pre.clone(), mtime_ns, syncing: false })
    }

    /// [ABORT-1]; also for an upload that does not exist.
    pub(super) fn abort(&mut self, up: UploadId) {
        self.discard(up);
    }

    pub(super) fn uploads(&self, after: Option<UploadId>) -> Uploads {
        let mut page = Uploads::default();
        let mut space = usize::try_from(self.options.chunk).unwrap_or(usize::MAX).saturating_sub(PAGE_OVERHEAD);
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        for (&up, upload) in self.uploads.range(range) {
            let staged = || self.staged_size(up);
            let off = upload.open.as_ref().map(|begun| begun.off).or_else(staged).unwrap_or(0);
            let age_ms = u64::try_from(upload.age().as_millis()).unwrap_or(u64::MAX >> 1);
            let listed = UploadEntry { up, path: upload.path.clone(), off, size: upload.size, age_ms };
            let cost = listed.encoded_len();
            if cost > space && !page.uploads.is_empty() {
                page.more = true;
                break;
            }
            space = space.saturating_sub(cost);
            page.uploads.push(listed);
        }
        page
    }

    /// Replaces an upload of this id, if there is one, by an empty upload; a refusal changes nothing.
    fn stage(&mut self, up: UploadId, path: &RemotePath, size: Option<u64>) -> Result<(), Refusal> {
        let staging_failed = failed("staging the upload");
        let Self { backend, staging, .. } = self;
        let (temporary, file) = staging.create_temporary(backend).map_err(&staging_failed)?;
        if let Err(error) = staging.replace(backend, &sidecar_name(up), &encode_sidecar(path, size)) {
            discard(backend, &temporary);
            return Err(staging_failed(error));
        }
        if let Err(error) = staging::rename(backend, &temporary, &data_name(up)) {
            for name in [&temporary, &data_name(up), &sidecar_name(up)] {
                discard(backend, name);
            }
            self.uploads.remove(&up);
            return Err(staging_failed(error));
        }
        let open = Some(OpenUpload::new(file, blake3::Hasher::new(), 0));
        let (age, looked_at, path) = (Duration::ZERO, Instant::now(), path.clone());
        self.uploads.insert(up, UploadRecord { path, size, age, looked_at, open });
        Ok(())
    }

    /// Keeps the age, and a newly announced size, for the next process.
    fn refresh_sidecar(
        &mut self,
        up: UploadId,
        path: &RemotePath,
        size: Option<u64>,
        right: bool,
    ) -> Result<(), Refusal> {
        let Self { backend, staging, .. } = self;
        let touch = || backend.open(Location::Staged(&sidecar_name(up)), Access::Write)?.0.set_mtime(None);
        if right && touch().is_ok() {
            return Ok(());
        }
        let described = staging.replace(backend, &sidecar_name(up), &encode_sidecar(path, size));
        described.map_err(failed("describing the upload"))
    }

    fn refuse_what_cannot_fit(&self, up: UploadId, path: &RemotePath, size: u64) -> Result<(), Refusal> {
        if size == 0 {
            return Ok(());
        }
        // A file system without a size of its own does not know.
        let Some(free) = self.backend.free_bytes().map_err(failed("asking for free space"))? else { return Ok(()) };
        let replaced = self.uploads.iter().filter(|(id, upload)| **id == up || upload.path == *path);
        let staged: u64 = replaced.filter_map(|(id, _)| self.staged_size(*id)).sum();
        if size > free.saturating_add(staged) { Err(Refusal::new(Code::NoSpace)) } else { Ok(()) }
    }

    /// [BEGIN-3], [BEGIN-6], and what has expired.
    fn make_room_for(&mut self, up: UploadId, path: &RemotePath) {
        let expiry = self.options.upload_expiry;
        let others = self.uploads.iter().filter(|(id, _)| **id != up);
        let dropped = others.filter(|(_, upload)| upload.path == *path || upload.age() >= expiry);
        for id in dropped.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.discard(id);
        }
        while self.uploads.len() > self.options.max_uploads.max(1) {
            let others = self.uploads.iter().filter(|(id, _)| **id != up);
            let Some(oldest) = others.max_by_key(|(_, upload)| upload.age()).map(|(id, _)| *id) else { break };
            self.discard(oldest);
        }
    }

    /// Whether another process has removed the file of an upload; false where its status cannot be read.
    fn is_missing(&self, up: UploadId) -> bool {
        matches!(self.backend.stat(Location::Staged(&data_name(up))), Ok(None))
    }

    fn staged_size(&self, up: UploadId) -> Option<u64> {
        Some(self.backend.stat(Location::Staged(&data_name(up))).ok()??.size)
    }

    /// Forgets an upload and removes its files.
    fn discard(&mut self, up: UploadId) {
        if self.uploads.remove(&up).is_some() {
            // The data first: without it the next process removes the sidecar.
            discard(&self.backend, &data_name(up));
            discard(&self.backend, &sidecar_name(up));
        }
    }
}

/// What BEGIN answers, or has to do first.
pub(super) enum BeginOutcome<F> {
    Known(Staged),
    Unread(Box<ReadBack<F>>),
}

/// Hashes the bytes that an earlier process staged [UP-4].
#[derive(Debug)]
pub(super) struct ReadBack<F> {
    up: UploadId,
    file: Option<F>,
    hashing: Hashing,
}

impl<B: Backend> Task<B> for ReadBack<B::File> {
    fn step(&mut self, store: &mut Store<B>) -> TaskState {
        let Some(file) = self.file.take() else { return TaskState::Done(Err(Refusal::new(Code::Internal))) };
        match self.hashing.advance(&file) {
            Ok(false) => {
                self.file = Some(file);
                self.hashing.more()
            }
            Ok(true) => {
                let (off, hasher) = (self.hashing.done(), self.hashing.hasher().clone());
                let staged = Staged { off, hash: digest(&hasher) };
                match store.uploads.get_mut(&self.up) {
                    Some(upload) => upload.open = Some(OpenUpload::new(file, hasher, off)),
                    None => return TaskState::Done(Err(Refusal::new(Code::Internal))),
                }
                TaskState::Done(Ok(Success::of(Answer::Staged(staged))))
            }
            Err(error) => TaskState::Done(Err(failed("reading the staged file back")(error))),
        }
    }

    fn abandon(&mut self, _store: &mut Store<B>) {}
}

/// A COMMIT that waits for stable storage.
#[derive(Debug)]
pub(super) struct CommitUpload {
    up: UploadId,
    pre: Precondition,
    mtime_ns: Option<i64>,
    /// Whether the sync that runs covers everything, and is not that of an earlier COMMIT.
    syncing: bool,
}

impl CommitUpload {
    /// True when the content is on stable storage, false when that takes longer.
    fn advance(&mut self, begun: &mut OpenUpload<impl BackendFile>) -> io::Result<bool> {
        loop {
            if let Some(sync) = &begun.sync {
                let Some(result) = sync.wait(TIME_SLICE) else { return Ok(false) };
                begun.sync = None;
                result?;
                if self.syncing {
                    return Ok(true);
                }
            }
            if begun.off <= SYNCED_AT_ONCE {
                return begun.file.sync().map(|()| true);
            }
            match begun.file.start_sync() {
                Ok(sync) => begun.sync = Some(sync),
                // Without a descriptor or thread, all requests wait.
                Err(_) => return begun.file.sync().map(|()| true),
            }
            self.syncing = true;
        }
    }

    fn outcome<B: Backend>(&self, store: &mut Store<B>) -> Outcome {
        let entry = self.make_visible(store)?;
        // The data has its name; the sidecar is not needed.
        store.uploads.remove(&self.up);
        discard(&store.backend, &sidecar_name(self.up));
        Ok(Success::of(Answer::Entry(entry)))
    }

    fn make_visible<B: Backend>(&self, store: &Store<B>) -> Result<Entry, Refusal> {
        let no_upload = || Refusal::new(Code::NoUpload);
        let upload = store.uploads.get(&self.up).ok_or_else(no_upload)?;
        let begun = upload.open.as_ref().ok_or_else(no_upload)?;
        let (name, file) = (data_name(self.up), &begun.file);
        let complete = CompleteFile { name: &name, file, stable: true, mtime_ns: self.mtime_ns };
        let touched = file.status().map_err(failed("looking"))?.mtime_ns();
        commit_rename(&store.backend, &complete, &upload.path, &self.pre).inspect_err(|_| {
            // After a restart the age of an upload that is kept is the age of its file.
            if let Err(error) = file.set_mtime(Some(touched)) {
                tracing::warn!(%error, "cannot reset the time of a staged file");
            }
        })
    }
}

impl<B: Backend> Task<B> for CommitUpload {
    fn step(&mut self, store: &mut Store<B>) -> TaskState {
        let Some(begun) = store.uploads.get_mut(&self.up).and_then(|upload| upload.open.as_mut()) else {
            return TaskState::Done(Err(Refusal::new(Code::NoUpload)));
        };
        match self.advance(begun) {
            Ok(true) => {}
            Ok(false) => return TaskState::More { done: 0, total: begun.off },
            Err(error) => {
                // [DUR-4]: a second sync of this file would report success.
                store.discard(self.up);
                return TaskState::Done(Err(unstable(error)));
            }
        }
        TaskState::Done(self.outcome(store))
    }

    fn abandon(&mut self, _store: &mut Store<B>) {}
}

fn revision_of(file: &impl BackendFile) -> Option<Revision> {
    file.status().ok().map(|status| status.revision())
}

fn offset(off: u64) -> Refusal {
    Refusal { code: Code::Offset, detail: Detail::Offset(off), msg: None }
}

/// Nothing where the file does not exist, or is a symbolic link.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_link(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// After `EIO` the content of a file is unknown.
fn is_io_error(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::IO)
}

fn data_name(up: UploadId) -> String {
    format!("{PREFIX}{up}")
}

fn sidecar_name(up: UploadId) -> String {
    format!("{PREFIX}{up}{SIDECAR}")
}

/// Lines, of which the last is the hash of the others: a file that a power cut truncated is recognised.
fn encode_sidecar(path: &RemotePath, size: Option<u64>) -> Vec<u8> {
    let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
    let content = format!("{SIDECAR_MAGIC}\n{size}\n{}\n", path.as_str());
    let hash = blake3::hash(content.as_bytes()).to_hex();
    format!("{content}{hash}\n").into_bytes()
}

fn parse_sidecar(content: &[u8]) -> Option<(RemotePath, Option<u64>)> {
    let content = std::str::from_utf8(content).ok()?;
    let (lines, hash) = content.strip_suffix('\n')?.rsplit_once('\n')?;
    if *blake3::hash(format!("{lines}\n").as_bytes()).to_hex() != *hash {
        return None;
    }
    let (size, path) = lines.strip_prefix(SIDECAR_MAGIC)?.strip_prefix('\n')?.split_once('\n')?;
    let size = if size == "unknown" { None } else { Some(size.parse().ok()?) };
    Some((checked_path(path)?, size))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_known_about_an_upload_is_read_back() {
        let path = checked_path("/a b/ü").unwrap();
        assert_eq!(parse_sidecar(&encode_sidecar(&path, Some(7))), Some((path.clone(), Some(7))));
        assert_eq!(parse_sidecar(&encode_sidecar(&path, None)), Some((path, None)));
    }

    #[test]
    fn a_short_or_changed_description_is_refused() {
        let content = encode_sidecar(&checked_path("/film.mkv").unwrap(), Some(7));
        for end in 0..content.len() {
            assert_eq!(parse_sidecar(&content[..end]), None, "{end}");
        }
        let mut changed = content;
        changed[SIDECAR_MAGIC.len() + 1] ^= 1;
        assert_eq!(parse_sidecar(&changed), None);
    }
}
