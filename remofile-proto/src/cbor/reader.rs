//! The strict reader: one pass over the bytes, no allocation, a bounded depth.

use super::value::{Array, Map, Value};
use super::{MAJOR_ARRAY, MAJOR_BYTES, MAJOR_MAP, MAJOR_NEGATIVE, MAJOR_TAG, MAJOR_TEXT, MAJOR_UNSIGNED};
use crate::limits;

/// Bytes are not one value of the profile in its one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where the item begins that is wrong, in bytes from the start.
    pub offset: usize,
}

/// What is wrong with bytes that are not one value of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ends inside an item, or an item announces more than there is.
    #[error("an item that goes beyond the end")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes after the value")]
    Trailing,
    /// A number, length or count is not written in its shortest form.
    #[error("a number not in its shortest form")]
    LongNumber,
    /// An integer below -2^63 or above 2^63 - 1.
    #[error("an integer beyond 64 bits with sign")]
    IntegerRange,
    /// An item of indefinite length, or a break.
    #[error("an indefinite length")]
    Indefinite,
    /// A head that CBOR reserves.
    #[error("a reserved head")]
    Reserved,
    /// A tag; bignums are tags.
    #[error("a tag")]
    Tag,
    /// A floating-point number.
    #[error("a floating-point number")]
    Float,
    /// Null, undefined or another simple value that is no boolean.
    #[error("a simple value other than a boolean")]
    Simple,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    Utf8,
    /// A map key that is not text.
    #[error("a map key that is not text")]
    KeyType,
    /// A map key of 24 bytes or more.
    #[error("a map key longer than 23 bytes")]
    KeyLength,
    /// A map key that sorts before the one in front of it.
    #[error("a map key out of order")]
    KeyOrder,
    /// A map key that is there twice.
    #[error("a map key that is there twice")]
    KeyTwice,
    /// More than eight arrays and maps inside each other.
    #[error("an array or map nested too deep")]
    Depth,
}

/// Reads input that is exactly one value.
///
/// Nothing is allocated, whatever the input announces.
///
/// # Errors
/// The first thing in the input that breaks [CBOR-1] to [CBOR-9].
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, Error> {
    let mut reader = Reader::new(bytes, limits::NESTING);
    let value = reader.value()?;
    if reader.at < bytes.len() {
        return Err(Error { kind: ErrorKind::Trailing, offset: reader.at });
    }
    Ok(value)
}

/// A position in bytes from which values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many arrays and maps may still be entered.
    depth: usize,
}

/// The first bytes of an item: its major type and its number, length or count.
struct Head {
    major: u8,
    number: u64,
}

