//! Sections 11.12 to 11.14: remove, move and copy.

use super::{
    reading::others,
    support::files::{expect_all, expect_stat, lasting, listed, refuse_all, settled, setup_all},
};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{CHANGED, DENIED, LOOP, NOT_EMPTY, NOT_FILE, NOT_FOUND, OK},
        request::{Request, copy, hash, mkdir, put, remove, rename, truncate, write},
    },
};

/// A modification time of the year 2001, in whole seconds.
const OLD: i64 = 1_000_000_000_000_000_000;

/// A request of an operation with two paths.
type FromToRequest = fn(&str, &str) -> Request;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = removals();
    cases.extend(moves());
    cases.extend(copies());
    cases.extend(loops());
    cases.extend(both());
    cases
}

fn removals() -> Vec<Case> {
    vec![
        must("remove-removes-a-file", &["REMOVE-1", "OP-3"])
            .sends("`remove` of a file, `stat`, `remove` again, and `put` under the name")
            .passes("OK and nothing there; NOT_FOUND; OK.")
            .run(|t| {
                let (path, beside) = (t.file("f", b"content")?, t.file("g", b"beside")?);
                t.expect_ok(remove(&path))?;
                t.expect_absent(&path)?;
                t.expect_refused(remove(&path), NOT_FOUND)?;
                t.expect_content(&beside, b"beside")?;
                t.expect_ok(put(&path, "again")).map(drop)
            }),
        must("remove-removes-an-empty-directory", &["REMOVE-1"])
            .sends("`remove` of an empty directory, and of one that was emptied")
            .passes("OK, and nothing is there.")
            .run(|t| {
                let (empty, emptied, file) = (t.subdirectory("d")?, t.subdirectory("e")?, t.file("e/f", b"")?);
                for path in [empty, file, emptied] {
                    t.expect_ok(remove(&path))?;
                    t.expect_absent(&path)?;
                }
                Ok(())
            }),
        must("remove-of-a-directory-that-is-not-empty-is-refused", &["REMOVE-2"])
            .sends("`remove` of a directory with a file in it, and of one with an empty directory in it")
            .passes("NOT_EMPTY, and all is there; OK once they are empty.")
            .run(|t| {
                let (one, other) = (t.subdirectory("d")?, t.subdirectory("e")?);
                let (file, directory) = (t.file("d/f", b"content")?, t.subdirectory("e/sub")?);
                refuse_all(t, vec![remove(&one), remove(&other)], NOT_EMPTY)?;
                for path in [file, directory, one, other] {
                    t.control(remove(&path))?;
                }
                Ok(())
            }),
        must("the-root-is-not-removed", &["REMOVE-3"])
            .sends("`remove` of `/`, with an etag too")
            .passes("DENIED.")
            .run(|t| refuse_all(t, vec![remove("/"), remove("/").arg("etag", *b"etag")], DENIED)),
        must("remove-checks-the-etag", &["OP-7", "OP-4"])
            .sends("`remove` with etags that are not the file's own, and with its own")
            .passes("CHANGED and the file is there; OK and it is gone.")
            .run(|t| {
                let (path, other) = (t.file("f", b"content")?, t.file("other", b"different")?);
                let (right, another) = (t.entry(&path)?.etag()?, t.entry(&other)?.etag()?);
                let wrong = others(&right, another).into_iter().map(|etag| remove(&path).arg("etag", etag)).collect();
                refuse_all(t, wrong, CHANGED)?;
                t.control(remove(&path).arg("etag", right))?;
                t.expect_absent(&path)
            }),
        must("remove-of-a-directory-by-an-etag-is-changed", &["OP-7", "CODE-5"])
            .sends("`remove` of an empty and of a full directory with an etag; without one afterwards")
            .passes("CHANGED to both: a directory has no etag.")
            .run(|t| {
                let (empty, full) = (t.subdirectory("d")?, t.subdirectory("e")?);
                t.file("e/f", b"")?;
                refuse_all(
                    t,
                    vec![remove(&empty).arg("etag", *b"etag"), remove(&full).arg("etag", *b"etag")],
                    CHANGED,
                )?;
                t.control(remove(&empty)).map(drop)
            }),
        must("remove-of-nothing-by-an-etag-is-not-found", &["CODE-5", "OP-7"])
            .sends("`remove` with an etag of a missing name")
            .passes("NOT_FOUND.")
            .run(|t| {
                let missing = t.path("missing");
                t.expect_refused(remove(&missing).arg("etag", *b"etag"), NOT_FOUND).map(drop)
            }),
    ]
}

