//! What goes to the server in small requests, many of them under way.

use super::{Execution, local_version};
use crate::{
    client::{
        ClientError, FileClient,
        payload::{Content, Payload},
        pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
        refused, unexpected,
    },
    sync::{
        Action, Change, LocalVersion, Side, SyncError,
        scan::is_fresh,
        sides::{Archived, ArchivedFile},
        survey::version_of,
    },
};
use remofile_proto::{Answer, Code, Digest, Entry, Kind, Operation, Precondition, Refusal, RemotePath};
use std::{sync::Arc, time::SystemTime};

/// An action whose request is unanswered.
#[derive(Debug)]
pub(super) struct Job<'p> {
    pub(super) action: &'p Action,
    pub(super) step: Step,
    /// The path on the server.
    path: RemotePath,
    /// Where to, for what moves or is kept.
    to: Option<RemotePath>,
    /// What is uploaded.
    upload: Option<Upload>,
    /// The session was lost while it was unanswered: it may have been executed before.
    was_lost: bool,
}

/// A small file that was read.
#[derive(Clone, Debug)]
struct Upload {
    content: Arc<[u8]>,
    hash: Digest,
    version: LocalVersion,
    is_fresh: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    MakeDirectory,
    /// Something is there: whether it is a directory.
    LookAtDirectory,
    /// A copy of what is about to be replaced.
    Keep,
    Put,
    /// The put may have been executed: whether its content is there.
    Compare,
    Read,
    Move,
    /// The move may have been executed: whether anything is left,
    LookAtSource,
    /// and whether it has come.
    LookAtTarget,
    SetTime,
    RemoveDirectory,
}

