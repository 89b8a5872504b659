//! Uploads of files and directories: small files are kept in flight, large ones go one by one.

use super::{
    TreeTransferred,
    local::{LocalDirectory, LocalEntry, count_source},
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
    transfer_stats::TransferStats,
};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, Phase, Planned, Precondition, RemotePath, TransferItem,
    TransferOptions, TransferStatus, Transferred,
    local_file::LocalFile,
    payload::Payload,
    transfer_options::ItemCallback,
    upload::{ReplaceRule, UploadDecision},
};
use crate::fs::stat::FileId;
use remofile_proto::{Entry, UploadId};
use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    path::{Path as LocalPath, PathBuf},
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
        &self,
        local: &LocalPath,
        target: &RemotePath,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        let options = TransferOptions::new().recursive(true).replace(overwrite.into());
        let sources = [(local.to_owned(), target.clone())];
        self.upload_walk(&sources, &options, &mut |_| {}, |walk| {
            let top = LocalDirectory::open(local)?;
            walk.top(&top, target)
        })
    }

    /// Uploads each source under exactly the name beside it, directories with all they hold where the options say
    /// [`TransferOptions::recursive`]. What is small is kept in flight, across sources too. A source that is a symbolic
    /// link is followed. An item that fails does not stop the others; `on_item` is called for each as soon as
    /// its outcome is known. At the end everything is durable.
    ///
    /// What was broken off is continued by the same call.
    ///
    /// # Errors
    /// What concerns all items: the server or the session is gone, or the call was cancelled. All else is in
    /// [`TreeTransferred::failures`].
    pub fn upload_items(
        &self,
        sources: &[(PathBuf, RemotePath)],
        options: &TransferOptions,
        on_item: &mut dyn FnMut(&TransferItem<'_>),
    ) -> Result<TreeTransferred, ClientError> {
        self.upload_walk(sources, options, on_item, |walk| {
            for (local, target) in sources {
                if let Err(error) = walk.source(local, target) {
                    walk.stats.fail(local, target.as_str(), local.to_string_lossy(), error)?;
                }
                walk.report_progress();
            }
            Ok(())
        })
    }

    fn upload_walk<'a>(
        &self,
        sources: &[(PathBuf, RemotePath)],
        options: &TransferOptions,
        on_item: &'a mut ItemCallback<'a>,
        walk_all: impl Fn(&mut TreeUpload<'_>) -> Result<(), ClientError>,
    ) -> Result<TreeTransferred, ClientError> {
        let upload = |client: &mut Self| {
            if options.counts_first.unwrap_or(client.observer().is_watched()) {
                client.observer().enter(Phase::Counting, None, None);
                let (mut files, mut bytes) = (0, 0u64);
                for (local, _) in sources {
                    let counted = count_source(client, local, options)?;
                    (files, bytes) = (files + counted.0, bytes.saturating_add(counted.1));
                }
                client.observer().enter_tree(files, bytes);
            } else {
                client.observer().enter_tree(0, 0);
            }
            let (mut done, has_changed) = client.walk_once(options, on_item, &walk_all)?;
            if !options.dry_run && has_changed {
                client.flush_or_repeat(None, |client| {
                    client.observer().enter_tree(0, 0);
                    let (second, _) = client.walk_once(options, &mut |_| {}, &walk_all)?;
                    done.add_second_pass(second);
                    Ok(())
                })?;
            }
            Ok(done)
        };
        self.observed(|client| client.rate_limited(options.bytes_per_second, upload))
    }

    /// What became of all items, and whether anything was changed for them.
    fn walk_once<'a>(
        &'a mut self,
        options: &'a TransferOptions,
        on_item: &'a mut ItemCallback<'a>,
        walk_all: impl Fn(&mut TreeUpload<'_>) -> Result<(), ClientError>,
    ) -> Result<(TreeTransferred, bool), ClientError> {
        let staged = if options.dry_run { self.staged()? } else { HashMap::new() };
        let (pipeline, stats) = (Pipeline::new(), TransferStats::new(on_item));
        let mut walk =
            TreeUpload { client: self, options, pipeline, stats, staged, above: Vec::new(), has_made: false };
        walk_all(&mut walk)?;
        walk.drain()?;
        let has_changed = walk.has_made || walk.stats.done.files > 0;
        Ok((walk.stats.done, has_changed))
    }

    /// What is staged, and how many bytes of it.
    fn staged(&mut self) -> Result<HashMap<UploadId, u64>, ClientError> {
        Ok(self.uploads()?.into_iter().map(|staged| (staged.up, staged.off)).collect())
    }
}

