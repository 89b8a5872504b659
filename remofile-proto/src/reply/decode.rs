//! The client's side: decodes header frames to answers. **Everything that a server sends is checked.**

use crate::cbor::{self, Array, Map, Value};
use crate::envelope::{MessageError, five, uint};
use crate::fields::{FieldError, Fields};
use crate::operation::PayloadFrame;
use crate::path::{NameError, PathError, valid_name};
use crate::{
    Answer, Busy, Capabilities, Class, Code, Detail, Entry, HashResult, HelloReply, Kind, ListedEntry, Listing, Names,
    Operation, Payload, ReadResult, Refusal, RemotePath, SessionId, Staged, UploadEntry, Uploads, limits,
};
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::ops::RangeInclusive;

/// The shortest entry of a listing in bytes: `{"kind": "", "name": "a"}`.
const LISTED_LEAST: usize = 14;
/// The shortest upload in bytes: `up`, `off`, `path` of `/` and `age_ms`.
const UPLOAD_LEAST: usize = 41;

/// A reply whose header decodes; its result is not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The session that it answers; zero bytes with VERSION.
    pub session: SessionId,
    /// The number that it answers, at most 2^63 - 1; 0 outside the numbering.
    pub seq: u64,
    /// The code's number, 0 to 255, known or not.
    pub code: u64,
    /// The result that goes with the code.
    pub result: Map<'a>,
    /// The payload frame.
    pub payload: Option<&'a [u8]>,
}

