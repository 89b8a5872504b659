//! The envelope: decodes the frames of a ZeroMQ message to a request, and makes the frames of a reply.

use crate::cbor::{self, Map, Reader, Value};
use crate::operation::{OperationInfo, PayloadFrame};
use crate::{Code, Refusal, SessionId, limits, reply};
use alloc::{string::ToString, vec::Vec};

/// What every header of this version begins with: array of five, `"rmf1"`, byte string of 16.
pub const HEADER_START: [u8; 7] = [0x85, 0x64, b'r', b'm', b'f', b'1', 0x50];
/// Where the session id ends in a header frame, in bytes.
const SESSION_END: usize = HEADER_START.len() + SessionId::LEN;

/// A message as a server received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a, F> {
    /// The routing frames and the empty delimiter, to be sent back before a reply.
    pub prefix: &'a [F],
    /// What the frames after them are.
    pub message: Message<'a>,
}

/// What the frames after the delimiter are.
#[derive(Clone, Debug, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Not of this protocol [ENV-14]: dropped, handed to the embedding program, or on a REP socket answered with one empty
    /// frame [ENV-19].
    NotOurs,
    /// A reply, of this version or another: never answered [ENV-15].
    Reply,
    /// Of another version of this protocol: answered VERSION [ENV-16].
    WrongVersion,
    /// Breaks the envelope or the CBOR profile: answered BAD_MESSAGE [ENV-18]; consumes no number [SEQ-7].
    BadMessage {
        /// The session it claims.
        session: SessionId,
        /// The number it claims, 0 where none can be read.
        seq: u64,
        /// What is wrong.
        error: MessageError,
    },
    /// A request whose header decodes.
    Request(Request<'a>),
}

/// A request whose header decodes; its arguments are not checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The decoded header.
    pub header: Header<'a>,
    /// The header frame as received: a resend has the same bytes.
    pub header_frame: &'a [u8],
    /// The payload frame of put, write and append, possibly empty; others have none.
    pub payload: Option<&'a [u8]>,
}

/// A decoded request header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The client's session.
    pub session: SessionId,
    /// The request's number, at most 2^63 - 1; 0 outside the numbering.
    pub seq: u64,
    /// The operation's name, known or not.
    pub op: &'a str,
    /// The arguments.
    pub args: Map<'a>,
}

/// Why a message is answered BAD_MESSAGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The header frame is larger than the server's limit.
    #[error("the header has {actual} bytes, more than {limit}")]
    TooLong {
        /// The frame's length in bytes.
        actual: usize,
        /// The server's limit in bytes.
        limit: usize,
    },
    /// The header is not one value of the profile.
    #[error("the header has {0}")]
    Cbor(#[from] cbor::Error),
    /// One of the five items of the header has another type.
    #[error("the header's {item} is not {expected}")]
    Item {
        /// The item's name.
        item: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The operation has another number of frames.
    #[error("the message has {actual} frames instead of {expected}")]
    FrameCount {
        /// How many frames follow the delimiter.
        actual: usize,
        /// How many should.
        expected: usize,
    },
}

impl From<MessageError> for Refusal {
    fn from(error: MessageError) -> Self {
        Refusal::because(Code::BadMessage, error.to_string())
    }
}

/// Reads the frames of a message that a server received, routing frames and delimiter included.
///
/// `header_limit` is in bytes. Nothing is allocated.
pub fn receive<F: AsRef<[u8]>>(frames: &[F], header_limit: usize) -> Received<'_, F> {
    let Some(delimiter) = frames.iter().position(|frame| frame.as_ref().is_empty()) else {
        return Received { prefix: &[], message: Message::NotOurs };
    };
    let (prefix, body) = frames.split_at(delimiter + 1);
    Received { prefix, message: classify(body, header_limit) }
}

/// Reads the frames after the delimiter: the header frame, then the payload frame if there is one.
///
/// `header_limit` is in bytes. Nothing is allocated.
pub fn classify<F: AsRef<[u8]>>(body: &[F], header_limit: usize) -> Message<'_> {
    let Some(frame) = body.first().map(AsRef::as_ref) else {
        return Message::NotOurs;
    };
    let Some(version) = version(frame) else {
        return Message::NotOurs;
    };
    if is_reply(frame) {
        return Message::Reply;
    }
    if version != b'1' {
        return Message::WrongVersion;
    }
    let Some(session) = claimed_session(frame) else {
        return Message::NotOurs;
    };
    match request(frame, body, header_limit) {
        Ok(request) => Message::Request(request),
        Err(error) => Message::BadMessage { session, seq: claimed_seq(frame).unwrap_or(0), error },
    }
}

