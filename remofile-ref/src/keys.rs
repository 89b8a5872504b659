//! New tokens and key pairs, from the operating system's randomness.

use remofile_proto::{KeyPair, Token};
#[cfg(feature = "transport")]
use remofile_proto::{SessionId, UploadId};
use zeroize::Zeroizing;

/// A new token of 128 bits, as 22 characters without look-alikes [KEY-2]. It is all that a client needs, and never
/// shown by `Debug`: [`Token::reveal`] gives the text.
///
/// # Panics
/// If the operating system has no randomness to give; nothing could be secured then.
///
/// ```
/// assert_eq!(remofile::generate_token().reveal().len(), 22);
/// ```
#[must_use]
pub fn generate_token() -> Token {
    loop {
        // Refused about once in 10^12 draws, for too few distinct characters [KEY-1].
        if let Ok(token) = Token::from_random_bytes(random()) {
            return token;
        }
    }
}

/// A new key pair for a server that is not to be impersonated by those who know its token: it takes the pair by
/// [`FileServer::key_pair`](crate::FileServer::key_pair), and its clients the public key by
/// [`ClientOptions::server_key`](crate::ClientOptions::server_key).
///
/// ```
/// use remofile_proto::z85;
///
/// let keys = remofile::generate_keys();
/// assert_eq!(z85::decode(&z85::encode(keys.public()))?, *keys.public()); // as people pass it on: 40 characters
/// # Ok::<(), z85::Z85Error>(())
/// ```
///
/// # Panics
/// If the operating system has no randomness to give.
#[must_use]
pub fn generate_keys() -> KeyPair {
    KeyPair::from_secret(*Zeroizing::new(random::<32>()))
}

/// A session id that was never used [SES-1].
#[cfg(feature = "transport")]
pub(crate) fn new_session() -> SessionId {
    SessionId::new(random())
}

/// An upload id for a source that cannot be read again [UP-7].
#[cfg(feature = "transport")]
pub(crate) fn new_upload() -> UploadId {
    UploadId::new(random())
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