impl<'p> Execution<'_, 'p> {
    pub(super) fn submit_job(&mut self, action: &'p Action) -> Result<(), ClientError> {
        let path = self.remote(&action.path)?;
        let place = self.places.remove(action.path.as_str());
        let mut job = Job { action, step: Step::Put, path, to: place, upload: None, was_lost: false };
        job.step = match &action.change {
            Change::MakeDirectory { .. } => Step::MakeDirectory,
            Change::Move { from, .. } => {
                job.to = Some(std::mem::replace(&mut job.path, self.remote(from)?));
                Step::Move
            }
            Change::SetTime { .. } => Step::SetTime,
            Change::Transfer { on: Side::Local, .. } => Step::Read,
            Change::Transfer { replaces, .. } => {
                job.upload = Some(self.read(action)?);
                match (replaces, &job.to) {
                    (false, _) => Step::Put,
                    (true, Some(_)) => Step::Keep,
                    // That it has no place was told.
                    (true, None) => return Ok(()),
                }
            }
            Change::Remove { is_directory: true, .. } => Step::RemoveDirectory,
            Change::Remove { .. } if job.to.is_none() => return Ok(()),
            Change::Remove { .. } => Step::Move,
            Change::KeepBoth { .. } | Change::Record | Change::Forget => return Ok(()),
        };
        self.submit(job)
    }

    /// Something else of the same path was put into the trash in the same second.
    pub(super) fn put_elsewhere(&mut self, mut job: Job<'p>) -> Result<(), SyncError> {
        self.step()?;
        let etag = job.action.expected.remote.clone();
        let (trash, client) = (&mut self.tools.remote_trash, &mut *self.tools.client);
        let result = match job.step {
            Step::Keep => trash.keep(client, &job.path, etag).map(drop),
            _ => trash.put(client, &job.path, etag).map(drop),
        };
        match (result, job.step) {
            (Ok(()), Step::Keep) => {
                job.step = Step::Put;
                self.submit(job)?;
            }
            (Ok(()), _) => self.gone(&job),
            (Err(error), _) => self.failed(job.action, error)?,
        }
        Ok(())
    }

    /// The content of a small local file, if it is still of the version that the plan saw.
    fn read(&self, action: &Action) -> Result<Upload, ClientError> {
        let read_at = SystemTime::now();
        let source = self.tools.local.source(&action.path)?;
        let (version, expected) = (LocalVersion::of(&source), local_version(action)?);
        let is_expected = if self.aside.contains(action.path.as_str()) {
            version.is_same_but_for_its_name(expected)
        } else {
            version == *expected
        };
        if !is_expected {
            return Err(source.changed());
        }
        let content = source.read(0, usize::try_from(version.size).unwrap_or(usize::MAX))?;
        source.check_unchanged()?;
        let hash = Digest::new(*blake3::hash(&content).as_bytes());
        Ok(Upload { content: content.into(), hash, version, is_fresh: is_fresh(&version, read_at) })
    }

    fn uploaded(&mut self, job: &Job<'_>, etag: remofile_proto::Etag, is_racy: bool) {
        let Some(Upload { hash, version, is_fresh, content }) = &job.upload else { return };
        let (hash, version, is_fresh) = (*hash, *version, *is_fresh);
        self.archive_file(
            &job.action.path,
            ArchivedFile { hash, version, is_fresh, etag, is_racy, has_equal_times: true },
        );
        self.done(job.action, content.len() as u64);
    }

    /// Gives what was read its place.
    fn downloaded(&mut self, job: &Job<'_>, content: &Content) -> Result<(), ClientError> {
        let action = job.action;
        let row = self.tools.sides.row(&action.path);
        let remote = row.remote_file().ok_or_else(|| refused("download", &job.path, Code::NotFound))?;
        self.step()?;
        self.tools.local.stage(&action.path, content, remote.mtime_ns)?;
        self.step()?;
        let expected = action.expected.local.as_ref();
        let version = self.tools.local.install(&action.path, expected, &mut self.tools.local_trash)?;
        let hash = Digest::new(*blake3::hash(content).as_bytes());
        let file = ArchivedFile {
            hash,
            version,
            is_fresh: true,
            etag: remote.etag.clone(),
            is_racy: remote.is_racy,
            has_equal_times: true,
        };
        self.archive_file(&action.path, file);
        self.done(action, content.len() as u64);
        Ok(())
    }

    /// A move within what is synchronised, or into the trash, is done.
    fn moved(&mut self, job: &Job<'_>, entry: &Entry) -> Result<(), ClientError> {
        let Change::Move { from, .. } = &job.action.change else {
            self.gone(job);
            return Ok(());
        };
        let (etag, is_racy) = version_of(entry)?;
        let row = self.tools.sides.row(&job.action.path);
        if let (Some(hash), Some(local)) = (row.local_hash(), row.local_file()) {
            let (version, is_fresh) = (local.version, local.is_fresh);
            let has_equal_times = entry.mtime_ns == Some(version.mtime_ns);
            let file = ArchivedFile { hash, version, is_fresh, etag, is_racy, has_equal_times };
            self.archive_file(&job.action.path, file);
        }
        self.updates.push((from.as_str().into(), None));
        self.done(job.action, 0);
        Ok(())
    }

    fn gone(&mut self, job: &Job<'_>) {
        self.updates.push((job.action.path.as_str().into(), None));
        self.done(job.action, 0);
    }

    fn made(&mut self, job: &Job<'_>) {
        self.updates.push((job.action.path.as_str().into(), Some(Archived::Directory)));
        self.done(job.action, 0);
    }

    fn time_is_set(&mut self, job: &Job<'_>, entry: &Entry) -> Result<(), ClientError> {
        let (etag, _) = version_of(entry)?;
        let row = self.tools.sides.row(&job.action.path);
        if let (Some(hash), Some(local)) = (row.local_hash(), row.local_file()) {
            let (version, is_fresh) = (local.version, local.is_fresh);
            // A touch is of no version: what it was done to may not be what was looked at, and is read again.
            let file = ArchivedFile { hash, version, is_fresh, etag, is_racy: true, has_equal_times: true };
            self.archive_file(&job.action.path, file);
        }
        self.done(job.action, 0);
        Ok(())
    }

    fn go_on(&mut self, mut job: Job<'p>, step: Step) -> Result<(), ClientError> {
        job.step = step;
        self.send(job)
    }

    /// What a refusal means that is none, because of what was done before.
    fn on_refusal(&mut self, job: Job<'p>, refusal: Refusal) -> Result<(), ClientError> {
        match (job.step, refusal.code) {
            (Step::MakeDirectory, Code::Exists) => self.go_on(job, Step::LookAtDirectory),
            // Places in the trash are of this run alone, unless another one began in the same second.
            (Step::Keep, Code::Exists) if job.was_lost => self.go_on(job, Step::Put),
            (Step::Keep, Code::Exists | Code::NameClash) => {
                self.again.push(job);
                Ok(())
            }
            (Step::Move, Code::Exists | Code::NameClash) if matches!(job.action.change, Change::Remove { .. }) => {
                self.again.push(job);
                Ok(())
            }
            (Step::Compare, Code::NotFound) => self.go_on(job, Step::Put),
            (Step::LookAtSource, Code::NotFound) => self.go_on(job, Step::LookAtTarget),
            (Step::RemoveDirectory, Code::NotFound) => {
                self.gone(&job);
                Ok(())
            }
            _ => {
                let error = match refusal.code {
                    Code::Changed => ClientError::SourceChanged { path: job.path.to_string() },
                    _ => ClientError::Refused { operation: job.operation(), path: job.path.to_string(), refusal },
                };
                self.failed(job.action, error)
            }
        }
    }
}