/// The file `f` with an old time.
fn old_file(t: &mut CaseContext) -> CaseResult<String> {
    let path = t.path("f");
    t.setup(put(&path, "content").arg("mtime_ns", OLD))?;
    Ok(path)
}

fn moves() -> Vec<Case> {
    vec![
        must("move-renames-a-file", &["MOVE-1", "MOVE-3", "ENTRY-5"])
            .sends("`move` of a file to another name, and into another directory")
            .passes("Content, size and time are there, and nothing under the old name.")
            .run(|t| {
                let path = old_file(t)?;
                t.subdirectory("d")?;
                let (beside, below) = (t.path("g"), t.path("d/g"));
                for (from, to) in [(&path, &beside), (&beside, &below)] {
                    let entry = t.expect_ok(rename(from, to))?.entry()?;
                    expect_stat(t, to, &entry)?;
                    t.equal("the time", entry.mtime_ns()?, OLD)?;
                    t.expect_content(to, b"content")?;
                    t.expect_absent(from)?;
                }
                Ok(())
            }),
        must("move-renames-a-directory", &["MOVE-1", "MOVE-3"])
            .sends("`move` of an empty directory, and of a full one into another directory")
            .passes("All that was in it is there, and nothing under the old name.")
            .run(|t| {
                let (empty, full, into) = (t.subdirectory("empty")?, t.subdirectory("full")?, t.subdirectory("into")?);
                setup_all(t, vec![mkdir(&t.path("full/sub")), put(&t.path("full/sub/f"), "content")])?;
                let (moved, within) = (t.path("moved"), format!("{into}/within"));
                for (from, to) in [(&empty, &moved), (&full, &within)] {
                    let entry = t.expect_ok(rename(from, to))?.entry()?;
                    t.equal("the kind", entry.kind()?, "dir")?;
                    expect_stat(t, to, &entry)?;
                    t.expect_absent(from)?;
                }
                t.expect_content(&format!("{within}/sub/f"), b"content")
            }),
        must("move-that-replaces-leaves-one-file", &["MOVE-1", "MOVE-3", "TARGET-1"])
            .sends("`move` onto a longer file with pre any")
            .passes("The moved content under the target's name, nothing under the old one.")
            .run(|t| {
                let (path, target) = (old_file(t)?, t.file("target", b"rather long content that goes")?);
                t.expect_ok(rename(&path, &target).arg("pre", "any"))?;
                t.expect_content(&target, b"content")?;
                let names = listed(t)?;
                t.equal("the names", names, ["target"])
            }),
        must("a-directory-is-not-moved-by-an-etag", &["OP-7", "CODE-5"])
            .sends("`move` of a directory with an etag; without one afterwards")
            .passes("CHANGED: a directory has no etag.")
            .run(|t| {
                let (directory, to) = (t.subdirectory("d")?, t.path("e"));
                t.expect_refused(rename(&directory, &to).arg("etag", *b"etag"), CHANGED)?;
                t.control(rename(&directory, &to)).map(drop)
            }),
        must("the-root-is-not-moved", &["MOVE-2", "CODE-5"])
            .sends("`move` and `copy` of `/` to a name in it, and to itself")
            .passes("LOOP.")
            .run(|t| {
                let to = t.path("x");
                refuse_all(t, vec![rename("/", &to), rename("/", "/"), copy("/", &to), copy("/", "/")], LOOP)
            }),
        must("three-moves-swap-two-names", &["MOVE-1", "SEQ-9"])
            .sends("Three `move`s that are pipelined and swap two files")
            .passes("Each has the other's content.")
            .run(|t| {
                let (one, two, between) = (t.file("one", b"1")?, t.file("two", b"2")?, t.path("between"));
                expect_all(t, vec![rename(&one, &between), rename(&two, &one), rename(&between, &two)], OK)?;
                t.expect_content(&one, b"2")?;
                t.expect_content(&two, b"1")
            }),
    ]
}

