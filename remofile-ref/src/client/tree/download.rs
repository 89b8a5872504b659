//! Downloads of directories: a page of the listing at a time, small files in flight, nothing through a local link.

use super::{
    TreeTransferred,
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
    remote_scan::{Counted, STATS, is_below, leaves_out},
    transfer_stats::TransferStats,
};
use crate::client::{
    Answer, ClientError, Code, Entry, FileClient, Kind, Operation, Phase, Planned, RemotePath, Replace, SkipReason,
    TransferItem, TransferOptions, TransferStatus, Transferred,
    download::{stays, version_of},
    partial_file::{DownloadTarget, Version},
    payload::Payload,
    transfer_options::ItemCallback,
};
use crate::fs::calls;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
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
        &self,
        remote: &RemotePath,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        let options = TransferOptions::new().recursive(true).replace(overwrite.into());
        let sources = [(remote.clone(), local.to_owned())];
        self.download_walk(&sources, &options, &mut |_| {}, |walk| {
            if walk.client.stat(remote)?.kind != Kind::Dir {
                return Err(crate::client::refused("download", remote, Code::NotDir));
            }
            walk.tree(remote, local)
        })
    }

    /// Downloads each source under exactly the local name beside it, directories with all they hold where the options
    /// say [`TransferOptions::recursive`]. What is small is kept in flight. An item that fails does not stop the others;
    /// `on_item` is called for each as soon as its outcome is known. What was transferred is durable at the end;
    /// a power cut before may leave a small file empty or short.
    ///
    /// What was broken off is continued by the same call. Links on the server are never followed.
    ///
    /// # Errors
    /// What concerns all items: the server or the session is gone, the server broke the protocol, or the call was
    /// cancelled. All else is in [`TreeTransferred::failures`].
    pub fn download_items(
        &self,
        sources: &[(RemotePath, PathBuf)],
        options: &TransferOptions,
        on_item: &mut dyn FnMut(&TransferItem<'_>),
    ) -> Result<TreeTransferred, ClientError> {
        self.download_walk(sources, options, on_item, |walk| {
            for some in sources.chunks(STATS) {
                // What is looked at is looked at with nothing else under way.
                walk.drain()?;
                let remotes: Vec<_> = some.iter().map(|(remote, _)| remote).collect();
                for (found, (remote, local)) in walk.client.stat_each(&remotes)?.into_iter().zip(some) {
                    if let Err(error) = found.and_then(|entry| walk.source(remote, local, entry)) {
                        walk.stats.fail(local, remote.as_str(), remote.as_str(), error)?;
                    }
                    walk.report_progress();
                }
            }
            Ok(())
        })
    }

    fn download_walk<'a>(
        &self,
        sources: &[(RemotePath, PathBuf)],
        options: &TransferOptions,
        on_item: &'a mut ItemCallback<'a>,
        walk_all: impl FnOnce(&mut TreeDownload<'_>) -> Result<(), ClientError>,
    ) -> Result<TreeTransferred, ClientError> {
        let download = |client: &mut Self| {
            let counted = if options.counts_first.unwrap_or(client.observer().is_watched()) {
                client.count_remote(sources, options)?
            } else {
                client.observer().enter_tree(0, 0);
                Counted::default()
            };
            let (pipeline, stats) = (Pipeline::new(), TransferStats::new(on_item));
            let is_alone = sources.len() == 1;
            let (tree, blocked, written) = (None, None, HashMap::new());
            let mut walk = TreeDownload { client, options, is_alone, counted, pipeline, stats, tree, blocked, written };
            walk_all(&mut walk)?;
            walk.drain()?;
            walk.flush()?;
            Ok(walk.stats.done)
        };
        self.observed(|client| client.rate_limited(options.bytes_per_second, download))
    }
}

struct TreeDownload<'a> {
    client: &'a mut FileClient,
    options: &'a TransferOptions,
    /// There is one source.
    is_alone: bool,
    counted: Counted,
    pipeline: Pipeline<DownloadItem>,
    stats: TransferStats<'a>,
    /// The tree that is walked, where one is.
    tree: Option<OpenTree>,
    /// A directory that could not be made: nothing below it is asked for.
    blocked: Option<String>,
    /// A directory on each file system where something was made that may not be durable yet.
    written: HashMap<u64, Arc<OwnedFd>>,
}

