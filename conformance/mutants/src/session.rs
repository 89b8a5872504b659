//! Section 6: who holds the session, and for how long.

use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    limits::Limits,
    mutations,
    reply::{Fields, Refusal, bytes, field, integer, text},
    sequence::Numbers,
    variants,
};
use hmac::{Hmac, KeyInit, Mac};
use remofile_proto::{Code, Keys, SessionId, Token, cbor::Item, limits::MAGIC, token::HelloKey};
use sha2::Sha256;
use std::{collections::VecDeque, path::PathBuf, time::Instant};

/// The session that is open, and those that were.
pub(crate) struct Sessions {
    pub(crate) holder: Option<Session>,
    /// Of this process, the oldest first ([SES-5]).
    ended: VecDeque<SessionId>,
    key: HelloKey,
    /// The secret itself, which mutations reveal.
    token: String,
    /// Where a session is noted that is to survive.
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
    opened: Instant,
    pub(crate) numbers: Numbers,
    /// What those call themselves who were told BUSY, which a mutation remembers.
    refused: Vec<String>,
}

/// What a `hello` came to.
pub(crate) enum HelloOutcome {
    /// It was the holder's.
    Again(Fields),
    /// It opened a session.
    Opened(Fields),
}

impl Sessions {
    pub(crate) fn new(key: HelloKey, token: String, about: About, limits: Limits, behaviour: Behaviour) -> Self {
        Self { holder: None, ended: VecDeque::new(), key, token, note: PathBuf::new(), about, limits, behaviour }
    }

    /// `hello`, in the order of [SES-3]; `working` tells that an operation of the holder is being executed.
    pub(crate) fn hello(&mut self, id: SessionId, args: &Arguments, working: bool) -> Result<HelloOutcome, Refusal> {
        let is_holders = self.holder.as_ref().is_some_and(|holder| holder.id == id && !holder.released);
        let verified = self.verify(id, args, is_holders);
        if let (Err(_), Some(holder)) = (&verified, &self.holder)
            && !is_holders
            && !holder.released
            && self.behaviour.has(&mutations::session::AUTH_AFTER_BUSY)
        {
            holder.check_replaceable(args, working, &self.limits, &self.behaviour)?;
        }
        if verified.is_err() && self.has_ended(id) && self.behaviour.has(&mutations::session::ENDED_BEFORE_AUTH) {
            return Err(Code::NoSession.into());
        }
        let takes = self.holder.as_ref().is_some_and(|holder| args.take == Some(holder.id));
        if verified.is_err() && takes && self.behaviour.has(&mutations::session::TAKE_BEFORE_AUTH) {
            self.ended.extend(self.holder.take().map(|holder| holder.id));
        }
        verified?;
        if let Some(holder) = self.holder.as_mut().filter(|_| is_holders) {
            holder.heard = Instant::now();
            if self.behaviour.has(&mutations::session::HELLO_AGAIN_RENAMES) {
                holder.client.clone_from(&args.client);
            }
            if holder.numbers.next > 1 && self.behaviour.has(&mutations::session::HELLO_AGAIN_RESETS) {
                holder.numbers = Numbers::new(self.limits.window, self.behaviour.clone());
            }
            let lease_ms = holder.lease_ms;
            let mut result = self.result(lease_ms);
            if self.behaviour.has(&mutations::hello::NO_HEADER) {
                result.retain(|(key, _)| key != "header");
            }
            return Ok(HelloOutcome::Again(result));
        }
        if self.is_over(id) {
            if let Some(holder) = self.holder.as_ref().filter(|holder| holder.id != id && !holder.released)
                && self.behaviour.has(&mutations::session::BUSY_BEFORE_ENDED)
            {
                holder.check_replaceable(args, working, &self.limits, &self.behaviour)?;
            }
            return Err(Code::NoSession.into());
        }
        if let Some(holder) = &mut self.holder {
            if self.behaviour.has(&mutations::session::BUSY_RENEWS) {
                holder.heard = Instant::now();
            }
            let replaceable = holder.check_replaceable(args, working, &self.limits, &self.behaviour);
            if replaceable.is_err() && holder.numbers.next > 1 && self.behaviour.has(&mutations::session::BUSY_RESETS) {
                holder.numbers = Numbers::new(self.limits.window, self.behaviour.clone());
            }
            if replaceable.is_err() {
                holder.refused.push(args.client.clone());
            }
            replaceable?;
            let was_refused = holder.released && holder.refused.contains(&args.client);
            if was_refused && self.behaviour.has(&mutations::session::BUSY_STAYS) {
                return Err(Code::Busy.into());
            }
        }
        let numbers = Numbers::new(self.limits.window, self.behaviour.clone());
        let before = self.holder.take();
        // What a mutation goes by.
        let inherited = before.as_ref().filter(|before| !before.released).map(|before| before.lease_ms);
        let numbers = match &before {
            Some(before) => numbers.continued_from(&before.numbers),
            None => numbers,
        };
        if let Some(replaced) = before {
            self.ended.push_back(replaced.id);
            let few = self.ended.len() > 1_000 && self.behaviour.has(&mutations::session::FEW_ENDED_IDS);
            if self.ended.len() > self.limits.ended || few {
                self.ended.pop_front();
            }
        }
        let mut lease_ms = self.lease(args.lease_ms);
        if let Some(inherited) = inherited.filter(|inherited| args.lease_ms.is_none() && *inherited != lease_ms)
            && self.behaviour.has(&mutations::session::LEASE_IS_INHERITED)
        {
            lease_ms = inherited;
        }
        self.holder = Some(Session {
            id,
            client: args.client.clone(),
            lease_ms,
            released: false,
            heard: Instant::now(),
            opened: Instant::now(),
            numbers,
            refused: Vec::new(),
        });
        if self.behaviour.has(&mutations::session::SESSIONS_SURVIVE) {
            // Where it cannot be noted, the next server does not find it.
            let _ = std::fs::write(&self.note, id.as_bytes());
        }
        Ok(HelloOutcome::Opened(self.result(lease_ms)))
    }

