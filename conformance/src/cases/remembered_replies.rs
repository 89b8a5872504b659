//! Section 7.1: replies that are remembered, and what is executed once.

use super::sequence::{expect_remembered, pipelined};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{NOT_FOUND, OK, SEQ, SEQ_REUSED},
        request::{
            Request, abort, append, begin, commit, copy, flush, hash, list, mkdir, put, read, remove, rename, request,
            stat, touch, truncate, uploads, write,
        },
    },
};

/// A request that is sent again, and how to see whether it was executed again.
struct Resent {
    op: &'static str,
    /// The step before it is sent again, and the check after it, in words.
    between: &'static str,
    /// The setup, and the request.
    first: fn(&mut CaseContext) -> CaseResult<Request>,
    /// The step before it is sent again.
    then: fn(&mut CaseContext) -> CaseResult,
    /// The check after it.
    finally: fn(&mut CaseContext) -> CaseResult,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = RESENT.iter().map(resent).collect();
    cases.extend(recomputed());
    cases.extend(reused());
    cases.extend(window());
    cases
}

fn resent(row: &'static Resent) -> Case {
    must(&format!("{}-sent-again-is-not-executed-again", row.op), &["SEQ-3", "SEQ-2"])
        .sends(format!("`{}`; {} (where the window has room for that)", row.op, row.between))
        .passes("the identical reply each time; the changes made in between stay.")
        .run(|t| {
            let request = (row.first)(t)?;
            let reply = t.expect_ok(request)?;
            expect_remembered(t, &reply)?;
            // The requests in between displace the reply from a small window.
            if t.server()?.window < 4 {
                return expect_remembered(t, &reply);
            }
            (row.then)(t)?;
            expect_remembered(t, &reply)?;
            expect_remembered(t, &reply)?;
            (row.finally)(t)
        })
}

const RESENT: &[Resent] = &[
    Resent {
        op: "mkdir",
        between: "again, `remove`, and again twice",
        first: |t| Ok(mkdir(&t.path("d"))),
        then: |t| t.client.setup(remove(&t.path("d"))).map(drop),
        finally: |t| t.expect_absent(&t.path("d")),
    },
    Resent {
        op: "put",
        between: "again, another `put` over it, and again twice",
        first: |t| Ok(put(&t.path("f"), *b"old").arg("pre", "any")),
        then: |t| t.client.setup(put(&t.path("f"), *b"new").arg("pre", "any")).map(drop),
        finally: |t| t.expect_content(&t.path("f"), b"new"),
    },
    Resent {
        op: "write",
        between: "again, another `write` at the same place, and again twice",
        first: |t| Ok(write(&t.file("f", b"....")?, 1, *b"old")),
        then: |t| t.client.setup(write(&t.path("f"), 1, *b"new")).map(drop),
        finally: |t| t.expect_content(&t.path("f"), b".new"),
    },
    Resent {
        op: "truncate",
        between: "again, `truncate` to another size, and again twice",
        first: |t| Ok(truncate(&t.file("f", b"....")?, 2)),
        then: |t| t.client.setup(truncate(&t.path("f"), 3)).map(drop),
        finally: |t| t.expect_content(&t.path("f"), b"..\0"),
    },
    Resent {
        op: "touch",
        between: "again, `touch` with another time, and again twice",
        first: |t| Ok(touch(&t.file("f", b"")?, 1_000_000_000_000_000_000)),
        then: |t| t.client.setup(touch(&t.path("f"), 1_200_000_000_000_000_000)).map(drop),
        finally: |t| {
            let mtime = t.client.setup(stat(&t.path("f")))?.entry()?.mtime_ns()?;
            t.equal("the time", mtime, 1_200_000_000_000_000_000)
        },
    },
    Resent {
        op: "remove",
        between: "again, `put` under the same name, and again twice",
        first: |t| Ok(remove(&t.file("f", b"old")?)),
        then: |t| t.file("f", b"new").map(drop),
        finally: |t| t.expect_content(&t.path("f"), b"new"),
    },
    Resent {
        op: "move",
        between: "again, `put` under the old name, and again twice",
        first: |t| Ok(rename(&t.file("from", b"old")?, &t.path("to")).arg("pre", "any")),
        then: |t| t.file("from", b"new").map(drop),
        finally: |t| t.expect_content(&t.path("from"), b"new"),
    },
    Resent {
        op: "copy",
        between: "again, `remove` of the copy, and again twice",
        first: |t| Ok(copy(&t.file("from", b"content")?, &t.path("to"))),
        then: |t| t.client.setup(remove(&t.path("to"))).map(drop),
        finally: |t| t.expect_absent(&t.path("to")),
    },
    Resent {
        op: "begin",
        between: "again, `begin` of the same id for another path and `append`, and again twice",
        first: |t| Ok(begin(up(t), &t.path("f"))),
        then: |t| {
            t.client.setup(begin(up(t), &t.path("g")))?;
            t.client.setup(append(up(t), 0, *b"content")).map(drop)
        },
        finally: |t| {
            t.client.expect_ok(commit(up(t), b"content")).and_then(|_| t.expect_content(&t.path("g"), b"content"))
        },
    },
    Resent {
        op: "append",
        between: "again, another `append`, and again twice",
        first: |t| {
            t.client.setup(begin(up(t), &t.path("f")))?;
            Ok(append(up(t), 0, *b"one"))
        },
        then: |t| t.client.setup(append(up(t), 3, *b"two")).map(drop),
        finally: |t| {
            t.client.expect_ok(commit(up(t), b"onetwo"))?;
            t.expect_content(&t.path("f"), b"onetwo")
        },
    },
    Resent {
        op: "commit",
        between: "again, `remove` of the file, and again twice",
        first: |t| {
            t.client.setup(begin(up(t), &t.path("f")))?;
            Ok(commit(up(t), b""))
        },
        then: |t| t.client.setup(remove(&t.path("f"))).map(drop),
        finally: |t| t.expect_absent(&t.path("f")),
    },
    Resent {
        op: "abort",
        between: "again, `begin` and `append` under the same id, and again twice",
        first: |t| Ok(abort(up(t))),
        then: |t| {
            t.client.setup(begin(up(t), &t.path("f")))?;
            t.client.setup(append(up(t), 0, *b"content")).map(drop)
        },
        finally: |t| t.client.expect_ok(commit(up(t), b"content")).map(drop),
    },
    Resent {
        op: "stat",
        between: "again, a `write` that makes the file longer, and again twice",
        first: |t| Ok(stat(&t.file("f", b"....")?)),
        then: |t| t.client.setup(write(&t.path("f"), 4, *b"longer")).map(drop),
        finally: |_| Ok(()),
    },
    Resent {
        op: "hash",
        between: "again, a `write` into the file, and again twice",
        first: |t| Ok(hash(&t.file("f", b"....")?)),
        then: |t| t.client.setup(write(&t.path("f"), 0, *b"other")).map(drop),
        finally: |_| Ok(()),
    },
    Resent {
        op: "flush",
        between: "again, `mkdir`, and again twice",
        first: |_| Ok(flush()),
        then: |t| t.client.setup(mkdir(&t.path("d"))).map(drop),
        finally: |_| Ok(()),
    },
];