const BOOL: u8 = 7;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], depth: usize) -> Self {
        Self { bytes, at: 0, depth }
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Reads and checks a value with everything in it.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, Error> {
        let start = self.at;
        let head = self.head()?;
        match head.major {
            MAJOR_UNSIGNED | MAJOR_NEGATIVE => {
                let number = i64::try_from(head.number).map_err(|_| at(ErrorKind::IntegerRange, start))?;
                Ok(Value::Int(if head.major == MAJOR_UNSIGNED { number } else { !number }))
            }
            MAJOR_BYTES => Ok(Value::Bytes(self.take(head.number, start)?)),
            MAJOR_TEXT => Ok(Value::Text(self.text(head.number, start)?)),
            MAJOR_ARRAY => self.array(head.number, start),
            MAJOR_MAP => self.map(head.number, start),
            MAJOR_TAG => Err(at(ErrorKind::Tag, start)),
            _ => Ok(Value::Bool(head.number == 1)),
        }
    }

    /// Reads a value whose bytes were checked before, without looking into arrays and maps again.
    pub(crate) fn checked_value(&mut self) -> Result<Value<'a>, Error> {
        let start = self.at;
        let head = self.head()?;
        let (items, len) = match head.major {
            MAJOR_ARRAY => (head.number, self.count(head.number, 1, start)?),
            MAJOR_MAP => (head.number.saturating_mul(2), self.count(head.number, 2, start)?),
            _ => {
                self.at = start;
                return self.value();
            }
        };
        let mut inside = self.enter(start)?;
        inside.skip(items)?;
        let view = self.leave(inside);
        Ok(if head.major == MAJOR_ARRAY {
            Value::Array(Array { elements: view, len })
        } else {
            Value::Map(Map { entries: view, len })
        })
    }

    /// Reads a map key that was checked before, as bytes.
    pub(crate) fn checked_key(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        let head = self.head()?;
        self.take(head.number, start)
    }

    /// Goes past so many items that were checked before, with everything in them.
    pub(crate) fn skip(&mut self, items: u64) -> Result<(), Error> {
        let mut left = items;
        while left > 0 {
            left -= 1;
            let start = self.at;
            let head = self.head()?;
            match head.major {
                MAJOR_BYTES | MAJOR_TEXT => _ = self.take(head.number, start)?,
                MAJOR_ARRAY => left = left.saturating_add(head.number),
                MAJOR_MAP => left = left.saturating_add(head.number.saturating_mul(2)),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Reads and checks a map key; `previous` is the key in front of it.
    fn key(&mut self, previous: Option<&str>) -> Result<&'a str, Error> {
        let start = self.at;
        let head = self.head()?;
        if head.major != MAJOR_TEXT {
            return Err(at(ErrorKind::KeyType, start));
        }
        if head.number > limits::KEY as u64 {
            return Err(at(ErrorKind::KeyLength, start));
        }
        let key = self.text(head.number, start)?;
        match previous.map(|previous| key_order(previous, key)) {
            Some(core::cmp::Ordering::Equal) => Err(at(ErrorKind::KeyTwice, start)),
            Some(core::cmp::Ordering::Greater) => Err(at(ErrorKind::KeyOrder, start)),
            _ => Ok(key),
        }
    }

    /// Reads an unsigned integer of up to 64 bits, more than a value may have.
    pub(crate) fn unsigned(&mut self) -> Result<u64, Error> {
        let start = self.at;
        let head = self.head()?;
        if head.major == MAJOR_UNSIGNED { Ok(head.number) } else { Err(at(ErrorKind::IntegerRange, start)) }
    }

    fn array(&mut self, count: u64, start: usize) -> Result<Value<'a>, Error> {
        let mut inside = self.enter(start)?;
        let len = self.count(count, 1, start)?;
        for _ in 0..len {
            inside.value()?;
        }
        Ok(Value::Array(Array { elements: self.leave(inside), len }))
    }

    fn map(&mut self, count: u64, start: usize) -> Result<Value<'a>, Error> {
        let mut inside = self.enter(start)?;
        let len = self.count(count, 2, start)?;
        let mut previous = None;
        for _ in 0..len {
            previous = Some(inside.key(previous)?);
            inside.value()?;
        }
        Ok(Value::Map(Map { entries: self.leave(inside), len }))
    }

    fn enter(&self, start: usize) -> Result<Self, Error> {
        let depth = self.depth.checked_sub(1).ok_or(at(ErrorKind::Depth, start))?;
        Ok(Self { depth, ..*self })
    }

    /// Continues after what `inside` has read, and returns a reader of just that.
    fn leave(&mut self, inside: Self) -> Self {
        let read = Self { bytes: &self.bytes[self.at..inside.at], at: 0, depth: inside.depth };
        self.at = inside.at;
        read
    }

    /// [CBOR-12] A count that the bytes left can hold, at `least` bytes each.
    fn count(&self, count: u64, least: usize, start: usize) -> Result<usize, Error> {
        let room = (self.bytes.len() - self.at) / least;
        usize::try_from(count).ok().filter(|count| *count <= room).ok_or(at(ErrorKind::Truncated, start))
    }

    fn text(&mut self, len: u64, start: usize) -> Result<&'a str, Error> {
        core::str::from_utf8(self.take(len, start)?).map_err(|_| at(ErrorKind::Utf8, start))
    }

    #[inline]
    fn take(&mut self, len: u64, start: usize) -> Result<&'a [u8], Error> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(at(ErrorKind::Truncated, start)),
        }
    }

    #[inline]
    fn head(&mut self) -> Result<Head, Error> {
        let start = self.at;
        let Some(initial) = self.bytes.get(start) else {
            return Err(at(ErrorKind::Truncated, start));
        };
        self.at += 1;
        let (major, info) = (initial >> 5, initial & 0x1f);
        if info < 24 && major != BOOL {
            return Ok(Head { major, number: u64::from(info) });
        }
        self.long_head(major, info, start)
    }

    /// Reads what of a head is not in its first byte.
    fn long_head(&mut self, major: u8, info: u8, start: usize) -> Result<Head, Error> {
        if major == BOOL {
            let number = simple(info).map_err(|kind| at(kind, start))?;
            return Ok(Head { major, number });
        }
        let number = match info {
            24..=27 => self.long_number(1 << (info - 24), start)?,
            31 => return Err(at(ErrorKind::Indefinite, start)),
            _ => return Err(at(ErrorKind::Reserved, start)),
        };
        Ok(Head { major, number })
    }

    fn long_number(&mut self, width: u64, start: usize) -> Result<u64, Error> {
        let number = self.take(width, start)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let shorter = match width {
            1 => number < 24,
            2 => number <= u64::from(u8::MAX),
            4 => number <= u64::from(u16::MAX),
            _ => number <= u64::from(u32::MAX),
        };
        if shorter { Err(at(ErrorKind::LongNumber, start)) } else { Ok(number) }
    }
}

/// The order of map keys by [CBOR-7]; shorter keys first, as their heads are smaller.
pub(crate) fn key_order(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> core::cmp::Ordering {
    let (a, b) = (a.as_ref(), b.as_ref());
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn simple(info: u8) -> Result<u64, ErrorKind> {
    match info {
        20 => Ok(0),
        21 => Ok(1),
        25..=27 => Err(ErrorKind::Float),
        28..=30 => Err(ErrorKind::Reserved),
        31 => Err(ErrorKind::Indefinite),
        _ => Err(ErrorKind::Simple),
    }
}

fn at(kind: ErrorKind, offset: usize) -> Error {
    Error { kind, offset }
}
