//! Uploads: append-only files in the staging directory that get their name at once, by COMMIT.
//!
//! **Nothing is committed that was not hashed as it was written, or read back since.** An upload that a
//! failure left in doubt is discarded.

use super::errno::failed;
use super::job::{Hashing, Job, SYNCED_AT_ONCE, Step, digest};
use super::staging::{Staging, parse_hex};
use super::status::{Stamp, Status};
use super::target::{Complete, code_of_root, foresee, install, unstable};
use super::{SLICE, Store, checked_path};
use crate::fs::background_sync::BackgroundSync;
use crate::fs::calls::{fdatasync, fstat, fstatvfs, ftruncate, futimens};
use crate::fs::io::write_all_at;
use crate::fs::time::{modified_at, modified_now, now_ns};
use crate::storage::{Outcome, Success};
use remofile_proto::reply::PAGE_OVERHEAD;
use remofile_proto::{
    Answer, Code, Detail, Digest, Entry, Precondition, Refusal, RemotePath, Staged, UploadEntry, UploadId, Uploads,
};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::ops::Bound;
use std::time::{Duration, Instant};

/// Names of staged files are this and the upload's id in hexadecimal digits.
const PREFIX: &str = "up-";
/// What is known about an upload lies beside it, under this ending.
const ABOUT: &str = ".about";
const ABOUT_MAGIC: &str = "remofile upload 1";
/// More than the longest path and all that stands with it.
const ABOUT_MAX: usize = 8 << 10;
/// An upload in the staging directory.
#[derive(Debug)]
pub(super) struct Upload {
    path: RemotePath,
    size: Option<u64>,
    /// How long it had been untouched when it was last looked at.
    age: Duration,
    looked_at: Instant,
    /// Present once it was begun in this process.
    begun: Option<Begun>,
}

/// An upload whose bytes are known.
#[derive(Debug)]
struct Begun {
    file: OwnedFd,
    hasher: blake3::Hasher,
    off: u64,
    /// The staged file when it was last hashed or written here; nothing where it could not be looked at.
    stamp: Option<Stamp>,
    /// A sync under way, be it one that nobody waits for any more: its failure must not go unnoticed.
    barrier: Option<BackgroundSync>,
}

impl Begun {
    fn new(file: OwnedFd, hasher: blake3::Hasher, off: u64) -> Self {
        let stamp = stamp_of(&file);
        Self { file, hasher, off, stamp, barrier: None }
    }
}

impl Upload {
    /// Finds what earlier processes staged; removes what is too old or in pieces.
    pub(super) fn find_all(staging: &Staging, expiry: Duration) -> Result<Vec<(UploadId, Self)>, Errno> {
        let mut found = Vec::new();
        for name in staging.names()?.iter().filter(|name| name.starts_with(PREFIX)) {
            let data = name.strip_suffix(ABOUT).unwrap_or(name);
            let Some(up) = data.strip_prefix(PREFIX).and_then(parse_hex).map(UploadId::new) else { continue };
            match Self::find(staging, up) {
                Ok(Some(upload)) if upload.age < expiry => {
                    // Each has two names here.
                    if name == data {
                        found.push((up, upload));
                    }
                }
                Ok(_) => staging.remove(name)?,
                // [UP-3] What cannot be read now may be whole.
                Err(errno) => tracing::warn!(%errno, name, "a staged upload cannot be looked at, and is left alone"),
            }
        }
        Ok(found)
    }

    /// Nothing where the upload is in pieces.
    fn find(staging: &Staging, up: UploadId) -> Result<Option<Self>, Errno> {
        let (Some(about), Some(written), Some(begun)) = (
            there(staging.read(&about_name(up), ABOUT_MAX))?,
            there(staging.status(&data_name(up)))?,
            there(staging.status(&about_name(up)))?,
        ) else {
            return Ok(None);
        };
        let Some((path, size)) = parse_about(&about).filter(|_| written.needs_file().is_ok()) else { return Ok(None) };
        let touched = i128::from(written.mtime_ns().max(begun.mtime_ns()));
        let age = u64::try_from(now_ns() - touched).map_or(Duration::ZERO, Duration::from_nanos);
        Ok(Some(Self { path, size, age, looked_at: Instant::now(), begun: None }))
    }

    fn age(&self) -> Duration {
        self.age.saturating_add(self.looked_at.elapsed())
    }

    fn touch(&mut self) {
        (self.age, self.looked_at) = (Duration::ZERO, Instant::now());
    }
}