/// Where a tree goes: the open directories from its top down to the last one that was listed. In a dry run there may be
/// none.
struct OpenTree {
    top: Option<Arc<OwnedFd>>,
    open: Vec<(String, Option<Arc<OwnedFd>>)>,
}

/// A small file on its way.
#[derive(Debug)]
struct DownloadItem {
    /// What failures call it.
    name: String,
    /// Where it goes on this machine, as messages have it.
    shown: PathBuf,
    /// None in a dry run, where its directory is not there.
    target: Option<DownloadTarget>,
    version: Version,
    entry: Entry,
    step: DownloadStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DownloadStep {
    Hash,
    Read,
}

impl TreeDownload<'_> {
    fn source(&mut self, remote: &RemotePath, local: &LocalPath, entry: Entry) -> Result<(), ClientError> {
        match entry.kind {
            Kind::File => {
                let target = DownloadTarget::of(local)?;
                self.file(remote.as_str(), remote.clone(), entry, local.to_owned(), Some(target))
            }
            Kind::Dir if self.options.recursive => self.tree(remote, local),
            Kind::Dir => Err(crate::client::refused("download", remote, Code::NotFile)),
            Kind::Link | Kind::Other => Err(crate::client::refused("download", remote, Code::UnsupportedKind)),
        }
    }

    fn tree(&mut self, remote: &RemotePath, local: &LocalPath) -> Result<(), ClientError> {
        self.drain()?;
        let top = self.open_top(remote, local)?;
        self.tree = Some(OpenTree { top: top.clone(), open: Vec::new() });
        self.blocked = None;
        self.stats.done.directories += 1;
        if let Some(top) = top {
            self.note_written(top)?;
        }
        let mut excluded = None;
        let mut pages = self.counted.listing_of(remote);
        while let Some(page) = pages.next(self.client)? {
            for listed in page {
                let shown = local.join(&listed.name);
                match leaves_out(self.options, &mut excluded, &listed.name, listed.entry.kind) {
                    None => {
                        if let Err(error) = self.entry(remote, &listed.name, &shown, listed.entry) {
                            self.stats.fail(&shown, &shown_below(remote, &listed.name), listed.name.as_str(), error)?;
                        }
                    }
                    Some(true) => self.stats.skip(&shown, &shown_below(remote, &listed.name), SkipReason::Excluded),
                    // With its directory.
                    Some(false) => {}
                }
                self.report_progress();
            }
            // The next page is asked for with nothing else under way.
            self.drain()?;
        }
        self.stats.done.skipped += pages.skipped();
        self.tree = None;
        Ok(())
    }

