//! Section 9: entries and etags.

use super::support::files::{RACY_FOR, expect_stat, lasting, settled, settles, setup_all};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::request::{
        Request, append, begin, commit, copy, hash, list, mkdir, put, read, remove, rename, stat, touch, truncate,
        write,
    },
};
use std::collections::BTreeMap;

/// A modification time of the year 2001, in whole seconds.
const OLD: i64 = 1_000_000_000_000_000_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = kinds();
    cases.extend(results());
    cases.extend(CHANGES.iter().map(|(what, change)| changed(what, *change)));
    cases.extend(etags());
    cases
}

fn kinds() -> Vec<Case> {
    vec![
        must("a-directory-has-neither-size-nor-etag", &["ENTRY-2", "STAT-1"])
            .sends("`mkdir`, and `stat` of the new directory")
            .passes("kind dir with mtime_ns, and neither size nor etag.")
            .run(|t| {
                let path = t.subdirectory("d")?;
                let entry = t.expect_ok(stat(&path))?.entry()?;
                t.equal("the entry's kind", entry.kind()?, "dir")?;
                t.check(entry.mtime_ns().is_ok(), "the entry has no mtime_ns")?;
                let unexpected = entry.keys().into_iter().find(|key| ["size", "etag", "racy"].contains(key));
                t.equal("what stands in a directory's entry", unexpected, None)
            }),
        must("a-file-has-size-time-and-etag", &["ENTRY-2", "STAT-1", "ENTRY-1"])
            .sends("`put` of files of 0, 1 and 65,536 bytes with a modification time, and `stat` of each")
            .passes("kind file, that size, that time, an etag.")
            .run(|t| {
                for size in [0, 1, 65_536_usize] {
                    let path = t.path(&size.to_string());
                    t.setup(put(&path, vec![b'x'; size]).arg("mtime_ns", OLD))?;
                    let entry = t.expect_ok(stat(&path))?.entry()?;
                    t.equal("the entry's kind", entry.kind()?, "file")?;
                    t.equal("the entry's size", entry.size()?, size as u64)?;
                    t.equal("the entry's mtime_ns", entry.mtime_ns()?, OLD)?;
                    t.check(!entry.etag()?.is_empty(), "the etag is empty")?;
                }
                Ok(())
            }),
        must("entries-in-a-listing-are-those-of-stat", &["ENTRY-5", "ENTRY-2"])
            .sends("`list` of a directory with files and a directory in it, with `tree` and without; `stat` of each")
            .passes("Each listed entry is, but for its name, what `stat` says.")
            .run(|t| {
                let (file, empty, below) = (t.path("file"), t.path("empty"), t.path("d/below"));
                let steps = vec![put(&file, "abc"), put(&empty, ""), mkdir(&t.path("d")), put(&below, "xy")];
                setup_all(t, steps)?;
                for tree in [false, true] {
                    let request = list(t.directory()).arg("tree", tree);
                    let entries = t.entries(&request)?;
                    t.equal("the number of entries", entries.len(), if tree { 4 } else { 3 })?;
                    for entry in entries {
                        let path = t.path(entry.text("name")?);
                        expect_stat(t, &path, &entry)?;
                    }
                }
                Ok(())
            }),
    ]
}

