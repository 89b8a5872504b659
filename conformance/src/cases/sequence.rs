//! Section 7.1: sequence numbers, and the order of execution.

use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseError, CaseResult},
    },
    wire::{
        code::{BAD_ARGS, BAD_MESSAGE, BAD_OP, EXISTS, NOT_FOUND, OK, PENDING, SEQ, SEQ_REUSED},
        reply::Reply,
        request::{
            Request, append, begin, bye, commit, mkdir, ping, put, read, remove, rename, request, stat, truncate,
        },
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = gaps();
    cases.extend(consumed());
    cases.extend(order());
    cases
}

fn gaps() -> Vec<Case> {
    vec![
        must("a-number-ahead-is-answered-seq-and-not-executed", &["SEQ-5", "SEQ-1"])
            .sends("`mkdir` under the number after the next one; `stat` under the next one; the `mkdir` again")
            .passes("SEQ with `next`; NOT_FOUND; OK: what was answered SEQ is neither executed nor remembered.")
            .run(|t| {
                let (path, next) = (t.path("d"), t.next);
                let request = mkdir(&path);
                t.send_as(next + 1, &request)?;
                let gap = t.expect_reply(next + 1, SEQ)?;
                t.equal("next", gap.uint("next")?, next)?;
                t.expect_absent(&path)?;
                t.expect_ok(request).map(drop)
            }),
        must("every-number-ahead-is-answered-seq", &["SEQ-5", "SEQ-6"])
            .sends("`mkdir` 2, 3, window, window + 1, 2^31, 2^32 − 1, 2^32 and 2^33 numbers ahead, and under 2^63−1; the next request")
            .passes("SEQ with the same `next` each time, and OK.")
            .run(|t| {
                let (path, next, window) = (t.path("d"), t.next, t.server()?.window);
                let ahead = [2, 3, window, window + 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 33];
                for seq in ahead.into_iter().map(|by| next + by).chain([i64::MAX as u64]) {
                    t.send_as(seq, &mkdir(&path))?;
                    let gap = t.expect_reply(seq, SEQ)?;
                    t.equal("next", gap.uint("next")?, next)?;
                }
                t.expect_ok(mkdir(&path)).map(drop)
            }),
        must("requests-out-of-order-are-refused-and-executed-in-order", &["SEQ-5", "SEQ-9", "SEQ-1"])
            .needs(&[Need::Window(3)])
            .sends("pipelined: two `put` into a missing directory, under later numbers; then `mkdir` of it, and both again")
            .passes("SEQ with the same `next` to the first two, then OK to each.")
            .run(|t| {
                let (directory, first) = (t.path("d"), t.next);
                let inside = [put(&t.path("d/one"), *b"1"), put(&t.path("d/two"), *b"2")];
                for (request, seq) in inside.iter().zip(first + 1..) {
                    t.send_as(seq, request)?;
                }
                for seq in [first + 1, first + 2] {
                    let gap = t.expect_reply(seq, SEQ)?;
                    t.equal("next", gap.uint("next")?, first)?;
                }
                let [one, two] = inside;
                let replies = pipelined(t, &[mkdir(&directory), one, two])?;
                replies.iter().try_for_each(|reply| t.code("a request in its turn", reply, OK))
            }),
        must("unknown-operations-and-wrong-arguments-ahead-are-answered-seq", &["SEQ-5", "CODE-5"])
            .sends("an unknown operation, and `stat` without a path, under the number after the next one, and then under the next")
            .passes("SEQ to both; BAD_OP and BAD_ARGS.")
            .run(|t| {
                for (request, code) in [(request("frobnicate"), BAD_OP), (request("stat"), BAD_ARGS)] {
                    let ahead = t.next + 1;
                    t.send_as(ahead, &request)?;
                    t.expect_reply(ahead, SEQ)?;
                    t.expect(request, code)?;
                }
                Ok(())
            }),
    ]
}

