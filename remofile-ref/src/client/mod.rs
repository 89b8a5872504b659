//! The client: calls that block, over one session that is opened again when it is lost.

mod cancel;
mod channel;
mod congestion;
mod connect;
mod download;
mod durability;
mod error;
mod io_error;
pub(crate) mod listing;
pub(crate) mod local_file;
mod operations;
mod options;
mod partial_downloads;
pub(crate) mod partial_file;
pub(crate) mod payload;
mod progress;
mod rate_limiter;
mod recovery;
mod remote_file;
mod stream_transfer;
mod transfer;
mod transfer_options;
mod tree;
mod upload;

pub use cancel::Cancel;
pub use error::ClientError;
pub use listing::RemoteListing;
pub use options::ClientOptions;
pub use partial_downloads::{PartialDownload, partial_downloads};
pub use progress::{Phase, Progress, TreeProgress};
pub use remote_file::RemoteFile;
pub use transfer_options::{ItemOutcome, Planned, Replace, SkipReason, TransferItem, TransferOptions};
pub use tree::{TreeRemoved, TreeTransferred};
pub(crate) use tree::{concerns_one_item, pipeline};

use crate::transport::Endpoint;
use channel::{Channel, Completion};
use payload::{Content, Payload};
use rate_limiter::RateLimiter;
use remofile_proto::{
    Answer, Code, Entry, Etag, HashResult, Kind, Operation, Precondition, Refusal, RemotePath, Token, UploadId, Welcome,
};
use std::time::Duration;

/// A client of one server, with a session of its own.
///
/// Every call blocks until it is answered or fails. Dropping it ends the session without waiting; [`FileClient::bye`]
/// waits until the server has let go.
///
/// ```
/// use remofile::{FileClient, FileServer, RemotePath, Precondition, generate_token};
///
/// # let directory = tempfile::tempdir()?;
/// # let token = generate_token();
/// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| server.run());
/// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = FileClient::new(endpoint, token)?; // "localhost:6768" and a text do as well
/// client.mkdir(&RemotePath::parse("/documents")?)?;
/// client.upload("Cargo.toml", "/documents")?;
/// client.put(&RemotePath::parse("/hello.txt")?, b"hello".to_vec(), Precondition::Absent, None)?;
/// for entry in client.list(&Path::root(), true) {
///     println!("{}", entry?.name); // documents, documents/Cargo.toml, hello.txt
/// }
/// client.bye();
/// # Ok(())
/// # })();
/// # stop.stop();
/// # result
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// There is no connection to look after: a session that is lost, because the connection broke, the server was started
/// again or another client took it over and left, is opened again, and what was unanswered is settled by the rules of
/// the protocol. What cannot be settled is [`ClientError::InDoubt`]. Every call ends: see [`ClientOptions::timeout`] and
/// [`Cancel`].
#[derive(Debug)]
pub struct FileClient {
    channel: Channel,
    /// While a call keeps content to a rate.
    limiter: Option<RateLimiter>,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// What was there before.
    pub status: TransferStatus,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// How many bytes of content were sent or received for it.
    pub transferred: u64,
}

/// What was there before a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStatus {
    /// Nothing that could be used.
    New,
    /// A part, and it was continued.
    Resumed,
    /// The same content: nothing was transferred.
    Unchanged,
    /// A file of a later modification time, which stays ([`Replace::Older`]): nothing was transferred.
    Newer,
}

