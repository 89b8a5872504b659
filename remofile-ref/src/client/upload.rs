//! Uploads: small files in one request, larger ones staged, resumed and committed.

use super::{ClientError, FileClient, TransferStatus, Transferred, payload::Payload, source::Source};
use remofile_proto::{Answer, Code, Detail, Digest, Kind, Operation, Path, Precondition, Staged, UploadId};
use std::path::Path as LocalPath;

/// How often a lost session is opened again without a single byte of progress.
const ATTEMPTS_WITHOUT_PROGRESS: u32 = 3;

impl FileClient {
    /// Uploads a local file under exactly the name `target`, and makes it durable.
    ///
    /// A file of the same content that is there already is [`TransferStatus::Unchanged`]. An upload that broke off,
    /// by the death of either side, is continued by the same call.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with EXISTS where something else is there and `pre` does not allow to replace it;
    /// [`ClientError::SourceChanged`] where the source changed while it was read; all others by their meaning.
    pub fn upload_file(
        &mut self,
        source: &LocalPath,
        target: &Path,
        pre: Precondition,
    ) -> Result<Transferred, ClientError> {
        let done = self.upload_source(&Source::open(source)?, target, pre)?;
        if done.status != TransferStatus::Unchanged {
            self.flush()?;
        }
        Ok(done)
    }

    /// Uploads a file that is open, and leaves the flushing to the caller.
    pub(super) fn upload_source(
        &mut self,
        source: &Source,
        target: &Path,
        pre: Precondition,
    ) -> Result<Transferred, ClientError> {
        if let Some(unchanged) = self.compare_with_existing(source, target, &pre)? {
            return Ok(unchanged);
        }
        if source.size() <= self.chunk() as u64 {
            self.upload_small(source, target, pre)
        } else {
            self.upload_staged(source, target, &pre)
        }
    }

    /// Looks before anything is sent: a target that will be refused costs one round trip, not an upload.
    fn compare_with_existing(
        &mut self,
        source: &Source,
        target: &Path,
        pre: &Precondition,
    ) -> Result<Option<Transferred>, ClientError> {
        let entry = match self.stat(target) {
            Ok(entry) => entry,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        if entry.kind == Kind::File && entry.size == Some(source.size()) {
            let theirs = self.hash(target)?;
            if theirs.hash == source.hash(|| self.keep_session())? {
                source.check_unchanged()?;
                return Ok(Some(Transferred {
                    status: TransferStatus::Unchanged,
                    bytes: source.size(),
                    transferred: 0,
                }));
            }
        }
        if *pre == Precondition::Absent {
            return Err(super::refused("upload", target, Code::Exists));
        }
        Ok(None)
    }

    fn upload_small(&mut self, source: &Source, target: &Path, pre: Precondition) -> Result<Transferred, ClientError> {
        let size = source.size();
        let content = source.read(0, usize::try_from(size).map_err(|_| source.changed())?)?;
        source.check_unchanged()?;
        self.put(target, content, pre, Some(source.mtime_ns()))?;
        Ok(Transferred { status: TransferStatus::New, bytes: size, transferred: size })
    }

    fn upload_staged(
        &mut self,
        source: &Source,
        target: &Path,
        pre: &Precondition,
    ) -> Result<Transferred, ClientError> {
        let mut upload = StagedUpload {
            source,
            target,
            pre,
            up: source.upload_id(self.welcome().root, target),
            status: TransferStatus::New,
            transferred: 0,
            commit_in_doubt: None,
        };
        let mut attempts = 0;
        let mut transferred_before = 0;
        loop {
            match upload.attempt(self) {
                Err(ClientError::SessionLost { .. }) if attempts < ATTEMPTS_WITHOUT_PROGRESS => {
                    attempts = if upload.transferred > transferred_before { 0 } else { attempts + 1 };
                    transferred_before = upload.transferred;
                    self.reopen()?;
                }
                result => return result,
            }
        }
    }
}

struct StagedUpload<'a> {
    source: &'a Source,
    target: &'a Path,
    pre: &'a Precondition,
    up: UploadId,
    status: TransferStatus,
    transferred: u64,
    /// The hash of a commit that was sent and has had no reply.
    commit_in_doubt: Option<Digest>,
}