impl Store {
    /// Answers at once where the running hash is there, else with the job that reads the file back.
    pub(super) fn begin(&mut self, up: UploadId, path: &RemotePath, size: Option<u64>) -> Result<BeginStep, Refusal> {
        self.options.refuse_size(size.unwrap_or(0))?;
        self.refuse_what_cannot_fit(up, path, size.unwrap_or(0))?;
        let known = self.uploads.get(&up).filter(|upload| upload.path == *path && !self.is_missing(up));
        let described = known.map(|upload| upload.size == size);
        match described {
            None => self.stage(up, path, size)?,
            Some(right) => self.describe_anew(up, path, size, right)?,
        }
        self.make_room_for(up, path);
        let Some(upload) = self.uploads.get_mut(&up) else { return Err(Refusal::new(Code::Internal)) };
        upload.size = size;
        upload.touch();
        // [BEGIN-1] What somebody else has done to the staged file, the running hash does not know.
        let named = self.staging.as_ref().and_then(|staging| staging.status(&data_name(up)).ok());
        let is_as_left = |begun: &Begun| begun.stamp.is_some() && named.map(|status| status.stamp()) == begun.stamp;
        if let Some(begun) = upload.begun.as_ref().filter(|begun| begun.barrier.is_some() || is_as_left(begun)) {
            return Ok(BeginStep::Known(Staged { off: begun.off, hash: digest(&begun.hasher) }));
        }
        let opened = self.staging()?.open_file(&data_name(up));
        let (file, status) = opened.map_err(failed("opening the staged file"))?;
        let hashing = Hashing::new(0, status.size);
        Ok(BeginStep::Unread(Box::new(ReadBack { up, file: Some(file), hashing })))
    }

    pub(super) fn append(&mut self, up: UploadId, off: u64, payload: &[u8]) -> Result<u64, Refusal> {
        let options = &self.options;
        let no_upload = || Refusal::new(Code::NoUpload);
        let upload = self.uploads.get_mut(&up).ok_or_else(no_upload)?;
        let begun = upload.begun.as_mut().ok_or_else(no_upload)?;
        if off != begun.off {
            return Err(offset(begun.off));
        }
        let end = begun.off + payload.len() as u64;
        options.refuse_size(end)?;
        match write_all_at(&begun.file, payload, begun.off) {
            Ok(()) => {
                begun.hasher.update(payload);
                begun.off = end;
                begun.stamp = stamp_of(&begun.file);
                upload.touch();
                Ok(end)
            }
            // [APPEND-3]: what is acknowledged stays, what is not goes.
            Err(errno) if errno != Errno::IO && ftruncate(&begun.file, begun.off).is_ok() => {
                Err(failed("appending")(errno))
            }
            Err(_) => {
                self.discard(up);
                Err(Refusal::because(Code::Internal, "the staged file could not be written, and was discarded"))
            }
        }
    }

    /// Checks [COMMIT-1] in its order and returns the job that does the rest.
    pub(super) fn commit(
        &mut self,
        up: UploadId,
        size: u64,
        hash: Digest,
        pre: &Precondition,
        mtime_ns: Option<i64>,
    ) -> Result<Commit, Refusal> {
        if self.is_missing(up) {
            self.discard(up);
        }
        let upload = self.uploads.get(&up).ok_or_else(|| Refusal::new(Code::NoUpload))?;
        let begun = upload.begun.as_ref().ok_or_else(|| Refusal::new(Code::NoUpload))?;
        if size != begun.off {
            return Err(offset(begun.off));
        }
        // A file of another length has other bytes than were hashed.
        let has_other_length = fstat(&begun.file).is_ok_and(|stat| Status::from(stat).size != size);
        if hash != digest(&begun.hasher) || has_other_length {
            self.discard(up);
            return Err(Refusal::new(Code::Digest));
        }
        foresee(&self.jail, &upload.path, pre)?;
        Ok(Commit { up, pre: pre.clone(), mtime_ns, syncing: false })
    }

    /// [ABORT-1]; also for an upload that nobody has.
    pub(super) fn abort(&mut self, up: UploadId) {
        self.discard(up);
    }

