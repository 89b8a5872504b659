//! `commit`: its checks and its result.

use super::{expect_staged, listed, stage};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::not_applicable,
    },
    wire::{
        code::{BAD_ARGS, DIGEST, EXISTS, NO_UPLOAD, OFFSET, OK},
        request::{Request, append, begin, commit, mkdir, put, rename, stat},
    },
};
use std::time::Duration;

/// The largest difference between a server's clocks: that of its files may be coarse.
const TICK_NS: i64 = 30_000_000;

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("commit-makes-the-file-visible", &["COMMIT-3", "ENTRY-5"])
            .sends("`begin`, `append`, `commit`, `stat`")
            .passes("OK with the entry that `stat` shows; the content is there, and nothing is staged.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"content")?;
                let made = t.expect_ok(commit(up, b"content"))?.entry()?;
                let seen = t.expect_ok(stat(&path))?.entry()?;
                t.equal("the size in the entry", made.size()?, 7)?;
                t.equal("the entry of commit's etag", made.etag()?, seen.etag()?)?;
                t.equal("the entry of commit's mtime_ns", made.mtime_ns()?, seen.mtime_ns()?)?;
                t.expect_content(&path, b"content")?;
                let staged = t.staged()?;
                t.check(staged.is_empty(), "the upload is still staged after its commit")
            }),
        must("an-empty-upload-can-be-committed", &["COMMIT-3", "COMMIT-1"])
            .sends("`begin`, and `commit` of 0 bytes with the hash of nothing")
            .passes("OK, and an empty file is there.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                let made = t.expect_ok(commit(up, b""))?.entry()?;
                t.equal("the size in the entry", made.size()?, 0)?;
                t.expect_content(&path, b"")
            }),
        must("commit-with-a-wrong-size-keeps-the-upload", &["COMMIT-1", "COMMIT-2", "REFUSE-1"])
            .sends("with 7 bytes staged, `commit` with `size` 0, 6, 8 and 2^63−1 and the right hash; then with 7")
            .passes("OFFSET with `off` 7 and no file; then OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"content")?;
                for size in [0, 6, 8, i64::MAX] {
                    let reply = t.expect_refused(commit(up, b"content").arg("size", size), OFFSET)?;
                    t.equal("`off` of OFFSET", reply.uint("off")?, 7)?;
                }
                t.expect_absent(&path)?;
                t.control(commit(up, b"content")).map(drop)
            }),
        must("commit-with-a-wrong-hash-creates-nothing", &["COMMIT-1", "COMMIT-2", "TARGET-8"])
            .sends("over a file, `commit` with `pre` any and a hash that differs in the last bit")
            .passes("DIGEST; the file is unchanged, and the upload is gone.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let up = t.id();
                stage(t, up, &path, b"new")?;
                let mut hash = *blake3::hash(b"new").as_bytes();
                hash[31] ^= 1;
                t.expect(commit(up, b"new").arg("pre", "any").arg("hash", hash), DIGEST)?;
                t.expect_content(&path, b"old")?;
                let shown = listed(t, up)?;
                t.check(shown.is_none(), "`uploads` lists an upload whose commit was answered DIGEST")?;
                stage(t, up, &path, b"new")?;
                t.control(commit(up, b"new").arg("pre", "any")).map(drop)
            }),
        must("commit-checks-the-size-before-the-hash", &["COMMIT-1", "COMMIT-2", "CODE-5"])
            .sends("`commit` with a wrong size and a wrong hash, then with both right")
            .passes("OFFSET, which keeps the upload; OK.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"content")?;
                t.expect_refused(commit(up, b"other content"), OFFSET)?;
                t.control(commit(up, b"content")).map(drop)
            }),
        must("commit-checks-the-size-before-the-target", &["COMMIT-1", "CODE-5"])
            .sends("onto a file, `commit` with a wrong size; then with the right one")
            .passes("OFFSET, then EXISTS.")
            .run(|t| {
                let path = t.file("f", b"here")?;
                let up = t.id();
                stage(t, up, &path, b"content")?;
                t.expect_refused(commit(up, b"conten"), OFFSET)?;
                t.expect_refused(commit(up, b"content"), EXISTS).map(drop)
            }),
        must("commit-checks-the-hash-before-the-target", &["COMMIT-1", "COMMIT-2", "CODE-5"])
            .sends("onto a file, and where the parent is missing, `commit` with a wrong hash")
            .passes("DIGEST, which discards the upload.")
            .run(|t| {
                let file = t.file("f", b"here")?;
                let lost = t.path("missing/f");
                for path in [file, lost] {
                    let up = t.id();
                    stage(t, up, &path, b"content")?;
                    t.expect(commit(up, b"CONTENT"), DIGEST)?;
                    t.expect(append(up, 7, "x"), NO_UPLOAD)?;
                }
                Ok(())
            }),
        must("commit-checks-its-arguments-first", &["OP-4", "OP-2", "CODE-5", "REFUSE-1"])
            .sends("`commit` with a hash of 31 and 33 bytes, a `pre` of another text, of 0 and of 65 bytes, and without size or hash")
            .passes("BAD_ARGS, and the upload is kept.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"content")?;
                let right = || commit(up, b"content");
                let wrong = [
                    right().arg("hash", vec![7; 31]),
                    right().arg("hash", vec![7; 33]),
                    right().arg("pre", "none"),
                    right().arg("pre", vec![]),
                    right().arg("pre", vec![7; 65]),
                    right().arg("pre", true),
                    right().arg("size", -1_i64),
                    right().without("size"),
                    right().without("hash"),
                ];
                for request in wrong {
                    t.expect_refused(request, BAD_ARGS)?;
                }
                t.expect_absent(&path)?;
                t.control(right()).map(drop)
            }),
        must("a-commit-sent-twice-is-executed-once", &["SEQ-3", "COMMIT-3"])
            .sends("`commit`, and the identical message again")
            .passes("The same reply twice; the file is untouched by the second.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"content")?;
                let seq = t.send(&commit(up, b"content"))?;
                let first = t.expect_reply(seq, OK)?;
                t.resend(seq)?;
                let again = t.first_reply(seq)?;
                t.equal("the reply to the same message", again.frames, first.frames)?;
                t.expect_content(&path, b"content")
            }),
        must("commit-sets-the-modification-time", &["COMMIT-4"])
            .sends("`put` and `commit` with the same `mtime_ns`, some after and one before 1970")
            .passes("Both files have the same modification time, within 2 s of what was asked for.")
            .run(|t| {
                for (number, time) in [1_600_000_000_123_456_789_i64, 1, -86_400_000_000_001].into_iter().enumerate() {
                    let beside = t.path(&format!("put{number}"));
                    let kept = t.setup(put(&beside, "x").arg("mtime_ns", time))?.entry()?.mtime_ns()?;
                    let (up, path) = (t.id(), t.path(&format!("f{number}")));
                    stage(t, up, &path, b"x")?;
                    t.expect_ok(commit(up, b"x").arg("mtime_ns", time))?;
                    let got = t.entry(&path)?.mtime_ns()?;
                    t.equal("mtime_ns", got, kept)?;
                    // Some file systems cannot store times before 1970.
                    t.check(time < 0 || (got - time).abs() < 2_000_000_000, format!("mtime_ns is {got}, not {time}"))?;
                }
                Ok(())
            }),
        must("commit-without-a-time-sets-the-servers-time", &["COMMIT-4"])
            .sends("`begin` and `append`; 100 ms later `put`, `commit` without `mtime_ns`, and `put`")
            .passes("The committed file's modification time lies between those of the two others.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"x")?;
                t.let_pass(Duration::from_millis(100))?;
                let (before, after) = (t.file("before", b"x")?, t.path("after"));
                let made = t.expect_ok(commit(up, b"x"))?.entry()?.mtime_ns()?;
                t.setup(put(&after, "x"))?;
                let (least, most) = (t.entry(&before)?.mtime_ns()?, t.entry(&after)?.mtime_ns()?);
                t.check(
                    (least.saturating_sub(TICK_NS)..=most.saturating_add(TICK_NS)).contains(&made),
                    format!("mtime_ns is {made}, and not within {least} to {most}"),
                )
            }),
        must("commit-resolves-the-path-at-commit", &["COMMIT-3"])
            .sends("`begin` for `d/f`, `move` of `d` to `e`, `mkdir` of `d`, `commit`")
            .passes("The file is in `d`, and not in `e`.")
            .run(|t| {
                let (directory, moved) = (t.subdirectory("d")?, t.path("e"));
                let (up, path) = (t.id(), format!("{directory}/f"));
                stage(t, up, &path, b"content")?;
                t.setup(rename(&directory, &moved))?;
                t.setup(mkdir(&directory))?;
                t.expect_ok(commit(up, b"content"))?;
                t.expect_absent(&format!("{moved}/f"))?;
                t.expect_content(&path, b"content")
            }),
        must("commit-does-not-touch-its-neighbours", &["COMMIT-3", "UP-3"])
            .sends("`commit` of one upload while another for a sibling is staged, next to a file")
            .passes("The other upload and the file are unchanged.")
            .run(|t| {
                let beside = t.file("beside", b"beside")?;
                let (up, other) = (t.id(), t.id());
                let (path, sibling) = (t.path("f"), t.path("g"));
                stage(t, other, &sibling, b"other")?;
                stage(t, up, &path, b"content")?;
                t.expect_ok(commit(up, b"content"))?;
                t.expect_content(&beside, b"beside")?;
                t.expect_absent(&sibling)?;
                expect_staged(t, other, &sibling, b"other")
            }),
        must("an-etag-changes-by-commit", &["ENTRY-3"])
            .sends("two commits over a file, of the same content and modification time")
            .passes("Every etag is another one.")
            .run(|t| {
                let (first, second) = (t.path("f"), t.id());
                let path = first;
                t.setup(put(&path, "same").arg("mtime_ns", 1_600_000_000_000_000_000_i64))?;
                let before = t.entry(&path)?.etag()?;
                stage(t, second, &path, b"else")?;
                let request = commit(second, b"else").arg("pre", "any");
                t.expect_ok(request.arg("mtime_ns", 1_600_000_000_000_000_000_i64))?;
                let after = t.entry(&path)?.etag()?;
                t.check(before != after, "the etag of a replaced file is that of the file before")
            }),
        must("a-refused-commit-can-be-repeated", &["COMMIT-2"])
            .sends("`commit` that is refused three times in three ways, more `append`, and `commit`")
            .passes("Every refusal keeps the upload, which can still be committed.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let up = t.id();
                stage(t, up, &path, b"new")?;
                refuse(t, commit(up, b"ne"), crate::wire::code::OFFSET)?;
                refuse(t, commit(up, b"new"), EXISTS)?;
                refuse(t, commit(up, b"new").arg("pre", vec![1, 2, 3]), crate::wire::code::CHANGED)?;
                t.expect_ok(append(up, 3, "er"))?;
                t.expect_ok(commit(up, b"newer").arg("pre", "any"))?;
                t.expect_content(&path, b"newer")
            }),
        must("commit-uses-the-window", &["SEQ-9", "COMMIT-3"])
            .sends("`begin`, `append`, `commit` and `stat` at once, where the window allows")
            .passes("OK to all, and `stat` shows the file.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                if t.server()?.window < 4 {
                    return not_applicable(format!("hello said window: {}", t.server()?.window));
                }
                let requests = [begin(up, &path), append(up, 0, "now"), commit(up, b"now"), stat(&path)];
                let sent = requests.iter().map(|request| t.send(request)).collect::<Result<Vec<_>, _>>()?;
                let size = t.expect_replies(&sent, OK)?.pop().map(|reply| reply.entry().and_then(|entry| entry.size())).transpose()?;
                t.equal("the size that stat shows", size, Some(3))
            }),
    ]
}

fn refuse(t: &mut CaseContext, request: Request, code: crate::wire::code::Code) -> crate::engine::error::CaseResult {
    t.expect_refused(request, code).map(drop)
}