fn consumed() -> Vec<Case> {
    vec![
        must("refusals-consume-their-numbers-and-are-remembered", &["SEQ-6", "SEQ-3", "SEQ-2"])
            .sends("requests that are BAD_OP, BAD_ARGS, TOO_LARGE, LIMIT, BAD_NAME, LOOP, DENIED, NO_UPLOAD, NOT_FOUND, EXISTS and NOT_DIR; each again; `bye` and `hello` under a number")
            .passes("each has its own number, and sent again the same reply byte for byte.")
            .run(|t| {
                let directory = t.directory().to_owned();
                let (file, chunk) = (t.file("f", b"content")?, t.server()?.chunk);
                let refused = [
                    request("frobnicate"),
                    request("stat"),
                    bye(),
                    t.hello_request(),
                    read(&file, 0, chunk + 1),
                    stat(&format!("/{}", "a/".repeat(2_049))),
                    stat("no-slash"),
                    rename(&file, &format!("{file}/below")),
                    remove("/"),
                    append(t.id(), 0, *b"x"),
                    stat(&t.path("nothing")),
                    mkdir(&directory),
                    stat(&t.path("f/below")),
                ];
                for request in refused {
                    let seq = t.next;
                    t.send_as(seq, &request)?;
                    let first = t.final_reply(seq)?;
                    t.check(first.code.0 >= 20, format!("{} under number {seq} was answered {}", request.op, first.code))?;
                    t.next += 1;
                    expect_remembered(t, &first)?;
                }
                t.expect_ok(stat(&directory)).map(drop)
            }),
        must("a-bad-message-consumes-no-number", &["SEQ-7", "SEQ-6"])
            .sends("under the next number `put` without its payload, then with it, with the same header")
            .passes("BAD_MESSAGE, and OK: it is executed as a new request.")
            .run(|t| {
                let (path, next) = (t.path("f"), t.next);
                t.send_as(next, &request("put").arg("path", path.as_str()))?;
                t.expect_reply(next, BAD_MESSAGE)?;
                t.expect_ok(put(&path, *b"content"))?;
                t.expect_content(&path, b"content")
            }),
        must("a-bad-message-under-a-remembered-number-is-not-a-resend", &["SEQ-7", "CODE-5"])
            .sends("`put`; its header again without the payload; both again")
            .passes("OK, BAD_MESSAGE, and the reply of before.")
            .run(|t| {
                let path = t.path("f");
                let first = t.expect_ok(put(&path, *b"content"))?;
                t.send_as(first.seq, &request("put").arg("path", path.as_str()))?;
                t.expect_reply(first.seq, BAD_MESSAGE)?;
                t.send_as(first.seq, &put(&path, *b"content"))?;
                let again = t.first_reply(first.seq)?;
                t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])
            }),
        must("seq-and-seq-reused-consume-no-number", &["SEQ-6", "SEQ-5", "SEQ-4"])
            .sends("`mkdir`; three others under the same number, and three far ahead; the next request")
            .passes("SEQ_REUSED and SEQ, and OK.")
            .run(|t| {
                let first = t.client.expect_ok(mkdir(&t.path("d")))?;
                for round in 0..3 {
                    let other = mkdir(&t.path(&round.to_string()));
                    t.send_as(first.seq, &other)?;
                    t.expect_reply(first.seq, SEQ_REUSED)?;
                    t.client.send_as(t.client.next + 9, &other)?;
                    t.client.expect_reply(t.client.next + 9, SEQ)?;
                }
                t.equal("the next number", t.next, first.seq + 1)?;
                t.client.expect_ok(stat(&t.path("d"))).map(drop)
            }),
        must("requests-with-number-0-consume-no-number", &["SEQ-6", "SEQ-1"])
            .sends("`ping`, one with an argument, and `hello` again, between numbered requests")
            .passes("the numbers continue.")
            .run(|t| {
                t.expect_ok(ping())?;
                t.expect(ping().arg("x", true), BAD_ARGS)?;
                t.client.expect_ok(t.client.hello_request())?;
                t.client.expect_ok(stat(t.directory())).map(drop)
            }),
    ]
}