    pub(super) fn uploads(&self, after: Option<UploadId>) -> Uploads {
        let mut page = Uploads::default();
        let mut space = usize::try_from(self.options.chunk).unwrap_or(usize::MAX).saturating_sub(PAGE_OVERHEAD);
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        for (&up, upload) in self.uploads.range(range) {
            let staged = || Some(self.staging.as_ref()?.status(&data_name(up)).ok()?.size);
            let off = upload.begun.as_ref().map(|begun| begun.off).or_else(staged).unwrap_or(0);
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

    /// Puts an empty upload in the place of whatever has this id; a refusal leaves that as it was.
    fn stage(&mut self, up: UploadId, path: &RemotePath, size: Option<u64>) -> Result<(), Refusal> {
        let staging_failed = failed("staging the upload");
        let staging = self.staging()?;
        let (temporary, file) = staging.create_temporary().map_err(&staging_failed)?;
        if let Err(errno) = staging.replace(&about_name(up), &write_about(path, size), false) {
            staging.discard(&temporary);
            return Err(staging_failed(errno));
        }
        if let Err(errno) = staging.rename(&temporary, &data_name(up)) {
            staging.discard(&temporary);
            staging.discard(&data_name(up));
            staging.discard(&about_name(up));
            self.uploads.remove(&up);
            return Err(staging_failed(errno));
        }
        let begun = Some(Begun::new(file, blake3::Hasher::new(), 0));
        let (age, looked_at, path) = (Duration::ZERO, Instant::now(), path.clone());
        self.uploads.insert(up, Upload { path, size, age, looked_at, begun });
        Ok(())
    }

    /// Makes the age, and a size that is announced anew, survive this process.
    fn describe_anew(
        &mut self,
        up: UploadId,
        path: &RemotePath,
        size: Option<u64>,
        right: bool,
    ) -> Result<(), Refusal> {
        let staging = self.staging()?;
        let touch = |staging: &Staging| futimens(staging.open_file(&about_name(up))?.0, &modified_now());
        if right && touch(staging).is_ok() {
            return Ok(());
        }
        let described = staging.replace(&about_name(up), &write_about(path, size), false);
        described.map_err(failed("describing the upload"))
    }

    fn refuse_what_cannot_fit(&self, up: UploadId, path: &RemotePath, size: u64) -> Result<(), Refusal> {
        let Some(staging) = self.staging.as_ref().filter(|_| size > 0) else { return Ok(()) };
        let usage = fstatvfs(staging).map_err(failed("asking for free space"))?;
        let replaced = self.uploads.iter().filter(|(id, upload)| **id == up || upload.path == *path);
        let staged: u64 = replaced.filter_map(|(id, _)| Some(staging.status(&data_name(*id)).ok()?.size)).sum();
        let free = usage.f_bavail.saturating_mul(usage.f_frsize);
        // A file system without a size of its own cannot tell.
        let is_known = usage.f_blocks > 0;
        if is_known && size > free.saturating_add(staged) { Err(Refusal::new(Code::NoSpace)) } else { Ok(()) }
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

    /// Whether an upload's file was taken away behind our back; one that cannot be looked at is not.
    fn is_missing(&self, up: UploadId) -> bool {
        self.staging.as_ref().is_none_or(|staging| matches!(there(staging.status(&data_name(up))), Ok(None)))
    }

    /// Forgets an upload and removes its files.
    fn discard(&mut self, up: UploadId) {
        if self.uploads.remove(&up).is_some()
            && let Some(staging) = &self.staging
        {
            // The data first: without it the other file is swept when the store is opened next.
            staging.discard(&data_name(up));
            staging.discard(&about_name(up));
        }
    }
}

/// What BEGIN comes to.
pub(super) enum BeginStep {
    Known(Staged),
    Unread(Box<ReadBack>),
}

/// The bytes of an earlier process on their way through BLAKE3 [UP-4].
#[derive(Debug)]
pub(super) struct ReadBack {
    up: UploadId,
    file: Option<OwnedFd>,
    hashing: Hashing,
}

impl Job for ReadBack {
    fn step(&mut self, store: &mut Store) -> Step {
        let Some(file) = self.file.take() else { return Step::Done(Err(Refusal::new(Code::Internal))) };
        match self.hashing.advance(&file) {
            Ok(false) => {
                self.file = Some(file);
                self.hashing.more()
            }
            Ok(true) => {
                let (off, hasher) = (self.hashing.done(), self.hashing.hasher().clone());
                let staged = Staged { off, hash: digest(&hasher) };
                match store.uploads.get_mut(&self.up) {
                    Some(upload) => upload.begun = Some(Begun::new(file, hasher, off)),
                    None => return Step::Done(Err(Refusal::new(Code::Internal))),
                }
                Step::Done(Ok(Success::of(Answer::Staged(staged))))
            }
            Err(errno) => Step::Done(Err(failed("reading the staged file back")(errno))),
        }
    }

    fn abandon(&mut self, _store: &mut Store) {}
}

/// A COMMIT that waits for stable storage.
#[derive(Debug)]
pub(super) struct Commit {
    up: UploadId,
    pre: Precondition,
    mtime_ns: Option<i64>,
    /// Whether the sync that is under way covers everything, and was not left behind by another COMMIT.
    syncing: bool,
}

impl Commit {
    /// True when the content is on stable storage, false when that takes longer.
    fn advance(&mut self, begun: &mut Begun) -> Result<bool, Errno> {
        loop {
            if let Some(barrier) = &begun.barrier {
                let Some(result) = barrier.wait(SLICE) else { return Ok(false) };
                begun.barrier = None;
                result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
                if self.syncing {
                    return Ok(true);
                }
            }
            if begun.off <= SYNCED_AT_ONCE {
                return fdatasync(&begun.file).map(|()| true);
            }
            match BackgroundSync::of_file(&begun.file, fdatasync) {
                Ok(barrier) => begun.barrier = Some(barrier),
                // No descriptor or thread to be had: then everybody waits.
                Err(_) => return fdatasync(&begun.file).map(|()| true),
            }
            self.syncing = true;
        }
    }

    fn outcome(&self, store: &mut Store) -> Outcome {
        let entry = self.make_visible(store)?;
        // The data has moved; what was known about it goes too.
        store.uploads.remove(&self.up);
        store.staging()?.discard(&about_name(self.up));
        Ok(Success::of(Answer::Entry(entry)))
    }

    fn make_visible(&self, store: &Store) -> Result<Entry, Refusal> {
        let no_upload = || Refusal::new(Code::NoUpload);
        let upload = store.uploads.get(&self.up).ok_or_else(no_upload)?;
        let begun = upload.begun.as_ref().ok_or_else(no_upload)?;
        let staging = store.staging.as_ref().ok_or_else(no_upload)?;
        let place = store.jail.place(&upload.path, code_of_root(&self.pre))?;
        let (name, file) = (data_name(self.up), begun.file.as_fd());
        let complete = Complete { staging: staging.as_fd(), name: &name, file, stable: true, mtime_ns: self.mtime_ns };
        let touched = Status::from(fstat(file).map_err(failed("looking"))?).mtime_ns();
        install(&complete, &place, &self.pre).inspect_err(|_| {
            // After a restart the age of an upload that is kept comes from its file.
            if let Err(errno) = futimens(file, &modified_at(touched)) {
                tracing::warn!(%errno, "the time of a staged file could not be set back");
            }
        })
    }
}

impl Job for Commit {
    fn step(&mut self, store: &mut Store) -> Step {
        let Some(begun) = store.uploads.get_mut(&self.up).and_then(|upload| upload.begun.as_mut()) else {
            return Step::Done(Err(Refusal::new(Code::NoUpload)));
        };
        match self.advance(begun) {
            Ok(true) => {}
            Ok(false) => return Step::More { done: 0, total: begun.off },
            Err(errno) => {
                // [DUR-4]: a second sync of this file would say yes.
                store.discard(self.up);
                return Step::Done(Err(unstable(errno)));
            }
        }
        Step::Done(self.outcome(store))
    }

    fn abandon(&mut self, _store: &mut Store) {}
}

fn stamp_of(file: &OwnedFd) -> Option<Stamp> {
    fstat(file).ok().map(|stat| Status::from(stat).stamp())
}

fn offset(off: u64) -> Refusal {
    Refusal { code: Code::Offset, detail: Detail::Offset(off), msg: None }
}

/// Nothing where there is no such file, or a link in its place.
fn there<T>(found: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn data_name(up: UploadId) -> String {
    format!("{PREFIX}{up}")
}

fn about_name(up: UploadId) -> String {
    format!("{PREFIX}{up}{ABOUT}")
}

/// Lines, of which the last is the hash of the others: a file that a power cut left short is seen.
fn write_about(path: &RemotePath, size: Option<u64>) -> Vec<u8> {
    let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
    let content = format!("{ABOUT_MAGIC}\n{size}\n{}\n", path.as_str());
    let hash = blake3::hash(content.as_bytes()).to_hex();
    format!("{content}{hash}\n").into_bytes()
}

fn parse_about(content: &[u8]) -> Option<(RemotePath, Option<u64>)> {
    let content = std::str::from_utf8(content).ok()?;
    let (lines, hash) = content.strip_suffix('\n')?.rsplit_once('\n')?;
    if *blake3::hash(format!("{lines}\n").as_bytes()).to_hex() != *hash {
        return None;
    }
    let (size, path) = lines.strip_prefix(ABOUT_MAGIC)?.strip_prefix('\n')?.split_once('\n')?;
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
        assert_eq!(parse_about(&write_about(&path, Some(7))), Some((path.clone(), Some(7))));
        assert_eq!(parse_about(&write_about(&path, None)), Some((path, None)));
    }

    #[test]
    fn a_short_or_changed_description_is_refused() {
        let content = write_about(&checked_path("/film.mkv").unwrap(), Some(7));
        for end in 0..content.len() {
            assert_eq!(parse_about(&content[..end]), None, "{end}");
        }
        let mut changed = content;
        changed[ABOUT_MAGIC.len() + 1] ^= 1;
        assert_eq!(parse_about(&changed), None);
    }
}
