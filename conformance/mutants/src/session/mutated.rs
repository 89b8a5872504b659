//! Mutations of sessions.

use super::{Session, Sessions};
use crate::{
    arguments::Arguments,
    limits::Limits,
    mutations::{hello, keys, session},
    reply::{Fields, Refusal, bytes, field, integer, replace, text},
    sequence::Numbers,
};
use hmac::{Hmac, KeyInit, Mac};
use remofile_proto::{Code, Keys, SessionId, Token, cbor::Item, limits::MAGIC};
use sha2::Sha256;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// What only mutations know of a session.
pub(super) struct SessionHistory {
    opened: Instant,
    /// The names of the clients that got BUSY.
    refused: Vec<String>,
}

impl SessionHistory {
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), refused: Vec::new() }
    }
}

impl Sessions {
    /// Other orders than that of [SES-3], where the authentication fails.
    pub(super) fn mutated_order(
        &mut self,
        id: SessionId,
        args: &Arguments,
        working: bool,
        is_wrong: bool,
    ) -> Result<(), Refusal> {
        if !is_wrong {
            return Ok(());
        }
        if let Some(owner) = self.owner.as_ref().filter(|owner| owner.id != id && !owner.released)
            && self.behaviour.has(&session::AUTH_AFTER_BUSY)
        {
            owner.check_replaceable(args, working, &self.limits)?;
        }
        if self.has_ended(id) && self.behaviour.has(&session::ENDED_BEFORE_AUTH) {
            return Err(Code::NoSession.into());
        }
        let takes = self.owner.as_ref().is_some_and(|owner| args.take == Some(owner.id));
        if takes && self.behaviour.has(&session::TAKE_BEFORE_AUTH) {
            self.ended.extend(self.owner.take().map(|owner| owner.id));
        }
        Ok(())
    }

