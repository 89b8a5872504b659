//! Messages that are not requests and stay unanswered.

use crate::{
    cases::support::messages::{expect_no_reply, refused, unanswered},
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{failed, not_applicable},
    },
    wire::{
        cbor::{Value, encode, head},
        code::BAD_MESSAGE,
        malformed::{Corruption, HeaderParts, long_head},
        request::stat,
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = frames();
    cases.extend(beginnings());
    cases.extend(replies());
    cases.push(rep_socket());
    cases
}

/// Messages that lack a header.
fn frames() -> Vec<Case> {
    vec![
        must("a-message-without-a-delimiter-is-not-answered", &["ENV-14", "ENV-8"])
            .without_directory()
            .sends("The header of a `stat` alone, without an empty frame, and two of them")
            .passes("No answer, and the number is still to be had.")
            .run(|t| {
                t.control(stat("/"))?;
                let header = stat("/").frames(t.session, t.next).remove(0);
                t.send_whole(std::slice::from_ref(&header))?;
                t.send_whole(&[header.clone(), header])?;
                expect_no_reply(t)
            }),
        must("a-delimiter-alone-is-not-answered", &["ENV-14", "ENV-8"])
            .without_directory()
            .sends("One empty frame; two routing frames and an empty one; a header and an empty frame after it")
            .passes("No answer to any: there is nothing after the delimiter.")
            .run(|t| {
                t.control(stat("/"))?;
                let header = stat("/").frames(t.session, t.next).remove(0);
                t.send_whole(&[vec![]])?;
                t.send_whole(&[b"a".to_vec(), b"b".to_vec(), vec![]])?;
                t.send_whole(&[header, vec![]])?;
                expect_no_reply(t)
            }),
        must("an-empty-header-is-not-answered", &["ENV-14", "ENV-8"])
            .without_directory()
            .sends("An empty frame after the delimiter, alone and with a payload")
            .passes("No answer.")
            .run(|t| {
                t.control(stat("/"))?;
                t.send_raw(&[vec![]], None)?;
                unanswered(t, &[vec![], b"payload".to_vec()])
            }),
        must("a-message-of-forty-frames-does-not-stop-the-server", &["ENV-5", "ENV-23"])
            .without_directory()
            .sends("A `stat` with 40 frames after the delimiter")
            .passes("BAD_MESSAGE, or no answer; the session continues.")
            .run(|t| {
                t.control(stat("/"))?;
                let mut frames = stat("/").frames(t.session, t.next);
                frames.resize(40, b"x".to_vec());
                let (session, next) = (t.session, t.next);
                t.send_raw(&frames, Some((session, next)))?;
                t.barrier()?;
                for reply in t.take_unasked() {
                    t.code("a message of forty frames", &reply, BAD_MESSAGE)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-message-of-thirty-frames-is-bad-message", &["ENV-18", "ENV-5"])
            .without_directory()
            .sends("A `stat` with 28 frames after the delimiter")
            .passes("BAD_MESSAGE: it is short enough not to be ignored.")
            .run(|t| {
                t.control(stat("/"))?;
                let mut frames = stat("/").frames(t.session, t.next);
                frames.resize(28, b"x".to_vec());
                let (session, next) = (t.session, t.next);
                refused(t, &frames, session, next)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}

/// Headers that do not begin like a Remofile header.
fn beginnings() -> Vec<Case> {
    let cases: [(&str, &[&str], &str, Corruption); 16] = [
        ("other-text", &["ENV-14", "ENV-8"], "a magic of `xmf1`", |p| p.magic = encode(&"xmf1".into())),
        ("a-letter-for-the-digit", &["ENV-14", "ENV-8"], "a magic of `rmfx`", |p| p.magic = encode(&"rmfx".into())),
        ("a-slash-for-the-digit", &["ENV-14", "ENV-8"], "a magic of `rmf/`, one below `0`", |p| {
            p.magic = encode(&"rmf/".into());
        }),
        ("a-colon-for-the-digit", &["ENV-14", "ENV-8"], "a magic of `rmf:`, one above `9`", |p| {
            p.magic = encode(&"rmf:".into());
        }),
        ("capitals", &["ENV-14", "ENV-8"], "a magic of `RMF1`", |p| p.magic = encode(&"RMF1".into())),
        ("a-longer-magic", &["ENV-14", "ENV-8"], "a magic of `rmf10`", |p| p.magic = encode(&"rmf10".into())),
        ("a-magic-of-bytes", &["ENV-14", "ENV-8"], "the magic as a byte string", |p| {
            p.magic = encode(&b"rmf1"[..].into());
        }),
        ("a-magic-that-is-not-shortest", &["ENV-14", "CBOR-3"], "the magic with a length in two bytes", |p| {
            p.magic = [&long_head(3, 4, 1), &b"rmf1"[..]].concat();
        }),
        ("four-items", &["ENV-14", "ENV-8"], "the head of an array of four", |p| p.array = head(4, 4)),
        ("six-items", &["ENV-14", "ENV-8"], "the head of an array of six", |p| p.array = head(4, 6)),
        ("an-array-head-that-is-not-shortest", &["ENV-14", "CBOR-3"], "the array's head in two bytes", |p| {
            p.array = long_head(4, 5, 1);
        }),
        ("an-array-of-indefinite-length", &["ENV-14", "CBOR-4"], "an array of indefinite length", |p| {
            p.array = vec![0x9f];
            p.trailing = vec![0xff];
        }),
        ("a-session-of-15-bytes", &["ENV-17", "ENV-8"], "a session of 15 bytes", |p| {
            p.session = encode(&p.session[1..16].into());
        }),
        ("a-session-of-17-bytes", &["ENV-17", "ENV-8"], "a session of 17 bytes", |p| {
            p.session = encode(&[&p.session[1..], b"x"].concat().into());
        }),
        ("a-session-of-text", &["ENV-17", "ENV-8"], "the session as a text string", |p| {
            p.session = encode(&"0123456789abcdef".into());
        }),
        ("a-session-head-that-is-not-shortest", &["ENV-17", "CBOR-3"], "the session's length in two bytes", |p| {
            p.session = [&long_head(2, 16, 1), &p.session[1..]].concat();
        }),
    ];
    let mut cases: Vec<Case> = cases
        .into_iter()
        .map(|(name, checks, words, corrupt)| {
            must(&format!("a-header-with-{name}-is-not-answered"), checks)
                .without_directory()
                .sends(format!("A `stat` with {words}"))
                .passes("No answer, and the number is still to be had.")
                .run(move |t| {
                    t.control(stat("/"))?;
                    let mut parts = HeaderParts::of(&stat("/"), t.session, t.next);
                    corrupt(&mut parts);
                    unanswered(t, &parts.frames())
                })
        })
        .collect();
    cases.push(
        must("a-message-shorter-than-23-bytes-is-not-answered", &["ENV-17", "ENV-14"])
            .without_directory()
            .sends("The first 1 to 22 bytes of a `stat`, and then the first 23")
            .passes("No answer to any but the last, which is BAD_MESSAGE with its session and seq 0.")
            .run(|t| {
                let (session, header) = (t.session, stat("/").frames(t.session, t.next).remove(0));
                for length in 1..=22 {
                    t.send_raw(&[header[..length].to_vec()], None)?;
                }
                expect_no_reply(t)?;
                refused(t, &[header[..23].to_vec()], session, 0)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("bytes-of-other-protocols-are-not-answered", &["ENV-14", "ENV-8"])
            .without_directory()
            .sends("JSON, a line of HTTP, zeros, random bytes, CBOR of another shape")
            .passes("No answer to any.")
            .run(|t| {
                t.control(stat("/"))?;
                let random = t.bytes(1, 4_000);
                let zeros = vec![0; 4_000];
                let map = encode(&Value::Map(vec![("rmf1".into(), true.into())]));
                for bytes in [b"{\"rmf1\":1}".to_vec(), b"GET / HTTP/1.1\r\n\r\n".to_vec(), zeros, random, map] {
                    t.send_raw(&[bytes], None)?;
                }
                expect_no_reply(t)
            }),
    );
    cases
}

/// Headers that begin like a reply, of any version.
fn replies() -> Vec<Case> {
    type HeaderMaker = fn(&CaseContext) -> Vec<u8>;
    let cases: [(&str, &str, HeaderMaker); 9] = [
        ("a-reply-of-the-session", "a reply OK to the number that is next", |t| reply(t, "rmf1", t.next, head(0, 0))),
        ("a-reply-with-seq-0", "a reply BUSY with seq 0", |t| reply(t, "rmf1", 0, head(0, 10))),
        ("a-reply-of-version-0", "a reply of `rmf0`", |t| reply(t, "rmf0", 1, head(0, 0))),
        ("a-reply-of-version-2", "a reply VERSION of `rmf2`", |t| reply(t, "rmf2", 0, head(0, 13))),
        ("a-reply-of-version-9", "a reply of `rmf9` with a number of 63 bits", |t| {
            reply(t, "rmf9", i64::MAX as u64, head(0, 200))
        }),
        ("a-reply-with-a-negative-code", "a reply with the code −1", |t| reply(t, "rmf1", t.next, head(1, 0))),
        ("a-reply-with-a-large-code", "a reply with the code 2^40", |t| reply(t, "rmf1", t.next, head(0, 1 << 40))),
        ("a-reply-with-a-number-of-64-bits", "a reply with the number 2^64−1", |t| {
            let mut parts = HeaderParts::of(&stat("/"), t.session, 0);
            parts.seq = head(0, u64::MAX);
            parts.op = head(0, 0);
            parts.bytes()
        }),
        ("the-beginning-of-a-reply", "the first 25 bytes of a reply, and nothing more", |t| {
            reply(t, "rmf1", 1, head(0, 0))[..25].to_vec()
        }),
    ];
    cases
        .into_iter()
        .map(|(name, words, header)| {
            must(&format!("{name}-is-not-answered"), &["ENV-15", "ENV-8"])
                .without_directory()
                .sends(format!("As if it were a request: {words}, with one frame, and with two"))
                .passes("No answer.")
                .run(move |t| {
                    t.control(stat("/"))?;
                    let header = header(t);
                    t.send_raw(std::slice::from_ref(&header), None)?;
                    unanswered(t, &[header, b"payload".to_vec()])
                })
        })
        .collect()
}

fn reply(t: &CaseContext, magic: &str, seq: u64, code: Vec<u8>) -> Vec<u8> {
    let mut parts = HeaderParts::of(&stat("/"), t.session, seq);
    parts.magic = encode(&magic.into());
    parts.op = code;
    parts.bytes()
}

/// The behaviour of a REP socket.
fn rep_socket() -> Case {
    must("a-rep-socket-answers-an-invalid-message-with-an-empty-frame", &["ENV-19"])
        .without_directory()
        .sends("Three messages that are not Remofile messages")
        .passes("No answer, or one empty frame to each from a server on a REP socket.")
        .run(|t| {
            t.barrier()?;
            let before = t.empty_messages();
            for garbage in [&b"one"[..], b"two", b"three"] {
                t.send_raw(&[garbage.to_vec()], None)?;
            }
            expect_no_reply(t)?;
            match t.empty_messages() - before {
                0 => not_applicable("nothing came at all, so the server is not on a REP socket"),
                3 => Ok(()),
                some => failed(format!("{some} empty frames came for three messages")),
            }
        })
}
