//! Values outside the profile, in an unknown argument: a server checks it against the profile although it is unknown.

use crate::{
    cases::support::messages::{refused, with_another_session},
    engine::{
        case::{Case, must},
        error::CaseError,
    },
    wire::{
        cbor::{encode, head},
        code::{BAD_ARGS, BAD_OP, NO_SESSION, OK},
        malformed::{HeaderParts, arrays, map, maps, text},
        request::{Request, request, stat},
    },
};

/// Bytes that break the profile where they stand as a value.
struct BrokenItem {
    name: &'static str,
    requirement: &'static str,
    bytes: Vec<u8>,
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = broken().into_iter().map(in_an_argument).collect();
    cases.extend(everywhere());
    cases.extend(accepted());
    cases
}

fn broken() -> Vec<BrokenItem> {
    let table: [(&str, &str, &[u8]); 49] = [
        ("null", "CBOR-1", b"\xf6"),
        ("undefined", "CBOR-1", b"\xf7"),
        ("simple-value-0", "CBOR-1", b"\xe0"),
        ("simple-value-19", "CBOR-1", b"\xf3"),
        ("simple-value-255", "CBOR-1", b"\xf8\xff"),
        ("false-in-two-bytes", "CBOR-1", b"\xf8\x14"),
        ("a-float-of-16-bits", "CBOR-1", b"\xf9\x3c\x00"),
        ("a-float-of-32-bits", "CBOR-1", b"\xfa\x3f\x80\x00\x00"),
        ("a-float-of-64-bits", "CBOR-1", b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        ("not-a-number", "CBOR-1", b"\xf9\x7e\x00"),
        ("a-tag", "CBOR-1", b"\xc1\x00"),
        ("a-tag-on-text", "CBOR-1", b"\xd8\x20\x61a"),
        ("the-tag-of-cbor-itself", "CBOR-1", b"\xd9\xd9\xf7\x00"),
        ("a-bignum", "CBOR-1", b"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
        ("a-negative-bignum", "CBOR-1", b"\xc3\x41\x01"),
        ("2-to-the-63", "CBOR-2", b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00"),
        ("2-to-the-64-less-1", "CBOR-2", b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("less-than-minus-2-to-the-63", "CBOR-2", b"\x3b\x80\x00\x00\x00\x00\x00\x00\x00"),
        ("minus-2-to-the-64", "CBOR-2", b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("23-in-two-bytes", "CBOR-3", b"\x18\x17"),
        ("255-in-three-bytes", "CBOR-3", b"\x19\x00\xff"),
        ("65535-in-five-bytes", "CBOR-3", b"\x1a\x00\x00\xff\xff"),
        ("32-bits-in-nine-bytes", "CBOR-3", b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff"),
        ("minus-1-in-two-bytes", "CBOR-3", b"\x38\x00"),
        ("minus-256-in-five-bytes", "CBOR-3", b"\x3a\x00\x00\x00\xff"),
        ("bytes-with-a-long-length", "CBOR-3", b"\x58\x01a"),
        ("text-with-a-long-length", "CBOR-3", b"\x78\x01a"),
        ("an-array-with-a-long-count", "CBOR-3", b"\x98\x01\x00"),
        ("a-map-with-a-long-count", "CBOR-3", b"\xb8\x01\x61a\x00"),
        ("bytes-of-indefinite-length", "CBOR-4", b"\x5f\x41a\xff"),
        ("text-of-indefinite-length", "CBOR-4", b"\x7f\x61a\xff"),
        ("an-array-of-indefinite-length", "CBOR-4", b"\x9f\x00\xff"),
        ("a-map-of-indefinite-length", "CBOR-4", b"\xbf\x61a\x00\xff"),
        ("a-lone-break", "CBOR-4", b"\xff"),
        ("the-reserved-information-28", "CBOR-1", b"\x1c"),
        ("the-reserved-information-30", "CBOR-1", b"\x7e"),
        ("text-of-a-lone-continuation", "CBOR-5", b"\x61\x80"),
        ("text-that-ends-within-a-character", "CBOR-5", b"\x62\xe2\x82"),
        ("an-overlong-slash", "CBOR-5", b"\x62\xc0\xaf"),
        ("an-overlong-euro", "CBOR-5", b"\x64\xf0\x82\x82\xac"),
        ("a-surrogate", "CBOR-5", b"\x63\xed\xa0\x80"),
        ("a-pair-of-surrogates", "CBOR-5", b"\x66\xed\xa0\xbd\xed\xb8\x80"),
        ("more-than-the-last-character", "CBOR-5", b"\x64\xf4\x90\x80\x80"),
        ("latin-1", "CBOR-5", b"\x62\xe4a"),
        ("a-key-that-is-a-number", "CBOR-6", b"\xa1\x01\x00"),
        ("a-key-that-is-a-byte-string", "CBOR-6", b"\xa1\x41a\x00"),
        ("a-key-twice", "CBOR-7", b"\xa2\x61a\x00\x61a\x00"),
        ("keys-that-are-not-sorted", "CBOR-7", b"\xa2\x61b\x00\x61a\x00"),
        ("keys-in-alphabetical-order", "CBOR-7", b"\xa2\x62aa\x00\x61b\x00"),
    ];
    let mut broken: Vec<BrokenItem> = table
        .into_iter()
        .map(|(name, requirement, bytes)| BrokenItem { name, requirement, bytes: bytes.to_vec() })
        .collect();
    let long = [text(&[b'k'; 24]), vec![0]].concat();
    let built: [(&str, &str, Vec<u8>); 9] = [
        ("a-key-of-24-bytes", "CBOR-6", [head(5, 1), long].concat()),
        ("arrays-nine-deep", "CBOR-8", arrays(7)),
        ("maps-nine-deep", "CBOR-8", maps(7)),
        ("arrays-a-thousand-deep", "CBOR-8", arrays(1_000)),
        ("arrays-sixteen-thousand-deep", "CBOR-8", arrays(16_000)),
        ("a-claim-of-4-gib-of-bytes", "CBOR-9", b"\x5a\xff\xff\xff\xff".to_vec()),
        ("a-claim-of-2-to-the-63-bytes-of-text", "CBOR-9", b"\x7b\x80\x00\x00\x00\x00\x00\x00\x00".to_vec()),
        ("a-claim-of-a-billion-items", "CBOR-9", b"\x9a\x3b\x9a\xca\x00".to_vec()),
        ("a-claim-of-2-to-the-64-pairs", "CBOR-9", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
    ];
    broken.extend(built.into_iter().map(|(name, requirement, bytes)| BrokenItem { name, requirement, bytes }));
    broken
}

fn in_an_argument(broken: BrokenItem) -> Case {
    must(&format!("{}-in-a-request-is-bad-message", broken.name), requirements(broken.requirement))
        .without_directory()
        .sends(format!("A `stat` with an unknown argument: {}", spaced(broken.name)))
        .passes("BAD_MESSAGE, which consumes no number; BAD_ARGS where the argument's value is `true`.")
        .run(move |t| {
            let request = stat("/");
            t.expect(request.clone().arg("zz", true), BAD_ARGS).map_err(control)?;
            let (session, next) = (t.session, t.next);
            refused(t, &with(&request, session, next, &broken.bytes), session, next)?;
            t.expect_ok(request).map(drop)
        })
}

/// The same where a server may be tempted not to look.
fn everywhere() -> Vec<Case> {
    vec![
        must("hello-is-held-to-the-profile", &["CBOR-10", "CBOR-13"])
            .without_directory()
            .sends("`hello` of the session with an unknown argument, with every value that the profile lacks")
            .passes("BAD_MESSAGE with seq 0 to each; OK where the argument's value is `true`.")
            .run(|t| {
                let session = t.session;
                let hello = t.hello_request();
                t.control(hello.clone().arg("zz", true))?;
                for broken in broken() {
                    refused(t, &with(&hello, session, 0, &broken.bytes), session, 0)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("unknown-operations-are-held-to-the-profile", &["CBOR-10", "ENV-20"])
            .without_directory()
            .sends("An unknown operation with an argument of every value that the profile lacks")
            .passes("BAD_MESSAGE to each; BAD_OP where the argument's value is `true`.")
            .run(|t| {
                let unknown = request("nonsense");
                t.expect(unknown.clone().arg("zz", true), BAD_OP).map_err(control)?;
                let (session, next) = (t.session, t.next);
                for broken in broken() {
                    refused(t, &with(&unknown, session, next, &broken.bytes), session, next)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("requests-without-a-session-are-held-to-the-profile", &["CBOR-10", "CODE-5"])
            .without_directory()
            .sends("`stat` of an id without a session, with an argument of every value that the profile lacks")
            .passes("BAD_MESSAGE to each, not NO_SESSION; NO_SESSION where the argument's value is `true`.")
            .run(|t| {
                with_another_session(t, |t| {
                    t.expect(stat("/").arg("zz", true), NO_SESSION).map_err(control)?;
                    let (session, next) = (t.session, t.next);
                    for broken in broken() {
                        refused(t, &with(&stat("/"), session, next, &broken.bytes), session, next)?;
                    }
                    Ok(())
                })?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("nested-items-are-held-to-the-profile", &["CBOR-10", "CBOR-13"])
            .without_directory()
            .sends("`hello` of the session with every value that the profile lacks in a map in an array")
            .passes("BAD_MESSAGE to each; OK where the value is `true`.")
            .run(|t| {
                let session = t.session;
                let hello = t.hello_request();
                let nest = |bytes: &[u8]| [b"\x82\x00\xa1\x61n", bytes].concat();
                t.send_raw(&with(&hello, session, 0, &nest(b"\xf5")), Some((session, 0)))?;
                t.expect_reply(0, OK).map_err(control)?;
                for broken in broken() {
                    refused(t, &with(&hello, session, 0, &nest(&broken.bytes)), session, 0)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}

/// What a decoder that is too strict would refuse.
fn accepted() -> Vec<Case> {
    let values: [(&str, &[&str], &str, Vec<u8>); 9] = [
        ("eight-levels-of-arrays-are", &["CBOR-8", "LIMIT-1"], "arrays down to level 8", arrays(6)),
        ("eight-levels-of-maps-are", &["CBOR-8", "LIMIT-1"], "maps down to level 8", maps(6)),
        (
            "a-key-of-23-bytes-is",
            &["CBOR-6", "LIMIT-1"],
            "a map with a key of 23 bytes",
            map(&[(text(&[b'k'; 23]), vec![0])]),
        ),
        (
            "an-empty-key-is",
            &["CBOR-6", "LIMIT-1"],
            "a map with an empty key, which sorts before others",
            map(&[(text(b""), vec![0]), (text(b"a"), vec![0])]),
        ),
        (
            "keys-sorted-by-length-are",
            &["CBOR-7", "LIMIT-1"],
            "a map with the keys `b` and `aa`, and two that are not ASCII",
            map(&[
                (text(b"b"), vec![0]),
                (text(b"aa"), vec![0]),
                (text("ä".as_bytes()), vec![0]),
                (text("ö".as_bytes()), vec![0]),
            ]),
        ),
        (
            "integers-of-63-bits-are",
            &["CBOR-2", "LIMIT-1"],
            "an array of 2^63−1, −2^63 and the edges of every length",
            [
                head(4, 8),
                head(0, i64::MAX as u64),
                head(1, i64::MAX as u64),
                head(0, 24),
                head(0, 256),
                head(0, 65_536),
                head(0, 1 << 32),
                head(1, 24),
                head(1, 65_536),
            ]
            .concat(),
        ),
        (
            "text-beyond-the-basic-plane-is",
            &["CBOR-5", "LIMIT-1"],
            "text with U+10FFFF, U+FFFF, U+FEFF and a zero in it",
            encode(&"\u{10ffff}\u{ffff}\u{feff}\0é".into()),
        ),
        ("empty-items-are", &["CBOR-1", "LIMIT-1"], "an array of empty items", b"\x84\x40\x60\x80\xa0".to_vec()),
        (
            "a-thousand-items-are",
            &["CBOR-10", "LIMIT-1"],
            "an array of a thousand items",
            [head(4, 1_000), vec![0xf4; 1_000]].concat(),
        ),
    ];
    let accepted = values.into_iter().map(|(name, checks, words, bytes)| {
        must(&format!("{name}-accepted"), checks)
            .without_directory()
            .sends(format!("An unknown argument, in `hello` and in `stat`: {words}"))
            .passes("OK to `hello`, which ignores it, and BAD_ARGS to `stat`.")
            .run(move |t| {
                let (session, hello) = (t.session, t.hello_request());
                t.send_raw(&with(&hello, session, 0, &bytes), Some((session, 0)))?;
                t.expect_reply(0, OK)?;
                let next = t.next;
                t.send_raw(&with(&stat("/"), session, next, &bytes), Some((session, next)))?;
                t.expect_reply(next, BAD_ARGS)?;
                t.next = next + 1;
                t.expect_ok(stat("/")).map(drop)
            })
    });
    accepted.collect()
}

/// The frames of a request with one argument more, of any bytes, in its place among the others.
fn with(request: &Request, session: [u8; 16], seq: u64, value: &[u8]) -> Vec<Vec<u8>> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> =
        request.args.iter().map(|(key, value)| (encode(&key.as_str().into()), encode(value))).collect();
    pairs.push((text(b"zz"), value.to_vec()));
    pairs.sort();
    let mut parts = HeaderParts::of(request, session, seq);
    parts.args = map(&pairs);
    parts.frames()
}

fn requirements(first: &'static str) -> &'static [&'static str] {
    match first {
        "CBOR-1" => &["CBOR-1", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-2" => &["CBOR-2", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-3" => &["CBOR-3", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-4" => &["CBOR-4", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-5" => &["CBOR-5", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-6" => &["CBOR-6", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-7" => &["CBOR-7", "CBOR-10", "ENV-18", "SEQ-7"],
        "CBOR-8" => &["CBOR-8", "CBOR-10", "ENV-18", "SEQ-7"],
        // A claim that the bytes do not bear out breaks CBOR itself, and tempts to reserve memory.
        _ => &["CBOR-10", "CBOR-12", "ENV-18", "SEQ-7"],
    }
}

fn control(error: CaseError) -> CaseError {
    error.into_prerequisite("the control")
}

fn spaced(name: &str) -> String {
    name.replace('-', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cbor::read;

    #[test]
    fn every_value_breaks_the_requirement_that_it_names() {
        for broken in broken() {
            let header = with(&stat("/"), [7; 16], 1, &broken.bytes).remove(0);
            let got = read(&header).map_err(|broken| broken.requirement);
            // What a break or a reserved head is called is a matter of taste.
            let alike = matches!(broken.name, "a-lone-break");
            assert!(got == Err(broken.requirement) || (alike && got.is_err()), "{}: {got:?}", broken.name);
        }
    }
}
