//! Uploads of directories: small files are kept in flight, large ones go one by one.

use super::{
    TreeTransferred,
    flight::{Flight, Landed, Sending},
};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, Path, Phase, Precondition, Refusal, TransferStatus,
    Transferred,
    payload::{Content, Payload},
    source::Source,
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::Path as LocalPath,
};

impl FileClient {
    /// Uploads the directory `local` with all it holds as `target`, which is made where it is not there; its parent
    /// has to be. Links and special files below are skipped and counted. A file that fails does not stop the others.
    /// At the end everything is durable.
    ///
    /// # Errors
    /// What concerns more than one file: the server or the session is gone, `local` cannot be read, `target` is not
    /// a directory. All else is in [`TreeTransferred::failures`].
    pub fn upload_tree(
        &mut self,
        local: &LocalPath,
        target: &Path,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        self.observed(|client| client.upload_walk(local, target, overwrite))
    }

    fn upload_walk(
        &mut self,
        local: &LocalPath,
        target: &Path,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(local, flags, Mode::empty()).map_err(|errno| ClientError::local(local, errno.into()))?;
        let is_new = make_directory(self, target)?;
        if self.observer().is_watched() {
            self.observer().enter(Phase::Counting, Some(target), None);
            let (files, bytes) = count(self, &directory)?;
            self.observer().enter_tree(target, files, bytes);
        }
        let mut walk = Walk { client: self, overwrite, flight: Flight::new(), done: TreeTransferred::default() };
        walk.directory(&directory, local, target, is_new)?;
        walk.drain()?;
        let done = walk.done;
        self.flush_observed(Some(target))?;
        Ok(done)
    }
}

struct Walk<'a> {
    client: &'a mut FileClient,
    overwrite: bool,
    flight: Flight<Job>,
    done: TreeTransferred,
}