struct TreeUpload<'a> {
    client: &'a mut FileClient,
    options: &'a TransferOptions,
    pipeline: Pipeline<UploadItem>,
    stats: TransferStats<'a>,
    /// In a dry run, what an earlier upload has left on the server.
    staged: HashMap<UploadId, u64>,
    /// The directories from the source down to the one that is walked.
    above: Vec<FileId>,
    /// A directory was made.
    has_made: bool,
}

/// A small file on its way.
#[derive(Debug)]
struct UploadItem {
    source: LocalFile,
    target: RemotePath,
    step: UploadStep,
    /// On which condition it is put.
    pre: Precondition,
    /// What is there already, where that was looked at.
    found: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UploadStep {
    Stat,
    Hash,
    Put,
    /// The session was lost while a put was unanswered: the content at the path decides.
    Settle,
}

impl TreeUpload<'_> {
    fn source(&mut self, local: &LocalPath, target: &RemotePath) -> Result<(), ClientError> {
        let found = local.metadata().map_err(|error| ClientError::local(local, error))?;
        if found.is_dir() && self.options.recursive {
            return self.top(&LocalDirectory::open(local)?, target);
        }
        self.file(LocalFile::open(local)?, target.clone(), false)
    }

    fn top(&mut self, top: &LocalDirectory, target: &RemotePath) -> Result<(), ClientError> {
        self.drain()?;
        let is_new = self.make_directory(&top.shown, target)?;
        self.directory(top, target, is_new)
    }

    fn directory(&mut self, directory: &LocalDirectory, target: &RemotePath, is_new: bool) -> Result<(), ClientError> {
        self.stats.done.directories += 1;
        let names = match directory.sorted_names() {
            Ok(names) => names,
            Err(error) => {
                let error = ClientError::local(&directory.shown, error);
                return self.stats.fail(&directory.shown, target.as_str(), target.as_str(), error);
            }
        };
        self.above.push(directory.identity());
        for name in names {
            if let Err(error) = self.entry(directory, &name, target, is_new) {
                let shown = directory.shown.join(&name);
                self.stats.fail(&shown, &shown_below(target, &name), shown.to_string_lossy(), error)?;
            }
            self.report_progress();
        }
        self.above.pop();
        Ok(())
    }

