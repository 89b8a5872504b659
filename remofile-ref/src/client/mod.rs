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
mod retry;
mod session;
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
use channel::{CallerId, Channel, Completion};
use parking_lot::MutexGuard;
use payload::{Content, Payload};
use progress::Observer;
use rate_limiter::RateLimiter;
use remofile_proto::{
    Answer, Code, Entry, Etag, HashResult, HelloReply, Kind, Operation, Precondition, Refusal, RemotePath, Token,
    UploadId,
};
use session::{HandleSettings, SharedSession};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A handle of one session with a server: cheap to clone, and to be used from several threads.
///
/// Every call blocks until it is answered or fails. Calls by one thread are executed in their order; those of several
/// threads, and of open files and listings, take turns between requests: a long download delays a short call by no more
/// than what is in flight. Clones share the session; each has its own [`FileClient::set_cancel`] and
/// [`FileClient::watch`]. Dropping the last handle, file and listing ends the session without waiting;
/// [`FileClient::bye`] waits until the server has released it.
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
/// let client = FileClient::new(endpoint, token)?; // "localhost:6768" and a text do as well
/// client.mkdir(&RemotePath::parse("/documents")?)?;
/// client.upload("Cargo.toml", "/documents")?;
/// client.put(&RemotePath::parse("/hello.txt")?, b"hello".to_vec(), Precondition::Absent, None)?;
/// for entry in client.list(&RemotePath::root(), true) {
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
    session: Arc<SharedSession>,
    settings: Arc<HandleSettings>,
    /// Whose requests and replies these are: of the handle, or of one of its calls.
    caller: CallerId,
    /// What ends this call in place of the handle's cancel.
    limit: Option<Cancel>,
    /// While a call keeps content to a rate.
    limiter: Option<RateLimiter>,
    /// When this call last looked whether the lease is to be renewed.
    checked_at: Instant,
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
        Self::over(Channel::open(endpoint, token, options)?)
    }

    /// What the server said to hello.
    #[must_use]
    pub fn welcome(&self) -> Arc<HelloReply> {
        self.session.welcome()
    }

    /// Looks at one entry.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is there.
    pub fn stat(&self, path: &RemotePath) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Stat { path: path.clone() }, Payload::None)
    }

    /// Lists a directory, or with `tree` everything below it, a page at a time.
    pub fn list(&self, path: &RemotePath, tree: bool) -> RemoteListing {
        RemoteListing::new(self.for_call(), path.clone(), tree)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// EXISTS where anything is there.
    pub fn mkdir(&self, path: &RemotePath) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Mkdir { path: path.clone() }, Payload::None)
    }

    /// Makes or replaces a file of at most one chunk.
    ///
    /// # Errors
    /// By the target rules; TOO_LARGE above a chunk.
    pub fn put(
        &self,
        path: &RemotePath,
        content: Vec<u8>,
        pre: Precondition,
        mtime_ns: Option<i64>,
    ) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Put { path: path.clone(), pre, mtime_ns }, Payload::from_bytes(content))
    }

    /// Sets the modification time, in nanoseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// NOT_FOUND where nothing is there.
    pub fn touch(&self, path: &RemotePath, mtime_ns: i64) -> Result<Entry, ClientError> {
        self.for_call().entry(Operation::Touch { path: path.clone(), mtime_ns }, Payload::None)
    }

    /// The BLAKE3 hash of a whole file.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules.
    pub fn hash(&self, path: &RemotePath) -> Result<HashResult, ClientError> {
        match self.for_call().call_resolved(Operation::Hash { path: path.clone(), off: 0, len: None }, Payload::None)? {
            Answer::Hash(hash) => Ok(hash),
            other => Err(unexpected("hash", &other)),
        }
    }

    /// Removes a file, link, special file or empty directory.
    ///
    /// # Errors
    /// NOT_FOUND, NOT_EMPTY, or CHANGED where it has another etag.
    pub fn remove(&self, path: &RemotePath, etag: Option<Etag>) -> Result<(), ClientError> {
        self.for_call().empty(Operation::Remove { path: path.clone(), etag })
    }

    /// Discards a staged upload, of whatever session.
    ///
    /// # Errors
    /// DENIED on a read-only server.
    pub fn abort(&self, up: UploadId) -> Result<(), ClientError> {
        self.for_call().empty(Operation::Abort { up })
    }

    /// Makes everything executed so far durable [DUR-2].
    ///
    /// # Errors
    /// INTERNAL where the server's disk failed. [`ClientError::NotFlushed`] where changes were acknowledged by a server
    /// process that ended before they were flushed [DUR-6]: what a look finds to be there after this error is durable.
    pub fn flush(&self) -> Result<(), ClientError> {
        self.for_call().empty(Operation::Flush)?;
        if self.note_flush()? { Ok(()) } else { Err(ClientError::NotFlushed) }
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`ClientError::SessionLost`] where another client took the session over.
    pub fn ping(&self) -> Result<(), ClientError> {
        self.send_ping()
    }

    /// Lets `cancel` end the calls of this handle, and of the files and listings that it opened, in place of what did so
    /// before.
    pub fn set_cancel(&self, cancel: Cancel) {
        *self.settings.cancel.lock() = cancel;
    }

    /// Ends the session as [`FileClient::bye`] does, and waits no longer than `limit`, however silent the server is: for
    /// programs that have to stop.
    pub fn bye_within(self, limit: Duration) {
        if let Some(mut channel) = self.into_channel() {
            channel.enter(0, &Cancel::after(limit));
            channel.bye_cancellable();
            // A bye that was sent without being waited for is still sent; what a silent server does not take is dropped.
            channel.linger_at_most(limit);
        }
    }

    /// Ends the session and waits a little until the server has released it; a server that does not answer releases it
    /// when the lease ends. While other handles, files or listings of the session are in use, it only drops this handle.
    pub fn bye(self) {
        if let Some(mut channel) = self.into_channel() {
            channel.bye();
        }
    }

    /// The channel, where this is the last handle.
    fn into_channel(self) -> Option<Channel> {
        let session = Arc::clone(&self.session);
        drop(self);
        Arc::into_inner(session).map(SharedSession::into_channel)
    }

    /// Calls within `call` end when this time is over, and in no other way.
    fn within<T>(&mut self, limit: Duration, call: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.limit.replace(Cancel::after(limit));
        let result = call(self);
        self.limit = before;
        result
    }

    fn over(channel: Channel) -> Result<Self, ClientError> {
        let cancel = channel.cancel();
        let session = SharedSession::new(channel)?;
        let caller = session.new_caller();
        let settings = HandleSettings::new(cancel);
        Ok(Self { session, settings, caller, limit: None, limiter: None, checked_at: Instant::now() })
    }

    /// Renews the lease like [`FileClient::keep_session`]; a session that is lost is for the next request to find.
    pub(crate) fn keep_alive(&mut self) -> Result<(), ClientError> {
        match self.keep_session() {
            Err(ClientError::SessionLost { .. }) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn observer(&self) -> MutexGuard<'_, Observer> {
        self.settings.observer.lock()
    }

    /// Sends one request and waits for its reply.
    fn call(&mut self, operation: Operation, payload: Payload) -> Result<(Answer, Option<Content>), ClientError> {
        self.attempt(operation, payload).map_err(|failed| failed.error)
    }

    /// Like [`FileClient::call`], and says whether a failed request may have been executed.
    fn attempt(&mut self, operation: Operation, payload: Payload) -> Result<(Answer, Option<Content>), FailedRequest> {
        let (name, path) = (operation.name(), path_of(&operation));
        let seq = self.submit(operation, payload)?;
        loop {
            match self.next_completion() {
                Ok(Completion { seq: answered, .. }) if answered != seq => {}
                Ok(completion) => {
                    let refused = |refusal| ClientError::Refused { operation: name, path, refusal };
                    return Ok(completion.result.map_err(refused)?);
                }
                Err(error) => {
                    return Err(FailedRequest { error, is_uncertain: self.may_have_been_executed(seq) });
                }
            }
        }
    }

    /// A call whose progress begins with nothing known.
    pub(crate) fn observed<T, E>(&self, call: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.observer().leave();
        let result = call(&mut self.for_call());
        self.observer().leave();
        result
    }

    pub(crate) fn flush_observed(&self, path: Option<&RemotePath>) -> Result<(), ClientError> {
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

/// The same session; what the clone is cancelled by is the same until either is given another one.
impl Clone for FileClient {
    fn clone(&self) -> Self {
        let mut clone = self.for_call();
        clone.settings = self.settings.for_clone();
        clone
    }
}

impl Drop for FileClient {
    fn drop(&mut self) {
        self.session.forget(self.caller);
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

/// The path that an operation names, as text; empty where it names none.
fn path_of(operation: &Operation) -> String {
    operation.path().map(RemotePath::to_string).unwrap_or_default()
}
