//! Removes the token and everything derived from it from all output [SEC-2].

use crate::{
    engine::{
        journal::{Excerpt, Exchange},
        verdict::Outcome,
    },
    wire::{
        cbor::hex,
        connection::{Security, ServerTarget},
    },
};
use remofile_proto::{Keys, z85};
use std::{cell::RefCell, collections::BTreeSet};

/// Replaces a secret in texts.
const MARK: &str = "[redacted]";
/// Replaces a secret in bytes, with the same length, so that offsets do not change.
pub(crate) const BLANK: &[u8; 32] = b"redactedredactedredactedredacted";
/// The encoding of `auth` in a header: its key, and the head of a string of 32 bytes.
const AUTH: &[u8] = b"\x64auth\x58\x20";
/// The beginning of `auth` in diagnostic notation.
const AUTH_NOTATION: &str = "\"auth\": h'";

/// Removes secrets.
pub(crate) struct Redactor {
    target: ServerTarget,
    /// Secret texts: the token, and keys in hex, Z85 and as lists of numbers.
    texts: Vec<String>,
    /// Secret bytes.
    bytes: Vec<Vec<u8>>,
    /// The `auth` of every session that was seen.
    proofs: RefCell<BTreeSet<[u8; 32]>>,
}

impl Redactor {
    pub(crate) fn new(target: &ServerTarget) -> Self {
        let keys = Keys::derive(&target.token);
        let mut secrets = vec![*keys.server.secret(), *keys.client.secret()];
        if let Security::Pinned(key) = target.security {
            secrets.push(key);
        }
        let token = target.token.reveal();
        let mut texts = vec![token.to_owned(), hex(token.as_bytes()), listed(token.as_bytes())];
        texts.extend(secrets.iter().flat_map(|key| [hex(key), z85::encode(key), listed(key)]));
        // A message may contain a key as bytes or as text.
        let mut bytes: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        bytes.extend(secrets.iter().map(|key| key.to_vec()));
        Self { target: target.clone(), texts, bytes, proofs: RefCell::default() }
    }

    /// A text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut clean = without_notation(text);
        for secret in &self.texts {
            clean = clean.replace(secret, MARK);
        }
        for proof in self.proofs.borrow().iter() {
            clean = clean.replace(&hex(proof), MARK).replace(&listed(proof), MARK);
        }
        clean
    }

    /// An outcome without secrets.
    pub(crate) fn outcome(&self, mut outcome: Outcome) -> Outcome {
        outcome.exchanges.iter().for_each(|exchange| self.learn(exchange));
        for frame in outcome.exchanges.iter_mut().flat_map(|exchange| &mut exchange.frames) {
            self.frame(frame);
        }
        outcome.reason = self.text(&outcome.reason);
        outcome
    }

    /// Adds the proof of a message's session to the secrets.
    fn learn(&self, exchange: &Exchange) {
        let session = exchange.frames.first().and_then(|header| header.bytes.get(7..23));
        if let Some(session) = session.and_then(|session| <[u8; 16]>::try_from(session).ok()) {
            self.proofs.borrow_mut().insert(self.target.auth(session));
        }
    }

    fn frame(&self, frame: &mut Excerpt) {
        for secret in &self.bytes {
            blank(&mut frame.bytes, secret);
        }
        for proof in self.proofs.borrow().iter() {
            blank(&mut frame.bytes, proof);
        }
        let mut from = 0;
        while let Some(at) = find(&frame.bytes[from..], AUTH) {
            let start = from + at + AUTH.len();
            let end = frame.bytes.len().min(start + 32);
            fill(&mut frame.bytes[start..end]);
            from = end;
        }
    }
}