impl StagedUpload<'_> {
    fn attempt(&mut self, client: &mut FileClient) -> Result<Transferred, ClientError> {
        let mut staged = self.begin(client)?;
        if let Some(hash) = self.commit_in_doubt.take() {
            // [UP-8] Nothing staged and the content in place: the lost commit had been executed.
            if staged.off == 0 && client.hash(self.target).is_ok_and(|theirs| theirs.hash == hash) {
                client.abort(self.up)?;
                return Ok(self.done());
            }
        }
        let mut hasher = blake3::Hasher::new();
        if staged.off > 0 {
            // [UP-5] What is staged counts only when it is this source's beginning.
            let matches = staged.off <= self.source.size() && {
                hasher = self.source.hash_prefix(staged.off, || client.keep_session())?;
                hasher.finalize().as_bytes() == staged.hash.as_bytes()
            };
            if matches {
                if self.transferred == 0 {
                    self.status = TransferStatus::Resumed;
                }
            } else {
                client.abort(self.up)?;
                staged = self.begin(client)?;
                hasher = blake3::Hasher::new();
            }
        }
        self.append_all(client, staged.off, &mut hasher)?;
        self.source.check_unchanged()?;
        let hash = Digest::new(*hasher.finalize().as_bytes());
        self.commit(client, hash)?;
        Ok(self.done())
    }

    fn begin(&self, client: &mut FileClient) -> Result<Staged, ClientError> {
        let begin = Operation::Begin { up: self.up, path: self.target.clone(), size: Some(self.source.size()) };
        match client.call(begin, Payload::None)?.0 {
            Answer::Staged(staged) => Ok(staged),
            other => Err(super::unexpected("begin", &other)),
        }
    }

    fn append_all(
        &mut self,
        client: &mut FileClient,
        staged: u64,
        hasher: &mut blake3::Hasher,
    ) -> Result<(), ClientError> {
        let chunk = client.chunk();
        let size = self.source.size();
        let mut off = staged;
        let mut unanswered = 0usize;
        while off < size || unanswered > 0 {
            if off < size && client.has_room() {
                let len = usize::try_from(size - off).map_or(chunk, |rest| rest.min(chunk));
                let bytes = self.source.read(off, len)?;
                hasher.update(&bytes);
                let payload = Payload::from_file(self.source.file(), off, bytes);
                client.submit(Operation::Append { up: self.up, off }, payload)?;
                off += len as u64;
                unanswered += 1;
                continue;
            }
            let completion = client.next_completion()?;
            unanswered -= 1;
            match completion.result {
                Ok((Answer::Offset(_), _)) => {
                    self.transferred += completion.payload_len as u64;
                }
                Ok((other, _)) => return Err(super::unexpected("append", &other)),
                Err(refusal) => {
                    // Requests behind this one fail as well; their answers are not news.
                    client.discard_completions(unanswered)?;
                    return Err(self.refused(refusal));
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, client: &mut FileClient, hash: Digest) -> Result<(), ClientError> {
        let commit = Operation::Commit {
            up: self.up,
            size: self.source.size(),
            hash,
            pre: self.pre.clone(),
            mtime_ns: Some(self.source.mtime_ns()),
        };
        match client.call(commit, Payload::None) {
            Ok((Answer::Entry(_), _)) => Ok(()),
            Ok((other, _)) => Err(super::unexpected("commit", &other)),
            Err(ClientError::SessionLost { reason }) => {
                self.commit_in_doubt = Some(hash);
                Err(ClientError::SessionLost { reason })
            }
            Err(ClientError::Refused { refusal, .. }) => Err(self.refused(refusal)),
            Err(error) => Err(error),
        }
    }

    fn refused(&self, refusal: remofile_proto::Refusal) -> ClientError {
        match (&refusal.code, &refusal.detail) {
            // Another client's begin of the same path, or the server's expiry, took the staged bytes away.
            (Code::NoUpload, _) | (Code::Offset, Detail::Offset(_)) => {
                ClientError::SessionLost { reason: format!("the staged upload is gone ({})", refusal.code) }
            }
            (Code::Digest, _) => ClientError::NotVerified {
                path: self.source.path().display().to_string(),
                reason: "the server received other bytes than were read here".to_owned(),
            },
            _ => ClientError::Refused { operation: "upload", path: self.target.to_string(), refusal },
        }
    }

    fn done(&self) -> Transferred {
        Transferred { status: self.status, bytes: self.source.size(), transferred: self.transferred }
    }
}
