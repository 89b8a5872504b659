//! Executing a plan: each action over the versions that the plan saw, and the archive behind what is durable.

mod jobs;
mod large;

use super::{
    Action, Change, LocalVersion, Plan, Side, SyncError, SyncItem, SyncOutcome, SyncReport,
    archive::Archive,
    local::LocalRoot,
    run::OnItem,
    sides::{Archived, ArchivedFile, Sides},
    trash::{LocalTrash, RemoteTrash},
};
use crate::client::{
    ClientError, FileClient, TreeTransferred, concerns_one_item,
    pipeline::{Pipeline, PipelineDriver as _},
};
use jobs::{Job, Step};
use remofile_proto::RemotePath;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// How often what was done so far is made durable and archived.
const SETTLED_EVERY: Duration = Duration::from_secs(15);

/// How many updates of the archive are held at most.
const UPDATES_MAX: usize = 20_000;

/// What an execution works with.
pub(super) struct Tools<'a> {
    pub(super) client: &'a mut FileClient,
    pub(super) local: &'a LocalRoot,
    pub(super) remote: &'a RemotePath,
    pub(super) sides: &'a Sides,
    pub(super) archive: &'a mut Archive,
    pub(super) local_trash: LocalTrash,
    pub(super) remote_trash: RemoteTrash,
    #[cfg(test)]
    pub(super) fuse: crate::sync::fuse::Fuse,
}

/// Executes a plan. Gives the two trashes back where everything was gone through.
pub(super) fn execute(
    tools: Tools<'_>,
    plan: &Plan,
    left_behind: &[String],
    report: &mut SyncReport,
    on_item: &mut OnItem<'_>,
) -> Result<(LocalTrash, RemoteTrash), SyncError> {
    let mut execution = Execution {
        tools,
        pipeline: Pipeline::new(),
        places: HashMap::new(),
        aside: HashSet::new(),
        updates: Vec::new(),
        settled_at: Instant::now(),
        again: Vec::new(),
        observed: TreeTransferred::default(),
        report,
        on_item,
    };
    execution.put_away(left_behind)?;
    execution.all(&plan.actions)?;
    Ok((execution.tools.local_trash, execution.tools.remote_trash))
}

struct Execution<'a, 'p> {
    tools: Tools<'a>,
    pipeline: Pipeline<Job<'p>>,
    /// Where in the server's trash something goes, by its path.
    places: HashMap<&'p str, RemotePath>,
    /// Conflict copies whose local file has got its name.
    aside: HashSet<&'p str>,
    /// What is true from now on, and not yet durable.
    updates: Vec<(Box<str>, Option<Archived>)>,
    settled_at: Instant,
    /// Whose place in the server's trash was taken.
    again: Vec<Job<'p>>,
    /// What whoever watches is told.
    observed: TreeTransferred,
    report: &'p mut SyncReport,
    on_item: &'p mut OnItem<'p>,
}