fn copies() -> Vec<Case> {
    vec![
        must("copy-makes-a-file-of-the-same-content-and-time", &["COPY-1", "ENTRY-5"])
            .sends("`copy` of a file and of an empty one, beside and into another directory")
            .passes("Content, size and time of the source; the source is unchanged.")
            .run(|t| {
                let (path, empty) = (old_file(t)?, t.path("empty"));
                t.setup(put(&empty, "").arg("mtime_ns", OLD))?;
                t.subdirectory("d")?;
                for (from, to, content) in [(&path, t.path("g"), &b"content"[..]), (&path, t.path("d/g"), b"content"), (&empty, t.path("h"), b"")] {
                    let before = settled(t, from)?;
                    let entry = t.expect_ok(copy(from, &to))?.entry()?;
                    t.equal("the time", entry.mtime_ns()?, OLD)?;
                    expect_stat(t, &to, &entry)?;
                    t.expect_content(&to, content)?;
                    let after = t.entry(from)?;
                    t.equal("the source", lasting(&after), lasting(&before))?;
                }
                Ok(())
            }),
        must("a-copy-is-independent-of-its-source", &["COPY-1"])
            .sends("`copy`, then `write` to the copy and `truncate` of the source; `copy` again and `remove` of the source")
            .passes("Neither changes the other.")
            .run(|t| {
                let (path, to, second) = (old_file(t)?, t.path("g"), t.path("h"));
                t.setup(copy(&path, &to))?;
                t.expect_ok(write(&to, 0, "C"))?;
                t.expect_content(&path, b"content")?;
                t.expect_ok(truncate(&path, 2))?;
                t.expect_content(&to, b"Content")?;
                setup_all(t, vec![copy(&path, &second), remove(&path)])?;
                t.expect_content(&second, b"co")
            }),
        must("copy-that-replaces-leaves-nothing-of-the-old", &["COPY-1", "TARGET-1"])
            .sends("`copy` onto a longer and newer file with pre any")
            .passes("Content, size and time of the source.")
            .run(|t| {
                let (path, to) = (old_file(t)?, t.file("g", b"rather long content that goes")?);
                let entry = t.expect_ok(copy(&path, &to).arg("pre", "any"))?.entry()?;
                t.equal("the time", entry.mtime_ns()?, OLD)?;
                t.expect_content(&to, b"content")
            }),
        must("copy-needs-a-file", &["COPY-1", "KIND-1"])
            .sends("`copy` of an empty and of a full directory, with an etag too; of a file before")
            .passes("NOT_FILE, and nothing is created.")
            .run(|t| {
                let (path, directory, full) = (old_file(t)?, t.subdirectory("d")?, t.subdirectory("e")?);
                let (file, control, to) = (t.file("e/f", b"")?, t.path("control"), t.path("to"));
                t.control(copy(&file, &control))?;
                let requests = vec![copy(&directory, &to), copy(&full, &to), copy(&full, &path).arg("pre", "any"), copy(&directory, &to).arg("etag", *b"etag")];
                refuse_all(t, requests, NOT_FILE)
            }),
        must("copy-copies-files-of-any-length", &["COPY-1", "HASH-1"])
            .sends("`copy` of a file of 8 MiB with data at its start, across 2 MiB, and at its end")
            .passes("The same size and hash.")
            .run(|t| {
                let (path, to) = (t.file("f", b"start")?, t.path("g"));
                let size = 8 * 1_048_576_u64;
                let bytes = t.bytes(1, 60_000);
                setup_all(t, vec![write(&path, 2 * 1_048_576 - 30_000, bytes), write(&path, size - 3, "end")])?;
                let entry = t.expect_ok(copy(&path, &to))?.entry()?;
                t.equal("the size", entry.size()?, size)?;
                let replies = expect_all(t, vec![hash(&path), hash(&to)], OK)?;
                t.equal_bytes("the hash of the copy", replies[1].bytes("hash")?, replies[0].bytes("hash")?)
            }),
    ]
}

