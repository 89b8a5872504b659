//! Drives a session: sends what is due, receives replies, and handles timeouts.

use super::{CANCEL_CHECK, Channel, Completion, OutstandingRequest};
use crate::{
    client::{
        ClientError,
        payload::{Content, Payload},
    },
    protocol::client::request_window::WindowEvent,
    transport::{LinkEvent, Message, SendOutcome, Wake},
};
use remofile_proto::{Answer, Code, Operation, Refusal, Reply, ReplyError, SessionId, cbor::Value, envelope};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

impl Channel {
    pub(super) fn await_connection(&mut self) -> Result<(), ClientError> {
        let deadline = Instant::now() + self.options.connect_timeout;
        while self.disconnected.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.unreachable("no connection in time"));
            }
            self.wait(left)?;
        }
        Ok(())
    }

    /// Sends what is due, and waits for replies or events for at most `limit`, or until another caller wants the channel.
    pub(in crate::client) fn drive(&mut self, limit: Duration) -> Result<(), ClientError> {
        self.send_what_is_due()?;
        let limit = limit.min(self.options.timeout);
        let now = self.now();
        let due = self.requests.next_deadline();
        let wait = due.map_or(limit, |due| due.saturating_sub(now)).min(limit);
        for message in self.wait(wait)? {
            self.on_message(message)?;
        }
        if self.disconnected.is_some_and(|since| since.elapsed() >= self.options.timeout) {
            return Err(self.lost("there was no connection for too long"));
        }
        if self.full.is_some_and(|since| since.elapsed() >= self.options.timeout) {
            return Err(self.lost("the socket took nothing for too long"));
        }
        if due.is_some() && self.requests.next_deadline().is_some_and(|due| due <= self.now()) {
            let event = self.requests.on_timer(self.now());
            self.on_event(event)?;
        }
        Ok(())
    }

    /// Waits for messages or events of the connection; gives all messages that are there.
    pub(super) fn wait(&mut self, wait: Duration) -> Result<Vec<Vec<Message>>, ClientError> {
        let ends = Instant::now() + wait;
        let mut messages = Vec::new();
        loop {
            self.check_cancelled()?;
            let left = ends.saturating_duration_since(Instant::now());
            match self.socket.poll(left.min(CANCEL_CHECK)).map_err(|error| self.failed(error))? {
                Wake::Readable => {
                    while let Some(message) = self.socket.recv().map_err(|error| self.failed(error))? {
                        messages.push(message);
                    }
                }
                Wake::Event(LinkEvent::HandshakeSucceeded) => {
                    if self.disconnected.take().is_some() {
                        self.requests.on_reconnected(self.now());
                    }
                }
                Wake::Event(LinkEvent::Disconnected) => {
                    self.disconnected.get_or_insert_with(Instant::now);
                    self.requests.on_disconnected();
                }
                Wake::Event(_) | Wake::Room => {}
                Wake::Timeout if left > CANCEL_CHECK && self.wanted.load(Ordering::SeqCst) == 0 => continue,
                Wake::Timeout => {}
            }
            return Ok(messages);
        }
    }

    pub(super) fn send_what_is_due(&mut self) -> Result<(), ClientError> {
        self.held = None;
        let now = self.now();
        if self.disconnected.is_some() {
            return Ok(());
        }
        while let Some(due) = self.requests.next_to_send() {
            let mut frames = vec![Message::new(), Message::from(due.header)];
            let seq = due.seq;
            match due.payload.frame() {
                Ok(payload) => frames.extend(payload),
                // Its caller reads the file again in another session, and reports what fails there.
                Err(error) => {
                    self.send_bye();
                    return Err(self.lost(&format!("a local file could not be read again: {error}")));
                }
            }
            match self.socket.send(frames).map_err(|error| self.failed(error))? {
                SendOutcome::Queued => {
                    self.full = None;
                    self.requests.sent(now);
                    if let Some(awaited) = self.awaited.get_mut(&seq) {
                        awaited.note_sent(&mut self.congestion, now);
                    }
                }
                SendOutcome::Full(_) => {
                    self.full.get_or_insert_with(Instant::now);
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn on_message(&mut self, mut message: Vec<Message>) -> Result<(), ClientError> {
        self.received_at = Instant::now();
        let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
        let reply = match Reply::decode(&frames) {
            Ok(reply) => reply,
            // [CBOR-11] for what claims to be of this session; anything else is ignored [ENV-9].
            Err(error) if claims(&frames, self.session) => {
                return Err(self.broken(&error));
            }
            Err(_) => return Ok(()),
        };
        if reply.seq == 0 && reply.session == self.session && reply.code != u64::from(Code::BadMessage.number()) {
            self.unnumbered = Some(reply.code);
            return Ok(());
        }
        match self.requests.on_reply(self.started.elapsed(), &reply) {
            WindowEvent::Pending { seq } => {
                self.pending = Some(seq);
                if let Some(OutstandingRequest { operation, caller, .. }) = self.awaited.get(&seq) {
                    let (done, total) = worked(&reply);
                    let (operation, caller) = (operation.clone(), *caller);
                    self.deliver_pending(caller, &operation, done, total);
                }
                Ok(())
            }
            WindowEvent::Answered { seq, .. } => {
                self.pending = self.pending.filter(|pending| *pending != seq);
                let Some(awaited) = self.awaited.remove(&seq) else { return Ok(()) };
                awaited.note_answered(&mut self.congestion, self.started.elapsed());
                let bytes = awaited.bytes();
                let OutstandingRequest { operation, payload_len, caller, .. } = awaited;
                let result = match reply.into_answer(&operation) {
                    Ok(answer) => {
                        if operation.info().needs_flush {
                            self.changed();
                        }
                        Ok(answer)
                    }
                    Err(ReplyError::Refused(refusal)) => Err(refusal),
                    // [CODE-4]
                    Err(error @ ReplyError::UnknownCode { .. }) => {
                        Err(Refusal::because(Code::Internal, error.to_string()))
                    }
                    Err(error) => return Err(self.broken(&error)),
                };
                let len = if let Operation::Read { len, .. } = operation { len } else { u64::MAX };
                if message.last().is_some_and(|payload| payload.len() as u64 > len) {
                    return Err(self.broken(&"a payload is longer than what was asked for"));
                }
                let result = result.map(|answer| {
                    let content = matches!(answer, Answer::Read(_)).then(|| message.pop()).flatten().map(Content);
                    (answer, content)
                });
                self.deliver(caller, bytes, Completion { seq, payload_len, result });
                Ok(())
            }
            event => self.on_event(event),
        }
    }

    fn on_event(&mut self, event: WindowEvent<Payload>) -> Result<(), ClientError> {
        match event {
            WindowEvent::Lost(loss) => Err(self.lost(&loss.to_string())),
            _ => Ok(()),
        }
    }
}

/// Whether the frames look like a reply of this session.
fn claims(frames: &[&[u8]], session: SessionId) -> bool {
    frames.iter().find(|frame| !frame.is_empty()).is_some_and(|header| {
        let start = envelope::HEADER_START.len();
        header.starts_with(&envelope::HEADER_START)
            && header.get(start..start + SessionId::LEN) == Some(session.as_bytes())
    })
}

/// What PENDING says of its operation.
fn worked(reply: &Reply<'_>) -> (u64, Option<u64>) {
    let number = |key| match reply.result.get(key) {
        Some(Value::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    (number("done").unwrap_or(0), number("total"))
}
