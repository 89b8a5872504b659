//! Actions that take small requests, many of which are in flight at once.

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
        input::{SavedEntry, SavedFile},
        local_scan::is_recently_modified,
        remote_scan::version_of,
    },
};
use remofile_proto::{Answer, Code, Digest, Entry, Kind, Operation, Precondition, Refusal, RemotePath};
use std::{sync::Arc, time::SystemTime};

/// An action whose request is unanswered.
#[derive(Debug)]
pub(super) struct SyncJob<'p> {
    pub(super) action: &'p Action,
    pub(super) step: JobStep,
    /// The path on the server.
    path: RemotePath,
    /// Where to, for what moves or is kept.
    to: Option<RemotePath>,
    /// The content to upload.
    upload: Option<SmallFile>,
    /// The session was lost before the answer: the request may have been executed.
    was_lost: bool,
}

/// A small file that was read.
#[derive(Clone, Debug)]
struct SmallFile {
    content: Arc<[u8]>,
    hash: Digest,
    version: LocalVersion,
    is_recently_modified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobStep {
    MakeDirectory,
    /// Something exists: checks whether it is a directory.
    LookAtDirectory,
    /// Copies the file that is about to be replaced.
    Keep,
    Put,
    /// The put may have been executed: compares the content.
    Compare,
    Read,
    Move,
    /// The move may have been executed: checks the source,
    LookAtSource,
    /// and the target.
    LookAtTarget,
    SetTime,
    RemoveDirectory,
}

impl<'p> Execution<'_, 'p> {
    pub(super) fn submit_job(&mut self, action: &'p Action) -> Result<(), ClientError> {
        let path = self.remote(&action.path)?;
        let place = self.trash_paths.remove(action.path.as_str());
        let mut job = SyncJob { action, step: JobStep::Put, path, to: place, upload: None, was_lost: false };
        job.step = match &action.change {
            Change::MakeDirectory { .. } => JobStep::MakeDirectory,
            Change::Move { from, .. } => {
                job.to = Some(std::mem::replace(&mut job.path, self.remote(from)?));
                JobStep::Move
            }
            Change::SetTime { .. } => JobStep::SetTime,
            Change::Transfer { on: Side::Local, .. } => JobStep::Read,
            Change::Transfer { replaces, .. } => {
                job.upload = Some(self.read(action)?);
                match (replaces, &job.to) {
                    (false, _) => JobStep::Put,
                    (true, Some(_)) => JobStep::Keep,
                    // The failure was reported.
                    (true, None) => return Ok(()),
                }
            }
            Change::Remove { is_directory: true, .. } => JobStep::RemoveDirectory,
            Change::Remove { .. } if job.to.is_none() => return Ok(()),
            Change::Remove { .. } => JobStep::Move,
            Change::KeepBoth { .. } | Change::Record | Change::Forget => return Ok(()),
        };
        self.submit(job)
    }

    /// Retries where the path in the trash was taken.
    pub(super) fn retry_in_trash(&mut self, mut job: SyncJob<'p>) -> Result<(), SyncError> {
        self.step()?;
        let etag = job.action.expected.remote.clone();
        let (trash, client) = (&mut self.context.remote_trash, &mut *self.context.client);
        let result = match job.step {
            JobStep::Keep => trash.keep(client, &job.path, etag).map(drop),
            _ => trash.put(client, &job.path, etag).map(drop),
        };
        match (result, job.step) {
            (Ok(()), JobStep::Keep) => {
                job.step = JobStep::Put;
                self.submit(job)?;
            }
            (Ok(()), _) => self.gone(&job),
            (Err(error), _) => self.failed(job.action, error)?,
        }
        Ok(())
    }

    /// The content of a small local file, if it is still of the version that the plan saw.
    fn read(&self, action: &Action) -> Result<SmallFile, ClientError> {
        let read_at = SystemTime::now();
        let source = self.context.local.source(&action.path)?;
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
        Ok(SmallFile {
            content: content.into(),
            hash,
            version,
            is_recently_modified: is_recently_modified(&version, read_at),
        })
    }

    fn uploaded(&mut self, job: &SyncJob<'_>, etag: remofile_proto::Etag, is_racy: bool) {
        let Some(SmallFile { hash, version, is_recently_modified, content }) = &job.upload else { return };
        let (hash, version, is_recently_modified) = (*hash, *version, *is_recently_modified);
        self.save_file(
            &job.action.path,
            SavedFile { hash, version, is_recently_modified, etag, is_racy, has_equal_times: true },
        );
        self.done(job.action, content.len() as u64);
    }

