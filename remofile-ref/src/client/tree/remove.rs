//! Removing directories: a page of the listing at a time, requests in flight, what fails named and the rest gone.

use super::{
    NAMED_FAILURES,
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, RemotePath, listing::Pages, payload::Payload,
};
use std::{cmp::Reverse, collections::HashSet};

/// What became of a directory that was to be removed with all it holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TreeRemoved {
    /// How many items were removed, the top one included.
    pub removed: u64,
    /// How many were refused; directories that are left only for what is left in them do not count.
    pub failed: u64,
    /// The first hundred of those, by path and reason.
    pub failures: Vec<(RemotePath, ClientError)>,
}

impl FileClient {
    /// Removes a directory with all it holds, or anything else. An item that is refused does not save the others.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `path`; DENIED for `/`; the first refusal of an item, when all else is gone.
    pub fn remove_tree(&self, path: &RemotePath) -> Result<(), ClientError> {
        let done = self.remove_tree_with(path, |_, _| {})?;
        done.failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Like [`FileClient::remove_tree`], and calls `removed` for each removed item: the content of a directory before it.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `path`; DENIED for `/`; what concerns more than one item. All else is in
    /// [`TreeRemoved::failures`].
    pub fn remove_tree_with(
        &self,
        path: &RemotePath,
        mut removed: impl FnMut(&RemotePath, Kind),
    ) -> Result<TreeRemoved, ClientError> {
        if path.is_root() {
            return Err(super::super::refused("remove", path, Code::Denied));
        }
        let kind = self.stat(path)?.kind;
        let mut removal = TreeRemoval {
            client: &mut self.for_call(),
            pipeline: Pipeline::new(),
            left: HashSet::new(),
            on_removed: &mut removed,
            done: TreeRemoved::default(),
        };
        if kind == Kind::Dir {
            removal.all_below(path)?;
        }
        removal.submit(RemoveItem { path: path.clone(), kind })?;
        removal.drain()?;
        Ok(removal.done)
    }
}

struct TreeRemoval<'a> {
    client: &'a mut FileClient,
    pipeline: Pipeline<RemoveItem>,
    /// Directories below which something could not be removed: that they are not empty is no news.
    left: HashSet<RemotePath>,
    on_removed: &'a mut dyn FnMut(&RemotePath, Kind),
    done: TreeRemoved,
}

#[derive(Debug)]
struct RemoveItem {
    path: RemotePath,
    kind: Kind,
}

impl TreeRemoval<'_> {
    fn all_below(&mut self, top: &RemotePath) -> Result<(), ClientError> {
        // The directories that the listing is in: each goes when it has left it [LIST-2]. One that is asked to go
        // while something is left in it stays, so it need not wait for the answers to that [SEQ-25].
        let mut open: Vec<RemotePath> = Vec::new();
        let mut pages = Pages::new(top.clone(), true);
        while let Some(page) = pages.next(self.client)? {
            for listed in page {
                let path =
                    top.join(&listed.name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                while let Some(emptied) = open.pop_if(|directory| !path.is_at_or_below(directory)) {
                    self.submit(RemoveItem { path: emptied, kind: Kind::Dir })?;
                }
                match listed.entry.kind {
                    Kind::Dir => open.push(path),
                    kind => self.submit(RemoveItem { path, kind })?,
                }
            }
            // [SEQ-24] The next page is asked for with nothing else under way.
            self.drain()?;
        }
        open.into_iter().rev().try_for_each(|path| self.submit(RemoveItem { path, kind: Kind::Dir }))
    }
}

impl PipelineDriver for TreeRemoval<'_> {
    type Item = RemoveItem;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<RemoveItem>) {
        (self.client, &mut self.pipeline)
    }

    fn weight(&self, _job: &RemoveItem) -> u64 {
        0
    }

    fn request(&mut self, job: &RemoveItem) -> Result<Option<Request>, ClientError> {
        let operation = Operation::Remove { path: job.path.clone(), etag: None };
        Ok(Some(Request { operation, payload: Payload::None, content: 0 }))
    }

    fn on_reply(&mut self, job: RemoveItem, answer: ReplyResult) -> Result<(), ClientError> {
        let refusal = match answer {
            Ok((Answer::Empty, _)) => {
                self.done.removed += 1;
                (self.on_removed)(&job.path, job.kind);
                return Ok(());
            }
            Ok((other, _)) => return Err(super::super::unexpected("remove", &other)),
            // It is gone, by whomever, or by this request before its answer was lost.
            Err(refusal) if refusal.code == Code::NotFound => return Ok(()),
            Err(refusal) if refusal.code == Code::NotEmpty && self.left.contains(&job.path) => return Ok(()),
            Err(refusal) => refusal,
        };
        let above = job.path.names().rev().skip(1).count();
        let mut parent = job.path.as_str();
        for _ in 0..above {
            parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
            let directory =
                RemotePath::parse(parent).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
            if !self.left.insert(directory) {
                break;
            }
        }
        let error = ClientError::Refused { operation: "remove", path: job.path.to_string(), refusal };
        self.done.failed += 1;
        if self.done.failures.len() < NAMED_FAILURES {
            self.done.failures.push((job.path, error));
        }
        Ok(())
    }

    /// [LOST-2] To be repeated.
    fn recover(job: RemoveItem) -> RemoveItem {
        job
    }

    /// What a directory holds before it.
    fn sort_for_recovery(jobs: &mut [RemoveItem]) {
        jobs.sort_by_key(|job| Reverse(job.path.names().count()));
    }
}
