//! Checks of how a server treats messages that break the rules of the encoding or the envelope.

use crate::{
    engine::{
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{code::BAD_MESSAGE, malformed::HeaderParts, request::stat},
};

/// Sends frames that are malformed but begin like a request, and checks that they are answered BAD_MESSAGE with this
/// session and number [ENV-18] [CBOR-10].
pub(crate) fn refused(t: &mut CaseContext, frames: &[Vec<u8>], session: [u8; 16], seq: u64) -> CaseResult {
    t.send_raw(frames, Some((session, seq)))?;
    let reply = t.any_reply()?;
    t.code("a message that breaks the rules", &reply, BAD_MESSAGE)?;
    t.equal("the session of BAD_MESSAGE", reply.session, session)?;
    t.equal("the number of BAD_MESSAGE", reply.seq, seq)
}

/// Checks that a correct request is answered OK, that it is answered BAD_MESSAGE after `corrupt`, and that
/// its number is not consumed [SEQ-7].
pub(crate) fn expect_corruption_refused(
    t: &mut CaseContext,
    answered_as: Seq,
    corrupt: impl Fn(&mut HeaderParts),
) -> CaseResult {
    t.control(stat("/"))?;
    let (session, next) = (t.session, t.next);
    let mut parts = HeaderParts::of(&stat("/"), session, next);
    corrupt(&mut parts);
    refused(t, &parts.frames(), session, answered_as.of(next))?;
    t.expect_ok(stat("/")).map(drop)
}

/// The number in BAD_MESSAGE [ENV-18].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seq {
    /// The number of the request.
    Own,
    /// 0, because the number of the request cannot be read.
    Zero,
}

impl Seq {
    fn of(self, own: u64) -> u64 {
        if self == Seq::Own { own } else { 0 }
    }
}

/// Sends a message after a delimiter that must stay unanswered, and checks by a `ping` after it that it does, and
/// that the session continues.
pub(crate) fn unanswered(t: &mut CaseContext, frames: &[Vec<u8>]) -> CaseResult {
    t.send_raw(frames, None)?;
    expect_no_reply(t)
}

/// Checks with a `ping` that the last message stays unanswered, and that the session continues.
pub(crate) fn expect_no_reply(t: &mut CaseContext) -> CaseResult {
    t.barrier()?;
    if let Some(reply) = t.take_unasked().first() {
        return failed(format!(
            "a message that must not be answered was answered {} (session {:02x?}, seq {})",
            reply.code, reply.session, reply.seq
        ));
    }
    t.expect_ok(stat("/")).map(drop)
}

/// Runs a closure with another session id over the same connection.
pub(crate) fn with_another_session<T>(
    t: &mut CaseContext,
    act: impl FnOnce(&mut CaseContext) -> CaseResult<T>,
) -> CaseResult<T> {
    let (session, next) = (t.session, t.next);
    t.draw_session_id();
    let result = act(t);
    t.session = session;
    t.next = next;
    result
}
