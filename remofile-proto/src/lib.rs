//! The codec of the Remofile protocol, version 1: messages to bytes and back, and nothing else.
//!
//! What is absent: sockets, files, clocks, threads, randomness. The crate is `no_std` with `alloc`.
#![no_std]

extern crate alloc;

pub mod cbor;
mod code;
pub mod envelope;
mod fields;
mod id;
pub mod limits;
pub mod operation;
pub mod path;
pub mod reply;
pub mod request;
mod result;
pub mod token;
pub mod z85;

pub use code::{Class, Code};
pub use envelope::{Header, Message, Received, Request};
pub use fields::FieldError;
pub use id::{BootId, Digest, Etag, IdError, RootId, SessionId, UploadId};
pub use limits::Limits;
pub use operation::{Hello, Operation, Precondition};
pub use path::{Path, PathError};
pub use reply::{PAGE_OVERHEAD, Reply, ReplyError, encode_reply};
pub use request::encode_request;
pub use result::{
    Answer, Busy, Detail, Entry, HashResult, Kind, ListedEntry, Listing, Names, ReadResult, Refusal, Staged,
    UploadEntry, Uploads, Welcome,
};
pub use token::{KeyPair, Keys, Token};
