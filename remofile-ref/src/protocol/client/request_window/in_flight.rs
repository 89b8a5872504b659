//! One number of the stream.

use super::UnackedRequest;
use remofile_proto::{Operation, OperationClass, Recovery};
use std::time::Duration;

/// A submitted request; its bytes are gone once it is answered.
#[derive(Debug)]
pub(super) struct InFlight<P> {
    request: Option<(Vec<u8>, P)>,
    class: OperationClass,
    recovery: Recovery,
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
        let info = operation.info();
        Self { request: Some((header, payload)), class: info.class, recovery: info.recovery, sent: SendCount::Never }
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
        Some(UnackedRequest { seq, payload, sent, recovery: self.recovery })
    }
}
