//! Section 6: who holds the session, and for how long.

mod mutated;

use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    limits::Limits,
    reply::{Fields, Refusal, bytes, field, integer, text},
    sequence::Numbers,
    variants,
};
use mutated::SessionHistory;
use remofile_proto::{Code, SessionId, cbor::Item, token::HelloKey};
use std::{
    collections::VecDeque,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The open session, and the ended ones.
pub(crate) struct Sessions {
    pub(crate) owner: Option<Session>,
    /// Of this process, the oldest first ([SES-5]).
    ended: VecDeque<SessionId>,
    key: HelloKey,
    /// The secret itself, which mutations reveal.
    token: String,
    /// Where a mutation notes a session that is to survive.
    note: PathBuf,
    about: About,
    limits: Limits,
    behaviour: Behaviour,
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
    history: SessionHistory,
    behaviour: Behaviour,
}

/// The outcome of an accepted `hello`.
pub(crate) enum HelloOutcome {
    /// The owner repeated it.
    Repeated(Fields),
    /// It opened a session.
    Opened(Fields),
}

impl Sessions {
    pub(crate) fn new(key: HelloKey, token: String, about: About, limits: Limits, behaviour: Behaviour) -> Self {
        Self { owner: None, ended: VecDeque::new(), key, token, note: PathBuf::new(), about, limits, behaviour }
    }

    /// Answers `hello`, in the order of [SES-3]; `working`: an operation of the owner is being executed.
    pub(crate) fn hello(&mut self, id: SessionId, args: &Arguments, working: bool) -> Result<HelloOutcome, Refusal> {
        let verified = self.verify(id, args);
        self.mutated_order(id, args, working, verified.is_err())?;
        verified?;
        if self.is_owner(id) {
            return Ok(HelloOutcome::Repeated(self.repeat(args)));
        }
        if self.is_over(id) {
            self.mutated_order_of_ended(id, args, working)?;
            return Err(Code::NoSession.into());
        }
        if let Some(owner) = &mut self.owner {
            owner.mutated_renewal_by_others();
            let replaceable = owner.check_replaceable(args, working, &self.limits);
            owner.mutated_busy(args, &self.limits, replaceable)?;
        }
        Ok(HelloOutcome::Opened(self.open(id, args)))
    }

    /// Whether this session is the open one.
    pub(crate) fn is_owner(&self, id: SessionId) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.id == id && !owner.released)
    }

    /// Whether this session is the open one, or was the last one.
    pub(crate) fn is_current(&self, id: SessionId) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.id == id)
    }

    /// [KEY-7]
    fn verify(&self, id: SessionId, args: &Arguments) -> Result<(), Refusal> {
        let Ok(auth) = <&[u8; 32]>::try_from(&args.auth[..]) else {
            return Err(self.mutated_code_of_no_auth(Code::BadArgs).into());
        };
        if self.mutated_verification(id, auth, self.key.verify(id, auth)) {
            Ok(())
        } else {
            Err(self.mutated_auth_refusal(Code::Auth.into()))
        }
    }

    /// The owner sends `hello` again ([SES-4]).
    fn repeat(&mut self, args: &Arguments) -> Fields {
        let Some(owner) = &mut self.owner else { return Fields::new() };
        owner.heard = Instant::now();
        owner.mutated_repetition(args, &self.limits);
        let lease_ms = owner.lease_ms;
        self.mutated_repeated_result(self.result(lease_ms))
    }

    /// Opens a session in place of the one before ([SES-6]).
    fn open(&mut self, id: SessionId, args: &Arguments) -> Fields {
        let numbers = Numbers::new(self.limits.window, self.behaviour.clone());
        let before = self.owner.take();
        let lease_ms = self.mutated_inheritance(args, before.as_ref(), self.lease(args.lease_ms));
        let numbers = match &before {
            Some(before) => numbers.mutated_start(&before.numbers),
            None => numbers,
        };
        if let Some(replaced) = before {
            self.ended.push_back(replaced.id);
            if self.ended.len() > self.mutated_ended(self.limits.ended) {
                self.ended.pop_front();
            }
        }
        self.owner = Some(Session::new(id, args.client.clone(), lease_ms, numbers, self.behaviour.clone()));
        self.mutated_opening(id);
        self.result(lease_ms)
    }

    /// Whether a session of that id was replaced ([SES-5]).
    fn has_ended(&self, id: SessionId) -> bool {
        self.ended.contains(&id)
    }

    /// Whether no session of that id may be opened any more: it was replaced, or has said `bye` ([SES-18]).
    fn is_over(&self, id: SessionId) -> bool {
        self.mutated_end(self.is_current(id), self.has_ended(id))
    }

    /// [SES-12]
    fn lease(&self, asked: Option<u64>) -> u64 {
        let asked = asked.unwrap_or(self.limits.lease_ms);
        self.mutated_lease(asked, asked.min(self.limits.lease_ms).max(1_000))
    }

    /// `ping`; [SES-18], [SES-19].
    pub(crate) fn ping(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &self.owner {
            Some(owner) if owner.id == id && !owner.released => Ok(owner.mutated_ping(Fields::new())),
            Some(owner) => owner.mutated_ping_of_others(id, Code::NoSession.into()),
            None => Err(Code::NoSession.into()),
        }
    }

    /// `bye`; [SES-17], [SES-18].
    pub(crate) fn bye(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &mut self.owner {
            Some(owner) if owner.id == id => {
                owner.mutated_bye()?;
                owner.released = true;
                Ok(Fields::new())
            }
            Some(owner) => owner.mutated_bye_of_others(Code::NoSession.into()),
            None => Err(Code::NoSession.into()),
        }
    }

    /// [SES-13] Renews the lease.
    pub(crate) fn heard(&mut self, id: SessionId) {
        if let Some(owner) = &mut self.owner
            && owner.mutated_renewal(owner.id == id)
        {
            owner.heard = Instant::now();
        }
    }

    /// [HELLO-2]
    fn result(&self, lease_ms: u64) -> Fields {
        let About { boot, root, read_only } = &self.about;
        let names = if self.behaviour.is_variant(&variants::WINDOWS) { "windows" } else { "posix" };
        let caps: &[&str] = match self.behaviour.is_variant(&variants::CAPABILITIES) {
            true => &["x-zstd", "x-a", "x-Ünheard of, and long"],
            false => &[],
        };
        let mut result = vec![
            field("window", integer(self.limits.window as u64)),
            field("chunk", integer(self.limits.chunk)),
            field("header", integer(self.limits.header as u64)),
            field("lease_ms", integer(lease_ms)),
            field("boot", bytes(boot)),
            field("names", text(names)),
            field("folds", Item::Bool(self.behaviour.folds())),
            field("ro", Item::Bool(*read_only)),
            field("caps", Item::Array(caps.iter().map(|cap| text(cap)).collect())),
        ];
        let root = root.filter(|_| !self.behaviour.is_variant(&variants::NO_ROOT));
        result.extend(root.map(|root| field("root", bytes(&root))));
        self.mutated_hello_result(result)
    }
}

impl Session {
    fn new(id: SessionId, client: String, lease_ms: u64, numbers: Numbers, behaviour: Behaviour) -> Self {
        let (heard, history) = (Instant::now(), SessionHistory::new());
        Self { id, client, lease_ms, released: false, heard, numbers, history, behaviour }
    }

    /// Whether another id may replace this one ([SES-6]); BUSY if not.
    fn check_replaceable(&self, args: &Arguments, working: bool, limits: &Limits) -> Result<(), Refusal> {
        let idle = self.mutated_idle(working, if working { Duration::ZERO } else { self.heard.elapsed() });
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let taken = self.mutated_take(args.take, args.take == Some(self.id))?;
        let lapsed = idle_ms >= self.lease_ms;
        if taken || self.mutated_vacancy(self.released, lapsed) {
            return Ok(());
        }
        let details = vec![
            field("idle_ms", integer(idle_ms)),
            field("lease_ms", integer(self.lease_ms)),
            field("client", text(&self.client)),
            field("session", bytes(self.id.as_bytes())),
        ];
        Err(Refusal::with(Code::Busy, self.mutated_details(args, limits, details)))
    }
}
