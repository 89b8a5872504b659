//! Downloads of directories: a page of the listing at a time, small files in flight, nothing through a local link.

use super::{
    TreeTransferred,
    flight::{Flight, Landed, Sending},
};
use crate::client::{
    Answer, ClientError, Code, Entry, FileClient, Kind, Operation, Path, Phase, Refusal, TransferStatus, Transferred,
    download::{check_replaceable, version_of},
    listing::Pages,
    part::{Target, Version},
    payload::{Content, Payload},
};
use rustix::{
    fs::{FileType, Mode, OFlags},
    io::Errno,
};
use std::{
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
        self.observed(|client| client.download_walk(remote, local, overwrite))
    }

    fn download_walk(
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
        self.count_remote(remote)?;
        let mut pages = Pages::new(remote.clone(), true);
        let mut walk = Walk {
            client: self,
            local,
            overwrite,
            top: Rc::clone(&top),
            open: Vec::new(),
            blocked: None,
            flight: Flight::new(),
            done: TreeTransferred { directories: 1, ..TreeTransferred::default() },
        };
        while let Some(page) = pages.next(walk.client)? {
            for listed in page {
                if let Err(error) = walk.entry(remote, &listed.name, listed.entry) {
                    walk.done.fail(listed.name, error)?;
                }
                walk.client.observer().count(&walk.done);
            }
            // The next page is asked for with nothing else under way.
            walk.drain()?;
        }
        walk.done.skipped += pages.skipped();
        let done = walk.done;
        self.observer().enter(Phase::Flushing, Some(remote), None);
        rustix::fs::syncfs(&*top).map_err(failed)?;
        Ok(done)
    }

    /// Has whoever watches know how much there is.
    fn count_remote(&mut self, remote: &Path) -> Result<(), ClientError> {
        if !self.observer().is_watched() {
            return Ok(());
        }
        self.observer().enter(Phase::Counting, Some(remote), None);
        let (mut files, mut bytes) = (0, 0);
        let mut pages = Pages::new(remote.clone(), true);
        while let Some(page) = pages.next(self)? {
            for listed in page.iter().filter(|listed| listed.entry.kind == Kind::File) {
                files += 1;
                bytes = listed.entry.size.unwrap_or(0).saturating_add(bytes);
            }
        }
        self.observer().enter_tree(remote, files, bytes);
        Ok(())
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
    flight: Flight<Job>,
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
        while !self.flight.has_room(self.client, version.size) {
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
        while !self.flight.is_empty() {
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
        match self.flight.send(self.client, operation, Payload::None, size, job)? {
            Sending::Sent => Ok(()),
            Sending::Lost(job, others) => {
                self.repeat(others)?;
                self.send(job)
            }
        }
    }

    fn advance(&mut self) -> Result<(), ClientError> {
        match self.flight.next(self.client)? {
            Landed::Answered(Some(job), result) => self.on_answer(job, result)?,
            Landed::Answered(None, _) => {}
            Landed::Lost(jobs) => self.repeat(jobs)?,
        }
        self.client.observer().count(&self.done);
        Ok(())
    }

    /// [LOST-2] Reading changes nothing.
    fn repeat(&mut self, jobs: Vec<Job>) -> Result<(), ClientError> {
        jobs.into_iter().try_for_each(|job| self.send(job))
    }

    fn on_answer(
        &mut self,
        mut job: Job,
        result: Result<(Answer, Option<Content>), Refusal>,
    ) -> Result<(), ClientError> {
        let size = job.version.size;
        let failed = match (job.step, result) {
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
        if job.target.source()?.hash()? == *theirs {
            return Ok(true);
        }
        check_replaceable(&job.target, FileType::RegularFile, self.overwrite)?;
        Ok(false)
    }
}
