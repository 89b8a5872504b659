//! The codec of the Remofile protocol, version 1: messages to bytes and back, and nothing else.
//!
//! What is absent: sockets, files, clocks, threads, randomness. The crate is `no_std` with `alloc`.
#![no_std]

extern crate alloc;

mod code;
mod id;
mod operation;
mod path;
mod result;

pub use code::Code;
pub use id::{BootId, Digest, Etag, IdError, RootId, SessionId, UploadId};
pub use operation::{Hello, Operation, Precondition};
pub use path::{Path, PathError};
pub use result::{
    Answer, Busy, Detail, Entry, HashResult, Kind, ListedEntry, Listing, Names, ReadResult, Refusal, Staged,
    UploadEntry, Uploads, Welcome,
};
