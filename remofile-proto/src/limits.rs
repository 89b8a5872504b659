//! The limits of version 1, each with its unit.

/// The first item of every header.
pub const MAGIC: &str = "rmf1";
/// The largest integer on the wire: also the largest offset, length and size in bytes.
pub const INTEGER: u64 = i64::MAX as u64;
/// How deep arrays and maps nest; the header's own array counts as 1.
pub const NESTING: usize = 8;
/// The longest map key in bytes.
pub const KEY: usize = 23;
/// The largest request header in bytes.
pub const HEADER: usize = 65_536;
/// The smallest limit on request headers that a server may announce, in bytes.
pub const HEADER_MIN: usize = 16_384;
/// The smallest chunk that a server may announce, in bytes; the limit until hello is answered.
pub const CHUNK_MIN: u64 = 65_536;
/// The default chunk, in bytes.
pub const CHUNK_DEFAULT: u64 = 262_144;
/// The largest chunk that a server may announce, in bytes.
pub const CHUNK_MAX: u64 = 1_048_576;
/// The default window, in requests that may be unanswered at once.
pub const WINDOW: u64 = 64;
/// The largest window that a server may announce, in requests.
pub const WINDOW_MAX: u64 = 1_024;
/// Requests that may follow an unanswered hello [SES-11].
pub const BEFORE_HELLO_REPLY: u64 = 2;
/// The longest name in bytes.
pub const NAME: usize = 255;
/// The longest path in bytes; also the longest `after` of list.
pub const PATH: usize = 4096;
/// The most names in a path.
pub const DEPTH: usize = 128;
/// The longest name of a client in bytes.
pub const CLIENT: usize = 128;
/// The largest number that a reply can have as its code.
pub const CODE: u64 = 255;
/// Members of `caps` that a client keeps; it ignores further ones.
pub const CAPS: usize = 256;
/// The default lease, in milliseconds.
pub const LEASE_MS: u64 = 30_000;
/// The shortest lease that a client can ask for, in milliseconds.
pub const LEASE_MIN_MS: u64 = 1_000;
/// Ended sessions that a server remembers.
pub const ENDED_SESSIONS: usize = 1_024;
/// Staged uploads on one server.
pub const UPLOADS: usize = 64;
/// How long the server keeps a staged upload that is not used, in milliseconds: seven days.
pub const UPLOAD_AGE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The two limits that a server announces and checks requests against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload in bytes, and the largest `len` of a read.
    pub chunk: u64,
    /// The largest request header in bytes.
    pub header: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { chunk: CHUNK_DEFAULT, header: HEADER }
    }
}
