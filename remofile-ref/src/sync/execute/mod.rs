//! Executes a plan: each action applies to the versions that the plan saw, and only durable changes are recorded in the
//! saved state.

mod jobs;
mod large;

use super::{
    Action, Change, LocalVersion, Plan, Side, SyncError, SyncItem, SyncOutcome, SyncReport,
    input::{SavedEntry, SavedFile, SyncInput},
    local_root::LocalRoot,
    run::OnSyncItem,
    state::SavedState,
    trash::{LocalTrash, RemoteTrash},
};
use crate::client::{
    ClientError, FileClient, TreeTransferred, concerns_one_item,
    pipeline::{Pipeline, PipelineDriver as _},
};
use jobs::{JobStep, SyncJob};
use remofile_proto::RemotePath;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// How often changes are made durable and recorded.
const DURABLE_EVERY: Duration = Duration::from_secs(15);

/// The most updates of the saved state that are buffered.
const UPDATES_MAX: usize = 20_000;

/// The context of an execution.
pub(super) struct ExecutionContext<'a> {
    pub(super) client: &'a mut FileClient,
    pub(super) local: &'a LocalRoot,
    pub(super) remote: &'a RemotePath,
    pub(super) input: &'a SyncInput,
    pub(super) saved_state: &'a mut SavedState,
    pub(super) local_trash: LocalTrash,
    pub(super) remote_trash: RemoteTrash,
    #[cfg(test)]
    pub(super) failpoint: crate::sync::failpoint::SyncFailpoint,
}

/// Executes a plan. Returns the two trashes.
pub(super) fn execute(
    context: ExecutionContext<'_>,
    plan: &Plan,
    leftovers: &[String],
    report: &mut SyncReport,
    on_item: &mut OnSyncItem<'_>,
) -> Result<(LocalTrash, RemoteTrash), SyncError> {
    let mut execution = Execution {
        context,
        pipeline: Pipeline::new(),
        trash_paths: HashMap::new(),
        aside: HashSet::new(),
        updates: Vec::new(),
        durable_at: Instant::now(),
        again: Vec::new(),
        observed: TreeTransferred::default(),
        report,
        on_item,
    };
    execution.trash_leftovers(leftovers)?;
    execution.all(&plan.actions)?;
    Ok((execution.context.local_trash, execution.context.remote_trash))
}

struct Execution<'a, 'p> {
    context: ExecutionContext<'a>,
    pipeline: Pipeline<SyncJob<'p>>,
    /// The path in the server's trash, by the original path.
    trash_paths: HashMap<&'p str, RemotePath>,
    /// Conflict copies whose local file has been renamed.
    aside: HashSet<&'p str>,
    /// Updates of the saved state whose changes are not durable yet.
    updates: Vec<(Box<str>, Option<SavedEntry>)>,
    durable_at: Instant,
    /// Jobs whose path in the server's trash was taken.
    again: Vec<SyncJob<'p>>,
    /// The progress that is reported.
    observed: TreeTransferred,
    report: &'p mut SyncReport,
    on_item: &'p mut OnSyncItem<'p>,
}

/// Actions that may be in flight together; a class begins when the one before is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ActionClass {
    StepAside,
    Make,
    Move,
    SetTime,
    Transfer,
    Remove,
    RemoveDirectory,
    Note,
}

