//! `commit`: the preconditions of its target.

use super::{expect_staged, stage};
use crate::{
    engine::case::{Case, must},
    wire::{
        code::{CHANGED, EXISTS, NOT_DIR, NOT_FILE, NOT_FOUND},
        request::{commit, mkdir, put, remove},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("commit-onto-a-file-keeps-both", &["TARGET-4", "COMMIT-2", "COMMIT-1"])
            .sends("onto a file, `commit` without `pre` and with absent; then with any")
            .passes("EXISTS, EXISTS: the file and the upload are unchanged; then OK, and the file is replaced.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let up = t.id();
                stage(t, up, &path, b"new")?;
                t.expect_refused(commit(up, b"new"), EXISTS)?;
                t.expect_refused(commit(up, b"new").arg("pre", "absent"), EXISTS)?;
                t.expect_content(&path, b"old")?;
                t.control(commit(up, b"new").arg("pre", "any"))?;
                t.expect_content(&path, b"new")
            }),
        must("a-file-made-after-begin-is-not-replaced", &["TARGET-9", "TARGET-4", "BEGIN-4"])
            .sends("`begin`, `append`, `put` of the same path, `commit` without `pre`")
            .passes("EXISTS, and the file is that of `put`.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"staged")?;
                t.setup(put(&path, "put"))?;
                t.expect_refused(commit(up, b"staged"), EXISTS)?;
                t.expect_content(&path, b"put")?;
                t.setup(remove(&path))?;
                t.control(commit(up, b"staged")).map(drop)
            }),
        must("commit-with-any-can-create-a-file", &["COMMIT-3", "TARGET-1"])
            .sends("`commit` with `pre` any where nothing is")
            .passes("OK, and the file is there.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"new")?;
                t.expect_ok(commit(up, b"new").arg("pre", "any"))?;
                t.expect_content(&path, b"new")
            }),
        must("commit-with-an-etag-replaces-only-that-file", &["TARGET-7", "COMMIT-2"])
            .sends("`commit` with the etag that the file had before it was replaced; then with its present one")
            .passes("CHANGED, and file and upload are unchanged; then OK.")
            .run(|t| {
                let path = t.file("f", b"first")?;
                let stale = t.entry(&path)?.etag()?;
                t.setup(put(&path, "second").arg("pre", "any"))?;
                let present = t.entry(&path)?.etag()?;
                let up = t.id();
                stage(t, up, &path, b"third")?;
                t.expect_refused(commit(up, b"third").arg("pre", stale), CHANGED)?;
                t.expect_content(&path, b"second")?;
                t.control(commit(up, b"third").arg("pre", present))?;
                t.expect_content(&path, b"third")
            }),
        must("commit-with-an-etag-does-not-create", &["TARGET-7", "COMMIT-2"])
            .sends("`commit` with the etag of a file that was removed; then without `pre`")
            .passes("CHANGED and nothing is created; then OK.")
            .run(|t| {
                let path = t.file("f", b"gone")?;
                let etag = t.entry(&path)?.etag()?;
                t.setup(remove(&path))?;
                let up = t.id();
                stage(t, up, &path, b"new")?;
                t.expect_refused(commit(up, b"new").arg("pre", etag), CHANGED)?;
                t.expect_absent(&path)?;
                t.control(commit(up, b"new")).map(drop)
            }),
        must("commit-onto-a-directory-is-refused", &["TARGET-4", "TARGET-5", "COMMIT-2"])
            .sends("onto a directory, `commit` without `pre`, with any, and with an etag")
            .passes("EXISTS, NOT_FILE, NOT_FILE; directory and upload are unchanged.")
            .run(|t| {
                let path = t.subdirectory("d")?;
                let up = t.id();
                stage(t, up, &path, b"content")?;
                t.expect_refused(commit(up, b"content"), EXISTS)?;
                t.expect_refused(commit(up, b"content").arg("pre", "any"), NOT_FILE)?;
                t.expect_refused(commit(up, b"content").arg("pre", vec![7; 8]), NOT_FILE)?;
                t.setup(remove(&path))?;
                t.control(commit(up, b"content").arg("pre", "any")).map(drop)
            }),
        must("commit-without-a-parent-keeps-the-upload", &["COMMIT-2", "PATH-13", "BEGIN-4"])
            .sends(
                "`commit` where the parent is missing, with `pre` absent and any; `mkdir` of the parent, and `commit`",
            )
            .passes("NOT_FOUND, NOT_FOUND, and nothing is created; then OK.")
            .run(|t| {
                let parent = t.path("missing");
                let (up, path) = (t.id(), format!("{parent}/f"));
                stage(t, up, &path, b"content")?;
                t.expect_refused(commit(up, b"content"), NOT_FOUND)?;
                t.expect_refused(commit(up, b"content").arg("pre", "any"), NOT_FOUND)?;
                t.expect_absent(&parent)?;
                t.setup(mkdir(&parent))?;
                t.control(commit(up, b"content"))?;
                t.expect_content(&path, b"content")
            }),
        must("commit-below-a-file-keeps-the-upload", &["COMMIT-2", "PATH-13"])
            .sends("`begin` in a directory; a file replaces the directory; `commit`; then the directory is restored")
            .passes("NOT_DIR, and the upload is kept; then OK.")
            .run(|t| {
                let parent = t.subdirectory("d")?;
                let (up, path) = (t.id(), format!("{parent}/f"));
                stage(t, up, &path, b"content")?;
                t.setup(remove(&parent))?;
                t.setup(put(&parent, "a file"))?;
                t.expect_refused(commit(up, b"content"), NOT_DIR)?;
                t.expect_content(&parent, b"a file")?;
                t.setup(remove(&parent))?;
                t.setup(mkdir(&parent))?;
                t.control(commit(up, b"content"))?;
                t.expect_content(&path, b"content")
            }),
        must("a-refused-commit-keeps-the-staged-bytes", &["COMMIT-2", "BEGIN-1"])
            .sends("`commit` that is answered EXISTS, and `begin` again")
            .passes("The staged bytes' number and hash are unchanged.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let up = t.id();
                stage(t, up, &path, b"staged")?;
                t.expect(commit(up, b"staged"), EXISTS)?;
                expect_staged(t, up, &path, b"staged")
            }),
    ]
}
