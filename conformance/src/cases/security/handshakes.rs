//! Handshakes of libzmq with right and wrong keys.

use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        code::BUSY,
        connection::Credentials,
        handshake::{HandshakeOutcome, HandshakeProbe},
        request::{ping, stat},
    },
};
use remofile_proto::{KeyPair, Keys, Token};
use std::time::Instant;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        must("the-keys-of-the-token-are-accepted", &["KEY-5", "KEY-6", "CURVE-1", "CURVE-2"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("A handshake with the derived client key and the server's key, and `hello` of a new id")
            .passes("The handshake succeeds, and BUSY: the keys and `auth` are those of the token.")
            .run(|t| {
                let keys = admitted(t)?;
                let (handshake, attempt) = attempt(t, Some(&keys))?;
                t.equal("the handshake", handshake, HandshakeOutcome::Succeeded)?;
                drop(attempt);
                let mut other = t.another_client()?;
                let hello = other.hello_request();
                other.expect(hello, BUSY)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    ];
    type Wrong = fn(&CaseContext, Credentials) -> CaseResult<Credentials>;
    let clients: [(&str, &str, Wrong); 5] = [
        ("another-client-key", "a random client key", |_, keys| client(keys, KeyPair::from_secret(random()))),
        ("the-client-key-of-another-token", "the client key that another token gives", |t, keys| {
            let other = Keys::derive(&another(t)?).client;
            client(keys, KeyPair::from_secret(*other.secret()))
        }),
        // A server that confuses its three key pairs would accept this one.
        ("the-servers-own-key-as-client-key", "the pair derived as the server's as the client's key", |t, keys| {
            let server = Keys::derive(&t.environment.target.borrow().token).server;
            client(keys, KeyPair::from_secret(*server.secret()))
        }),
        ("a-client-key-of-zeros", "a key of zeros as the client's secret key", |_, keys| {
            client(keys, KeyPair::from_secret([0; 32]))
        }),
        (
            "a-key-that-begins-like-the-clients",
            "a client key whose public half begins with the same byte",
            |_, keys| {
                let first = keys.public[0];
                let alike =
                    std::iter::repeat_with(|| KeyPair::from_secret(random())).find(|pair| pair.public()[0] == first);
                client(keys, alike.ok_or_else(|| CaseError::Harness("no key was drawn".into()))?)
            },
        ),
    ];
    cases.extend(clients.into_iter().map(|(name, words, wrong)| {
        must(&format!("{name}-is-refused"), &["CURVE-2", "CURVE-8"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends(format!(
                "A handshake with the right server key and {words}, and a `hello` that is right but for that"
            ))
            .passes("The handshake is refused with status 400, nothing is answered, and the right key is admitted.")
            .run(move |t| {
                let right = admitted(t)?;
                let keys = wrong(t, right)?;
                let (handshake, attempt) = attempt(t, Some(&keys))?;
                nothing_answered(t, &attempt)?;
                match handshake {
                    HandshakeOutcome::Refused(400) => {}
                    HandshakeOutcome::Refused(status) => {
                        return failed(format!("refused with status {status}, not 400"));
                    }
                    HandshakeOutcome::Succeeded => return failed("a client with another key was admitted"),
                    other => {
                        return failed(format!("the handshake was not refused with status 400 but ended as {other:?}"));
                    }
                }
                positive_control(t)
            })
    }));
    cases.push(
        must("a-handshake-with-another-server-key-fails", &["CURVE-1", "KEY-5"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("A handshake in which the client expects another server key, and a `hello`")
            .passes("No handshake succeeds and nothing is answered; with the right key both do.")
            .run(|t| {
                let mut keys = admitted(t)?;
                keys.server = *KeyPair::from_secret(random()).public();
                unsuccessful(t, Some(&keys), "a server that does not hold the secret key that its client expects")
            }),
    );
    cases.push(
        must("a-client-without-curve-is-not-served", &["CURVE-1", "CURVE-5"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("A handshake with the mechanism NULL, and a `hello`")
            .passes("No handshake succeeds and nothing is answered; with CURVE both do.")
            .run(|t| unsuccessful(t, None, "a client without CURVE")),
    );
    cases
}

/// Checks that a handshake does not succeed.
fn unsuccessful(t: &mut CaseContext, keys: Option<&Credentials>, who: &str) -> CaseResult {
    let (handshake, attempt) = attempt(t, keys)?;
    t.check(handshake != HandshakeOutcome::Succeeded, format!("the handshake succeeded: {who}"))?;
    nothing_answered(t, &attempt)?;
    positive_control(t)
}

/// The positive control: a handshake with the right keys, while the session is held.
pub(super) fn positive_control(t: &mut CaseContext) -> CaseResult {
    let keys = admitted(t)?;
    let (handshake, _attempt) = attempt(t, Some(&keys))?;
    if handshake != HandshakeOutcome::Succeeded {
        return Err(CaseError::Untestable(format!(
            "the positive control failed: with the right keys it ended as {handshake:?}"
        )));
    }
    t.expect_ok(ping())?;
    t.expect_ok(stat("/")).map(drop)
}

/// Runs a handshake, with a `hello` queued after it.
fn attempt(t: &CaseContext, keys: Option<&Credentials>) -> CaseResult<(HandshakeOutcome, HandshakeProbe)> {
    let endpoint = t.environment.target.borrow().endpoint.clone();
    let session = t.id();
    let auth = t.environment.target.borrow().auth(session);
    let hello = t.hello_request().arg("auth", auth).frames(session, 0);
    let attempt = HandshakeProbe::begin(&t.environment.context, &endpoint, keys).map_err(broken)?;
    attempt.send(&hello).map_err(broken)?;
    let handshake = attempt.outcome(Instant::now() + t.environment.timeouts.get().reply).map_err(broken)?;
    if handshake == HandshakeOutcome::NoConnection {
        return Err(CaseError::Silent("no TCP connection was established".into()));
    }
    Ok((handshake, attempt))
}

fn nothing_answered(t: &CaseContext, attempt: &HandshakeProbe) -> CaseResult {
    let came = attempt.received().map_err(broken)?;
    t.check(came.is_none(), "a client that was to be refused got an answer")
}

fn admitted(t: &CaseContext) -> CaseResult<Credentials> {
    let credentials = t.environment.target.borrow().credentials();
    credentials.ok_or_else(|| CaseError::Harness("the case does not say that it needs CURVE".into()))
}

fn client(keys: Credentials, pair: KeyPair) -> CaseResult<Credentials> {
    Ok(Credentials { public: *pair.public(), secret: *pair.secret(), ..keys })
}

fn another(t: &CaseContext) -> CaseResult<Token> {
    Token::from_random_bytes(t.id()).map_err(|error| CaseError::Harness(error.to_string()))
}

fn random() -> [u8; 32] {
    let (one, other) = (crate::engine::environment::random_id(), crate::engine::environment::random_id());
    [one, other].concat().try_into().expect("two ids have 32 bytes")
}

/// A socket of the suite failed.
pub(super) fn broken(error: zmq::Error) -> CaseError {
    CaseError::Harness(format!("a socket broke: {error}"))
}
