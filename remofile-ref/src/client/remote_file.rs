//! A file on the server as `Read`, `Write` and `Seek`.

mod std_io;

use super::{
    ClientError, FileClient,
    payload::{Content, Payload},
    recovery::uncertain,
    retry::Retry,
};
use remofile_proto::{Answer, Code, Entry, Etag, Kind, Operation, Precondition, Refusal, RemotePath};
use std::collections::VecDeque;

/// How much the first read at a new place asks for at least, in bytes.
const FIRST_READ: usize = 64 << 10;

/// An open file on the server. Several may be open at once, in one thread or several; each keeps the session open.
///
/// Reads are requested ahead of the caller and writes are sent without being waited for, so that [`std::io::copy`] keeps
/// several chunks in flight. Reads are all of one version: where the file is changed by anybody else, they fail with
/// CHANGED, as [`std::io::ErrorKind::InvalidData`], until it is opened again. Writes go in place to whatever file stands at the
/// path, and the version that the last of them made is the one that is read from then on.
///
/// An error of a write is reported by one of the calls after it, at the latest by [`RemoteFile::close`] or
/// [`std::io::Write::flush`]; writes after the failed one may have been executed. Errors of `std::io` carry the
/// [`ClientError`] inside. Dropping the file without closing it sends what was written, and an error is only logged.
///
/// ```
/// use remofile::{ClientOptions, FileClient, FileServer, RemotePath, Precondition, generate_token};
/// use std::io::{Read, Seek, Write};
///
/// # let directory = tempfile::tempdir()?;
/// let token = generate_token();
/// let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// std::thread::scope(|scope| {
///     scope.spawn(|| server.run());
///     let result = (|| -> Result<(), Box<dyn std::error::Error>> {
///         let client = FileClient::connect(&endpoint, &token, ClientOptions::new())?;
///         let mut file = client.create_file(&RemotePath::parse("/notes.txt")?, Precondition::Absent)?;
///         file.write_all(b"out there")?;
///         file.rewind()?;
///         let mut text = String::new();
///         file.read_to_string(&mut text)?;
///         assert_eq!(text, "out there");
///         file.close()?;
///         Ok(client.bye())
///     })();
///     stop.stop();
///     result
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RemoteFile {
    client: FileClient,
    path: RemotePath,
    /// The version that is read; unknown after an error of a write.
    etag: Option<Etag>,
    size: u64,
    position: u64,
    /// Where the last read ended.
    read_end: u64,
    /// How many reads may be under way: doubled while they follow one another.
    depth: usize,
    /// Neighbours, in order.
    reads: VecDeque<PendingRead>,
    /// Written by the caller, and not sent yet.
    buffer: Vec<u8>,
    buffer_off: u64,
    /// From the lowest unanswered one on.
    writes: VecDeque<PendingWrite>,
    /// Requests without an answer, abandoned reads included.
    unanswered: usize,
    /// Of a write, and not reported yet.
    failed: Option<ClientError>,
    /// Bytes of content that were received and sent.
    transferred: u64,
    /// Bytes that were written and answered, from the first on; it stays once a write failed.
    confirmed: u64,
    /// A write failed or is uncertain: nothing after it is confirmed.
    has_gap: bool,
}

#[derive(Debug)]
struct PendingRead {
    seq: u64,
    off: u64,
    len: usize,
    result: Option<Result<Content, Refusal>>,
}

#[derive(Debug)]
struct PendingWrite {
    /// None while it is to be sent.
    seq: Option<u64>,
    operation: Operation,
    payload: Payload,
    /// What came of it, nothing where it was refused; it stays until all before it are answered.
    answer: Option<Option<Entry>>,
}

impl FileClient {
    /// Opens a file that is there for reading and for writing in place.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is there, NOT_FILE for a directory, UNSUPPORTED_KIND for links and special files.
    pub fn open_file(&self, path: &RemotePath) -> Result<RemoteFile, ClientError> {
        let entry = self.stat_file(path)?;
        Ok(RemoteFile::new(self.for_call(), path.clone(), entry))
    }

