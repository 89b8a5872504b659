//! Section 6.2: the lease.

use super::{
    long_requests::{BLOCKED, start_finite},
    sequence::expect_remembered,
    session::{greet, take_over},
};
use crate::{
    engine::{
        case::{Case, must},
        client::Client,
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{AUTH, BAD_ARGS, BAD_MESSAGE, BAD_OP, BUSY, Code, NO_SESSION, NOT_FOUND, OK, SEQ, SEQ_REUSED},
        request::{bye, mkdir, ping, request, stat},
    },
};
use std::time::{Duration, Instant};

/// The shortest lease that a server grants [SES-12].
const SHORTEST: u64 = 1_000;
/// How coarse the server's clock may be.
const COARSE: Duration = Duration::from_millis(35);
/// How long the holder is silent before a request that may or may not renew its lease.
const SILENCE: Duration = Duration::from_millis(75);

/// A message of the holder, with its description.
type Sending = (&'static str, fn(&mut CaseContext) -> CaseResult);

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("the-lease-is-as-asked-within-bounds", &["SES-12"])
            .sends("`hello` without `lease_ms`, and with 0, 1, 999, 1,000, 1,001, the server's own, one more, and 2^63−1; `hello` of another client")
            .passes("a `lease_ms` of at least 1,000 and at most the server's own, else as asked; BUSY shows the same.")
            .run(|t| {
                let own = t.open()?.lease_ms.max(SHORTEST);
                let mut other = t.another_client()?;
                for asked in [0, 1, 999, 1_000, 1_001, own, own + 1, i64::MAX as u64] {
                    let granted = t.open_with(|hello| hello.arg("lease_ms", asked))?.lease_ms;
                    t.equal(&format!("the lease for {asked}"), granted, asked.clamp(SHORTEST, own))?;
                    let shown = greet(&mut other, BUSY)?.uint("lease_ms")?;
                    t.equal("the lease in BUSY", shown, granted)?;
                }
                let without = t.open()?.lease_ms.max(SHORTEST);
                t.equal("the lease without lease_ms", without, own)
            }),
        must("idle-time-counts-from-the-last-request-of-the-holder", &["SES-7", "SES-14"])
            .sends("`ping` of the holder and, 75 ms later, `hello` of two other clients, 50 ms apart")
            .passes("BUSY with an `idle_ms` of the time since that `ping`, within 35 ms: another client's `hello` does not count.")
            .run(|t| {
                let mut other = t.another_client()?;
                let before = Instant::now();
                t.expect_ok(ping())?;
                let after = Instant::now();
                for silence in [SILENCE, Duration::from_millis(50)] {
                    t.let_pass(silence)?;
                    let least = after.elapsed().saturating_sub(COARSE);
                    let idle = idle(&mut other)?;
                    let most = before.elapsed() + COARSE;
                    t.check(
                        (least..=most).contains(&idle),
                        format!("idle_ms is {} and not {} to {}", idle.as_millis(), least.as_millis(), most.as_millis()),
                    )?;
                }
                Ok(())
            }),
        must("every-request-of-the-holder-renews-the-lease", &["SES-13"])
            .sends("each after 75 ms of silence: `ping`, `hello` again, a request answered OK, one refused, one with an unknown operation, a resent one, one answered SEQ, one answered SEQ_REUSED, and `ping` with an argument")
            .passes("BUSY to another client after each, with an `idle_ms` that is no longer than the time since.")
            .run(|t| {
                let mut other = t.another_client()?;
                RENEWING.iter().try_for_each(|(what, send)| expect_renewed(t, &mut other, what, *send))
            }),
        must("a-bad-message-does-not-renew-the-lease", &["SES-13"])
            .sends("after 75 ms of silence two requests of the holder's id that are BAD_MESSAGE: one with a byte after its header, one without its payload")
            .passes("BUSY to another client after each, with an `idle_ms` that continues from before.")
            .run(|t| expect_not_renewed(t, BAD_MESSAGES)),
        must("a-refused-hello-does-not-renew-the-lease", &["SES-13"])
            .sends("after 75 ms of silence two `hello` of the holder's id: with a wrong `auth`, and with an `auth` of 31 bytes")
            .passes("BUSY to another client after each, with an `idle_ms` that continues from before.")
            .run(|t| expect_not_renewed(t, REFUSED_HELLOS)),
        must("a-request-of-another-client-does-not-renew-the-lease", &["SES-14", "SES-19"])
            .sends("after 75 ms of silence of the holder `ping`, a numbered request and `bye` of another client")
            .passes("NO_SESSION, and then BUSY to a third client with an `idle_ms` that continues from before.")
            .run(|t| {
                let mut another_client = t.another_client()?;
                let mut other = t.another_client()?;
                t.expect_ok(ping())?;
                let after = Instant::now();
                t.let_pass(SILENCE)?;
                for request in [ping(), stat("/"), bye()] {
                    another_client.expect(request, NO_SESSION)?;
                    let least = after.elapsed().saturating_sub(COARSE);
                    let idle = idle(&mut other)?;
                    t.check(idle >= least, format!("idle_ms is {}, not {}", idle.as_millis(), least.as_millis()))?;
                }
                expect_renewed(t, &mut other, "ping", |t| t.expect_ok(ping()).map(drop))
            }),
        must("idle-time-begins-at-the-end-of-work", &["SES-14"])
            .sends("`hash` of zeros that take a second or so, and no poll; `hello` of another client again and again")
            .passes("BUSY with an `idle_ms` of 0 as long as the server works, and then of the time since.")
            .run(|t| {
                let mut other = t.another_client()?;
                let began = Instant::now();
                start_finite(t)?;
                let mut at_work = began;
                loop {
                    let asked = Instant::now();
                    let idle = idle(&mut other)?;
                    if idle.is_zero() {
                        at_work = asked;
                    } else {
                        let most = at_work.elapsed() + COARSE;
                        let late = format!("idle_ms is {}, {} after the work", idle.as_millis(), most.as_millis());
                        t.check(idle <= most, late)?;
                        return t.open().map(drop);
                    }
                    t.check(began.elapsed() < BLOCKED, "idle_ms is 0 for a minute")?;
                    t.let_pass(Duration::from_millis(20))?;
                }
            }),
        must("an-expired-lease-lets-another-client-open-a-session", &["SES-6", "SES-9"])
            .sends("`hello` with a `lease_ms` of 1,000 and silence; `hello` of another client after 0.5 s and, without `take`, after 1.1 s; `ping` of the first")
            .passes("BUSY, OK and NO_SESSION.")
            .run(|t| {
                let mut other = t.another_client()?;
                let before = Instant::now();
                let lease = Duration::from_millis(short_lease(t)?);
                let after = Instant::now();
                t.let_pass(lease / 2)?;
                other.draw_session_id();
                let early = other.call(other.hello_request())?;
                // If the suite slept too long, the first half cannot be judged.
                if before.elapsed() < lease {
                    t.code("hello after half the lease", &early, BUSY)?;
                }
                if early.code == BUSY {
                    t.let_pass((lease + COARSE * 2).saturating_sub(after.elapsed()))?;
                    let reply = greet(&mut other, OK)?;
                    other.opened(&reply)?;
                }
                t.expect(ping(), NO_SESSION)?;
                other.close()
            }),
        must("an-expired-lease-does-not-end-the-session", &["SES-15", "SES-13", "SEQ-3"])
            .sends("`hello` with a `lease_ms` of 1,000, a request, 1.1 s of silence, that request again, the next one, and `hello` of another client")
            .passes("the remembered reply, OK, and BUSY.")
            .run(|t| {
                let lease = Duration::from_millis(short_lease(t)?);
                let path = t.path("d");
                let first = t.expect_ok(mkdir(&path))?;
                t.let_pass(lease + COARSE * 2)?;
                expect_remembered(t, &first)?;
                t.expect_ok(stat(&path))?;
                let mut other = t.another_client()?;
                greet(&mut other, BUSY).map(drop)
            }),
        must("a-takeover-starts-a-lease-of-its-own", &["SES-12", "SES-14"])
            .sends("75 ms of silence, a takeover without `lease_ms`, and `hello` of a third client")
            .passes("BUSY with the server's own lease, and an `idle_ms` that is no longer than the time since.")
            .run(|t| {
                let own = t.open()?.lease_ms;
                short_lease(t)?;
                t.let_pass(SILENCE)?;
                let before = Instant::now();
                let mut second = take_over(t)?;
                let busy = greet(&mut t.another_client()?, BUSY)?;
                let most = before.elapsed() + COARSE;
                t.equal("lease_ms", busy.uint("lease_ms")?, own)?;
                let idle = Duration::from_millis(busy.uint("idle_ms")?);
                t.check(idle <= most, format!("idle_ms is {} after a takeover", idle.as_millis()))?;
                second.close()
            }),
    ]
}

