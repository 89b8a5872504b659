//! Section 6.1: opening a session, and who holds it.

use super::sequence::expect_remembered;
use crate::{
    engine::{
        case::{Case, must},
        client::Client,
        context::CaseContext,
        error::{CaseResult, not_applicable},
    },
    wire::{
        code::{AUTH, BAD_ARGS, BUSY, EXISTS, NO_SESSION, NO_UPLOAD, OK, SEQ},
        reply::Reply,
        request::{Request, append, begin, bye, mkdir, ping, put, stat},
    },
};
use std::time::{Duration, Instant};

/// The least number of ended ids that a server must remember [SES-5].
const REMEMBERED: usize = 1_024;
/// The longest time for the sessions of [SES-5].
const OPENING_BUDGET: Duration = Duration::from_secs(6);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = busy();
    cases.extend(take());
    cases.extend(replaced());
    cases.extend(holder());
    cases
}

fn busy() -> Vec<Case> {
    vec![
        must("busy-names-the-holder-of-the-session", &["SES-7"])
            .sends("`hello` with `client` \"Ännä's λ\" from one client, and `hello` from another")
            .passes("BUSY with the first client's id, name and lease.")
            .run(|t| {
                t.open_with(|hello| hello.arg("client", "Ännä's λ").arg("lease_ms", 5_000_u64))?;
                let lease = t.server()?.lease_ms;
                let busy = greet(&mut t.another_client()?, BUSY)?;
                t.equal("client", busy.text("client")?, "Ännä's λ")?;
                t.equal("session", busy.bytes("session")?, &t.session[..])?;
                t.equal("lease_ms", busy.uint("lease_ms")?, lease)
            }),
        must("a-hello-answered-busy-does-not-affect-the-holder", &["SES-7", "SES-6", "SEQ-1"])
            .sends("three `hello` of other clients between two numbered requests of the holder")
            .passes("BUSY to each; the holder's numbers continue, and its first reply is still remembered.")
            .run(|t| {
                let path = t.path("d");
                let first = t.expect_ok(mkdir(&path))?;
                for _ in 0..3 {
                    greet(&mut t.another_client()?, BUSY)?;
                }
                expect_remembered(t, &first)?;
                t.expect_ok(stat(&path)).map(drop)
            }),
        must("a-request-without-a-session-is-not-executed", &["SES-19", "CODE-5"])
            .sends("`put` as request 1, and as request 7, of a client that said no `hello`, while another holds the session")
            .passes("NO_SESSION to both, nothing is there, and the holder's session continues; the same `put` of the holder is OK.")
            .run(|t| {
                let path = t.path("f");
                let mut other = t.another_client()?;
                for seq in [1, 7] {
                    other.send_as(seq, &put(&path, *b"other"))?;
                    other.expect_reply(seq, NO_SESSION)?;
                }
                t.expect_absent(&path)?;
                t.control(put(&path, *b"holder")).map(drop)
            }),
        must("ping-without-a-session-is-refused", &["SES-19"])
            .sends("`ping` of a client that said no `hello`")
            .passes("NO_SESSION; the holder's `ping` is OK.")
            .run(|t| {
                t.control(ping())?;
                t.another_client()?.expect(ping(), NO_SESSION)?;
                t.expect_ok(ping()).map(drop)
            }),
        must("bye-without-a-session-releases-nothing", &["SES-19", "SES-17"])
            .sends("`bye` of a client that said no `hello`, and then its `hello`")
            .passes("NO_SESSION and BUSY; the holder's `ping` is OK.")
            .run(|t| {
                let mut other = t.another_client()?;
                other.expect(bye(), NO_SESSION)?;
                greet(&mut other, BUSY)?;
                t.expect_ok(ping()).map(drop)
            }),
        must("auth-is-checked-before-busy", &["SES-3", "CODE-5"])
            .sends("`hello` of another client with a wrong `auth`")
            .passes("AUTH, and nothing about the holder; with the right `auth` it is BUSY.")
            .run(|t| {
                let mut other = t.another_client()?;
                let reply = other.expect(forged(&other), AUTH)?;
                t.check(reply.result.member("session").is_none(), "AUTH shows which id holds the session")?;
                greet(&mut other, BUSY).map(drop)
            }),
        must("arguments-of-hello-are-checked-before-auth", &["SES-3", "CODE-5"])
            .sends("`hello` with a wrong `auth` and a `take` of 15 bytes")
            .passes("BAD_ARGS; with a `take` of 16 bytes it is AUTH.")
            .run(|t| {
                let mut other = t.another_client()?;
                other.expect(forged(&other).arg("take", [7; 15]), BAD_ARGS)?;
                other.draw_session_id();
                other.expect(forged(&other).arg("take", [7; 16]), AUTH).map(drop)
            }),
        must("a-wrong-auth-does-not-take-the-session-over", &["SES-3"])
            .sends("`hello` with `take` naming the holder and a wrong `auth`")
            .passes("AUTH, and the holder's session continues.")
            .run(|t| {
                let mut other = t.another_client()?;
                other.expect(forged(&other).arg("take", t.session), AUTH)?;
                t.expect_ok(ping())?;
                t.client.expect_ok(stat(t.directory())).map(drop)
            }),
        must("a-wrong-auth-is-refused-to-the-holder-too", &["SES-3"])
            .sends("`hello` of the holder's id with a wrong `auth`")
            .passes("AUTH, and the session continues; with the right `auth` it is OK.")
            .run(|t| {
                t.client.expect(forged(t), AUTH)?;
                t.client.control(t.hello_request())?;
                t.expect_ok(ping()).map(drop)
            }),
    ]
}

