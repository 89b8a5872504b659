//! Section 7.2: operations that take long.

use super::{
    sequence::expect_remembered,
    session::{greet, take_over},
};
use crate::{
    engine::{
        case::{Case, Need, must, should},
        client::Client,
        context::CaseContext,
        environment::LongHash,
        error::{CaseError, CaseResult, failed, not_applicable},
    },
    wire::{
        code::{BUSY, Code, NO_SESSION, NO_SPACE, NOT_FOUND, OK, PENDING, SEQ, SEQ_REUSED, TOO_LARGE},
        reply::Reply,
        request::{Request, bye, hash, mkdir, ping, stat, truncate},
    },
};
use std::time::{Duration, Instant};

/// A length that takes the fastest server a minute to hash.
const ENDLESS: u64 = 1 << 38;
/// The least time between a PENDING and the poll after it [SEQ-22].
const POLL_AFTER: Duration = Duration::from_millis(100);
/// The longest that a server should stay silent [SEQ-10] [SES-10].
const SILENCE: Duration = Duration::from_secs(1);
/// How much the clocks and threads of a busy machine may add.
const SLACK: Duration = Duration::from_millis(500);
/// A server that has not answered PENDING after this time of a `hash` never does.
const LONG: Duration = Duration::from_millis(1_500);
/// The longest time of a server without PENDING for a `hash` with an estimate of [`LONG`].
pub(super) const BLOCKED: Duration = Duration::from_secs(60);

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("pending-is-followed-by-the-reply", &["SEQ-12", "SEQ-14", "SEQ-11", "HASH-1"])
            .sends("`hash` of zeros that take a second or so; polls, 100 ms after each PENDING, until there is a reply; the request again")
            .passes("PENDING with a `done` that never falls and is at most `total`; then OK with the right hash and length; and the same reply again.")
            .run(|t| {
                let (seq, length, first) = start_finite(t)?;
                let reply = follow(t, seq, first)?;
                t.code("hash", &reply, OK)?;
                t.equal("the length", reply.uint("len")?, length)?;
                t.equal_bytes("the hash", reply.bytes("hash")?, &hash_of_zeros(length))?;
                expect_remembered(t, &reply)?;
                t.client.expect_ok(stat(t.directory())).map(drop)
            }),
        must("a-reply-is-remembered-without-a-poll", &["SEQ-14", "SEQ-12"])
            .needs(&[Need::Window(2)])
            .sends("`hash` of zeros that take a second or so; after PENDING no poll, but the next request again and again until it is not SEQ; then the `hash` again")
            .passes("SEQ with the number of the `hash` while it runs, then OK; and OK with the right hash.")
            .run(|t| {
                let (seq, length, _) = start_finite(t)?;
                let wanted = hash_of_zeros(length);
                await_end_unpolled(t, seq)?;
                t.resend(seq)?;
                let reply = t.first_reply(seq)?;
                t.code("hash", &reply, OK)?;
                t.equal_bytes("the hash", reply.bytes("hash")?, &wanted)
            }),
        must("a-pending-number-is-the-next-one", &["SEQ-12", "SEQ-11"])
            .sends("`hash` that is answered PENDING; under its number `mkdir`, and `hash` of another length; `mkdir` under the next two numbers; `ping`")
            .passes("SEQ_REUSED twice, SEQ with the number of the `hash` twice, and OK; nothing was created.")
            .run(|t| {
                let (seq, request) = start_endless(t)?;
                let path = t.path("d");
                for other in [mkdir(&path), request.arg("len", ENDLESS - 1)] {
                    t.send_as(seq, &other)?;
                    let reply = t.first_reply(seq)?;
                    t.code("another request under the number", &reply, SEQ_REUSED)?;
                }
                for ahead in [seq + 1, seq + 2] {
                    t.send_as(ahead, &mkdir(&path))?;
                    let reply = t.first_reply(ahead)?;
                    t.code("a request ahead", &reply, SEQ)?;
                    t.equal("next", reply.uint("next")?, seq)?;
                }
                t.expect_ok(ping())?;
                t.open()?;
                t.expect_absent(&path)
            }),
        must("bye-cancels-a-running-request", &["SEQ-15", "SEQ-27", "SES-17"])
            .sends("`hash` that is answered PENDING; two polls and, after them, `bye`; `hello` of another client, and its first request")
            .passes("a reply to each poll, NO_SESSION where it was held until `bye`; OK to `bye` and to the other client.")
            .run(|t| {
                let (seq, _) = start_endless(t)?;
                poll(t, seq)?;
                poll(t, seq)?;
                t.expect_ok(bye())?;
                // A server that does not hold polls has answered them by now.
                let before = t.take_unasked();
                before.iter().try_for_each(|reply| t.code("a poll", reply, [NO_SESSION, PENDING]))?;
                for _ in before.len()..2 {
                    let reply = t.first_reply(seq)?;
                    t.code("a poll that was held until bye", &reply, NO_SESSION)?;
                }
                let mut other = t.another_client()?;
                let reply = greet(&mut other, OK)?;
                other.opened(&reply)?;
                expect_soon(&mut other, stat(t.directory()), OK)?;
                other.close()
            }),
        must("a-takeover-cancels-a-running-request", &["SEQ-15", "SES-9", "SEQ-27", "SES-25"])
            .sends("`hash` that is answered PENDING, a poll, and `mkdir` after it; a takeover, and its first request")
            .passes("NO_SESSION to the poll (or PENDING, if it was not held so long), SEQ or NO_SESSION to the request after it; OK to the others, and nothing was created.")
            .run(|t| {
                let (seq, _) = start_endless(t)?;
                let path = t.path("d");
                poll(t, seq)?;
                t.send_as(seq + 1, &mkdir(&path))?;
                t.expect_ok(ping())?;
                let mut other = take_over(t)?;
                expect_soon(&mut other, stat(&path), NOT_FOUND)?;
                let reply = t.first_reply(seq)?;
                t.code("the poll", &reply, [NO_SESSION, PENDING])?;
                let later = t.first_reply(seq + 1)?;
                t.code("the request after", &later, [SEQ, NO_SESSION])?;
                other.close()
            }),
        must("requests-queued-after-a-long-request-are-not-refused-before-it", &["SEQ-26", "SES-25", "SEQ-9"])
            .needs(&[Need::Window(3)])
            .sends("pipelined a `hash` that takes long and two `mkdir` after it; after its PENDING a takeover")
            .passes("the first reply is that PENDING; the others are answered SEQ or NO_SESSION, and nothing was created.")
            .run(|t| {
                let request = endless(t)?;
                let (one, two) = (t.path("one"), t.path("two"));
                let seq = t.send(&request)?;
                let later = [t.client.send(&mkdir(&one))?, t.send(&mkdir(&two))?];
                let first = t.first_reply(seq)?;
                t.code("hash", &first, PENDING)?;
                let early = t.take_unasked();
                if let Some(early) = early.first() {
                    return failed(format!("request {} was answered {} before request {seq} was", early.seq, early.code));
                }
                let mut other = take_over(t)?;
                for seq in later {
                    let reply = t.first_reply(seq)?;
                    t.code("a request after the hash", &reply, [SEQ, NO_SESSION])?;
                }
                for path in [&one, &two] {
                    expect_soon(&mut other, stat(path), NOT_FOUND)?;
                }
                other.close()
            }),
        must("the-holder-is-not-idle-while-the-server-works", &["SES-14", "SES-7"])
            .sends("`hello` with a `lease_ms` of 1,000 and a `hash` that takes long; `hello` of another client 1.1 s later")
            .passes("BUSY with `idle_ms` 0.")
            .run(|t| {
                let path = sparse(t)?;
                may_be_pending(t, &path)?;
                t.open_with(|hello| hello.arg("lease_ms", 1_000_u64))?;
                let seq = t.client.send(&hash(&path).arg("len", ENDLESS))?;
                let began = Instant::now();
                let first = t.first_reply(seq)?;
                t.code("hash", &first, PENDING)?;
                t.let_pass(Duration::from_millis(1_100).saturating_sub(began.elapsed()))?;
                let busy = greet(&mut t.another_client()?, BUSY)?;
                t.equal("idle_ms", busy.uint("idle_ms")?, 0)?;
                t.open().map(drop)
            }),
        should("a-long-request-is-answered-within-a-second", &["SEQ-10", "SEQ-13", "SES-10"])
            .sends("a `hash` that takes long, a poll after its PENDING, and `hello` of another client meanwhile")
            .passes("PENDING to the `hash`, BUSY and PENDING within a second each, and the poll is held for a while.")
            .run(|t| {
                let request = endless(t);
                let most = SILENCE + SLACK + t.environment.timeouts.get().round_trip * 2;
                if let Some(LongHash::Silent(silent)) = t.environment.long_hash.get()
                    && silent > most
                {
                    return failed(format!("nothing came for {} ms, and then the hash", silent.as_millis()));
                }
                let request = request?;
                let mut other = t.another_client()?;
                let asked = Instant::now();
                let seq = t.send(&request)?;
                let first = t.first_reply(seq)?;
                t.code("hash", &first, PENDING)?;
                t.check(asked.elapsed() <= most, format!("PENDING came after {} ms", asked.elapsed().as_millis()))?;
                t.receive_until(Instant::now() + POLL_AFTER)?;
                let polled = Instant::now();
                t.resend(seq)?;
                greet(&mut other, BUSY)?;
                t.check(polled.elapsed() <= most, format!("BUSY came after {} ms", polled.elapsed().as_millis()))?;
                let reply = t.first_reply(seq)?;
                let held = polled.elapsed();
                t.code("the poll", &reply, PENDING)?;
                t.check(held <= most, format!("the poll was answered after {} ms", held.as_millis()))?;
                t.check(held >= SILENCE / 4, format!("the poll was held for {} ms", held.as_millis()))?;
                t.open().map(drop)
            }),
    ]
}