    /// Makes an empty file, or empties the one that `pre` allows to replace, and opens it.
    ///
    /// # Errors
    /// By the target rules.
    pub fn create_file(&self, path: &RemotePath, pre: Precondition) -> Result<RemoteFile, ClientError> {
        let entry = self.put(path, Vec::new(), pre, None)?;
        Ok(RemoteFile::new(self.for_call(), path.clone(), entry))
    }

    fn stat_file(&self, path: &RemotePath) -> Result<Entry, ClientError> {
        let entry = self.stat(path)?;
        match entry.kind {
            Kind::File => Ok(entry),
            Kind::Dir => Err(super::refused("open", path, Code::NotFile)),
            _ => Err(super::refused("open", path, Code::UnsupportedKind)),
        }
    }
}

impl RemoteFile {
    fn new(client: FileClient, path: RemotePath, entry: Entry) -> Self {
        let mut file = Self {
            client,
            path,
            etag: None,
            size: 0,
            position: 0,
            read_end: 0,
            depth: 1,
            reads: VecDeque::new(),
            buffer: Vec::new(),
            buffer_off: 0,
            writes: VecDeque::new(),
            unanswered: 0,
            failed: None,
            transferred: 0,
            confirmed: 0,
            has_gap: false,
        };
        file.note(entry);
        file
    }

    /// The size in bytes, with what was written through this file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes of content were received and sent through this file, those included that were read ahead.
    #[must_use]
    pub fn transferred(&self) -> u64 {
        self.transferred
    }

    /// How many bytes of those that were written are certain to be in the file, counted in the order of writing up to the
    /// first that failed or is not answered yet.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Does what is due while its caller has nothing to read or write: sends what was written, and renews the lease
    /// when that is needed. To be called several times in a third of the lease.
    ///
    /// # Errors
    /// Of writes before it; [`ClientError::Cancelled`].
    pub fn idle(&mut self) -> Result<(), ClientError> {
        self.finish_writes()?;
        match self.client.keep_session() {
            // The next read or write opens another one.
            Err(ClientError::SessionLost { .. } | ClientError::TimedOut { .. }) => Ok(()),
            result => result,
        }
    }

    /// Reads from `off` in bytes without moving the position; 0 bytes at the end of the version that is read, or
    /// after it. What was written before is on the server by then.
    ///
    /// # Errors
    /// CHANGED where anybody else changed the file; of writes before it; those of [`FileClient::read`].
    pub fn read_at(&mut self, buf: &mut [u8], off: u64) -> Result<usize, ClientError> {
        self.finish_writes()?;
        if self.etag.is_none() {
            self.refresh()?;
        }
        if buf.is_empty() || off >= self.size {
            return Ok(0);
        }
        let mut retry = Retry::default();
        loop {
            match self.read_ahead(buf, off) {
                Err(error @ ClientError::SessionLost { .. }) => self.reopen(&mut retry, error)?,
                result => return result,
            }
        }
    }

    /// Takes bytes to be written from `off` in bytes without moving the position, at most a chunk of them.
    ///
    /// # Errors
    /// Of writes before it. Its own are reported later.
    pub fn write_at(&mut self, buf: &[u8], off: u64) -> Result<usize, ClientError> {
        self.report()?;
        self.reads.clear();
        let chunk = self.client.chunk();
        let follows = off == self.buffer_off + self.buffer.len() as u64;
        if !self.buffer.is_empty() && (!follows || self.buffer.len() >= chunk) {
            self.send_buffer()?;
        }
        if self.buffer.is_empty() {
            self.buffer_off = off;
        }
        let taken = buf.len().min(chunk - self.buffer.len());
        self.buffer.extend_from_slice(&buf[..taken]);
        if taken > 0 {
            self.size = self.size.max(off.saturating_add(taken as u64));
        }
        if self.buffer.len() >= chunk {
            self.send_buffer()?;
        }
        Ok(taken)
    }

