//! What is known of a request until its reply comes.

use crate::client::flow::{Flow, Mark};
use remofile_proto::Operation;
use std::time::Duration;

/// A request without a reply.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) operation: Operation,
    /// How many bytes of payload it has.
    pub(super) payload_len: usize,
    pub(super) sent: Sendings,
}

/// How often a request was sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sendings {
    None,
    One(Mark),
    Several(Mark),
}

impl Awaited {
    /// How many bytes of content it brings to either side.
    pub(super) fn bytes(&self) -> u64 {
        if let Operation::Read { len, .. } = self.operation { len } else { self.payload_len as u64 }
    }

    pub(super) fn note_sent(&mut self, flow: &mut Flow, now: Duration) {
        self.sent = match self.sent {
            Sendings::None if self.bytes() == 0 => Sendings::None,
            Sendings::None => Sendings::One(flow.sent(now)),
            Sendings::One(mark) | Sendings::Several(mark) => Sendings::Several(mark),
        };
    }

    pub(super) fn note_answered(&self, flow: &mut Flow, now: Duration) {
        match self.sent {
            Sendings::None => {}
            Sendings::One(mark) => flow.answered(now, self.bytes(), mark, true),
            Sendings::Several(mark) => flow.answered(now, self.bytes(), mark, false),
        }
    }
}