/// A file of [`ENDLESS`] zeros that occupy nothing.
pub(super) fn sparse(t: &mut CaseContext) -> CaseResult<String> {
    let path = t.file("zeros", b"")?;
    let reply = t.call(truncate(&path, ENDLESS))?;
    match reply.code {
        OK => Ok(path),
        NO_SPACE | TOO_LARGE => {
            not_applicable(format!("truncate to {ENDLESS} bytes is {}: no hash takes long", reply.code))
        }
        code => Err(CaseError::Untestable(format!("truncate to {ENDLESS} bytes was answered {code}"))),
    }
}

/// Finds out, once in a run, for how many bytes a `hash` is answered PENDING; not applicable if for none.
///
/// The length grows from one that every server hashes at once, so that a server that answers nothing while it works is
/// not blocked for long.
pub(super) fn may_be_pending(t: &mut CaseContext, path: &str) -> CaseResult<u64> {
    let mut length = 1_u64 << 20;
    while t.environment.long_hash.get().is_none() {
        let began = Instant::now();
        let seq = t.client.send(&hash(path).arg("len", length))?;
        let session = t.session;
        let reply = t.reply_until(session, seq, began + BLOCKED)?;
        let Some(reply) = reply else {
            return Err(CaseError::Silent(format!(
                "no answer to a hash of {length} bytes within {} s",
                BLOCKED.as_secs()
            )));
        };
        let took = began.elapsed();
        match reply.code {
            PENDING => {
                t.environment.long_hash.set(Some(LongHash::Pending(length)));
                // Its end does not matter, and the next request opens a new session.
                t.open()?;
            }
            OK if took >= LONG || length >= ENDLESS => t.environment.long_hash.set(Some(LongHash::Silent(took))),
            OK => length = grown(length, took),
            code => return Err(CaseError::Untestable(format!("hash of {length} zeros was answered {code}"))),
        }
    }
    match t.environment.long_hash.get() {
        Some(LongHash::Pending(length)) => Ok(length),
        Some(LongHash::Silent(_)) | None => not_applicable("no hash is answered PENDING, however long it takes"),
    }
}