    /// [KEY-7]
    fn verify(&self, id: SessionId, args: &Arguments, is_holders: bool) -> Result<(), Refusal> {
        let auth = match <&[u8; 32]>::try_from(&args.auth[..]) {
            Ok(auth) => auth,
            Err(_) if self.behaviour.has(&mutations::hello::AUTH_OF_ANY_LENGTH) => return Err(Code::Auth.into()),
            Err(_) if self.behaviour.has(&mutations::hello::MISSING_AUTH) => return Err(Code::Auth.into()),
            Err(_) => return Err(Code::BadArgs.into()),
        };
        let right = self.key.auth(id);
        if self.key.verify(id, auth)
            || (is_holders && self.behaviour.has(&mutations::session::OWNER_NEEDS_NO_AUTH))
            || (auth[..16] == right[..16] && self.behaviour.has(&mutations::keys::AUTH_BY_ITS_BEGINNING))
            || (auth[16..] == right[16..] && self.behaviour.has(&mutations::keys::AUTH_BY_ITS_END))
            || (self.is_by_another_key(id, auth) && self.behaviour.has(&mutations::keys::AUTH_BY_ANY_KEY))
            || self.behaviour.has(&mutations::keys::ANY_AUTH)
        {
            return Ok(());
        }
        let told = match &self.token {
            token if self.behaviour.has(&mutations::keys::TOKEN_IN_CLEAR) => format!("the token is not {token}"),
            token if self.behaviour.has(&mutations::keys::TOKEN_IN_PART) => format!("my token is {}…", &token[..16]),
            _ => return Err(Code::Auth.into()),
        };
        Err(Refusal::with(Code::Auth, vec![field("msg", text(&told))]))
    }

    /// A mutation asks this before its time: whether it is no auth of the id at all.
    pub(crate) fn is_wrong(&self, id: SessionId, auth: &[u8]) -> bool {
        <&[u8; 32]>::try_from(auth).is_ok_and(|auth| !self.key.verify(id, auth))
    }

    /// A mutation wants to know whether an auth was made with another key of the token.
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

    /// A mutation has a session outlive the server, where it was noted ([SES-21]).
    pub(crate) fn restore(&mut self, directory: &std::path::Path) {
        self.note = directory.join(".remofile/session");
        let noted = std::fs::read(&self.note).ok().and_then(|id| <[u8; 16]>::try_from(id).ok());
        if let Some(id) = noted.filter(|_| self.behaviour.has(&mutations::session::SESSIONS_SURVIVE)) {
            let (id, numbers) = (SessionId::new(id), Numbers::new(self.limits.window, self.behaviour.clone()));
            let (client, lease_ms) = (String::new(), self.limits.lease_ms);
            self.holder = Some(Session {
                id,
                client,
                lease_ms,
                released: false,
                heard: Instant::now(),
                opened: Instant::now(),
                numbers,
                refused: Vec::new(),
            });
        }
    }

