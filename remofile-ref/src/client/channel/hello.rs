//! Opens a session: says hello until it is accepted, and waits while another client holds the session.

use super::{Channel, open::policy};
use crate::{
    client::{ClientError, options::Wait},
    keys::new_session,
    protocol::client::handshake::{Handshake, HelloOutcome},
    protocol::client::request_window::RequestWindow,
};
use remofile_proto::{Busy, Code, HelloReply, Refusal, Reply, SessionId};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long hello stays unanswered before it is said again under a new id [SES-2].
const HELLO_SILENCE: Duration = Duration::from_secs(2);

/// How often a client that waits for another one asks again.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// What a client that waits for a lease to end grants beyond it.
const LEASE_GRACE: Duration = Duration::from_secs(2);

impl Channel {
    /// Says hello until a session is open; `take` names the one that it replaces, and `takes_over` means whichever it is.
    pub(super) fn say_hello(&mut self, take: Option<SessionId>, mut takes_over: bool) -> Result<(), ClientError> {
        let mut deadline = self.now() + self.options.connect_timeout.max(HELLO_SILENCE);
        let mut patience_ends = None;
        let mut handshake = self.handshake(take);
        while self.now() < deadline {
            // [SES-1] A new id for each.
            self.session = new_session();
            let header = handshake.say_hello(self.now(), self.session, self.keys.hello.auth(self.session));
            self.send_header(header)?;
            match self.await_hello_reply(&mut handshake)? {
                HelloOutcome::Open(welcome) => {
                    self.use_session(welcome);
                    return Ok(());
                }
                HelloOutcome::Ignored | HelloOutcome::Again => {}
                HelloOutcome::Busy(busy) if std::mem::replace(&mut takes_over, false) => {
                    handshake = self.handshake(Some(busy.session));
                }
                HelloOutcome::Busy(busy) => {
                    let ends = *patience_ends.get_or_insert_with(|| self.now() + self.busy_wait(&busy));
                    self.wait_for_holder(ends, busy)?;
                    deadline = self.now() + self.options.connect_timeout.max(HELLO_SILENCE);
                }
                HelloOutcome::Refused(Refusal { code: Code::Auth, .. }) => {
                    return Err(ClientError::TokenRefused { endpoint: self.endpoint.clone() });
                }
                HelloOutcome::Refused(refusal) => {
                    return Err(self.not_remofile(&format!("hello was answered {}", refusal.code)));
                }
                HelloOutcome::Unknown(code) => {
                    return Err(self.not_remofile(&format!("hello was answered with code {code}")));
                }
                HelloOutcome::Malformed(error) => return Err(ClientError::Protocol { reason: error.to_string() }),
            }
        }
        Err(ClientError::TimedOut { operation: "hello", after: self.options.connect_timeout })
    }

    fn handshake(&self, take: Option<SessionId>) -> Handshake {
        Handshake::new(&self.options.name, self.options.lease_ms, take, HELLO_SILENCE)
    }

    fn use_session(&mut self, welcome: HelloReply) {
        let window = if self.options.lockstep { 1 } else { welcome.window };
        self.requests = RequestWindow::new(self.now(), self.session, window, policy(&self.options));
        self.received_at = Instant::now();
        self.full = None;
        self.welcome = Arc::new(welcome);
        self.pending = None;
        self.is_over = false;
    }

    fn busy_wait(&self, busy: &Busy) -> Duration {
        let wait = match self.options.wait {
            Wait::For(wait) => wait,
            Wait::Lease => Duration::from_millis(busy.lease_ms) + LEASE_GRACE,
        };
        if !wait.is_zero() {
            tracing::info!(holder = %busy.client.escape_debug(), idle_ms = busy.idle_ms, "in use; waiting up to {wait:?}");
        }
        wait
    }

    /// Lets a little time go by while another client holds the session, up to the end of all waiting.
    fn wait_for_holder(&mut self, ends: Duration, busy: Busy) -> Result<(), ClientError> {
        let pause_ends = (self.now() + BUSY_PAUSE).min(ends);
        if self.now() >= ends {
            return Err(ClientError::Busy(busy));
        }
        while let Some(left) = pause_ends.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            // A late reply to an earlier hello is of no use: the next one names that session itself.
            drop(self.wait(left)?);
        }
        Ok(())
    }

    /// What the last hello was answered; [`HelloOutcome::Again`] when its silence is over.
    fn await_hello_reply(&mut self, handshake: &mut Handshake) -> Result<HelloOutcome, ClientError> {
        while let Some(left) = handshake.next_deadline().and_then(|at| at.checked_sub(self.now())) {
            if left.is_zero() {
                break;
            }
            for message in self.wait(left)? {
                let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
                let Ok(reply) = Reply::decode(&frames) else { continue };
                match handshake.on_reply(&reply) {
                    HelloOutcome::Ignored => {}
                    outcome => return Ok(outcome),
                }
            }
        }
        Ok(HelloOutcome::Again)
    }
}
