//! Uploads: small files in one request, larger ones staged, resumed and committed.

use super::{
    ClientError, FailedRequest, FileClient, Phase, Replace, TransferStatus, Transferred, local_file::LocalFile,
    payload::Payload, retry::Retry,
};
use remofile_proto::{
    Answer, Code, Detail, Digest, Entry, Kind, Operation, Precondition, RemotePath, Staged, UploadId,
};
use std::path::Path as LocalPath;

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
        &self,
        source: &LocalPath,
        target: &RemotePath,
        pre: Precondition,
    ) -> Result<Transferred, ClientError> {
        let source = LocalFile::open(source)?;
        self.observed(|client| {
            let replaced = ReplaceRule { pre, rule: Replace::Never };
            let done = client.upload_source(&source, target, replaced.clone())?;
            if done.status != TransferStatus::Unchanged {
                client.flush_or_repeat(Some(target), |client| {
                    client.upload_source(&source, target, replaced.clone()).map(drop)
                })?;
            }
            Ok(done)
        })
    }

    /// Uploads a file that is open, and leaves the flushing to the caller.
    pub(super) fn upload_source(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        replaced: ReplaceRule,
    ) -> Result<Transferred, ClientError> {
        let pre = match self.compare_with_existing(source, target, replaced)? {
            UploadDecision::Keep(status) => {
                return Ok(Transferred { status, bytes: source.size(), transferred: 0 });
            }
            UploadDecision::Send(pre) => pre,
        };
        if source.size() <= self.chunk() as u64 {
            self.upload_small(source, target, pre)
        } else {
            self.upload_staged(source, target, &pre)
        }
    }

    /// Looks before anything is sent: a target that will be refused costs one round trip, not an upload.
    fn compare_with_existing(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        replaced: ReplaceRule,
    ) -> Result<UploadDecision, ClientError> {
        let entry = match self.stat(target) {
            Ok(entry) => entry,
            Err(error) if error.is_not_found() => return Ok(UploadDecision::Send(replaced.pre)),
            Err(error) => return Err(error),
        };
        if entry.kind == Kind::File && entry.size == Some(source.size()) {
            let theirs = self.hash(target)?;
            if theirs.hash == self.hash_local(source, target)? {
                source.check_unchanged()?;
                return Ok(UploadDecision::Keep(TransferStatus::Unchanged));
            }
        }
        replaced.against(&entry, source, target)
    }

    fn upload_small(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        pre: Precondition,
    ) -> Result<Transferred, ClientError> {
        let size = source.size();
        let content = source.read(0, usize::try_from(size).map_err(|_| source.changed())?)?;
        source.check_unchanged()?;
        self.observer().enter(Phase::Transferring, Some(target), Some(size));
        self.await_rate(size)?;
        self.put(target, content, pre, Some(source.mtime_ns()))?;
        self.observer().advance(size);
        Ok(Transferred { status: TransferStatus::New, bytes: size, transferred: size })
    }

    /// Uploads a file that is open, through a staged upload and without looking at what is there; gives what was
    /// transferred, the hash of its content, and its entry on the server. The flushing is left to the caller.
    pub(crate) fn upload_version(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        pre: &Precondition,
    ) -> Result<(Transferred, Digest, Entry), ClientError> {
        let (done, (hash, entry)) = self.stage_and_commit(source, target, pre)?;
        let entry = match entry {
            Some(entry) => entry,
            // Its commit was answered in a session that was lost.
            None => self.stat(target)?,
        };
        Ok((done, hash, entry))
    }

    fn upload_staged(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        pre: &Precondition,
    ) -> Result<Transferred, ClientError> {
        Ok(self.stage_and_commit(source, target, pre)?.0)
    }

    fn stage_and_commit(
        &mut self,
        source: &LocalFile,
        target: &RemotePath,
        pre: &Precondition,
    ) -> Result<(Transferred, Committed), ClientError> {
        let mut upload = StagedUpload {
            source,
            target,
            pre,
            up: source.upload_id(self.welcome().root, target),
            status: TransferStatus::New,
            reached: None,
            transferred: 0,
            uncertain_commit: None,
        };
        let mut retry = Retry::default();
        loop {
            match upload.attempt(self) {
                Ok(done) => return Ok(done),
                Err(error) => {
                    retry.after(self, error, upload.transferred).map_err(|error| upload.unresolved(error))?;
                }
            }
        }
    }

    /// The hash of a local file that is compared with `remote`.
    pub(super) fn hash_local(&mut self, source: &LocalFile, remote: &RemotePath) -> Result<Digest, ClientError> {
        let hasher = self.hash_beginning(source, remote, source.size())?;
        Ok(Digest::new(*hasher.finalize().as_bytes()))
    }

    /// The same of a file that may be small, which takes no time that anybody could see.
    pub(crate) fn hash_whole(&mut self, source: &LocalFile, remote: &RemotePath) -> Result<Digest, ClientError> {
        if source.size() <= self.chunk() as u64 { source.hash() } else { self.hash_local(source, remote) }
    }

    fn hash_beginning(
        &mut self,
        source: &LocalFile,
        remote: &RemotePath,
        len: u64,
    ) -> Result<blake3::Hasher, ClientError> {
        self.observer().enter(Phase::Hashing, Some(remote), Some(len));
        source.hash_prefix(len, |bytes| {
            self.observer().advance(bytes);
            self.keep_alive()
        })
    }
}

