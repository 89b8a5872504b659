//! Section 3: what a message is, by its frames and the first bytes of its header.

mod mutated;

use crate::{behaviour::Behaviour, limits::Limits, reply::Refusal};
use remofile_proto::{
    Code, SessionId,
    cbor::{self, Map, Value},
};

/// What every header begins with, of whatever version: an array of five and `rmf`.
const START: [u8; 5] = [0x85, 0x64, b'r', b'm', b'f'];
/// The initial byte of a byte string of 16.
const SESSION: u8 = 0x50;
/// Where seq begins.
const SEQ_AT: usize = 23;

/// The session of a reply that concerns none.
const NO_SESSION: SessionId = SessionId::new([0; 16]);

/// Some frames of a message.
pub(crate) type Frames<'a> = &'a [Vec<u8>];

/// What to do with the frames after the delimiter.
pub(crate) enum Message<'a> {
    /// Nothing: it is not a request.
    Ignore,
    /// Say so, in a reply with this session and seq.
    Refuse(SessionId, u64, Refusal),
    Request(Request<'a>),
}

/// A request whose header decodes.
pub(crate) struct Request<'a> {
    pub(crate) session: SessionId,
    pub(crate) seq: u64,
    pub(crate) op: &'a str,
    pub(crate) args: Map<'a>,
    /// The header frame as it came.
    pub(crate) header: &'a [u8],
    pub(crate) payload: Option<&'a [u8]>,
}

/// The routing prefix with its delimiter, and what follows it; `None` without a delimiter ([ENV-2], [ENV-14]).
pub(crate) fn split<'f>(frames: &'f [Vec<u8>], behaviour: &Behaviour) -> Option<(Frames<'f>, Frames<'f>)> {
    let delimiter = frames.iter().position(Vec::is_empty);
    behaviour.mutated_delimiter(frames, delimiter).map(|delimiter| frames.split_at(delimiter + 1))
}

/// The frames before each reply ([ENV-2]).
pub(crate) fn way_back(prefix: &[Vec<u8>], behaviour: &Behaviour) -> Vec<Vec<u8>> {
    behaviour.mutated_way_back(prefix.to_vec())
}

/// Section 3.3, in its order.
pub(crate) fn classify<'a>(body: &'a [Vec<u8>], limits: &Limits, behaviour: &Behaviour) -> Message<'a> {
    let Some(header) = body.first() else { return behaviour.mutated_ignorance(&[], None) };
    let version = match header.strip_prefix(&START) {
        Some([letter, ..]) if behaviour.mutated_version(letter.is_ascii_digit()) => *letter,
        _ => return behaviour.mutated_ignorance(header, None),
    };
    if is_reply(header) && behaviour.mutated_reply_from_client(header, version) {
        return Message::Ignore;
    }
    if !behaviour.mutated_own_version(version, version == b'1') {
        return another_version(header, behaviour);
    }
    let Some(session) = claimed_session(header, behaviour) else {
        return behaviour.mutated_ignorance(header, Some(version));
    };
    match request(body, session, limits, behaviour) {
        Some(request) => Message::Request(request),
        None => {
            let (session, seq) = behaviour.mutated_claims(header, session, claimed_seq(header));
            Message::Refuse(session, seq, Code::BadMessage.into())
        }
    }
}

/// [ENV-16]
fn another_version<'a>(header: &[u8], behaviour: &Behaviour) -> Message<'a> {
    let session = claimed_session(header, behaviour);
    match behaviour.mutated_session_of_version(header, session, NO_SESSION) {
        Some(session) => Message::Refuse(session, 0, Code::Version.into()),
        None => Message::Ignore,
    }
}

/// Whether requests of this operation have a payload frame ([ENV-4]).
pub(crate) fn has_payload(op: &str) -> bool {
    matches!(op, "put" | "write" | "append")
}

/// Whether an integer stands where a request has its operation ([ENV-15]).
fn is_reply(header: &[u8]) -> bool {
    if header.get(6) != Some(&SESSION) {
        return false;
    }
    match unsigned(header, SEQ_AT) {
        Some((_, next)) => header.get(next).is_some_and(|initial| initial >> 5 <= 1),
        None => false,
    }
}

fn claimed_session(header: &[u8], behaviour: &Behaviour) -> Option<SessionId> {
    let session = header.get(7..SEQ_AT)?;
    if header[6] != SESSION || behaviour.mutated_end_of_session(header) {
        return None;
    }
    SessionId::try_from(session).ok()
}

/// The seq of a header that need not decode ([ENV-18]).
fn claimed_seq(header: &[u8]) -> u64 {
    let seq = unsigned(header, SEQ_AT).map_or(0, |(seq, _)| seq);
    if i64::try_from(seq).is_ok() { seq } else { 0 }
}

/// The request, unless it is to be answered BAD_MESSAGE.
fn request<'a>(body: &'a [Vec<u8>], session: SessionId, limits: &Limits, behaviour: &Behaviour) -> Option<Request<'a>> {
    let header = &body[0][..];
    // [LIMIT-1]
    if behaviour.mutated_length_of_header(header.len(), limits.header, header.len() > limits.header) {
        return None;
    }
    let Ok(Value::Array(items)) = cbor::decode(header) else {
        return None;
    };
    let mut items = items.iter();
    let (_magic, _session) = (items.next()?, items.next()?);
    let seq = match items.next()? {
        Value::Int(seq) => u64::try_from(behaviour.mutated_seq(seq)).ok()?,
        _ => return None,
    };
    let op = match items.next()? {
        Value::Text(op) => op,
        _ => behaviour.mutated_op()?,
    };
    let args = match items.next()? {
        Value::Map(args) => args,
        _ => behaviour.mutated_args()?,
    };
    // [ENV-4], [ENV-5], [ENV-20]
    let is_whole = body.len() == if has_payload(op) { 2 } else { 1 };
    if !behaviour.mutated_frames(op, seq, body.len(), is_whole) {
        return None;
    }
    Some(Request { session, seq, op, args, header, payload: body.get(1).map(|payload| &payload[..]) })
}

/// An unsigned integer of up to 64 bits in shortest form, and where it ends.
fn unsigned(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let initial = *bytes.get(at)?;
    let (width, least) = match initial {
        0..=23 => return Some((initial.into(), at + 1)),
        24 => (1, 24),
        25 => (2, 0x100),
        26 => (4, 0x1_0000),
        27 => (8, 0x1_0000_0000),
        _ => return None,
    };
    let argument = bytes.get(at + 1..at + 1 + width)?;
    let number = argument.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (number >= least).then_some((number, at + 1 + width))
}
