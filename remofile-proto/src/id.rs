//! Identifiers and digests: byte strings of a fixed or bounded length.

use alloc::vec::Vec;
use core::fmt;

/// A byte string has a length that its type does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {actual} bytes long, not {expected}")]
pub struct IdError {
    /// The type that was wanted, for example `session`.
    pub what: &'static str,
    /// The length in bytes that was given.
    pub actual: usize,
    /// The lengths that are allowed.
    pub expected: &'static str,
}

macro_rules! fixed_bytes {
    ($($(#[$doc:meta])* $name:ident, $len:literal, $what:literal, $expected:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Wraps bytes of the right length.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self { Self(bytes) }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] { &self.0 }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError {
                    what: $what, actual: bytes.len(), expected: $expected,
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { hex(&self.0, f) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(", stringify!($name))?;
                hex(&self.0, f)?;
                f.write_str(")")
            }
        }
    )*};
}

fixed_bytes! {
    /// The random name that a client gives its session.
    SessionId, 16, "session", "16";
    /// The name that a client gives an upload.
    UploadId, 16, "up", "16";
    /// The name of one start of a server process.
    BootId, 16, "boot", "16";
    /// The name of a served directory, kept with it.
    RootId, 16, "root", "16";
    /// A BLAKE3 hash.
    Digest, 32, "hash", "32";
}

/// The version of a file's content, as its server names it: 1 to 64 bytes, compared only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Etag(Vec<u8>);

impl Etag {
    /// The longest etag in bytes.
    pub const MAX_LEN: usize = 64;

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Etag {
    type Error = IdError;
    fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
        if bytes.is_empty() || bytes.len() > Self::MAX_LEN {
            return Err(IdError { what: "etag", actual: bytes.len(), expected: "1 to 64" });
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Etag(")?;
        hex(&self.0, f)?;
        f.write_str(")")
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