/// A small file on its way.
#[derive(Debug)]
struct Job {
    source: Source,
    target: Path,
    step: Step,
    /// Whether what is there already was looked at.
    is_compared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Stat,
    Hash,
    Put,
    /// The session was lost while a put was unanswered: whether the content is there tells.
    Settle,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        directory: &OwnedFd,
        local: &LocalPath,
        target: &Path,
        is_new: bool,
    ) -> Result<(), ClientError> {
        self.done.directories += 1;
        let names = match sorted_names(directory) {
            Ok(names) => names,
            Err(error) => return self.done.fail(target.as_str(), ClientError::local(local, error)),
        };
        for name in names {
            let shown = local.join(&name);
            if let Err(error) = self.entry(directory, &name, &shown, target, is_new) {
                self.done.fail(shown.to_string_lossy(), error)?;
            }
            self.client.observer().count(&self.done);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        shown: &LocalPath,
        parent: &Path,
        is_new: bool,
    ) -> Result<(), ClientError> {
        let failed = |error: io::Error| ClientError::local(shown, error);
        let found =
            rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(errno.into()))?;
        let kind = FileType::from_raw_mode(found.st_mode);
        if !matches!(kind, FileType::Directory | FileType::RegularFile) {
            self.done.skipped += 1;
            return Ok(());
        }
        let text = name
            .to_str()
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidFilename, "the name is not UTF-8")))?;
        let target = parent.join(text).map_err(|error| ClientError::Refused {
            operation: "upload",
            path: text.to_owned(),
            refusal: error.into(),
        })?;
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below =
                rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
            self.drain()?;
            let is_new = make_directory(self.client, &target)?;
            return self.directory(&below, shown, &target, is_new);
        }
        let source = Source::open_at(directory, name, shown)?;
        if source.size() > self.client.chunk() as u64 {
            self.drain()?;
            let pre = if self.overwrite { Precondition::Any } else { Precondition::Absent };
            let done = self.client.upload_source(&source, &target, pre)?;
            self.done.count(&done);
            return Ok(());
        }
        let step = if is_new { Step::Put } else { Step::Stat };
        self.submit(Job { source, target, step, is_compared: false })
    }

    /// Waits until everything under way is done.
    fn drain(&mut self) -> Result<(), ClientError> {
        while !self.flight.is_empty() {
            self.advance()?;
        }
        Ok(())
    }

    /// Sends what the job needs next, when there is room for it.
    fn submit(&mut self, job: Job) -> Result<(), ClientError> {
        while !self.flight.has_room(self.client, job.source.size()) {
            self.advance()?;
        }
        self.send(job)
    }

    fn send(&mut self, job: Job) -> Result<(), ClientError> {
        let path = job.target.clone();
        let size = job.source.size();
        let (operation, payload) = match job.step {
            Step::Stat => (Operation::Stat { path }, Payload::None),
            Step::Hash | Step::Settle => (Operation::Hash { path, off: 0, len: None }, Payload::None),
            Step::Put => {
                let len = usize::try_from(size).unwrap_or(usize::MAX);
                let content = job.source.read(0, len).and_then(|content| {
                    job.source.check_unchanged()?;
                    Ok(content)
                });
                let content = match content {
                    Ok(content) => content,
                    Err(error) => return self.done.fail(job.source.path().to_string_lossy(), error),
                };
                let replaces = self.overwrite && job.is_compared;
                let pre = if replaces { Precondition::Any } else { Precondition::Absent };
                let mtime_ns = Some(job.source.mtime_ns());
                (Operation::Put { path, pre, mtime_ns }, Payload::from_bytes(content))
            }
        };
        match self.flight.send(self.client, operation, payload, size, job)? {
            Sending::Sent => Ok(()),
            // What was not numbered was not sent: it needs no settling.
            Sending::Lost(job, others) => {
                self.settle(others)?;
                self.send(job)
            }
        }
    }

    fn advance(&mut self) -> Result<(), ClientError> {
        match self.flight.next(self.client)? {
            Landed::Answered(Some(job), result) => self.on_answer(job, result)?,
            Landed::Answered(None, _) => {}
            Landed::Lost(jobs) => self.settle(jobs)?,
        }
        self.client.observer().count(&self.done);
        Ok(())
    }

    /// Settles what was unanswered in a session that was lost [LOST-2].
    fn settle(&mut self, jobs: Vec<Job>) -> Result<(), ClientError> {
        jobs.into_iter().try_for_each(|mut job| {
            if job.step == Step::Put {
                job.step = Step::Settle;
            }
            self.send(job)
        })
    }

    fn on_answer(
        &mut self,
        mut job: Job,
        result: Result<(Answer, Option<Content>), Refusal>,
    ) -> Result<(), ClientError> {
        let size = job.source.size();
        let transferred = |transferred| Transferred { status: TransferStatus::New, bytes: size, transferred };
        let refusal = match (job.step, result) {
            (Step::Stat, Ok((Answer::Entry(entry), _))) => {
                job.is_compared = true;
                let is_like = entry.kind == Kind::File && entry.size == Some(size);
                job.step = if is_like { Step::Hash } else { Step::Put };
                return self.send(job);
            }
            (Step::Hash | Step::Settle, Ok((Answer::Hash(theirs), _))) => {
                let ours = match job.source.hash() {
                    Ok(ours) => ours,
                    Err(error) => return self.done.fail(job.source.path().to_string_lossy(), error),
                };
                match (theirs.hash == ours, job.step) {
                    (true, Step::Settle) => self.done.count(&transferred(size)),
                    (true, _) => {
                        self.done.count(&Transferred { status: TransferStatus::Unchanged, ..transferred(0) });
                    }
                    (false, _) => {
                        job.step = Step::Put;
                        return self.send(job);
                    }
                }
                return Ok(());
            }
            (Step::Put, Ok((Answer::Entry(_), _))) => {
                self.done.count(&transferred(size));
                return Ok(());
            }
            (_, Ok((other, _))) => return Err(super::super::unexpected("upload", &other)),
            (_, Err(refusal)) => refusal,
        };
        match (job.step, refusal.code) {
            // Not there, or nothing that has a hash: the target rules decide.
            (Step::Stat | Step::Hash | Step::Settle, _) => {
                job.step = Step::Put;
                self.send(job)
            }
            // Somebody else put it there meanwhile, or an earlier session of this walk.
            (Step::Put, Code::Exists) if !job.is_compared => {
                job.step = Step::Stat;
                self.send(job)
            }
            _ => {
                let path = job.target.to_string();
                let error = ClientError::Refused { operation: "upload", path, refusal };
                self.done.fail(job.source.path().to_string_lossy(), error)
            }
        }
    }
}

/// Whether the directory was made just now; fails where something else is there.
fn make_directory(client: &mut FileClient, target: &Path) -> Result<bool, ClientError> {
    match client.mkdir(target) {
        Ok(_) => Ok(true),
        Err(error) if error.is_exists() => match client.stat(target)?.kind {
            Kind::Dir => Ok(false),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// How many files there are, and their size in bytes; what cannot be read counts for nothing here.
fn count(client: &mut FileClient, directory: &OwnedFd) -> Result<(u64, u64), ClientError> {
    client.keep_session()?;
    let (mut files, mut bytes) = (0u64, 0u64);
    for name in sorted_names(directory).unwrap_or_default() {
        let Ok(found) = rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => {
                files += 1;
                bytes = bytes.saturating_add(u64::try_from(found.st_size).unwrap_or_default());
            }
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let Ok(below) = rustix::fs::openat(directory, &name, flags, Mode::empty()) else { continue };
                let below = count(client, &below)?;
                (files, bytes) = (files + below.0, bytes.saturating_add(below.1));
            }
            _ => {}
        }
    }
    Ok((files, bytes))
}

/// Bytewise, so that a walk takes the same way each time.
fn sorted_names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = match entry {
            Ok(entry) => entry.file_name().to_bytes().to_vec(),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort_unstable();
    Ok(names)
}
