//! Payloads: of requests until they are answered, of replies until they are used.

use super::local_file;
use crate::transport::Message;
use std::{cell::RefCell, fmt, fs::File, io, ops::Deref, sync::Arc};

/// The payload of a request.
#[derive(Debug)]
pub(crate) enum Payload {
    /// No payload frame.
    None,
    /// Kept here until they are answered.
    Bytes(Arc<[u8]>),
    /// Read again from a local file in the rare case that they are sent again. Should the file have changed by then,
    /// the hash at the end shows it.
    File { file: Arc<File>, off: u64, len: usize, fresh: RefCell<Option<Vec<u8>>> },
}

/// The payload of a reply.
pub(crate) struct Content(pub(super) Message);

impl Payload {
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// `bytes` were just read from `file` at `off`.
    pub(super) fn from_file(file: Arc<File>, off: u64, bytes: Vec<u8>) -> Self {
        Self::File { file, off, len: bytes.len(), fresh: RefCell::new(Some(bytes)) }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Payload::None => 0,
            Payload::Bytes(bytes) => bytes.len(),
            Payload::File { len, .. } => *len,
        }
    }

    /// BLAKE3 of bytes that are kept.
    pub(super) fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Payload::Bytes(bytes) => Some(*blake3::hash(bytes).as_bytes()),
            Payload::None | Payload::File { .. } => None,
        }
    }

    /// The frame to send, uncopied the first time where that is possible.
    pub(super) fn frame(&self) -> io::Result<Option<Message>> {
        match self {
            Payload::None => Ok(None),
            Payload::Bytes(bytes) => Ok(Some(Message::from(&bytes[..]))),
            Payload::File { file, off, len, fresh } => {
                let bytes = match fresh.take() {
                    Some(bytes) => bytes,
                    None => local_file::read_at(file, *off, *len)?,
                };
                Ok(Some(Message::from(bytes)))
            }
        }
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        match self {
            Payload::None => Payload::None,
            Payload::Bytes(bytes) => Payload::Bytes(Arc::clone(bytes)),
            Payload::File { file, off, len, .. } => {
                Payload::File { file: Arc::clone(file), off: *off, len: *len, fresh: RefCell::new(None) }
            }
        }
    }
}

impl Deref for Content {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}