/// Bytes in the form of `{:?}`, without the brackets.
fn listed(bytes: &[u8]) -> String {
    let numbers: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Removes the values of `auth` from diagnostic notation.
fn without_notation(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(AUTH_NOTATION) {
        let end = after.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(after.len());
        clean.push_str(before);
        clean.push_str("\"auth\": ");
        clean.push_str(MARK);
        rest = after[end..].strip_prefix('\'').unwrap_or(&after[end..]);
    }
    clean.push_str(rest);
    clean
}

fn blank(bytes: &mut [u8], secret: &[u8]) {
    while let Some(at) = find(bytes, secret) {
        fill(&mut bytes[at..at + secret.len()]);
    }
}

fn fill(bytes: &mut [u8]) {
    bytes.iter_mut().zip(BLANK.iter().cycle()).for_each(|(byte, mark)| *byte = *mark);
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        engine::{
            journal::Direction,
            verdict::{Verdict, samples},
        },
        wire::{
            cbor::{Value, encode},
            request::request,
        },
    };

    pub(crate) const PLANTED: &str = "PlantedTokenZ9x8w7v6u5t4";
    const SESSION: [u8; 16] = [0xa1; 16];

    pub(crate) fn target() -> ServerTarget {
        ServerTarget {
            endpoint: "tcp://localhost:6768".into(),
            security: Security::Pinned([0x77; 32]),
            token: PLANTED.parse().unwrap(),
        }
    }

    /// Every form in which a secret could be printed.
    pub(crate) fn secrets() -> Vec<String> {
        let keys = Keys::derive(&PLANTED.parse().unwrap());
        let mut secrets = vec![PLANTED.to_owned(), hex(PLANTED.as_bytes())];
        for key in [*keys.server.secret(), *keys.client.secret(), [0x77; 32], target().auth(SESSION)] {
            secrets.extend([hex(&key), z85::encode(&key), listed(&key)]);
        }
        secrets
    }

    /// A failure whose text and messages show every secret.
    pub(crate) fn leaky() -> Outcome {
        let auth = target().auth(SESSION);
        let keys = Keys::derive(&PLANTED.parse().unwrap());
        let hello = request("hello").arg("auth", auth).arg("client", PLANTED);
        let echo =
            Value::Map(vec![("msg".into(), Value::Text(format!("{PLANTED} {}", z85::encode(keys.client.secret()))))]);
        let reply = Value::Array(vec!["rmf1".into(), SESSION.into(), 0_u64.into(), 12_u64.into(), echo]);
        let raw = [&[0x00][..], &auth, keys.server.secret(), PLANTED.as_bytes()].concat();
        let mut leaky = samples::outcome(
            "a-case-that-leaks",
            Verdict::Fail,
            &format!(
                "request 0, hello {} with {auth:?} and {:?} of {PLANTED}",
                Value::Map(hello.args.clone()),
                keys.server.secret()
            ),
        );
        leaky.exchanges = vec![
            samples::exchange(Direction::Sent, &encode(&hello.header(SESSION, 0))),
            samples::exchange(Direction::Received, &encode(&reply)),
            samples::exchange(Direction::Sent, &raw),
        ];
        leaky
    }

    #[test]
    fn nothing_secret_is_left_in_an_outcome() {
        let shown = |outcome: &Outcome| {
            let frames = outcome.exchanges.iter().flat_map(|exchange| &exchange.frames);
            let frames: Vec<String> = frames.map(|frame| format!("{} {}", frame.hex(), frame.notation())).collect();
            format!("{} {} {outcome:?}", outcome.reason, frames.join(" "))
        };
        let before = shown(&leaky());
        let leaks = secrets().iter().filter(|secret| before.contains(*secret)).count();
        assert!(leaks >= 5, "the test plants only {leaks} forms");
        let after = shown(&Redactor::new(&target()).outcome(leaky()));
        for secret in secrets() {
            assert!(!after.contains(&secret), "{secret} in {after}");
        }
    }

    #[test]
    fn a_redacted_header_is_still_read_as_one() {
        let outcome = Redactor::new(&target()).outcome(leaky());
        let header = &outcome.exchanges[0].frames[0];
        assert_eq!(header.bytes.len(), header.length);
        assert!(header.notation().contains("\"hello\""), "{}", header.notation());
    }

    #[test]
    fn an_auth_of_another_token_is_not_shown() {
        let notation = format!("{{\"auth\": h'{}', \"client\": \"x\"}}", "0a".repeat(32));
        let clean = Redactor::new(&target()).text(&notation);
        assert!(!clean.contains("0a0a") && clean.contains("\"client\": \"x\""), "{clean}");
    }

    #[test]
    fn other_text_is_unchanged() {
        let text = "stat {\"path\": \"/a\"} was answered NOT_FOUND, not OK";
        assert_eq!(Redactor::new(&target()).text(text), text);
    }
}