/// What may be replaced.
#[derive(Clone, Debug)]
pub(super) struct ReplaceRule {
    /// What the server is asked to hold to.
    pub(super) pre: Precondition,
    /// What is decided here, once it is known what is there.
    pub(super) rule: Replace,
}

/// What becomes of an upload by what is there.
#[derive(Debug)]
pub(super) enum UploadDecision {
    /// Nothing is sent.
    Keep(TransferStatus),
    /// The content is sent, on this condition.
    Send(Precondition),
}

impl ReplaceRule {
    pub(super) fn by(rule: Replace) -> Self {
        let pre = if rule == Replace::Always { Precondition::Any } else { Precondition::Absent };
        Self { pre, rule }
    }

    /// What becomes of an upload where something of other content is there.
    pub(super) fn against(
        self,
        entry: &Entry,
        source: &LocalFile,
        target: &RemotePath,
    ) -> Result<UploadDecision, ClientError> {
        if self.rule.keeps(entry.mtime_ns, Some(source.mtime_ns())) {
            return Ok(UploadDecision::Keep(TransferStatus::Newer));
        }
        match (&entry.etag, self.rule) {
            // Only that which was found to be older.
            (Some(etag), Replace::Older) => Ok(UploadDecision::Send(Precondition::Etag(etag.clone()))),
            _ if self.pre == Precondition::Absent => Err(super::refused("upload", target, Code::Exists)),
            _ => Ok(UploadDecision::Send(self.pre)),
        }
    }
}

struct StagedUpload<'a> {
    source: &'a LocalFile,
    target: &'a RemotePath,
    pre: &'a Precondition,
    up: UploadId,
    status: TransferStatus,
    /// How far this call has come as far as it knows, in bytes from the beginning.
    reached: Option<u64>,
    transferred: u64,
    /// The hash of a commit that was sent and has had no reply.
    uncertain_commit: Option<Digest>,
}

/// The hash of what was committed, and its entry where the reply to the commit came.
type Committed = (Digest, Option<Entry>);