/// The frames of a reply or request: a copy of `prefix`, then `header` and `payload`.
///
/// A DEALER client's prefix is one empty frame, that of a REQ or REP socket is empty.
pub fn frames<F: AsRef<[u8]>>(prefix: &[F], header: Vec<u8>, payload: Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let prefix = prefix.iter().map(|frame| frame.as_ref().to_vec());
    prefix.chain([header]).chain(payload).collect()
}

impl Message<'_> {
    /// The header of the reply to a message that is no request; none where the server does not answer.
    #[must_use]
    pub fn refusal(&self) -> Option<Vec<u8>> {
        let (session, seq, refusal) = match self {
            Message::WrongVersion => (SessionId::new([0; SessionId::LEN]), 0, Refusal::new(Code::Version)),
            Message::BadMessage { session, seq, error } => (*session, *seq, Refusal::from(*error)),
            Message::NotOurs | Message::Reply | Message::Request(_) => return None,
        };
        Some(reply::encode_reply(session, seq, &Err(refusal)))
    }
}

impl<'a> Header<'a> {
    /// Reads a header frame alone, of any length and in a message of any number of frames.
    ///
    /// # Errors
    /// It is not one value of the profile, or not the five items of a request.
    pub fn decode(frame: &'a [u8]) -> Result<Self, MessageError> {
        let [magic, session, seq, op, args] = five(frame)?;
        let unfit = |item, expected| MessageError::Item { item, expected };
        if magic != Value::Text(limits::MAGIC) {
            return Err(unfit("magic", "\"rmf1\""));
        }
        let Value::Bytes(session) = session else {
            return Err(unfit("session", "a byte string"));
        };
        let Value::Text(op) = op else {
            return Err(unfit("op", "text"));
        };
        let Value::Map(args) = args else {
            return Err(unfit("args", "a map"));
        };
        Ok(Self {
            session: session.try_into().map_err(|_| unfit("session", "16 bytes long"))?,
            seq: uint(seq).ok_or(unfit("seq", "an unsigned integer"))?,
            op,
            args,
        })
    }
}

/// The five items of a header of either direction.
pub(crate) fn five(frame: &[u8]) -> Result<[Value<'_>; 5], MessageError> {
    let unfit = MessageError::Item { item: "frame", expected: "an array of five" };
    let Value::Array(array) = cbor::decode(frame)? else {
        return Err(unfit);
    };
    let mut items = array.iter();
    let mut next = || items.next().ok_or(unfit);
    let five = [next()?, next()?, next()?, next()?, next()?];
    if items.next().is_some() { Err(unfit) } else { Ok(five) }
}

/// An unsigned integer.
pub(crate) fn uint(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn request<'a, F: AsRef<[u8]>>(
    frame: &'a [u8],
    body: &'a [F],
    header_limit: usize,
) -> Result<Request<'a>, MessageError> {
    if frame.len() > header_limit {
        return Err(MessageError::TooLong { actual: frame.len(), limit: header_limit });
    }
    let header = Header::decode(frame)?;
    // [ENV-20] An unknown operation has no payload.
    let has_payload = OperationInfo::by_name(header.op).is_some_and(|info| info.payload == PayloadFrame::Request);
    let expected = 1 + usize::from(has_payload);
    if body.len() != expected {
        return Err(MessageError::FrameCount { actual: body.len(), expected });
    }
    Ok(Request { header, header_frame: frame, payload: body.get(1).map(AsRef::as_ref) })
}

/// The digit after `rmf`, if the frame begins as a header of any version.
fn version(frame: &[u8]) -> Option<u8> {
    let (start, digit) = (&HEADER_START[..5], *frame.get(5)?);
    (frame.starts_with(start) && digit.is_ascii_digit()).then_some(digit)
}

fn claimed_session(frame: &[u8]) -> Option<SessionId> {
    let session = frame.get(HEADER_START.len()..SESSION_END)?;
    if frame[6] != HEADER_START[6] {
        return None;
    }
    session.try_into().ok()
}

fn claimed_seq(frame: &[u8]) -> Option<u64> {
    uint(Reader::new(frame.get(SESSION_END..)?, 0).value().ok()?)
}

/// Whether an integer is in the place of a request's operation [ENV-15].
fn is_reply(frame: &[u8]) -> bool {
    let Some(rest) = claimed_session(frame).and_then(|_| frame.get(SESSION_END..)) else {
        return false;
    };
    let mut reader = Reader::new(rest, 0);
    match reader.unsigned() {
        Ok(_) => rest.get(reader.position()).is_some_and(|initial| initial >> 5 <= 1),
        Err(_) => false,
    }
}
