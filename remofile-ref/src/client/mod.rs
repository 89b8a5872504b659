//! The client: calls that block, over one session that is opened again when it is lost.

mod channel;
mod connect;
mod download;
mod error;
mod io_error;
mod listing;
mod operations;
mod options;
mod part;
mod payload;
mod remote_file;
mod settle;
mod source;
mod tree;
mod upload;

pub use error::ClientError;
pub use listing::RemoteListing;
pub use options::ClientOptions;
pub use remote_file::RemoteFile;
pub use tree::TreeTransferred;

use crate::transport::Endpoint;
use channel::{Channel, Completion};
use payload::{Content, Payload};
use remofile_proto::{
    Answer, Code, Entry, Etag, HashResult, Kind, Operation, Path, Precondition, Refusal, Token, UploadId, Welcome,
};

/// A client of one server, with a session of its own.
///
/// Every call blocks until it is answered or fails. Dropping it ends the session without waiting; [`FileClient::bye`]
/// waits until the server has let go.
///
/// ```no_run
/// use remofile::{ClientOptions, FileClient, Path, Precondition};
///
/// let endpoint = "localhost:6768".parse()?;
/// let token = "TTA3rMB8VtNYv25kdipkaJ".parse()?;
/// let mut client = FileClient::connect(&endpoint, &token, ClientOptions::new())?;
/// client.upload_file("ubuntu.iso".as_ref(), &Path::parse("/ubuntu.iso")?, Precondition::Absent)?;
/// client.bye();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileClient {
    channel: Channel,
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
}

impl FileClient {
    /// Connects and opens a session.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::TokenRefused`], [`ClientError::NotRemofile`] or
    /// [`ClientError::Busy`], each within the connect timeout.
    pub fn connect(endpoint: &Endpoint, token: &Token, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self { channel: Channel::open(endpoint, token, options)? })
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
    pub fn stat(&mut self, path: &Path) -> Result<Entry, ClientError> {
        self.entry(Operation::Stat { path: path.clone() }, Payload::None)
    }

    /// Lists a directory, or with `tree` everything below it, a page at a time.
    pub fn list(&mut self, path: &Path, tree: bool) -> RemoteListing<'_> {
        RemoteListing::new(self, path.clone(), tree)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// EXISTS where anything is there.
    pub fn mkdir(&mut self, path: &Path) -> Result<Entry, ClientError> {
        self.entry(Operation::Mkdir { path: path.clone() }, Payload::None)
    }

    /// Makes or replaces a file of at most one chunk.
    ///
    /// # Errors
    /// By the target rules; TOO_LARGE above a chunk.
    pub fn put(
        &mut self,
        path: &Path,
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
    pub fn touch(&mut self, path: &Path, mtime_ns: i64) -> Result<Entry, ClientError> {
        self.entry(Operation::Touch { path: path.clone(), mtime_ns }, Payload::None)
    }

    /// The BLAKE3 hash of a whole file.
    ///
    /// # Errors
    /// NOT_FOUND, or the kind rules.
    pub fn hash(&mut self, path: &Path) -> Result<HashResult, ClientError> {
        match self.settled(Operation::Hash { path: path.clone(), off: 0, len: None }, Payload::None)? {
            Answer::Hash(hash) => Ok(hash),
            other => Err(unexpected("hash", &other)),
        }
    }

    /// Removes a file, link, special file or empty directory.
    ///
    /// # Errors
    /// NOT_FOUND, NOT_EMPTY, or CHANGED where it has another etag.
    pub fn remove(&mut self, path: &Path, etag: Option<Etag>) -> Result<(), ClientError> {
        self.empty(Operation::Remove { path: path.clone(), etag })
    }

    /// Removes a directory with all it holds, or anything else.
    ///
    /// # Errors
    /// The first that is refused; what comes before it has been removed.
    pub fn remove_tree(&mut self, path: &Path) -> Result<(), ClientError> {
        if self.stat(path)?.kind == Kind::Dir {
            let mut below = Vec::new();
            for entry in self.list(path, true) {
                below.push(entry?.name);
            }
            // Children stand behind their directory in a listing.
            for name in below.iter().rev() {
                let child = path.join(name).map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                match self.remove(&child, None) {
                    Err(error) if error.is_not_found() => {}
                    result => result?,
                }
            }
        }
        self.remove(path, None)
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
    /// INTERNAL where the server's disk failed.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.empty(Operation::Flush)
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// [`ClientError::SessionLost`] where another client took the session over.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        self.channel.ping()
    }

    /// Ends the session and waits a little until the server has let go of it; a server that does not answer lets go
    /// when the lease ends.
    pub fn bye(mut self) {
        self.channel.bye();
    }

    /// Opens a new session after the old one was lost.
    fn reopen(&mut self) -> Result<(), ClientError> {
        self.channel.reopen()
    }

    fn keep_session(&mut self) -> Result<(), ClientError> {
        self.channel.keep_session()
    }

    fn chunk(&self) -> usize {
        self.channel.chunk()
    }

    fn has_room(&self) -> bool {
        self.channel.has_room()
    }

    fn can_submit(&self) -> bool {
        self.channel.can_submit()
    }

    fn submit(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        self.channel.submit(operation, payload)
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
        let (name, path) = (operation.name(), path_of(&operation));
        let seq = self.submit(operation, payload)?;
        loop {
            // Answers to what a transfer gave up on are not news.
            let completion = self.next_completion()?;
            if completion.seq == seq {
                let refused = |refusal| ClientError::Refused { operation: name, path, refusal };
                return completion.result.map_err(refused);
            }
        }
    }

    fn entry(&mut self, operation: Operation, payload: Payload) -> Result<Entry, ClientError> {
        let name = operation.name();
        match self.settled(operation, payload)? {
            Answer::Entry(entry) => Ok(entry),
            other => Err(unexpected(name, &other)),
        }
    }

    fn empty(&mut self, operation: Operation) -> Result<(), ClientError> {
        let name = operation.name();
        match self.settled(operation, Payload::None)? {
            Answer::Empty => Ok(()),
            other => Err(unexpected(name, &other)),
        }
    }
}

impl Drop for FileClient {
    fn drop(&mut self) {
        self.channel.send_bye();
    }
}

/// A refusal that the client itself can foresee.
fn refused(operation: &'static str, path: &Path, code: Code) -> ClientError {
    ClientError::Refused { operation, path: path.to_string(), refusal: Refusal::new(code) }
}

/// An answer of another operation's type: the codec reads answers by operation, so this is a fault of this crate.
fn unexpected(operation: &'static str, answer: &Answer) -> ClientError {
    ClientError::Protocol { reason: format!("{operation} was answered with {answer:?}") }
}

/// The path that a user knows an operation by; empty where it has none.
fn path_of(operation: &Operation) -> String {
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
        | Operation::Begin { path, .. } => path.to_string(),
        Operation::Move { from, .. } | Operation::Copy { from, .. } => from.to_string(),
        _ => String::new(),
    }
}
