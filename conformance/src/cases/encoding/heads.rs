//! Heads and lengths of the header's own items.

use super::{BrokenHeader, bad_message};
use crate::{
    cases::support::messages::refused,
    engine::case::{Case, must},
    wire::{
        cbor::head,
        malformed::{HeaderParts, arrays, long_head, map, text},
        request::{mkdir, ping, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = corruptions();
    cases.push(
        must("every-truncated-header-is-bad-message", &["CBOR-10", "CBOR-12", "ENV-18"])
            .without_directory()
            .sends("The header of a `stat`, cut off after each of its bytes from the 23rd")
            .passes("BAD_MESSAGE to each, with its number as far as that is there; OK to the whole.")
            .run(|t| {
                t.next = 1;
                let (session, next) = (t.session, t.next);
                let header = stat("/").frames(session, next).remove(0);
                for length in 23..header.len() {
                    let seq = if length > 23 { next } else { 0 };
                    refused(t, &[header[..length].to_vec()], session, seq)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("a-header-truncated-in-its-number-is-answered-with-number-0", &["ENV-18"])
            .without_directory()
            .sends("The header of a `stat` with a number of four bytes, cut off within it and after it")
            .passes("BAD_MESSAGE with seq 0 to what ends within the number, and with the number to what ends after it.")
            .run(|t| {
                let (session, number) = (t.session, 0x0001_0203);
                let header = stat("/").frames(session, number).remove(0);
                for length in 23..28 {
                    refused(t, &[header[..length].to_vec()], session, 0)?;
                }
                refused(t, &[header[..28].to_vec()], session, number)?;
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases.push(
        must("a-change-with-bytes-after-its-header-is-not-executed", &["CBOR-9", "ENV-18", "SEQ-7"])
            .sends("`mkdir` with a byte after its header, and then without")
            .passes("BAD_MESSAGE, then OK under the same number: nothing was created before.")
            .run(|t| {
                let path = t.path("new");
                let (session, next) = (t.session, t.next);
                let mut parts = HeaderParts::of(&mkdir(&path), session, next);
                parts.trailing = vec![0xf5];
                refused(t, &parts.frames(), session, next)?;
                t.expect_ok(mkdir(&path)).map(drop)
            }),
    );
    cases.push(
        must("bytes-after-a-ping-are-refused", &["CBOR-9", "ENV-18"])
            .without_directory()
            .sends("`ping` with a second header after its header, in the same frame")
            .passes("One BAD_MESSAGE with seq 0; OK to the `ping` alone.")
            .run(|t| {
                t.control(ping())?;
                let session = t.session;
                let header = ping().frames(session, 0).remove(0);
                refused(t, &[[header.clone(), header].concat()], session, 0)?;
                t.barrier()?;
                let more = t.take_unasked().len();
                t.equal("the number of further replies", more, 0)
            }),
    );
    cases
}

fn corruptions() -> Vec<Case> {
    let cases: [BrokenHeader; 16] = [
        ("a-byte-after-the-header", &["CBOR-9", "ENV-18", "SEQ-7"], "a byte 00 after the array", |p| {
            p.trailing = vec![0]
        }),
        ("a-line-feed-after-the-header", &["CBOR-9", "ENV-18", "SEQ-7"], "a line feed after the array", |p| {
            p.trailing = b"\n".to_vec();
        }),
        ("null-after-the-header", &["CBOR-9", "ENV-18", "SEQ-7"], "`null` after the array", |p| {
            p.trailing = vec![0xf6]
        }),
        (
            "an-operation-with-a-long-length",
            &["CBOR-3", "ENV-18", "SEQ-7"],
            "the operation's length in two bytes",
            |p| {
                p.op = [&long_head(3, 4, 1), &b"stat"[..]].concat();
            },
        ),
        ("an-operation-of-indefinite-length", &["CBOR-4", "ENV-18", "SEQ-7"], "the operation in two chunks", |p| {
            p.op = b"\x7f\x62st\x62at\xff".to_vec();
        }),
        ("an-operation-that-is-not-utf-8", &["CBOR-5", "ENV-18", "SEQ-7"], "an operation that is not UTF-8", |p| {
            p.op = text(b"st\xff");
        }),
        ("an-operation-that-claims-4-gib", &["CBOR-12", "ENV-18", "SEQ-7"], "an operation of 2^32−1 bytes", |p| {
            p.op = head(3, 0xffff_ffff);
        }),
        ("args-with-a-long-count", &["CBOR-3", "ENV-18", "SEQ-7"], "the args' count in two bytes", |p| {
            p.args = [&long_head(5, 1, 1), &p.args[1..]].concat();
        }),
        ("args-with-a-count-of-nine-bytes", &["CBOR-3", "ENV-18", "SEQ-7"], "the args' count in nine bytes", |p| {
            p.args = [&long_head(5, 1, 8), &p.args[1..]].concat();
        }),
        ("args-of-indefinite-length", &["CBOR-4", "ENV-18", "SEQ-7"], "args of indefinite length", |p| {
            p.args = [&[0xbf], &p.args[1..], &[0xff]].concat();
        }),
        (
            "args-that-claim-a-pair-more",
            &["CBOR-10", "ENV-18", "SEQ-7"],
            "args that claim two pairs and have one",
            |p| {
                p.args[0] += 1;
            },
        ),
        ("args-that-claim-a-pair-less", &["CBOR-9", "ENV-18", "SEQ-7"], "args that claim no pair and have one", |p| {
            p.args[0] -= 1;
        }),
        ("args-that-claim-a-billion-pairs", &["CBOR-12", "ENV-18", "SEQ-7"], "args that claim 2^30 pairs", |p| {
            p.args = [&head(5, 1 << 30), &p.args[1..]].concat();
        }),
        ("a-path-with-a-long-length", &["CBOR-3", "ENV-18", "SEQ-7"], "the path's length in two bytes", |p| {
            p.args = map(&[(text(b"path"), [&long_head(3, 1, 1), &b"/"[..]].concat())]);
        }),
        ("a-path-that-is-not-utf-8", &["CBOR-5", "ENV-18", "SEQ-7"], "a path that is not UTF-8", |p| {
            p.args = map(&[(text(b"path"), text(b"/\xff"))]);
        }),
        ("arrays-in-place-of-args", &["CBOR-8", "ENV-18", "SEQ-7"], "arrays down to level 9 as args", |p| {
            p.args = arrays(8);
        }),
    ];
    cases.into_iter().map(bad_message).collect()
}
