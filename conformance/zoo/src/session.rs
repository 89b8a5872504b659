//! Section 6: who holds the session, and for how long.

use crate::{
    arguments::Arguments,
    faults,
    limits::Limits,
    reply::{Fields, Refusal, bytes, field, integer, text},
    sequence::Numbers,
    switches::Switches,
};
use remofile_proto::{Code, SessionId, cbor::Item, token::HelloKey};
use std::{collections::VecDeque, time::Instant};

/// The session that is open, and those that were.
pub(crate) struct Sessions {
    pub(crate) holder: Option<Session>,
    /// Of this process, the oldest first ([SES-5]).
    ended: VecDeque<SessionId>,
    key: HelloKey,
    /// The secret itself, which is nobody's business.
    token: String,
    about: About,
    limits: Limits,
    switches: Switches,
}

/// What `hello` says about the server.
pub(crate) struct About {
    pub(crate) boot: [u8; 16],
    pub(crate) root: Option<[u8; 16]>,
    pub(crate) read_only: bool,
}

/// The session of one client.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    client: String,
    lease_ms: u64,
    /// It said `bye`.
    pub(crate) released: bool,
    /// The later of its last request and the end of the work for it ([SES-14]).
    pub(crate) heard: Instant,
    pub(crate) numbers: Numbers,
}

/// What a `hello` came to.
pub(crate) enum Welcome {
    /// It was the holder's.
    Again(Fields),
    /// It opened a session.
    Opened(Fields),
}

impl Sessions {
    pub(crate) fn new(key: HelloKey, token: String, about: About, limits: Limits, switches: Switches) -> Self {
        Self { holder: None, ended: VecDeque::new(), key, token, about, limits, switches }
    }

    /// `hello`, in the order of [SES-3]; `working` tells that an operation of the holder is being executed.
    pub(crate) fn hello(&mut self, id: SessionId, args: &Arguments, working: bool) -> Result<Welcome, Refusal> {
        let auth = <&[u8; 32]>::try_from(&args.auth[..]).map_err(|_| Code::BadArgs)?;
        if !self.key.verify(id, auth) {
            if self.switches.has(&faults::keys::TOKEN_IN_CLEAR) {
                let msg = format!("the token is not {}", self.token);
                return Err(Refusal::with(Code::Auth, vec![field("msg", text(&msg))]));
            }
            return Err(Code::Auth.into());
        }
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.id == id && !holder.released) {
            holder.heard = Instant::now();
            let lease_ms = holder.lease_ms;
            return Ok(Welcome::Again(self.result(lease_ms)));
        }
        let released = self.holder.as_ref().is_some_and(|holder| holder.id == id);
        if released || (self.ended.contains(&id) && !self.switches.has(&faults::session::ENDED_IDS_OPEN_AGAIN)) {
            return Err(Code::NoSession.into());
        }
        if let Some(holder) = &self.holder {
            holder.give_way(args.take, working)?;
        }
        if let Some(replaced) = self.holder.take() {
            self.ended.push_back(replaced.id);
            if self.ended.len() > self.limits.ended {
                self.ended.pop_front();
            }
        }
        // [SES-12]
        let longest = self.limits.lease_ms;
        let lease_ms = args.lease_ms.unwrap_or(longest).min(longest).max(1_000);
        self.holder = Some(Session {
            id,
            client: args.client.clone(),
            lease_ms,
            released: false,
            heard: Instant::now(),
            numbers: Numbers::new(self.limits.window, self.switches.clone()),
        });
        Ok(Welcome::Opened(self.result(lease_ms)))
    }

    /// `ping`; [SES-18], [SES-19].
    pub(crate) fn ping(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &self.holder {
            Some(holder) if holder.id == id && !holder.released => Ok(Vec::new()),
            _ => Err(Code::NoSession.into()),
        }
    }

    /// `bye`; [SES-17], [SES-18].
    pub(crate) fn bye(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &mut self.holder {
            Some(holder) if holder.id == id => {
                holder.released = true;
                Ok(Vec::new())
            }
            _ => Err(Code::NoSession.into()),
        }
    }

    /// [SES-13] The lease starts anew.
    pub(crate) fn heard(&mut self, id: SessionId) {
        if let Some(holder) = self.holder.as_mut().filter(|holder| holder.id == id) {
            holder.heard = Instant::now();
        }
    }

    /// [HELLO-2]
    fn result(&self, lease_ms: u64) -> Fields {
        let About { boot, root, read_only } = &self.about;
        let mut result = vec![
            field("window", integer(self.limits.window as u64)),
            field("chunk", integer(self.limits.chunk)),
            field("header", integer(self.limits.header as u64)),
            field("lease_ms", integer(lease_ms)),
            field("boot", bytes(boot)),
            field("names", text("posix")),
            field("folds", Item::Bool(false)),
            field("ro", Item::Bool(*read_only)),
            field("caps", Item::Array(Vec::new())),
        ];
        result.extend(root.map(|root| field("root", bytes(&root))));
        result
    }
}

impl Session {
    /// Whether another id may replace this one ([SES-6]); BUSY if not.
    fn give_way(&self, take: Option<SessionId>, working: bool) -> Result<(), Refusal> {
        let idle = if working { 0 } else { self.heard.elapsed().as_millis() };
        let idle_ms = u64::try_from(idle).unwrap_or(u64::MAX);
        if self.released || take == Some(self.id) || idle_ms >= self.lease_ms {
            return Ok(());
        }
        let about = vec![
            field("idle_ms", integer(idle_ms)),
            field("lease_ms", integer(self.lease_ms)),
            field("client", text(&self.client)),
            field("session", bytes(self.id.as_bytes())),
        ];
        Err(Refusal::with(Code::Busy, about))
    }
}
