//! `commit`, observed on the disk.

use super::stage;
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseError, CaseResult, failed, not_applicable},
    },
    wire::{
        code::{EXISTS, NOT_DIR, UNSUPPORTED_KIND},
        request::{commit, copy, put},
    },
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("a-committed-file-has-the-permissions-of-a-new-one", &["TARGET-10"])
            .needs(&[Need::Root, Need::Posix])
            .sends("`put` of a file and `commit` of another, both new")
            .passes("The same permissions, none of them to execute.")
            .run(|t| {
                t.file("put", b"x")?;
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"x")?;
                t.expect_ok(commit(up, b"x"))?;
                let (put, committed) = (mode_of(&t.on_disk("put")?)?, mode_of(&t.on_disk("f")?)?);
                t.check(put == committed, format!("put made {put:04o}, commit {committed:04o}"))?;
                t.check(committed & 0o111 == 0, format!("the permissions are {committed:04o}"))
            }),
        must("commit-keeps-other-links-of-the-file", &["TARGET-8", "COMMIT-3"])
            .needs(&[Need::Root, Need::Posix])
            .sends("over a file with a second hard link, `commit` with `pre` any")
            .passes("OK; the other link still shows the old content.")
            .run(|t| {
                let path = t.file("f", b"old")?;
                let (disk, link) = (t.on_disk("f")?, t.on_disk("link")?);
                fs::hard_link(&disk, &link).or_else(|error| cannot("make a hard link", &error))?;
                let up = t.id();
                stage(t, up, &path, b"new")?;
                t.expect_ok(commit(up, b"new").arg("pre", "any"))?;
                t.expect_content(&path, b"new")?;
                let beside = t.path("link");
                t.expect_content(&beside, b"old")
            }),
        must("commit-does-not-follow-a-link", &["PATH-11", "TARGET-4", "TARGET-6", "COMMIT-2"])
            .needs(&[Need::Root, Need::Posix])
            .sends("onto a link to a file, and onto a broken one, `commit` without `pre` and with any")
            .passes("EXISTS and UNSUPPORTED_KIND; the link, what it points to, and the upload are unchanged.")
            .run(|t| {
                let file = t.file("file", b"here")?;
                for (name, points_to) in [("link", "file"), ("broken", "nothing")] {
                    symlink(points_to, t.on_disk(name)?).or_else(|error| cannot("make a link", &error))?;
                    let (up, path) = (t.id(), t.path(name));
                    stage(t, up, &path, b"new")?;
                    t.expect_refused(commit(up, b"new"), EXISTS)?;
                    t.expect_refused(commit(up, b"new").arg("pre", "any"), UNSUPPORTED_KIND)?;
                }
                t.expect_content(&file, b"here")?;
                t.expect_absent(&t.path("nothing"))
            }),
        must("commit-does-not-follow-a-linked-parent", &["PATH-11", "PATH-13", "COMMIT-2"])
            .needs(&[Need::Root, Need::Posix])
            .sends("`begin` in a directory that a link to another one then replaces, and `commit`")
            .passes("NOT_DIR, nothing is created in the other directory, and the upload is kept.")
            .run(|t| {
                let directory = t.subdirectory("d")?;
                let other = t.subdirectory("other")?;
                let (up, path) = (t.id(), format!("{directory}/f"));
                stage(t, up, &path, b"content")?;
                t.setup(crate::wire::request::remove(&directory))?;
                symlink("other", t.on_disk("d")?).or_else(|error| cannot("make a link", &error))?;
                t.expect_refused(commit(up, b"content"), NOT_DIR)?;
                t.expect_absent(&format!("{other}/f"))
            }),
        must("commit-replaces-atomically", &["TARGET-8", "COMMIT-3"])
            .needs(&[Need::Root, Need::Posix])
            .sends("commits over a file of another content and length each, while it is read on the disk all the time")
            .passes("Every read finds the file with one of the contents, complete.")
            .run(|t| {
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or(0).min(262_144);
                let path = t.file("f", &content(0, chunk))?;
                let disk = t.on_disk("f")?;
                let over = AtomicBool::new(false);
                let (committed, seen) = thread::scope(|scope| {
                    let reader = scope.spawn(|| watch(&disk, chunk, &over));
                    let committed = (1..=12).try_for_each(|number| {
                        let up = t.id();
                        stage(t, up, &path, &content(number, chunk))?;
                        t.expect_ok(commit(up, &content(number, chunk)).arg("pre", "any")).map(drop)
                    });
                    over.store(true, Ordering::Relaxed);
                    (committed, reader.join())
                });
                committed?;
                match seen {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(what)) => failed(what),
                    Err(_) => Err(CaseError::Harness("the reader ended in a panic".into())),
                }
            }),
        must("put-after-a-commit-is-not-undone", &["COMMIT-3", "SEQ-9"])
            .needs(&[Need::Root])
            .sends("`commit`, `put` over it, and the file on the disk")
            .passes("The disk has the bytes of each when its reply has arrived.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                stage(t, up, &path, b"committed")?;
                t.expect_ok(commit(up, b"committed"))?;
                let disk = t.on_disk("f")?;
                t.equal_bytes("the file on the disk", &read(&disk)?, b"committed")?;
                t.expect_ok(put(&path, "put").arg("pre", "any"))?;
                t.equal_bytes("the file on the disk", &read(&disk)?, b"put")
            }),
        must("nothing-is-staged-outside-the-served-directory", &["PATH-10"])
            .needs(&[Need::Spawn])
            .sends("`begin` and `append`; `put`, `copy` and `commit`, each of a new file; `begin` and `append` again")
            .passes("OK to each; nothing is created in the parent of the served directory.")
            .run(|t| {
                let before = beside_the_root(t)?;
                let (first, second) = (t.id(), t.id());
                let (path, other, file) = (t.path("f"), t.path("copy"), t.file("file", b"content")?);
                stage(t, first, &path, b"staged")?;
                t.equal("what is beside it while an upload is staged", beside_the_root(t)?, before.clone())?;
                t.expect_ok(copy(&file, &other))?;
                t.expect_ok(commit(first, b"staged"))?;
                stage(t, second, &path, b"staged")?;
                t.equal("what is beside it after all", beside_the_root(t)?, before)
            }),
    ]
}

