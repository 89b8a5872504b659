//! `begin`.

use super::{expect_begun, expect_gone, expect_staged, listed, new_session, stage};
use crate::{
    engine::{
        case::{Case, must},
        error::not_applicable,
    },
    wire::{
        code::{BAD_ARGS, BAD_NAME, LIMIT, NO_SPACE, NO_UPLOAD, OFFSET, OK, TOO_LARGE},
        request::{append, begin, commit, mkdir},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("a-new-upload-is-empty", &["BEGIN-2", "BEGIN-1"])
            .sends("`begin` with an unused id")
            .passes("`off` 0, and the hash of nothing.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                expect_staged(t, up, &path, b"")
            }),
        must("begin-again-continues-the-upload", &["BEGIN-2", "BEGIN-1"])
            .sends("`begin`, `append`, and `begin` with the same id and path; then the rest and `commit`")
            .passes("The second begin answers how many bytes are staged and their hash, and the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"first ")?;
                expect_staged(t, up, &path, b"first ")?;
                t.expect_ok(append(up, 6, "second"))?;
                expect_staged(t, up, &path, b"first second")?;
                t.expect_ok(commit(up, b"first second"))?;
                t.expect_content(&path, b"first second")
            }),
        must("begin-with-another-size-continues-the-upload", &["BEGIN-1", "BEGIN-2", "BEGIN-5"])
            .sends("`begin` with `size` 10 and `append` of 6 bytes; `begin` with `size` 20, with 3, and without; `commit`")
            .passes("Each begin answers the 6 bytes and their hash, and they are committed.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path).arg("size", 10_u64))?;
                t.setup(append(up, 0, "staged"))?;
                for again in [begin(up, &path).arg("size", 20_u64), begin(up, &path).arg("size", 3_u64), begin(up, &path)] {
                    expect_begun(t, again, b"staged")?;
                }
                t.expect_ok(commit(up, b"staged"))?;
                t.expect_content(&path, b"staged")
            }),
        must("begin-in-a-new-session-continues-the-upload", &["UP-2", "BEGIN-1", "BEGIN-2"])
            .sends("`begin` and `append`; `bye` and a new session; `begin` with the same id and path, `append`, `commit`")
            .passes("begin answers the staged bytes' number and hash, and the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"before and ")?;
                new_session(t)?;
                expect_staged(t, up, &path, b"before and ")?;
                t.expect_ok(append(up, 11, "after"))?;
                t.expect_ok(commit(up, b"before and after"))?;
                t.expect_content(&path, b"before and after")
            }),
        must("begin-for-another-path-starts-an-empty-upload", &["BEGIN-2", "BEGIN-1"])
            .sends("`begin` and `append`; `begin` with the same id and another path; `append` and `commit` of other bytes")
            .passes("The second begin answers 0 and the hash of nothing; the other path gets only the other bytes.")
            .run(|t| {
                let (up, first, second) = (t.id(), t.path("first"), t.path("second"));
                stage(t, up, &first, b"the bytes of the first")?;
                expect_staged(t, up, &second, b"")?;
                t.expect(append(up, 22, "after the first"), OFFSET)?;
                t.expect_ok(append(up, 0, "short"))?;
                t.expect_ok(commit(up, b"short"))?;
                t.expect_absent(&first)?;
                t.expect_content(&second, b"short")
            }),
        must("begin-for-another-path-in-a-new-session-starts-an-empty-upload", &["BEGIN-2", "BEGIN-1"])
            .sends("`begin` and `append`; a new session; `begin` with the same id and another path; `commit` of nothing")
            .passes("`off` 0 and the hash of nothing; the other path gets an empty file.")
            .run(|t| {
                let (up, first, second) = (t.id(), t.path("first"), t.path("second"));
                stage(t, up, &first, b"the bytes of the first")?;
                new_session(t)?;
                expect_staged(t, up, &second, b"")?;
                t.expect_ok(commit(up, b""))?;
                t.expect_content(&second, b"")?;
                expect_staged(t, up, &first, b"")
            }),
        must("begin-discards-other-uploads-of-the-path", &["BEGIN-3", "APPEND-2"])
            .sends("`begin` and `append` of one id, `begin` of another id with the same path; `append` and `commit` of both")
            .passes("NO_UPLOAD for the first, which `uploads` does not list any more; the second becomes the file.")
            .run(|t| {
                let (old, new, path) = (t.id(), t.id(), t.path("f"));
                stage(t, old, &path, b"old")?;
                expect_staged(t, new, &path, b"")?;
                expect_gone(t, old, b"old")?;
                t.expect_ok(append(new, 0, "new"))?;
                t.expect_ok(commit(new, b"new"))?;
                t.expect_content(&path, b"new")
            }),
        must("begin-discards-uploads-of-earlier-sessions", &["BEGIN-3"])
            .sends("`begin` and `append`; a new session; `begin` of another id with the same path; `begin` of the first id")
            .passes("`uploads` lists only the second, and the first begins empty.")
            .run(|t| {
                let (old, new, path) = (t.id(), t.id(), t.path("f"));
                stage(t, old, &path, b"old")?;
                new_session(t)?;
                expect_staged(t, new, &path, b"")?;
                let staged = t.staged()?;
                t.equal("what is staged for the path", staged, vec![(new.to_vec(), 0)])?;
                expect_staged(t, old, &path, b"")
            }),
        must("begin-keeps-uploads-of-other-paths", &["UP-3", "BEGIN-3"])
            .sends("`begin` and `append` for a path; `begin` for a longer one with the same prefix, and for its parent")
            .passes("The first is still staged, and takes more.")
            .run(|t| {
                let (up, other, parent) = (t.id(), t.id(), t.id());
                let (path, longer) = (t.path("f"), t.path("f.part"));
                stage(t, up, &path, b"kept")?;
                t.expect_ok(begin(other, &longer))?;
                let directory = t.directory().to_owned();
                t.expect_ok(begin(parent, &directory))?;
                t.expect_ok(append(up, 4, "!"))?;
                t.setup(crate::wire::request::abort(parent))?;
                expect_staged(t, up, &path, b"kept!")
            }),
        must("a-begin-with-bad-arguments-discards-nothing", &["BEGIN-3", "REFUSE-1", "OP-2"])
            .sends("`begin` with a `size` of −1: of another id for a staged path, and of a staged id for another path")
            .passes("BAD_ARGS, and the upload continues unchanged.")
            .run(|t| {
                let (up, other, path, elsewhere) = (t.id(), t.id(), t.path("f"), t.path("g"));
                stage(t, up, &path, b"kept")?;
                t.expect_refused(begin(other, &path).arg("size", -1_i64), BAD_ARGS)?;
                t.expect_refused(begin(up, &elsewhere).arg("size", -1_i64), BAD_ARGS)?;
                t.expect_ok(append(up, 4, "!"))?;
                t.expect(append(other, 0, "!"), NO_UPLOAD)?;
                t.control(begin(other, &elsewhere).arg("size", 1_i64)).map(drop)
            }),
        must("a-begin-that-is-too-large-discards-nothing", &["BEGIN-3", "REFUSE-1"])
            .sends("`begin` with a `size` of 2^63−1, of another id for a path that is staged")
            .passes("If it is refused, the upload continues unchanged.")
            .run(|t| {
                let (up, other, path) = (t.id(), t.id(), t.path("f"));
                stage(t, up, &path, b"kept")?;
                let reply = t.expect(begin(other, &path).arg("size", i64::MAX), [OK, TOO_LARGE, NO_SPACE])?;
                if reply.is_ok() {
                    return not_applicable("begin with a size of 2^63−1 was answered OK");
                }
                t.expect_ok(append(up, 4, "!"))?;
                expect_staged(t, up, &path, b"kept!")
            }),
        must("a-begin-that-is-too-large-keeps-its-own-upload", &["BEGIN-3", "BEGIN-5", "REFUSE-1"])
            .sends("`begin` with a `size` of 2^63−1, of an id that is staged, for its path and for another one")
            .passes("OK, TOO_LARGE or NO_SPACE; where it is refused, the upload continues unchanged.")
            .run(|t| {
                let (up, path, elsewhere) = (t.id(), t.path("f"), t.path("g"));
                stage(t, up, &path, b"kept")?;
                t.expect(begin(up, &path).arg("size", i64::MAX), [OK, TOO_LARGE, NO_SPACE])?;
                let reply = t.expect(begin(up, &elsewhere).arg("size", i64::MAX), [OK, TOO_LARGE, NO_SPACE])?;
                if reply.is_ok() {
                    return t.equal("`off` of begin for another path", reply.uint("off")?, 0);
                }
                t.expect_ok(append(up, 4, "!"))?;
                expect_staged(t, up, &path, b"kept!")
            }),
        must("begin-does-not-check-the-target", &["BEGIN-4"])
            .sends("`begin` and `append` for a file, a directory, something in a directory that is not there, and below a file")
            .passes("OK to all.")
            .run(|t| {
                let file = t.file("file", b"here")?;
                let directory = t.subdirectory("directory")?;
                for path in [file.clone(), directory, t.path("missing/deep/f"), format!("{file}/below")] {
                    let up = t.id();
                    t.expect_ok(begin(up, &path))?;
                    t.expect_ok(append(up, 0, "staged"))?;
                }
                t.expect_content(&file, b"here")?;
                t.expect_absent(&t.path("missing"))
            }),
        must("begin-creates-no-directories", &["BEGIN-4", "UP-1"])
            .sends("`begin` and `append` for a path whose parent is missing")
            .passes("The parent is still missing.")
            .run(|t| {
                let (up, parent) = (t.id(), t.path("missing"));
                stage(t, up, &format!("{parent}/f"), b"staged")?;
                t.expect_absent(&parent)?;
                t.control(mkdir(&parent)).map(drop)
            }),
        must("begin-checks-its-path", &["PATH-7", "OP-2"])
            .sends("`begin` for paths with `..`, a control character, a slash at the end, the reserved name, and 129 names")
            .passes("BAD_NAME, and LIMIT for the last.")
            .run(|t| {
                let up = t.id();
                for name in ["../f", "a\u{7}", "f/", ".Remofile", "./f", "a//f"] {
                    let path = t.path(name);
                    t.expect_refused(begin(up, &path), BAD_NAME)?;
                }
                let deep = t.path(&"d/".repeat(129));
                t.expect_refused(begin(up, deep.trim_end_matches('/')), LIMIT)?;
                let path = t.path("f");
                t.control(begin(up, &path)).map(drop)
            }),
        must("the-announced-size-is-a-hint", &["BEGIN-5"])
            .sends("`begin` with `size` 5, and `append` and `commit` of 10 bytes; with `size` 10, and 3 bytes")
            .passes("OK to all, and the files have 10 and 3 bytes.")
            .run(|t| {
                for (name, announced, content) in [("more", 5_u64, &b"ten bytes!"[..]), ("less", 10, b"few")] {
                    let (up, path) = (t.id(), t.path(name));
                    t.expect_ok(begin(up, &path).arg("size", announced))?;
                    t.expect_ok(append(up, 0, content))?;
                    t.expect_ok(commit(up, content))?;
                    t.expect_content(&path, content)?;
                }
                Ok(())
            }),
        must("uploads-shows-the-size-of-the-last-begin", &["BEGIN-5", "UPLOADS-1"])
            .sends("`begin` with `size` 10, again with `size` 20, again without, and `uploads` after each")
            .passes("10, then 20, then no `size`.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                for size in [10_u64, 20] {
                    t.setup(begin(up, &path).arg("size", size))?;
                    let shown = listed(t, up)?.and_then(|upload| upload.uint("size").ok());
                    t.equal("`size` in uploads", shown, Some(size))?;
                }
                t.setup(begin(up, &path))?;
                let shown = listed(t, up)?.map(|upload| upload.uint("size").ok());
                t.equal("`size` in uploads after a begin without one", shown, Some(None))
            }),
        must("a-size-of-0-can-be-announced", &["UPLOADS-1"])
            .sends("`begin` with `size` 0, and `uploads`")
            .passes("`size` 0.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path).arg("size", 0_u64))?;
                let shown = listed(t, up)?.and_then(|upload| upload.uint("size").ok());
                t.equal("`size` in uploads", shown, Some(0))
            }),
        must("begin-accepts-only-ids-of-16-bytes", &["OP-4"])
            .sends("`begin` with `up` of 15, 17 and 0 bytes, as a text of 16, and left out; and of 16 bytes")
            .passes("BAD_ARGS to all but the last.")
            .run(|t| {
                let path = t.path("f");
                for length in [15, 17, 0] {
                    t.expect_refused(begin([0; 16], &path).arg("up", vec![7; length]), BAD_ARGS)?;
                }
                t.expect_refused(begin([0; 16], &path).arg("up", "sixteen letters!"), BAD_ARGS)?;
                t.expect_refused(begin([0; 16], &path).without("up"), BAD_ARGS)?;
                let up = t.id();
                t.control(begin(up, &path)).map(drop)
            }),
    ]
}
