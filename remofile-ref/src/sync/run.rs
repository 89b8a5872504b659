//! A run from its beginning to its end: look at both sides, plan, guard, execute.

use super::{
    Change, Guard, Plan, Side, SyncError, SyncItem, SyncOptions, SyncOutcome, SyncReport,
    archive::{Archive, Place},
    compare, execute, guard,
    local::LocalRoot,
    plan,
    scan::{self, Scan},
    sides::Sides,
    survey::Survey,
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

/// What is told of each item.
pub(super) type OnItem<'a> = dyn FnMut(&SyncItem<'_>) + 'a;

/// How often the session is kept while this machine's disk is looked at.
const KEPT_EVERY: Duration = Duration::from_millis(100);

/// How many links a root may be behind, as for the kernel.
const LINKS_MAX: u32 = 40;

/// Which way content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Both,
    Upload,
    Download,
}

impl FileClient {
    /// Synchronises the directory `local` with the directory `remote` in both directions. A root that is not there, and
    /// was never synchronised, is made; its parent has to be there.
    ///
    /// `on_item` is told of each action as soon as it is known what became of it. What is guaranteed, and what is not,
    /// is in the documentation of [`sync`](crate::sync).
    ///
    /// # Errors
    /// [`SyncError`]: a guard stopped the run, or what concerns all items. All else is in the report.
    pub fn synchronize(
        &self,
        local: &LocalPath,
        remote: &RemotePath,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Mode::Both, options, on_item)
    }

    /// Makes `remote` what `local` is (a push): content, and modification times of files. What `local` has not is
    /// removed only by [`SyncOptions::delete`].
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
        run(self, local, remote, Mode::Upload, options, on_item)
    }

    /// Makes `local` what `remote` is (a pull): the mirror image of [`FileClient::synchronize_upload`].
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
        run(self, local, remote, Mode::Download, options, on_item)
    }
}

fn run<'a>(
    client: &FileClient,
    local: &LocalPath,
    remote: &RemotePath,
    mode: Mode,
    options: &SyncOptions,
    on_item: &'a mut OnItem<'a>,
) -> Result<SyncReport, SyncError> {
    let options = &options.clone().without(archives_below(local, options));
    let run = Run { local, remote, mode, options };
    client.observed(|client| client.rate_limited(options.bytes_per_second, |client| run.all(client, on_item)))
}

struct Run<'a> {
    local: &'a LocalPath,
    remote: &'a RemotePath,
    mode: Mode,
    options: &'a SyncOptions,
}

/// Both sides, as far as they are there.
struct Looked {
    local: Option<LocalRoot>,
    scan: Option<Scan>,
    survey: Option<Survey>,
}

