//! A run: scan both sides, plan, check, execute.

use super::{
    Change, Plan, SafetyCheck, Side, SyncError, SyncItem, SyncOptions, SyncOutcome, SyncReport, compare, execute,
    input::SyncInput,
    local_root::LocalRoot,
    local_scan::{self, LocalScan},
    plan,
    remote_scan::RemoteScan,
    safety,
    state::{SavedState, StateFiles},
    trash::{Cleaned, LocalTrash, RemoteTrash},
};
use crate::client::{ClientError, FileClient, Phase};
use remofile_proto::RemotePath;
use std::{
    fs, io,
    path::{Path as LocalPath, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// The callback for each item.
pub(super) type OnSyncItem<'a> = dyn FnMut(&SyncItem<'_>) + 'a;

/// How often the session is kept alive during the local scan.
const KEPT_EVERY: Duration = Duration::from_millis(100);

/// How many symbolic links the path of a root may have, as in the kernel.
const LINKS_MAX: u32 = 40;

/// The direction of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Both,
    Upload,
    Download,
}

impl FileClient {
    /// Synchronises the directory `local` with the directory `remote` in both directions. A root that is not there, and
    /// was never synchronised, is made; its parent has to be there.
    ///
    /// `on_item` is called for each action as soon as its outcome is known. Guarantees and limitations are in the
    /// documentation of [`sync`](crate::sync).
    ///
    /// # Errors
    /// [`SyncError`]: a safety check, or an error that concerns all items. All others are in the report.
    pub fn synchronize(
        &self,
        local: &LocalPath,
        remote: &RemotePath,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Direction::Both, options, on_item)
    }

    /// Makes `remote` equal to `local` (a push): content, and modification times of files. Entries that `local` lacks
    /// are removed only with [`SyncOptions::delete`].
    ///
    /// # Errors
    /// As [`FileClient::synchronize`].
    pub fn synchronize_upload(
        &self,
        local: &LocalPath,
        remote: &RemotePath,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Direction::Upload, options, on_item)
    }

    /// Makes `local` equal to `remote` (a pull): the mirror image of [`FileClient::synchronize_upload`].
    ///
    /// # Errors
    /// As [`FileClient::synchronize`].
    pub fn synchronize_download(
        &self,
        local: &LocalPath,
        remote: &RemotePath,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Direction::Download, options, on_item)
    }
}

fn run<'a>(
    client: &FileClient,
    local: &LocalPath,
    remote: &RemotePath,
    direction: Direction,
    options: &SyncOptions,
    on_item: &'a mut OnSyncItem<'a>,
) -> Result<SyncReport, SyncError> {
    let options = &options.clone().without(state_below(local, options));
    let run = Run { local, remote, direction, options };
    client.observed(|client| client.rate_limited(options.bytes_per_second, |client| run.all(client, on_item)))
}

struct Run<'a> {
    local: &'a LocalPath,
    remote: &'a RemotePath,
    direction: Direction,
    options: &'a SyncOptions,
}

/// The scans of both sides; `None` for a missing root.
struct ScannedSides {
    local: Option<LocalRoot>,
    local_scan: Option<LocalScan>,
    remote_scan: Option<RemoteScan>,
}