/// What can be under way together; between two of them everything is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
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
    /// What an earlier run has left under names of its own may be the only copy of what was in its way.
    fn put_away(&mut self, left_behind: &[String]) -> Result<(), SyncError> {
        for path in left_behind {
            self.step()?;
            self.tools.local_trash.put(path, path)?;
        }
        Ok(())
    }

    fn all(&mut self, actions: &'p [Action]) -> Result<(), SyncError> {
        let (mut files, mut bytes) = (0, 0);
        for action in actions.iter().filter(|action| matches!(action.change, Change::Transfer { .. })) {
            (files, bytes) = (files + 1, bytes + action.bytes);
        }
        self.tools.client.observer().enter_tree(files, bytes);
        for together in actions.chunk_by(|one, other| class(one) == class(other)) {
            self.find_places(together)?;
            for action in together {
                if self.is_settling_due() {
                    self.finish_class()?;
                    self.settle()?;
                }
                self.begin(action)?;
            }
            self.finish_class()?;
        }
        self.settle()
    }

    fn is_settling_due(&self) -> bool {
        self.updates.len() >= UPDATES_MAX || (!self.updates.is_empty() && self.settled_at.elapsed() >= SETTLED_EVERY)
    }

    /// Waits until everything under way is done.
    fn finish_class(&mut self) -> Result<(), SyncError> {
        self.drain()?;
        for job in std::mem::take(&mut self.again) {
            self.put_elsewhere(job)?;
            self.drain()?;
        }
        Ok(())
    }

    /// Makes what was done so far durable on both sides, and then has the archive remember it.
    fn settle(&mut self) -> Result<(), SyncError> {
        if !self.updates.is_empty() {
            self.step()?;
            self.tools.client.flush_observed(None)?;
            // The trash has little left to do where it lies on the same file system.
            self.tools.local.sync()?;
            self.tools.local_trash.sync()?;
            self.step()?;
            self.tools.archive.append(&self.updates)?;
            self.updates.clear();
        }
        self.settled_at = Instant::now();
        Ok(())
    }

    /// The directories of the server's trash are made while nothing is under way.
    fn find_places(&mut self, actions: &'p [Action]) -> Result<(), SyncError> {
        self.places.clear();
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
            match self.tools.remote_trash.place(self.tools.client, &path) {
                Ok(place) => {
                    self.places.insert(&action.path, place);
                }
                Err(error) => self.failed(action, error)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, action: &'p Action) -> Result<(), SyncError> {
        self.tools.client.keep_alive()?;
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
            Change::Transfer { on, .. } if action.bytes > self.tools.client.chunk() as u64 => self.large(action, *on),
            _ => self.submit_job(action).map(|()| None),
        };
        match done {
            Ok(Some(transferred)) => self.done(action, transferred),
            // Its answer is awaited.
            Ok(None) => {}
            Err(error) => self.failed(action, error)?,
        }
        Ok(())
    }

    fn step_aside(&mut self, action: &'p Action, copy: &'p str) -> Result<(), ClientError> {
        self.step()?;
        self.tools.local.rename(&action.path, copy, local_version(action)?)?;
        self.aside.insert(copy);
        Ok(())
    }

    fn make_directory(&mut self, action: &Action) -> Result<(), ClientError> {
        self.step()?;
        self.tools.local.make_directory(&action.path)?;
        self.updates.push((action.path.as_str().into(), Some(Archived::Directory)));
        Ok(())
    }

    fn move_local(&mut self, action: &Action, from: &str) -> Result<(), ClientError> {
        self.step()?;
        let version = self.tools.local.rename(from, &action.path, local_version(action)?)?;
        self.updates.push((from.into(), None));
        // The content is that of the server's file, whose hash was asked for.
        let row = self.tools.sides.row(&action.path);
        if let (Some(hash), Some(remote)) = (row.remote_hash(), row.remote_file()) {
            let file = ArchivedFile {
                hash,
                version,
                is_fresh: true,
                etag: remote.etag.clone(),
                is_racy: remote.is_racy,
                has_equal_times: version.mtime_ns == remote.mtime_ns,
            };
            self.archive_file(&action.path, file);
        }
        Ok(())
    }

    fn set_local_time(&mut self, action: &Action, mtime_ns: i64) -> Result<(), ClientError> {
        self.step()?;
        let version = self.tools.local.set_time(&action.path, local_version(action)?, mtime_ns)?;
        let row = self.tools.sides.row(&action.path);
        if let (Some(hash), Some(remote)) = (row.local_hash(), row.remote_file()) {
            let (etag, is_racy) = (remote.etag.clone(), remote.is_racy);
            let file = ArchivedFile { hash, version, is_fresh: true, etag, is_racy, has_equal_times: true };
            self.archive_file(&action.path, file);
        }
        Ok(())
    }

    fn remove_local(&mut self, action: &Action, is_directory: bool) -> Result<(), ClientError> {
        self.step()?;
        if is_directory {
            self.tools.local.remove_directory(&action.path)?;
        } else {
            let expected = local_version(action)?;
            self.tools.local.remove(&action.path, expected, &mut self.tools.local_trash)?;
        }
        self.updates.push((action.path.as_str().into(), None));
        Ok(())
    }

    /// Both sides have it as it was looked at.
    fn record(&mut self, action: &Action) {
        let row = self.tools.sides.row(&action.path);
        let archived = match (row.local_file(), row.remote_file(), row.local_hash()) {
            (Some(local), Some(remote), Some(hash)) => Archived::File(ArchivedFile {
                hash,
                version: local.version,
                is_fresh: local.is_fresh,
                etag: remote.etag.clone(),
                is_racy: remote.is_racy,
                has_equal_times: local.version.mtime_ns == remote.mtime_ns
                    || row.archived_file().is_some_and(|archived| {
                        archived.has_equal_times && archived.version == local.version && archived.etag == remote.etag
                    }),
            }),
            _ => Archived::Directory,
        };
        self.updates.push((action.path.as_str().into(), Some(archived)));
    }

    fn archive_file(&mut self, path: &str, file: ArchivedFile) {
        self.updates.push((path.into(), Some(Archived::File(file))));
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

    /// Takes note of an action that failed; fails where no other can succeed either.
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
        Ok(self.tools.remote.join(path)?)
    }

    /// Before everything that has an effect: tests end a run here.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests make use of both")]
    fn step(&self) -> Result<(), ClientError> {
        #[cfg(test)]
        if !self.tools.fuse.holds() {
            return Err(ClientError::Cancelled);
        }
        Ok(())
    }
}

fn class(action: &Action) -> Class {
    match action.change {
        Change::KeepBoth { .. } => Class::StepAside,
        Change::MakeDirectory { .. } => Class::Make,
        Change::Move { .. } => Class::Move,
        Change::SetTime { .. } => Class::SetTime,
        Change::Transfer { .. } => Class::Transfer,
        Change::Remove { is_directory: false, .. } => Class::Remove,
        Change::Remove { is_directory: true, .. } => Class::RemoveDirectory,
        Change::Record | Change::Forget => Class::Note,
    }
}

/// The local file that an action needs.
fn local_version(action: &Action) -> Result<&LocalVersion, ClientError> {
    let without = || ClientError::SourceChanged { path: action.path.clone() };
    action.expected.local.as_ref().ok_or_else(without)
}

impl Job<'_> {
    /// In which order requests go on that were unanswered when the session was lost: directories before what is in
    /// them where they are made, and behind it where they are removed.
    fn rank(&self) -> (bool, std::cmp::Reverse<usize>, usize) {
        let depth = self.action.path.matches('/').count();
        match self.step {
            Step::RemoveDirectory => (true, std::cmp::Reverse(depth), 0),
            _ => (false, std::cmp::Reverse(0), depth),
        }
    }
}