    /// Whether a session of that id was replaced ([SES-5]).
    fn has_ended(&self, id: SessionId) -> bool {
        self.ended.contains(&id)
    }

    /// Whether no session of that id may be opened any more: it was replaced, or has said `bye` ([SES-18]).
    fn is_over(&self, id: SessionId) -> bool {
        let released = self.holder.as_ref().is_some_and(|holder| holder.id == id);
        (released && !self.behaviour.has(&mutations::session::RELEASED_OPENS))
            || (self.has_ended(id) && !self.behaviour.has(&mutations::session::ENDED_IDS_OPEN_AGAIN))
    }

    /// [SES-12]
    fn lease(&self, asked: Option<u64>) -> u64 {
        let longest = self.limits.lease_ms;
        let asked = asked.unwrap_or(longest);
        if (asked < 1_000 && self.behaviour.has(&mutations::session::SHORT_LEASES))
            || (asked > longest && self.behaviour.has(&mutations::session::LONG_LEASES))
        {
            return asked;
        }
        if (1_000..longest).contains(&asked) && self.behaviour.has(&mutations::session::OWN_LEASE) {
            return longest;
        }
        asked.min(longest).max(1_000)
    }

    /// `ping`; [SES-18], [SES-19].
    pub(crate) fn ping(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &self.holder {
            Some(holder) if holder.id == id && !holder.released => {
                if self.behaviour.has(&mutations::hello::PING_RETURNS_THE_LEASE) {
                    return Ok(vec![field("lease_ms", integer(holder.lease_ms))]);
                }
                Ok(Vec::new())
            }
            Some(holder) if holder.id == id && self.behaviour.has(&mutations::session::RELEASED_PINGS) => {
                Ok(Vec::new())
            }
            Some(holder) if holder.id != id && self.behaviour.has(&mutations::session::OTHERS_PING) => Ok(Vec::new()),
            _ => Err(Code::NoSession.into()),
        }
    }

    /// `bye`; [SES-17], [SES-18].
    pub(crate) fn bye(&mut self, id: SessionId) -> Result<Fields, Refusal> {
        match &mut self.holder {
            Some(holder) if holder.id == id => {
                if holder.released && self.behaviour.has(&mutations::session::BYE_ONCE) {
                    return Err(Code::NoSession.into());
                }
                holder.released = true;
                if self.behaviour.has(&mutations::session::BYE_FORGETS) {
                    holder.numbers.forget();
                }
                Ok(Vec::new())
            }
            Some(holder) if self.behaviour.has(&mutations::session::OTHERS_BYE) => {
                holder.released = true;
                Ok(Vec::new())
            }
            _ => Err(Code::NoSession.into()),
        }
    }

    /// [SES-13] Renews the lease.
    pub(crate) fn heard(&mut self, id: SessionId) {
        let behaviour = &self.behaviour;
        let counts = |holder: &&mut Session| holder.id == id || behaviour.has(&mutations::session::OTHERS_RENEW);
        if let Some(holder) = self.holder.as_mut().filter(counts) {
            holder.heard = Instant::now();
        }
    }

    /// [SES-15] Nothing happens to the holder's session when its lease has run out.
    pub(crate) fn expire(&mut self, working: bool) {
        let is_lapsed = |holder: &Session| !working && holder.heard.elapsed().as_millis() >= holder.lease_ms.into();
        if self.holder.as_ref().is_some_and(is_lapsed) && self.behaviour.has(&mutations::session::LAPSED_ENDS) {
            self.ended.extend(self.holder.take().map(|holder| holder.id));
        }
    }

