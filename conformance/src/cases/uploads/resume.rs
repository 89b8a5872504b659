//! Section 12: uploads over the end of a session.

use super::{expect_staged, listed, stage};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        code::{BUSY, NO_SESSION, NO_UPLOAD, OK},
        request::{abort, append, begin, commit, hash, uploads},
    },
};
use std::time::Duration;

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("uploads-survive-a-takeover", &["UP-2", "APPEND-2", "BEGIN-1"])
            .sends("`begin` and `append`; another client takes the session over, `append`, `begin`, `append`, `commit`")
            .passes("NO_UPLOAD before begin; begin answers the staged bytes, and the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"mine, ")?;
                take_over(t)?;
                t.expect(append(up, 6, "not yet"), NO_UPLOAD)?;
                expect_staged(t, up, &path, b"mine, ")?;
                t.expect_ok(append(up, 6, "then yours"))?;
                t.expect_ok(commit(up, b"mine, then yours"))?;
                t.expect_content(&path, b"mine, then yours")
            }),
        must("a-replaced-session-cannot-append", &["SES-19", "UP-2"])
            .sends("`begin` and `append`; another client takes over; the first one's `append` and `commit`")
            .passes("NO_SESSION to both, nothing is added, and nothing becomes visible.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"12345")?;
                let (old, next) = (t.session, t.next);
                take_over(t)?;
                for (number, request) in [append(up, 5, "late"), commit(up, b"12345")].iter().enumerate() {
                    let seq = next + number as u64;
                    let frames = request.frames(old, seq);
                    t.send_raw(&frames, Some((old, seq)))?;
                    let reply = t.reply_of(old, seq)?;
                    t.code("a request of the replaced session", &reply, NO_SESSION)?;
                }
                t.expect_absent(&path)?;
                expect_staged(t, up, &path, b"12345")
            }),
        must("uploads-survive-the-end-of-a-lease", &["UP-2", "SES-15"])
            .sends("a session with a lease of one second, `begin` and `append`; silence; another client's `hello`")
            .passes("The new session continues with the staged bytes.")
            .run(|t| {
                t.close()?;
                let hello_reply = t.open_with(|hello| hello.arg("lease_ms", 1_000_u64))?;
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"lapsed")?;
                t.let_pass(Duration::from_millis(hello_reply.lease_ms.min(2_000)))?;
                // Without `take` this opens a session only because the lease has expired.
                t.draw_session_id();
                let hello = t.hello_request();
                let mut reply = t.call(hello)?;
                if reply.code == BUSY {
                    t.let_pass(Duration::from_millis(250))?;
                    t.draw_session_id();
                    let hello = t.hello_request();
                    reply = t.call(hello)?;
                }
                if !reply.is_ok() {
                    return failed(format!("hello past the end of the lease was answered {}", reply.code));
                }
                t.opened(&reply)?;
                expect_staged(t, up, &path, b"lapsed")
            }),
        must("sessions-continue-one-upload-in-turn", &["UP-2", "BEGIN-1", "COMMIT-3"])
            .sends("ten bytes, each in a new session with its own `begin`, and `commit` in another")
            .passes("Every begin answers what is staged so far, and the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let content = b"0123456789";
                for off in 0..content.len() {
                    expect_staged(t, up, &path, &content[..off])?;
                    t.expect_ok(append(up, off as u64, &content[off..=off]))?;
                    super::new_session(t)?;
                }
                expect_staged(t, up, &path, content)?;
                t.expect_ok(commit(up, content))?;
                t.expect_content(&path, content)
            }),
        must("listing-an-upload-does-not-begin-it", &["APPEND-2", "UP-2"])
            .sends("`begin` and `append`; in a new session `uploads`, `begin` of another upload, then `append` to the first")
            .passes("The first is listed, and `append` to it gets NO_UPLOAD.")
            .run(|t| {
                let (up, other, path, beside) = (t.id(), t.id(), t.path("f"), t.path("g"));
                stage(t, up, &path, b"12345")?;
                super::new_session(t)?;
                let shown = listed(t, up)?.map(|upload| upload.uint("off")).transpose()?;
                t.equal("`off` in uploads", shown, Some(5))?;
                t.setup(begin(other, &beside))?;
                t.expect_refused(append(up, 5, "x"), NO_UPLOAD).map(drop)
            }),
        must("begin-shows-whether-a-commit-was-executed", &["COMMIT-3", "BEGIN-1"])
            .sends("`commit`; in a new session `begin` of the same id and path, `hash` of the path, `abort`")
            .passes("`off` 0 and the hash of the source: the commit was executed; the file stays.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"source")?;
                let seq = t.send(&commit(up, b"source"))?;
                t.expect_reply(seq, OK)?;
                super::new_session(t)?;
                expect_staged(t, up, &path, b"")?;
                let found = t.expect_ok(hash(&path))?;
                t.equal_bytes("the hash of the path", found.bytes("hash")?, blake3::hash(b"source").as_bytes())?;
                t.expect_ok(abort(up))?;
                t.expect_content(&path, b"source")
            }),
        must("a-committed-upload-does-not-return", &["COMMIT-3", "UP-2"])
            .sends("`commit`; a new session; `uploads`, `append`")
            .passes("It is not listed, and NO_UPLOAD.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"done")?;
                t.setup(commit(up, b"done"))?;
                super::new_session(t)?;
                let shown = listed(t, up)?;
                t.check(shown.is_none(), "`uploads` lists an upload that was committed in the session before")?;
                t.expect(append(up, 4, "x"), NO_UPLOAD)?;
                t.expect_ok(uploads()).map(drop)
            }),
    ]
}

/// Opens a session with `take` set to the current one.
fn take_over(t: &mut CaseContext) -> CaseResult {
    let held = t.session;
    t.draw_session_id();
    let hello = t.hello_request().arg("take", held);
    let reply = t.setup(hello)?;
    t.opened(&reply).map(drop)
}
