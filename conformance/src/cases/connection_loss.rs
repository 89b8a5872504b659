//! Section 16: requests and replies that are lost with their connection.

use super::{
    long_requests::{await_end_unpolled, start_finite},
    sequence::{expect_remembered, pipelined},
    session::greet,
};
use crate::{
    engine::{
        case::{Case, Need, must, should},
        context::CaseContext,
        error::{CaseError, CaseResult},
    },
    wire::{
        code::{BUSY, OK, PENDING, SEQ},
        connection::Connection,
        reply::Reply,
        request::{Request, append, begin, commit, hash, mkdir, ping, put, read, remove, rename, stat},
        tcp_relay::{FlowDirection, TcpRelay},
    },
};
use std::time::{Duration, Instant};

/// Payload of the appends that are cut: more than a relay passes in one piece.
const PART: usize = 20_000;
/// How many of them.
const PARTS: usize = 12;
/// Bytes of replies to appends, at the least: the header alone has 30, and CURVE adds to it.
const REPLIES: u64 = 30 * PARTS as u64;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = lost_replies();
    cases.extend(lost_requests());
    cases.extend(lost_connections());
    cases
}

fn lost_replies() -> Vec<Case> {
    vec![
        must("a-request-whose-reply-was-lost-is-not-executed-again", &["SEQ-3", "SEQ-2"])
            .sends("`mkdir`; the connection is cut while its reply is in flight; over a new one the `mkdir` again, twice")
            .passes("OK, and the same byte for byte.")
            .run(relayed(|t, relay| {
                let request = mkdir(&t.path("d"));
                let seq = lose_reply(t, relay, &request)?;
                t.send_as(seq, &request)?;
                let reply = t.expect_reply(seq, OK)?;
                expect_remembered(t, &reply)
            })),
        must("a-request-sent-again-before-its-reply-arrives-is-executed-once", &["SEQ-3", "ENV-8"])
            .sends("`mkdir` over a connection that takes 40 ms more each way, and twice again before there is a reply")
            .passes("OK three times, the same byte for byte.")
            .run(relayed(|t, relay| {
                relay.delay(Duration::from_millis(40));
                let request = mkdir(&t.path("d"));
                let seq = t.send(&request)?;
                t.resend(seq)?;
                t.resend(seq)?;
                let first = t.expect_reply(seq, OK)?;
                for _ in 0..2 {
                    let again = t.first_reply(seq)?;
                    // A server may answer an older one of several that wait with PENDING [SEQ-27].
                    if again.code != PENDING {
                        t.equal_bytes("the reply", &again.frames[0], &first.frames[0])?;
                    }
                }
                Ok(())
            })),
        must("removals-and-moves-whose-replies-were-lost-are-not-executed-again", &["SEQ-3", "SEQ-9"])
            .needs(&[Need::Window(3)])
            .sends("pipelined `remove`, `move` onto that name, and `put` under the old name; the connection is cut while the replies are in flight; all three again")
            .passes("OK to each, and both files have the content of the first time.")
            .run(relayed(|t, relay| {
                let (one, two) = (t.file("one", b"one")?, t.file("two", b"two")?);
                let requests = [remove(&one), rename(&two, &one), put(&two, *b"three")];
                let first = t.next;
                relay.hold(FlowDirection::Down);
                let before = relay.bytes_received(FlowDirection::Down);
                requests.iter().try_for_each(|request| t.send(request).map(drop))?;
                relay.await_bytes(FlowDirection::Down, before + 90, deadline(t));
                resend_over_a_new_connection(t, relay, first, &requests)?;
                t.expect_content(&one, b"two")?;
                t.expect_content(&two, b"three")
            })),
        must("a-pipeline-whose-replies-were-cut-continues", &["SEQ-3", "SEQ-9", "ENV-8"])
            .needs(&[Need::Window(PARTS as u64)])
            .sends("`begin`; twelve `append` of 20,000 bytes, pipelined; the connection is cut in the middle of the replies; all of them again; `commit`")
            .passes("OK to each with its own `off`, and the file has each byte once.")
            .run(relayed(|t, relay| pipeline(t, relay, |relay| relay.cut_after(FlowDirection::Down, REPLIES / 2)))),
    ]
}

