//! Removing directories: a page of the listing at a time, requests in flight, what fails named and the rest gone.

use super::{
    NAMED_FAILURES,
    flight::{Flight, Landed, Sending},
};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, Path, Refusal,
    listing::Pages,
    payload::{Content, Payload},
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
    pub failures: Vec<(Path, ClientError)>,
}

impl FileClient {
    /// Removes a directory with all it holds, or anything else. An item that is refused does not save the others.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `path`; DENIED for `/`; the first refusal of an item, when all else is gone.
    pub fn remove_tree(&mut self, path: &Path) -> Result<(), ClientError> {
        let done = self.remove_tree_telling(path, |_, _| {})?;
        done.failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The same, and tells `removed` of each item that is gone, what a directory holds before itself.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `path`; DENIED for `/`; what concerns more than one item. All else is in
    /// [`TreeRemoved::failures`].
    pub fn remove_tree_telling(
        &mut self,
        path: &Path,
        mut removed: impl FnMut(&Path, Kind),
    ) -> Result<TreeRemoved, ClientError> {
        if path.is_root() {
            return Err(super::super::refused("remove", path, Code::Denied));
        }
        let kind = self.stat(path)?.kind;
        let mut removal = Removal {
            client: self,
            flight: Flight::new(),
            left: HashSet::new(),
            told: &mut removed,
            done: TreeRemoved::default(),
        };
        if kind == Kind::Dir {
            removal.all_below(path)?;
        }
        removal.send(Job { path: path.clone(), kind })?;
        removal.drain()?;
        Ok(removal.done)
    }
}

struct Removal<'a> {
    client: &'a mut FileClient,
    flight: Flight<Job>,
    /// Directories below which something could not be removed: that they are not empty is no news.
    left: HashSet<Path>,
    told: &'a mut dyn FnMut(&Path, Kind),
    done: TreeRemoved,
}

#[derive(Debug)]
struct Job {
    path: Path,
    kind: Kind,
}

impl Removal<'_> {
    fn all_below(&mut self, top: &Path) -> Result<(), ClientError> {
        // The directories that the listing is in: each goes when it has left it [LIST-2]. One that is asked to go
        // while something is left in it stays, so it need not wait for the answers to that [SEQ-25].
        let mut open: Vec<Path> = Vec::new();
        let mut pages = Pages::new(top.clone(), true);
        while let Some(page) = pages.next(self.client)? {
            for listed in page {
                let path =
                    top.join(&listed.name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                while let Some(emptied) = open.pop_if(|directory| !path.is_at_or_below(directory)) {
                    self.send(Job { path: emptied, kind: Kind::Dir })?;
                }
                match listed.entry.kind {
                    Kind::Dir => open.push(path),
                    kind => self.send(Job { path, kind })?,
                }
            }
            // [SEQ-24] The next page is asked for with nothing else under way.
            self.drain()?;
        }
        open.into_iter().rev().try_for_each(|path| self.send(Job { path, kind: Kind::Dir }))
    }

    fn send(&mut self, job: Job) -> Result<(), ClientError> {
        while !self.flight.has_room(self.client, 0) {
            self.advance()?;
        }
        let operation = Operation::Remove { path: job.path.clone(), etag: None };
        match self.flight.send(self.client, operation, Payload::None, 0, job)? {
            Sending::Sent => Ok(()),
            Sending::Lost(job, others) => {
                self.repeat(others)?;
                self.send(job)
            }
        }
    }

    fn drain(&mut self) -> Result<(), ClientError> {
        while !self.flight.is_empty() {
            self.advance()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), ClientError> {
        match self.flight.next(self.client)? {
            Landed::Answered(Some(job), result) => self.on_answer(job, result),
            Landed::Answered(None, _) => Ok(()),
            Landed::Lost(jobs) => self.repeat(jobs),
        }
    }

    /// [LOST-2] To be repeated, and what is not found any more is done; what a directory holds before itself.
    fn repeat(&mut self, mut jobs: Vec<Job>) -> Result<(), ClientError> {
        jobs.sort_by_key(|job| Reverse(job.path.names().count()));
        jobs.into_iter().try_for_each(|job| self.send(job))
    }

    fn on_answer(&mut self, job: Job, result: Result<(Answer, Option<Content>), Refusal>) -> Result<(), ClientError> {
        let refusal = match result {
            Ok((Answer::Empty, _)) => {
                self.done.removed += 1;
                (self.told)(&job.path, job.kind);
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
            let directory = Path::parse(parent).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
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
}