/// An operation on the file `f` (`other` and the directory `d` exist too), and the path of the entry afterwards.
type EntrySource = fn(&mut CaseContext) -> CaseResult<(Request, &'static str)>;

const RESULTS: &[(&str, EntrySource)] = &[
    ("put-that-creates", |t| Ok((put(&t.path("new"), "new"), "new"))),
    ("put-that-replaces", |t| Ok((put(&t.path("f"), "new").arg("pre", "any"), "f"))),
    ("put-with-a-time", |t| Ok((put(&t.path("new"), "new").arg("mtime_ns", OLD), "new"))),
    ("write", |t| Ok((write(&t.path("f"), 2, "longer than it was"), "f"))),
    ("write-of-nothing", |t| Ok((write(&t.path("f"), 2, ""), "f"))),
    ("truncate", |t| Ok((truncate(&t.path("f"), 70_000), "f"))),
    ("touch-of-a-file", |t| Ok((touch(&t.path("f"), OLD), "f"))),
    ("touch-of-a-directory", |t| Ok((touch(&t.path("d"), OLD), "d"))),
    ("mkdir", |t| Ok((mkdir(&t.path("new")), "new"))),
    ("move-of-a-file", |t| Ok((rename(&t.path("f"), &t.path("d/new")), "d/new"))),
    ("move-that-replaces", |t| Ok((rename(&t.path("f"), &t.path("other")).arg("pre", "any"), "other"))),
    ("move-of-a-directory", |t| Ok((rename(&t.path("d"), &t.path("new")), "new"))),
    ("copy-that-creates", |t| Ok((copy(&t.path("f"), &t.path("d/new")), "d/new"))),
    ("copy-that-replaces", |t| Ok((copy(&t.path("f"), &t.path("other")).arg("pre", "any"), "other"))),
    ("commit-that-creates", |t| Ok((staged(t, "new", b"staged")?, "new"))),
    ("commit-that-replaces", |t| Ok((staged(t, "f", b"staged")?.arg("pre", "any").arg("mtime_ns", OLD), "f"))),
];

/// The commit of an upload that was begun and appended to.
fn staged(t: &mut CaseContext, name: &str, content: &[u8]) -> CaseResult<Request> {
    let (up, path) = (t.id(), t.path(name));
    t.setup(begin(up, &path))?;
    t.setup(append(up, 0, content))?;
    Ok(commit(up, content))
}

fn set_up_fixture(t: &mut CaseContext) -> CaseResult {
    let steps = vec![put(&t.path("f"), "content"), put(&t.path("other"), "other"), mkdir(&t.path("d"))];
    setup_all(t, steps).map(drop)
}

fn results() -> Vec<Case> {
    let by_operation = RESULTS.iter().map(|(what, operation)| {
        must(&format!("the-entry-of-a-{what}-is-that-of-stat"), &["ENTRY-5"])
            .sends(format!("{}, and `stat` right after it", what.replace('-', " ")))
            .passes("Both show the same entry.")
            .run(|t| {
                set_up_fixture(t)?;
                let (request, name) = operation(t)?;
                let entry = t.expect_ok(request)?.entry()?;
                let path = t.path(name);
                expect_stat(t, &path, &entry)
            })
    });
    let mut cases: Vec<Case> = by_operation.collect();
    cases.push(
        must("the-etag-of-read-and-hash-is-that-of-stat", &["ENTRY-5", "READ-2", "HASH-2"])
            .sends("`read` and `hash` of a part of a file that was changed just before, and `stat`")
            .passes("All three show the same etag, and `read` the size of the whole file.")
            .run(|t| {
                set_up_fixture(t)?;
                let path = t.path("f");
                t.setup(write(&path, 3, "changed"))?;
                let got = t.expect_ok(read(&path, 2, 3))?;
                let hashed = t.expect_ok(hash(&path).arg("off", 2_u64).arg("len", 3_u64))?;
                let entry = t.expect_ok(stat(&path))?.entry()?;
                t.equal("the etag of read", got.bytes("etag")?, entry.etag()?)?;
                t.equal("the size of read", got.uint("size")?, entry.size()?)?;
                t.equal("the etag of hash", hashed.bytes("etag")?, entry.etag()?)
            }),
    );
    cases
}

/// A change of the file `f`, which has the content `content` and the time [`OLD`].
type EtagChange = fn(&mut CaseContext) -> CaseResult<Vec<Request>>;

const CHANGES: &[(&str, EtagChange)] = &[
    ("a-write-of-the-same-size", |t| Ok(vec![write(&t.path("f"), 0, "changed")])),
    ("a-write-of-one-byte", |t| Ok(vec![write(&t.path("f"), 3, "X")])),
    ("a-write-past-the-end", |t| Ok(vec![write(&t.path("f"), 9, "X")])),
    ("a-truncate-that-cuts", |t| Ok(vec![truncate(&t.path("f"), 6)])),
    ("a-truncate-that-grows", |t| Ok(vec![truncate(&t.path("f"), 8)])),
    ("a-touch", |t| Ok(vec![touch(&t.path("f"), OLD + 2_000_000_000)])),
    ("a-put-of-the-same-size", |t| Ok(vec![put(&t.path("f"), "changed").arg("pre", "any")])),
    ("a-put-of-the-same-size-and-time", |t| {
        Ok(vec![put(&t.path("f"), "changed").arg("pre", "any").arg("mtime_ns", OLD)])
    }),
    ("a-put-of-an-identical-file", |t| Ok(vec![put(&t.path("f"), "content").arg("pre", "any").arg("mtime_ns", OLD)])),
    ("a-copy-of-an-identical-file", |t| {
        let (other, path) = (t.path("other"), t.path("f"));
        Ok(vec![put(&other, "content").arg("mtime_ns", OLD), copy(&other, &path).arg("pre", "any")])
    }),
    ("a-move-of-an-identical-file", |t| {
        let (other, path) = (t.path("other"), t.path("f"));
        Ok(vec![put(&other, "content").arg("mtime_ns", OLD), rename(&other, &path).arg("pre", "any")])
    }),
    ("a-commit-of-an-identical-file", |t| Ok(vec![staged(t, "f", b"content")?.arg("pre", "any").arg("mtime_ns", OLD)])),
    ("a-removal-and-an-identical-put", |t| {
        let path = t.path("f");
        Ok(vec![remove(&path), put(&path, "content").arg("mtime_ns", OLD)])
    }),
];

fn changed(what: &str, change: EtagChange) -> Case {
    must(&format!("{what}-changes-the-etag"), &["ENTRY-3", "ENTRY-6"])
        .sends(format!("`stat` of a file once it is not racy, {}, and `stat`", what.replace('-', " ")))
        .passes("The two etags differ.")
        .run(move |t| {
            let path = t.path("f");
            t.setup(put(&path, "content").arg("mtime_ns", OLD))?;
            let before = settled(t, &path)?.etag()?;
            let requests = change(t)?;
            setup_all(t, requests)?;
            let after = t.entry(&path)?.etag()?;
            t.check(before != after, format!("the etag is {before:02x?} before and after"))
        })
}

fn etags() -> Vec<Case> {
    vec![
        must("a-restored-time-does-not-hide-a-change", &["ENTRY-3"])
            .needs(&[Need::Posix])
            .sends("`write` of the same size and `touch` back to the time before, to a file that is not racy")
            .passes("Another etag than before: the time of the change itself shows it.")
            .run(|t| {
                let path = t.path("f");
                t.setup(put(&path, "content").arg("mtime_ns", OLD))?;
                let before = settled(t, &path)?.etag()?;
                t.setup(write(&path, 0, "changed"))?;
                t.setup(touch(&path, OLD))?;
                let after = t.entry(&path)?.etag()?;
                t.check(before != after, "the etag is the same, although the content is not")
            }),
        must("an-etag-stays-while-nothing-changes", &["ENTRY-3", "ENTRY-5"])
            .sends("`read`, `hash`, `list`, `copy` from it, refused `put` and `write`, and `write` of nothing; `stat`")
            .passes("The same entry as before.")
            .run(|t| {
                set_up_fixture(t)?;
                let path = t.path("f");
                let before = settled(t, &path)?;
                let directory = t.directory().to_owned();
                setup_all(
                    t,
                    vec![
                        read(&path, 0, 7),
                        hash(&path),
                        list(&directory),
                        copy(&path, &t.path("copy")),
                        write(&path, 3, ""),
                        put(&t.path("beside"), ""),
                    ],
                )?;
                t.call(put(&path, "refused"))?;
                t.call(write(&path, 0, "refused").arg("etag", *b"another"))?;
                let after = t.expect_ok(stat(&path))?.entry()?;
                t.equal("the entry", lasting(&after), lasting(&before))
            }),
        must("an-etag-holds-in-another-session", &["ENTRY-3", "ENTRY-4"])
            .sends("`stat` in one session and in the next, and `read` with the etag of the first")
            .passes("The same etag, and OK.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let before = settled(t, &path)?.etag()?;
                t.close()?;
                t.open()?;
                t.expect_ok(read(&path, 0, 7).arg("etag", before.as_slice()))?;
                let after = t.entry(&path)?.etag()?;
                t.equal("the etag", after, before)
            }),
        must("an-etag-depends-on-the-file-and-not-only-the-path", &["ENTRY-3"])
            .sends("`put` of two files, and `move` of each to the other's name, once they are not racy")
            .passes("Each name has another etag than before.")
            .run(|t| {
                let (one, two, between) = (t.file("one", b"1")?, t.file("two", b"2")?, t.path("between"));
                let (first, second) = (settled(t, &one)?.etag()?, settled(t, &two)?.etag()?);
                setup_all(t, vec![rename(&one, &between), rename(&two, &one), rename(&between, &two)])?;
                let now = (t.entry(&one)?.etag()?, t.entry(&two)?.etag()?);
                t.check(now.0 != first && now.1 != second, "a name kept its etag, although another file has it now")
            }),
        must("racy-is-left-out-after-a-time", &["ENTRY-6"])
            .sends("`put`, and `stat` until its entry is no longer racy")
            .passes("`racy` is left out within 5 s: nothing has changed the file.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let settles = settles(t, &path)?.is_some();
                t.check(settles, format!("{path} is still racy after {RACY_FOR:?}, and nothing has changed it"))
            }),
        must("an-etag-repeats-only-after-a-racy-entry", &["ENTRY-6", "ENTRY-3"])
            .sends("200 `write`s of the same size, each of other content, as fast as the window allows")
            .passes("Where two entries have one etag, the earlier was racy.")
            .run(|t| {
                let path = t.file("f", b"0000")?;
                let writes = (1..=200).map(|turn| write(&path, 0, format!("{turn:04}"))).collect();
                let mut steady = BTreeMap::new();
                for (turn, reply) in (1..).zip(setup_all(t, writes)?) {
                    let entry = reply.entry()?;
                    let etag = entry.etag()?;
                    if let Some(earlier) = steady.get(&etag) {
                        return failed(format!("write {earlier} answered the etag of write {turn}, and was not racy"));
                    }
                    if entry.value.member("racy").is_none() {
                        steady.insert(etag, turn);
                    }
                }
                Ok(())
            }),
        must("an-etag-survives-a-restart", &["ENTRY-4"])
            .needs(&[Need::Restart])
            .sends("`stat` before and after a restart of the server")
            .passes("The same etag.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let before = settled(t, &path)?.etag()?;
                t.environment.server.borrow_mut().kill_and_restart()?;
                t.reconnect()?;
                t.open()?;
                let after = t.entry(&path)?.etag()?;
                t.equal("the etag", after, before)
            }),
    ]
}
