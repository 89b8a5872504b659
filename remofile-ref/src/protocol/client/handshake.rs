//! The client's way into a session: **each id says hello once, and one that got no answer is named by the next.**
//!
//! Pure: ids are drawn and `auth` is made by the driver, which also sends what [`Handshake::say_hello`] gives, once.

#[cfg(test)]
mod tests;

use remofile_proto::limits::LEASE_MIN_MS;
use remofile_proto::reply::{Malformed, ReplyError};
use remofile_proto::{
    Answer, Busy, Code, Detail, Hello, HelloReply, Operation, Refusal, Reply, SessionId, encode_request,
};
use std::collections::VecDeque;
use std::time::Duration;

/// How many of its own ids a client recognises when the server says who is holding the session.
const REMEMBERED: usize = 32;

/// What a reply to hello means.
#[derive(Debug)]
#[must_use]
pub enum HelloOutcome {
    /// Nothing: it does not answer the last hello.
    Ignored,
    /// The session is open.
    Open(HelloReply),
    /// Another hello is needed, with a new id: one of the client's own ids is in the way.
    Again,
    /// Another client holds the session. A later hello, with a new id, may succeed.
    Busy(Busy),
    /// The server does not let this client in: AUTH, VERSION, BAD_ARGS or any other refusal.
    Refused(Refusal),
    /// The server gave a code that this version does not know.
    Unknown(u64),
    /// The server breaks the protocol.
    Malformed(Malformed),
}

/// A client that has no session yet.
#[derive(Debug)]
pub struct Handshake {
    client: String,
    lease_ms: Option<u64>,
    take: Option<SessionId>,
    /// Its own ids, the latest last.
    drawn: VecDeque<SessionId>,
    /// The hello that is not answered, and when its silence ends.
    waiting: Option<(SessionId, Operation, Duration)>,
    silence: Duration,
}

impl Handshake {
    /// `client` is a name for people, of which 128 bytes are used; `take` names a session to take over, that of
    /// another client or, when a session is opened again, the client's own; `silence` is how long a hello is waited for.
    #[must_use]
    pub fn new(client: &str, lease_ms: Option<u64>, take: Option<SessionId>, silence: Duration) -> Self {
        let client = client[..client.floor_char_boundary(remofile_proto::limits::CLIENT)].to_owned();
        let lease_ms = lease_ms.map(|lease_ms| lease_ms.max(LEASE_MIN_MS));
        Self { client, lease_ms, take, drawn: take.into_iter().collect(), waiting: None, silence }
    }

    /// The header frame of the next hello, to be sent once; `id` is freshly drawn, `auth` made for it.
    #[must_use]
    pub fn say_hello(&mut self, now: Duration, id: SessionId, auth: [u8; 32]) -> Vec<u8> {
        if let Some((unanswered, ..)) = self.waiting.take() {
            // [SES-2]
            self.take = Some(unanswered);
        }
        if self.drawn.len() == REMEMBERED {
            self.drawn.pop_front();
        }
        self.drawn.push_back(id);
        let Self { client, lease_ms, take, .. } = self;
        let hello = Operation::Hello(Hello { auth, client: client.clone(), take: *take, lease_ms: *lease_ms });
        let header = encode_request(id, 0, &hello);
        self.waiting = Some((id, hello, now + self.silence));
        header
    }

    /// Takes a reply.
    pub fn on_reply(&mut self, reply: &Reply<'_>) -> HelloOutcome {
        // VERSION alone answers without the session [ENV-16].
        let versioned = reply.code == u64::from(Code::Version.number());
        match self.waiting.take_if(|(id, ..)| versioned || (reply.session == *id && reply.seq == 0)) {
            Some((_, hello, _)) => self.outcome_of(reply.into_answer(&hello)),
            None => HelloOutcome::Ignored,
        }
    }

    /// When the hello that is not answered has to be followed by another one, with a new id.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|(_, _, at)| *at)
    }

    fn outcome_of(&mut self, answer: Result<Answer, ReplyError>) -> HelloOutcome {
        match answer {
            Ok(Answer::Hello(welcome)) => HelloOutcome::Open(welcome),
            Ok(_) => HelloOutcome::Ignored,
            Err(ReplyError::Refused(Refusal { detail: Detail::Busy(busy), .. })) => {
                // An earlier hello of this client came through after all.
                let own = self.drawn.contains(&busy.session);
                self.take = own.then_some(busy.session);
                if own { HelloOutcome::Again } else { HelloOutcome::Busy(busy) }
            }
            Err(ReplyError::Refused(refusal)) if refusal.code == Code::NoSession => HelloOutcome::Again,
            Err(ReplyError::Refused(refusal)) => HelloOutcome::Refused(refusal),
            Err(ReplyError::UnknownCode { number, .. }) => HelloOutcome::Unknown(number),
            Err(ReplyError::Malformed(malformed)) => HelloOutcome::Malformed(malformed),
            Err(_) => HelloOutcome::Ignored,
        }
    }
}