/// Why a reply is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The server refused, or answered PENDING.
    #[error("{}", .0.code.text())]
    Refused(Refusal),
    /// The server answered a code of a later version: the client acts by its class.
    #[error("the server answered with the unknown code {number}")]
    UnknownCode {
        /// The code.
        number: u64,
        /// What its range means.
        class: Class,
        /// The server's message for the user.
        msg: Option<String>,
    },
    /// The server breaks the protocol.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// How a reply breaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The header is not one value of the profile.
    #[error("the reply's header has {0}")]
    Cbor(cbor::Error),
    /// The header is not the five items of a reply.
    #[error("the reply's {item} is not {expected}")]
    Item {
        /// The item's name.
        item: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The reply has another number of frames than its operation and code ask for.
    #[error("the reply has {actual} frames instead of {expected}")]
    FrameCount {
        /// How many frames it has.
        actual: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The reply to a READ carries more bytes than were asked for.
    #[error("the reply has {actual} bytes of payload where at most {asked} were asked for")]
    Excess {
        /// How many bytes of content the payload carries.
        actual: u64,
        /// The request's `len` in bytes.
        asked: u64,
    },
    /// A field of the result is missing or unfit.
    #[error("in the reply's result {0}")]
    Field(#[from] FieldError),
    /// A name in a listing is not one that a client may use.
    #[error("the name of entry {index} {error}")]
    Name {
        /// Which entry of the page, counted from 1.
        index: usize,
        /// What is wrong.
        error: NameError,
    },
    /// A relative path in a tree listing, or an upload's path, is not one that a client may use.
    #[error("in entry {index} {error}")]
    Path {
        /// Which entry of the page, counted from 1.
        index: usize,
        /// What is wrong.
        error: PathError,
    },
}

impl<'a> Reply<'a> {
    /// Reads the frames of a message that a client received.
    ///
    /// The first frame may be the empty delimiter that a DEALER socket shows; a REQ socket strips it.
    /// Nothing is allocated.
    ///
    /// # Errors
    /// The frames are not a reply of this version.
    pub fn decode<F: AsRef<[u8]>>(frames: &'a [F]) -> Result<Self, Malformed> {
        let body = match frames.split_first() {
            Some((first, rest)) if first.as_ref().is_empty() => rest,
            _ => frames,
        };
        let (Some(header), true) = (body.first(), body.len() <= 2) else {
            return Err(Malformed::FrameCount { actual: body.len(), expected: 1 });
        };
        let unfit = |item, expected| Malformed::Item { item, expected };
        let [magic, session, seq, code, result] = five(header.as_ref())?;
        if magic != Value::Text(limits::MAGIC) {
            return Err(unfit("magic", "\"rmf1\""));
        }
        let Value::Bytes(session) = session else {
            return Err(unfit("session", "a byte string"));
        };
        let Value::Map(result) = result else {
            return Err(unfit("result", "a map"));
        };
        Ok(Self {
            session: session.try_into().map_err(|_| unfit("session", "16 bytes long"))?,
            seq: uint(seq).ok_or(unfit("seq", "an unsigned integer"))?,
            code: uint(code).filter(|code| *code <= limits::CODE).ok_or(unfit("code", "0 to 255"))?,
            result,
            payload: body.get(1).map(AsRef::as_ref),
        })
    }

    /// What the reply says to this operation. The bytes of a READ are in [`Reply::payload`].
    ///
    /// Unknown fields are ignored [CBOR-14], and an unknown kind is [`Kind::Other`] [ENTRY-8].
    ///
    /// # Errors
    /// The server refused, gave an unknown code, or broke the protocol.
    pub fn into_answer(self, operation: &Operation) -> Result<Answer, ReplyError> {
        if self.code == 0 {
            return Ok(self.answer(operation)?);
        }
        self.check_frames(false)?;
        let fields = Fields(self.result);
        let msg = fields.optional::<&str>("msg").map_err(Malformed::from)?.map(ToOwned::to_owned);
        match Code::from_number(self.code) {
            Some(code) => {
                let detail = detail(code, fields).map_err(Malformed::from)?;
                Err(ReplyError::Refused(Refusal { code, detail, msg }))
            }
            None => Err(ReplyError::UnknownCode { number: self.code, class: Class::of(self.code), msg }),
        }
    }

    fn answer(&self, operation: &Operation) -> Result<Answer, Malformed> {
        let fields = Fields(self.result);
        self.check_frames(operation.info().payload == PayloadFrame::Reply)?;
        Ok(match operation {
            Operation::Ping
            | Operation::Bye
            | Operation::Remove { .. }
            | Operation::Abort { .. }
            | Operation::Flush => Answer::Empty,
            Operation::Hello(_) => Answer::Hello(hello(fields)?),
            Operation::Stat { .. }
            | Operation::Mkdir { .. }
            | Operation::Put { .. }
            | Operation::Write { .. }
            | Operation::Truncate { .. }
            | Operation::Touch { .. }
            | Operation::Move { .. }
            | Operation::Copy { .. }
            | Operation::Commit { .. } => Answer::Entry(entry(Fields(fields.required("entry")?))?),
            Operation::List { path, tree, .. } => Answer::Listing(listing(fields, tree.then_some(path))?),
            Operation::Read { len, .. } => {
                let actual = Payload::of_reply(self).raw_len;
                if actual > *len {
                    return Err(Malformed::Excess { actual, asked: *len });
                }
                Answer::Read(ReadResult { etag: fields.required("etag")?, size: fields.required("size")? })
            }
            Operation::Hash { .. } => Answer::Hash(HashResult {
                hash: fields.required("hash")?,
                len: fields.required("len")?,
                etag: fields.required("etag")?,
            }),
            Operation::Begin { .. } => {
                Answer::Staged(Staged { off: fields.required("off")?, hash: fields.required("hash")? })
            }
            Operation::Append { .. } => Answer::Offset(fields.required("off")?),
            Operation::Uploads { .. } => Answer::Uploads(uploads(fields)?),
        })
    }

    fn check_frames(&self, payload: bool) -> Result<(), Malformed> {
        let (actual, expected) = (1 + usize::from(self.payload.is_some()), 1 + usize::from(payload));
        if actual == expected { Ok(()) } else { Err(Malformed::FrameCount { actual, expected }) }
    }
}

impl From<MessageError> for Malformed {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Cbor(error) => Self::Cbor(error),
            MessageError::Item { item, expected } => Self::Item { item, expected },
            MessageError::TooLong { .. } => Self::Item { item: "header", expected: "short enough" },
            MessageError::FrameCount { actual, expected } => Self::FrameCount { actual, expected },
        }
    }
}

fn detail(code: Code, fields: Fields<'_>) -> Result<Detail, FieldError> {
    Ok(match code {
        Code::Busy => Detail::Busy(Busy {
            idle_ms: fields.required("idle_ms")?,
            lease_ms: fields.required("lease_ms")?,
            client: fields.required::<&str>("client")?.to_owned(),
            session: fields.required("session")?,
        }),
        Code::Seq => Detail::Next(fields.required("next")?),
        Code::Offset => Detail::Offset(fields.required("off")?),
        Code::Pending => Detail::Progress { done: fields.optional("done")?, total: fields.optional("total")? },
        _ => Detail::None,
    })
}

