//! Z85 (ZeroMQ RFC 32): 32-byte keys as 40 printable characters.

use alloc::string::String;

/// The length of a key as text.
pub const LEN: usize = 40;

const DIGITS: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Why a text is not a key. Carries nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Z85Error {
    /// Not 40 characters.
    #[error("a key has 40 characters, not {0}")]
    Length(usize),
    /// A character that is no digit of Z85.
    #[error("character {0} of the key is no digit of Z85")]
    Character(usize),
    /// Five digits that exceed 32 bits.
    #[error("the five characters from {0} on exceed 32 bits")]
    Range(usize),
}

/// The text of a key.
#[must_use]
pub fn encode(key: &[u8; 32]) -> String {
    let mut text = String::with_capacity(LEN);
    for word in key.chunks_exact(4) {
        let number = word.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        for power in [52_200_625, 614_125, 7_225, 85, 1] {
            text.push(char::from(DIGITS[(number / power % 85) as usize]));
        }
    }
    text
}

/// The key that a text stands for.
///
/// # Errors
/// The first character, counted from 1, at which it stops being a key.
pub fn decode(text: &str) -> Result<[u8; 32], Z85Error> {
    let len = text.chars().count();
    if len != LEN {
        return Err(Z85Error::Length(len));
    }
    let mut digits = [0_u32; LEN];
    for (index, (digit, character)) in digits.iter_mut().zip(text.chars()).enumerate() {
        *digit = DIGITS
            .iter()
            .zip(0..)
            .find_map(|(known, value)| (char::from(*known) == character).then_some(value))
            .ok_or(Z85Error::Character(index + 1))?;
    }
    let mut key = [0; 32];
    for (index, (word, five)) in key.chunks_exact_mut(4).zip(digits.chunks_exact(5)).enumerate() {
        let number = five.iter().try_fold(0_u32, |number, digit| number.checked_mul(85)?.checked_add(*digit));
        word.copy_from_slice(&number.ok_or(Z85Error::Range(index * 5 + 1))?.to_be_bytes());
    }
    Ok(key)
}
