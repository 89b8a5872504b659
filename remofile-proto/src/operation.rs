//! The operations of version 1 and their arguments.

use crate::{Digest, Etag, Path, SessionId, UploadId};
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
    Stat { path: Path },
    /// Lists a directory or tree, a page at a time.
    List { path: Path, after: Option<String>, limit: Option<u64>, tree: bool },
    /// Reads a range of a file.
    Read { path: Path, off: u64, len: u64, etag: Option<Etag> },
    /// Hashes a range of a file; without `len` to its end.
    Hash { path: Path, off: u64, len: Option<u64> },
    /// Makes a directory.
    Mkdir { path: Path },
    /// Makes or replaces a small file in one step.
    Put { path: Path, pre: Precondition, mtime_ns: Option<i64> },
    /// Writes into a file in place.
    Write { path: Path, off: u64, etag: Option<Etag> },
    /// Sets a file's size in place.
    Truncate { path: Path, size: u64, etag: Option<Etag> },
    /// Sets a modification time.
    Touch { path: Path, mtime_ns: i64 },
    /// Removes a file, link, special file or empty directory.
    Remove { path: Path, etag: Option<Etag> },
    /// Renames.
    Move { from: Path, to: Path, pre: Precondition, etag: Option<Etag> },
    /// Copies a file.
    Copy { from: Path, to: Path, pre: Precondition, etag: Option<Etag> },
    /// Begins an upload or goes on with one.
    Begin { up: UploadId, path: Path, size: Option<u64> },
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