    fn open_top(&mut self, remote: &RemotePath, local: &LocalPath) -> Result<Option<Arc<OwnedFd>>, ClientError> {
        let failed = |errno: Errno| ClientError::local(local, errno.into());
        if !self.options.dry_run {
            match calls::mkdirat(CWD, local, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match calls::openat(CWD, local, flags, Mode::empty()) {
            Ok(top) => Ok(Some(Arc::new(top))),
            Err(Errno::NOENT) if self.options.dry_run => {
                self.stats.plan(local, remote.as_str(), Planned::Directory);
                Ok(None)
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    fn note_written(&mut self, directory: Arc<OwnedFd>) -> Result<(), ClientError> {
        let found = calls::fstat(&*directory).map_err(|errno| ClientError::local("", errno.into()))?;
        self.written.entry(found.st_dev).or_insert(directory);
        Ok(())
    }

    /// Makes what was written durable: file by file is slower than all at once.
    fn flush(&mut self) -> Result<(), ClientError> {
        if self.options.dry_run || self.written.is_empty() {
            return Ok(());
        }
        self.client.observer().enter(Phase::Flushing, None, None);
        self.written
            .values()
            .try_for_each(|directory| calls::syncfs(&**directory))
            .map_err(|errno| ClientError::local("", errno.into()))
    }

    fn entry(&mut self, remote: &RemotePath, name: &str, shown: &LocalPath, entry: Entry) -> Result<(), ClientError> {
        if self.blocked.as_deref().is_some_and(|directory| is_below(name, directory)) {
            let why = io::Error::new(io::ErrorKind::NotADirectory, "its directory could not be made");
            return Err(ClientError::local(shown, why));
        }
        let path = remote.join(name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
        match entry.kind {
            Kind::Link => {
                self.stats.skip(shown, path.as_str(), SkipReason::Link);
                Ok(())
            }
            Kind::Other => {
                self.stats.skip(shown, path.as_str(), SkipReason::Special);
                Ok(())
            }
            Kind::Dir => match self.make_directory(name, shown, &path) {
                Ok(()) => {
                    self.stats.done.directories += 1;
                    Ok(())
                }
                Err(error) => {
                    self.blocked = Some(name.to_owned());
                    Err(error)
                }
            },
            Kind::File => {
                let (directory, last) = self.directory_of(name)?;
                let target = directory.map(|directory| DownloadTarget::within(directory, last, shown.to_owned()));
                self.file(name, path, entry, shown.to_owned(), target)
            }
        }
    }

    fn file(
        &mut self,
        name: &str,
        path: RemotePath,
        entry: Entry,
        shown: PathBuf,
        target: Option<DownloadTarget>,
    ) -> Result<(), ClientError> {
        let version = version_of(self.client, &path, &entry)?;
        // One file is made durable by itself, and not with all that others have written.
        let goes_alone = version.size > self.client.chunk() as u64 || (self.is_alone && self.tree.is_none());
        if goes_alone
            && !self.options.dry_run
            && let Some(target) = &target
        {
            self.drain()?;
            let done = self.client.download_into(&path, entry, target, self.options.replace)?;
            self.stats.record(&shown, path.as_str(), done);
            return Ok(());
        }
        let step = match target.as_ref().map(DownloadTarget::look).transpose()?.flatten() {
            None => DownloadStep::Read,
            Some((FileType::RegularFile, size)) if size == version.size => DownloadStep::Hash,
            Some((kind, _)) => match &target {
                Some(target) if stays(target, kind, &entry, self.options.replace)? => {
                    self.stats.skip(&shown, path.as_str(), SkipReason::Newer);
                    return Ok(());
                }
                _ => DownloadStep::Read,
            },
        };
        self.submit(DownloadItem { name: name.to_owned(), shown, target, version, entry, step })
    }

    /// Makes a directory, or enters the one that is there; a symbolic link is none.
    fn make_directory(&mut self, name: &str, shown: &LocalPath, path: &RemotePath) -> Result<(), ClientError> {
        let failed = |errno: Errno| ClientError::local(shown, errno.into());
        let (parent, last) = self.directory_of(name)?;
        let directory = match parent {
            Some(parent) => {
                if !self.options.dry_run {
                    match calls::mkdirat(&parent, last, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(failed(errno)),
                    }
                }
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match calls::openat(&parent, last, flags, Mode::empty()) {
                    Ok(directory) => Some(Arc::new(directory)),
                    Err(Errno::NOENT) if self.options.dry_run => None,
                    Err(errno) => return Err(failed(errno)),
                }
            }
            None => None,
        };
        if directory.is_none() {
            self.stats.plan(shown, path.as_str(), Planned::Directory);
        }
        if let Some(tree) = &mut self.tree {
            tree.open.push((name.to_owned(), directory));
        }
        Ok(())
    }

    /// The open directory that a listed name is in, and the last part of the name. A directory is listed before what
    /// it holds [LIST-2].
    fn directory_of<'n>(&mut self, name: &'n str) -> Result<(Option<Arc<OwnedFd>>, &'n str), ClientError> {
        let without = || ClientError::Protocol { reason: "a listing of a tree without a directory in it".to_owned() };
        let tree = self.tree.as_mut().ok_or_else(without)?;
        let Some((parent, last)) = name.rsplit_once('/') else {
            tree.open.clear();
            return Ok((tree.top.clone(), name));
        };
        while let Some((open, directory)) = tree.open.last() {
            if open == parent {
                return Ok((directory.clone(), last));
            }
            tree.open.pop();
        }
        Err(without())
    }

    fn record(&mut self, job: &DownloadItem, status: TransferStatus, transferred: u64) {
        let bytes = job.version.size;
        let remote = job.version.path.as_str();
        match status {
            TransferStatus::Unchanged if self.options.dry_run => {
                self.stats.plan(&job.shown, remote, Planned::Unchanged { bytes });
            }
            _ => self.stats.record(&job.shown, remote, Transferred { status, bytes, transferred }),
        }
    }

    fn plan(&mut self, job: &DownloadItem) -> Result<(), ClientError> {
        let bytes = job.version.size;
        let there = job.target.as_ref().map(DownloadTarget::look).transpose()?.flatten();
        let left = job.target.as_ref().map_or(0, |target| target.left_of(&job.version));
        let planned = match there {
            _ if left > 0 => Planned::Resume { bytes, done: left },
            Some(_) => Planned::Replace { bytes },
            None => Planned::New { bytes },
        };
        self.stats.plan(&job.shown, job.version.path.as_str(), planned);
        Ok(())
    }

    /// Compares a local file of the same size: whether it has the same content, or stays being newer; fails where it is
    /// neither and must stay.
    fn compare(
        &mut self,
        job: &DownloadItem,
        theirs: &remofile_proto::Digest,
    ) -> Result<Option<TransferStatus>, ClientError> {
        let Some(target) = &job.target else { return Ok(None) };
        if self.client.hash_whole(&target.source()?, &job.version.path)? == *theirs {
            return Ok(Some(TransferStatus::Unchanged));
        }
        let stays = stays(target, FileType::RegularFile, &job.entry, self.options.replace)?;
        Ok(stays.then_some(TransferStatus::Newer))
    }

    fn write(&mut self, job: &DownloadItem, bytes: &[u8]) -> Result<(), ClientError> {
        let Some(target) = &job.target else { return Ok(()) };
        let replaces = self.options.replace != Replace::Never;
        target.write_whole(&job.version, bytes, job.entry.mtime_ns, replaces)?;
        if self.tree.is_none() {
            self.note_written(target.directory())?;
        }
        Ok(())
    }
}

impl PipelineDriver for TreeDownload<'_> {
    type Item = DownloadItem;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<DownloadItem>) {
        (self.client, &mut self.pipeline)
    }

    fn weight(&self, job: &DownloadItem) -> u64 {
        if self.options.dry_run { 0 } else { job.version.size }
    }

    fn request(&mut self, job: &DownloadItem) -> Result<Option<Request>, ClientError> {
        let Version { path, etag, size, .. } = job.version.clone();
        let (operation, content) = match job.step {
            DownloadStep::Hash => (Operation::Hash { path, off: 0, len: None }, 0),
            DownloadStep::Read if self.options.dry_run => {
                self.plan(job)?;
                return Ok(None);
            }
            DownloadStep::Read => (Operation::Read { path, off: 0, len: size, etag: Some(etag) }, size),
        };
        Ok(Some(Request { operation, payload: Payload::None, content }))
    }

    fn on_reply(&mut self, mut job: DownloadItem, answer: ReplyResult) -> Result<(), ClientError> {
        let size = job.version.size;
        let failed = match (job.step, answer) {
            (DownloadStep::Hash, Ok((Answer::Hash(theirs), _))) => match self.compare(&job, &theirs.hash) {
                Ok(Some(status)) => {
                    self.record(&job, status, 0);
                    return Ok(());
                }
                Ok(None) => {
                    job.step = DownloadStep::Read;
                    return self.send(job);
                }
                Err(error) => error,
            },
            (DownloadStep::Read, Ok((Answer::Read(_), Some(bytes)))) if bytes.len() as u64 == size => {
                match self.write(&job, &bytes) {
                    Ok(()) => {
                        self.record(&job, TransferStatus::New, size);
                        return Ok(());
                    }
                    Err(error) => error,
                }
            }
            (DownloadStep::Read, Ok((Answer::Read(_), _))) => {
                return Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() });
            }
            (_, Ok((other, _))) => return Err(crate::client::unexpected("download", &other)),
            (_, Err(refusal)) if refusal.code == Code::Changed => {
                ClientError::SourceChanged { path: job.version.path.to_string() }
            }
            (_, Err(refusal)) => {
                ClientError::Refused { operation: "download", path: job.version.path.to_string(), refusal }
            }
        };
        self.stats.fail(&job.shown, job.version.path.as_str(), job.name, failed)
    }

    /// Reading changes nothing.
    fn recover(job: DownloadItem) -> DownloadItem {
        job
    }

    fn report_progress(&mut self) {
        self.client.observer().count(&self.stats.done);
    }
}

/// What messages call a name that the server gave, which may be none.
fn shown_below(directory: &RemotePath, name: &str) -> String {
    directory.join(name).map_or_else(|_| name.to_owned(), |path| path.to_string())
}
