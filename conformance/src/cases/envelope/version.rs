//! Messages of other versions.

use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        cbor::{encode, head},
        code::VERSION,
        malformed::{Corruption, HeaderParts, long_head},
        request::{ping, put, request, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = ['0', '2', '3', '9']
        .into_iter()
        .map(|digit| {
            must(&format!("a-request-of-version-{digit}-is-answered-version"), &["ENV-16", "ENV-12"])
                .without_directory()
                .sends(format!("A `stat` with the magic `rmf{digit}`"))
                .passes("VERSION of `rmf1`, with a session of zeros and seq 0; the number is not consumed.")
                .run(move |t| expect_version(t, |p| p.magic = encode(&format!("rmf{digit}").into())))
        })
        .collect();
    let oddities: [(&str, &str, Corruption); 9] = [
        ("a-bare-magic-of-another-version", "the head of the array and the magic alone", |p| {
            (p.session, p.seq, p.op, p.args) = (vec![], vec![], vec![], vec![]);
        }),
        ("garbage-after-another-magic", "bytes that are not CBOR after the magic", |p| {
            (p.session, p.args) = (vec![0xff; 3], vec![0x1c; 30]);
        }),
        ("a-short-session-of-another-version", "a session of 8 bytes", |p| p.session = encode(&[7_u8; 8].into())),
        ("a-session-of-text-of-another-version", "a session that is a text string", |p| {
            p.session = encode(&"0123456789abcdef".into());
        }),
        ("a-text-for-a-number-of-another-version", "a number that is a text string", |p| {
            p.seq = encode(&"one".into());
        }),
        // A message looks like a reply only with a number in shortest form.
        (
            "a-reply-of-another-version-with-a-long-number",
            "the code of a reply after a number that is not shortest",
            |p| {
                (p.seq, p.op) = (long_head(0, 1, 1), head(0, 0));
            },
        ),
        ("a-reply-of-another-version-without-a-code", "nothing after the number", |p| {
            (p.op, p.args) = (vec![], vec![]);
        }),
        ("a-profile-violation-of-another-version", "a float among the arguments", |p| {
            p.args = [&head(5, 1)[..], b"\x61x\xf9\x3c\x00"].concat();
        }),
        ("bytes-after-a-header-of-another-version", "bytes after the header", |p| p.trailing = vec![0; 9]),
    ];
    cases.extend(oddities.into_iter().map(|(name, words, corrupt)| {
        must(&format!("{name}-is-answered-version"), &["ENV-16", "CODE-5"])
            .without_directory()
            .sends(format!("A `stat` with the magic `rmf2` and {words}"))
            .passes("VERSION of `rmf1`, with a session of zeros and seq 0.")
            .run(move |t| {
                expect_version(t, |p| {
                    p.magic = encode(&"rmf2".into());
                    corrupt(p);
                })
            })
    }));
    cases.push(
        must("version-comes-before-bad-message", &["ENV-16", "CODE-5"])
            .without_directory()
            .sends(
                "Of `rmf2`: a `put` without payload, a `stat` with one, an unknown operation, a `ping` with number 7",
            )
            .passes("VERSION to each: version 1 does not define requests of another version.")
            .run(|t| {
                for (request, seq) in [
                    (request("put").arg("path", "/x"), 1),
                    (stat("/").payload(*b"payload"), 1),
                    (request("nonsense"), 1),
                    (ping(), 7),
                    (put("/x", vec![0; 100]), 1),
                ] {
                    let mut parts = HeaderParts::of(&request, t.session, seq);
                    parts.magic = encode(&"rmf2".into());
                    let mut frames = parts.frames();
                    frames.extend(request.payload);
                    version(t, &frames)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("version-is-answered-without-a-session", &["ENV-16", "CODE-5"])
            .without_directory()
            .sends("A `hello` of `rmf2` with an `auth` that does not fit, from an id without a session")
            .passes("VERSION, not AUTH, BUSY or NO_SESSION.")
            .run(|t| {
                let hello = t.hello_request().arg("auth", [7_u8; 32]);
                let mut parts = HeaderParts::of(&hello, t.id(), 0);
                parts.magic = encode(&"rmf2".into());
                version(t, &parts.frames())?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases
}

fn expect_version(t: &mut CaseContext, corrupt: impl Fn(&mut HeaderParts)) -> CaseResult {
    t.control(stat("/"))?;
    let mut parts = HeaderParts::of(&stat("/"), t.session, t.next);
    corrupt(&mut parts);
    version(t, &parts.frames())?;
    t.expect_ok(stat("/")).map(drop)
}

fn version(t: &mut CaseContext, frames: &[Vec<u8>]) -> CaseResult {
    t.send_raw(frames, Some(([0; 16], 0)))?;
    let reply = t.any_reply()?;
    t.code("a message of another version", &reply, VERSION)?;
    t.equal("the session of VERSION", reply.session, [0; 16])?;
    t.equal("the number of VERSION", reply.seq, 0_u64)
}
