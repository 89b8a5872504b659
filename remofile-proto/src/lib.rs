//! The codec of the Remofile protocol, version 1: encodes and decodes messages.
//!
//! The crate is `no_std` with `alloc` and has no sockets, files, clocks, threads or randomness. It keeps no state between
//! messages: it does not know which session is open or which number comes next. It never panics on input of a peer, and
//! allocates in proportion to the bytes received, not to the counts that they announce.
//!
//! # A request and its reply
//!
//! ```
//! use remofile_proto::*;
//!
//! // The client: an operation becomes the header after the empty delimiter.
//! let session = SessionId::new([0xa1; 16]);
//! let asked = Operation::Read { path: RemotePath::parse("/notes.txt")?, off: 0, len: 4096, etag: None };
//! let frames = envelope::frames(&[b""], encode_request(session, 1, &asked), None);
//!
//! // The server: first the envelope, then session and sequence, and only then the arguments.
//! let received = envelope::receive(&frames, limits::HEADER);
//! let Message::Request(request) = received.message else { panic!("not a request") };
//! let operation = Operation::parse(&request.header, Payload::of_request(&request), &Limits::default()).expect("valid arguments");
//! assert_eq!(operation, asked);
//!
//! let etag = Etag::try_from(&b"etag"[..])?;
//! let answer = Ok(Answer::Read(ReadResult { etag, size: 5 }));
//! let header = encode_reply(request.header.session, request.header.seq, &answer);
//! let frames = envelope::frames(received.prefix, header, Some(b"hello".to_vec()));
//!
//! // The client again: the reply is checked against the operation.
//! let reply = Reply::decode(&frames)?;
//! assert_eq!((reply.session, reply.seq), (session, 1));
//! assert_eq!(reply.into_answer(&asked), answer.map_err(ReplyError::Refused));
//! assert_eq!(reply.payload, Some(&b"hello"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Paths
//!
//! ```
//! use remofile_proto::{Code, RemotePath};
//!
//! let path = RemotePath::parse("/photos")?.join("2025/a.jpg")?;
//! assert_eq!(path.split_last(), Some(("/photos/2025", "a.jpg")));
//! assert_eq!(RemotePath::parse("/photos/../etc").unwrap_err().code(), Code::BadName);
//! # Ok::<(), remofile_proto::PathError>(())
//! ```
//!
//! # Tokens
//!
//! ```
//! use remofile_proto::{Keys, SessionId, Token, z85};
//!
//! # let sixteen_bytes_of_the_system = *b"\x8f\x01\xee\x42\x17\xc3\x9a\x55\x60\x0b\xd4\x7e\x21\x98\xfa\x33";
//! let token = Token::from_random_bytes(sixteen_bytes_of_the_system)?;
//! assert_eq!(token.reveal().len(), 22);
//!
//! // Both ends derive the same keys, so that the token itself is never sent.
//! let (server, client) = (Keys::derive(&token), Keys::derive(&token));
//! assert_eq!(z85::encode(server.server.public()).len(), 40);
//! let session = SessionId::new([0xa1; 16]);
//! assert!(server.hello.verify(session, &client.hello.auth(session)));
//! # Ok::<(), remofile_proto::token::TokenError>(())
//! ```
#![no_std]

extern crate alloc;

pub mod capabilities;
pub mod cbor;
mod code;
mod convert;
pub mod envelope;
mod fields;
mod id;
pub mod limits;
pub mod operation;
pub mod path;
pub mod payload;
pub mod reply;
pub mod request;
mod result;
pub mod token;
pub mod z85;

pub use capabilities::{Capabilities, Capability};
pub use code::{Class, Code};
pub use envelope::{Header, Message, Received, Request};
pub use fields::FieldError;
pub use id::{BootId, Digest, Etag, IdError, RootId, SessionId, UploadId};
pub use limits::Limits;
pub use operation::{
    Hello, OPERATIONS, Operation, OperationClass, OperationInfo, OperationKind, PayloadFrame, Precondition, Recovery,
    UploadEffect,
};
pub use path::{PathError, RemotePath};
pub use payload::{Encoding, Payload};
pub use reply::{Reply, ReplyError, encode_reply};
pub use request::encode_request;
pub use result::{
    Answer, Busy, Detail, Entry, HashResult, HelloReply, Kind, ListedEntry, Listing, Names, ReadResult, Refusal,
    Staged, UploadEntry, Uploads,
};
pub use token::{KeyPair, Keys, Token, TokenError};