fn order() -> Vec<Case> {
    vec![
        must("pipelined-requests-see-the-effects-of-earlier-ones", &["SEQ-9", "SEQ-1"])
            .needs(&[Need::Window(6)])
            .sends("pipelined: `mkdir`, `put` into it, `move` within it, `read`, `remove` of the file and of the directory")
            .passes("OK to each, and the bytes that were put.")
            .run(|t| {
                let (directory, one, two) = (t.path("d"), t.path("d/one"), t.path("d/two"));
                let content = t.bytes(1, 1_000);
                let replies = pipelined(
                    t,
                    &[
                        mkdir(&directory),
                        put(&one, content.clone()),
                        rename(&one, &two),
                        read(&two, 0, 2_000),
                        remove(&two),
                        remove(&directory),
                    ],
                )?;
                replies.iter().try_for_each(|reply| t.code("a request after others", reply, OK))?;
                t.equal_bytes("what was read", replies[3].payload.as_deref().unwrap_or_default(), &content)?;
                t.expect_absent(&directory)
            }),
        must("a-pipelined-window-is-executed-in-order", &["SEQ-9", "SEQ-2", "LIMIT-5"])
            .needs(&[Need::Window(2)])
            .sends("as many requests as `window` allows, pipelined: `mkdir` and `remove` of one path by turns")
            .passes("OK to each.")
            .run(|t| {
                let path = t.path("d");
                let window = usize::try_from(t.server()?.window).unwrap_or(1);
                let turns: Vec<Request> = [mkdir(&path), remove(&path)].into_iter().cycle().take(window / 2 * 2).collect();
                let replies = pipelined(t, &turns)?;
                replies.iter().try_for_each(|reply| t.code(&format!("request {}", reply.seq), reply, OK))?;
                t.expect_absent(&path)
            }),
        must("pipelined-uploads-are-executed-in-order", &["SEQ-9", "APPEND-1"])
            .needs(&[Need::Window(4)])
            .sends("pipelined: `begin`, `append` after `append` of 1,000 bytes up to the window, and `commit`")
            .passes("OK to each, and the file has all the bytes in their order.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let parts = usize::try_from(t.server()?.window).unwrap_or(1).min(60) - 2;
                let content = t.bytes(1, parts * 1_000);
                let mut requests = vec![begin(up, &path)];
                requests.extend(content.chunks(1_000).zip(0..).map(|(part, index)| append(up, index * 1_000, part)));
                requests.push(commit(up, &content));
                let replies = pipelined(t, &requests)?;
                replies.iter().try_for_each(|reply| t.code(&format!("{} {}", reply.op, reply.seq), reply, OK))?;
                t.expect_content(&path, &content)
            }),
        must("a-refusal-does-not-stop-the-requests-after-it", &["SEQ-1", "SEQ-6"])
            .needs(&[Need::Window(5)])
            .sends("pipelined: `mkdir`, the same again, `stat` of nothing, an unknown operation, `stat` of the directory")
            .passes("OK, EXISTS, NOT_FOUND, BAD_OP, OK.")
            .run(|t| {
                let (path, nothing) = (t.path("d"), t.path("nothing"));
                let requests = [mkdir(&path), mkdir(&path), stat(&nothing), request("frobnicate"), stat(&path)];
                let replies = pipelined(t, &requests)?;
                let codes: Vec<_> = replies.iter().map(|reply| reply.code).collect();
                t.equal("the codes", codes, [OK, EXISTS, NOT_FOUND, BAD_OP, OK])
            }),
        must("a-request-pipelined-twice-is-executed-once", &["SEQ-3", "ENV-8"])
            .sends("`mkdir` twice, pipelined, with the same bytes")
            .passes("OK twice, the same byte for byte.")
            .run(|t| {
                let path = t.path("d");
                let seq = t.send(&mkdir(&path))?;
                t.resend(seq)?;
                let mut replies = vec![t.first_reply(seq)?, t.first_reply(seq)?];
                replies.retain(|reply| reply.code != PENDING);
                if replies.is_empty() {
                    t.resend(seq)?;
                    replies.push(t.final_reply(seq)?);
                }
                for reply in &replies {
                    t.code("mkdir, sent twice", reply, OK)?;
                    t.equal_bytes("the reply", &reply.frames[0], &replies[0].frames[0])?;
                }
                t.expect_ok(stat(&path)).map(drop)
            }),
        must("a-window-sent-again-before-it-is-answered-is-executed-once", &["SEQ-3", "SEQ-9", "ENV-8"])
            .needs(&[Need::Window(4)])
            .sends("half a window of `truncate` to sizes 1, 2, 3 …, and all of them again, pipelined")
            .passes("each is answered twice, both times with its own size; at the end the file has the last size.")
            .run(|t| {
                let path = t.file("f", b"")?;
                let count = t.server()?.window / 2;
                let first = t.next;
                for size in 1..=count {
                    t.send(&truncate(&path, size))?;
                }
                (first..first + count).try_for_each(|seq| t.resend(seq))?;
                let once = t.final_replies(&(first..first + count).collect::<Vec<_>>())?;
                for (reply, size) in once.iter().zip(1..) {
                    t.code("truncate", reply, OK)?;
                    t.equal("the size", reply.entry()?.size()?, size)?;
                }
                let twice = t.final_replies(&(first..first + count).collect::<Vec<_>>())?;
                for (again, reply) in twice.iter().zip(&once) {
                    t.equal_bytes("the second reply", &again.frames[0], &reply.frames[0])?;
                }
                let size = t.entry(&path)?.size()?;
                t.equal("the size at the end", size, count)
            }),
    ]
}

/// Sends an answered request again and checks that the reply is identical [SEQ-3].
pub(super) fn expect_remembered(t: &mut CaseContext, first: &Reply) -> CaseResult {
    t.resend(first.seq)?;
    let again = t.first_reply(first.seq)?;
    if again.code != first.code {
        return Err(CaseError::Failed(format!(
            "{} {}, which was answered {}, was answered {} when it came again",
            first.op, first.seq, first.code, again.code
        )));
    }
    t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])
}

/// Sends requests without waiting, and returns their final replies.
pub(super) fn pipelined(t: &mut CaseContext, requests: &[Request]) -> CaseResult<Vec<Reply>> {
    let seqs = requests.iter().map(|request| t.send(request)).collect::<CaseResult<Vec<u64>>>()?;
    t.final_replies(&seqs)
}