impl<'p> Execution<'_, 'p> {
    /// Moves staged files of an earlier run to the trash: one may be the only copy of a replaced file.
    fn trash_leftovers(&mut self, leftovers: &[String]) -> Result<(), SyncError> {
        for path in leftovers {
            self.step()?;
            self.context.local_trash.put(path, path)?;
        }
        Ok(())
    }

    fn all(&mut self, actions: &'p [Action]) -> Result<(), SyncError> {
        let (mut files, mut bytes) = (0, 0);
        for action in actions.iter().filter(|action| matches!(action.change, Change::Transfer { .. })) {
            (files, bytes) = (files + 1, bytes + action.bytes);
        }
        self.context.client.observer().enter_tree(files, bytes);
        for together in actions.chunk_by(|one, other| class(one) == class(other)) {
            self.reserve_trash_paths(together)?;
            for action in together {
                if self.is_flush_due() {
                    self.finish_class()?;
                    self.make_durable()?;
                }
                self.begin(action)?;
            }
            self.finish_class()?;
        }
        self.make_durable()
    }

    fn is_flush_due(&self) -> bool {
        self.updates.len() >= UPDATES_MAX || (!self.updates.is_empty() && self.durable_at.elapsed() >= DURABLE_EVERY)
    }

    /// Waits until all requests are answered.
    fn finish_class(&mut self) -> Result<(), SyncError> {
        self.drain()?;
        for job in std::mem::take(&mut self.again) {
            self.retry_in_trash(job)?;
            self.drain()?;
        }
        Ok(())
    }

    /// Makes the changes so far durable on both sides, then records them in the saved state.
    fn make_durable(&mut self) -> Result<(), SyncError> {
        if !self.updates.is_empty() {
            self.step()?;
            self.context.client.flush_observed(None)?;
            // This is cheap for a trash on the same file system.
            self.context.local.sync()?;
            self.context.local_trash.sync()?;
            self.step()?;
            self.context.saved_state.append(&self.updates)?;
            self.updates.clear();
        }
        self.durable_at = Instant::now();
        Ok(())
    }

    /// Makes the directories in the server's trash, while no request is in flight.
    fn reserve_trash_paths(&mut self, actions: &'p [Action]) -> Result<(), SyncError> {
        self.trash_paths.clear();
        for action in actions {
            let loses = matches!(
                action.change,
                Change::Transfer { on: Side::Remote, replaces: true }
                    | Change::Remove { on: Side::Remote, is_directory: false }
            );
            if !loses {
                continue;
            }
            self.step()?;
            let path = self.remote(&action.path)?;
            match self.context.remote_trash.place(self.context.client, &path) {
                Ok(place) => {
                    self.trash_paths.insert(&action.path, place);
                }
                Err(error) => self.failed(action, error)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, action: &'p Action) -> Result<(), SyncError> {
        self.context.client.keep_alive()?;
        let done = match &action.change {
            Change::KeepBoth { copy } => self.step_aside(action, copy).map(|()| Some(0)),
            Change::MakeDirectory { on: Side::Local } => self.make_directory(action).map(|()| Some(0)),
            Change::Move { on: Side::Local, from } => self.move_local(action, from).map(|()| Some(0)),
            Change::SetTime { on: Side::Local, mtime_ns } => self.set_local_time(action, *mtime_ns).map(|()| Some(0)),
            Change::Remove { on: Side::Local, is_directory } => {
                self.remove_local(action, *is_directory).map(|()| Some(0))
            }
            Change::Record => {
                self.record(action);
                Ok(Some(0))
            }
            Change::Forget => {
                self.updates.push((action.path.as_str().into(), None));
                Ok(Some(0))
            }
            Change::Transfer { on, .. } if action.bytes > self.context.client.chunk() as u64 => self.large(action, *on),
            _ => self.submit_job(action).map(|()| None),
        };
        match done {
            Ok(Some(transferred)) => self.done(action, transferred),
            // Its answer is outstanding.
            Ok(None) => {}
            Err(error) => self.failed(action, error)?,
        }
        Ok(())
    }

    fn step_aside(&mut self, action: &'p Action, copy: &'p str) -> Result<(), ClientError> {
        self.step()?;
        self.context.local.rename(&action.path, copy, local_version(action)?)?;
        self.aside.insert(copy);
        Ok(())
    }

    fn make_directory(&mut self, action: &Action) -> Result<(), ClientError> {
        self.step()?;
        self.context.local.make_directory(&action.path)?;
        self.updates.push((action.path.as_str().into(), Some(SavedEntry::Directory)));
        Ok(())
    }

    fn move_local(&mut self, action: &Action, from: &str) -> Result<(), ClientError> {
        self.step()?;
        let version = self.context.local.rename(from, &action.path, local_version(action)?)?;
        self.updates.push((from.into(), None));
        // The content is that of the server's file, whose hash is known.
        let state = self.context.input.path_state(&action.path);
        if let (Some(hash), Some(remote)) = (state.remote_hash(), state.remote_file()) {
            let file = SavedFile {
                hash,
                version,
                is_recently_modified: true,
                etag: remote.etag.clone(),
                is_racy: remote.is_racy,
                has_equal_times: version.mtime_ns == remote.mtime_ns,
            };
            self.save_file(&action.path, file);
        }
        Ok(())
    }

    fn set_local_time(&mut self, action: &Action, mtime_ns: i64) -> Result<(), ClientError> {
        self.step()?;
        let version = self.context.local.set_time(&action.path, local_version(action)?, mtime_ns)?;
        let state = self.context.input.path_state(&action.path);
        if let (Some(hash), Some(remote)) = (state.local_hash(), state.remote_file()) {
            let (etag, is_racy) = (remote.etag.clone(), remote.is_racy);
            let file = SavedFile { hash, version, is_recently_modified: true, etag, is_racy, has_equal_times: true };
            self.save_file(&action.path, file);
        }
        Ok(())
    }

    fn remove_local(&mut self, action: &Action, is_directory: bool) -> Result<(), ClientError> {
        self.step()?;
        if is_directory {
            self.context.local.remove_directory(&action.path)?;
        } else {
            let expected = local_version(action)?;
            self.context.local.remove(&action.path, expected, &mut self.context.local_trash)?;
        }
        self.updates.push((action.path.as_str().into(), None));
        Ok(())
    }

    /// Records that both sides have the scanned version.
    fn record(&mut self, action: &Action) {
        let state = self.context.input.path_state(&action.path);
        let saved = match (state.local_file(), state.remote_file(), state.local_hash()) {
            (Some(local), Some(remote), Some(hash)) => SavedEntry::File(SavedFile {
                hash,
                version: local.version,
                is_recently_modified: local.is_recently_modified,
                etag: remote.etag.clone(),
                is_racy: remote.is_racy,
                has_equal_times: local.version.mtime_ns == remote.mtime_ns
                    || state.saved_file().is_some_and(|saved| {
                        saved.has_equal_times && saved.version == local.version && saved.etag == remote.etag
                    }),
            }),
            _ => SavedEntry::Directory,
        };
        self.updates.push((action.path.as_str().into(), Some(saved)));
    }

    fn save_file(&mut self, path: &str, file: SavedFile) {
        self.updates.push((path.into(), Some(SavedEntry::File(file))));
    }

    fn done(&mut self, action: &Action, transferred: u64) {
        let report = &mut *self.report;
        match action.change {
            Change::Transfer { on: Side::Remote, .. } => report.uploaded += 1,
            Change::Transfer { on: Side::Local, .. } => report.downloaded += 1,
            Change::Move { .. } => report.moved += 1,
            Change::Remove { is_directory: false, .. } => report.removed += 1,
            Change::Remove { is_directory: true, .. } | Change::MakeDirectory { .. } => report.directories += 1,
            Change::KeepBoth { .. } => report.conflicts += 1,
            Change::SetTime { .. } | Change::Record | Change::Forget => {}
        }
        report.transferred += transferred;
        if matches!(action.change, Change::Transfer { .. }) {
            self.observed.files += 1;
            self.observed.bytes += action.bytes;
            self.observed.transferred += transferred;
        }
        (self.on_item)(&SyncItem { action, outcome: SyncOutcome::Done { transferred } });
    }

    /// Reports an action that failed; fails where no other action can succeed.
    fn failed(&mut self, action: &Action, error: ClientError) -> Result<(), ClientError> {
        if !concerns_one_item(&error) {
            return Err(error);
        }
        if matches!(action.change, Change::Transfer { .. }) {
            self.observed.failed += 1;
        }
        (self.on_item)(&SyncItem { action, outcome: SyncOutcome::Failed(&error) });
        self.report.fail(&action.path, error);
        Ok(())
    }

    fn remote(&self, path: &str) -> Result<RemotePath, ClientError> {
        Ok(self.context.remote.join(path)?)
    }

    /// Called before every effect: tests end a run here.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests make use of both")]
    fn step(&self) -> Result<(), ClientError> {
        #[cfg(test)]
        if !self.context.failpoint.passes() {
            return Err(ClientError::Cancelled);
        }
        Ok(())
    }
}

fn class(action: &Action) -> ActionClass {
    match action.change {
        Change::KeepBoth { .. } => ActionClass::StepAside,
        Change::MakeDirectory { .. } => ActionClass::Make,
        Change::Move { .. } => ActionClass::Move,
        Change::SetTime { .. } => ActionClass::SetTime,
        Change::Transfer { .. } => ActionClass::Transfer,
        Change::Remove { is_directory: false, .. } => ActionClass::Remove,
        Change::Remove { is_directory: true, .. } => ActionClass::RemoveDirectory,
        Change::Record | Change::Forget => ActionClass::Note,
    }
}

/// The local file that an action needs.
fn local_version(action: &Action) -> Result<&LocalVersion, ClientError> {
    let without = || ClientError::SourceChanged { path: action.path.clone() };
    action.expected.local.as_ref().ok_or_else(without)
}

impl SyncJob<'_> {
    /// In which order requests go on that were unanswered when the session was lost: a directory is made
    /// before its entries, and removed after them.
    fn rank(&self) -> (bool, std::cmp::Reverse<usize>, usize) {
        let depth = self.action.path.matches('/').count();
        match self.step {
            JobStep::RemoveDirectory => (true, std::cmp::Reverse(depth), 0),
            _ => (false, std::cmp::Reverse(0), depth),
        }
    }
}