fn lost_requests() -> Vec<Case> {
    vec![
        must("a-lost-request-is-executed-when-sent-again", &["SEQ-1", "SEQ-5"])
            .sends("`mkdir`, which is lost with its connection; over a new one the request after it, then both")
            .passes("SEQ with the number of the lost one, then OK to both.")
            .run(relayed(|t, relay| {
                let (path, first) = (t.path("d"), t.next);
                relay.discard(FlowDirection::Up);
                let before = relay.bytes_received(FlowDirection::Up);
                t.send(&mkdir(&path))?;
                relay.await_bytes(FlowDirection::Up, before + 30, deadline(t));
                reconnect_through(t, relay)?;
                t.send_as(first + 1, &stat(&path))?;
                let gap = t.expect_reply(first + 1, SEQ)?;
                t.equal("next", gap.uint("next")?, first)?;
                t.send_as(first, &mkdir(&path))?;
                t.expect_reply(first, OK)?;
                t.resend(first + 1)?;
                t.expect_reply(first + 1, OK).map(drop)
            })),
        must("half-a-message-is-not-executed", &["SEQ-1", "ENV-4"])
            .sends("`put` of 60,000 bytes; the connection is cut after 30,000; over a new one the request after it, then the `put` again")
            .passes("SEQ with the number of the `put`, then OK, and the file has all its bytes.")
            .run(relayed(|t, relay| {
                let (path, first, content) = (t.path("f"), t.next, t.bytes(1, 60_000));
                relay.cut_after(FlowDirection::Up, 30_000);
                t.send(&put(&path, content.clone()))?;
                if !relay.await_cut(deadline(t)) {
                    return Err(CaseError::Harness("60,000 bytes did not reach the relay".into()));
                }
                reconnect_through(t, relay)?;
                t.send_as(first + 1, &stat(&path))?;
                let gap = t.expect_reply(first + 1, SEQ)?;
                t.equal("next", gap.uint("next")?, first)?;
                t.send_as(first, &put(&path, content.clone()))?;
                t.expect_reply(first, OK)?;
                t.expect_content(&path, &content)
            })),
        must("a-pipeline-that-was-cut-continues", &["SEQ-3", "SEQ-1", "SEQ-9", "SEQ-5"])
            .needs(&[Need::Window(PARTS as u64)])
            .sends("`begin`; twelve `append` of 20,000 bytes, pipelined; the connection is cut in the middle; all of them again; `commit`")
            .passes("OK to each with its own `off`, and the file has each byte once.")
            .run(relayed(|t, relay| pipeline(t, relay, |relay| relay.cut_after(FlowDirection::Up, (PART * PARTS / 2) as u64)))),
    ]
}

fn lost_connections() -> Vec<Case> {
    vec![
        must("a-cut-does-not-end-the-session", &["SES-15", "SES-6", "SES-7"])
            .sends("a request; the connection is cut; `hello` of another client; over a new connection the request again, `ping`, and the next one")
            .passes("BUSY; the remembered reply, OK and OK.")
            .run(relayed(|t, relay| {
                let request = mkdir(&t.path("d"));
                let first = t.expect_ok(request.clone())?;
                relay.cut();
                greet(&mut t.another_client()?, BUSY)?;
                reconnect_through(t, relay)?;
                t.send_as(first.seq, &request)?;
                let again = t.first_reply(first.seq)?;
                t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])?;
                t.expect_ok(ping())?;
                t.client.expect_ok(stat(&t.path("d"))).map(drop)
            })),
        must("a-cut-keeps-uploads-begun", &["APPEND-2", "SES-15"])
            .sends("`begin` and `append`; the connection is cut; over a new one the next `append` and `commit`")
            .passes("OK to each, and the file has all its bytes.")
            .run(relayed(|t, relay| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                t.setup(append(up, 0, *b"one"))?;
                relay.cut();
                reconnect_through(t, relay)?;
                t.expect_ok(append(up, 3, *b"two"))?;
                t.expect_ok(commit(up, b"onetwo"))?;
                t.expect_content(&path, b"onetwo")
            })),
        must("a-cut-does-not-cancel-a-running-request", &["SEQ-14", "SEQ-12", "SES-15"])
            .needs(&[Need::Window(2)])
            .sends("`hash` that is answered PENDING; the connection is cut; over a new one no poll, but the next request again and again until it is not SEQ; then the `hash` again")
            .passes("SEQ with the number of the `hash` while it runs, then OK to both.")
            .run(relayed(|t, relay| {
                let (seq, length, _) = start_finite(t)?;
                let request = hash(&t.path("zeros")).arg("len", length);
                relay.cut();
                reconnect_through(t, relay)?;
                await_end_unpolled(t, seq)?;
                t.send_as(seq, &request)?;
                let reply = t.first_reply(seq)?;
                t.code("hash", &reply, OK)?;
                t.equal("the length", reply.uint("len")?, length)
            })),
        should("a-client-that-does-not-read-does-not-block-others", &["SES-10", "LIMIT-5"])
            .sends("many `read` of a client that receives none of the replies; `hello` of another client; then the client receives them")
            .passes("BUSY within a second, and OK to every `read` in the end.")
            .run(relayed(|t, relay| {
                let content = t.bytes(1, 65_536);
                let path = t.file("f", &content)?;
                let count = t.server()?.window.min(64);
                relay.hold(FlowDirection::Down);
                let seqs = (0..count).map(|_| t.client.send(&read(&path, 0, 65_536))).collect::<CaseResult<Vec<u64>>>()?;
                let mut other = t.another_client()?;
                let asked = Instant::now();
                greet(&mut other, BUSY)?;
                let took = asked.elapsed();
                let most = Duration::from_millis(1_500) + t.environment.timeouts.get().round_trip * 4;
                t.check(took <= most, format!("BUSY came after {} ms", took.as_millis()))?;
                relay.pass();
                let replies = t.final_replies(&seqs)?;
                replies.iter().try_for_each(|reply| t.code("read", reply, OK))
            })),
    ]
}

