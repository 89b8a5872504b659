//! Downloads of directories: a page of the listing at a time, small files in flight, nothing through a local link.

use super::{ATTEMPTS_WITHOUT_PROGRESS, IN_FLIGHT, TreeTransferred};
use crate::client::{
    Answer, ClientError, Code, Entry, FileClient, Kind, Operation, Path, TransferStatus, Transferred,
    channel::Completion,
    download::{check_replaceable, version_of},
    listing::Pages,
    part::{Target, Version},
    payload::Payload,
};
use rustix::{
    fs::{FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    path::{Path as LocalPath, PathBuf},
    rc::Rc,
};

impl FileClient {
    /// Downloads the directory `remote` with all it holds as `local`, which is made where it is not there; its parent
    /// has to be. Links, special files and names that the server leaves out are skipped and counted. A file that
    /// fails does not stop the others. No name leads out of `local`, nor through a symbolic link in it. What was
    /// transferred is durable at the end; a power cut before may leave a small file empty or short.
    ///
    /// # Errors
    /// What concerns more than one file: the server or the session is gone, `remote` cannot be listed, `local` cannot
    /// be made. All else is in [`TreeTransferred::failures`].
    pub fn download_tree(
        &mut self,
        remote: &Path,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        let failed = |errno: Errno| ClientError::local(local, errno.into());
        if self.stat(remote)?.kind != Kind::Dir {
            return Err(super::super::refused("download", remote, Code::NotDir));
        }
        match rustix::fs::mkdir(local, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = Rc::new(rustix::fs::open(local, flags, Mode::empty()).map_err(failed)?);
        let mut pages = Pages::new(remote.clone(), true);
        let mut walk = Walk {
            client: self,
            local,
            overwrite,
            top: Rc::clone(&top),
            open: Vec::new(),
            blocked: None,
            unanswered: HashMap::new(),
            in_flight: 0,
            losses: 0,
            done: TreeTransferred { directories: 1, ..TreeTransferred::default() },
        };
        while let Some(page) = pages.next(walk.client)? {
            for listed in page {
                if let Err(error) = walk.entry(remote, &listed.name, listed.entry) {
                    walk.done.fail(listed.name, error)?;
                }
            }
            // The next page is asked for with nothing else under way.
            walk.drain()?;
        }
        walk.done.skipped += pages.skipped();
        let done = walk.done;
        rustix::fs::syncfs(&*top).map_err(failed)?;
        Ok(done)
    }
}

struct Walk<'a> {
    client: &'a mut FileClient,
    local: &'a LocalPath,
    overwrite: bool,
    top: Rc<OwnedFd>,
    /// The directories from the top down to the last one that was listed.
    open: Vec<(String, Rc<OwnedFd>)>,
    /// A directory that could not be made: nothing below it is asked for.
    blocked: Option<String>,
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
    name: String,
    target: Target,
    version: Version,
    entry: Entry,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hash,
    Read,
}

impl Walk<'_> {
    fn entry(&mut self, remote: &Path, name: &str, entry: Entry) -> Result<(), ClientError> {
        let below = |directory: &str| name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        if self.blocked.as_deref().is_some_and(below) {
            self.done.failed += 1;
            return Ok(());
        }
        let path = remote.join(name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
        match entry.kind {
            Kind::Link | Kind::Other => {
                self.done.skipped += 1;
                Ok(())
            }
            Kind::Dir => match self.make_directory(name) {
                Ok(()) => {
                    self.done.directories += 1;
                    Ok(())
                }
                Err(error) => {
                    self.blocked = Some(name.to_owned());
                    Err(error)
                }
            },
            Kind::File => {
                let (directory, last) = self.directory_of(name)?;
                let target = Target::within(directory, last, self.shown(name));
                self.file(name, path, entry, target)
            }
        }
    }

    fn file(&mut self, name: &str, path: Path, entry: Entry, target: Target) -> Result<(), ClientError> {
        let version = version_of(self.client, &path, &entry)?;
        if version.size > self.client.chunk() as u64 {
            self.drain()?;
            let done = self.client.download_into(&path, entry, &target, self.overwrite)?;
            self.done.count(&done);
            return Ok(());
        }
        let step = match target.look()? {
            None => Step::Read,
            Some((FileType::RegularFile, size)) if size == version.size => Step::Hash,
            Some((kind, _)) => {
                check_replaceable(&target, kind, self.overwrite)?;
                Step::Read
            }
        };
        let size = size_of(&version);
        while !self.unanswered.is_empty() && (self.in_flight + size > IN_FLIGHT || !self.client.can_submit()) {
            self.advance()?;
        }
        self.send(Job { name: name.to_owned(), target, version, entry, step })
    }

    /// Makes a directory, or enters the one that is there; a symbolic link is none.
    fn make_directory(&mut self, name: &str) -> Result<(), ClientError> {
        let shown = self.shown(name);
        let failed = |errno: Errno| ClientError::local(&shown, errno.into());
        let (parent, last) = self.directory_of(name)?;
        match rustix::fs::mkdirat(&parent, last, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&parent, last, flags, Mode::empty()).map_err(failed)?;
        self.open.push((name.to_owned(), Rc::new(directory)));
        Ok(())
    }

    /// The open directory that a listed name is in, and the last part of the name. A directory is listed before what
    /// it holds [LIST-2].
    fn directory_of<'n>(&mut self, name: &'n str) -> Result<(Rc<OwnedFd>, &'n str), ClientError> {
        let Some((parent, last)) = name.rsplit_once('/') else {
            self.open.clear();
            return Ok((Rc::clone(&self.top), name));
        };
        while let Some((open, directory)) = self.open.last() {
            if open == parent {
                return Ok((Rc::clone(directory), last));
            }
            self.open.pop();
        }
        Err(ClientError::Protocol { reason: "a listing of a tree without a directory in it".to_owned() })
    }

    fn shown(&self, name: &str) -> PathBuf {
        self.local.join(name)
    }

    /// Waits until everything under way is done.
    fn drain(&mut self) -> Result<(), ClientError> {
        while !self.unanswered.is_empty() {
            self.advance()?;
        }
        Ok(())
    }

    fn send(&mut self, job: Job) -> Result<(), ClientError> {
        let Version { path, etag, size, .. } = job.version.clone();
        let operation = match job.step {
            Step::Hash => Operation::Hash { path, off: 0, len: None },
            Step::Read => Operation::Read { path, off: 0, len: size, etag: Some(etag) },
        };
        match self.client.submit(operation, Payload::None) {
            Ok(seq) => {
                self.in_flight += size_of(&job.version);
                self.unanswered.insert(seq, job);
                Ok(())
            }
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

    /// Opens a new session and repeats there what was unanswered [LOST-2].
    fn recover(&mut self, reason: String, unsent: Option<Job>) -> Result<(), ClientError> {
        if self.losses == ATTEMPTS_WITHOUT_PROGRESS {
            return Err(ClientError::SessionLost { reason });
        }
        self.losses += 1;
        let again: Vec<Job> = self.unanswered.drain().map(|(_, job)| job).chain(unsent).collect();
        self.in_flight = 0;
        self.client.reopen()?;
        again.into_iter().try_for_each(|job| self.send(job))
    }

    fn on_completion(&mut self, completion: Completion) -> Result<(), ClientError> {
        let Some(mut job) = self.unanswered.remove(&completion.seq) else { return Ok(()) };
        self.in_flight = self.in_flight.saturating_sub(size_of(&job.version));
        let size = job.version.size;
        let failed = match (job.step, completion.result) {
            (Step::Hash, Ok((Answer::Hash(theirs), _))) => match self.is_like(&job, &theirs.hash) {
                Ok(true) => {
                    let done = Transferred { status: TransferStatus::Unchanged, bytes: size, transferred: 0 };
                    self.done.count(&done);
                    return Ok(());
                }
                Ok(false) => {
                    job.step = Step::Read;
                    return self.send(job);
                }
                Err(error) => error,
            },
            (Step::Read, Ok((Answer::Read(_), Some(bytes)))) if bytes.len() as u64 == size => {
                match job.target.write_whole(&job.version, &bytes, job.entry.mtime_ns, self.overwrite) {
                    Ok(()) => {
                        self.done.count(&Transferred { status: TransferStatus::New, bytes: size, transferred: size });
                        return Ok(());
                    }
                    Err(error) => error,
                }
            }
            (Step::Read, Ok((Answer::Read(_), _))) => {
                return Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() });
            }
            (_, Ok((other, _))) => return Err(super::super::unexpected("download", &other)),
            (_, Err(refusal)) if refusal.code == Code::Changed => {
                ClientError::SourceChanged { path: job.version.path.to_string() }
            }
            (_, Err(refusal)) => {
                ClientError::Refused { operation: "download", path: job.version.path.to_string(), refusal }
            }
        };
        self.done.fail(job.name, failed)
    }

    /// Whether the local file has the same content; fails where it has not and must stay.
    fn is_like(&self, job: &Job, theirs: &remofile_proto::Digest) -> Result<bool, ClientError> {
        if job.target.source()?.hash(|| Ok(()))? == *theirs {
            return Ok(true);
        }
        check_replaceable(&job.target, FileType::RegularFile, self.overwrite)?;
        Ok(false)
    }
}

/// In bytes; it is no more than a chunk.
fn size_of(version: &Version) -> usize {
    usize::try_from(version.size).unwrap_or(usize::MAX)
}
