//! Requests with an invalid envelope: BAD_MESSAGE and its fields.

use crate::{
    cases::support::messages::{Seq, expect_corruption_refused, refused, with_another_session},
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        cbor::{Value, encode, head},
        code::{BAD_OP, NO_SESSION},
        malformed::{Corruption, HeaderParts, long_head},
        request::{Request, append, begin, bye, flush, list, mkdir, ping, put, request, stat, uploads, write},
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = payloads();
    cases.extend(shapes());
    cases.extend(numbers());
    cases.extend(operations());
    cases
}

/// Messages with a missing or extra payload frame.
fn payloads() -> Vec<Case> {
    type RequestMaker = fn(&CaseContext) -> Request;
    let with: [(&str, RequestMaker); 3] = [
        ("put", |t| put(&t.path("new"), *b"content")),
        ("write", |t| write(&t.path("file"), 0, *b"content")),
        ("append", |_| append([7; 16], 0, *b"content")),
    ];
    let mut cases: Vec<Case> = with
        .into_iter()
        .map(|(op, make)| {
            must(&format!("{op}-needs-exactly-one-payload-frame"), &["ENV-4", "ENV-18"])
                .sends(format!("`{op}` with no frame after the header, with two, and with two of which one is empty"))
                .passes("BAD_MESSAGE to each with its number, and nothing has changed; OK with one frame.")
                .run(move |t| {
                    t.file("file", b"before")?;
                    let staged = t.path("staged");
                    t.setup(begin([7; 16], &staged))?;
                    let before = t.snapshot()?;
                    let request = make(t);
                    let whole = request.frames(t.session, t.next);
                    let (header, payload) = (whole[0].clone(), whole[1].clone());
                    let (session, next) = (t.session, t.next);
                    refused(t, std::slice::from_ref(&header), session, next)?;
                    refused(t, &[header.clone(), payload.clone(), payload.clone()], session, next)?;
                    refused(t, &[header.clone(), payload, vec![]], session, next)?;
                    refused(t, &[header, vec![], vec![]], session, next)?;
                    t.expect_unchanged(&before)?;
                    let request = make(t);
                    t.control(request).map(drop)
                })
        })
        .collect();
    let without: [(&str, RequestMaker); 4] = [
        ("stat", |_| stat("/")),
        ("mkdir", |t| mkdir(&t.path("new"))),
        ("list", |t| list(t.directory())),
        ("uploads", |_| uploads()),
    ];
    cases.extend(without.into_iter().map(|(op, make)| {
        must(&format!("{op}-takes-no-payload-frame"), &["ENV-5", "ENV-18"])
            .sends(format!("`{op}` with a frame after the header, and with an empty one"))
            .passes("BAD_MESSAGE to each with its number, and nothing has changed; OK without the frame.")
            .run(move |t| {
                let before = t.snapshot()?;
                let request = make(t);
                let header = request.frames(t.session, t.next).remove(0);
                let (session, next) = (t.session, t.next);
                refused(t, &[header.clone(), b"payload".to_vec()], session, next)?;
                refused(t, &[header, vec![]], session, next)?;
                t.expect_unchanged(&before)?;
                t.control(request).map(drop)
            })
    }));
    cases.push(
        must("hello-ping-and-bye-take-no-payload-frame", &["ENV-5", "ENV-18"])
            .without_directory()
            .sends("`hello`, `ping` and `bye` of the session with an empty frame after the header")
            .passes("BAD_MESSAGE to each with seq 0, and the session is not ended; OK without the frame.")
            .run(|t| {
                let session = t.session;
                for request in [t.hello_request(), ping(), bye()] {
                    let header = request.frames(session, 0).remove(0);
                    refused(t, &[header, vec![]], session, 0)?;
                }
                t.control(ping())?;
                let hello = t.hello_request();
                t.control(hello)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases
}

/// Headers that are not an array of the five items.
fn shapes() -> Vec<Case> {
    let cases: [(&str, &str, Seq, Corruption); 10] = [
        ("without-args", "nothing after the operation", Seq::Own, |p| p.args = vec![]),
        ("with-a-sixth-item", "a sixth item after the args", Seq::Own, |p| p.trailing = vec![0xa0]),
        ("with-an-operation-of-bytes", "the operation as a byte string", Seq::Own, |p| {
            p.op = encode(&b"stat"[..].into());
        }),
        ("with-an-operation-of-true", "`true` as the operation", Seq::Own, |p| p.op = encode(&true.into())),
        ("with-an-array-as-operation", "an array with the operation in it", Seq::Own, |p| {
            p.op = encode(&Value::Array(vec!["stat".into()]));
        }),
        ("with-args-of-an-array", "an array as args", Seq::Own, |p| {
            p.args = encode(&Value::Array(vec!["path".into(), "/".into()]));
        }),
        ("with-args-of-text", "a path as args", Seq::Own, |p| p.args = encode(&"/".into())),
        ("with-args-of-0", "0 as args", Seq::Own, |p| p.args = head(0, 0)),
        ("with-args-of-false", "`false` as args", Seq::Own, |p| p.args = encode(&false.into())),
        ("with-args-and-operation-exchanged", "args and operation in each other's place", Seq::Own, |p| {
            std::mem::swap(&mut p.args, &mut p.op);
        }),
    ];
    cases.into_iter().map(|(name, words, seq, corrupt)| bad(name, &["ENV-10", "ENV-18"], words, seq, corrupt)).collect()
}

/// Numbers that BAD_MESSAGE cannot repeat, and some that it must.
fn numbers() -> Vec<Case> {
    let zero: [(&str, &[&str], &str, Corruption); 10] = [
        ("with-a-negative-number", &["ENV-10", "ENV-18"], "the number −1", |p| p.seq = head(1, 0)),
        ("with-a-number-of-text", &["ENV-10", "ENV-18"], "the number as a text string", |p| {
            p.seq = encode(&"1".into())
        }),
        ("with-a-number-of-bytes", &["ENV-10", "ENV-18"], "the number as a byte string", |p| p.seq = vec![0x41, 1]),
        ("with-a-number-of-true", &["ENV-10", "ENV-18"], "`true` as the number", |p| p.seq = vec![0xf5]),
        ("with-a-number-of-half-precision", &["CBOR-1", "ENV-18"], "the number 1.0", |p| p.seq = vec![0xf9, 0x3c, 0]),
        ("with-a-number-in-a-tag", &["CBOR-1", "ENV-18"], "the number in a tag", |p| p.seq = vec![0xc1, 1]),
        ("with-the-number-2-to-the-63", &["CBOR-2", "ENV-18"], "the number 2^63", |p| p.seq = head(0, 1 << 63)),
        ("with-the-number-2-to-the-64-less-1", &["CBOR-2", "ENV-18"], "the number 2^64−1", |p| {
            p.seq = head(0, u64::MAX);
        }),
        ("with-a-number-in-two-bytes", &["CBOR-3", "ENV-18"], "its number in two bytes instead of one", |p| {
            p.seq = [&[0x18], &p.seq[..]].concat();
        }),
        ("with-a-number-in-nine-bytes", &["CBOR-3", "ENV-18"], "its number in nine bytes instead of one", |p| {
            p.seq = long_head(0, u64::from(p.seq[0]), 8);
        }),
    ];
    let mut cases: Vec<Case> =
        zero.into_iter().map(|(name, checks, words, corrupt)| bad(name, checks, words, Seq::Zero, corrupt)).collect();
    cases.push(
        must("a-reply-with-a-number-that-is-not-shortest-is-bad-message", &["ENV-17", "ENV-15", "ENV-18"])
            .without_directory()
            .sends("What would be a reply, were its number in its shortest form")
            .passes("BAD_MESSAGE with its session and seq 0: it is handled as a request.")
            .run(|t| {
                expect_corruption_refused(t, Seq::Zero, |p| {
                    p.seq = long_head(0, 1, 2);
                    p.op = head(0, 0);
                })
            }),
    );
    for (name, number) in [("of-one-byte", 255), ("of-two-bytes", 65_535), ("of-63-bits", i64::MAX as u64)] {
        cases.push(
            must(&format!("bad-message-repeats-a-number-{name}"), &["ENV-18"])
                .without_directory()
                .sends(format!("A `stat` with number {number} and a byte after its header"))
                .passes("BAD_MESSAGE with that session and number.")
                .run(move |t| {
                    let session = t.session;
                    let mut parts = HeaderParts::of(&stat("/"), session, number);
                    parts.trailing = vec![0];
                    refused(t, &parts.frames(), session, number)?;
                    t.expect_ok(stat("/")).map(drop)
                }),
        );
    }
    cases.push(
        must("bad-message-repeats-the-id-of-a-client-without-a-session", &["ENV-18", "CODE-5", "ENV-12"])
            .without_directory()
            .sends("From an id without a session: a `stat` with number 5, correct, and with a byte after it")
            .passes("NO_SESSION, and BAD_MESSAGE with that session and number.")
            .run(|t| {
                with_another_session(t, |t| {
                    t.next = 5;
                    t.expect(stat("/"), NO_SESSION).map_err(|error| error.into_prerequisite("the control"))?;
                    let session = t.session;
                    let mut parts = HeaderParts::of(&stat("/"), session, 5);
                    parts.trailing = vec![0];
                    refused(t, &parts.frames(), session, 5)
                })?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases
}

/// Unknown operations.
fn operations() -> Vec<Case> {
    let names: [(&str, &str); 6] = [
        ("an-unknown-operation", "nonsense"),
        ("an-operation-in-capitals", "STAT"),
        ("an-empty-operation", ""),
        ("an-operation-with-a-space", "stat "),
        ("an-operation-of-a-thousand-letters", "stat-and-more"),
        ("an-operation-that-is-not-ascii", "ſtat"),
    ];
    let mut cases: Vec<Case> = names
        .into_iter()
        .map(|(name, op)| {
            let op = if name.contains("thousand") { "x".repeat(1_000) } else { op.to_owned() };
            must(&format!("{name}-is-bad-op"), &["ENV-20", "SEQ-6"])
                .without_directory()
                .sends(format!("The operation {:?} with the arguments of a `stat`, and with none", excerpt(&op)))
                .passes("BAD_OP to both, each consuming its number.")
                .run(move |t| {
                    t.control(stat("/"))?;
                    t.expect(request(&op).arg("path", "/"), BAD_OP)?;
                    t.expect(request(&op), BAD_OP)?;
                    t.expect_ok(stat("/")).map(drop)
                })
        })
        .collect();
    cases.push(
        must("an-unknown-operation-takes-no-payload-frame", &["ENV-20", "ENV-5", "ENV-18"])
            .without_directory()
            .sends("An unknown operation with one frame, and with two, of which the second is empty or not")
            .passes("BAD_OP with one; BAD_MESSAGE with two, which consumes no number.")
            .run(|t| {
                let unknown = request("nonsense");
                t.expect(unknown.clone(), BAD_OP)?;
                let (session, next) = (t.session, t.next);
                let header = unknown.frames(session, next).remove(0);
                refused(t, &[header.clone(), b"payload".to_vec()], session, next)?;
                refused(t, &[header, vec![]], session, next)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("hello-ping-and-bye-have-no-number", &["ENV-13", "CODE-5"])
            .without_directory()
            .sends("`hello`, `ping` and `bye` of the session with the number that is next")
            .passes("BAD_OP to each, consuming its number; the session is not ended.")
            .run(|t| {
                t.control(ping())?;
                for request in [t.hello_request(), ping(), bye()] {
                    let next = t.next;
                    t.send_as(next, &request)?;
                    t.expect_reply(next, BAD_OP)?;
                    t.next = next + 1;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("every-other-operation-has-a-number", &["ENV-13", "CODE-5"])
            .sends("`stat`, `mkdir`, `put`, `flush` and an unknown operation with seq 0")
            .passes("BAD_OP to each; nothing is created.")
            .run(|t| {
                let before = t.snapshot()?;
                let new = t.path("new");
                for request in [stat("/"), mkdir(&new), put(&new, *b"x"), flush(), request("nonsense")] {
                    t.send_as(0, &request)?;
                    t.expect_reply(0, BAD_OP)?;
                }
                t.expect_unchanged(&before)?;
                t.control(mkdir(&new)).map(drop)
            }),
    );
    cases
}

fn bad(
    name: &str,
    checks: &'static [&'static str],
    words: &str,
    seq: Seq,
    corrupt: impl Fn(&mut HeaderParts) + Send + Sync + 'static,
) -> Case {
    let carried = if seq == Seq::Own { "its number" } else { "seq 0" };
    must(&format!("a-request-{name}-is-bad-message"), checks)
        .without_directory()
        .sends(format!("A `stat` with {words}"))
        .passes(format!("BAD_MESSAGE with its session and {carried}; the number is not consumed."))
        .run(move |t| -> CaseResult { expect_corruption_refused(t, seq, &corrupt) })
}

fn excerpt(op: &str) -> String {
    op.chars().take(20).collect()
}
