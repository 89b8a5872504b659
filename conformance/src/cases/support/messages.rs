//! Checks of how a server treats messages that break the rules of the encoding or the envelope.

use crate::{
    engine::{
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{code::BAD_MESSAGE, malformed::HeaderParts, request::stat},
};

/// Sends frames that are no request but have its first bytes, and checks that they are answered BAD_MESSAGE with that
/// session and number [ENV-18] [CBOR-10].
pub(crate) fn refused(t: &mut CaseContext, frames: &[Vec<u8>], session: [u8; 16], seq: u64) -> CaseResult {
    t.send_raw(frames, Some((session, seq)))?;
    let reply = t.any_reply()?;
    t.code("a message that breaks the rules", &reply, BAD_MESSAGE)?;
    t.equal("the session of BAD_MESSAGE", reply.session, session)?;
    t.equal("the number of BAD_MESSAGE", reply.seq, seq)
}

/// Checks that the same request is fine when it is sent as it should be, that it is BAD_MESSAGE once `damage` has been
/// done to it, and that its number is still to be had [SEQ-7].
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

/// The number that BAD_MESSAGE carries [ENV-18].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seq {
    /// The request's own, which can be read.
    Own,
    /// 0, because the request's own cannot be read.
    Zero,
}

impl Seq {
    fn of(self, own: u64) -> u64 {
        if self == Seq::Own { own } else { 0 }
    }
}

/// Sends a message behind a delimiter that has to stay unanswered, and checks by a `ping` behind it that it does, and
/// that the session goes on.
pub(crate) fn unanswered(t: &mut CaseContext, frames: &[Vec<u8>]) -> CaseResult {
    t.send_raw(frames, None)?;
    expect_no_reply(t)
}

/// Checks by a `ping` that nothing came for what was sent last, and that the session goes on.
pub(crate) fn expect_no_reply(t: &mut CaseContext) -> CaseResult {
    t.barrier()?;
    if let Some(reply) = t.take_unasked().first() {
        return failed(format!(
            "what is not to be answered was answered {} (session {:02x?}, seq {})",
            reply.code, reply.session, reply.seq
        ));
    }
    t.expect_ok(stat("/")).map(drop)
}

/// Goes on as a client of another session id over the same connection, and then as before.
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
