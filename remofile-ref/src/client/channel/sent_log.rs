//! What is known of a request until its reply comes.

use super::CallerId;
use crate::client::congestion::{CongestionController, SendSample};
use remofile_proto::Operation;
use std::time::Duration;

/// A request without a reply.
#[derive(Debug)]
pub(super) struct OutstandingRequest {
    pub(super) operation: Operation,
    /// How many bytes of payload it has.
    pub(super) payload_len: usize,
    /// Who gets the reply.
    pub(super) caller: CallerId,
    pub(super) sent: SentLog,
}

/// How often a request was sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum SentLog {
    None,
    One(SendSample),
    Several(SendSample),
}

impl OutstandingRequest {
    /// How many bytes of content it brings to either side.
    pub(super) fn bytes(&self) -> u64 {
        if let Operation::Read { len, .. } = self.operation { len } else { self.payload_len as u64 }
    }

    pub(super) fn note_sent(&mut self, congestion: &mut CongestionController, now: Duration) {
        self.sent = match self.sent {
            SentLog::None if self.bytes() == 0 => SentLog::None,
            SentLog::None => SentLog::One(congestion.sent(now)),
            SentLog::One(sample) | SentLog::Several(sample) => SentLog::Several(sample),
        };
    }

    pub(super) fn note_answered(&self, congestion: &mut CongestionController, now: Duration) {
        match self.sent {
            SentLog::None => {}
            SentLog::One(sample) => congestion.answered(now, self.bytes(), sample, true),
            SentLog::Several(sample) => congestion.answered(now, self.bytes(), sample, false),
        }
    }
}