fn recomputed() -> Vec<Case> {
    vec![
        must("a-refused-request-sent-again-gets-the-same-reply", &["SEQ-3", "SEQ-6"])
            .needs(&[Need::Window(2)])
            .sends("`stat` of nothing; `mkdir` there; the `stat` again")
            .passes("NOT_FOUND both times, the same byte for byte.")
            .run(|t| {
                let path = t.path("d");
                let refused = t.expect(stat(&path), NOT_FOUND)?;
                t.setup(mkdir(&path))?;
                expect_remembered(t, &refused)
            }),
        must("read-list-and-uploads-sent-again-get-the-same-reply", &["SEQ-3", "SEQ-8"])
            .sends("`read`, `list` and `uploads`, and each of them again")
            .passes("OK again, with the same bytes, names and uploads.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                t.client.setup(begin(up(t), &t.path("g")))?;
                let directory = t.directory().to_owned();
                for request in [read(&path, 2, 3), list(&directory), uploads()] {
                    let first = t.expect_ok(request)?;
                    t.resend(first.seq)?;
                    let again = t.expect_reply(first.seq, OK)?;
                    t.equal("the payload", &again.payload, &first.payload)?;
                    t.equal("the keys", again.result.keys(), first.result.keys())?;
                    if first.op == "list" {
                        t.equal("the names", again.names()?, first.names()?)?;
                    }
                }
                t.client.expect_ok(stat(&path)).map(drop)
            }),
        must("the-same-header-with-another-payload-gets-the-remembered-reply", &["SEQ-3"])
            .sends(
                "`put`; under the same number the same header with another payload, and with one longer than `chunk`",
            )
            .passes("the same reply byte for byte, and the file has the first payload.")
            .run(|t| {
                let (path, chunk) = (t.path("f"), t.server()?.chunk);
                let first = t.expect_ok(put(&path, *b"first"))?;
                for payload in [b"other".to_vec(), vec![0; usize::try_from(chunk).unwrap_or(65_536) + 1]] {
                    t.send_as(first.seq, &put(&path, payload))?;
                    let again = t.expect_reply(first.seq, OK)?;
                    t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])?;
                }
                t.expect_content(&path, b"first")
            }),
        must("a-reply-is-remembered-for-many-resends", &["SEQ-3", "SEQ-2"])
            .sends("`mkdir`, and twenty times again")
            .passes("the same reply byte for byte.")
            .run(|t| {
                let first = t.client.expect_ok(mkdir(&t.path("d")))?;
                (0..20).try_for_each(|_| expect_remembered(t, &first))
            }),
    ]
}