const RENEWING: &[Sending] = &[
    ("ping", |t| t.expect_ok(ping()).map(drop)),
    ("hello of the holder", |t| t.client.expect_ok(t.hello_request()).map(drop)),
    ("a request that is answered OK", |t| t.client.expect_ok(stat(t.directory())).map(drop)),
    ("a request that is refused", |t| t.client.expect(stat(&t.path("nothing")), NOT_FOUND).map(drop)),
    ("a request with an unknown operation", |t| t.expect(request("frobnicate"), BAD_OP).map(drop)),
    ("a request that is sent again", |t| {
        let last = t.next - 1;
        t.resend(last)?;
        t.first_reply(last).map(drop)
    }),
    ("a request that is answered SEQ", |t| numbered(t, t.next + 5, SEQ)),
    ("a request that is answered SEQ_REUSED", |t| numbered(t, t.next - 1, SEQ_REUSED)),
    ("ping with an argument", |t| t.expect(ping().arg("x", true), BAD_ARGS).map(drop)),
];

const BAD_MESSAGES: &[Sending] = &[
    ("a ping with a byte after it", |t| {
        let mut header = ping().frames(t.session, 0).remove(0);
        header.push(0);
        t.client.send_raw(&[header], Some((t.session, 0)))?;
        t.expect_reply(0, BAD_MESSAGE).map(drop)
    }),
    ("a put without a payload", |t| {
        t.client.send_as(t.next, &request("put").arg("path", t.path("f")))?;
        t.client.expect_reply(t.next, BAD_MESSAGE).map(drop)
    }),
];