fn loops() -> Vec<Case> {
    let both: [(&str, &'static [&'static str], FromToRequest); 2] =
        [("move", &["MOVE-2", "CODE-5"], rename), ("copy", &["COPY-2", "CODE-5"], copy)];
    let cases = both.into_iter().map(|(op, checks, operation)| {
        must(&format!("{op}-into-itself-is-a-loop"), checks)
            .sends(format!("`{op}` of a file, a directory and a missing name to itself and below itself, with any pre"))
            .passes("LOOP to each, also if the path exists; OK to a name with the same prefix.")
            .run(move |t| {
                let (file, directory, missing) = (old_file(t)?, t.subdirectory("d")?, t.path("x"));
                t.subdirectory("d/sub")?;
                let mut requests = Vec::new();
                for from in [file.as_str(), &directory, &missing] {
                    for to in [from.to_owned(), format!("{from}/y"), format!("{from}/sub/y"), format!("{from}/sub")] {
                        requests.push(operation(from, &to));
                        requests.push(operation(from, &to).arg("pre", "any").arg("etag", *b"etag"));
                    }
                }
                refuse_all(t, requests, LOOP)?;
                let alike = format!("{file}f");
                t.control(operation(&file, &alike)).map(drop)
            })
    });
    let mut cases: Vec<Case> = cases.collect();
    cases.push(
        must("a-directory-moves-beside-one-with-the-same-prefix", &["MOVE-1", "MOVE-2"])
            .sends("`move` of `d` to `dd`, and of `dd` into a directory `d` that was made since")
            .passes("OK to both: neither target is the source or below it.")
            .run(|t| {
                let (directory, alike) = (t.subdirectory("d")?, t.path("dd"));
                t.expect_ok(rename(&directory, &alike))?;
                t.setup(mkdir(&directory))?;
                t.expect_ok(rename(&alike, &format!("{directory}/dd"))).map(drop)
            }),
    );
    cases
}

/// The cases of both `move` and `copy`.
fn both() -> Vec<Case> {
    let both: [(&str, &'static str, FromToRequest); 2] = [("move", "MOVE-1", rename), ("copy", "COPY-1", copy)];
    let cases = both.into_iter().flat_map(|(op, _, operation)| {
        [
            must(&format!("{op}-of-nothing-is-not-found"), &["CODE-5", "PATH-13"])
                .sends(format!(
                    "`{op}` of a missing name to a free name, onto a file, a directory, and into a missing directory"
                ))
                .passes("NOT_FOUND to each: the source is looked at before the target.")
                .run(move |t| {
                    let (file, directory, missing) =
                        (t.file("f", b"content")?, t.subdirectory("d")?, t.path("missing"));
                    let into = t.path("gone/x");
                    let through = t.path("f/x");
                    let free = t.path("free");
                    let targets = [file, directory, into, through, free];
                    refuse_all(t, targets.iter().map(|to| operation(&missing, to)).collect(), NOT_FOUND)
                }),
            must(&format!("{op}-checks-the-etag-of-its-source"), &["OP-7", "OP-4", "CODE-5"])
                .sends(format!(
                    "`{op}` with etags that are not the source's, onto nothing and onto a file; with its own"
                ))
                .passes("CHANGED to each, for every target; OK.")
                .run(move |t| {
                    let (path, other, to) = (old_file(t)?, t.file("other", b"different")?, t.path("to"));
                    let (right, another) = (t.entry(&path)?.etag()?, t.entry(&other)?.etag()?);
                    let wrong = others(&right, another);
                    let requests = wrong.iter().flat_map(|etag| {
                        [operation(&path, &to), operation(&path, &other)]
                            .map(|request| request.arg("etag", etag.as_slice()))
                    });
                    refuse_all(t, requests.collect(), CHANGED)?;
                    t.control(operation(&path, &to).arg("etag", right))?;
                    let names = listed(t)?;
                    t.check(names.iter().any(|name| name == "to"), "the target is not there")
                }),
        ]
    });
    cases.collect()
}