    /// Installs what was downloaded.
    fn downloaded(&mut self, job: &SyncJob<'_>, content: &Content) -> Result<(), ClientError> {
        let action = job.action;
        let state = self.context.input.path_state(&action.path);
        let remote = state.remote_file().ok_or_else(|| refused("download", &job.path, Code::NotFound))?;
        self.step()?;
        self.context.local.stage(&action.path, content, remote.mtime_ns)?;
        self.step()?;
        let expected = action.expected.local.as_ref();
        let version = self.context.local.install(&action.path, expected, &mut self.context.local_trash)?;
        let hash = Digest::new(*blake3::hash(content).as_bytes());
        let file = SavedFile {
            hash,
            version,
            is_recently_modified: true,
            etag: remote.etag.clone(),
            is_racy: remote.is_racy,
            has_equal_times: true,
        };
        self.save_file(&action.path, file);
        self.done(action, content.len() as u64);
        Ok(())
    }

    /// A move within what is synchronised, or into the trash, is done.
    fn moved(&mut self, job: &SyncJob<'_>, entry: &Entry) -> Result<(), ClientError> {
        let Change::Move { from, .. } = &job.action.change else {
            self.gone(job);
            return Ok(());
        };
        let (etag, is_racy) = version_of(entry)?;
        let state = self.context.input.path_state(&job.action.path);
        if let (Some(hash), Some(local)) = (state.local_hash(), state.local_file()) {
            let (version, is_recently_modified) = (local.version, local.is_recently_modified);
            let has_equal_times = entry.mtime_ns == Some(version.mtime_ns);
            let file = SavedFile { hash, version, is_recently_modified, etag, is_racy, has_equal_times };
            self.save_file(&job.action.path, file);
        }
        self.updates.push((from.as_str().into(), None));
        self.done(job.action, 0);
        Ok(())
    }

    fn gone(&mut self, job: &SyncJob<'_>) {
        self.updates.push((job.action.path.as_str().into(), None));
        self.done(job.action, 0);
    }

    fn made(&mut self, job: &SyncJob<'_>) {
        self.updates.push((job.action.path.as_str().into(), Some(SavedEntry::Directory)));
        self.done(job.action, 0);
    }

    fn time_is_set(&mut self, job: &SyncJob<'_>, entry: &Entry) -> Result<(), ClientError> {
        let (etag, _) = version_of(entry)?;
        let state = self.context.input.path_state(&job.action.path);
        if let (Some(hash), Some(local)) = (state.local_hash(), state.local_file()) {
            let (version, is_recently_modified) = (local.version, local.is_recently_modified);
            // A touch has no precondition: it may have touched another version, so the file is read again.
            let file = SavedFile { hash, version, is_recently_modified, etag, is_racy: true, has_equal_times: true };
            self.save_file(&job.action.path, file);
        }
        self.done(job.action, 0);
        Ok(())
    }

    fn continue_with(&mut self, mut job: SyncJob<'p>, step: JobStep) -> Result<(), ClientError> {
        job.step = step;
        self.send(job)
    }

