//! Calls that rename, copy and change in place, and those on ranges.

use super::{ClientError, FileClient, payload::Payload};
use remofile_proto::{Answer, Entry, Etag, HashResult, Operation, Precondition, ReadResult, RemotePath, UploadEntry};

/// No list of staged uploads takes more memory than this, in bytes: servers keep a few dozen.
const UPLOADS_MAX: usize = 16 << 20;

impl FileClient {
    /// Gives what is at `from`, of whatever kind, the name `to`, atomically (MOVE-1). With `etag` only a file of that
    /// version is moved.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `from`; by the target rules for `to` and `pre`; CHANGED for another etag; LOOP
    /// where `to` is `from` or below it; DENIED across file systems.
    pub fn rename(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        pre: Precondition,
        etag: Option<Etag>,
    ) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Move { from: from.clone(), to: to.clone(), pre, etag }, Payload::None)
    }

    /// Makes `to` a file of the content and modification time of `from`, on the server and atomically (COPY-1).
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules for `from`; by the target rules for `to` and `pre`; CHANGED for another etag or
    /// where `from` changes meanwhile; LOOP where `to` is `from` or below it.
    pub fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        pre: Precondition,
        etag: Option<Etag>,
    ) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Copy { from: from.clone(), to: to.clone(), pre, etag }, Payload::None)
    }

    /// At most `len` bytes from `off`, as many as one chunk takes; fewer than both only at the end of the file, and
    /// none after it. Offsets and lengths are in bytes.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules; CHANGED where the file has another etag than `etag`.
    pub fn read(
        &self,
        path: &RemotePath,
        off: u64,
        len: u64,
        etag: Option<Etag>,
    ) -> Result<(Vec<u8>, ReadResult), ClientError> {
        let len = len.min(self.chunk() as u64);
        match self
            .for_call()
            .call_resolved_with_content(Operation::Read { path: path.clone(), off, len, etag }, Payload::None)?
        {
            (Answer::Read(read), Some(bytes)) => Ok((bytes.to_vec(), read)),
            (other, _) => Err(super::unexpected("read", &other)),
        }
    }

    /// Writes at most a chunk of bytes into a file in place, from `off` in bytes; it never creates one.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules; CHANGED for another etag than `etag`; DENIED for a file with several hard links;
    /// TOO_LARGE above a chunk or the server's largest file; [`ClientError::InDoubt`] where the session was lost and
    /// the file has changed since.
    pub fn write(&self, path: &RemotePath, off: u64, bytes: Vec<u8>, etag: Option<Etag>) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Write { path: path.clone(), off, etag }, Payload::from_bytes(bytes))
    }

    /// Cuts a file off at `size` bytes, or fills it up to there with zeros; it never creates one.
    ///
    /// # Errors
    /// Those of [`FileClient::write`].
    pub fn truncate(&self, path: &RemotePath, size: u64, etag: Option<Etag>) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Truncate { path: path.clone(), size, etag }, Payload::None)
    }

    /// The BLAKE3 hash of `len` bytes from `off`, or of as many as there are; without `len` up to the end.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules; CHANGED where the file changed while it was read.
    pub fn hash_range(&self, path: &RemotePath, off: u64, len: Option<u64>) -> Result<HashResult, ClientError> {
        match self.for_call().call_resolved(Operation::Hash { path: path.clone(), off, len }, Payload::None)? {
            Answer::Hash(hash) => Ok(hash),
            other => Err(super::unexpected("hash", &other)),
        }
    }

    /// All staged uploads, of whatever session, in the order of their ids.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] for a list of more than 16 MiB; those of the connection.
    pub fn uploads(&self) -> Result<Vec<UploadEntry>, ClientError> {
        let mut all: Vec<UploadEntry> = Vec::new();
        let mut held = 0;
        loop {
            let after = all.last().map(|upload| upload.up);
            let page = match self.for_call().call_resolved(Operation::Uploads { after }, Payload::None)? {
                Answer::Uploads(page) => page,
                other => return Err(super::unexpected("uploads", &other)),
            };
            let goes_on =
                page.uploads.last().is_some_and(|last| after.is_none_or(|after| after.as_bytes() < last.up.as_bytes()));
            if page.more && !goes_on {
                return Err(ClientError::Protocol { reason: "a list of uploads that does not go on".to_owned() });
            }
            held +=
                page.uploads.iter().map(|upload| upload.path.as_str().len() + size_of::<UploadEntry>()).sum::<usize>();
            if held > UPLOADS_MAX {
                return Err(ClientError::Protocol { reason: "a list of uploads without end".to_owned() });
            }
            all.extend(page.uploads);
            if !page.more {
                return Ok(all);
            }
        }
    }
}