fn hello(fields: Fields<'_>) -> Result<HelloReply, Malformed> {
    let names = match fields.required("names")? {
        "posix" => Names::Posix,
        "windows" => Names::Windows,
        _ => return Err(FieldError::Unfit { key: "names", expected: "\"posix\" or \"windows\"" }.into()),
    };
    Ok(HelloReply {
        window: within(fields, "window", 1..=limits::WINDOW_MAX, "1 to 1024")?,
        chunk: within(fields, "chunk", limits::CHUNK_MIN..=limits::CHUNK_MAX, "65536 to 1048576")?,
        header: within(fields, "header", limits::HEADER_MIN as u64..=limits::HEADER as u64, "16384 to 65536")?,
        lease_ms: fields.required("lease_ms")?,
        boot: fields.required("boot")?,
        root: fields.optional("root")?,
        names,
        folds: fields.required("folds")?,
        ro: fields.required("ro")?,
        caps: Capabilities::read(fields.required("caps")?)?,
    })
}

/// [HELLO-2] What is out of range is refused here, since clients size buffers by it.
fn within(
    fields: Fields<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    expected: &'static str,
) -> Result<u64, FieldError> {
    let number = fields.required(key)?;
    if range.contains(&number) { Ok(number) } else { Err(FieldError::Unfit { key, expected }) }
}

/// [ENTRY-2] Fields that a kind does not have are ignored, and those that it has are required.
fn entry(fields: Fields<'_>) -> Result<Entry, FieldError> {
    let kind = match fields.required("kind")? {
        "file" => Kind::File,
        "dir" => Kind::Dir,
        "link" => Kind::Link,
        _ => Kind::Other,
    };
    let (is_file, has_mtime) = (kind == Kind::File, matches!(kind, Kind::File | Kind::Dir));
    Ok(Entry {
        kind,
        size: if is_file { Some(fields.required("size")?) } else { None },
        mtime_ns: if has_mtime { Some(fields.required("mtime_ns")?) } else { None },
        etag: if is_file { Some(fields.required("etag")?) } else { None },
        racy: fields.flag("racy")?,
    })
}

/// `tree` is the listed directory of a tree listing.
fn listing(fields: Fields<'_>, tree: Option<&RemotePath>) -> Result<Listing, Malformed> {
    Ok(Listing {
        entries: collect("entries", fields.required("entries")?, LISTED_LEAST, |index, fields| {
            listed(index, fields, tree)
        })?,
        more: fields.required("more")?,
        skipped: fields.required("skipped")?,
    })
}

/// [SEC-1] No name that a client may not use gets beyond this.
fn listed(index: usize, fields: Fields<'_>, tree: Option<&RemotePath>) -> Result<ListedEntry, Malformed> {
    let name: &str = fields.required("name")?;
    match tree {
        Some(path) => path.join(name).map(drop).map_err(|error| Malformed::Path { index, error })?,
        None => valid_name(name).map_err(|error| Malformed::Name { index, error })?,
    }
    Ok(ListedEntry { name: name.to_owned(), entry: entry(fields)? })
}

fn uploads(fields: Fields<'_>) -> Result<Uploads, Malformed> {
    let upload = |index, fields: Fields<'_>| {
        Ok(UploadEntry {
            up: fields.required("up")?,
            path: RemotePath::parse(fields.required("path")?).map_err(|error| Malformed::Path { index, error })?,
            off: fields.required("off")?,
            size: fields.optional("size")?,
            age_ms: fields.required("age_ms")?,
        })
    };
    Ok(Uploads {
        uploads: collect("uploads", fields.required("uploads")?, UPLOAD_LEAST, upload)?,
        more: fields.required("more")?,
    })
}

/// Reads the entries of a page, which have at least `least` bytes each on the wire.
///
/// An entry can be 14 bytes there and a hundred in memory, and something that is none a single
/// byte: so the room is taken for no more entries than the bytes can be, not for a count.
fn collect<'a, T>(
    key: &'static str,
    array: Array<'a>,
    least: usize,
    read: impl Fn(usize, Fields<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut elements = Vec::with_capacity(array.len().min(array.encoded_len() / least));
    for (index, value) in array.iter().enumerate() {
        let Value::Map(map) = value else {
            return Err(FieldError::Unfit { key, expected: "an array of maps" }.into());
        };
        elements.push(read(index + 1, Fields(map))?);
    }
    Ok(elements)
}