/// All names below the parent of the served directory, without the content of the latter.
fn beside_the_root(t: &CaseContext) -> CaseResult<Vec<PathBuf>> {
    let root = t.environment.root.as_ref().ok_or_else(|| CaseError::Harness("a spawned server has no root".into()))?;
    let mut names = Vec::new();
    let mut directories: Vec<PathBuf> = root.parent().map(Path::to_owned).into_iter().collect();
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for entry in entries.or_else(|error| cannot("look", &error))? {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && path != *root {
                directories.push(path.clone());
            }
            names.push(path);
        }
    }
    names.sort();
    Ok(names)
}

/// The content of a number: all bytes are that number, and so is the length.
fn content(number: u8, most: usize) -> Vec<u8> {
    vec![number; most - usize::from(number)]
}

/// Reads a file repeatedly; returns what was wrong with it.
fn watch(disk: &Path, most: usize, over: &AtomicBool) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("the file could not be read while it was replaced: {error}");
    while !over.load(Ordering::Relaxed) {
        // Frequent reads detect a name that is missing for a moment and mixed content.
        for _ in 0..16 {
            fs::symlink_metadata(disk).map_err(failed)?;
        }
        let bytes = fs::read(disk).map_err(failed)?;
        let number = bytes.first().copied().unwrap_or(u8::MAX);
        let ends = [bytes.get(bytes.len() / 2), bytes.last()];
        if bytes.len() != most.saturating_sub(number.into()) || ends.iter().any(|byte| *byte != Some(&number)) {
            return Err(format!("the file had {} bytes beginning with {number:#04x}, a mix of two", bytes.len()));
        }
    }
    Ok(())
}

fn read(disk: &Path) -> CaseResult<Vec<u8>> {
    fs::read(disk).or_else(|error| cannot("read the file", &error))
}

fn mode_of(disk: &Path) -> CaseResult<u32> {
    fs::metadata(disk).map(|metadata| metadata.permissions().mode() & 0o777).or_else(|error| cannot("look", &error))
}

/// The user that runs the suite may lack the permission to do that in the served directory.
fn cannot<T>(what: &str, error: &std::io::Error) -> CaseResult<T> {
    not_applicable(format!("the suite cannot {what} in the served directory: {error}"))
}
