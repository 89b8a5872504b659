//! Copying directories on the server: nothing of their content over the wire, requests in flight.

use super::{
    TreeTransferred,
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
};
use crate::client::{
    Answer, ClientError, Code, FileClient, Kind, Operation, Precondition, Refusal, RemotePath, TransferStatus,
    Transferred, listing::Pages, payload::Payload,
};
use remofile_proto::Digest;

impl FileClient {
    /// Copies the directory `from` with all it holds as `to`, on the server; `to` is made where it is not there, its
    /// parent has to be. A file that is there already with the same content is unchanged, so that a copy that broke
    /// off is continued by the same call. Links, special files and names that the server leaves out are skipped and
    /// counted. A file that fails does not stop the others.
    ///
    /// # Errors
    /// LOOP where `to` is `from` or below it; NOT_DIR where `from` is no directory; what concerns more than one item.
    /// All else is in [`TreeTransferred::failures`].
    pub fn copy_tree(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        overwrite: bool,
    ) -> Result<TreeTransferred, ClientError> {
        if to.is_at_or_below(from) {
            return Err(super::super::refused("copy", from, Code::Loop));
        }
        if self.stat(from)?.kind != Kind::Dir {
            return Err(super::super::refused("copy", from, Code::NotDir));
        }
        self.directory_at(to)?;
        let mut pages = Pages::new(from.clone(), true);
        let mut copy = TreeCopy {
            client: &mut self.for_call(),
            pre: if overwrite { Precondition::Any } else { Precondition::Absent },
            pipeline: Pipeline::new(),
            done: TreeTransferred { directories: 1, ..TreeTransferred::default() },
        };
        while let Some(page) = pages.next(copy.client)? {
            for listed in page {
                let from =
                    from.join(&listed.name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                let to = match to.join(&listed.name) {
                    Ok(to) => to,
                    // The path of a copy may be longer than that of its source.
                    Err(error) => {
                        copy.done.fail(listed.name, refused(&from, Refusal::from(error)))?;
                        continue;
                    }
                };
                let step = match listed.entry.kind {
                    Kind::Dir => CopyStep::Make,
                    Kind::File => CopyStep::Copy,
                    Kind::Link | Kind::Other => {
                        copy.done.skipped += 1;
                        continue;
                    }
                };
                let size = listed.entry.size.unwrap_or(0);
                copy.submit(CopyItem { from, to, size, step, is_repeated: false })?;
            }
            // [SEQ-24] The next page is asked for with nothing else under way.
            copy.drain()?;
        }
        copy.done.skipped += pages.skipped();
        Ok(copy.done)
    }

    /// Makes a directory, or finds the one that is there.
    fn directory_at(&self, path: &RemotePath) -> Result<(), ClientError> {
        match self.mkdir(path) {
            Err(error) if error.is_exists() && self.stat(path)?.kind == Kind::Dir => Ok(()),
            result => result.map(drop),
        }
    }
}

struct TreeCopy<'a> {
    client: &'a mut FileClient,
    pre: Precondition,
    pipeline: Pipeline<CopyItem>,
    done: TreeTransferred,
}

/// An item on its way.
#[derive(Debug)]
struct CopyItem {
    from: RemotePath,
    to: RemotePath,
    size: u64,
    step: CopyStep,
    /// It was sent before in a session that was lost, and may have been executed.
    is_repeated: bool,
}

#[derive(Debug)]
enum CopyStep {
    Make,
    /// Something is there where a directory is wanted.
    Look,
    Copy,
    /// Something is there where a file is wanted: its content is compared.
    HashSource,
    HashTarget(Digest),
}

impl TreeCopy<'_> {
    fn count(&mut self, job: &CopyItem, status: TransferStatus) {
        self.done.count(&Transferred { status, bytes: job.size, transferred: 0 });
    }

    fn exists(&mut self, job: CopyItem) -> Result<(), ClientError> {
        self.done.fail(job.to.to_string(), super::super::refused("copy", &job.to, Code::Exists))
    }
}

impl PipelineDriver for TreeCopy<'_> {
    type Item = CopyItem;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<CopyItem>) {
        (self.client, &mut self.pipeline)
    }

    /// One that is large is alone [SEQ-28].
    fn weight(&self, job: &CopyItem) -> u64 {
        job.size
    }

    fn request(&mut self, job: &CopyItem) -> Result<Option<Request>, ClientError> {
        let operation = match &job.step {
            CopyStep::Make => Operation::Mkdir { path: job.to.clone() },
            CopyStep::Look => Operation::Stat { path: job.to.clone() },
            CopyStep::Copy => {
                Operation::Copy { from: job.from.clone(), to: job.to.clone(), pre: self.pre.clone(), etag: None }
            }
            CopyStep::HashSource => Operation::Hash { path: job.from.clone(), off: 0, len: None },
            CopyStep::HashTarget(_) => Operation::Hash { path: job.to.clone(), off: 0, len: None },
        };
        Ok(Some(Request { operation, payload: Payload::None, content: 0 }))
    }

    fn on_reply(&mut self, mut job: CopyItem, answer: ReplyResult) -> Result<(), ClientError> {
        match (&job.step, answer) {
            (CopyStep::Make, Ok((Answer::Entry(_), _))) => self.done.directories += 1,
            (CopyStep::Make, Err(refusal)) if refusal.code == Code::Exists => {
                job.step = CopyStep::Look;
                return self.send(job);
            }
            (CopyStep::Look, Ok((Answer::Entry(entry), _))) if entry.kind == Kind::Dir => self.done.directories += 1,
            (CopyStep::Look, Ok((Answer::Entry(_), _))) => return self.exists(job),
            (CopyStep::Copy, Ok((Answer::Entry(_), _))) => self.count(&job, TransferStatus::New),
            (CopyStep::Copy, Err(refusal)) if refusal.code == Code::Exists => {
                job.step = CopyStep::HashSource;
                return self.send(job);
            }
            (CopyStep::HashSource, Ok((Answer::Hash(hashed), _))) => {
                job.step = CopyStep::HashTarget(hashed.hash);
                return self.send(job);
            }
            (CopyStep::HashTarget(ours), Ok((Answer::Hash(theirs), _))) if theirs.hash == *ours => {
                self.count(&job, if job.is_repeated { TransferStatus::New } else { TransferStatus::Unchanged });
            }
            // Another content, or no file at all.
            (CopyStep::HashTarget(_), Ok((Answer::Hash(_), _)) | Err(_)) => return self.exists(job),
            (_, Err(refusal)) => return self.done.fail(job.to.to_string(), refused(&job.from, refusal)),
            (_, Ok((other, _))) => return Err(super::super::unexpected("copy", &other)),
        }
        Ok(())
    }

    /// [LOST-2] To be repeated: what is there by then is compared.
    fn recover(job: CopyItem) -> CopyItem {
        CopyItem { is_repeated: true, ..job }
    }

    /// Directories before what they hold.
    fn sort_for_recovery(jobs: &mut [CopyItem]) {
        jobs.sort_by_key(|job| job.to.names().count());
    }
}

fn refused(path: &RemotePath, refusal: Refusal) -> ClientError {
    ClientError::Refused { operation: "copy", path: path.to_string(), refusal }
}
