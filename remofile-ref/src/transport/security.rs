//! Keys and the choice between CURVE and nothing; there is no default ([CURVE-1], [CURVE-4]).

use std::fmt;
use zeroize::Zeroizing;

/// A CURVE key, public or secret, as 32 raw bytes. Secret ones are wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CurveKey(Zeroizing<[u8; 32]>);

impl CurveKey {
    /// Wraps the bytes of a key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CurveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CurveKey(..)")
    }
}

/// How a server's socket is secured.
#[derive(Clone, Debug)]
pub enum ServerSecurity {
    /// CURVE: the server proves its key, and one client key is admitted.
    Curve {
        /// The server's secret key: derived from the token, or its own.
        secret: CurveKey,
        /// The client's public key, derived from the token.
        admitted: CurveKey,
    },
    /// No security: every peer that can reach the socket can send messages, and nothing is encrypted.
    Null,
}

/// How a client's socket is secured.
#[derive(Clone, Debug)]
pub enum ClientSecurity {
    /// CURVE: the client proves its key and accepts one server key.
    Curve {
        /// The server's public key: derived from the token, or pinned.
        server: CurveKey,
        /// The client's public key.
        public: CurveKey,
        /// The client's secret key, derived from the token.
        secret: CurveKey,
    },
    /// No security: the server is not authenticated, and nothing is encrypted.
    Null,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", CurveKey::new([7; 32])), "CurveKey(..)");
    }
}