    /// Cuts the file off at `size` bytes, or fills it up to there with zeros; the position stays.
    ///
    /// # Errors
    /// Of writes before it, and those of [`FileClient::truncate`].
    pub fn set_len(&mut self, size: u64) -> Result<(), ClientError> {
        self.finish_writes()?;
        self.reads.clear();
        let entry = self.client.truncate(&self.path, size, None)?;
        self.note(entry);
        Ok(())
    }

    /// Waits until everything written has been executed. It is durable after [`std::io::Write::flush`].
    ///
    /// # Errors
    /// Of writes that were not reported before.
    pub fn close(mut self) -> Result<(), ClientError> {
        let result = self.finish_writes();
        self.buffer.clear();
        self.writes.clear();
        result
    }

    fn read_ahead(&mut self, buf: &mut [u8], off: u64) -> Result<usize, ClientError> {
        while self.reads.front().is_some_and(|front| off >= front.off + front.len as u64) {
            self.reads.pop_front();
        }
        if self.reads.front().is_some_and(|front| off < front.off) {
            self.reads.clear();
        }
        self.request_ahead(off, buf.len())?;
        while self.reads.front().is_some_and(|front| front.result.is_none()) {
            self.take_completion()?;
        }
        let Some(PendingRead { off: at, len, result: Some(result), .. }) = self.reads.front() else {
            return Err(ClientError::Protocol { reason: "a read without an answer".to_owned() });
        };
        match result {
            Ok(content) if content.len() == *len => {
                let rest = usize::try_from(off - at).map_or(&[][..], |skip| &content[skip..]);
                let count = rest.len().min(buf.len());
                buf[..count].copy_from_slice(&rest[..count]);
                self.read_end = off + count as u64;
                Ok(count)
            }
            Ok(_) => Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() }),
            Err(refusal) => {
                let refusal = refusal.clone();
                self.reads.clear();
                Err(ClientError::Refused { operation: "read", path: self.path.to_string(), refusal })
            }
        }
    }

    /// Asks for what is at `off`, and for more after it while reads follow one another.
    fn request_ahead(&mut self, off: u64, wanted: usize) -> Result<(), ClientError> {
        let chunk = self.client.chunk();
        let sequential = off == self.read_end;
        let most = usize::try_from(self.client.in_flight_limit()).map_or(2, |limit| limit / chunk).max(2);
        if self.reads.is_empty() && !sequential {
            self.depth = 1;
        }
        let mut next = self.reads.back().map_or(off, |last| last.off + last.len as u64);
        let mut asked = false;
        while next < self.size && (self.reads.is_empty() || (self.reads.len() < self.depth && self.client.has_room())) {
            let len = if sequential { chunk } else { wanted.max(FIRST_READ).min(chunk) };
            let len = usize::try_from(self.size - next).map_or(len, |rest| rest.min(len));
            let read = Operation::Read { path: self.path.clone(), off: next, len: len as u64, etag: self.etag.clone() };
            let seq = self.submit(read, Payload::None)?;
            self.reads.push_back(PendingRead { seq, off: next, len, result: None });
            next += len as u64;
            asked = true;
        }
        if asked && sequential {
            self.depth = (self.depth * 2).min(most);
        }
        Ok(())
    }

    /// Sends what the caller wrote, and waits only for room.
    fn send_buffer(&mut self) -> Result<(), ClientError> {
        if !self.buffer.is_empty() {
            let operation = Operation::Write { path: self.path.clone(), off: self.buffer_off, etag: None };
            let payload = Payload::from_bytes(std::mem::take(&mut self.buffer));
            self.writes.push_back(PendingWrite { seq: None, operation, payload, answer: None });
        }
        self.with_retry(Self::send_writes)
    }

    fn send_writes(&mut self) -> Result<(), ClientError> {
        while let Some(next) = self.writes.iter().position(|write| write.seq.is_none()) {
            if self.unanswered > 0 && !self.client.has_room() {
                self.take_completion()?;
                continue;
            }
            let (operation, payload) = (self.writes[next].operation.clone(), self.writes[next].payload.clone());
            self.writes[next].seq = Some(self.submit(operation, payload)?);
        }
        Ok(())
    }

    /// Sends what is buffered, waits for all writes, and reports the first error among them.
    fn finish_writes(&mut self) -> Result<(), ClientError> {
        self.report()?;
        self.send_buffer()?;
        self.with_retry(|file| {
            file.send_writes()?;
            while !file.writes.is_empty() {
                file.take_completion()?;
            }
            Ok(())
        })?;
        self.report()
    }

    fn report(&mut self) -> Result<(), ClientError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn submit(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        let seq = self.client.submit(operation, payload)?;
        self.unanswered += 1;
        Ok(seq)
    }

    fn take_completion(&mut self) -> Result<(), ClientError> {
        let completion = self.client.next_completion()?;
        self.unanswered = self.unanswered.saturating_sub(1);
        let received = completion.result.as_ref().map_or(0, |(_, content)| content.as_ref().map_or(0, |it| it.len()));
        self.transferred += (received + completion.payload_len) as u64;
        if let Some(read) = self.reads.iter_mut().find(|read| read.seq == completion.seq) {
            read.result = Some(match completion.result {
                Ok((Answer::Read(_), Some(content))) => Ok(content),
                Ok((other, _)) => return Err(super::unexpected("read", &other)),
                Err(refusal) => Err(refusal),
            });
        } else if let Some(write) = self.writes.iter_mut().find(|write| write.seq == Some(completion.seq)) {
            write.answer = Some(match completion.result {
                Ok((Answer::Entry(entry), _)) => Some(entry),
                Ok((other, _)) => return Err(super::unexpected("write", &other)),
                Err(refusal) => {
                    let path = self.path.to_string();
                    self.failed.get_or_insert(ClientError::Refused { operation: "write", path, refusal });
                    None
                }
            });
            self.retire_answered();
        }
        Ok(())
    }

    fn retire_answered(&mut self) {
        while let Some(answer) = self.writes.front().and_then(|write| write.answer.clone()) {
            let len = self.writes.pop_front().map_or(0, |write| write.payload.len());
            self.has_gap |= answer.is_none();
            if !self.has_gap {
                self.confirmed += len as u64;
            }
            match answer {
                Some(entry) if self.writes.is_empty() => self.note(entry),
                Some(_) => {}
                None => self.etag = None,
            }
        }
    }

    fn note(&mut self, entry: Entry) {
        let buffered = if self.buffer.is_empty() { 0 } else { self.buffer_off + self.buffer.len() as u64 };
        self.size = entry.size.unwrap_or(0).max(buffered);
        self.etag = entry.etag;
    }

    fn refresh(&mut self) -> Result<(), ClientError> {
        let entry = self.client.stat_file(&self.path)?;
        self.note(entry);
        Ok(())
    }

    /// Does it again in a new session where the old one is lost.
    fn with_retry(&mut self, act: impl Fn(&mut Self) -> Result<(), ClientError>) -> Result<(), ClientError> {
        let mut retry = Retry::default();
        loop {
            match act(self) {
                Err(error @ ClientError::SessionLost { .. }) => match self.reopen(&mut retry, error) {
                    Err(ClientError::SessionLost { .. }) => return Err(self.uncertain()),
                    result => result?,
                },
                result => return result,
            }
        }
    }

    /// Opens a new session, and prepares what has to be sent again in it [LOST-2].
    fn reopen(&mut self, retry: &mut Retry, error: ClientError) -> Result<(), ClientError> {
        self.reads.clear();
        self.unanswered = 0;
        // Sent again, a write would go over later ones that have been executed.
        let was_reordered = self.writes.iter().any(|write| write.answer.is_some());
        for write in &mut self.writes {
            write.seq = None;
        }
        if was_reordered {
            let uncertain = self.uncertain();
            self.failed.get_or_insert(uncertain);
        }
        retry.after(&mut self.client, error, 0)?;
        self.report()
    }

    /// Gives up the writes without an answer [LOST-1].
    fn uncertain(&mut self) -> ClientError {
        self.etag = None;
        self.has_gap = true;
        match self.writes.drain(..).next() {
            Some(write) => uncertain(&write.operation),
            None => ClientError::SessionLost { reason: "it was lost again and again".to_owned() },
        }
    }
}