    fn entry(
        &mut self,
        directory: &LocalDirectory,
        name: &OsStr,
        parent: &RemotePath,
        is_new: bool,
    ) -> Result<(), ClientError> {
        self.client.keep_alive()?;
        let shown = directory.shown.join(name);
        let failed = |error: io::Error| ClientError::local(&shown, error);
        let found = directory.look(name, self.options).map_err(|errno| failed(errno.into()))?;
        if let LocalEntry::Skipped(reason) = found {
            self.stats.skip(&shown, &shown_below(parent, name), reason);
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
        if let LocalEntry::Directory = found {
            let below = directory.enter(name, self.options).map_err(|errno| failed(errno.into()))?;
            if self.above.contains(&below.identity()) {
                return Err(failed(io::Error::other("is a link to a directory that it lies in")));
            }
            self.drain()?;
            let is_new = self.make_directory(&below.shown, &target)?;
            return self.directory(&below, &target, is_new);
        }
        let source = LocalFile::open_at(&directory.fd, name, &shown, self.options.follow_links)?;
        self.file(source, target, is_new)
    }

    /// `is_new` where nothing can be there, since the directory was made just now.
    fn file(&mut self, source: LocalFile, target: RemotePath, is_new: bool) -> Result<(), ClientError> {
        let replaced = ReplaceRule::by(self.options.replace);
        if source.size() > self.client.chunk() as u64 && !self.options.dry_run {
            self.drain()?;
            let done = self.client.upload_source(&source, &target, replaced)?;
            self.stats.record(source.path(), target.as_str(), done);
            return Ok(());
        }
        let step = if is_new { UploadStep::Put } else { UploadStep::Stat };
        self.submit(UploadItem { source, target, step, pre: Precondition::Absent, found: None })
    }

    /// Whether the directory was made just now; fails where something else is there.
    fn make_directory(&mut self, local: &LocalPath, target: &RemotePath) -> Result<bool, ClientError> {
        if self.options.dry_run {
            return match self.client.stat(target) {
                Ok(entry) if entry.kind == Kind::Dir => Ok(false),
                Ok(_) => Err(crate::client::refused("mkdir", target, Code::Exists)),
                Err(error) if matches!(error.code(), Some(Code::NotFound)) => {
                    self.stats.plan(local, target.as_str(), Planned::Directory);
                    Ok(true)
                }
                Err(error) => Err(error),
            };
        }
        match self.client.mkdir(target) {
            Ok(_) => {
                self.has_made = true;
                Ok(true)
            }
            Err(error) if error.is_exists() => match self.client.stat(target)?.kind {
                Kind::Dir => Ok(false),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn plan(&mut self, job: &UploadItem) {
        let bytes = job.source.size();
        let up = job.source.upload_id(self.client.welcome().root, &job.target);
        let planned = match (self.staged.get(&up), &job.found) {
            (Some(&done), _) if done > 0 && done <= bytes => Planned::Resume { bytes, done },
            (_, Some(_)) => Planned::Replace { bytes },
            (_, None) => Planned::New { bytes },
        };
        self.stats.plan(job.source.path(), job.target.as_str(), planned);
    }

    fn record(&mut self, job: &UploadItem, status: TransferStatus, transferred: u64) {
        let bytes = job.source.size();
        match status {
            TransferStatus::Unchanged if self.options.dry_run => {
                self.stats.plan(job.source.path(), job.target.as_str(), Planned::Unchanged { bytes });
            }
            _ => {
                let done = Transferred { status, bytes, transferred };
                self.stats.record(job.source.path(), job.target.as_str(), done);
            }
        }
    }

    fn fail(&mut self, job: &UploadItem, error: ClientError) -> Result<(), ClientError> {
        let local = job.source.path();
        self.stats.fail(local, job.target.as_str(), local.to_string_lossy(), error)
    }

    /// Puts what differs from what is there, if that may be replaced.
    fn replace(&mut self, mut job: UploadItem, found: Entry) -> Result<(), ClientError> {
        match ReplaceRule::by(self.options.replace).against(&found, &job.source, &job.target) {
            Ok(UploadDecision::Keep(status)) => {
                self.record(&job, status, 0);
                Ok(())
            }
            Ok(UploadDecision::Send(_)) if found.kind == Kind::Dir => {
                let error = crate::client::refused("upload", &job.target, Code::NotFile);
                self.fail(&job, error)
            }
            Ok(UploadDecision::Send(pre)) => {
                (job.pre, job.found, job.step) = (pre, Some(found), UploadStep::Put);
                self.send(job)
            }
            Err(error) => self.fail(&job, error),
        }
    }
}

impl PipelineDriver for TreeUpload<'_> {
    type Item = UploadItem;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<UploadItem>) {
        (self.client, &mut self.pipeline)
    }

    fn weight(&self, job: &UploadItem) -> u64 {
        if self.options.dry_run { 0 } else { job.source.size() }
    }

    fn request(&mut self, job: &UploadItem) -> Result<Option<Request>, ClientError> {
        let path = job.target.clone();
        let (operation, payload) = match job.step {
            UploadStep::Stat => (Operation::Stat { path }, Payload::None),
            UploadStep::Hash | UploadStep::Settle => (Operation::Hash { path, off: 0, len: None }, Payload::None),
            UploadStep::Put if self.options.dry_run => {
                self.plan(job);
                return Ok(None);
            }
            UploadStep::Put => {
                let len = usize::try_from(job.source.size()).unwrap_or(usize::MAX);
                let content = job.source.read(0, len).and_then(|content| {
                    job.source.check_unchanged()?;
                    Ok(content)
                });
                let content = match content {
                    Ok(content) => content,
                    Err(error) => {
                        self.fail(job, error)?;
                        return Ok(None);
                    }
                };
                let mtime_ns = Some(job.source.mtime_ns());
                (Operation::Put { path, pre: job.pre.clone(), mtime_ns }, Payload::from_bytes(content))
            }
        };
        let content = payload.len() as u64;
        Ok(Some(Request { operation, payload, content }))
    }

    fn on_reply(&mut self, mut job: UploadItem, answer: ReplyResult) -> Result<(), ClientError> {
        let size = job.source.size();
        let refusal = match (job.step, answer) {
            (UploadStep::Stat, Ok((Answer::Entry(entry), _))) => {
                if entry.kind == Kind::File && entry.size == Some(size) {
                    (job.found, job.step) = (Some(entry), UploadStep::Hash);
                    return self.send(job);
                }
                return self.replace(job, entry);
            }
            (UploadStep::Hash | UploadStep::Settle, Ok((Answer::Hash(theirs), _))) => {
                let ours = match self.client.hash_whole(&job.source, &job.target) {
                    Ok(ours) => ours,
                    Err(error) => return self.fail(&job, error),
                };
                match (theirs.hash == ours, job.step, job.found.take()) {
                    (true, UploadStep::Settle, _) => {
                        self.client.note_change();
                        self.record(&job, TransferStatus::New, size);
                    }
                    (true, ..) => self.record(&job, TransferStatus::Unchanged, 0),
                    (false, UploadStep::Hash, Some(found)) => return self.replace(job, found),
                    (false, ..) => {
                        job.step = UploadStep::Put;
                        return self.send(job);
                    }
                }
                return Ok(());
            }
            (UploadStep::Put, Ok((Answer::Entry(_), _))) => {
                self.record(&job, TransferStatus::New, size);
                return Ok(());
            }
            (_, Ok((other, _))) => return Err(crate::client::unexpected("upload", &other)),
            (_, Err(refusal)) => refusal,
        };
        // There, and nothing that has a hash.
        if job.step == UploadStep::Hash
            && refusal.code != Code::NotFound
            && let Some(found) = job.found.take()
        {
            return self.replace(job, found);
        }
        match (job.step, refusal.code) {
            // Not there, or not to be seen: the target rules decide.
            (UploadStep::Stat | UploadStep::Hash | UploadStep::Settle, code)
                if !self.options.dry_run || code == Code::NotFound =>
            {
                (job.found, job.step) = (None, UploadStep::Put);
                self.send(job)
            }
            // Another program put it there meanwhile, or an earlier session of this call.
            (UploadStep::Put, Code::Exists) if job.found.is_none() => {
                job.step = UploadStep::Stat;
                self.send(job)
            }
            _ => {
                let path = job.target.to_string();
                let error = ClientError::Refused { operation: "upload", path, refusal };
                self.fail(&job, error)
            }
        }
    }

    fn recover(mut job: UploadItem) -> UploadItem {
        if job.step == UploadStep::Put {
            job.step = UploadStep::Settle;
        }
        job
    }

    fn report_progress(&mut self) {
        self.client.observer().count(&self.stats.done);
    }
}

/// What messages call a name in a remote directory that may be none there.
fn shown_below(directory: &RemotePath, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    directory.join(&name).map_or_else(|_| name.into_owned(), |path| path.to_string())
}
