//! Section 3: what a message is, by its frames and the first bytes of its header.

use crate::{arguments, behaviour::Behaviour, limits::Limits, mutations, reply::Refusal};
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
    let Some(mut delimiter) = frames.iter().position(Vec::is_empty) else {
        // The first frame is the way back, which the socket puts there.
        return (frames.len() > 1 && behaviour.has(&mutations::envelope::NO_DELIMITER)).then(|| frames.split_at(1));
    };
    let last = frames.iter().rposition(Vec::is_empty)?;
    if last > delimiter && behaviour.has(&mutations::envelope::LAST_DELIMITER) {
        delimiter = last;
    }
    Some(frames.split_at(delimiter + 1))
}

/// The frames before each reply ([ENV-2]).
pub(crate) fn way_back(prefix: &[Vec<u8>], behaviour: &Behaviour) -> Vec<Vec<u8>> {
    let mut way = prefix.to_vec();
    if way.len() > 2 && behaviour.has(&mutations::envelope::ONE_ROUTING_FRAME) {
        way.drain(1..prefix.len() - 1);
    }
    // The first frame is the way to the next proxy: the order of the others is what gets lost.
    if way.len() > 3 && behaviour.has(&mutations::envelope::ROUTING_IS_TURNED) {
        way[1..prefix.len() - 1].reverse();
    }
    way
}

/// Section 3.3, in its order.
pub(crate) fn classify<'a>(body: &'a [Vec<u8>], limits: &Limits, behaviour: &Behaviour) -> Message<'a> {
    let no_session = SessionId::new([0; 16]);
    let Some(header) = body.first() else {
        if behaviour.has(&mutations::envelope::NOTHING_AFTER) {
            return Message::Refuse(no_session, 0, Code::BadMessage.into());
        }
        return Message::Ignore;
    };
    let version = match header.strip_prefix(&START) {
        Some([digit @ b'0'..=b'9', ..]) => *digit,
        Some([letter, ..]) if behaviour.has(&mutations::envelope::ANY_VERSION) => *letter,
        _ if header.is_empty() && behaviour.has(&mutations::envelope::EMPTY_IS_ANSWERED) => {
            return Message::Refuse(no_session, 0, Code::BadMessage.into());
        }
        _ if !header.is_empty() && behaviour.has(&mutations::envelope::STRANGE_IS_ANSWERED) => {
            return Message::Refuse(no_session, 0, Code::BadMessage.into());
        }
        _ => return Message::Ignore,
    };
    if is_reply(header) && !is_overlooked(header, version, behaviour) {
        return Message::Ignore;
    }
    if version != b'1' && !(version == b'0' && behaviour.has(&mutations::envelope::VERSION_TO_THE_NEWER)) {
        return another_version(header, behaviour);
    }
    let Some(session) = claimed_session(header, behaviour) else {
        if behaviour.has(&mutations::envelope::SHORT_IS_REFUSED) {
            return Message::Refuse(no_session, 0, Code::BadMessage.into());
        }
        return Message::Ignore;
    };
    match request(body, session, limits, behaviour) {
        Some(request) => Message::Request(request),
        None => {
            let told =
                if behaviour.has(&mutations::envelope::BAD_MESSAGE_OF_NO_SESSION) { no_session } else { session };
            Message::Refuse(told, claimed_seq(header, behaviour), Code::BadMessage.into())
        }
    }
}

/// A mutation takes this reply for something else.
fn is_overlooked(header: &[u8], version: u8, behaviour: &Behaviour) -> bool {
    let code = unsigned(header, SEQ_AT).and_then(|(_, next)| header.get(next));
    let is_negative = code.is_some_and(|initial| initial >> 5 == 1);
    behaviour.has(&mutations::envelope::REPLIES_ARE_ANSWERED)
        || (version != b'1' && behaviour.has(&mutations::envelope::REPLIES_OF_VERSION_1))
        || (is_negative && behaviour.has(&mutations::envelope::NEGATIVE_CODES))
        || (cbor::decode(header).is_err() && behaviour.has(&mutations::envelope::CUT_REPLIES))
}