/// Runs a check with a relay between the case's client and the server.
fn relayed(run: impl Fn(&mut CaseContext, &TcpRelay) -> CaseResult) -> impl Fn(&mut CaseContext) -> CaseResult {
    move |t| {
        let relay = TcpRelay::to(&t.environment.target.borrow())?;
        reconnect_through(t, &relay)?;
        // The reply shows that the handshake is finished.
        t.expect_ok(ping()).map_err(|error| error.into_prerequisite("ping through a relay"))?;
        let checked = run(t, &relay);
        t.reconnect()?;
        checked
    }
}

/// Cuts the connection and opens a new one through the relay; messages in flight are lost.
fn reconnect_through(t: &mut CaseContext, relay: &TcpRelay) -> CaseResult {
    relay.cut();
    relay.pass();
    let target = relay.target(&t.environment.target.borrow());
    let connection = Connection::open_monitored(&t.environment.context, &target, t.connection().socket_kind())
        .map_err(|error| CaseError::Harness(format!("cannot open a socket: {error}")))?;
    t.replace_connection(connection);
    Ok(())
}

/// Sends a request whose reply the relay loses; returns the request's number.
fn lose_reply(t: &mut CaseContext, relay: &TcpRelay, request: &Request) -> CaseResult<u64> {
    relay.hold(FlowDirection::Down);
    let before = relay.bytes_received(FlowDirection::Down);
    let seq = t.send(request)?;
    // If the reply is late, the request counts as lost, and the check holds too.
    relay.await_bytes(FlowDirection::Down, before + 30, deadline(t));
    reconnect_through(t, relay)?;
    Ok(seq)
}

fn resend_over_a_new_connection(
    t: &mut CaseContext,
    relay: &TcpRelay,
    first: u64,
    requests: &[Request],
) -> CaseResult<Vec<Reply>> {
    reconnect_through(t, relay)?;
    t.next = first;
    let replies = pipelined(t, requests)?;
    replies.iter().try_for_each(|reply| t.code(&format!("{} {}, sent again", reply.op, reply.seq), reply, OK))?;
    Ok(replies)
}

/// Pipelines appends over a connection that is cut, sends all of them again, and commits.
fn pipeline(t: &mut CaseContext, relay: &TcpRelay, cut: fn(&TcpRelay)) -> CaseResult {
    let (up, path, content) = (t.id(), t.path("f"), t.bytes(1, PART * PARTS));
    t.setup(begin(up, &path))?;
    let offsets = (0..).step_by(PART);
    let requests: Vec<Request> = content.chunks(PART).zip(offsets).map(|(part, off)| append(up, off, part)).collect();
    let first = t.next;
    cut(relay);
    requests.iter().try_for_each(|request| t.send(request).map(drop))?;
    if !relay.await_cut(deadline(t)) {
        return Err(CaseError::Untestable("fewer bytes came than the requests, or their replies, have".into()));
    }
    let replies = resend_over_a_new_connection(t, relay, first, &requests)?;
    for (reply, part) in replies.iter().zip(1..) {
        t.equal("off", reply.uint("off")?, part * PART as u64)?;
    }
    t.expect_ok(commit(up, &content))?;
    let mut off = 0;
    for part in content.chunks(PART * 3) {
        let reply = t.setup(read(&path, off, part.len() as u64))?;
        t.equal_bytes("the content", reply.payload.as_deref().unwrap_or_default(), part)?;
        off += part.len() as u64;
    }
    Ok(())
}

fn deadline(t: &CaseContext) -> Instant {
    Instant::now() + t.environment.timeouts.get().reply
}
