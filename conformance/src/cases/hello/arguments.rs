//! The arguments of hello.

use crate::{
    cases::support::messages::with_another_session,
    engine::case::{Case, must},
    wire::{
        cbor::Value,
        code::{BAD_ARGS, BUSY, OK},
        request::{Request, stat},
    },
};

/// A change of a correct `hello`.
type HelloChange = fn(Request) -> Request;

pub(in super::super) fn cases() -> Vec<Case> {
    let mut cases = refused();
    cases.extend(accepted());
    cases.extend(leases());
    cases
}

fn refused() -> Vec<Case> {
    let table: [(&str, &'static [&'static str], &str, HelloChange); 19] = [
        ("without-auth", &["OP-2", "SES-3"], "no `auth`", |r| r.without("auth")),
        ("without-client", &["OP-2", "SES-3"], "no `client`", |r| r.without("client")),
        ("with-an-auth-of-31-bytes", &["HELLO-1"], "an `auth` of 31 bytes", |r| r.arg("auth", [7_u8; 31])),
        ("with-an-auth-of-33-bytes", &["HELLO-1"], "an `auth` of 33 bytes", |r| r.arg("auth", [7_u8; 33])),
        ("with-an-empty-auth", &["HELLO-1"], "an `auth` of no bytes", |r| r.arg("auth", [0_u8; 0])),
        ("with-an-auth-of-text", &["OP-2"], "an `auth` that is a text string", |r| r.arg("auth", "7".repeat(32))),
        ("with-an-auth-that-is-a-number", &["OP-2"], "an `auth` that is a number", |r| r.arg("auth", 32_u64)),
        ("with-a-client-of-129-bytes", &["HELLO-1", "LIMIT-1"], "a `client` of 129 bytes", |r| {
            r.arg("client", "c".repeat(129))
        }),
        // 65 characters: the limit is in bytes.
        (
            "with-a-client-of-65-letters-of-two-bytes",
            &["HELLO-1", "LIMIT-1"],
            "a `client` of 65 letters of two bytes",
            |r| r.arg("client", "ä".repeat(65)),
        ),
        ("with-a-client-of-bytes", &["OP-2"], "a `client` that is a byte string", |r| r.arg("client", *b"name")),
        ("with-a-client-that-is-a-number", &["OP-2"], "a `client` that is a number", |r| r.arg("client", 7_u64)),
        ("with-a-take-of-15-bytes", &["OP-2"], "a `take` of 15 bytes", |r| r.arg("take", [7_u8; 15])),
        ("with-a-take-of-17-bytes", &["OP-2"], "a `take` of 17 bytes", |r| r.arg("take", [7_u8; 17])),
        ("with-an-empty-take", &["OP-2"], "a `take` of no bytes", |r| r.arg("take", [0_u8; 0])),
        ("with-a-take-of-text", &["OP-2"], "a `take` that is a text string", |r| r.arg("take", "0123456789abcdef")),
        ("with-a-take-of-true", &["OP-2"], "a `take` that is `true`", |r| r.arg("take", true)),
        ("with-a-negative-lease", &["OP-2"], "a `lease_ms` of −1", |r| r.arg("lease_ms", -1_i64)),
        ("with-a-lease-of-text", &["OP-2"], "a `lease_ms` that is a text string", |r| r.arg("lease_ms", "1000")),
        ("with-a-lease-of-true", &["OP-2"], "a `lease_ms` that is `true`", |r| r.arg("lease_ms", true)),
    ];
    let mut cases: Vec<Case> = table
        .into_iter()
        .map(|(name, checks, words, change)| {
            must(&format!("hello-{name}-is-bad-args"), checks)
                .without_directory()
                .sends(format!("`hello` of a new id, and of the holder, with {words}"))
                .passes("BAD_ARGS to both; BUSY and OK without the change. The session continues.")
                .run(move |t| {
                    let own = t.hello_request();
                    t.control(own.clone())?;
                    with_another_session(t, |t| {
                        let hello = t.hello_request();
                        t.expect(hello.clone(), BUSY).map_err(|error| error.into_prerequisite("the control"))?;
                        t.expect(change(hello), BAD_ARGS)
                    })?;
                    t.expect(change(own), BAD_ARGS)?;
                    t.expect_ok(stat("/")).map(drop)
                })
        })
        .collect();
    cases.push(
        must("bad-arguments-of-hello-come-before-auth", &["SES-3", "CODE-5"])
            .without_directory()
            .sends("`hello` with a wrong `auth` and: no `client`, one that is too long, a `take` of 15 bytes, a lease of −1")
            .passes("BAD_ARGS to each, not AUTH.")
            .run(|t| {
                let right = t.hello_request();
                t.control(right.clone())?;
                let wrong = right.arg("auth", [7_u8; 32]);
                for request in [
                    wrong.clone().without("client"),
                    wrong.clone().arg("client", "c".repeat(129)),
                    wrong.clone().arg("take", [7_u8; 15]),
                    wrong.arg("lease_ms", -1_i64),
                ] {
                    t.expect(request, BAD_ARGS)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    );
    cases
}

fn accepted() -> Vec<Case> {
    let table: [(&str, &'static [&'static str], &str, HelloChange); 8] = [
        ("a-client-of-128-bytes", &["HELLO-1", "LIMIT-1"], "a `client` of 128 bytes", |r| {
            r.arg("client", "c".repeat(128))
        }),
        (
            "a-client-of-64-letters-of-two-bytes",
            &["HELLO-1", "LIMIT-1"],
            "a `client` of 64 letters of two bytes",
            |r| r.arg("client", "ä".repeat(64)),
        ),
        ("an-empty-client", &["HELLO-1", "LIMIT-1"], "an empty `client`", |r| r.arg("client", "")),
        ("a-take-of-an-unknown-id", &["SES-8"], "a `take` of an id without a session", |r| r.arg("take", [7_u8; 16])),
        ("the-largest-lease", &["OP-2", "SES-12"], "a `lease_ms` of 2^63−1", |r| r.arg("lease_ms", i64::MAX)),
        ("an-unknown-argument", &["CBOR-13"], "an unknown argument", |r| r.arg("zz", "?")),
        ("many-unknown-arguments", &["CBOR-13"], "unknown arguments, before, between and after the others", |r| {
            let nested = Value::Array(vec![Value::Map(vec![("auth".into(), true.into())]), Value::Array(vec![])]);
            r.arg("", true).arg("a", -1_i64).arg("bbbbb", nested).arg("x-extension", [1_u8; 99]).arg("Client", 5_u64)
        }),
        (
            "arguments-of-other-operations",
            &["CBOR-13"],
            "`path`, `off` and `etag` of types that they never have",
            |r| r.arg("path", 7_u64).arg("off", "here").arg("etag", false),
        ),
    ];
    table
        .into_iter()
        .map(|(name, checks, words, change)| {
            must(&format!("hello-accepts-{name}"), checks)
                .without_directory()
                .sends(format!("With the session released: `hello` of a new id with {words}"))
                .passes("OK, and the session is open.")
                .run(move |t| {
                    t.close()?;
                    t.draw_session_id();
                    let hello = change(t.hello_request());
                    let seq = t.send(&hello)?;
                    let reply = t.expect_reply(seq, OK)?;
                    t.opened(&reply)?;
                    t.expect_ok(stat("/")).map(drop)
                })
        })
        .collect()
}

fn leases() -> Vec<Case> {
    type Granted = fn(u64) -> u64;
    let table: [(&str, &str, u64, Granted); 5] = [
        ("of-0-is-1000", "0", 0, |_| 1_000),
        ("of-999-is-1000", "999", 999, |_| 1_000),
        ("of-1000-is-1000", "1,000", 1_000, |_| 1_000),
        ("of-1001-is-as-asked", "1,001", 1_001, |own| own.min(1_001)),
        ("of-2-to-the-63-less-1-is-the-servers", "2^63−1", i64::MAX as u64, |own| own),
    ];
    table
        .into_iter()
        .map(|(name, words, asked, granted)| {
            must(&format!("a-lease-{name}"), &["SES-12"])
                .without_directory()
                .sends(format!("`hello` without `lease_ms`, and of another session with one of {words}"))
                .passes("The requested lease, between 1,000 and the default of the server.")
                .run(move |t| {
                    let own = t.server()?.lease_ms;
                    t.close()?;
                    let hello = t.open_with(|hello| hello.arg("lease_ms", asked))?;
                    let wanted = granted(own);
                    // A server whose own lease is below 1,000 has no value that satisfies both bounds.
                    t.check(
                        hello.lease_ms == wanted || (own < 1_000 && hello.lease_ms == own),
                        format!("a lease of {} was granted, not {wanted}; the server's own is {own}", hello.lease_ms),
                    )
                })
        })
        .collect()
}