/// [ENV-16]
fn another_version<'a>(header: &[u8], behaviour: &Behaviour) -> Message<'a> {
    let no_session = SessionId::new([0; 16]);
    let session = claimed_session(header, behaviour);
    if (session.is_none() && behaviour.has(&mutations::envelope::VERSION_NEEDS_A_SESSION))
        || (cbor::decode(header).is_err() && behaviour.has(&mutations::envelope::VERSION_NEEDS_A_HEADER))
    {
        return Message::Ignore;
    }
    let told = match session {
        Some(session) if behaviour.has(&mutations::envelope::VERSION_TO_THE_SESSION) => session,
        _ => no_session,
    };
    Message::Refuse(told, 0, Code::Version.into())
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
    if header[6] != SESSION || (header.len() == SEQ_AT && behaviour.has(&mutations::envelope::SHORT_BY_ONE)) {
        return None;
    }
    SessionId::try_from(session).ok()
}

/// The seq of a header that need not decode ([ENV-18]).
fn claimed_seq(header: &[u8], behaviour: &Behaviour) -> u64 {
    let seq = match unsigned(header, SEQ_AT) {
        Some((seq, _)) => seq,
        None if matches!(header[SEQ_AT..], [24, _, ..]) && behaviour.has(&mutations::envelope::LOOSE_SEQ) => {
            header[SEQ_AT + 1].into()
        }
        None => 0,
    };
    match i64::try_from(seq) {
        Ok(_) if seq > 0 && behaviour.has(&mutations::envelope::BAD_MESSAGE_WITH_SEQ_0) => 0,
        Ok(_) => seq,
        Err(_) => 0,
    }
}

/// The request, unless it is to be answered BAD_MESSAGE.
fn request<'a>(body: &'a [Vec<u8>], session: SessionId, limits: &Limits, behaviour: &Behaviour) -> Option<Request<'a>> {
    let header = &body[0][..];
    if is_too_long(header.len(), limits.header, behaviour) {
        return None;
    }
    let Ok(Value::Array(items)) = cbor::decode(header) else {
        return None;
    };
    let mut items = items.iter();
    let (_magic, _session) = (items.next()?, items.next()?);
    let seq = match items.next()? {
        Value::Int(seq) if seq < 0 && behaviour.has(&mutations::envelope::NEGATIVE_NUMBERS) => 0,
        Value::Int(seq) => u64::try_from(seq).ok()?,
        _ => return None,
    };
    let op = match items.next()? {
        Value::Text(op) => op,
        _ if behaviour.has(&mutations::envelope::OPERATION_OF_ANY_TYPE) => "",
        _ => return None,
    };
    let args = match items.next()? {
        Value::Map(args) => args,
        _ if behaviour.has(&mutations::envelope::ARGS_OF_ANY_TYPE) => no_arguments()?,
        _ => return None,
    };
    if !counts(op, seq, body.len(), behaviour) {
        return None;
    }
    Some(Request { session, seq, op, args, header, payload: body.get(1).map(|payload| &payload[..]) })
}

/// A mutation's arguments, in place of what is no map.
fn no_arguments() -> Option<Map<'static>> {
    match cbor::decode(&[0xa0]) {
        Ok(Value::Map(empty)) => Some(empty),
        _ => None,
    }
}

/// [LIMIT-1]
fn is_too_long(len: usize, limit: usize, behaviour: &Behaviour) -> bool {
    if len > limit {
        let by_one = len == limit + 1 && behaviour.has(&mutations::limits::HEADER_ONE_MORE);
        return !by_one && !behaviour.has(&mutations::limits::HEADER_OF_ANY_LENGTH);
    }
    len == limit && behaviour.has(&mutations::limits::HEADER_ONE_LESS)
}

/// Whether a request of this operation has so many frames ([ENV-4], [ENV-5], [ENV-20]).
fn counts(op: &str, seq: u64, frames: usize, behaviour: &Behaviour) -> bool {
    let takes_payload = has_payload(op);
    let is_known = arguments::is_known(op);
    if !is_known && behaviour.has(&mutations::envelope::UNKNOWN_IS_BAD_MESSAGE) {
        return false;
    }
    match (takes_payload, frames) {
        (true, 2) | (false, 1) => true,
        (true, 1) => behaviour.has(&mutations::envelope::PAYLOADS_MAY_BE_MISSING),
        (true, _) => behaviour.has(&mutations::envelope::FURTHER_FRAMES),
        (false, 2) if !is_known => behaviour.has(&mutations::envelope::UNKNOWN_WITH_PAYLOAD),
        (false, _) if seq == 0 && behaviour.has(&mutations::envelope::PAYLOADS_OF_SEQ_0) => true,
        (false, _) => seq > 0 && behaviour.has(&mutations::envelope::PAYLOADS_ARE_IGNORED),
    }
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
