//! Transfers from a reader and to a writer: no temporary file, no size that is known before.

use super::{
    ClientError, FailedRequest, FileClient, Phase, Replace, TransferOptions, TransferStatus, Transferred,
    download::{DownloadState, version_of},
    payload::Payload,
    retry::Retry,
    upload::ReplaceRule,
};
use crate::keys::new_upload;
use remofile_proto::{
    Answer, Code, Detail, Digest, Entry, Kind, Operation, Precondition, Refusal, RemotePath, Staged, UploadId,
};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

/// How long a call that fails waits until what it had staged is gone.
const ABORT_WAIT: Duration = Duration::from_millis(500);

/// What messages call a reader or writer.
const STREAM: &str = "-";

impl FileClient {
    /// Uploads what `source` gives, up to its end, under exactly the name `target`, and makes it durable. Its size
    /// need not be known, and at most what is in flight is kept in memory.
    ///
    /// A stream cannot be read again: an upload that fails or is cancelled leaves nothing, and starts over with the next
    /// call. A session that is lost meanwhile is opened again, and the upload goes on.
    ///
    /// A reader that has nothing yet may say [`io::ErrorKind::WouldBlock`] after waiting a little, 100 ms for example:
    /// it is asked again, and meanwhile the session is kept and [`Cancel`](super::Cancel) looked at. While one blocks, neither is
    /// done.
    ///
    /// ```
    /// # use remofile::{FileClient, FileServer, TransferOptions, generate_token};
    /// # let directory = tempfile::tempdir()?;
    /// # let token = generate_token();
    /// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
    /// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    /// # std::thread::scope(|scope| {
    /// # scope.spawn(|| server.run());
    /// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = FileClient::new(endpoint, token)?;
    /// let backup = "/backup.tar".parse()?;
    /// client.upload_from(&mut &b"whatever tar writes"[..], &backup, &TransferOptions::new())?;
    ///
    /// let mut back = Vec::new();
    /// client.download_to(&backup, &mut back, &TransferOptions::new())?;
    /// assert_eq!(back, b"whatever tar writes");
    /// # Ok(client.bye())
    /// # })();
    /// # stop.stop();
    /// # result
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Refused`] with EXISTS where something is there, unless the options replace it; a stream has no
    /// time to compare, so that [`Replace::Older`] replaces too. [`ClientError::Local`] where the reader fails;
    /// [`ClientError::NotVerified`] where the server lost bytes that it had acknowledged.
    pub fn upload_from(
        &self,
        source: &mut dyn Read,
        target: &RemotePath,
        options: &TransferOptions,
    ) -> Result<Transferred, ClientError> {
        let pre = self.pre_of_stream(target, options.replace)?;
        let mut upload = StreamUpload {
            source,
            target,
            pre,
            up: new_upload(),
            unanswered: VecDeque::new(),
            acknowledged: 0,
            read: 0,
            hasher: blake3::Hasher::new(),
            is_at_end: false,
            uncertain_commit: None,
        };
        self.observed(|client| {
            client.rate_limited(options.bytes_per_second, |client| {
                let result = upload.run(client);
                if result.is_err() {
                    client.discard(upload.up);
                }
                result?;
                let hash = Digest::new(*upload.hasher.finalize().as_bytes());
                client.flush_or_repeat(Some(target), |client| match client.has_content(target, &hash)? {
                    true => Ok(()),
                    // A stream cannot be read again.
                    false => Err(ClientError::NotFlushed),
                })?;
                Ok(Transferred { status: TransferStatus::New, bytes: upload.read, transferred: upload.read })
            })
        })
    }

    /// Downloads one version of a file into `sink`, in order, with nothing kept on the disk.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules; [`ClientError::SourceChanged`] where the file changed meanwhile, and what went into
    /// `sink` is the beginning of the old one; [`ClientError::Local`] where the sink fails, with its error as the
    /// source.
    pub fn download_to(
        &self,
        remote: &RemotePath,
        sink: &mut dyn Write,
        options: &TransferOptions,
    ) -> Result<Transferred, ClientError> {
        self.observed(|client| {
            client.rate_limited(options.bytes_per_second, |client| {
                let entry = client.stat(remote)?;
                match entry.kind {
                    Kind::File => client.read_into(remote, &entry, sink),
                    Kind::Dir => Err(super::refused("download", remote, Code::NotFile)),
                    Kind::Link | Kind::Other => Err(super::refused("download", remote, Code::UnsupportedKind)),
                }
            })
        })
    }

    fn read_into(
        &mut self,
        remote: &RemotePath,
        entry: &Entry,
        sink: &mut dyn Write,
    ) -> Result<Transferred, ClientError> {
        let version = version_of(self, remote, entry)?;
        let mut received = DownloadState::default();
        let mut written = 0u64;
        let mut retry = Retry::default();
        loop {
            let result = self.read_rest(&version, written, &mut received, &mut |bytes| {
                sink.write_all(bytes).map_err(|error| ClientError::local(STREAM, error))?;
                written += bytes.len() as u64;
                Ok(())
            });
            match result {
                Ok(()) => break,
                Err(error) if error.code() == Some(Code::Changed) => {
                    return Err(ClientError::SourceChanged { path: remote.to_string() });
                }
                Err(error) => retry.after(self, error, written)?,
            }
        }
        sink.flush().map_err(|error| ClientError::local(STREAM, error))?;
        Ok(Transferred { status: TransferStatus::New, bytes: version.size, transferred: received.transferred })
    }

    /// Looks before anything is sent: a target that will be refused costs one round trip, not a stream.
    fn pre_of_stream(&self, target: &RemotePath, replace: Replace) -> Result<Precondition, ClientError> {
        let pre = match replace {
            Replace::Never => Precondition::Absent,
            Replace::Older | Replace::Always => ReplaceRule::by(Replace::Always).pre,
        };
        match self.stat(target) {
            Ok(_) if pre == Precondition::Absent => Err(super::refused("upload", target, Code::Exists)),
            Ok(_) => Ok(pre),
            Err(error) if error.is_not_found() => Ok(pre),
            Err(error) => Err(error),
        }
    }

    /// Discards what a call that failed had staged, if that takes little time: no later call can resume it.
    fn discard(&mut self, up: UploadId) {
        self.within(ABORT_WAIT, |client| {
            // What failed is worth more than that its rest stays until it expires.
            let _ = client.call(Operation::Abort { up }, Payload::None);
        });
    }
}

struct StreamUpload<'a> {
    source: &'a mut dyn Read,
    target: &'a RemotePath,
    pre: Precondition,
    up: UploadId,
    /// What was read and is not known to be staged, from `acknowledged` on.
    unanswered: VecDeque<Arc<[u8]>>,
    /// How many bytes are staged as far as is known.
    acknowledged: u64,
    read: u64,
    /// Of the first `acknowledged` bytes.
    hasher: blake3::Hasher,
    is_at_end: bool,
    /// The hash of a commit that was sent and has had no reply.
    uncertain_commit: Option<Digest>,
}

impl StreamUpload<'_> {
    fn run(&mut self, client: &mut FileClient) -> Result<(), ClientError> {
        let mut retry = Retry::default();
        loop {
            match self.attempt(client) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    retry.after(client, error, self.acknowledged).map_err(|error| self.unresolved(error))?;
                }
            }
        }
    }

    fn attempt(&mut self, client: &mut FileClient) -> Result<(), ClientError> {
        let begin = Operation::Begin { up: self.up, path: self.target.clone(), size: None };
        let staged = match client.call(begin, Payload::None)?.0 {
            Answer::Staged(staged) => staged,
            other => return Err(super::unexpected("begin", &other)),
        };
        if let Some(hash) = self.uncertain_commit {
            // [UP-8] Nothing staged and the content in place: the lost commit had been executed.
            if staged.off == 0 && client.has_content(self.target, &hash)? {
                client.note_change();
                return client.abort(self.up);
            }
            self.uncertain_commit = None;
        }
        self.go_on_from(&staged)?;
        self.append_all(client)?;
        self.commit(client)
    }

    /// [UP-5] What is staged counts only when it is the beginning of what was read; what follows is sent again.
    fn go_on_from(&mut self, staged: &Staged) -> Result<(), ClientError> {
        while self.acknowledged < staged.off {
            let Some(piece) = self.unanswered.front() else { break };
            if self.acknowledged + piece.len() as u64 > staged.off {
                break;
            }
            self.acknowledge();
        }
        if self.acknowledged == staged.off && self.hasher.finalize().as_bytes() == staged.hash.as_bytes() {
            return Ok(());
        }
        Err(ClientError::NotVerified {
            path: self.target.to_string(),
            reason: "the server lost a part of the upload, and a stream cannot be read again".to_owned(),
        })
    }

    fn acknowledge(&mut self) {
        if let Some(piece) = self.unanswered.pop_front() {
            self.hasher.update(&piece);
            self.acknowledged += piece.len() as u64;
        }
    }

    fn append_all(&mut self, client: &mut FileClient) -> Result<(), ClientError> {
        let mut off = self.acknowledged;
        client.observer().resume(Phase::Transferring, Some(self.target), None, off);
        // What the last session left unanswered goes first.
        let mut again: VecDeque<_> = self.unanswered.iter().map(Arc::clone).collect();
        let mut first = None;
        let mut in_flight = 0usize;
        loop {
            if client.has_room() && (!again.is_empty() || !self.is_at_end) {
                let piece = match again.pop_front() {
                    Some(piece) => piece,
                    None => match self.read_piece(client)? {
                        Some(piece) => piece,
                        None => continue,
                    },
                };
                client.await_rate(piece.len() as u64)?;
                let len = piece.len() as u64;
                let seq = client.submit(Operation::Append { up: self.up, off }, Payload::Bytes(piece))?;
                first.get_or_insert(seq);
                off += len;
                in_flight += 1;
                continue;
            }
            if in_flight == 0 {
                return Ok(());
            }
            let completion = client.next_completion()?;
            // Of what a call before gave up on.
            if first.is_none_or(|first| completion.seq < first) {
                continue;
            }
            in_flight -= 1;
            match completion.result {
                Ok((Answer::Offset(end), _)) => {
                    while self.acknowledged < end && !self.unanswered.is_empty() {
                        self.acknowledge();
                    }
                    client.observer().advance(completion.payload_len as u64);
                }
                Ok((other, _)) => return Err(super::unexpected("append", &other)),
                Err(refusal) => {
                    client.discard_outstanding()?;
                    return Err(self.refused(refusal));
                }
            }
        }
    }

    /// The next piece of the stream, as long as there is one; none, too, where the stream has come to its end.
    fn read_piece(&mut self, client: &mut FileClient) -> Result<Option<Arc<[u8]>>, ClientError> {
        let mut bytes = vec![0; client.piece()];
        let mut len = 0;
        while len < bytes.len() {
            match self.source.read(&mut bytes[len..]) {
                Ok(0) => {
                    self.is_at_end = true;
                    break;
                }
                Ok(count) => len += count,
                // What is there goes now: the next bytes may be long in coming.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && len > 0 => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(ClientError::local(STREAM, error)),
            }
            client.keep_session()?;
        }
        if len == 0 {
            return Ok(None);
        }
        bytes.truncate(len);
        let piece: Arc<[u8]> = bytes.into();
        self.unanswered.push_back(Arc::clone(&piece));
        self.read += len as u64;
        Ok(Some(piece))
    }

    fn commit(&mut self, client: &mut FileClient) -> Result<(), ClientError> {
        client.observer().enter(Phase::Committing, Some(self.target), Some(self.read));
        let hash = Digest::new(*self.hasher.finalize().as_bytes());
        let (up, size, pre) = (self.up, self.read, self.pre.clone());
        match client.attempt(Operation::Commit { up, size, hash, pre, mtime_ns: None }, Payload::None) {
            Ok((Answer::Entry(_), _)) => Ok(()),
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

    fn refused(&self, refusal: Refusal) -> ClientError {
        match (&refusal.code, &refusal.detail) {
            (Code::NoUpload, _) | (Code::Offset, Detail::Offset(_)) => {
                ClientError::SessionLost { reason: format!("the staged upload is gone ({})", refusal.code) }
            }
            (Code::Digest, _) => ClientError::NotVerified {
                path: self.target.to_string(),
                reason: "the server received other bytes than were read here".to_owned(),
            },
            _ => ClientError::Refused { operation: "upload", path: self.target.to_string(), refusal },
        }
    }
}