fn take() -> Vec<Case> {
    vec![
        must("take-of-the-holder-opens-a-session", &["SES-6", "SEQ-1"])
            .sends("`hello` with `take` naming the holder, then request 2 and request 1")
            .passes("OK, SEQ with next 1, and OK.")
            .run(|t| {
                let mut other = take_over(t)?;
                let directory = t.directory().to_owned();
                other.send_as(2, &stat(&directory))?;
                let gap = other.expect_reply(2, SEQ)?;
                t.equal("next", gap.uint("next")?, 1)?;
                other.expect_ok(stat(&directory))?;
                other.close()
            }),
        must("take-of-an-id-that-is-not-the-holder-is-ignored", &["SES-8", "SES-7"])
            .sends(
                "`hello` with `take` a random id, 16 zero bytes, its own id, and the holder's id with one bit turned",
            )
            .passes("BUSY to each, and the holder's session continues.")
            .run(|t| {
                let mut near = t.session;
                near[15] ^= 1;
                let mut other = t.another_client()?;
                let random = t.id();
                for named in [Some(random), Some([0; 16]), None, Some(near)] {
                    other.draw_session_id();
                    let hello = other.hello_request().arg("take", named.unwrap_or(other.session));
                    other.expect(hello, BUSY)?;
                }
                t.expect_ok(ping()).map(drop)
            }),
        must("take-of-an-ended-session-is-ignored", &["SES-8", "SES-9"])
            .sends("a takeover, and `hello` of a third client with `take` naming the one that was replaced")
            .passes("BUSY, with the id that holds the session now.")
            .run(|t| {
                let mut second = take_over(t)?;
                let mut third = t.another_client()?;
                let busy = third.expect(third.hello_request().arg("take", t.session), BUSY)?;
                t.equal("session", busy.bytes("session")?, &second.session[..])?;
                second.expect_ok(ping())?;
                second.close()
            }),
        must("take-after-a-release-is-ignored", &["SES-6", "SES-8"])
            .sends("`bye`; `hello` with `take` naming the released id, `bye`, and `hello` with `take` naming an unknown id")
            .passes("OK to each.")
            .run(|t| {
                let random = t.id();
                for named in [t.session, random] {
                    t.expect_ok(bye())?;
                    t.draw_session_id();
                    let reply = t.client.expect_ok(t.hello_request().arg("take", named))?;
                    t.opened(&reply)?;
                }
                t.expect_ok(ping()).map(drop)
            }),
    ]
}

