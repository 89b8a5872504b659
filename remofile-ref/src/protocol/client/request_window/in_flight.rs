//! One number of the stream.

use super::{Recovery, UnackedRequest};
use remofile_proto::Operation;
use std::time::Duration;

/// What sending a request again may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationClass {
    /// The server may compute it again [SEQ-8].
    Recomputable,
    /// It changes something.
    Mutates,
    /// Neither: the reply is remembered, and nothing is changed.
    Remembered,
}

impl OperationClass {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Read { .. } | Operation::List { .. } | Operation::Uploads { .. } => Self::Recomputable,
            Operation::Stat { .. } | Operation::Hash { .. } | Operation::Flush => Self::Remembered,
            _ => Self::Mutates,
        }
    }
}

/// A submitted request; its bytes are gone once it is answered.
#[derive(Debug)]
pub(super) struct InFlight<P> {
    request: Option<(Vec<u8>, P)>,
    class: OperationClass,
    unanswered: Recovery,
    sent: SendCount,
}

#[derive(Clone, Copy, Debug)]
enum SendCount {
    Never,
    Once(Duration),
    Again,
}

impl<P> InFlight<P> {
    pub(super) fn new(header: Vec<u8>, payload: P, operation: &Operation) -> Self {
        let (class, unanswered) = (OperationClass::of(operation), Recovery::of(operation));
        Self { request: Some((header, payload)), class, unanswered, sent: SendCount::Never }
    }

    /// What is to be sent, while it is not answered.
    pub(super) fn waiting(&self) -> Option<(&[u8], &P, OperationClass)> {
        self.request.as_ref().map(|(header, payload)| (header.as_slice(), payload, self.class))
    }

    /// Whether it was sent and is not answered.
    pub(super) fn awaits(&self) -> bool {
        self.request.is_some() && !matches!(self.sent, SendCount::Never)
    }

    pub(super) fn note_sent(&mut self, now: Duration) {
        self.sent = match self.sent {
            SendCount::Never => SendCount::Once(now),
            SendCount::Once(_) | SendCount::Again => SendCount::Again,
        };
    }

    /// The server has not executed it, unless it was sent more than once.
    pub(super) fn note_refused(&mut self) {
        if let SendCount::Once(_) = self.sent {
            self.sent = SendCount::Never;
        }
    }

    /// Its payload, and the round trip if it was sent but once: else the reply may be to any of them.
    pub(super) fn answer(&mut self, now: Duration) -> Option<(P, Option<Duration>)> {
        let (_, payload) = self.request.take()?;
        let round_trip = match self.sent {
            SendCount::Once(at) => now.checked_sub(at),
            SendCount::Never | SendCount::Again => None,
        };
        Some((payload, round_trip))
    }

    pub(super) fn into_unacked(self, seq: u64) -> Option<UnackedRequest<P>> {
        let sent = self.awaits();
        let (_, payload) = self.request?;
        Some(UnackedRequest { seq, payload, sent, unanswered: self.unanswered })
    }
}
