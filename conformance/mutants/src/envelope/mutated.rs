//! Mutations of the envelope.

use super::{Message, NO_SESSION, SEQ_AT, has_payload, unsigned};
use crate::{
    arguments,
    behaviour::Behaviour,
    mutations::{envelope, limits},
};
use remofile_proto::{
    Code, SessionId,
    cbor::{self, Map, Value},
};

impl Behaviour {
    /// The place of the delimiter.
    pub(super) fn mutated_delimiter(&self, frames: &[Vec<u8>], first: Option<usize>) -> Option<usize> {
        let Some(first) = first else {
            // The socket puts the way back in front: the first frame.
            return (frames.len() > 1 && self.has(&envelope::NO_DELIMITER)).then_some(0);
        };
        let last = frames.iter().rposition(Vec::is_empty)?;
        Some(if last > first && self.has(&envelope::LAST_DELIMITER) { last } else { first })
    }

    pub(super) fn mutated_way_back(&self, mut way: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let end = way.len().saturating_sub(1);
        if end > 1 && self.has(&envelope::ONE_ROUTING_FRAME) {
            way.drain(1..end);
        }
        // The first frame is the way to the next proxy: the order of the others is what gets lost.
        if end > 2 && self.has(&envelope::ROUTING_IS_TURNED) {
            way[1..end].reverse();
        }
        way
    }

    /// What is done with a message that is no request; `version` where its header has one.
    pub(super) fn mutated_ignorance<'a>(&self, header: &[u8], version: Option<u8>) -> Message<'a> {
        let is_answered = match (header, version) {
            (_, Some(_)) => self.has(&envelope::SHORT_IS_REFUSED),
            ([], None) => self.has(&envelope::NOTHING_AFTER) || self.has(&envelope::EMPTY_IS_ANSWERED),
            _ => self.has(&envelope::STRANGE_IS_ANSWERED),
        };
        match is_answered {
            true => Message::Refuse(NO_SESSION, 0, Code::BadMessage.into()),
            false => Message::Ignore,
        }
    }

    /// Whether a byte of a header is a version.
    pub(super) fn mutated_version(&self, is_digit: bool) -> bool {
        is_digit || self.has(&envelope::ANY_VERSION)
    }

    /// Whether a reply that a client sends is ignored.
    pub(super) fn mutated_reply_from_client(&self, header: &[u8], version: u8) -> bool {
        let code = unsigned(header, SEQ_AT).and_then(|(_, next)| header.get(next));
        let is_negative = code.is_some_and(|initial| initial >> 5 == 1);
        !self.any(&[
            (true, &envelope::REPLIES_ARE_ANSWERED),
            (version != b'1', &envelope::REPLIES_OF_VERSION_1),
            (is_negative, &envelope::NEGATIVE_CODES),
            (cbor::decode(header).is_err(), &envelope::CUT_REPLIES),
        ])
    }

    pub(super) fn mutated_own_version(&self, version: u8, is_own: bool) -> bool {
        is_own || (version == b'0' && self.has(&envelope::VERSION_TO_THE_NEWER))
    }

    /// The session to which VERSION is answered, if it is.
    pub(super) fn mutated_session_of_version(
        &self,
        header: &[u8],
        claimed: Option<SessionId>,
        session: SessionId,
    ) -> Option<SessionId> {
        let is_ignored = self.any(&[
            (claimed.is_none(), &envelope::VERSION_NEEDS_A_SESSION),
            (cbor::decode(header).is_err(), &envelope::VERSION_NEEDS_A_HEADER),
        ]);
        if is_ignored {
            return None;
        }
        claimed.filter(|_| self.has(&envelope::VERSION_TO_THE_SESSION)).or(Some(session))
    }

    /// Whether a header that ends after its session has none.
    pub(super) fn mutated_end_of_session(&self, header: &[u8]) -> bool {
        header.len() == SEQ_AT && self.has(&envelope::SHORT_BY_ONE)
    }

    /// The session and number of BAD_MESSAGE.
    pub(super) fn mutated_claims(&self, header: &[u8], session: SessionId, seq: u64) -> (SessionId, u64) {
        let session = if self.has(&envelope::BAD_MESSAGE_OF_NO_SESSION) { NO_SESSION } else { session };
        let loose = matches!(header[SEQ_AT..], [24, _, ..]) && unsigned(header, SEQ_AT).is_none();
        match seq {
            _ if loose && self.has(&envelope::LOOSE_SEQ) => (session, header[SEQ_AT + 1].into()),
            1.. if self.has(&envelope::BAD_MESSAGE_WITH_SEQ_0) => (session, 0),
            seq => (session, seq),
        }
    }

    /// Whether a header is too long.
    pub(super) fn mutated_length_of_header(&self, len: usize, limit: usize, is_too_long: bool) -> bool {
        let judged_otherwise = self.any(&[
            (len == limit + 1, &limits::HEADER_ONE_MORE),
            (is_too_long, &limits::HEADER_OF_ANY_LENGTH),
            (len == limit, &limits::HEADER_ONE_LESS),
        ]);
        is_too_long != judged_otherwise
    }

    pub(super) fn mutated_seq(&self, seq: i64) -> i64 {
        if seq < 0 && self.has(&envelope::NEGATIVE_NUMBERS) { 0 } else { seq }
    }

    /// The operation of a header that has none.
    pub(super) fn mutated_op(&self) -> Option<&'static str> {
        self.has(&envelope::OPERATION_OF_ANY_TYPE).then_some("")
    }

    /// The arguments of a header that has none.
    pub(super) fn mutated_args(&self) -> Option<Map<'static>> {
        match cbor::decode(&[0xa0]) {
            Ok(Value::Map(empty)) if self.has(&envelope::ARGS_OF_ANY_TYPE) => Some(empty),
            _ => None,
        }
    }

    /// Whether a request has the right number of frames.
    pub(super) fn mutated_frames(&self, op: &str, seq: u64, frames: usize, is_whole: bool) -> bool {
        let is_known = arguments::is_known(op);
        if !is_known && self.has(&envelope::UNKNOWN_IS_BAD_MESSAGE) {
            return false;
        }
        match (has_payload(op), frames) {
            _ if is_whole => true,
            (true, 1) => self.has(&envelope::PAYLOADS_MAY_BE_MISSING),
            (true, _) => self.has(&envelope::FURTHER_FRAMES),
            (false, 2) if !is_known => self.has(&envelope::UNKNOWN_WITH_PAYLOAD),
            (false, _) if seq == 0 && self.has(&envelope::PAYLOADS_OF_SEQ_0) => true,
            (false, _) => seq > 0 && self.has(&envelope::PAYLOADS_ARE_IGNORED),
        }
    }
}