impl Run<'_> {
    fn all<'b>(&self, client: &mut FileClient, on_item: &'b mut OnItem<'b>) -> Result<SyncReport, SyncError> {
        let options = self.options;
        let place = self.place(client)?;
        if !options.allow_delete && place.is_of_another_root()? {
            return Err(SyncError::Guard(Guard::OtherRoot));
        }
        let (mut archive, entries) = Archive::open(place, options.dry_run)?;
        let looked = self.look(client)?;
        let looked = self.with_both_roots(client, looked, entries.is_empty())?;
        let (scan, survey) = (looked.scan.unwrap_or_default(), looked.survey.unwrap_or_default());
        let mut problems = scan.problems;
        problems.extend(survey.problems);
        let mut sides = Sides { local: scan.items, remote: survey.items, archive: entries };
        let questions = compare::questions(&sides);
        compare::answer(client, looked.local.as_ref(), self.remote, &mut sides, &questions)?;
        let stamp = options.now();
        let rules = plan::Rules {
            mode: self.mode,
            delete: options.delete,
            allow_twins: options.allow_twins,
            stamp,
            host: options.host.clone(),
        };
        let plan = plan::plan(&sides, problems, &rules);
        if !options.allow_delete {
            guard::check(&plan, &sides).map_err(SyncError::Guard)?;
        }
        let mut report = SyncReport { unchanged: unchanged(&plan, &sides), ..SyncReport::default() };
        match looked.local {
            Some(root) if !options.dry_run => {
                let tools = execute::Tools {
                    client: &mut *client,
                    local: &root,
                    remote: self.remote,
                    sides: &sides,
                    archive: &mut archive,
                    local_trash: LocalTrash::open(self.local, stamp)?,
                    remote_trash: RemoteTrash::new(stamp),
                    #[cfg(test)]
                    fuse: options.fuse.clone(),
                };
                let trashes = execute::execute(tools, &plan, &scan.left_behind, &mut report, on_item)?;
                self.clean(client, trashes, &mut report)?;
                archive.close()?;
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

    fn place(&self, client: &FileClient) -> Result<Place, SyncError> {
        let directory = self.options.archives().ok_or(SyncError::NoArchiveDirectory)?;
        let local = absolute(self.local).map_err(|error| ClientError::local(self.local, error))?;
        Ok(Place::new(directory, &local, self.remote, client.welcome().root))
    }

    /// Looks at both sides at once: one thread waits for the disk, the other one for the server.
    fn look(&self, client: &mut FileClient) -> Result<Looked, SyncError> {
        client.observer().enter(Phase::Counting, None, None);
        let local = match LocalRoot::open(self.local) {
            Ok(root) => Some(root),
            Err(ClientError::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let path = self.remote.as_str().trim_end_matches('/');
        let prefix = (path.len(), self.remote.names().count());
        let rules = scan::Rules { names: client.welcome().names, prefix };
        let stop = AtomicBool::new(false);
        let root = local.as_ref().map(|root| (root.fd(), root.shown()));
        let (scan, survey) = thread::scope(|scope| {
            let (sender, receiver) = channel();
            let (options, stop) = (self.options, &stop);
            scope.spawn(move || {
                let scan = root.map(|(fd, shown)| scan::scan(fd, shown, options, rules, stop)).transpose();
                // Nobody waits for it where the other side failed in a way that it cannot.
                let _ = sender.send(scan);
            });
            let mut survey = client.survey(self.remote, self.options);
            let scan = loop {
                if survey.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                match receiver.recv_timeout(KEPT_EVERY) {
                    Ok(scan) => break scan,
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = client.keep_alive()
                            && survey.is_ok()
                        {
                            survey = Err(error);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break Err(ClientError::Cancelled),
                }
            };
            (scan, survey)
        });
        Ok(Looked { local, survey: survey?, scan: scan? })
    }

    /// A root that is gone stops the run; one that never was there is made, unless it is all that there is to look at.
    fn with_both_roots(
        &self,
        client: &mut FileClient,
        mut looked: Looked,
        is_first: bool,
    ) -> Result<Looked, SyncError> {
        let may_make = is_first || self.options.allow_delete;
        if looked.local.is_none() {
            if !may_make {
                return Err(SyncError::Guard(Guard::Vanished { side: Side::Local }));
            }
            if self.mode == Mode::Upload || looked.survey.is_none() {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(ClientError::local(self.local, missing).into());
            }
            if !self.options.dry_run {
                fs::create_dir(self.local).map_err(|error| ClientError::local(self.local, error))?;
                looked.local = Some(LocalRoot::open(self.local)?);
            }
        }
        if looked.survey.is_none() {
            if !may_make {
                return Err(SyncError::Guard(Guard::Vanished { side: Side::Remote }));
            }
            if self.mode == Mode::Download {
                return Err(crate::client::refused("list", self.remote, remofile_proto::Code::NotFound).into());
            }
            if !self.options.dry_run {
                client.mkdir(self.remote)?;
            }
        }
        Ok(looked)
    }

    /// What has been in the trash of either side for long enough goes.
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

/// How many entries both sides have that are left alone.
fn unchanged(plan: &Plan, sides: &Sides) -> u64 {
    let both = sides.rows().filter(|row| row.local.is_some() && row.remote.is_some() && row.blocked().is_none());
    let is_on_both = |path: &str| sides.has(Side::Local, path) && sides.has(Side::Remote, path);
    let changed =
        plan.changes().filter(|action| !matches!(action.change, Change::KeepBoth { .. }) && is_on_both(&action.path));
    (both.count() as u64).saturating_sub(changed.count() as u64)
}

/// The directory of archives, where it lies below the local root. It tells of this machine alone, changes in every run,
/// and would take the place of another machine's of the same name there.
fn archives_below(root: &LocalPath, options: &SyncOptions) -> Option<String> {
    let (root, archives) = (absolute(root).ok()?, absolute(&options.archives()?).ok()?);
    let below = archives.strip_prefix(root).ok()?.to_str()?;
    (!below.is_empty()).then(|| below.to_owned())
}

/// The path of a root wherever links lead to it: the same when it is there and when it is gone, alone or with what it
/// was in, or behind a link that leads to it still.
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
