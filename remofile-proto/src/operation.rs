//! The operations of version 1: their arguments, and the table of what else is to be known about each.

mod table;

pub use table::{OPERATIONS, OperationClass, OperationInfo, OperationKind, PayloadFrame, Recovery, UploadEffect};

use crate::{Digest, Etag, RemotePath, SessionId, UploadId};
use alloc::string::String;

/// What a target must be for an operation to replace or create it (spec section "Target rules").
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing may be there: the default.
    #[default]
    Absent,
    /// Nothing or a file may be there.
    Any,
    /// The file with this etag must be there.
    Etag(Etag),
}

/// The arguments of `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// HMAC-SHA256 over the magic and the session id.
    pub auth: [u8; 32],
    /// A name for people, at most 128 bytes.
    pub client: String,
    /// The session that this one takes over.
    pub take: Option<SessionId>,
    /// The lease that the client asks for, in milliseconds.
    pub lease_ms: Option<u64>,
}

/// An operation with its arguments; a payload is a frame of its own.
///
/// Offsets, lengths and sizes are in bytes and at most 2^63 - 1, alone and as `off + len`. A new operation is a breaking
/// change: every `match` on operations has to decide about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields carry the names and meanings of spec section 'Operations'")]
pub enum Operation {
    /// Opens a session.
    Hello(Hello),
    /// Renews the lease.
    Ping,
    /// Ends the session.
    Bye,
    /// Looks at one entry.
    Stat { path: RemotePath },
    /// Lists a directory or tree, a page at a time.
    List { path: RemotePath, after: Option<String>, limit: Option<u64>, tree: bool },
    /// Reads a range of a file.
    Read { path: RemotePath, off: u64, len: u64, etag: Option<Etag> },
    /// Hashes a range of a file; without `len` to its end.
    Hash { path: RemotePath, off: u64, len: Option<u64> },
    /// Makes a directory.
    Mkdir { path: RemotePath },
    /// Makes or replaces a small file in one step.
    Put { path: RemotePath, pre: Precondition, mtime_ns: Option<i64> },
    /// Writes into a file in place.
    Write { path: RemotePath, off: u64, etag: Option<Etag> },
    /// Sets a file's size in place.
    Truncate { path: RemotePath, size: u64, etag: Option<Etag> },
    /// Sets a modification time.
    Touch { path: RemotePath, mtime_ns: i64 },
    /// Removes a file, link, special file or empty directory.
    Remove { path: RemotePath, etag: Option<Etag> },
    /// Renames.
    Move { from: RemotePath, to: RemotePath, pre: Precondition, etag: Option<Etag> },
    /// Copies a file.
    Copy { from: RemotePath, to: RemotePath, pre: Precondition, etag: Option<Etag> },
    /// Begins an upload or goes on with one.
    Begin { up: UploadId, path: RemotePath, size: Option<u64> },
    /// Appends to an upload.
    Append { up: UploadId, off: u64 },
    /// Makes an upload visible under its final name.
    Commit { up: UploadId, size: u64, hash: Digest, pre: Precondition, mtime_ns: Option<i64> },
    /// Discards an upload.
    Abort { up: UploadId },
    /// Lists staged uploads.
    Uploads { after: Option<UploadId> },
    /// Makes everything executed so far durable.
    Flush,
}

impl Operation {
    /// Which operation it is.
    #[must_use]
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Hello(_) => OperationKind::Hello,
            Self::Ping => OperationKind::Ping,
            Self::Bye => OperationKind::Bye,
            Self::Stat { .. } => OperationKind::Stat,
            Self::List { .. } => OperationKind::List,
            Self::Read { .. } => OperationKind::Read,
            Self::Hash { .. } => OperationKind::Hash,
            Self::Mkdir { .. } => OperationKind::Mkdir,
            Self::Put { .. } => OperationKind::Put,
            Self::Write { .. } => OperationKind::Write,
            Self::Truncate { .. } => OperationKind::Truncate,
            Self::Touch { .. } => OperationKind::Touch,
            Self::Remove { .. } => OperationKind::Remove,
            Self::Move { .. } => OperationKind::Move,
            Self::Copy { .. } => OperationKind::Copy,
            Self::Begin { .. } => OperationKind::Begin,
            Self::Append { .. } => OperationKind::Append,
            Self::Commit { .. } => OperationKind::Commit,
            Self::Abort { .. } => OperationKind::Abort,
            Self::Uploads { .. } => OperationKind::Uploads,
            Self::Flush => OperationKind::Flush,
        }
    }

    /// The row of the table of operations.
    #[must_use]
    pub const fn info(&self) -> &'static OperationInfo {
        self.kind().info()
    }

    /// The name in the header.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.info().name
    }

    /// The path that it names; `from` where it names two.
    #[must_use]
    pub const fn path(&self) -> Option<&RemotePath> {
        match self {
            Self::Stat { path }
            | Self::List { path, .. }
            | Self::Read { path, .. }
            | Self::Hash { path, .. }
            | Self::Mkdir { path }
            | Self::Put { path, .. }
            | Self::Write { path, .. }
            | Self::Truncate { path, .. }
            | Self::Touch { path, .. }
            | Self::Remove { path, .. }
            | Self::Move { from: path, .. }
            | Self::Copy { from: path, .. }
            | Self::Begin { path, .. } => Some(path),
            Self::Hello(_)
            | Self::Ping
            | Self::Bye
            | Self::Append { .. }
            | Self::Commit { .. }
            | Self::Abort { .. }
            | Self::Uploads { .. }
            | Self::Flush => None,
        }
    }

    /// The second path that it names: the `to` of `move` and `copy`.
    #[must_use]
    pub const fn target(&self) -> Option<&RemotePath> {
        match self {
            Self::Move { to, .. } | Self::Copy { to, .. } => Some(to),
            Self::Hello(_)
            | Self::Ping
            | Self::Bye
            | Self::Stat { .. }
            | Self::List { .. }
            | Self::Read { .. }
            | Self::Hash { .. }
            | Self::Mkdir { .. }
            | Self::Put { .. }
            | Self::Write { .. }
            | Self::Truncate { .. }
            | Self::Touch { .. }
            | Self::Remove { .. }
            | Self::Begin { .. }
            | Self::Append { .. }
            | Self::Commit { .. }
            | Self::Abort { .. }
            | Self::Uploads { .. }
            | Self::Flush => None,
        }
    }

    /// The upload that it acts on.
    #[must_use]
    pub const fn up(&self) -> Option<UploadId> {
        match self {
            Self::Begin { up, .. } | Self::Append { up, .. } | Self::Commit { up, .. } | Self::Abort { up } => {
                Some(*up)
            }
            Self::Hello(_)
            | Self::Ping
            | Self::Bye
            | Self::Stat { .. }
            | Self::List { .. }
            | Self::Read { .. }
            | Self::Hash { .. }
            | Self::Mkdir { .. }
            | Self::Put { .. }
            | Self::Write { .. }
            | Self::Truncate { .. }
            | Self::Touch { .. }
            | Self::Remove { .. }
            | Self::Move { .. }
            | Self::Copy { .. }
            | Self::Uploads { .. }
            | Self::Flush => None,
        }
    }
}
