//! What replies carry: results of operations, and refusals.

use crate::{BootId, Capabilities, Code, Digest, Etag, RemotePath, RootId, SessionId, UploadId};
use alloc::{string::String, vec::Vec};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, never followed.
    Link,
    /// A FIFO, socket, device, or a kind that a later version adds.
    Other,
}

/// What the server says about a file, directory, link or special file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// The size in bytes; files only.
    pub size: Option<u64>,
    /// Modification time in nanoseconds since 1970-01-01T00:00:00Z; files and directories.
    pub mtime_ns: Option<i64>,
    /// The version of the content; files only.
    pub etag: Option<Etag>,
    /// Changed so recently that a further change may leave the etag unchanged.
    pub racy: bool,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEntry {
    /// The name, or in a tree listing the path relative to the listed directory.
    pub name: String,
    /// What it is.
    pub entry: Entry,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Listing {
    /// In listing order.
    pub entries: Vec<ListedEntry>,
    /// Whether entries follow this page.
    pub more: bool,
    /// How many names were left out between `after` and the end of the page.
    pub skipped: u64,
}

/// The result of READ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResult {
    /// The file's etag, taken after the bytes.
    pub etag: Etag,
    /// The file's size in bytes.
    pub size: u64,
}

/// The result of HASH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashResult {
    /// BLAKE3 of the range.
    pub hash: Digest,
    /// How many bytes the range had.
    pub len: u64,
    /// The file's etag, taken after the bytes.
    pub etag: Etag,
}

/// The result of BEGIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// How many bytes are staged.
    pub off: u64,
    /// BLAKE3 of the staged bytes.
    pub hash: Digest,
}

/// A staged upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadEntry {
    /// The id that its client gave it.
    pub up: UploadId,
    /// The target.
    pub path: RemotePath,
    /// How many bytes are staged.
    pub off: u64,
    /// The size that BEGIN announced, in bytes.
    pub size: Option<u64>,
    /// Milliseconds since it was last touched.
    pub age_ms: u64,
}

/// One page of staged uploads.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Uploads {
    /// In the order of their ids.
    pub uploads: Vec<UploadEntry>,
    /// Whether uploads follow this page.
    pub more: bool,
}

/// Which names the server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Everything that the protocol allows.
    Posix,
    /// Those that the rules of Windows allow too [PATH-9].
    Windows,
}

/// The result of HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloReply {
    /// How many requests may be unanswered at once; also how many replies the server remembers.
    pub window: u64,
    /// The largest payload in bytes.
    pub chunk: u64,
    /// The largest request header in bytes.
    pub header: u64,
    /// The lease in milliseconds.
    pub lease_ms: u64,
    /// Identifies this start of the server.
    pub boot: BootId,
    /// Identifies the served directory; absent where the server cannot keep one.
    pub root: Option<RootId>,
    /// Which names the server accepts.
    pub names: Names,
    /// Whether names that differ only in case or normalisation are one entry.
    pub folds: bool,
    /// Whether the server refuses every change.
    pub ro: bool,
    /// The extensions that the server announces.
    pub caps: Capabilities,
}

/// The client that holds the session, in a reply BUSY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Milliseconds since the holder's last request.
    pub idle_ms: u64,
    /// The holder's lease in milliseconds.
    pub lease_ms: u64,
    /// The name that the holder gave itself.
    pub client: String,
    /// The holder's session, for `take`.
    pub session: SessionId,
}

/// What a reply with code OK carries, by operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// An empty result: ping, bye, remove, abort, flush.
    Empty,
    /// hello.
    Hello(HelloReply),
    /// stat, mkdir, put, write, truncate, touch, move, copy, commit: under the key `entry`.
    Entry(Entry),
    /// list.
    Listing(Listing),
    /// read; the bytes are the payload frame.
    Read(ReadResult),
    /// hash.
    Hash(HashResult),
    /// begin.
    Staged(Staged),
    /// append: the offset after the appended bytes.
    Offset(u64),
    /// uploads.
    Uploads(Uploads),
}

/// What a refusal carries in addition to its code.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// BUSY.
    Busy(Busy),
    /// SEQ: the number that the server executes next.
    Next(u64),
    /// OFFSET: how many bytes are staged.
    Offset(u64),
    /// PENDING: the progress, in bytes or items.
    Progress {
        /// How much is done.
        done: Option<u64>,
        /// How much there is to do.
        total: Option<u64>,
    },
}

/// An answer other than OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Never [`Code::Ok`].
    pub code: Code,
    /// The result keys of the code.
    pub detail: Detail,
    /// A message for the user; never a path outside the served directory [CODE-3].
    pub msg: Option<String>,
}

impl Refusal {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: Detail::None, msg: None }
    }

    /// A refusal with a message for the user.
    #[must_use]
    pub fn because(code: Code, msg: impl Into<String>) -> Self {
        Self { code, detail: Detail::None, msg: Some(msg.into()) }
    }
}
