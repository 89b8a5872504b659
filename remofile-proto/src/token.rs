//! Tokens and the keys derived from them: CURVE key pairs and the key of hello's `auth`.

use crate::{SessionId, limits};
use alloc::{string::String, string::ToString};
use core::fmt;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const SALT: &[u8] = b"remofile/1";

/// The 57 letters of generated tokens: without 0 and O, 1, I and l.
const LETTERS: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A shared secret: 22 to 128 of `0-9A-Za-z`, at least 8 of them distinct. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Token(String);

/// Why a text is not a token. Carries nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Shorter than 22 or longer than 128 characters.
    #[error("a token has 22 to 128 characters, not {0}")]
    Length(usize),
    /// A character that is neither a digit nor an ASCII letter.
    #[error("a token has only digits and ASCII letters, and character {0} is neither")]
    Character(usize),
    /// Fewer than 8 distinct characters.
    #[error("a token has at least 8 distinct characters, not {0}")]
    Distinct(usize),
}

impl Token {
    /// The length of a generated token in characters.
    pub const GENERATED_LEN: usize = 22;
    /// The greatest length in characters.
    pub const MAX_LEN: usize = 128;
    /// The least number of distinct characters.
    pub const MIN_DISTINCT: usize = 8;

    /// Checks a text.
    ///
    /// # Errors
    /// The first rule that it breaks: length, characters, distinct characters.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let len = text.chars().count();
        if !(Self::GENERATED_LEN..=Self::MAX_LEN).contains(&len) {
            return Err(TokenError::Length(len));
        }
        if let Some(index) = text.chars().position(|character| !character.is_ascii_alphanumeric()) {
            return Err(TokenError::Character(index + 1));
        }
        let seen = text.bytes().fold(0_u128, |seen, byte| seen | 1 << byte);
        let distinct = seen.count_ones() as usize;
        if distinct < Self::MIN_DISTINCT {
            return Err(TokenError::Distinct(distinct));
        }
        Ok(Self(text.to_string()))
    }

    /// Makes a token of 22 letters from 128 random bits of the operating system.
    ///
    /// The bits are one number, and the letters its digits to the base of 57, most significant
    /// first. 57^22 exceeds 2^128, so no two numbers give the same token, nothing is drawn twice
    /// and no letter is the remainder of a byte: all 128 bits are in the token.
    ///
    /// # Errors
    /// Fewer than 8 letters are distinct, once in about 10^12 draws: draw again.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Result<Self, TokenError> {
        let mut number = Zeroizing::new(u128::from_be_bytes(bytes));
        let mut digits = Zeroizing::new([0_u8; Self::GENERATED_LEN]);
        for digit in digits.iter_mut().rev() {
            *digit = LETTERS[(*number % 57) as usize];
            *number /= 57;
        }
        let text: Zeroizing<String> = Zeroizing::new(digits.iter().map(|digit| char::from(*digit)).collect());
        Self::parse(&text)
    }

    /// The secret text. Not to be logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// A CURVE key pair in the form of libzmq. The secret is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyPair {
    secret: [u8; 32],
    public: [u8; 32],
}

impl KeyPair {
    /// The pair of a secret key: the public one is X25519 of it and the base point, as in
    /// libsodium's `crypto_box` [KEY-6].
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Self {
        let public = PublicKey::from(&StaticSecret::from(secret)).to_bytes();
        Self { secret, public }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The secret key. Not to be logged.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &crate::z85::encode(&self.public)).finish_non_exhaustive()
    }
}

/// What both ends derive from a token.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The server's key pair, unless it has a random one that clients pin.
    pub server: KeyPair,
    /// The key pair of every client.
    pub client: KeyPair,
    /// The key of hello's `auth`.
    pub hello: HelloKey,
}

impl Keys {
    /// HKDF-SHA256 over the token's bytes [KEY-5].
    #[must_use]
    pub fn derive(token: &Token) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(SALT), token.0.as_bytes());
        Self {
            server: KeyPair::from_secret(expand(&hkdf, b"server curve")),
            client: KeyPair::from_secret(expand(&hkdf, b"client curve")),
            hello: HelloKey(expand(&hkdf, b"hello auth")),
        }
    }
}

/// The key of hello's `auth`. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HelloKey([u8; 32]);

impl HelloKey {
    /// HMAC-SHA256 over the magic and the session id [KEY-7].
    #[must_use]
    pub fn auth(&self, session: SessionId) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(limits::MAGIC.as_bytes());
        mac.update(session.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Whether `auth` is right for this session, in a time that does not depend on it [KEY-8].
    #[must_use]
    pub fn verify(&self, session: SessionId, auth: &[u8; 32]) -> bool {
        self.auth(session).ct_eq(auth).into()
    }
}

impl fmt::Debug for HelloKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HelloKey(redacted)")
    }
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    hkdf.expand(info, &mut key).expect("32 bytes are fewer than 255 hashes");
    key
}
