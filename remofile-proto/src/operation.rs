//! The operations of version 1 and their arguments.

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

/// An operation with its arguments; payloads ride beside it in a frame of their own.
///
/// Offsets, lengths and sizes are in bytes and at most 2^63 - 1, alone and as `off + len`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// The name of every operation.
    pub const NAMES: &'static [&'static str] = &[
        "hello", "ping", "bye", "stat", "list", "read", "hash", "mkdir", "put", "write", "truncate", "touch", "remove",
        "move", "copy", "begin", "append", "commit", "abort", "uploads", "flush",
    ];

    /// The name as it stands in the header.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Ping => "ping",
            Self::Bye => "bye",
            Self::Stat { .. } => "stat",
            Self::List { .. } => "list",
            Self::Read { .. } => "read",
            Self::Hash { .. } => "hash",
            Self::Mkdir { .. } => "mkdir",
            Self::Put { .. } => "put",
            Self::Write { .. } => "write",
            Self::Truncate { .. } => "truncate",
            Self::Touch { .. } => "touch",
            Self::Remove { .. } => "remove",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Begin { .. } => "begin",
            Self::Append { .. } => "append",
            Self::Commit { .. } => "commit",
            Self::Abort { .. } => "abort",
            Self::Uploads { .. } => "uploads",
            Self::Flush => "flush",
        }
    }

    /// Whether the request has a payload frame.
    #[must_use]
    pub fn has_payload(&self) -> bool {
        has_payload(self.name())
    }

    /// Whether it stands outside the numbering: hello, ping and bye.
    #[must_use]
    pub fn is_unnumbered(&self) -> bool {
        is_unnumbered(self.name())
    }

    /// Whether neither the session nor anything below the served directory is changed by it.
    ///
    /// Of the numbered operations these are the ones that a read-only server executes.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::Stat { .. }
                | Self::List { .. }
                | Self::Read { .. }
                | Self::Hash { .. }
                | Self::Uploads { .. }
                | Self::Flush
        )
    }

    /// Whether a server may execute it again on a resend instead of remembering the reply.
    #[must_use]
    pub fn is_recomputed(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::List { .. } | Self::Uploads { .. })
    }
}

/// Whether requests of this operation have a payload frame; unknown operations have none.
#[must_use]
pub fn has_payload(op: &str) -> bool {
    matches!(op, "put" | "write" | "append")
}

/// Whether this operation stands outside the numbering.
#[must_use]
pub fn is_unnumbered(op: &str) -> bool {
    matches!(op, "hello" | "ping" | "bye")
}