fn reused() -> Vec<Case> {
    vec![
        must("another-header-under-a-remembered-number-is-refused", &["SEQ-4"])
            .sends("`put`; under the same number `put` of another path, with one more argument, with a `pre`, and another operation; the `put` again")
            .passes("SEQ_REUSED to each, none is executed; then the remembered reply.")
            .run(|t| {
                let (path, other) = (t.path("f"), t.path("g"));
                let first = t.expect_ok(put(&path, *b"first"))?;
                let others = [
                    put(&other, *b"first"),
                    put(&path, *b"first").arg("mtime_ns", 0_i64),
                    put(&path, *b"first").arg("pre", "any"),
                    stat(&path),
                    mkdir(&other),
                    remove(&path),
                ];
                for request in others {
                    t.send_as(first.seq, &request)?;
                    t.expect_reply(first.seq, SEQ_REUSED)?;
                }
                t.send_as(first.seq, &put(&path, *b"first"))?;
                let again = t.first_reply(first.seq)?;
                t.equal_bytes("the remembered reply", &again.frames[0], &first.frames[0])?;
                t.expect_absent(&other)?;
                t.expect_content(&path, b"first")
            }),
        must("reuse-is-checked-before-operation-and-arguments", &["SEQ-4", "CODE-5"])
            .sends("`mkdir`; under the same number an unknown operation, `stat` without a path, `stat` of a name that is not allowed, and `bye`")
            .passes("SEQ_REUSED to each; under the next number the first is BAD_OP.")
            .run(|t| {
                let first = t.client.expect_ok(mkdir(&t.path("d")))?;
                let (unknown, argless) = (request("frobnicate"), request("stat"));
                for request in [&unknown, &argless, &stat("/.."), &crate::wire::request::bye()] {
                    t.send_as(first.seq, request)?;
                    t.expect_reply(first.seq, SEQ_REUSED)?;
                }
                t.expect(unknown, crate::wire::code::BAD_OP).map(drop)
            }),
        must("a-read-under-a-remembered-number-is-reuse", &["SEQ-4", "SEQ-8"])
            .sends("`read`; under the same number `read` of another length, and `stat`")
            .passes("SEQ_REUSED to both.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let first = t.expect_ok(read(&path, 0, 7))?;
                for request in [read(&path, 0, 6), stat(&path)] {
                    t.send_as(first.seq, &request)?;
                    t.expect_reply(first.seq, SEQ_REUSED)?;
                }
                Ok(())
            }),
    ]
}

fn window() -> Vec<Case> {
    vec![
        must("the-last-window-replies-are-remembered", &["SEQ-2", "SEQ-3"])
            .sends("as many `truncate` as the window, each to another size; the first of them, the middle one and the last again")
            .passes("the remembered reply to each, identical, and the file keeps its last size.")
            .run(|t| {
                let replies = a_window_of_sizes(t, 0)?;
                for index in [0, replies.len() / 2, replies.len() - 1] {
                    expect_remembered(t, &replies[index])?;
                }
                let size = t.client.setup(stat(&t.path("f")))?.entry()?.size()?;
                t.equal("the size", size, replies.len() as u64)
            }),
        must("a-number-older-than-the-window-is-not-executed", &["SEQ-5", "SEQ-2"])
            .sends("one `truncate` more than the window; the first of them again, and another request under its number")
            .passes("SEQ with `next`, or else the reply that is still remembered and SEQ_REUSED; the file keeps its last size.")
            .run(|t| {
                let replies = a_window_of_sizes(t, 1)?;
                let (oldest, next) = (&replies[0], t.next);
                t.resend(oldest.seq)?;
                let again = t.expect_reply(oldest.seq, [SEQ, OK])?;
                if again.code == SEQ {
                    t.equal("next", again.uint("next")?, next)?;
                } else {
                    t.equal_bytes("the remembered reply", &again.frames[0], &oldest.frames[0])?;
                }
                t.client.send_as(oldest.seq, &mkdir(&t.path("d")))?;
                t.expect_reply(oldest.seq, [SEQ, SEQ_REUSED])?;
                let size = t.client.setup(stat(&t.path("f")))?.entry()?.size()?;
                t.equal("the size", size, replies.len() as u64)?;
                t.expect_absent(&t.path("d"))
            }),
    ]
}

/// `truncate` to 1, 2, 3 … bytes: a pipelined window and `more` requests; returns the replies.
fn a_window_of_sizes(t: &mut CaseContext, more: u64) -> CaseResult<Vec<crate::wire::reply::Reply>> {
    let path = t.file("f", b"")?;
    let window = t.server()?.window;
    let requests: Vec<Request> = (1..=window).map(|size| truncate(&path, size)).collect();
    let mut replies = pipelined(t, &requests)?;
    for size in window + 1..=window + more {
        replies.push(t.call(truncate(&path, size))?);
    }
    replies
        .iter()
        .try_for_each(|reply| t.code("truncate", reply, OK))
        .map_err(|error| error.into_prerequisite("truncate"))?;
    Ok(replies)
}

/// The id of the case's upload, the same on every call.
fn up(t: &CaseContext) -> [u8; 16] {
    let mut up = [0; 16];
    up.copy_from_slice(&t.bytes(0, 16));
    up
}
