//! `append`.

use super::{expect_gone, expect_staged, new_session, stage};
use crate::{
    engine::case::{Case, must},
    wire::{
        code::{BAD_ARGS, DIGEST, NO_UPLOAD, OFFSET, TOO_LARGE},
        request::{abort, append, begin, commit, hash},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("append-adds-after-the-staged-bytes", &["APPEND-1"])
            .sends("`append` of 3 bytes at 0, of 2 at 3, and `commit`")
            .passes("`off` 3 and 5, and the file is the five bytes.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                for (off, content, then) in [(0, "abc", 3), (3, "de", 5)] {
                    let reply = t.expect_ok(append(up, off, content))?;
                    t.equal("`off` of append", reply.uint("off")?, then)?;
                }
                t.expect_ok(commit(up, b"abcde"))?;
                t.expect_content(&path, b"abcde")
            }),
        must("append-at-a-wrong-offset-is-refused", &["APPEND-1", "REFUSE-1"])
            .sends("with 5 bytes staged, `append` at 0, 4, 6, 10, 2^40 and 2^63−2")
            .passes("OFFSET with `off` 5 to each, nothing is added, and `append` at 5 is OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"12345")?;
                for off in [0, 4, 6, 10, 1 << 40, (1 << 63) - 2] {
                    let reply = t.expect_refused(append(up, off, "x"), OFFSET)?;
                    t.equal("`off` of OFFSET", reply.uint("off")?, 5)?;
                }
                expect_staged(t, up, &path, b"12345")?;
                t.control(append(up, 5, "x")).map(drop)
            }),
        must("append-of-the-same-bytes-again-is-refused", &["APPEND-1"])
            .sends("`append` of the same bytes at the same `off` twice, under two numbers")
            .passes("OFFSET with the right `off` to the second; the bytes are staged once.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"once")?;
                let reply = t.expect_refused(append(up, 0, "once"), OFFSET)?;
                t.equal("`off` of OFFSET", reply.uint("off")?, 4)?;
                expect_staged(t, up, &path, b"once")
            }),
        must("an-append-sent-twice-is-executed-once", &["SEQ-3", "APPEND-1"])
            .sends("`append`, and the identical message again")
            .passes("The same reply twice; the bytes are staged once.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                let seq = t.send(&append(up, 0, "once"))?;
                let first = t.expect_reply(seq, crate::wire::code::OK)?;
                t.resend(seq)?;
                let again = t.first_reply(seq)?;
                t.equal("the reply to the same message", again.frames, first.frames)?;
                expect_staged(t, up, &path, b"once")
            }),
        must("an-empty-append-changes-nothing", &["APPEND-4"])
            .sends("`append` of nothing at the right `off`, with nothing and with 5 bytes staged")
            .passes("OK with the same `off`; the staged bytes are unchanged.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                let reply = t.expect_ok(append(up, 0, ""))?;
                t.equal("`off` of append", reply.uint("off")?, 0)?;
                t.setup(append(up, 0, "12345"))?;
                let reply = t.expect_ok(append(up, 5, ""))?;
                t.equal("`off` of append", reply.uint("off")?, 5)?;
                expect_staged(t, up, &path, b"12345")
            }),
        must("an-empty-append-needs-the-right-offset", &["APPEND-4", "APPEND-1"])
            .sends("with 5 bytes staged, `append` of nothing at 0, 4, 6 and 2^63−1; and at 5")
            .passes("OFFSET with `off` 5 to all but the last.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"12345")?;
                for off in [0, 4, 6, (1 << 63) - 1] {
                    let reply = t.expect_refused(append(up, off, ""), OFFSET)?;
                    t.equal("`off` of OFFSET", reply.uint("off")?, 5)?;
                }
                t.control(append(up, 5, "")).map(drop)
            }),
        must("an-append-beyond-63-bits-is-refused", &["OP-2"])
            .sends("`append` of one byte at 2^63−1, and at −1")
            .passes("BAD_ARGS, not OFFSET.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                t.expect_refused(append(up, (1 << 63) - 1, "x"), BAD_ARGS)?;
                t.expect_refused(append(up, 0, "x").arg("off", -1_i64), BAD_ARGS)?;
                t.control(append(up, 0, "x")).map(drop)
            }),
        must("append-without-begin-is-refused", &["APPEND-2"])
            .sends("`append` of an id that was never begun; and the same after `begin`")
            .passes("NO_UPLOAD, then OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.expect_refused(append(up, 0, "x"), NO_UPLOAD)?;
                t.setup(begin(up, &path))?;
                t.control(append(up, 0, "x")).map(drop)
            }),
        must("append-needs-begin-in-the-same-session", &["APPEND-2", "UP-2"])
            .sends("`begin` and `append`; in a new session `append` at the right `off` without `begin`; `begin`, `append`")
            .passes("NO_UPLOAD, and nothing is added; OK after begin.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"12345")?;
                new_session(t)?;
                t.expect_refused(append(up, 5, "67"), NO_UPLOAD)?;
                t.expect_refused(append(up, 0, "67"), NO_UPLOAD)?;
                expect_staged(t, up, &path, b"12345")?;
                t.control(append(up, 5, "67")).map(drop)
            }),
        must("commit-needs-begin-in-the-same-session", &["APPEND-2", "COMMIT-1", "COMMIT-2"])
            .sends("`begin` and `append`; in a new session `commit` without `begin`, of the right and a wrong size; then with it")
            .passes("NO_UPLOAD to both, and the upload is kept; OK after begin.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"12345")?;
                new_session(t)?;
                t.expect_refused(commit(up, b"12345"), NO_UPLOAD)?;
                t.expect_refused(commit(up, b"1234"), NO_UPLOAD)?;
                t.expect_refused(commit(up, b"54321"), NO_UPLOAD)?;
                expect_staged(t, up, &path, b"12345")?;
                t.control(commit(up, b"12345")).map(drop)
            }),
        must("a-committed-upload-is-discarded", &["COMMIT-3", "APPEND-2", "BEGIN-1"])
            .sends("`commit`; then `append`, `commit` and `begin` of the same id")
            .passes("NO_UPLOAD, NO_UPLOAD, and `off` 0; the file is unchanged committed.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"done")?;
                t.setup(commit(up, b"done"))?;
                expect_gone(t, up, b"done")?;
                expect_staged(t, up, &path, b"")?;
                t.expect_content(&path, b"done")
            }),
        must("an-aborted-upload-is-discarded", &["ABORT-1", "APPEND-2"])
            .sends("`abort`; then `append`, `commit` and `begin` of the same id")
            .passes("NO_UPLOAD, NO_UPLOAD, and `off` 0; nothing is at the path.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"never")?;
                t.expect_ok(abort(up))?;
                expect_gone(t, up, b"never")?;
                expect_staged(t, up, &path, b"")?;
                t.expect_absent(&path)
            }),
        must("an-upload-of-another-hash-is-discarded", &["COMMIT-2", "APPEND-2", "COMMIT-1"])
            .sends("`commit` with the hash of other bytes; then `append`, `commit` and `begin` of the same id")
            .passes("DIGEST, NO_UPLOAD, NO_UPLOAD, and `off` 0; nothing is at the path.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"staged")?;
                t.expect(commit(up, b"others"), DIGEST)?;
                expect_gone(t, up, b"staged")?;
                t.expect_absent(&path)?;
                expect_staged(t, up, &path, b"")?;
                t.setup(append(up, 0, "staged"))?;
                t.control(commit(up, b"staged")).map(drop)
            }),
        must("append-accepts-a-whole-chunk", &["OP-5", "LIMIT-1", "APPEND-1"])
            .sends("`append` of `chunk` + 1 bytes, and of `chunk` bytes")
            .passes("TOO_LARGE with nothing added, then OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or(0);
                let content = t.bytes(1, chunk + 1);
                t.setup(begin(up, &path))?;
                t.expect_refused(append(up, 0, content.clone()), TOO_LARGE)?;
                t.control(append(up, 0, &content[..chunk]))?;
                expect_staged(t, up, &path, &content[..chunk])
            }),
        must("too-large-comes-before-no-upload", &["CODE-5", "OP-5"])
            .sends("`append` of `chunk` + 1 bytes, and of one byte, to an id that was never begun")
            .passes("TOO_LARGE, then NO_UPLOAD.")
            .run(|t| {
                let up = t.id();
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or(0);
                t.expect(append(up, 0, vec![0; chunk + 1]), TOO_LARGE)?;
                t.expect(append(up, 0, "x"), NO_UPLOAD).map(drop)
            }),
        must("a-file-of-many-appends-is-whole", &["APPEND-1", "COMMIT-3", "SEQ-9"])
            .sends("appends of 1, 4,095, 4,097, 65,536 and 10,001 bytes, sent ahead as the window allows; `commit`")
            .passes("Every `off` is the sum so far, and `hash` of the file is that of its bytes.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let content = t.bytes(2, 1 + 4_095 + 4_097 + 65_536 + 10_001);
                let window = usize::try_from(t.server()?.window).unwrap_or(1);
                t.setup(begin(up, &path))?;
                let mut at = 0;
                for lengths in [1, 4_095, 4_097, 65_536, 10_001].chunks(window) {
                    let (mut sent, mut offs) = (Vec::new(), Vec::new());
                    for length in lengths {
                        let request = append(up, at as u64, &content[at..at + length]);
                        at += length;
                        sent.push(t.send(&request)?);
                        offs.push(at as u64);
                    }
                    for (reply, off) in t.expect_replies(&sent, crate::wire::code::OK)?.iter().zip(offs) {
                        t.equal("`off` of append", reply.uint("off")?, off)?;
                    }
                }
                expect_staged(t, up, &path, &content)?;
                t.expect_ok(commit(up, &content))?;
                let reply = t.setup(hash(&path))?;
                t.equal_bytes("the hash of the file", reply.bytes("hash")?, blake3::hash(&content).as_bytes())
            }),
        must("uploads-do-not-mix", &["APPEND-1", "COMMIT-3", "UP-3"])
            .sends("appends to two uploads in turn, `commit` of one, appends to the other, `commit` of it")
            .passes("Each file has its own bytes.")
            .run(|t| {
                let (one, other) = (t.id(), t.id());
                let (first, second) = (t.path("one"), t.path("other"));
                t.setup(begin(one, &first))?;
                t.setup(begin(other, &second))?;
                for off in 0..3 {
                    t.expect_ok(append(one, off, "1"))?;
                    t.expect_ok(append(other, off * 2, "22"))?;
                }
                t.expect_ok(commit(one, b"111"))?;
                t.expect_ok(append(other, 6, "33"))?;
                t.expect_ok(commit(other, b"22222233"))?;
                t.expect_content(&first, b"111")?;
                t.expect_content(&second, b"22222233")
            }),
        must("a-refused-append-is-not-hashed", &["BEGIN-1", "COMMIT-1", "APPEND-1"])
            .sends("`append` at a wrong `off`, at the right one, `begin`, and `commit`")
            .passes("The hash is that of the accepted bytes, and commit with it is OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"taken ")?;
                t.expect(append(up, 5, "refused"), OFFSET)?;
                t.expect_ok(append(up, 6, "too"))?;
                expect_staged(t, up, &path, b"taken too")?;
                t.expect_ok(commit(up, b"taken too"))?;
                t.expect_content(&path, b"taken too")
            }),
    ]
}
