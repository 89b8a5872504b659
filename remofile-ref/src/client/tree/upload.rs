//! Uploads of directories: small files are kept in flight, large ones go one by one.

use super::{ATTEMPTS_WITHOUT_PROGRESS, IN_FLIGHT, TreeTransferred};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, Path, Precondition, TransferStatus, Transferred,
    channel::Completion, payload::Payload, source::Source,
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::{HashMap, VecDeque},
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(local, flags, Mode::empty()).map_err(|errno| ClientError::local(local, errno.into()))?;
        let is_new = make_directory(self, target)?;
        let mut walk = Walk {
            client: self,
            overwrite,
            unanswered: HashMap::new(),
            in_flight: 0,
            losses: 0,
            done: TreeTransferred::default(),
        };
        walk.directory(&directory, local, target, is_new)?;
        walk.drain()?;
        let done = walk.done;
        self.flush()?;
        Ok(done)
    }
}

struct Walk<'a> {
    client: &'a mut FileClient,
    overwrite: bool,
    unanswered: HashMap<u64, Job>,
    /// The sizes of the files under way, in bytes.
    in_flight: usize,
    /// How often the session was lost since the last answer.
    losses: u32,
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
        while !self.unanswered.is_empty() {
            self.advance()?;
        }
        Ok(())
    }

    /// Sends what the job needs next, when there is room for it.
    fn submit(&mut self, job: Job) -> Result<(), ClientError> {
        let size = usize::try_from(job.source.size()).unwrap_or(usize::MAX);
        while !self.unanswered.is_empty()
            && (self.in_flight.saturating_add(size) > IN_FLIGHT || !self.client.can_submit())
        {
            self.advance()?;
        }
        self.send(job)
    }

    fn send(&mut self, job: Job) -> Result<(), ClientError> {
        let size = usize::try_from(job.source.size()).unwrap_or(usize::MAX);
        let path = job.target.clone();
        let (operation, payload) = match job.step {
            Step::Stat => (Operation::Stat { path }, Payload::None),
            Step::Hash | Step::Settle => (Operation::Hash { path, off: 0, len: None }, Payload::None),
            Step::Put => {
                let content = job.source.read(0, size).and_then(|content| {
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
        match self.client.submit(operation, payload) {
            Ok(seq) => {
                self.in_flight += size;
                self.unanswered.insert(seq, job);
                Ok(())
            }
            // What was not numbered was not sent: it needs no settling.
            Err(ClientError::SessionLost { reason }) => self.recover(reason, Some(job)),
            Err(error) => Err(error),
        }
    }

    fn advance(&mut self) -> Result<(), ClientError> {
        match self.client.next_completion() {
            Ok(completion) => {
                self.losses = 0;
                self.on_completion(completion)
            }
            Err(ClientError::SessionLost { reason }) => self.recover(reason, None),
            Err(error) => Err(error),
        }
    }

    /// Opens a new session and settles there what was unanswered [LOST-2].
    fn recover(&mut self, reason: String, unsent: Option<Job>) -> Result<(), ClientError> {
        if self.losses == ATTEMPTS_WITHOUT_PROGRESS {
            return Err(ClientError::SessionLost { reason });
        }
        self.losses += 1;
        self.client.reopen()?;
        self.in_flight = 0;
        let lost = std::mem::take(&mut self.unanswered).into_values().map(|mut job| {
            if job.step == Step::Put {
                job.step = Step::Settle;
            }
            job
        });
        let again: VecDeque<Job> = lost.chain(unsent).collect();
        again.into_iter().try_for_each(|job| self.send(job))
    }

    fn on_completion(&mut self, completion: Completion) -> Result<(), ClientError> {
        let Some(mut job) = self.unanswered.remove(&completion.seq) else { return Ok(()) };
        let size = job.source.size();
        self.in_flight = self.in_flight.saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
        let transferred = |transferred| Transferred { status: TransferStatus::New, bytes: size, transferred };
        let refusal = match (job.step, completion.result) {
            (Step::Stat, Ok((Answer::Entry(entry), _))) => {
                job.is_compared = true;
                let is_like = entry.kind == Kind::File && entry.size == Some(size);
                job.step = if is_like { Step::Hash } else { Step::Put };
                return self.send(job);
            }
            (Step::Hash | Step::Settle, Ok((Answer::Hash(theirs), _))) => {
                let ours = match job.source.hash(|| Ok(())) {
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