fn replaced() -> Vec<Case> {
    vec![
        must("hello-of-a-replaced-id-is-refused", &["SES-5", "SES-9", "SES-3"])
            .sends("a takeover; then of the replaced id its `hello` again, and one with `take` naming the holder")
            .passes("NO_SESSION to both, and the new holder's session continues.")
            .run(|t| {
                let mut other = take_over(t)?;
                t.client.expect(t.hello_request(), NO_SESSION)?;
                t.client.expect(t.hello_request().arg("take", other.session), NO_SESSION)?;
                other.expect_ok(ping())?;
                other.close()
            }),
        must("auth-is-checked-before-the-id-has-ended", &["SES-3", "CODE-5"])
            .sends("a takeover, and `hello` of the replaced id with a wrong `auth`")
            .passes("AUTH; with the right `auth` it is NO_SESSION.")
            .run(|t| {
                let mut other = take_over(t)?;
                t.client.expect(forged(t), AUTH)?;
                t.client.expect(t.hello_request(), NO_SESSION)?;
                other.close()
            }),
        must("every-request-of-a-replaced-id-is-refused", &["SES-9", "SES-19"])
            .sends("a takeover; then of the replaced id `ping`, its last request again, its next request, and `bye`")
            .passes("NO_SESSION to each, nothing is executed, and the new holder's session continues.")
            .run(|t| {
                let (before, after) = (t.path("before"), t.path("after"));
                let last = t.setup(mkdir(&before))?.seq;
                let mut other = take_over(t)?;
                t.expect(ping(), NO_SESSION)?;
                t.resend(last)?;
                t.expect_reply(last, NO_SESSION)?;
                t.expect(mkdir(&after), NO_SESSION)?;
                t.expect(bye(), NO_SESSION)?;
                other.expect(stat(&after), crate::wire::code::NOT_FOUND)?;
                other.close()
            }),
        must("a-new-session-has-no-remembered-replies", &["SES-6", "SEQ-3"])
            .sends("`mkdir` as request 1 of a session, and the same as request 1 of the next one")
            .passes("OK, and EXISTS: it is executed again.")
            .run(|t| {
                t.open()?;
                let path = t.path("d");
                t.expect_ok(mkdir(&path))?;
                t.open()?;
                t.expect(mkdir(&path), EXISTS).map(drop)
            }),
        must("uploads-begun-belong-to-their-session", &["APPEND-2", "UP-2", "SES-6"])
            .sends("`begin` and `append` of 5 bytes; in a new session `append`, `begin` and `append`")
            .passes("NO_UPLOAD, then `off` 5, then OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                t.setup(append(up, 0, *b"first"))?;
                t.open()?;
                t.expect(append(up, 5, *b"second"), NO_UPLOAD)?;
                let begun = t.expect_ok(begin(up, &path))?;
                t.equal("off", begun.uint("off")?, 5)?;
                t.expect_ok(append(up, 5, *b"second")).map(drop)
            }),
        must("ended-ids-are-remembered", &["SES-5"])
            .sends("1,024 sessions, each replacing the one before; then `hello` of the first, of one in the middle and of the last that ended")
            .passes("NO_SESSION to each.")
            .run(|t| {
                let ended = replace_over_and_over(t, REMEMBERED)?;
                let holder = t.session;
                for id in [ended[0], ended[REMEMBERED / 2], ended[REMEMBERED - 1]] {
                    t.session = id;
                    t.client.expect(t.hello_request(), NO_SESSION)?;
                }
                t.session = holder;
                t.expect_ok(ping()).map(drop)
            }),
    ]
}