/// The next length to try: towards 700 ms of work, where servers answer PENDING, and at most eight times longer.
fn grown(length: u64, took: Duration) -> u64 {
    let towards = Duration::from_millis(700).as_micros() / took.as_micros().max(1);
    length.saturating_mul(u64::try_from(towards.clamp(2, 8)).unwrap_or(8)).min(ENDLESS)
}

/// A `hash` that does not end while a case runs.
fn endless(t: &mut CaseContext) -> CaseResult<Request> {
    let path = sparse(t)?;
    may_be_pending(t, &path)?;
    Ok(hash(&path).arg("len", ENDLESS))
}

/// Sends a `hash` that does not end while a case runs, and awaits its first PENDING.
pub(super) fn start_endless(t: &mut CaseContext) -> CaseResult<(u64, Request)> {
    let request = endless(t)?;
    let seq = t.send(&request)?;
    let first = t.first_reply(seq)?;
    t.code("a hash that takes long", &first, PENDING).map_err(|error| error.into_prerequisite("PENDING"))?;
    Ok((seq, request))
}

/// Sends a `hash` of the bytes that are just enough for PENDING, and awaits that; returns number, length and reply.
pub(super) fn start_finite(t: &mut CaseContext) -> CaseResult<(u64, u64, Reply)> {
    let path = sparse(t)?;
    let mut length = may_be_pending(t, &path)?;
    // What was long enough on a busy machine may be too short on an idle one.
    for _ in 0..4 {
        let seq = t.client.send(&hash(&path).arg("len", length))?;
        let first = t.first_reply(seq)?;
        if first.code == PENDING {
            return Ok((seq, length, first));
        }
        t.code("hash", &first, OK)?;
        length = (length * 2).min(ENDLESS);
    }
    not_applicable(format!("a hash of {length} bytes is answered without PENDING"))
}