    /// Handles a refusal, some of which follow from what was done before.
    fn on_refusal(&mut self, job: SyncJob<'p>, refusal: Refusal) -> Result<(), ClientError> {
        match (job.step, refusal.code) {
            (JobStep::MakeDirectory, Code::Exists) => self.continue_with(job, JobStep::LookAtDirectory),
            // Only this run uses these paths in the trash, unless another run began in the same second.
            (JobStep::Keep, Code::Exists) if job.was_lost => self.continue_with(job, JobStep::Put),
            (JobStep::Keep, Code::Exists | Code::NameClash) => {
                self.again.push(job);
                Ok(())
            }
            (JobStep::Move, Code::Exists | Code::NameClash) if matches!(job.action.change, Change::Remove { .. }) => {
                self.again.push(job);
                Ok(())
            }
            (JobStep::Compare, Code::NotFound) => self.continue_with(job, JobStep::Put),
            (JobStep::LookAtSource, Code::NotFound) => self.continue_with(job, JobStep::LookAtTarget),
            (JobStep::RemoveDirectory, Code::NotFound) => {
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
    type Item = SyncJob<'p>;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<SyncJob<'p>>) {
        (self.context.client, &mut self.pipeline)
    }

    fn weight(&self, job: &SyncJob<'p>) -> u64 {
        match job.step {
            JobStep::Read | JobStep::Put | JobStep::Keep | JobStep::Compare => job.action.bytes,
            _ => 0,
        }
    }

    fn request(&mut self, job: &SyncJob<'p>) -> Result<Option<Request>, ClientError> {
        self.step()?;
        let path = job.path.clone();
        let etag = job.action.expected.remote.clone();
        let to = || job.to.clone().ok_or_else(|| refused("move", &job.path, Code::BadArgs));
        let mut payload = Payload::None;
        let mut content = 0;
        let operation = match job.step {
            JobStep::MakeDirectory => Operation::Mkdir { path },
            JobStep::LookAtDirectory | JobStep::LookAtSource => Operation::Stat { path },
            JobStep::LookAtTarget => Operation::Stat { path: to()? },
            JobStep::Keep => Operation::Copy { from: path, to: to()?, pre: Precondition::Absent, etag },
            JobStep::Move => Operation::Move { from: path, to: to()?, pre: Precondition::Absent, etag },
            JobStep::Compare => Operation::Hash { path, off: 0, len: None },
            JobStep::Put => {
                let Some(upload) = &job.upload else { return Ok(None) };
                payload = Payload::Bytes(Arc::clone(&upload.content));
                content = upload.content.len() as u64;
                let pre = etag.map_or(Precondition::Absent, Precondition::Etag);
                Operation::Put { path, pre, mtime_ns: Some(upload.version.mtime_ns) }
            }
            JobStep::Read => {
                content = job.action.bytes;
                Operation::Read { path, off: 0, len: job.action.bytes, etag }
            }
            JobStep::SetTime => {
                let Change::SetTime { mtime_ns, .. } = job.action.change else { return Ok(None) };
                Operation::Touch { path, mtime_ns }
            }
            JobStep::RemoveDirectory => Operation::Remove { path, etag: None },
        };
        Ok(Some(Request { operation, payload, content }))
    }

    fn on_reply(&mut self, job: SyncJob<'p>, answer: ReplyResult) -> Result<(), ClientError> {
        let done = match (job.step, answer) {
            (_, Err(refusal)) => return self.on_refusal(job, refusal),
            (JobStep::MakeDirectory, Ok((Answer::Entry(_), _))) => {
                self.made(&job);
                Ok(())
            }
            (JobStep::LookAtDirectory, Ok((Answer::Entry(entry), _))) if entry.kind == Kind::Dir => {
                self.made(&job);
                Ok(())
            }
            (JobStep::LookAtDirectory, Ok((Answer::Entry(_), _))) => Err(refused("mkdir", &job.path, Code::Exists)),
            (JobStep::Keep, Ok((Answer::Entry(_), _))) => return self.continue_with(job, JobStep::Put),
            (JobStep::Put, Ok((Answer::Entry(entry), _))) => {
                version_of(&entry).map(|(etag, is_racy)| self.uploaded(&job, etag, is_racy))
            }
            (JobStep::Compare, Ok((Answer::Hash(theirs), _))) => {
                if job.upload.as_ref().is_none_or(|upload| upload.hash != theirs.hash) {
                    return self.continue_with(job, JobStep::Put);
                }
                self.uploaded(&job, theirs.etag, true);
                Ok(())
            }
            (JobStep::Read, Ok((Answer::Read(_), Some(bytes)))) if bytes.len() as u64 == job.action.bytes => {
                self.downloaded(&job, &bytes)
            }
            (JobStep::Read, Ok((Answer::Read(_), _))) => {
                return Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() });
            }
            (JobStep::Move | JobStep::LookAtTarget, Ok((Answer::Entry(entry), _))) => self.moved(&job, &entry),
            // The source exists: the move was not executed.
            (JobStep::LookAtSource, Ok((Answer::Entry(_), _))) => return self.continue_with(job, JobStep::Move),
            (JobStep::SetTime, Ok((Answer::Entry(entry), _))) => self.time_is_set(&job, &entry),
            (JobStep::RemoveDirectory, Ok((Answer::Empty, _))) => {
                self.gone(&job);
                Ok(())
            }
            (_, Ok((other, _))) => return Err(unexpected(job.operation(), &other)),
        };
        done.or_else(|error| self.failed(job.action, error))
    }

    fn recover(mut job: SyncJob<'p>) -> SyncJob<'p> {
        job.was_lost = true;
        job.step = match job.step {
            JobStep::Put => JobStep::Compare,
            JobStep::Move => JobStep::LookAtSource,
            step => step,
        };
        job
    }

    fn sort_for_recovery(jobs: &mut [SyncJob<'p>]) {
        jobs.sort_by_key(SyncJob::rank);
    }

    fn report_progress(&mut self) {
        self.context.client.observer().count(&self.observed);
    }
}

impl SyncJob<'_> {
    /// The name of the operation in messages.
    fn operation(&self) -> &'static str {
        match self.step {
            JobStep::MakeDirectory | JobStep::LookAtDirectory => "mkdir",
            JobStep::Keep => "copy",
            JobStep::Put | JobStep::Compare => "upload",
            JobStep::Read => "download",
            JobStep::Move | JobStep::LookAtSource | JobStep::LookAtTarget => "move",
            JobStep::SetTime => "touch",
            JobStep::RemoveDirectory => "remove",
        }
    }
}