fn holder() -> Vec<Case> {
    vec![
        must("a-second-hello-of-the-holder-has-the-same-result", &["SES-4"])
            .sends("`hello` with a `lease_ms` of 2,000; of the same id `hello` again, the same and with other `client`, `lease_ms` and `take`")
            .passes("OK with the same result byte for byte.")
            .run(|t| {
                t.draw_session_id();
                let hello = t.hello_request().arg("lease_ms", 2_000_u64).arg("take", t.environment.last_session.get().unwrap_or_default());
                let first = t.expect_ok(hello.clone())?;
                t.opened(&first)?;
                let random = t.id();
                let other = hello.clone().arg("client", "another client").arg("lease_ms", 3_000_u64).arg("take", random);
                for hello in [hello, other] {
                    let again = t.expect_ok(hello)?;
                    t.equal_bytes("the reply to the second hello", &again.frames[0], &first.frames[0])?;
                }
                Ok(())
            }),
        must("a-second-hello-of-the-holder-changes-nothing", &["SES-4"])
            .sends("`begin` and `append`; `hello` of the same id with another `client` and `lease_ms`; `append`, the last request again, the next `append`, and `hello` of another client")
            .passes("the numbers continue, the reply is remembered, the upload is still begun, and BUSY shows the client and lease of before.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                let first = t.setup(append(up, 0, *b"first"))?;
                let before = greet(&mut t.another_client()?, BUSY)?;
                t.client.expect_ok(t.hello_request().arg("client", "another client").arg("lease_ms", 1_000_u64))?;
                expect_remembered(t, &first)?;
                t.expect_ok(append(up, 5, *b"second"))?;
                let after = greet(&mut t.another_client()?, BUSY)?;
                t.equal("client", after.text("client")?, before.text("client")?)?;
                t.equal("lease_ms", after.uint("lease_ms")?, before.uint("lease_ms")?)
            }),
        must("a-session-belongs-to-an-id-and-not-to-a-connection", &["SES-13", "SEQ-1", "SEQ-3"])
            .sends("a numbered request over one connection; over another, with the same session, that request again and the next one, and `ping`")
            .passes("the remembered reply, OK and OK.")
            .run(|t| {
                let (one, two) = (mkdir(&t.path("one")), mkdir(&t.path("two")));
                let first = t.expect_ok(one.clone())?;
                let next = t.next;
                t.reconnect()?;
                t.send_as(first.seq, &one)?;
                let again = t.first_reply(first.seq)?;
                t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])?;
                t.equal("the next number", t.next, next)?;
                t.expect_ok(two)?;
                t.expect_ok(ping()).map(drop)
            }),
    ]
}

/// `hello` of a client with an id that it has not used.
pub(super) fn greet(other: &mut Client, code: crate::wire::code::Code) -> CaseResult<Reply> {
    other.draw_session_id();
    other.expect(other.hello_request(), code)
}

/// Lets another client take over the case's session; its `hello` must be answered OK.
pub(super) fn take_over(t: &mut CaseContext) -> CaseResult<Client> {
    let mut other = t.another_client()?;
    let reply = other.expect(other.hello_request().arg("take", t.session), OK)?;
    other.opened(&reply)?;
    Ok(other)
}

/// `hello` of the current id with an `auth` that differs from the right one in its last bit.
fn forged(client: &Client) -> Request {
    let mut auth = client.environment.target.borrow().auth(client.session);
    auth[31] ^= 1;
    client.hello_request().arg("auth", auth)
}

/// Opens sessions, each replacing the one before; returns the ended ids, oldest first. No more
/// than a window of them are in flight: a server need not queue more replies [LIMIT-5].
fn replace_over_and_over(t: &mut CaseContext, count: usize) -> CaseResult<Vec<[u8; 16]>> {
    let window = usize::try_from(t.server()?.window).unwrap_or(1).min(32);
    let began = Instant::now();
    let mut ended = Vec::new();
    while ended.len() < count {
        let mut sent = Vec::new();
        for _ in 0..window.min(count - ended.len()) {
            ended.push(t.session);
            let held = t.session;
            t.draw_session_id();
            let hello = t.hello_request().arg("take", held);
            t.send(&hello)?;
            sent.push(t.session);
        }
        for session in sent {
            let reply = t.reply_of(session, 0)?;
            // Sent again after a cut, it may find that later ones have been executed already.
            if reply.code == NO_SESSION && t.was_cut() && session != t.session {
                continue;
            }
            t.code("hello with `take` naming the holder", &reply, OK)?;
            t.opened(&reply)?;
        }
        let whole = began.elapsed().mul_f64(count as f64 / ended.len() as f64);
        if whole > OPENING_BUDGET {
            return not_applicable(format!("{count} sessions would take {} s, {window} at a time", whole.as_secs()));
        }
    }
    Ok(ended)
}