impl<'p> PipelineDriver for Execution<'_, 'p> {
    type Item = Job<'p>;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<Job<'p>>) {
        (self.tools.client, &mut self.pipeline)
    }

    fn weight(&self, job: &Job<'p>) -> u64 {
        match job.step {
            Step::Read | Step::Put | Step::Keep | Step::Compare => job.action.bytes,
            _ => 0,
        }
    }

    fn request(&mut self, job: &Job<'p>) -> Result<Option<Request>, ClientError> {
        self.step()?;
        let path = job.path.clone();
        let etag = job.action.expected.remote.clone();
        let to = || job.to.clone().ok_or_else(|| refused("move", &job.path, Code::BadArgs));
        let mut payload = Payload::None;
        let mut content = 0;
        let operation = match job.step {
            Step::MakeDirectory => Operation::Mkdir { path },
            Step::LookAtDirectory | Step::LookAtSource => Operation::Stat { path },
            Step::LookAtTarget => Operation::Stat { path: to()? },
            Step::Keep => Operation::Copy { from: path, to: to()?, pre: Precondition::Absent, etag },
            Step::Move => Operation::Move { from: path, to: to()?, pre: Precondition::Absent, etag },
            Step::Compare => Operation::Hash { path, off: 0, len: None },
            Step::Put => {
                let Some(upload) = &job.upload else { return Ok(None) };
                payload = Payload::Bytes(Arc::clone(&upload.content));
                content = upload.content.len() as u64;
                let pre = etag.map_or(Precondition::Absent, Precondition::Etag);
                Operation::Put { path, pre, mtime_ns: Some(upload.version.mtime_ns) }
            }
            Step::Read => {
                content = job.action.bytes;
                Operation::Read { path, off: 0, len: job.action.bytes, etag }
            }
            Step::SetTime => {
                let Change::SetTime { mtime_ns, .. } = job.action.change else { return Ok(None) };
                Operation::Touch { path, mtime_ns }
            }
            Step::RemoveDirectory => Operation::Remove { path, etag: None },
        };
        Ok(Some(Request { operation, payload, content }))
    }

    fn on_reply(&mut self, job: Job<'p>, answer: ReplyResult) -> Result<(), ClientError> {
        let done = match (job.step, answer) {
            (_, Err(refusal)) => return self.on_refusal(job, refusal),
            (Step::MakeDirectory, Ok((Answer::Entry(_), _))) => {
                self.made(&job);
                Ok(())
            }
            (Step::LookAtDirectory, Ok((Answer::Entry(entry), _))) if entry.kind == Kind::Dir => {
                self.made(&job);
                Ok(())
            }
            (Step::LookAtDirectory, Ok((Answer::Entry(_), _))) => Err(refused("mkdir", &job.path, Code::Exists)),
            (Step::Keep, Ok((Answer::Entry(_), _))) => return self.go_on(job, Step::Put),
            (Step::Put, Ok((Answer::Entry(entry), _))) => {
                version_of(&entry).map(|(etag, is_racy)| self.uploaded(&job, etag, is_racy))
            }
            (Step::Compare, Ok((Answer::Hash(theirs), _))) => {
                if job.upload.as_ref().is_none_or(|upload| upload.hash != theirs.hash) {
                    return self.go_on(job, Step::Put);
                }
                self.uploaded(&job, theirs.etag, true);
                Ok(())
            }
            (Step::Read, Ok((Answer::Read(_), Some(bytes)))) if bytes.len() as u64 == job.action.bytes => {
                self.downloaded(&job, &bytes)
            }
            (Step::Read, Ok((Answer::Read(_), _))) => {
                return Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() });
            }
            (Step::Move | Step::LookAtTarget, Ok((Answer::Entry(entry), _))) => self.moved(&job, &entry),
            // It is still there: the move was not executed.
            (Step::LookAtSource, Ok((Answer::Entry(_), _))) => return self.go_on(job, Step::Move),
            (Step::SetTime, Ok((Answer::Entry(entry), _))) => self.time_is_set(&job, &entry),
            (Step::RemoveDirectory, Ok((Answer::Empty, _))) => {
                self.gone(&job);
                Ok(())
            }
            (_, Ok((other, _))) => return Err(unexpected(job.operation(), &other)),
        };
        done.or_else(|error| self.failed(job.action, error))
    }

    fn recover(mut job: Job<'p>) -> Job<'p> {
        job.was_lost = true;
        job.step = match job.step {
            Step::Put => Step::Compare,
            Step::Move => Step::LookAtSource,
            step => step,
        };
        job
    }

    fn sort_for_recovery(jobs: &mut [Job<'p>]) {
        jobs.sort_by_key(Job::rank);
    }

    fn report_progress(&mut self) {
        self.tools.client.observer().count(&self.observed);
    }
}

impl Job<'_> {
    /// What messages call what is done.
    fn operation(&self) -> &'static str {
        match self.step {
            Step::MakeDirectory | Step::LookAtDirectory => "mkdir",
            Step::Keep => "copy",
            Step::Put | Step::Compare => "upload",
            Step::Read => "download",
            Step::Move | Step::LookAtSource | Step::LookAtTarget => "move",
            Step::SetTime => "touch",
            Step::RemoveDirectory => "remove",
        }
    }
}