impl Run<'_> {
    fn all<'b>(&self, client: &mut FileClient, on_item: &'b mut OnSyncItem<'b>) -> Result<SyncReport, SyncError> {
        let options = self.options;
        let files = self.state_files(client)?;
        if !options.allow_delete && files.is_of_another_root()? {
            return Err(SyncError::SafetyCheck(SafetyCheck::OtherRoot));
        }
        let (mut saved_state, entries) = SavedState::open(files, options.dry_run)?;
        let scanned = self.look(client)?;
        let scanned = self.with_both_roots(client, scanned, entries.is_empty())?;
        let (local_scan, remote_scan) =
            (scanned.local_scan.unwrap_or_default(), scanned.remote_scan.unwrap_or_default());
        let mut problems = local_scan.problems;
        problems.extend(remote_scan.problems);
        let mut input = SyncInput { local: local_scan.items, remote: remote_scan.items, saved: entries };
        let hash_requests = compare::hash_requests(&input);
        compare::answer(client, scanned.local.as_ref(), self.remote, &mut input, &hash_requests)?;
        let stamp = options.now();
        let plan_options = plan::PlanOptions {
            direction: self.direction,
            delete: options.delete,
            allow_name_collisions: options.allow_name_collisions,
            stamp,
            host: options.host.clone(),
        };
        let plan = plan::plan(&input, problems, &plan_options);
        if !options.allow_delete {
            safety::check(&plan, &input).map_err(SyncError::SafetyCheck)?;
        }
        let mut report = SyncReport { unchanged: unchanged(&plan, &input), ..SyncReport::default() };
        match scanned.local {
            Some(root) if !options.dry_run => {
                let context = execute::ExecutionContext {
                    client: &mut *client,
                    local: &root,
                    remote: self.remote,
                    input: &input,
                    saved_state: &mut saved_state,
                    local_trash: LocalTrash::open(self.local, stamp)?,
                    remote_trash: RemoteTrash::new(stamp),
                    #[cfg(test)]
                    failpoint: options.failpoint.clone(),
                };
                let trashes = execute::execute(context, &plan, &local_scan.leftovers, &mut report, on_item)?;
                self.clean(client, trashes, &mut report)?;
                saved_state.close()?;
            }
            _ => {
                for action in plan.changes() {
                    on_item(&SyncItem { action, outcome: SyncOutcome::Planned });
                }
            }
        }
        report.plan = plan;
        Ok(report)
    }

    fn state_files(&self, client: &FileClient) -> Result<StateFiles, SyncError> {
        let directory = self.options.state_path().ok_or(SyncError::NoStateDirectory)?;
        let local = absolute(self.local).map_err(|error| ClientError::local(self.local, error))?;
        Ok(StateFiles::new(directory, &local, self.remote, client.welcome().root))
    }

    /// Scans both sides at once: one thread reads the disk, the other waits for the server.
    fn look(&self, client: &mut FileClient) -> Result<ScannedSides, SyncError> {
        client.observer().enter(Phase::Counting, None, None);
        let local = match LocalRoot::open(self.local) {
            Ok(root) => Some(root),
            Err(ClientError::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let path = self.remote.as_str().trim_end_matches('/');
        let prefix = (path.len(), self.remote.names().count());
        let rules = local_scan::NameRules { names: client.welcome().names, prefix };
        let stop = AtomicBool::new(false);
        let root = local.as_ref().map(|root| (root.fd(), root.shown()));
        let (local_scan, remote_scan) = thread::scope(|scope| {
            let (sender, receiver) = channel();
            let (options, stop) = (self.options, &stop);
            scope.spawn(move || {
                let local_scan = root.map(|(fd, shown)| local_scan::scan(fd, shown, options, rules, stop)).transpose();
                // The receiver is gone if the other side failed.
                let _ = sender.send(local_scan);
            });
            let mut remote_scan = client.scan_remote(self.remote, self.options);
            let local_scan = loop {
                if remote_scan.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                match receiver.recv_timeout(KEPT_EVERY) {
                    Ok(local_scan) => break local_scan,
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = client.keep_alive()
                            && remote_scan.is_ok()
                        {
                            remote_scan = Err(error);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break Err(ClientError::Cancelled),
                }
            };
            (local_scan, remote_scan)
        });
        Ok(ScannedSides { local, remote_scan: remote_scan?, local_scan: local_scan? })
    }

    /// Stops the run if a root is missing that existed before; makes one that never existed, unless it is the source.
    fn with_both_roots(
        &self,
        client: &mut FileClient,
        mut scanned: ScannedSides,
        is_first: bool,
    ) -> Result<ScannedSides, SyncError> {
        let may_make = is_first || self.options.allow_delete;
        if scanned.local.is_none() {
            if !may_make {
                return Err(SyncError::SafetyCheck(SafetyCheck::Vanished { side: Side::Local }));
            }
            if self.direction == Direction::Upload || scanned.remote_scan.is_none() {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(ClientError::local(self.local, missing).into());
            }
            if !self.options.dry_run {
                fs::create_dir(self.local).map_err(|error| ClientError::local(self.local, error))?;
                scanned.local = Some(LocalRoot::open(self.local)?);
            }
        }
        if scanned.remote_scan.is_none() {
            if !may_make {
                return Err(SyncError::SafetyCheck(SafetyCheck::Vanished { side: Side::Remote }));
            }
            if self.direction == Direction::Download {
                return Err(crate::client::refused("list", self.remote, remofile_proto::Code::NotFound).into());
            }
            if !self.options.dry_run {
                client.mkdir(self.remote)?;
            }
        }
        Ok(scanned)
    }

    /// Removes expired files from the trash of both sides.
    fn clean(
        &self,
        client: &mut FileClient,
        (mut local, mut remote): (LocalTrash, RemoteTrash),
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        let now = self.options.now().time();
        let here = local.clean(self.options.kept_for, now);
        let there =
            if client.welcome().ro { Ok(Cleaned::default()) } else { remote.clean(client, self.options.kept_for, now) };
        for error in [here, there].into_iter().filter_map(Result::err) {
            if !crate::client::concerns_one_item(&error) {
                return Err(error.into());
            }
            report.fail(super::trash::TRASH, error);
        }
        Ok(())
    }
}

/// How many entries of both sides are left unchanged.
fn unchanged(plan: &Plan, input: &SyncInput) -> u64 {
    let both = input
        .path_states()
        .filter(|state| state.local.is_some() && state.remote.is_some() && state.blocked().is_none());
    let is_on_both = |path: &str| input.has(Side::Local, path) && input.has(Side::Remote, path);
    let changed =
        plan.changes().filter(|action| !matches!(action.change, Change::KeepBoth { .. }) && is_on_both(&action.path));
    (both.count() as u64).saturating_sub(changed.count() as u64)
}

/// The directory of the saved state, if it is below the local root. It concerns this machine only, changes in every
/// run, and would replace another machine's of the same name there.
fn state_below(root: &LocalPath, options: &SyncOptions) -> Option<String> {
    let (root, state) = (absolute(root).ok()?, absolute(&options.state_path()?).ok()?);
    let below = state.strip_prefix(root).ok()?.to_str()?;
    (!below.is_empty()).then(|| below.to_owned())
}

/// The canonical path of a root. It is the same whether or not the root, its parents or the target of a link exist.
fn absolute(root: &LocalPath) -> io::Result<PathBuf> {
    resolved(&std::path::absolute(root)?, LINKS_MAX)
}

fn resolved(path: &LocalPath, links: u32) -> io::Result<PathBuf> {
    let error = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        result => return result,
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(error) };
    match fs::read_link(path) {
        Ok(target) if links > 0 => resolved(&parent.join(target), links - 1),
        _ => Ok(resolved(parent, links)?.join(name)),
    }
}
