//! Checks of how a server treats messages that break the rules of the encoding or the envelope.

use crate::{
    engine::{
        context::Trial,
        error::{Checked, failed},
    },
    wire::{code::BAD_MESSAGE, malformed::Pieces, request::stat},
};

/// Sends frames that are no request but have its first bytes, and checks that they are answered BAD_MESSAGE with that
/// session and number [ENV-18] [CBOR-10].
pub(crate) fn refused(t: &mut Trial, frames: &[Vec<u8>], session: [u8; 16], seq: u64) -> Checked {
    t.send_raw(frames, Some((session, seq)))?;
    let reply = t.any_reply()?;
    t.code("a message that breaks the rules", &reply, BAD_MESSAGE)?;
    t.equal("the session of BAD_MESSAGE", reply.session, session)?;
    t.equal("the number of BAD_MESSAGE", reply.seq, seq)
}

/// Checks that the same request is fine when it is sent as it should be, that it is BAD_MESSAGE once `damage` has been
/// done to it, and that its number is still to be had [SEQ-7].
pub(crate) fn damaged(t: &mut Trial, answered_as: Seq, damage: impl Fn(&mut Pieces)) -> Checked {
    t.control(stat("/"))?;
    let (session, next) = (t.session, t.next);
    let mut pieces = Pieces::of(&stat("/"), session, next);
    damage(&mut pieces);
    refused(t, &pieces.frames(), session, answered_as.of(next))?;
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
pub(crate) fn unanswered(t: &mut Trial, frames: &[Vec<u8>]) -> Checked {
    t.send_raw(frames, None)?;
    nothing_came(t)
}

/// Checks by a `ping` that nothing came for what was sent last, and that the session goes on.
pub(crate) fn nothing_came(t: &mut Trial) -> Checked {
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
pub(crate) fn as_another<T>(t: &mut Trial, act: impl FnOnce(&mut Trial) -> Checked<T>) -> Checked<T> {
    let (session, next) = (t.session, t.next);
    t.renew();
    let result = act(t);
    t.session = session;
    t.next = next;
    result
}
