//! Requests, as cases write them: an operation, its arguments, a payload.

use crate::wire::cbor::{Value, encode};

/// The magic of version 1.
pub(crate) const MAGIC: &str = "rmf1";

/// A request without session and number.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) op: String,
    pub(crate) args: Vec<(String, Value)>,
    pub(crate) payload: Option<Vec<u8>>,
}

/// A request of an operation without arguments so far.
pub(crate) fn request(op: &str) -> Request {
    Request { op: op.to_owned(), args: Vec::new(), payload: None }
}

impl Request {
    /// Adds an argument, in place of one of that name.
    pub(crate) fn arg(mut self, key: &str, value: impl Into<Value>) -> Self {
        self = self.without(key);
        self.args.push((key.to_owned(), value.into()));
        self
    }

    /// Takes an argument away.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.args.retain(|(name, _)| name != key);
        self
    }

    /// Sets the payload frame.
    pub(crate) fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// The header as a value.
    pub(crate) fn header(&self, session: [u8; 16], seq: u64) -> Value {
        Value::Array(vec![
            MAGIC.into(),
            session.into(),
            seq.into(),
            self.op.as_str().into(),
            Value::Map(self.args.clone()),
        ])
    }

    /// The frames after the delimiter.
    pub(crate) fn frames(&self, session: [u8; 16], seq: u64) -> Vec<Vec<u8>> {
        let mut frames = vec![encode(&self.header(session, seq))];
        frames.extend(self.payload.clone());
        frames
    }
}

pub(crate) fn stat(path: &str) -> Request {
    request("stat").arg("path", path)
}

pub(crate) fn list(path: &str) -> Request {
    request("list").arg("path", path)
}

pub(crate) fn read(path: &str, off: u64, len: u64) -> Request {
    request("read").arg("path", path).arg("off", off).arg("len", len)
}

pub(crate) fn hash(path: &str) -> Request {
    request("hash").arg("path", path)
}

pub(crate) fn mkdir(path: &str) -> Request {
    request("mkdir").arg("path", path)
}

pub(crate) fn put(path: &str, content: impl Into<Vec<u8>>) -> Request {
    request("put").arg("path", path).payload(content)
}

pub(crate) fn write(path: &str, off: u64, content: impl Into<Vec<u8>>) -> Request {
    request("write").arg("path", path).arg("off", off).payload(content)
}

pub(crate) fn truncate(path: &str, size: u64) -> Request {
    request("truncate").arg("path", path).arg("size", size)
}

pub(crate) fn touch(path: &str, mtime_ns: i64) -> Request {
    request("touch").arg("path", path).arg("mtime_ns", mtime_ns)
}

pub(crate) fn remove(path: &str) -> Request {
    request("remove").arg("path", path)
}

/// `move`, which is a keyword of Rust.
pub(crate) fn rename(from: &str, to: &str) -> Request {
    request("move").arg("from", from).arg("to", to)
}

pub(crate) fn copy(from: &str, to: &str) -> Request {
    request("copy").arg("from", from).arg("to", to)
}

pub(crate) fn begin(up: [u8; 16], path: &str) -> Request {
    request("begin").arg("up", up).arg("path", path)
}

pub(crate) fn append(up: [u8; 16], off: u64, content: impl Into<Vec<u8>>) -> Request {
    request("append").arg("up", up).arg("off", off).payload(content)
}

/// `commit` of the whole of `content`.
pub(crate) fn commit(up: [u8; 16], content: &[u8]) -> Request {
    let hash = *blake3::hash(content).as_bytes();
    request("commit").arg("up", up).arg("size", content.len() as u64).arg("hash", hash)
}

pub(crate) fn abort(up: [u8; 16]) -> Request {
    request("abort").arg("up", up)
}

pub(crate) fn uploads() -> Request {
    request("uploads")
}

pub(crate) fn flush() -> Request {
    request("flush")
}

pub(crate) fn ping() -> Request {
    request("ping")
}

pub(crate) fn bye() -> Request {
    request("bye")
}
