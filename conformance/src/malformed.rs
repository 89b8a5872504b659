//! Bytes that no encoder writes, and what a server has to do with them.

use crate::{
    cbor::{Value, encode, head},
    code::BAD_MESSAGE,
    request::{MAGIC, Request, stat},
    stop::{Checked, failed},
    trial::Trial,
};

/// A request header in pieces, each of which can be replaced by any bytes.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// The head of the array.
    pub(crate) array: Vec<u8>,
    pub(crate) magic: Vec<u8>,
    pub(crate) session: Vec<u8>,
    pub(crate) seq: Vec<u8>,
    pub(crate) op: Vec<u8>,
    pub(crate) args: Vec<u8>,
    /// What follows the array.
    pub(crate) behind: Vec<u8>,
}

impl Pieces {
    /// A header as it should be.
    pub(crate) fn of(request: &Request, session: [u8; 16], seq: u64) -> Self {
        Self {
            array: head(4, 5),
            magic: encode(&MAGIC.into()),
            session: encode(&session.into()),
            seq: encode(&seq.into()),
            op: encode(&request.op.as_str().into()),
            args: encode(&Value::Map(request.args.clone())),
            behind: Vec::new(),
        }
    }

    /// The header's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.array, &self.magic, &self.session, &self.seq, &self.op, &self.args, &self.behind]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// The frames behind the delimiter.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        vec![self.bytes()]
    }
}

/// The head of a major type whose argument takes `width` bytes (1, 2, 4 or 8), however small it is.
pub(crate) fn long_head(major: u8, argument: u64, width: usize) -> Vec<u8> {
    let info = match width {
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    [&[major << 5 | info][..], &argument.to_be_bytes()[8 - width..]].concat()
}

/// A text string from any bytes.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [&head(3, bytes.len() as u64), bytes].concat()
}

/// A map of encoded keys and values, in the order given.
pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = head(5, pairs.len() as u64);
    for (key, value) in pairs {
        bytes.extend(key);
        bytes.extend(value);
    }
    bytes
}

/// So many arrays in one another, the innermost empty.
pub(crate) fn arrays(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x81; depth.saturating_sub(1)];
    bytes.push(0x80);
    bytes
}

/// So many maps in one another, the innermost empty.
pub(crate) fn maps(depth: usize) -> Vec<u8> {
    let mut bytes = b"\xa1\x61m".repeat(depth.saturating_sub(1));
    bytes.push(0xa0);
    bytes
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::read;

    #[test]
    fn pieces_that_nobody_touched_are_the_header() {
        let request = stat("/a");
        assert_eq!(Pieces::of(&request, [7; 16], 300).bytes(), encode(&request.header([7; 16], 300)));
    }

    #[test]
    fn a_long_head_says_the_same_in_more_bytes() {
        assert_eq!(long_head(0, 5, 1), [0x18, 5]);
        assert_eq!(long_head(3, 1, 8), [0x7b, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn seven_arrays_in_the_arguments_are_one_too_many() {
        let deep = |depth: usize| {
            let mut pieces = Pieces::of(&stat("/"), [7; 16], 1);
            pieces.args = map(&[(text(b"zz"), arrays(depth))]);
            read(&pieces.bytes())
        };
        assert!(deep(6).is_ok());
        assert_eq!(deep(7).map_err(|broken| broken.requirement), Err("CBOR-8"));
    }

    #[test]
    fn nested_maps_are_counted_like_arrays() {
        assert!(read(&maps(8)).is_ok());
        assert_eq!(read(&maps(9)).map_err(|broken| broken.requirement), Err("CBOR-8"));
    }
}
