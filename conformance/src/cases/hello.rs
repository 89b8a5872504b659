//! Sections 11.1 and 11.2: hello, ping and bye.

mod arguments;

use crate::{
    cases::support::messages::with_another_session,
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        code::{AUTH, BAD_ARGS, BUSY, NO_SESSION, OK, PENDING},
        request::{bye, ping, stat},
    },
};
use hmac::{Hmac, KeyInit, Mac};
use remofile_proto::Keys;
use sha2::Sha256;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = arguments::cases();
    cases.extend(authentication());
    cases.extend(results());
    cases
}

/// What hello's `auth` would be with any key [KEY-7].
fn auth_by(key: &[u8], session: [u8; 16]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(b"rmf1");
    mac.update(&session);
    mac.finalize().into_bytes().into()
}

fn authentication() -> Vec<Case> {
    vec![
        must("an-auth-that-is-wrong-in-any-byte-is-refused", &["KEY-7", "SES-3", "CODE-5"])
            .without_directory()
            .sends("`hello` of the session with each byte of `auth` changed in its lowest and in its highest bit")
            .passes("AUTH to each; OK where nothing is changed.")
            .run(|t| {
                let right = t.environment.target.borrow().auth(t.session);
                let hello = t.hello_request();
                t.control(hello.clone())?;
                for byte in 0..right.len() {
                    for bit in [0x01, 0x80] {
                        let mut wrong = right;
                        wrong[byte] ^= bit;
                        t.expect(hello.clone().arg("auth", wrong), AUTH)?;
                    }
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("an-auth-of-zeros-is-refused", &["KEY-7", "SES-3"])
            .without_directory()
            .sends("`hello` with an `auth` of 32 zeros, of 32 bytes ff, of the token's first 32 bytes padded with zeros")
            .passes("AUTH to each, also from the holder.")
            .run(|t| {
                let hello = t.hello_request();
                t.control(hello.clone())?;
                let mut token = t.environment.target.borrow().token.reveal().as_bytes().to_vec();
                token.resize(32, 0);
                for auth in [vec![0; 32], vec![0xff; 32], token] {
                    t.expect(hello.clone().arg("auth", auth), AUTH)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("an-auth-by-another-key-of-the-token-is-refused", &["KEY-5", "KEY-7", "SES-3"])
            .without_directory()
            .sends("`hello` with an `auth` made with the server's and with the client's CURVE key, secret and public, and with the token itself")
            .passes("AUTH to each; OK to the one that is made with the key of its own.")
            .run(|t| {
                let hello = t.hello_request();
                t.control(hello.clone())?;
                let token = t.environment.target.borrow().token.clone();
                let Keys { server, client, .. } = Keys::derive(&token);
                let keys = [server.secret(), server.public(), client.secret(), client.public()].map(|key| &key[..]);
                for key in keys.into_iter().chain([token.reveal().as_bytes()]) {
                    let auth = auth_by(key, t.session);
                    t.expect(hello.clone().arg("auth", auth), AUTH)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("an-auth-of-another-session-is-refused", &["KEY-7", "SES-3"])
            .without_directory()
            .sends("`hello` of a new id with the `auth` of the session's id, and with its own")
            .passes("AUTH to the first, BUSY to the second.")
            .run(|t| {
                let stolen = t.environment.target.borrow().auth(t.session);
                with_another_session(t, |t| {
                    let hello = t.hello_request();
                    t.expect(hello.clone(), BUSY).map_err(|error| error.into_prerequisite("the control"))?;
                    t.expect(hello.arg("auth", stolen), AUTH)
                })?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-wrong-auth-does-not-reveal-the-holder", &["SES-3", "KEY-7", "CODE-5"])
            .without_directory()
            .sends("`hello` of a new id with a wrong `auth` while the session is held, with and without a `take` of its id")
            .passes("AUTH and not BUSY, with nothing of the holder or the token in the reply; the session continues.")
            .run(|t| {
                let held = t.session;
                let token = t.environment.target.borrow().token.reveal().as_bytes().to_vec();
                with_another_session(t, |t| {
                    let hello = t.hello_request();
                    t.expect(hello.clone(), BUSY).map_err(|error| error.into_prerequisite("the control"))?;
                    for request in [hello.clone(), hello.arg("take", held)] {
                        let reply = t.expect(request.arg("auth", [7_u8; 32]), AUTH)?;
                        for secret in ["client", "session", "idle_ms"] {
                            t.check(reply.result.member(secret).is_none(), format!("AUTH shows {secret:?}"))?;
                        }
                        let shown = |bytes: &[u8]| reply.frames.concat().windows(bytes.len()).any(|part| part == bytes);
                        t.check(!shown(&held), "AUTH has the holder's id in it")?;
                        t.check(!shown(&token), "AUTH has the token in it")?;
                    }
                    Ok(())
                })?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("auth-is-checked-before-whether-the-id-has-ended", &["SES-3", "CODE-5"])
            .without_directory()
            .sends("`hello` of an id that has ended, with its `auth` and with a wrong one")
            .passes("NO_SESSION to the first, AUTH to the second.")
            .run(|t| {
                let hello = t.hello_request();
                let ended = t.session;
                t.close()?;
                t.open()?;
                let (session, next) = (t.session, t.next);
                t.session = ended;
                t.expect(hello.clone(), NO_SESSION).map_err(|error| error.into_prerequisite("the control"))?;
                t.expect(hello.arg("auth", [7_u8; 32]), AUTH)?;
                (t.session, t.next) = (session, next);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-refused-hello-opens-nothing", &["SES-3", "SES-19", "KEY-7"])
            .without_directory()
            .sends("With the session released: `hello` of a new id with a wrong `auth`, and `ping` and `stat` after it")
            .passes("AUTH, then NO_SESSION to both; a `hello` with the right one opens.")
            .run(|t| {
                t.close()?;
                t.draw_session_id();
                let hello = t.hello_request();
                t.expect(hello.clone().arg("auth", [7_u8; 32]), AUTH)?;
                t.expect(ping(), NO_SESSION)?;
                t.expect(stat("/"), NO_SESSION)?;
                t.open()?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-refused-hello-does-not-end-its-id", &["SES-3", "SES-6", "SES-5"])
            .without_directory()
            .sends("With the session released: `hello` of a new id with a wrong `auth`, with arguments that do not fit, and right")
            .passes("AUTH, BAD_ARGS, OK: a refused `hello` does not end its id.")
            .run(|t| {
                t.close()?;
                t.draw_session_id();
                let hello = t.hello_request();
                t.expect(hello.clone().arg("auth", [7_u8; 32]), AUTH)?;
                t.expect(hello.clone().without("client"), BAD_ARGS)?;
                let reply = t.expect_ok(hello)?;
                t.opened(&reply)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}

fn results() -> Vec<Case> {
    vec![
        must("boot-and-root-stay-while-the-server-runs", &["HELLO-3", "HELLO-4"])
            .without_directory()
            .sends("`hello` of three sessions in a row")
            .passes("The same `boot` each time, and the same `root` or none, which is not one byte sixteen times.")
            .run(|t| {
                let first = t.server()?;
                let names_nothing = |root: &Vec<u8>| root.windows(2).all(|pair| pair[0] == pair[1]);
                t.check(!first.root.as_ref().is_some_and(names_nothing), "root is one byte, sixteen times")?;
                for _ in 0..2 {
                    t.close()?;
                    let again = t.open()?;
                    t.equal("boot", &again.boot, &first.boot)?;
                    t.equal("root", &again.root, &first.root)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("boot-is-random", &["HELLO-3"])
            .without_directory()
            .sends("`hello`")
            .passes("A `boot` that is not one byte sixteen times, and not the session, `root` or the token's bytes.")
            .run(|t| {
                let hello = t.server()?;
                let token = t.environment.target.borrow().token.reveal().as_bytes()[..16].to_vec();
                let one = hello.boot.windows(2).all(|pair| pair[0] == pair[1]);
                t.check(!one, "boot is one byte, sixteen times")?;
                t.check(hello.boot != t.session, "boot is the session's id")?;
                t.check(hello.root.as_ref() != Some(&hello.boot), "boot is root")?;
                t.check(hello.boot != token, "boot is the beginning of the token")
            }),
        must("the-values-of-hello-stay-while-the-server-runs", &["HELLO-2", "HELLO-5", "HELLO-6"])
            .without_directory()
            .sends("`hello` of two sessions in a row")
            .passes("The same window, chunk, header, lease, names, folds, ro and caps.")
            .run(|t| {
                let first = t.server()?;
                t.close()?;
                let again = t.open()?;
                t.equal("the result of hello", again, first)
            }),
        must("busy-shows-the-client-name-of-the-holder", &["SES-7", "HELLO-1"])
            .without_directory()
            .sends("`hello` with a `client` of 128 bytes of all kinds, and `hello` of another id")
            .passes("BUSY with exactly that `client`, and the session's id.")
            .run(|t| {
                t.close()?;
                let name = format!("\"\\ \u{1b}[31m\n\u{1f600}{}", "ä".repeat(57));
                let name = format!("{name}{}", "x".repeat(128 - name.len()));
                t.open_with(|hello| hello.arg("client", name.as_str()))?;
                let held = t.session;
                let busy = with_another_session(t, |t| {
                    let hello = t.hello_request();
                    t.expect(hello, BUSY)
                })?;
                t.equal("client", busy.text("client")?, name.as_str())?;
                t.equal("session", busy.bytes("session")?, &held[..])
            }),
        must("ping-and-bye-have-empty-results", &["OP-3", "SES-17"])
            .without_directory()
            .sends("`ping` twice and `bye`")
            .passes("OK to each with none of the specification's keys; after `bye` a `ping` is NO_SESSION.")
            .run(|t| {
                t.expect_ok(ping())?;
                t.expect_ok(ping())?;
                t.expect_ok(bye())?;
                t.expect(ping(), NO_SESSION)?;
                t.open().map(drop)
            }),
        must("hello-ping-and-bye-are-not-pending", &["CODE-5"])
            .without_directory()
            .sends("`hello` of the holder, `ping` and `bye`")
            .passes("OK at once: PENDING is for numbered requests.")
            .run(|t| {
                let hello = t.hello_request();
                for request in [hello, ping(), bye()] {
                    let seq = t.send(&request)?;
                    let reply = t.first_reply(seq)?;
                    settled(t, &request.op, reply.code == PENDING, reply.code == OK)?;
                }
                t.open().map(drop)
            }),
        must("hello-with-a-number-is-no-session", &["ENV-13", "CODE-5"])
            .without_directory()
            .sends("With the session released: `hello` of a new id with seq 1, then with seq 0")
            .passes("NO_SESSION to the first, OK to the second.")
            .run(|t| {
                t.close()?;
                t.draw_session_id();
                let hello = t.hello_request();
                t.send_as(1, &hello)?;
                t.expect_reply(1, NO_SESSION)?;
                let reply = t.expect_ok(hello)?;
                t.opened(&reply)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}

fn settled(t: &CaseContext, op: &str, pending: bool, ok: bool) -> CaseResult {
    if pending {
        return failed(format!("{op} was answered PENDING"));
    }
    t.check(ok, format!("{op} was not answered OK"))
}
