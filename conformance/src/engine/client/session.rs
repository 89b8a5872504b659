//! Opens and ends sessions.

use super::Client;
use crate::{
    engine::{
        environment::random_id,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        code::{BUSY, NO_SESSION, OK},
        reply::Reply,
        request::{Request, bye, request},
    },
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// The reply to `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelloReply {
    pub(crate) window: u64,
    pub(crate) chunk: u64,
    pub(crate) header: u64,
    pub(crate) lease_ms: u64,
    pub(crate) boot: Vec<u8>,
    pub(crate) root: Option<Vec<u8>>,
    pub(crate) names: String,
    pub(crate) folds: bool,
    pub(crate) ro: bool,
    pub(crate) caps: Vec<String>,
}

impl Client {
    /// A `hello` for the current id.
    pub(crate) fn hello_request(&self) -> Request {
        let auth = self.environment.target.borrow().auth(self.session);
        request("hello").arg("auth", auth).arg("client", format!("conformance {}", self.name))
    }

    /// Draws a new id and opens a session; takes over a session that this run left open.
    pub(crate) fn open(&mut self) -> CaseResult<HelloReply> {
        self.open_with(|hello| hello)
    }

    /// Like [`Client::open`], with a changed `hello`.
    pub(crate) fn open_with(&mut self, change: impl Fn(Request) -> Request) -> CaseResult<HelloReply> {
        let own = self.environment.last_session.get();
        let mut take = None;
        loop {
            self.draw_session_id();
            let mut hello = change(self.hello_request());
            if let Some(session) = take {
                hello = hello.arg("take", session);
            }
            let reply = self.call(hello)?;
            match reply.code {
                OK => return self.opened(&reply),
                // A session that an earlier case did not end may be taken over by this run [SES-6].
                BUSY if take.is_none()
                    && own.is_some_and(|own| reply.bytes("session").is_ok_and(|held| held == own)) =>
                {
                    take = own;
                }
                code => return failed(format!("hello was answered {code} (result {})", reply.result)),
            }
        }
    }

    /// Reads a reply OK to `hello` and uses its session.
    pub(crate) fn opened(&mut self, reply: &Reply) -> CaseResult<HelloReply> {
        let caps = reply.key("caps")?.array().unwrap_or_default().iter();
        let hello_reply = HelloReply {
            window: reply.uint("window")?,
            chunk: reply.uint("chunk")?,
            header: reply.uint("header")?,
            lease_ms: reply.uint("lease_ms")?,
            boot: reply.bytes("boot")?.to_vec(),
            root: reply.bytes("root").ok().map(<[u8]>::to_vec),
            names: reply.text("names")?.to_owned(),
            folds: reply.bool("folds")?,
            ro: reply.bool("ro")?,
            caps: caps.filter_map(|cap| cap.text().map(str::to_owned)).collect(),
        };
        self.next = 1;
        self.environment.last_session.set(Some(self.session));
        self.hello_reply = Some(hello_reply.clone());
        Ok(hello_reply)
    }

    /// Draws a new session id; nothing is sent.
    pub(crate) fn draw_session_id(&mut self) {
        self.session = random_id();
        self.next = 1;
    }

    /// Sends `bye`; the session may have ended already.
    pub(crate) fn close(&mut self) -> CaseResult {
        let reply = self.call(bye())?;
        match reply.code {
            OK | NO_SESSION => {
                if self.environment.last_session.get() == Some(self.session) {
                    self.environment.last_session.set(None);
                }
                Ok(())
            }
            code => failed(format!("bye was answered {code}")),
        }
    }

    /// The reply to `hello`.
    pub(crate) fn hello_reply(&self) -> CaseResult<&HelloReply> {
        self.hello_reply.as_ref().ok_or_else(|| CaseError::Harness(format!("client {} has no session", self.name)))
    }

    /// Waits for something without an event, such as the end of a lease. Replies that arrive are kept.
    pub(crate) fn let_pass(&mut self, time: Duration) -> CaseResult {
        let until = Instant::now() + time;
        self.receive_until(until)?;
        thread::sleep(until.saturating_duration_since(Instant::now()));
        Ok(())
    }
}