impl FileClient {
    /// Connects and opens a session.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::TokenRefused`], [`ClientError::NotRemofile`] or
    /// [`ClientError::Busy`], each within the connect timeout.
    pub fn connect(endpoint: &Endpoint, token: &Token, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::over(Channel::open(endpoint, token, options)?))
    }

    /// What the server said to hello.
    #[must_use]
    pub fn welcome(&self) -> &Welcome {
        self.channel.welcome()
    }

    /// Looks at one entry.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is there.
    pub fn stat(&mut self, path: &RemotePath) -> Result<Entry, ClientError> {
        self.entry(Operation::Stat { path: path.clone() }, Payload::None)
    }

    /// Lists a directory, or with `tree` everything below it, a page at a time.
    pub fn list(&mut self, path: &RemotePath, tree: bool) -> RemoteListing<'_> {
        RemoteListing::new(self, path.clone(), tree)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// EXISTS where anything is there.
    pub fn mkdir(&mut self, path: &RemotePath) -> Result<Entry, ClientError> {
        self.entry(Operation::Mkdir { path: path.clone() }, Payload::None)
    }

    /// Makes or replaces a file of at most one chunk.
    ///
    /// # Errors
    /// By the target rules; TOO_LARGE above a chunk.
    pub fn put(
        &mut self,
        path: &RemotePath,
        content: Vec<u8>,
        pre: Precondition,
        mtime_ns: Option<i64>,
    ) -> Result<Entry, ClientError> {
        self.entry(Operation::Put { path: path.clone(), pre, mtime_ns }, Payload::from_bytes(content))
    }

    /// Sets the modification time, in nanoseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is there.
    pub fn touch(&mut self, path: &RemotePath, mtime_ns: i64) -> Result<Entry, ClientError> {
        self.entry(Operation::Touch { path: path.clone(), mtime_ns }, Payload::None)
    }

    /// The BLAKE3 hash of a whole file.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules.
    pub fn hash(&mut self, path: &RemotePath) -> Result<HashResult, ClientError> {
        match self.call_resolved(Operation::Hash { path: path.clone(), off: 0, len: None }, Payload::None)? {
            Answer::Hash(hash) => Ok(hash),
            other => Err(unexpected("hash", &other)),
        }
    }

    /// Removes a file, link, special file or empty directory.
    ///
    /// # Errors
    /// NOT_FOUND, NOT_EMPTY, or CHANGED where it has another etag.
    pub fn remove(&mut self, path: &RemotePath, etag: Option<Etag>) -> Result<(), ClientError> {
        self.empty(Operation::Remove { path: path.clone(), etag })
    }

    /// Discards a staged upload, of whatever session.
    ///
    /// # Errors
    /// DENIED on a read-only server.
    pub fn abort(&mut self, up: UploadId) -> Result<(), ClientError> {
        self.empty(Operation::Abort { up })
    }

    /// Makes everything executed so far durable [DUR-2].
    ///
    /// # Errors
    /// INTERNAL where the server's disk failed. [`ClientError::NotFlushed`] where changes were acknowledged by a server
    /// process that ended before they were flushed [DUR-6]: what a look finds to be there after this error is durable.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.empty(Operation::Flush)?;
        if self.channel.flushed() { Ok(()) } else { Err(ClientError::NotFlushed) }
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`ClientError::SessionLost`] where another client took the session over.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        self.channel.ping()
    }

    /// Has calls from here on ended by `cancel`, in place of what ended them before.
    pub fn set_cancel(&mut self, cancel: Cancel) {
        self.channel.set_cancel(cancel);
    }

    /// Ends the session as [`FileClient::bye`] does, and waits no longer than `limit`, however silent the server is: for
    /// programs that have been told to stop.
    pub fn bye_within(mut self, limit: Duration) {
        self.within(limit, |client| client.channel.bye_cancellable());
        // A bye that was sent without being waited for still leaves; what a silent server does not take stays behind.
        self.channel.linger_at_most(limit);
    }

    /// Calls within `call` end when this time is over, and in no other way.
    fn within<T>(&mut self, limit: Duration, call: impl FnOnce(&mut Self) -> T) -> T {
        let cancel = self.channel.replace_cancel(Cancel::after(limit));
        let result = call(self);
        self.channel.replace_cancel(cancel);
        result
    }

    /// Ends the session and waits a little until the server has let go of it; a server that does not answer lets go
    /// when the lease ends.
    pub fn bye(mut self) {
        self.channel.bye();
    }

    fn over(channel: Channel) -> Self {
        Self { channel, limiter: None }
    }

    /// Opens a new session after the old one was lost.
    fn reopen(&mut self) -> Result<(), ClientError> {
        self.channel.reopen()
    }

    fn keep_session(&mut self) -> Result<(), ClientError> {
        self.channel.keep_session()
    }

    /// Renews the lease like [`FileClient::keep_session`]; a session that is lost is for the next request to find.
    pub(crate) fn keep_alive(&mut self) -> Result<(), ClientError> {
        match self.channel.keep_session() {
            Err(ClientError::SessionLost { .. }) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn chunk(&self) -> usize {
        self.channel.chunk()
    }

    fn has_room(&self) -> bool {
        self.channel.has_room()
    }

    fn in_flight_limit(&self) -> u64 {
        self.channel.in_flight_limit()
    }

    fn can_submit(&self) -> bool {
        self.channel.can_submit()
    }

    fn submit(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        self.channel.submit(operation, payload)
    }

    fn submit_of_many(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        self.channel.submit_of_many(operation, payload)
    }

    fn next_completion(&mut self) -> Result<Completion, ClientError> {
        self.channel.next_completion()
    }

    fn discard_completions(&mut self, unanswered: usize) -> Result<(), ClientError> {
        for _ in 0..unanswered {
            self.channel.next_completion()?;
        }
        Ok(())
    }

    /// Sends one request and waits for its answer; nothing else is unanswered meanwhile.
    fn call(&mut self, operation: Operation, payload: Payload) -> Result<(Answer, Option<Content>), ClientError> {
        self.attempt(operation, payload).map_err(|failed| failed.error)
    }

    /// Like [`FileClient::call`], and tells whether the request may have been executed all the same.
    fn attempt(&mut self, operation: Operation, payload: Payload) -> Result<(Answer, Option<Content>), FailedRequest> {
        let (name, path) = (operation.name(), path_of(&operation));
        let seq = self.submit(operation, payload)?;
        loop {
            // Answers to what a transfer gave up on are not news.
            match self.next_completion() {
                Ok(Completion { seq: answered, .. }) if answered != seq => {}
                Ok(completion) => {
                    let refused = |refusal| ClientError::Refused { operation: name, path, refusal };
                    return Ok(completion.result.map_err(refused)?);
                }
                Err(error) => {
                    return Err(FailedRequest { error, is_uncertain: self.channel.may_have_been_executed(seq) });
                }
            }
        }
    }

    /// A call whose progress begins with nothing known.
    pub(crate) fn observed<T, E>(&mut self, call: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.observer().leave();
        let result = call(self);
        self.observer().leave();
        result
    }

    pub(crate) fn flush_observed(&mut self, path: Option<&RemotePath>) -> Result<(), ClientError> {
        self.observer().enter(Phase::Flushing, path, None);
        self.flush()
    }

    fn entry(&mut self, operation: Operation, payload: Payload) -> Result<Entry, ClientError> {
        let name = operation.name();
        match self.call_resolved(operation, payload)? {
            Answer::Entry(entry) => Ok(entry),
            other => Err(unexpected(name, &other)),
        }
    }

    fn empty(&mut self, operation: Operation) -> Result<(), ClientError> {
        let name = operation.name();
        match self.call_resolved(operation, Payload::None)? {
            Answer::Empty => Ok(()),
            other => Err(unexpected(name, &other)),
        }
    }
}

/// Why a request came to nothing, as far as that is known.
struct FailedRequest {
    error: ClientError,
    /// It may have been executed.
    is_uncertain: bool,
}

impl From<ClientError> for FailedRequest {
    fn from(error: ClientError) -> Self {
        Self { error, is_uncertain: false }
    }
}

impl Drop for FileClient {
    fn drop(&mut self) {
        self.channel.send_bye();
    }
}

/// A refusal that the client itself can foresee.
pub(crate) fn refused(operation: &'static str, path: &RemotePath, code: Code) -> ClientError {
    ClientError::Refused { operation, path: path.to_string(), refusal: Refusal::new(code) }
}

/// An answer of another operation's type: the codec reads answers by operation, so this is a fault of this crate.
pub(crate) fn unexpected(operation: &'static str, answer: &Answer) -> ClientError {
    ClientError::Protocol { reason: format!("{operation} was answered with {answer:?}") }
}

/// The path that a user knows an operation by.
fn subject(operation: &Operation) -> Option<&RemotePath> {
    match operation {
        Operation::Stat { path }
        | Operation::List { path, .. }
        | Operation::Read { path, .. }
        | Operation::Hash { path, .. }
        | Operation::Mkdir { path }
        | Operation::Put { path, .. }
        | Operation::Write { path, .. }
        | Operation::Truncate { path, .. }
        | Operation::Touch { path, .. }
        | Operation::Remove { path, .. }
        | Operation::Begin { path, .. } => Some(path),
        Operation::Move { from, .. } | Operation::Copy { from, .. } => Some(from),
        _ => None,
    }
}

/// The same as text, empty where it has none.
fn path_of(operation: &Operation) -> String {
    subject(operation).map(RemotePath::to_string).unwrap_or_default()
}
