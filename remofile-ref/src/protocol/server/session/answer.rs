//! Replies as bytes, bounded.

use super::MAX_MESSAGE;
use crate::{Outcome, Success};
use remofile_proto::{Answer, Code, Refusal, SessionId, encode_reply};

/// A reply: one or two frames after the delimiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The encoded header.
    pub header: Vec<u8>,
    /// The payload of a READ that was answered OK.
    pub payload: Option<Vec<u8>>,
}

/// The reply with an outcome; `limit` bounds its header in bytes [LIMIT-2].
pub(super) fn answer(session: SessionId, seq: u64, outcome: Outcome, limit: u64) -> Reply {
    match outcome {
        Ok(Success { answer, payload }) => {
            // [ENV-6] READ has a payload, if only an empty one; [ENV-7] nothing else has.
            let payload = matches!(answer, Answer::Read(_)).then(|| payload.unwrap_or_default());
            let header = encode_reply(session, seq, &Ok(answer));
            if header.len() as u64 > limit {
                return refuse(session, seq, Refusal::because(Code::Internal, "the result is too long for a reply"));
            }
            Reply { header, payload }
        }
        Err(refusal) => refuse(session, seq, refusal),
    }
}

/// The reply with an answer other than OK.
pub(super) fn refuse(session: SessionId, seq: u64, mut refusal: Refusal) -> Reply {
    if let Some(msg) = &mut refusal.msg {
        msg.truncate(msg.floor_char_boundary(MAX_MESSAGE));
    }
    Reply { header: encode_reply(session, seq, &Err(refusal)), payload: None }
}