const REFUSED_HELLOS: &[Sending] = &[
    ("a hello with a wrong auth", |t| t.client.expect(t.hello_request().arg("auth", [7; 32]), AUTH).map(drop)),
    ("a hello with an auth of 31 bytes", |t| {
        t.client.expect(t.hello_request().arg("auth", [7; 31]), BAD_ARGS).map(drop)
    }),
];

fn numbered(t: &mut CaseContext, seq: u64, code: Code) -> CaseResult {
    t.send_as(seq, &stat("/"))?;
    t.expect_reply(seq, code).map(drop)
}

/// Opens a session with the shortest lease; returns its milliseconds.
fn short_lease(t: &mut CaseContext) -> CaseResult<u64> {
    Ok(t.open_with(|hello| hello.arg("lease_ms", SHORTEST))?.lease_ms)
}

/// The `idle_ms` of the holder that another client gets.
fn idle(other: &mut Client) -> CaseResult<Duration> {
    Ok(Duration::from_millis(greet(other, BUSY)?.uint("idle_ms")?))
}

fn expect_renewed(
    t: &mut CaseContext,
    other: &mut Client,
    what: &str,
    send: fn(&mut CaseContext) -> CaseResult,
) -> CaseResult {
    t.let_pass(SILENCE)?;
    let before = Instant::now();
    send(t)?;
    let idle = idle(other)?;
    let most = before.elapsed() + COARSE;
    t.check(idle <= most, format!("idle_ms is {} just after {what}", idle.as_millis()))
}

fn expect_not_renewed(t: &mut CaseContext, sendings: &[Sending]) -> CaseResult {
    let mut other = t.another_client()?;
    t.expect_ok(ping())?;
    let after = Instant::now();
    t.let_pass(SILENCE)?;
    for (what, send) in sendings {
        send(t)?;
        let least = after.elapsed().saturating_sub(COARSE);
        let idle = idle(&mut other)?;
        t.check(idle >= least, format!("idle_ms is {} and not {} after {what}", idle.as_millis(), least.as_millis()))?;
    }
    Ok(())
}
