//! Decoded values: views of bytes that were checked once.

use super::reader::{Reader, key_order};
use core::cmp::Ordering;

/// A value of the profile. Arrays and maps are views that read their elements when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer.
    Int(i64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// A boolean.
    Bool(bool),
    /// An array.
    Array(Array<'a>),
    /// A map from text to values.
    Map(Map<'a>),
}

/// An array whose bytes were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'a> {
    pub(super) elements: Reader<'a>,
    pub(super) len: usize,
}

impl<'a> Array<'a> {
    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes the elements have on the wire.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.elements.len()
    }

    /// The elements, read one by one.
    #[must_use]
    pub fn iter(&self) -> Elements<'a> {
        Elements { rest: self.elements, left: self.len }
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = Elements<'a>;
    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

/// The elements of an [`Array`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The bytes were checked, so this never ends early.
        self.rest.checked_value().ok()
    }
}

/// A map whose bytes were checked: the keys are sorted, and no key is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map<'a> {
    pub(super) entries: Reader<'a>,
    pub(super) len: usize,
}

impl<'a> Map<'a> {
    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries in the order of their keys, read one by one.
    #[must_use]
    pub fn iter(&self) -> Entries<'a> {
        Entries { rest: self.entries, left: self.len }
    }

    /// The value under a key; reads the entries up to it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let mut rest = self.entries;
        for _ in 0..self.len {
            match key_order(rest.checked_key().ok()?, key) {
                Ordering::Less => rest.skip(1).ok()?,
                Ordering::Equal => return rest.checked_value().ok(),
                Ordering::Greater => return None,
            }
        }
        None
    }
}

impl<'a> IntoIterator for Map<'a> {
    type Item = (&'a str, Value<'a>);
    type IntoIter = Entries<'a>;
    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// The entries of a [`Map`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // The bytes were checked, so this never ends early.
        let key = core::str::from_utf8(self.rest.checked_key().ok()?).ok()?;
        Some((key, self.rest.checked_value().ok()?))
    }
}
