//! The writer of messages: fields in deterministic order into a buffer, or into a count of bytes.

use super::reader::key_order;
use super::{FALSE, MAJOR_ARRAY, MAJOR_BYTES, MAJOR_MAP, MAJOR_NEGATIVE, MAJOR_TEXT, MAJOR_UNSIGNED, TRUE};
use crate::limits;
use alloc::vec::Vec;

/// Where encoded bytes go.
pub(crate) trait Sink {
    /// Takes bytes.
    fn put(&mut self, bytes: &[u8]);
    /// How many bytes were put.
    fn position(&self) -> usize;
    /// Replaces a byte that was put.
    fn patch(&mut self, position: usize, byte: u8);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn position(&self) -> usize {
        self.len()
    }
    fn patch(&mut self, position: usize, byte: u8) {
        if let Some(old) = self.get_mut(position) {
            *old = byte;
        }
    }
}

/// Counts the bytes and forgets them.
#[derive(Default)]
pub(crate) struct Counter(pub(crate) usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
    fn position(&self) -> usize {
        self.0
    }
    fn patch(&mut self, _position: usize, _byte: u8) {}
}

/// Writes values one after the other.
pub(crate) struct Writer<S>(pub(crate) S);

impl<S: Sink> Writer<S> {
    pub(crate) fn uint(&mut self, number: u64) {
        self.head(MAJOR_UNSIGNED, number);
    }

    pub(crate) fn int(&mut self, number: i64) {
        let major = if number < 0 { MAJOR_NEGATIVE } else { MAJOR_UNSIGNED };
        let magnitude = if number < 0 { !number } else { number };
        self.head(major, magnitude.unsigned_abs());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(MAJOR_BYTES, bytes.len() as u64);
        self.0.put(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(MAJOR_TEXT, text.len() as u64);
        self.0.put(text.as_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.put(&[if value { TRUE } else { FALSE }]);
    }

    /// Begins an array; the elements follow.
    pub(crate) fn array(&mut self, len: usize) {
        self.head(MAJOR_ARRAY, len as u64);
    }

    /// Begins a map; keys and values follow, sorted.
    pub(crate) fn map_head(&mut self, len: usize) {
        self.head(MAJOR_MAP, len as u64);
    }

    /// Writes a map of at most 23 fields; `fill` names them in deterministic order.
    pub(crate) fn map(&mut self, fill: impl FnOnce(&mut MapWriter<'_, S>)) {
        let start = self.0.position();
        self.0.put(&[0]);
        let mut map = MapWriter { writer: self, count: 0, previous: None };
        fill(&mut map);
        let count = map.count;
        debug_assert!(count < 24, "the head of a map of {count} fields does not fit one byte");
        self.0.patch(start, MAJOR_MAP << 5 | count);
    }

    fn head(&mut self, major: u8, number: u64) {
        let initial = major << 5;
        let [.., b3, b2, b1, b0] = number.to_be_bytes();
        match number {
            0..=23 => self.0.put(&[initial | b0]),
            24..=0xff => self.0.put(&[initial | 24, b0]),
            0x100..=0xffff => self.0.put(&[initial | 25, b1, b0]),
            0x1_0000..=0xffff_ffff => self.0.put(&[initial | 26, b3, b2, b1, b0]),
            _ => {
                self.0.put(&[initial | 27]);
                self.0.put(&number.to_be_bytes());
            }
        }
    }
}

/// Writes the fields of a map.
pub(crate) struct MapWriter<'w, S> {
    writer: &'w mut Writer<S>,
    count: u8,
    previous: Option<&'static str>,
}

impl<S: Sink> MapWriter<'_, S> {
    /// Writes a key; its value goes into the writer that this returns.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Writer<S> {
        debug_assert!(key.len() <= limits::KEY, "{key} is too long a key");
        debug_assert!(
            self.previous.is_none_or(|previous| key_order(previous, key).is_lt()),
            "{key} is written after {:?}",
            self.previous
        );
        self.previous = Some(key);
        self.count += 1;
        self.writer.text(key);
        self.writer
    }

    pub(crate) fn uint(&mut self, key: &'static str, number: impl Into<Option<u64>>) {
        if let Some(number) = number.into() {
            self.key(key).uint(number);
        }
    }

    pub(crate) fn int(&mut self, key: &'static str, number: impl Into<Option<i64>>) {
        if let Some(number) = number.into() {
            self.key(key).int(number);
        }
    }

    pub(crate) fn bytes<'v>(&mut self, key: &'static str, bytes: impl Into<Option<&'v [u8]>>) {
        if let Some(bytes) = bytes.into() {
            self.key(key).bytes(bytes);
        }
    }

    pub(crate) fn text<'v>(&mut self, key: &'static str, text: impl Into<Option<&'v str>>) {
        if let Some(text) = text.into() {
            self.key(key).text(text);
        }
    }

    /// Writes a flag that is left out where it is false.
    pub(crate) fn flag(&mut self, key: &'static str, flag: bool) {
        if flag {
            self.key(key).bool(true);
        }
    }
}
