//! Staged uploads: invisible, listed by `uploads`, discarded by `abort`.

use super::{expect_gone, expect_staged, listed, new_session, stage};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseResult, not_applicable},
    },
    wire::{
        code::{BAD_ARGS, NOT_FOUND},
        request::{abort, append, begin, commit, hash, list, put, read, uploads},
    },
};
use std::time::{Duration, Instant};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("nothing-is-visible-before-commit", &["UP-1"])
            .sends("`begin` and `append`; `stat`, `read` and `hash` of the path, and listings")
            .passes("NOT_FOUND to all three, and no listing has a name that it did not have before.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let (before, top) = (t.snapshot()?, names_at_the_top(t)?);
                stage(t, up, &path, b"staged")?;
                t.expect(crate::wire::request::stat(&path), NOT_FOUND)?;
                t.expect(read(&path, 0, 6), NOT_FOUND)?;
                t.expect(hash(&path), NOT_FOUND)?;
                let staged = names_at_the_top(t)?;
                t.setup(abort(up))?;
                t.expect_unchanged(&before)?;
                // Other processes may create files there, independently of the upload.
                let after = names_at_the_top(t)?;
                let shown = staged.iter().find(|name| !top.contains(name) && !after.contains(name));
                t.check(shown.is_none(), format!("while an upload was staged, `/` had a name {shown:?}"))
            }),
        must("a-staged-upload-does-not-change-its-target", &["UP-1", "TARGET-8"])
            .sends("over a file, `begin` and `append`; then `read`")
            .passes("The file is unchanged until `commit`.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let etag = t.entry(&path)?.etag()?;
                let up = t.id();
                stage(t, up, &path, b"brand new")?;
                t.expect_content(&path, b"old")?;
                let now = t.entry(&path)?.etag()?;
                t.equal("the etag of the target", now, etag)?;
                t.control(commit(up, b"brand new").arg("pre", "any"))?;
                t.expect_content(&path, b"brand new")
            }),
        must("uploads-lists-staged-uploads", &["UPLOADS-1"])
            .sends("three uploads of 0, 1 and 5 bytes, the second with the greatest id and the third with the least, and `uploads`")
            .passes("All three with path and `off`, in ascending order of their ids.")
            .run(|t| {
                let mut wanted = Vec::new();
                for (number, content) in [(2_u8, ""), (3, "1"), (1, "12345")] {
                    let mut up = t.id();
                    up[0] = number;
                    let path = t.path(&format!("f{number}"));
                    stage(t, up, &path, content.as_bytes())?;
                    wanted.push((up.to_vec(), content.len() as u64));
                    wanted.sort_unstable();
                    let shown = listed(t, up)?.map(|upload| upload.text("path").map(str::to_owned)).transpose()?;
                    t.equal("`path` in uploads", shown, Some(path))?;
                }
                let mut staged = Vec::new();
                for upload in t.uploads(&uploads())? {
                    if upload.text("path")?.starts_with(t.directory()) {
                        staged.push((upload.bytes("up")?.to_vec(), upload.uint("off")?));
                    }
                }
                t.equal("what `uploads` lists of the case's", staged, wanted)
            }),
        must("uploads-continues-after-an-id", &["UPLOADS-1"])
            .sends("two uploads; `uploads` with `after` set to the first, to one between, to the last, and to 16 bytes of ff")
            .passes("Only uploads with higher ids, whether or not an upload has that id.")
            .run(|t| {
                let first = t.id();
                let second = u128::from_be_bytes(first).wrapping_add(2).to_be_bytes();
                if second < first {
                    return not_applicable("the ids that were drawn lie around zero");
                }
                let between = u128::from_be_bytes(first).wrapping_add(1).to_be_bytes();
                let (one, other) = (t.path("one"), t.path("other"));
                t.setup(begin(first, &one))?;
                t.setup(begin(second, &other))?;
                for (after, has_first, has_second) in [
                    (u128::from_be_bytes(first).wrapping_sub(1).to_be_bytes(), true, true),
                    (first, false, true),
                    (between, false, true),
                    (second, false, false),
                ] {
                    let page = t.uploads(&uploads().arg("after", after))?;
                    let has = |up: [u8; 16]| page.iter().any(|upload| upload.bytes("up").is_ok_and(|found| found == up));
                    t.equal("whether the first is listed", has(first), has_first)?;
                    t.equal("whether the second is listed", has(second), has_second)?;
                }
                let page = t.expect_ok(uploads().arg("after", [0xff; 16]))?;
                t.equal("what is listed after all ids", page.items("uploads")?.len(), 0)?;
                t.equal("`more` after all ids", page.bool("more")?, false)
            }),
        must("uploads-after-needs-16-bytes", &["OP-2", "UPLOADS-1"])
            .sends("`uploads` with `after` of 15, 17 and 0 bytes, as a text; and of 16 bytes")
            .passes("BAD_ARGS to all but the last.")
            .run(|t| {
                for length in [15, 17, 0] {
                    t.expect_refused(uploads().arg("after", vec![0; length]), BAD_ARGS)?;
                }
                t.expect_refused(uploads().arg("after", "sixteen letters!"), BAD_ARGS)?;
                t.control(uploads().arg("after", [0; 16])).map(drop)
            }),
        must("the-age-of-an-upload-counts-from-its-last-use", &["UPLOADS-1"])
            .sends("two uploads, and 150 ms later `append` to one, `begin` of the other, and `uploads` before and after each")
            .passes("`age_ms` covers the time since, and restarts by `append` and by `begin`.")
            .run(|t| {
                let stamps = [t.file("stamp", b"x")?, t.file("another", b"x")?];
                let stamps = [t.entry(&stamps[0])?.mtime_ns()?, t.entry(&stamps[1])?.mtime_ns()?];
                if stamps.iter().all(|stamp| stamp % 1_000_000_000 == 0) {
                    return not_applicable("the file system keeps whole seconds");
                }
                let (one, other) = (t.id(), t.id());
                let (first, second) = (t.path("one"), t.path("other"));
                stage(t, one, &first, b"x")?;
                t.setup(begin(other, &second))?;
                t.let_pass(Duration::from_millis(150))?;
                for up in [one, other] {
                    let age = age_of(t, up)?;
                    t.check(age >= 120, format!("`age_ms` is {age} after 150 ms"))?;
                }
                let since = Instant::now();
                t.setup(append(one, 1, "y"))?;
                expect_age_since(t, one, since)?;
                let age = age_of(t, other)?;
                t.check(age >= 120, format!("`age_ms` is {age} after 150 ms and an append to another upload"))?;
                let since = Instant::now();
                t.setup(begin(other, &second))?;
                expect_age_since(t, other, since)
            }),
        must("abort-discards-a-staged-upload", &["ABORT-1"])
            .sends("`abort` of a staged upload, and of the same id again")
            .passes("OK to both; `uploads` does not list it any more, and it begins empty.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"staged")?;
                t.expect_ok(abort(up))?;
                let shown = listed(t, up)?;
                t.check(shown.is_none(), "`uploads` lists an upload that was aborted")?;
                t.expect_ok(abort(up))?;
                expect_staged(t, up, &path, b"")
            }),
        must("abort-of-nothing-is-ok", &["ABORT-1"])
            .sends("`abort` of an id that was never begun; `begin` of it")
            .passes("OK to both, and the first changes nothing.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let before = t.snapshot()?;
                t.expect_ok(abort(up))?;
                t.expect_unchanged(&before)?;
                expect_staged(t, up, &path, b"")
            }),
        must("abort-needs-an-id", &["OP-4"])
            .sends("`abort` with `up` of 15 and 17 bytes, and left out; `append` and `commit` likewise")
            .passes("BAD_ARGS, not NO_UPLOAD.")
            .run(|t| {
                let up = t.id();
                let requests = [abort(up), append(up, 0, "x"), commit(up, b"x")];
                for request in requests {
                    t.expect_refused(request.clone().arg("up", vec![7; 15]), BAD_ARGS)?;
                    t.expect_refused(request.clone().arg("up", vec![7; 17]), BAD_ARGS)?;
                    t.expect_refused(request.without("up"), BAD_ARGS)?;
                }
                t.control(abort(up)).map(drop)
            }),
        must("abort-reaches-uploads-of-other-sessions", &["ABORT-1", "UP-2"])
            .sends("`begin` and `append`; in a new session `abort` without `begin`; `begin`")
            .passes("OK, `uploads` does not list it any more, and it begins empty.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"staged")?;
                new_session(t)?;
                t.expect_ok(abort(up))?;
                expect_gone(t, up, b"staged")?;
                expect_staged(t, up, &path, b"")
            }),
        must("abort-keeps-all-other-uploads", &["ABORT-1", "UP-3"])
            .sends("over a file, `begin`, `append` and `abort`, while another upload is staged")
            .passes("The file and the other upload are unchanged.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let (up, other, beside) = (t.id(), t.id(), t.path("g"));
                stage(t, other, &beside, b"other")?;
                let before = t.snapshot()?;
                stage(t, up, &path, b"new")?;
                t.expect_ok(abort(up))?;
                t.expect_unchanged(&before)?;
                t.expect_content(&path, b"old")?;
                t.expect_ok(append(other, 5, "!")).map(drop)
            }),
        must("abort-does-not-undo-a-commit", &["ABORT-1"])
            .sends("`commit`, then `abort` of the same id; and the same with a `begin` in between")
            .passes("OK, and the file stays.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"done")?;
                t.setup(commit(up, b"done"))?;
                t.expect_ok(abort(up))?;
                t.expect_content(&path, b"done")?;
                // A client does this when it is uncertain whether its commit was executed.
                expect_staged(t, up, &path, b"")?;
                t.expect_ok(abort(up))?;
                t.expect_content(&path, b"done")
            }),
        must("a-listing-counts-no-staged-upload", &["UP-1", "LIST-12"])
            .sends("with uploads staged for its directory, `list` of it")
            .passes("Only the file, and `skipped` 0.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("staged"));
                stage(t, up, &path, b"staged")?;
                let file = t.path("file");
                t.setup(put(&file, "x"))?;
                let directory = t.directory().to_owned();
                let page = t.expect_ok(list(&directory))?;
                t.equal("the names", page.names()?, ["file"])?;
                t.equal("`skipped`", page.uint("skipped")?, 0)
            }),
    ]
}

/// The names in `/`, from a few pages.
fn names_at_the_top(t: &mut CaseContext) -> CaseResult<Vec<String>> {
    let mut names = Vec::new();
    for _ in 0..4 {
        let after = names.last().cloned().unwrap_or_default();
        let page = t.setup(list("/").arg("after", after))?;
        names.extend(page.names()?);
        if !page.bool("more")? {
            break;
        }
    }
    Ok(names)
}

fn age_of(t: &mut CaseContext, up: [u8; 16]) -> CaseResult<u64> {
    match listed(t, up)? {
        Some(upload) => upload.uint("age_ms"),
        None => crate::engine::error::failed("`uploads` does not list an upload that was begun"),
    }
}

/// Checks that an age is at most the time since, apart from the resolution of the file system's clock.
fn expect_age_since(t: &mut CaseContext, up: [u8; 16], since: Instant) -> CaseResult {
    let age = age_of(t, up)?;
    let most = since.elapsed().as_millis() + 50;
    t.check(u128::from(age) <= most, format!("`age_ms` is {age}, {most} ms at most after its last use"))
}