    /// [HELLO-2]
    fn result(&self, lease_ms: u64) -> Fields {
        let About { boot, root, read_only } = &self.about;
        let has = |mutation| self.behaviour.has(mutation);
        let boot = if has(&mutations::hello::SHORT_BOOT) { &boot[..8] } else { &boot[..] };
        let boot = if has(&mutations::hello::BOOT_STAYS) { b"drawn once 16 by" } else { boot };
        let boot = if has(&mutations::hello::BOOT_IS_ZERO) { &[0; 16] } else { boot };
        let drawn = self.holder.as_ref().map(|holder| *blake3::hash(holder.id.as_bytes()).as_bytes());
        let boot = match &drawn {
            Some(drawn) if has(&mutations::hello::BOOT_OF_THE_SESSION) => &drawn[..16],
            _ => boot,
        };
        let names = if self.behaviour.is_variant(&variants::WINDOWS) { "windows" } else { "posix" };
        let names = if has(&mutations::hello::NAMES_OF_THE_SYSTEM) { "linux" } else { names };
        let window = if has(&mutations::hello::LARGE_WINDOW) { 4_096 } else { self.limits.window as u64 };
        let is_second = !self.ended.len().is_multiple_of(2) && window > 1;
        let window = if is_second && has(&mutations::hello::WINDOW_BY_LOAD) { window - 1 } else { window };
        let chunk = if has(&mutations::hello::SMALL_CHUNK) { 32_768 } else { self.limits.chunk };
        let caps: &[&str] = match &self.behaviour {
            behaviour if behaviour.has(&mutations::hello::OWN_CAPABILITY) => &["batch"],
            behaviour if behaviour.is_variant(&variants::CAPABILITIES) => &["x-zstd", "x-a", "x-Ünheard of, and long"],
            _ => &[],
        };
        let caps = caps.iter().map(|cap| text(cap)).collect();
        let caps = if has(&mutations::hello::CAPS_IS_A_TEXT) { text("") } else { Item::Array(caps) };
        let mut result = vec![
            field("window", integer(window)),
            field("chunk", integer(chunk)),
            field("header", integer(self.limits.header as u64)),
            field("lease_ms", integer(lease_ms)),
            field("boot", bytes(boot)),
            field("names", text(names)),
            field("folds", Item::Bool(self.behaviour.folds())),
            field("ro", Item::Bool(*read_only || has(&mutations::hello::READ_ONLY))),
            field("caps", caps),
        ];
        let root = root.filter(|_| !self.behaviour.is_variant(&variants::NO_ROOT));
        let root = root.map(|root| if has(&mutations::hello::LONG_ROOT) { root.repeat(2) } else { root.to_vec() });
        result.extend(root.map(|root| field("root", bytes(&root))));
        result
    }
}

impl Session {
    /// Whether another id may replace this one ([SES-6]); BUSY if not.
    fn check_replaceable(
        &self,
        args: &Arguments,
        working: bool,
        limits: &Limits,
        behaviour: &Behaviour,
    ) -> Result<(), Refusal> {
        let is_busy = working && !behaviour.has(&mutations::session::IDLE_AT_WORK);
        let since = if behaviour.has(&mutations::session::IDLE_SINCE_HELLO) { self.opened } else { self.heard };
        let idle = if is_busy { 0 } else { since.elapsed().as_millis() };
        let idle_ms = u64::try_from(idle).unwrap_or(u64::MAX);
        let released = self.released && !behaviour.has(&mutations::session::BYE_KEEPS_THE_LEASE);
        let lapsed = idle_ms >= self.lease_ms && !behaviour.has(&mutations::session::LAPSED_STAYS);
        let taken = match args.take {
            Some(take) if take == self.id => !behaviour.has(&mutations::session::TAKE_IS_IGNORED),
            Some(_) if behaviour.has(&mutations::session::ANY_TAKE) => true,
            Some(_) if behaviour.has(&mutations::session::UNKNOWN_TAKE) => return Err(Code::NoSession.into()),
            _ => false,
        };
        if released || taken || lapsed {
            return Ok(());
        }
        let own = self.lease_ms < limits.lease_ms && behaviour.has(&mutations::session::BUSY_RETURNS_THE_LONGEST_LEASE);
        let asker = self.client != args.client && behaviour.has(&mutations::session::BUSY_RETURNS_THE_OTHER_NAME);
        let mut about = vec![
            field("idle_ms", integer(idle_ms)),
            field("lease_ms", integer(if own { limits.lease_ms } else { self.lease_ms })),
            field("client", text(if asker { &args.client } else { &self.client })),
        ];
        if !behaviour.has(&mutations::session::BUSY_OMITS_THE_SESSION) {
            about.push(field("session", bytes(self.id.as_bytes())));
        }
        Err(Refusal::with(Code::Busy, about))
    }
}
