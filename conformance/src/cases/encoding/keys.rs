//! Keys of args: their form, their order, and unknown keys.

use super::{BrokenHeader, bad_message};
use crate::{
    engine::case::{Case, must},
    wire::{
        cbor::{Value, encode},
        code::BAD_ARGS,
        malformed::{long_head, map, text},
        request::{bye, flush, list, ping, stat, uploads},
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = forms();
    cases.extend(unknown());
    cases
}

fn forms() -> Vec<Case> {
    let cases: [BrokenHeader; 12] = [
        ("an-argument-twice", &["CBOR-7", "ENV-18"], "`path` twice, with the same value", |p| {
            p.args = map(&[root(), root()]);
        }),
        ("an-argument-twice-with-two-values", &["CBOR-7", "ENV-18"], "`path` twice, with two values", |p| {
            p.args = map(&[root(), (text(b"path"), encode(&"/nothing".into()))]);
        }),
        ("an-argument-before-a-shorter-one", &["CBOR-7", "ENV-18"], "`path` before `zz`, which is shorter", |p| {
            p.args = map(&[root(), (text(b"zz"), vec![0xf5])]);
        }),
        ("arguments-in-descending-order", &["CBOR-7", "ENV-18"], "`zzzz` before `path`", |p| {
            p.args = map(&[(text(b"zzzz"), vec![0xf5]), root()]);
        }),
        ("keys-that-differ-in-case-in-descending-order", &["CBOR-7", "ENV-18"], "`path` before `PATH`", |p| {
            p.args = map(&[root(), (text(b"PATH"), vec![0xf5])]);
        }),
        (
            "keys-in-descending-order-beyond-ascii",
            &["CBOR-7", "ENV-18"],
            "a key that begins with a byte of 80 or more before `zz`",
            |p| {
                p.args = map(&[(text("ä".as_bytes()), vec![0xf5]), (text(b"zz"), vec![0xf5]), root()]);
            },
        ),
        ("an-argument-of-24-bytes", &["CBOR-6", "ENV-18"], "an argument whose name has 24 bytes", |p| {
            p.args = map(&[root(), (text(&[b'k'; 24]), vec![0xf5])]);
        }),
        ("an-argument-of-300-bytes", &["CBOR-6", "ENV-18"], "an argument whose name has 300 bytes", |p| {
            p.args = map(&[root(), (text(&[b'k'; 300]), vec![0xf5])]);
        }),
        ("an-argument-with-a-number-for-a-name", &["CBOR-6", "ENV-18"], "an argument whose name is 1", |p| {
            p.args = map(&[(vec![1], vec![0xf5]), root()]);
        }),
        ("an-argument-with-bytes-for-a-name", &["CBOR-6", "ENV-18"], "`path` as a byte string", |p| {
            p.args = map(&[(encode(&b"path"[..].into()), encode(&"/".into()))]);
        }),
        ("an-argument-with-a-long-head", &["CBOR-3", "ENV-18"], "the length of `path` in two bytes", |p| {
            p.args = map(&[([&long_head(3, 4, 1), &b"path"[..]].concat(), encode(&"/".into()))]);
        }),
        ("an-argument-whose-name-is-not-utf-8", &["CBOR-5", "ENV-18"], "an argument whose name is not UTF-8", |p| {
            p.args = map(&[(text(b"\xff"), vec![0xf5]), root()]);
        }),
    ];
    cases.into_iter().map(bad_message).collect()
}

fn unknown() -> Vec<Case> {
    let mut cases = vec![
        must("ping-and-bye-have-no-arguments", &["CBOR-13", "CODE-5"])
            .without_directory()
            .sends("`ping` and `bye` of the session with an argument")
            .passes("BAD_ARGS to both, and the session is not ended.")
            .run(|t| {
                t.control(ping())?;
                t.expect(ping().arg("x", 1_u64), BAD_ARGS)?;
                t.expect(bye().arg("x", 1_u64), BAD_ARGS)?;
                let session = t.session;
                t.expect(bye().arg("session", session), BAD_ARGS)?;
                t.expect_ok(ping())?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("arguments-of-other-operations-are-bad-args", &["CBOR-13"])
            .without_directory()
            .sends("`stat` with `off`, `list` with `etag`, `uploads` with `path`, `flush` with `path`")
            .passes("BAD_ARGS to each, and OK without.")
            .run(|t| {
                for (request, key, value) in [
                    (stat("/"), "off", Value::Int(0)),
                    (list("/").arg("limit", 1_u64), "etag", Value::Bytes(vec![1])),
                    (uploads(), "path", "/".into()),
                    (flush(), "path", "/".into()),
                ] {
                    t.control(request.clone())?;
                    t.expect(request.arg(key, value), BAD_ARGS)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    ];
    for (name, key) in [
        ("in-capitals", "PATH"),
        ("with-an-empty-name", ""),
        ("with-a-space", "path "),
        ("with-a-longer-name", "path2"),
    ] {
        cases.push(
            must(&format!("an-argument-{name}-is-unknown"), &["CBOR-13"])
                .without_directory()
                .sends(format!("`stat` with the argument {key:?} beside `path`, and in its place"))
                .passes("BAD_ARGS to both, each consuming its number.")
                .run(move |t| {
                    t.control(stat("/"))?;
                    t.expect(stat("/").arg(key, "/"), BAD_ARGS)?;
                    t.expect(stat("/").without("path").arg(key, "/"), BAD_ARGS)?;
                    t.expect_ok(stat("/")).map(drop)
                }),
        );
    }
    cases
}

fn root() -> (Vec<u8>, Vec<u8>) {
    (text(b"path"), encode(&"/".into()))
}
