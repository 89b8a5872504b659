//! Replies, as cases read them.

use crate::{
    engine::error::{CaseError, CaseResult},
    wire::{
        cbor::Value,
        code::{Code, OK},
    },
};

/// A reply with a decoded header.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The operation that it answers; empty if unknown.
    pub(crate) op: String,
    pub(crate) session: [u8; 16],
    pub(crate) seq: u64,
    pub(crate) code: Code,
    /// A map.
    pub(crate) result: Value,
    pub(crate) payload: Option<Vec<u8>>,
    /// The frames after the delimiter.
    pub(crate) frames: Vec<Vec<u8>>,
}

/// An entry of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
}

impl Reply {
    pub(crate) fn is_ok(&self) -> bool {
        self.code == OK
    }

    /// A key of the result.
    pub(crate) fn key(&self, key: &str) -> CaseResult<&Value> {
        self.result.member(key).ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn uint(&self, key: &str) -> CaseResult<u64> {
        self.key(key)?.uint().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn bytes(&self, key: &str) -> CaseResult<&[u8]> {
        self.key(key)?.bytes().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn text(&self, key: &str) -> CaseResult<&str> {
        self.key(key)?.text().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn bool(&self, key: &str) -> CaseResult<bool> {
        self.key(key)?.bool().ok_or_else(|| self.lacks(key))
    }

    /// The entry under the key `entry`.
    pub(crate) fn entry(&self) -> CaseResult<Entry> {
        Ok(Entry { value: self.key("entry")?.clone() })
    }

    /// The members of `entries` or `uploads`.
    pub(crate) fn items(&self, key: &str) -> CaseResult<Vec<Entry>> {
        let items = self.key(key)?.array().ok_or_else(|| self.lacks(key))?;
        Ok(items.iter().map(|value| Entry { value: value.clone() }).collect())
    }

    /// The names in `entries`.
    pub(crate) fn names(&self) -> CaseResult<Vec<String>> {
        self.items("entries")?.iter().map(|entry| Ok(entry.text("name")?.to_owned())).collect()
    }

    fn lacks(&self, key: &str) -> CaseError {
        CaseError::Failed(format!(
            "the result of {} lacks {key:?}, or has one of another type: {}",
            self.op, self.result
        ))
    }
}

impl Entry {
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.value.keys()
    }

    pub(crate) fn key(&self, key: &str) -> CaseResult<&Value> {
        self.value.member(key).ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn uint(&self, key: &str) -> CaseResult<u64> {
        self.key(key)?.uint().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn text(&self, key: &str) -> CaseResult<&str> {
        self.key(key)?.text().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn bytes(&self, key: &str) -> CaseResult<&[u8]> {
        self.key(key)?.bytes().ok_or_else(|| self.lacks(key))
    }

    pub(crate) fn kind(&self) -> CaseResult<&str> {
        self.text("kind")
    }

    pub(crate) fn size(&self) -> CaseResult<u64> {
        self.uint("size")
    }

    pub(crate) fn etag(&self) -> CaseResult<Vec<u8>> {
        Ok(self.bytes("etag")?.to_vec())
    }

    pub(crate) fn mtime_ns(&self) -> CaseResult<i64> {
        match self.key("mtime_ns")? {
            Value::Int(ns) => Ok(*ns),
            _ => Err(self.lacks("mtime_ns")),
        }
    }

    fn lacks(&self, key: &str) -> CaseError {
        CaseError::Failed(format!("an entry lacks {key:?}, or has one of another type: {}", self.value))
    }
}