    pub(super) fn mutated_order_of_ended(&self, id: SessionId, args: &Arguments, working: bool) -> Result<(), Refusal> {
        match self.owner.as_ref().filter(|owner| owner.id != id && !owner.released) {
            Some(owner) if self.behaviour.has(&session::BUSY_BEFORE_ENDED) => {
                owner.check_replaceable(args, working, &self.limits)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn mutated_code_of_no_auth(&self, code: Code) -> Code {
        let is_auth = self.behaviour.has(&hello::AUTH_OF_ANY_LENGTH) || self.behaviour.has(&hello::MISSING_AUTH);
        if is_auth { Code::Auth } else { code }
    }

    pub(super) fn mutated_verification(&self, id: SessionId, auth: &[u8; 32], is_right: bool) -> bool {
        let has = |mutation| self.behaviour.has(mutation);
        let right = self.key.auth(id);
        is_right
            || (self.is_owner(id) && has(&session::OWNER_NEEDS_NO_AUTH))
            || (auth[..16] == right[..16] && has(&keys::AUTH_BY_ITS_BEGINNING))
            || (auth[16..] == right[16..] && has(&keys::AUTH_BY_ITS_END))
            || (self.is_by_another_key(id, auth) && has(&keys::AUTH_BY_ANY_KEY))
            || has(&keys::ANY_AUTH)
    }

    pub(super) fn mutated_auth_refusal(&self, refusal: Refusal) -> Refusal {
        let msg = match &self.token {
            token if self.behaviour.has(&keys::TOKEN_IN_CLEAR) => format!("the token is not {token}"),
            token if self.behaviour.has(&keys::TOKEN_IN_PART) => format!("my token is {}…", &token[..16]),
            _ => return refusal,
        };
        Refusal::with(Code::Auth, vec![field("msg", text(&msg))])
    }

    /// Whether an auth of the right length is wrong.
    pub(crate) fn is_wrong(&self, id: SessionId, auth: &[u8]) -> bool {
        <&[u8; 32]>::try_from(auth).is_ok_and(|auth| !self.key.verify(id, auth))
    }

    /// Whether an auth was made with another key of the token.
    fn is_by_another_key(&self, id: SessionId, auth: &[u8]) -> bool {
        let Ok(token) = Token::parse(&self.token) else { return false };
        let Keys { server, client, .. } = Keys::derive(&token);
        [server.secret(), client.secret()].into_iter().any(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
            mac.update(MAGIC.as_bytes());
            mac.update(id.as_bytes());
            mac.verify_slice(auth).is_ok()
        })
    }

    pub(super) fn mutated_repeated_result(&self, mut result: Fields) -> Fields {
        if self.behaviour.has(&hello::NO_HEADER) {
            result.retain(|(key, _)| key != "header");
        }
        result
    }

    pub(super) fn mutated_inheritance(&self, args: &Arguments, before: Option<&Session>, lease_ms: u64) -> u64 {
        let inherited = before.filter(|before| !before.released).map(|before| before.lease_ms);
        match inherited.filter(|inherited| args.lease_ms.is_none() && *inherited != lease_ms) {
            Some(inherited) if self.behaviour.has(&session::LEASE_IS_INHERITED) => inherited,
            _ => lease_ms,
        }
    }

    /// How many ended ids are remembered.
    pub(super) fn mutated_ended(&self, most: usize) -> usize {
        let few = self.ended.len() > 1_000 && self.behaviour.has(&session::FEW_ENDED_IDS);
        if few { self.ended.len() - 1 } else { most }
    }

    pub(super) fn mutated_opening(&self, id: SessionId) {
        if self.behaviour.has(&session::SESSIONS_SURVIVE) {
            // Without the note the next server does not find the session.
            let _ = std::fs::write(&self.note, id.as_bytes());
        }
    }

    /// Opens the session that an earlier server noted ([SES-21]).
    pub(crate) fn mutated_start(&mut self, directory: &Path) {
        self.note = directory.join(".remofile/session");
        let noted = std::fs::read(&self.note).ok().and_then(|id| <[u8; 16]>::try_from(id).ok());
        if let Some(id) = noted.filter(|_| self.behaviour.has(&session::SESSIONS_SURVIVE)) {
            let numbers = Numbers::new(self.limits.window, self.behaviour.clone());
            let behaviour = self.behaviour.clone();
            self.owner =
                Some(Session::new(SessionId::new(id), String::new(), self.limits.lease_ms, numbers, behaviour));
        }
    }

    /// Whether no session of an id may be opened that was released or has ended.
    pub(super) fn mutated_end(&self, released: bool, ended: bool) -> bool {
        (released && !self.behaviour.has(&session::RELEASED_OPENS))
            || (ended && !self.behaviour.has(&session::ENDED_IDS_OPEN_AGAIN))
    }

    pub(super) fn mutated_lease(&self, asked: u64, granted: u64) -> u64 {
        let longest = self.limits.lease_ms;
        if (asked < 1_000 && self.behaviour.has(&session::SHORT_LEASES))
            || (asked > longest && self.behaviour.has(&session::LONG_LEASES))
        {
            return asked;
        }
        let is_own = (1_000..longest).contains(&asked) && self.behaviour.has(&session::OWN_LEASE);
        if is_own { longest } else { granted }
    }

    /// Ends a session whose lease has run out, which [SES-15] forbids.
    pub(crate) fn mutated_expiry(&mut self, working: bool) {
        let is_lapsed = |owner: &Session| !working && owner.heard.elapsed().as_millis() >= owner.lease_ms.into();
        if self.owner.as_ref().is_some_and(is_lapsed) && self.behaviour.has(&session::LAPSED_ENDS) {
            self.ended.extend(self.owner.take().map(|owner| owner.id));
        }
    }

    pub(super) fn mutated_hello_result(&self, mut result: Fields) -> Fields {
        let has = |mutation| self.behaviour.has(mutation);
        let boot = self.about.boot;
        let of_session = self.owner.as_ref().map(|owner| *blake3::hash(owner.id.as_bytes()).as_bytes());
        let is_second = !self.ended.len().is_multiple_of(2) && self.limits.window > 1;
        let root = self.about.root.filter(|_| result.iter().any(|(key, _)| key == "root"));
        match (of_session, root) {
            _ if has(&hello::SHORT_BOOT) => replace(&mut result, "boot", bytes(&boot[..8])),
            _ if has(&hello::BOOT_STAYS) => replace(&mut result, "boot", bytes(b"drawn once 16 by")),
            _ if has(&hello::BOOT_IS_ZERO) => replace(&mut result, "boot", bytes(&[0; 16])),
            (Some(drawn), _) if has(&hello::BOOT_OF_THE_SESSION) => {
                replace(&mut result, "boot", bytes(&drawn[..16]));
            }
            _ if has(&hello::NAMES_OF_THE_SYSTEM) => replace(&mut result, "names", text("linux")),
            _ if has(&hello::LARGE_WINDOW) => replace(&mut result, "window", integer(4_096)),
            _ if is_second && has(&hello::WINDOW_BY_LOAD) => {
                replace(&mut result, "window", integer(self.limits.window as u64 - 1));
            }
            _ if has(&hello::SMALL_CHUNK) => replace(&mut result, "chunk", integer(32_768)),
            _ if has(&hello::OWN_CAPABILITY) => replace(&mut result, "caps", Item::Array(vec![text("batch")])),
            _ if has(&hello::CAPS_IS_A_TEXT) => replace(&mut result, "caps", text("")),
            _ if has(&hello::READ_ONLY) => replace(&mut result, "ro", Item::Bool(true)),
            (_, Some(root)) if has(&hello::LONG_ROOT) => replace(&mut result, "root", bytes(&root.repeat(2))),
            _ => {}
        }
        result
    }
}

impl Session {
    pub(super) fn mutated_repetition(&mut self, args: &Arguments, limits: &Limits) {
        if self.behaviour.has(&session::HELLO_AGAIN_RENAMES) {
            self.client.clone_from(&args.client);
        }
        if self.numbers.next > 1 && self.behaviour.has(&session::HELLO_AGAIN_RESETS) {
            self.numbers = Numbers::new(limits.window, self.behaviour.clone());
        }
    }

    pub(super) fn mutated_renewal_by_others(&mut self) {
        if self.behaviour.has(&session::BUSY_RENEWS) {
            self.heard = Instant::now();
        }
    }

    pub(super) fn mutated_busy(
        &mut self,
        args: &Arguments,
        limits: &Limits,
        replaceable: Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if replaceable.is_err() {
            if self.numbers.next > 1 && self.behaviour.has(&session::BUSY_RESETS) {
                self.numbers = Numbers::new(limits.window, self.behaviour.clone());
            }
            self.history.refused.push(args.client.clone());
        }
        replaceable?;
        let was_refused = self.released && self.history.refused.contains(&args.client);
        if was_refused && self.behaviour.has(&session::BUSY_STAYS) { Err(Code::Busy.into()) } else { Ok(()) }
    }

    pub(super) fn mutated_ping(&self, mut result: Fields) -> Fields {
        if self.behaviour.has(&hello::PING_RETURNS_THE_LEASE) {
            result.push(field("lease_ms", integer(self.lease_ms)));
        }
        result
    }

    pub(super) fn mutated_ping_of_others(&self, id: SessionId, refusal: Refusal) -> Result<Fields, Refusal> {
        let is_answered = match self.id == id {
            true => self.behaviour.has(&session::RELEASED_PINGS),
            false => self.behaviour.has(&session::OTHERS_PING),
        };
        if is_answered { Ok(Fields::new()) } else { Err(refusal) }
    }

    pub(super) fn mutated_bye(&mut self) -> Result<(), Refusal> {
        if self.released && self.behaviour.has(&session::BYE_ONCE) {
            return Err(Code::NoSession.into());
        }
        if self.behaviour.has(&session::BYE_FORGETS) {
            self.numbers.forget();
        }
        Ok(())
    }

    pub(super) fn mutated_bye_of_others(&mut self, refusal: Refusal) -> Result<Fields, Refusal> {
        if self.behaviour.has(&session::OTHERS_BYE) {
            self.released = true;
            return Ok(Fields::new());
        }
        Err(refusal)
    }

    /// Whether a request renews the lease.
    pub(super) fn mutated_renewal(&self, is_owner: bool) -> bool {
        is_owner || self.behaviour.has(&session::OTHERS_RENEW)
    }

    pub(super) fn mutated_idle(&self, working: bool, idle: Duration) -> Duration {
        if working {
            return if self.behaviour.has(&session::IDLE_AT_WORK) { self.heard.elapsed() } else { idle };
        }
        if self.behaviour.has(&session::IDLE_SINCE_HELLO) { self.history.opened.elapsed() } else { idle }
    }

    pub(super) fn mutated_take(&self, take: Option<SessionId>, taken: bool) -> Result<bool, Refusal> {
        match take {
            Some(_) if taken => Ok(!self.behaviour.has(&session::TAKE_IS_IGNORED)),
            Some(_) if self.behaviour.has(&session::ANY_TAKE) => Ok(true),
            Some(_) if self.behaviour.has(&session::UNKNOWN_TAKE) => Err(Code::NoSession.into()),
            _ => Ok(taken),
        }
    }

    /// Whether a session can be replaced that was released, or whose lease has run out.
    pub(super) fn mutated_vacancy(&self, released: bool, lapsed: bool) -> bool {
        let released = released && !self.behaviour.has(&session::BYE_KEEPS_THE_LEASE);
        released || (lapsed && !self.behaviour.has(&session::LAPSED_STAYS))
    }

    pub(super) fn mutated_details(&self, args: &Arguments, limits: &Limits, mut details: Fields) -> Fields {
        if self.lease_ms < limits.lease_ms && self.behaviour.has(&session::BUSY_RETURNS_THE_LONGEST_LEASE) {
            replace(&mut details, "lease_ms", integer(limits.lease_ms));
        }
        if self.client != args.client && self.behaviour.has(&session::BUSY_RETURNS_THE_OTHER_NAME) {
            replace(&mut details, "client", text(&args.client));
        }
        if self.behaviour.has(&session::BUSY_OMITS_THE_SESSION) {
            details.retain(|(key, _)| key != "session");
        }
        details
    }
}