impl StagedUpload<'_> {
    fn attempt(&mut self, client: &mut FileClient) -> Result<(Transferred, Committed), ClientError> {
        let mut staged = self.begin(client)?;
        if let Some(hash) = self.uncertain_commit {
            // [UP-8] Nothing staged and the content in place: the lost commit had been executed.
            if staged.off == 0 && client.has_content(self.target, &hash)? {
                client.note_change();
                client.abort(self.up)?;
                return Ok((self.done(), (hash, None)));
            }
            self.uncertain_commit = None;
        }
        let mut hasher = blake3::Hasher::new();
        if staged.off > 0 {
            // [UP-5] What is staged counts only when it is this source's beginning.
            let matches = staged.off <= self.source.size() && {
                hasher = client.hash_beginning(self.source, self.target, staged.off)?;
                hasher.finalize().as_bytes() == staged.hash.as_bytes()
            };
            if matches {
                match self.reached {
                    None => self.status = TransferStatus::Resumed,
                    // Sent by this call, and the answers were lost.
                    Some(reached) => self.transferred += staged.off.saturating_sub(reached),
                }
            } else {
                client.abort(self.up)?;
                staged = self.begin(client)?;
                hasher = blake3::Hasher::new();
            }
        }
        self.reached = Some(staged.off);
        self.append_all(client, staged.off, &mut hasher)?;
        self.source.check_unchanged()?;
        client.observer().enter(Phase::Committing, Some(self.target), Some(self.source.size()));
        let hash = Digest::new(*hasher.finalize().as_bytes());
        let entry = self.commit(client, hash)?;
        Ok((self.done(), (hash, Some(entry))))
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
        let chunk = client.piece();
        let size = self.source.size();
        let mut off = staged;
        let mut first = None;
        let mut unanswered = 0usize;
        client.observer().resume(Phase::Transferring, Some(self.target), Some(size), staged);
        while off < size || unanswered > 0 {
            if off < size && client.has_room() {
                let len = usize::try_from(size - off).map_or(chunk, |rest| rest.min(chunk));
                client.await_rate(len as u64)?;
                let bytes = self.source.read(off, len)?;
                hasher.update(&bytes);
                let payload = Payload::from_file(self.source.file(), off, bytes);
                let seq = client.submit(Operation::Append { up: self.up, off }, payload)?;
                first.get_or_insert(seq);
                off += len as u64;
                unanswered += 1;
                continue;
            }
            let completion = client.next_completion()?;
            // Of what a call before gave up on.
            if first.is_none_or(|first| completion.seq < first) {
                continue;
            }
            unanswered -= 1;
            match completion.result {
                Ok((Answer::Offset(end), _)) => {
                    self.reached = self.reached.max(Some(end));
                    self.transferred += completion.payload_len as u64;
                    client.observer().advance(completion.payload_len as u64);
                }
                Ok((other, _)) => return Err(super::unexpected("append", &other)),
                Err(refusal) => {
                    // Later requests fail as well; their replies are not needed.
                    client.discard_outstanding()?;
                    return Err(self.refused(refusal));
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, client: &mut FileClient, hash: Digest) -> Result<Entry, ClientError> {
        let commit = Operation::Commit {
            up: self.up,
            size: self.source.size(),
            hash,
            pre: self.pre.clone(),
            mtime_ns: Some(self.source.mtime_ns()),
        };
        match client.attempt(commit, Payload::None) {
            Ok((Answer::Entry(entry), _)) => Ok(entry),
            Ok((other, _)) => Err(super::unexpected("commit", &other)),
            Err(FailedRequest { error: ClientError::Refused { refusal, .. }, .. }) => Err(self.refused(refusal)),
            Err(FailedRequest { error, is_uncertain }) => {
                self.uncertain_commit = is_uncertain.then_some(hash);
                Err(error)
            }
        }
    }

    /// What is reported of a commit that could not be settled [LOST-1].
    fn unresolved(&self, error: ClientError) -> ClientError {
        match error {
            ClientError::Cancelled => error,
            error if self.uncertain_commit.is_some() => {
                ClientError::InDoubt { operation: "upload", path: self.target.to_string(), source: Some(error.into()) }
            }
            error => error,
        }
    }

    fn refused(&self, refusal: remofile_proto::Refusal) -> ClientError {
        match (&refusal.code, &refusal.detail) {
            // Another client's begin of the same path, or the server's expiry, took the staged bytes away.
            (Code::NoUpload, _) | (Code::Offset, Detail::Offset(_)) => {
                ClientError::SessionLost { reason: format!("the staged upload is gone ({})", refusal.code) }
            }
            // What was sent again was read again.
            (Code::Digest, _) if self.source.check_unchanged().is_err() => self.source.changed(),
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