/// Polls a PENDING request, no earlier than a client may.
pub(super) fn poll(t: &mut CaseContext, seq: u64) -> CaseResult {
    t.receive_until(Instant::now() + POLL_AFTER)?;
    t.resend(seq)
}

/// Waits for the end of a request that was answered PENDING, without a poll: a request after it is sent again and
/// again until it is not answered SEQ.
pub(super) fn await_end_unpolled(t: &mut CaseContext, seq: u64) -> CaseResult {
    let later = stat(t.directory());
    let deadline = Instant::now() + BLOCKED.min(t.environment.timeouts.get().reply * 10);
    t.next = seq + 2;
    loop {
        t.send_as(seq + 1, &later)?;
        let reply = t.first_reply(seq + 1)?;
        if reply.code == PENDING {
            poll(t, seq + 1)?;
            return t.expect_reply(seq + 1, OK).map(drop);
        }
        if reply.code == OK {
            return Ok(());
        }
        t.code("a request after the one that runs", &reply, SEQ)?;
        t.equal("next", reply.uint("next")?, seq)?;
        t.check(Instant::now() < deadline, format!("request {seq}, which is not polled, does not end"))?;
        t.receive_until(Instant::now() + POLL_AFTER)?;
    }
}

/// Polls until the reply and checks the progress.
pub(super) fn follow(t: &mut CaseContext, seq: u64, first: Reply) -> CaseResult<Reply> {
    let mut reply = first;
    let mut before = 0;
    let deadline = Instant::now() + BLOCKED.min(t.environment.timeouts.get().reply * 10);
    while reply.code == PENDING {
        t.check(Instant::now() < deadline, format!("request {seq} does not end however often it is polled"))?;
        let number = |key: &str| reply.result.member(key).and_then(crate::wire::cbor::Value::uint);
        if let Some(done) = number("done") {
            t.check(done >= before, format!("done fell from {before} to {done}"))?;
            before = done;
            let total = number("total").unwrap_or(u64::MAX);
            t.check(done <= total, format!("done is {done} of a total of {total}"))?;
        }
        poll(t, seq)?;
        reply = t.first_reply(seq)?;
    }
    Ok(reply)
}

/// Checks that a request of a new session is answered promptly: a request that runs for another session does not block it [SES-9].
fn expect_soon(client: &mut Client, request: Request, code: Code) -> CaseResult {
    let (asked, most) = (Instant::now(), client.environment.timeouts.get().reply);
    let seq = client.send(&request)?;
    let mut reply = client.first_reply(seq)?;
    while reply.code == PENDING && asked.elapsed() < most {
        client.receive_until(Instant::now() + POLL_AFTER)?;
        client.resend(seq)?;
        reply = client.first_reply(seq)?;
    }
    if reply.code == code {
        return Ok(());
    }
    failed(format!(
        "the first request of a new session was answered {} after {} ms",
        reply.code,
        asked.elapsed().as_millis()
    ))
}

/// The BLAKE3 hash of `length` zeros.
fn hash_of_zeros(length: u64) -> [u8; 32] {
    let zeros = vec![0; 1 << 18];
    let mut hasher = blake3::Hasher::new();
    let mut left = length;
    while left > 0 {
        let part = left.min(zeros.len() as u64);
        hasher.update(&zeros[..usize::try_from(part).unwrap_or(zeros.len())]);
        left -= part;
    }
    *hasher.finalize().as_bytes()
}
