//! One number of the stream.

use super::Leftover;
use remofile_proto::{Operation, OperationClass, Recovery};
use std::time::Duration;

/// A submitted request; its bytes are gone once it is answered.
#[derive(Debug)]
pub(super) struct Slot<P> {
    request: Option<(Vec<u8>, P)>,
    class: OperationClass,
    recovery: Recovery,
    sent: Sent,
}

#[derive(Clone, Copy, Debug)]
enum Sent {
    Never,
    Once(Duration),
    Again,
}

impl<P> Slot<P> {
    pub(super) fn new(header: Vec<u8>, payload: P, operation: &Operation) -> Self {
        let info = operation.info();
        Self { request: Some((header, payload)), class: info.class, recovery: info.recovery, sent: Sent::Never }
    }

    /// What is to be sent, while it is not answered.
    pub(super) fn waiting(&self) -> Option<(&[u8], &P, OperationClass)> {
        self.request.as_ref().map(|(header, payload)| (header.as_slice(), payload, self.class))
    }

    /// Whether it was sent and is not answered.
    pub(super) fn awaits(&self) -> bool {
        self.request.is_some() && !matches!(self.sent, Sent::Never)
    }

    pub(super) fn note_sent(&mut self, now: Duration) {
        self.sent = match self.sent {
            Sent::Never => Sent::Once(now),
            Sent::Once(_) | Sent::Again => Sent::Again,
        };
    }

    /// The server has not executed it, unless it was sent more than once.
    pub(super) fn note_refused(&mut self) {
        if let Sent::Once(_) = self.sent {
            self.sent = Sent::Never;
        }
    }

    /// Its payload, and the round trip if it was sent but once: which of several was answered nobody knows.
    pub(super) fn answer(&mut self, now: Duration) -> Option<(P, Option<Duration>)> {
        let (_, payload) = self.request.take()?;
        let round_trip = match self.sent {
            Sent::Once(at) => now.checked_sub(at),
            Sent::Never | Sent::Again => None,
        };
        Some((payload, round_trip))
    }

    pub(super) fn into_leftover(self, seq: u64) -> Option<Leftover<P>> {
        let sent = self.awaits();
        let (_, payload) = self.request?;
        Some(Leftover { seq, payload, sent, recovery: self.recovery })
    }
}
