//! Requests outside the numbering, once a session is open: ping and bye.

use super::{Channel, sent_log::OutstandingRequest};
use crate::{
    client::{Cancel, ClientError},
    transport::Message,
};
use remofile_proto::{Operation, encode_request};
use std::time::{Duration, Instant};

/// How long bye waits: a server that does not answer lets go when the lease ends.
const BYE_WAIT: Duration = Duration::from_secs(1);

impl Channel {
    /// Whether the lease is to be renewed: nothing has done so for a third of it [SES-16].
    pub(in crate::client) fn is_ping_due(&self) -> bool {
        !self.is_over && self.received_at.elapsed() >= Duration::from_millis(self.welcome.lease_ms) / 3
    }

    /// Sends a ping, which [`Channel::take_ping_reply`] gives the reply to.
    pub(in crate::client) fn send_ping(&mut self) -> Result<(), ClientError> {
        if self.is_over {
            return Err(self.lost_again());
        }
        self.unnumbered = None;
        self.send_unnumbered(&Operation::Ping)
    }

    pub(in crate::client) fn take_ping_reply(&mut self) -> Result<Option<()>, ClientError> {
        match self.unnumbered.take() {
            Some(0) => Ok(Some(())),
            Some(_) => Err(self.lost("another client took it over, or the server was restarted")),
            None if self.is_over => Err(self.lost_again()),
            None => Ok(None),
        }
    }

    pub(in crate::client) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// Ends the session, and waits a little for the answer; a client that was cancelled says it too.
    pub(in crate::client) fn bye(&mut self) {
        self.cancel = Cancel::new();
        self.bye_cancellable();
    }

    /// Has the end wait no longer than this for what is queued.
    pub(in crate::client) fn linger_at_most(&self, linger: Duration) {
        self.socket.linger_at_most(linger);
    }

    /// The same, and ends when it is cancelled.
    pub(in crate::client) fn bye_cancellable(&mut self) {
        if !self.is_over && self.disconnected.is_none() {
            // [SES-24] Once more when nothing came; and whatever the answer, the session is over [SES-20].
            if let Ok(None) = self.ask_unnumbered(&Operation::Bye, BYE_WAIT) {
                let _ = self.ask_unnumbered(&Operation::Bye, BYE_WAIT);
            }
        }
        self.is_over = true;
    }

    /// Fails where the caller has cancelled.
    pub(in crate::client) fn check_cancelled(&mut self) -> Result<(), ClientError> {
        if !self.cancel.is_cancelled() {
            return Ok(());
        }
        // What the server executes for long would keep the next call waiting; bye ends it [SES-17].
        let caller = self.caller;
        let is_pending = |seq| self.awaited.get(&seq).is_some_and(|request| request.caller == caller);
        let is_long = |request: &OutstandingRequest| request.caller == caller && request.operation.info().takes_long;
        if self.pending.take_if(|seq| is_pending(*seq)).is_some() || self.awaited.values().any(is_long) {
            self.send_bye();
        }
        Err(ClientError::Cancelled)
    }

    /// Ends the session without waiting for the answer.
    pub(in crate::client) fn send_bye(&mut self) {
        if !self.is_over && self.disconnected.is_none() {
            let _ = self.send_unnumbered(&Operation::Bye);
        }
        if !self.is_over {
            self.loss = "it has ended".to_owned();
        }
        self.is_over = true;
    }

    fn ask_unnumbered(&mut self, operation: &Operation, wait: Duration) -> Result<Option<u64>, ClientError> {
        self.unnumbered = None;
        self.send_unnumbered(operation)?;
        let deadline = Instant::now() + wait;
        while self.unnumbered.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            for message in self.wait(left)? {
                self.on_message(message)?;
            }
        }
        Ok(self.unnumbered.take())
    }

    fn send_unnumbered(&mut self, operation: &Operation) -> Result<(), ClientError> {
        self.send_header(encode_request(self.session, 0, operation))
    }

    pub(super) fn send_header(&mut self, header: Vec<u8>) -> Result<(), ClientError> {
        // A full queue is silence, and handled as such.
        self.socket.send(vec![Message::new(), Message::from(header)]).map(drop).map_err(|error| self.failed(error))
    }
}
