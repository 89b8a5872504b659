//! Unauthenticated peers on plain TCP connections.

use super::handshakes::{broken, positive_control};
use crate::{
    engine::{
        case::{Case, Need, must, should},
        context::CaseContext,
        error::{CaseError, CaseResult, failed, not_applicable},
    },
    wire::{
        connection::SocketKind,
        handshake::{HandshakeOutcome, HandshakeProbe},
        request::stat,
        tcp_relay::TcpRelay,
        zmtp::{self, Ending, GREETING, MORE, SIGNATURE, Wire},
    },
};
use std::{
    io,
    time::{Duration, Instant},
};

/// How long to wait, after the control, for a message that must not come.
const LATE: Duration = Duration::from_millis(200);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = greetings();
    cases.extend(unserved());
    cases.extend(nonsense());
    cases.extend(floods());
    cases
}

fn greetings() -> Vec<Case> {
    vec![
        must("the-greeting-announces-curve", &["CURVE-1", "CURVE-5"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("The greeting of a ZMTP 3.1 client, in two halves")
            .passes("A greeting whose mechanism is CURVE.")
            .run(|t| {
                let mut wire = Wire::connect(&address(t)?, deadline(t)).map_err(unreachable)?;
                let mut bytes = greet(&mut wire, &zmtp::greeting("CURVE"), t)?;
                let missing = GREETING.saturating_sub(bytes.len());
                bytes.extend(wire.read_up_to(missing, deadline(t)).map_err(cut)?.0);
                curve_greeted(t, &bytes)?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-greeting-in-single-bytes-is-understood", &["CURVE-1"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("The greeting of a ZMTP 3.1 client with the mechanism CURVE, byte by byte")
            .passes("A whole greeting with the mechanism CURVE.")
            .run(|t| {
                let until = deadline(t);
                let mut wire = Wire::connect(&address(t)?, until).map_err(unreachable)?;
                wire.send_bytewise(&zmtp::greeting("CURVE")).map_err(cut)?;
                let (bytes, _) = wire.read_up_to(GREETING, until).map_err(cut)?;
                curve_greeted(t, &bytes)
            }),
    ]
}

fn curve_greeted(t: &CaseContext, bytes: &[u8]) -> CaseResult {
    match bytes.get(..GREETING).and_then(|bytes| bytes.try_into().ok()) {
        Some(whole) => {
            let greeting = zmtp::parse_greeting(whole);
            t.check(greeting.version.0 >= 3, format!("the server speaks ZMTP {:?}", greeting.version))?;
            t.equal("the mechanism", greeting.mechanism.as_str(), "CURVE")
        }
        None => failed(format!("{} bytes came in place of a greeting", bytes.len())),
    }
}

/// Peers without CURVE.
fn unserved() -> Vec<Case> {
    type Approach = fn(&[u8]) -> (Vec<u8>, Vec<u8>);
    let table: [(&str, &str, Approach); 8] = [
        ("a-null-handshake", "the mechanism NULL, READY, and a `hello`", |hello| {
            (zmtp::greeting("NULL"), [ready(), message(hello)].concat())
        }),
        ("a-plain-handshake", "the mechanism PLAIN, its HELLO and INITIATE, and a `hello`", |hello| {
            let login = zmtp::command("HELLO", b"\x08remofile\x08remofile");
            let initiate = zmtp::command("INITIATE", METADATA);
            (zmtp::greeting("PLAIN"), [login, initiate, message(hello)].concat())
        }),
        ("an-unknown-mechanism", "the mechanism XYZZY, READY, and a `hello`", |hello| {
            (zmtp::greeting("XYZZY"), [ready(), message(hello)].concat())
        }),
        ("ready-in-place-of-a-curve-handshake", "the mechanism CURVE, READY in the clear, and a `hello`", |hello| {
            (zmtp::greeting("CURVE"), [ready(), message(hello)].concat())
        }),
        ("a-message-in-place-of-a-curve-handshake", "the mechanism CURVE, and a `hello` in the clear", |hello| {
            (zmtp::greeting("CURVE"), message(hello))
        }),
        (
            "a-curve-handshake-of-garbage",
            "the mechanism CURVE, a HELLO of zeros, an INITIATE of zeros, and a `hello`",
            |hello| {
                let first = zmtp::command("HELLO", &[&[1, 0][..], &[0; 192]].concat());
                let second = zmtp::command("INITIATE", &[0; 400]);
                (zmtp::greeting("CURVE"), [first, second, message(hello)].concat())
            },
        ),
        ("a-peer-of-zmtp-2", "the greeting of ZMTP 2.0, a DEALER's, and a `hello`", |hello| {
            let mut greeting = SIGNATURE.to_vec();
            greeting.extend([1, 5, 0, 0]);
            (greeting, message(hello))
        }),
        ("a-peer-of-zmtp-1", "the greeting of ZMTP 1.0, and a `hello`", |hello| {
            // Each frame is a length, that of the flags included, the flags, and the body.
            let length = u8::try_from(hello.len() + 1).expect("a short hello");
            (vec![1, 0], [&[1, MORE, length, 0], hello].concat())
        }),
    ];
    table
        .into_iter()
        .map(|(name, words, approach)| {
            must(&format!("{name}-is-not-served"), &["CURVE-1", "CURVE-2", "CURVE-5"])
                .needs(&[Need::Curve])
                .without_directory()
                .sends(format!("Over bare TCP: {words}"))
                .passes("No handshake is completed and nothing answered, while a client with the right keys is served.")
                .run(move |t| {
                    let session = t.id();
                    let auth = t.environment.target.borrow().auth(session);
                    let hello = t.hello_request().arg("auth", auth).arg("client", "bare").frames(session, 0).remove(0);
                    let (greeting, rest) = approach(&hello);
                    let until = deadline(t);
                    let mut wire = Wire::connect(&address(t)?, until).map_err(unreachable)?;
                    let mut came = greet(&mut wire, &greeting, t)?;
                    // A server that has closed the connection by now has served nothing.
                    let _ = wire.send(&rest);
                    positive_control(t)?;
                    // The control does not show that the server has read from this connection too.
                    let until = Instant::now() + LATE + t.environment.timeouts.get().round_trip * 2;
                    came.extend(wire.read_up_to(usize::MAX, until).map_err(cut)?.0);
                    for (sign, meaning) in
                        [(&b"READY"[..], "READY"), (b"WELCOME", "WELCOME"), (b"\x85drmf1", "a reply of Remofile")]
                    {
                        let shown = came.windows(sign.len()).any(|bytes| bytes == sign);
                        t.check(!shown, format!("the server sent {meaning}"))?;
                    }
                    Ok(())
                })
        })
        .collect()
}

/// Connections of other protocols, or with an incomplete greeting.
fn nonsense() -> Vec<Case> {
    type OpeningMaker = fn() -> Vec<u8>;
    let table: [(&str, &str, OpeningMaker); 6] = [
        ("http", "a request of HTTP", || b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("tls", "the beginning of TLS", || [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 505]].concat()),
        ("a-wrong-signature", "a greeting whose tenth byte is even", || {
            let mut greeting = zmtp::greeting("CURVE");
            greeting[9] = 0x7e;
            greeting
        }),
        ("zeros", "10,000 zeros", || vec![0; 10_000]),
        ("bytes-of-ff", "10,000 bytes of ff", || vec![0xff; 10_000]),
        ("a-command-without-a-name", "a greeting and a command of no bytes", || {
            [zmtp::greeting("CURVE"), vec![4, 0], vec![4, 1, 255]].concat()
        }),
    ];
    let mut cases: Vec<Case> = table
        .into_iter()
        .map(|(name, words, bytes)| {
            must(&format!("{name}-does-not-stop-the-server"), &["ENV-8"])
                .without_directory()
                .sends(format!(
                    "Over bare TCP: {words}; a `hello` of a new client meanwhile, and a `stat` of the session"
                ))
                .passes("Both are answered.")
                .run(move |t| {
                    let mut wire = Wire::connect(&address(t)?, deadline(t)).map_err(unreachable)?;
                    // A server may close the connection in the middle.
                    let _ = wire.send(&bytes());
                    served_meanwhile(t)?;
                    drop(wire);
                    t.expect_ok(stat("/")).map(drop)
                })
        })
        .collect();
    cases.push(
        must("silent-connections-do-not-block-other-clients", &["ENV-8", "SES-10"])
            .without_directory()
            .sends("24 connections that stop within their greeting, or before; a `hello` of a new client meanwhile")
            .passes("It is answered, and so is a `stat` of the session.")
            .run(|t| {
                let greeting = zmtp::greeting("CURVE");
                let mut silent = Vec::new();
                for length in [0, 1, 9, 10, 11, 12, 32, 63, 64].into_iter().cycle().take(24) {
                    let mut wire = Wire::connect(&address(t)?, deadline(t)).map_err(unreachable)?;
                    wire.send(&greeting[..length]).map_err(cut)?;
                    silent.push(wire);
                }
                served_meanwhile(t)?;
                drop(silent);
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases
}

/// Frames that announce more bytes than a server should accept.
fn floods() -> Vec<Case> {
    const EIGHT_GIB: u64 = 8 << 30;
    vec![
        should("eight-gib-announced-before-the-handshake-are-not-awaited", &["LIMIT-3"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("On two connections a greeting and the head of a command: of 200 bytes on the first, of 8 GiB on the second")
            .passes("The second is closed before the first, and both before they are complete; others are served.")
            .run(|t| {
                let until = deadline(t);
                let mut wires = Vec::new();
                for head in [&[4, 200][..], &zmtp::long_command_head(EIGHT_GIB)] {
                    let mut wire = Wire::connect(&address(t)?, until).map_err(unreachable)?;
                    greet(&mut wire, &zmtp::greeting("CURVE"), t)?;
                    wire.send(head).map_err(cut)?;
                    wires.push(wire);
                }
                let [first, second] = &mut wires[..] else { unreachable!("two heads were sent") };
                let closed = second.await_close().map_err(cut)?;
                let (_, other) = first.drain().map_err(cut)?;
                t.check(closed, "a connection that announced 8 GiB before any handshake is kept open")?;
                t.check(other == Ending::Open, "it was not closed earlier than one that announced 200 bytes")?;
                served_meanwhile(t)
            }),
        should("eight-gib-announced-after-the-handshake-are-not-awaited", &["LIMIT-3"])
            .needs(&[Need::Curve])
            .without_directory()
            .sends("After a handshake with the right keys, the head of a frame of 8 GiB")
            .passes("The connection is closed; others are served.")
            .run(|t| {
                let target = t.environment.target.borrow().clone();
                let relay = TcpRelay::to(&target)?;
                let through_relay = relay.target(&target);
                let probe = HandshakeProbe::begin(
                    &t.environment.context,
                    &through_relay.endpoint,
                    through_relay.credentials().as_ref(),
                );
                let probe = probe.map_err(broken)?;
                let handshake = probe.outcome(deadline(t)).map_err(broken)?;
                if handshake != HandshakeOutcome::Succeeded {
                    return Err(CaseError::Untestable(format!("the handshake through a relay ended as {handshake:?}")));
                }
                relay.inject(&zmtp::long_head(0, EIGHT_GIB))?;
                t.check(relay.await_cut(deadline(t)), "a connection that announced a frame of 8 GiB is kept open")?;
                served_meanwhile(t)
            }),
    ]
}

/// Checks that a new client and the open session are answered.
fn served_meanwhile(t: &mut CaseContext) -> CaseResult {
    let mut other = t.another_client_with(SocketKind::Dealer)?;
    let hello = other.hello_request();
    other.expect(hello, crate::wire::code::BUSY)?;
    t.expect_ok(stat("/")).map(drop)
}

/// Sends a greeting in two halves and reads the server's in between, so that it is received even if the server closes the
/// connection after the second half; returns the received bytes.
fn greet(wire: &mut Wire, greeting: &[u8], t: &CaseContext) -> CaseResult<Vec<u8>> {
    let (version, rest) = greeting.split_at(greeting.len().min(12));
    wire.send(version).map_err(cut)?;
    let came = match greeting.len() {
        // Only a client of ZMTP 3 gets more than a signature.
        ..GREETING => Vec::new(),
        _ => {
            // A server may wait for the whole greeting before it sends its own.
            let half = t.environment.timeouts.get().reply / 10;
            wire.read_up_to(GREETING, Instant::now() + half).map_err(cut)?.0
        }
    };
    let _ = wire.send(rest);
    Ok(came)
}

const METADATA: &[u8] = b"\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00";

fn ready() -> Vec<u8> {
    zmtp::command("READY", METADATA)
}

/// The frames of a message after a delimiter.
fn message(header: &[u8]) -> Vec<u8> {
    [zmtp::frame(MORE, b""), zmtp::frame(0, header)].concat()
}

fn address(t: &CaseContext) -> CaseResult<String> {
    let target = t.environment.target.borrow();
    if !target.endpoint.starts_with("tcp://") {
        return not_applicable(format!("the server is reached by {}", target.endpoint));
    }
    Ok(target.address().to_owned())
}

fn deadline(t: &CaseContext) -> Instant {
    Instant::now() + t.environment.timeouts.get().reply
}

fn unreachable(error: io::Error) -> CaseError {
    CaseError::Silent(format!("no TCP connection: {error}"))
}

fn cut(error: io::Error) -> CaseError {
    CaseError::Failed(format!("the connection broke: {error}"))
}
