//! Sections 11.7 and 11.8: mkdir and put.

use super::support::files::{Clock, expect_all, expect_stat, listed, refuse_all, setup_all};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        code::{EXISTS, NAME_CLASH, NOT_FILE, OK, TOO_LARGE},
        request::{list, mkdir, put, read, remove, stat},
    },
};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// A modification time of the year 2001.
const OLD: i64 = 1_000_000_000_123_456_789;

/// Times with typical errors in arithmetic: before 1970, at the edges of 32 bits, in the far future.
pub(super) const TIMES: [i64; 18] = [
    0,
    1,
    -1,
    999_999_999,
    1_000_000_000,
    -1_000_000_000,
    -999_999_999,
    -1_000_000_001,
    -1_500_000_000,
    OLD,
    1_760_000_000_123_456_789,
    -86_400_123_456_789,
    2_147_483_647_999_999_999,
    2_147_483_648_000_000_000,
    4_294_967_296_500_000_000,
    -2_147_483_648_000_000_000,
    i64::MIN,
    i64::MAX,
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = directories();
    cases.extend(contents());
    cases.extend(times());
    cases.push(whole_from_the_start());
    cases
}

fn directories() -> Vec<Case> {
    vec![
        must("mkdir-makes-an-empty-directory", &["MKDIR-1", "ENTRY-1"])
            .sends("`mkdir`, `stat` and `list` of it, and `put` into it")
            .passes("An entry of kind dir, nothing in it, and it takes a file.")
            .run(|t| {
                let path = t.path("d");
                let entry = t.expect_ok(mkdir(&path))?.entry()?;
                t.equal("the entry's kind", entry.kind()?, "dir")?;
                expect_stat(t, &path, &entry)?;
                let within = t.names(&list(&path))?;
                t.equal("what is in it", within, Vec::<String>::new())?;
                t.expect_ok(put(&format!("{path}/f"), "content")).map(drop)
            }),
        must("mkdir-makes-only-one-directory", &["MKDIR-1", "PATH-13"])
            .sends("`mkdir` of a directory whose parent is missing, before and after the parent was made")
            .passes("NOT_FOUND and no parent; then OK.")
            .run(|t| {
                let (parent, child) = (t.path("d"), t.path("d/e"));
                t.expect_refused(mkdir(&child), crate::wire::code::NOT_FOUND)?;
                t.expect_absent(&parent)?;
                setup_all(t, vec![mkdir(&parent), mkdir(&child)])?;
                let names = listed(t)?;
                t.equal("the names", names, ["d"])
            }),
        must("mkdir-of-an-existing-path-is-exists", &["MKDIR-2"])
            .sends("`mkdir` of a directory, a full directory, a file and `/`; of a removed directory before")
            .passes("EXISTS to each, and nothing changed.")
            .run(|t| {
                let (directory, full) = (t.subdirectory("d")?, t.subdirectory("full")?);
                let (file, _) = (t.file("f", b"content")?, t.file("full/f", b"content")?);
                t.control(remove(&directory))?;
                t.control(mkdir(&directory))?;
                refuse_all(t, vec![mkdir(&directory), mkdir(&full), mkdir(&file), mkdir("/")], EXISTS)
            }),
        must("mkdir-under-another-spelling-is-a-clash", &["MKDIR-2"])
            .needs(&[Need::Folds])
            .sends("`mkdir` of a name that differs in case from a directory that is there")
            .passes("NAME_CLASH, or OK where the server keeps both apart.")
            .run(|t| {
                t.subdirectory("Name")?;
                let second = t.path("name");
                t.expect(mkdir(&second), [NAME_CLASH, OK]).map(drop)
            }),
    ]
}

fn contents() -> Vec<Case> {
    vec![
        must("put-makes-a-file-of-exactly-the-payload", &["PUT-1", "ENV-4"])
            .sends("`put` of 0 bytes, 1 byte, all 256 bytes, line ends, zeros, and what looks like a header")
            .passes("`read` gives exactly those bytes, and the entry has their number.")
            .run(|t| {
                let every: Vec<u8> = (0..=255).collect();
                let contents = [b"".to_vec(), b"x".to_vec(), every, b"a\r\nb\nc\r\x1a".to_vec(), vec![0; 5_000], b"\x85drmf1".to_vec()];
                for (index, content) in contents.iter().enumerate() {
                    let path = t.path(&index.to_string());
                    let entry = t.expect_ok(put(&path, content.clone()))?.entry()?;
                    t.equal("the size", entry.size()?, content.len() as u64)?;
                    t.expect_content(&path, content)?;
                }
                Ok(())
            }),
        must("put-accepts-a-whole-chunk", &["PUT-1", "LIMIT-1", "OP-5"])
            .sends("`put` of as many bytes as a chunk, and of one less")
            .passes("OK, and `read` gives exactly those bytes.")
            .run(|t| {
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or_default();
                let (content, path) = (t.bytes(1, chunk), t.path("f"));
                for length in [chunk - 1, chunk] {
                    t.expect_ok(put(&path, &content[..length]).arg("pre", "any"))?;
                    t.expect_content(&path, &content[..length])?;
                }
                Ok(())
            }),
        must("put-of-more-than-a-chunk-is-too-large", &["OP-5", "LIMIT-4"])
            .sends("`put` of one byte more than a chunk, and of 1,024 more, onto nothing and onto a file; of a chunk before")
            .passes("TOO_LARGE to each, nothing is created or replaced.")
            .run(|t| {
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or_default();
                let (full, old) = (t.path("full"), t.file("old", b"old")?);
                t.control(put(&full, vec![b'x'; chunk]))?;
                let new = t.path("new");
                for over in [1, 1_024] {
                    t.expect_refused(put(&new, vec![b'x'; chunk + over]), TOO_LARGE)?;
                    t.expect_refused(put(&old, vec![b'x'; chunk + over]).arg("pre", "any"), TOO_LARGE)?;
                }
                Ok(())
            }),
        must("put-leaves-nothing-of-the-replaced-file", &["PUT-1", "TARGET-1"])
            .sends("`put` with pre any of shorter, longer and empty content, one after the other")
            .passes("`read` gives exactly the new bytes each time.")
            .run(|t| {
                let path = t.file("f", b"rather long content")?;
                for content in ["short", "longer than all the others that were there", "", "x"] {
                    t.expect_ok(put(&path, content).arg("pre", "any"))?;
                    t.expect_content(&path, content.as_bytes())?;
                }
                let names = listed(t)?;
                t.equal("the names", names, ["f"])
            }),
        must("pipelined-puts-do-not-mix", &["PUT-1", "SEQ-9"])
            .sends("60 `put`s of different content and length, as far ahead as the window allows")
            .passes("Each file has its own content.")
            .run(|t| {
                let content = |index: usize| format!("{index:03}").repeat(index * 7);
                let puts = (0..60).map(|index| put(&t.path(&index.to_string()), content(index))).collect();
                expect_all(t, puts, OK)?;
                let reads = (0..60).map(|index| read(&t.path(&index.to_string()), 0, 65_536)).collect();
                for (index, reply) in expect_all(t, reads, OK)?.iter().enumerate() {
                    let what = format!("the content of file {index}");
                    t.equal_bytes(&what, reply.payload.as_deref().unwrap_or_default(), content(index).as_bytes())?;
                }
                Ok(())
            }),
        must("put-of-the-root-is-refused", &["TARGET-4", "TARGET-5"])
            .sends("`put` of `/` with pre left out and any")
            .passes("EXISTS and NOT_FILE.")
            .run(|t| {
                t.expect_refused(put("/", "content"), EXISTS)?;
                t.expect_refused(put("/", "content").arg("pre", "any"), NOT_FILE).map(drop)
            }),
    ]
}

fn times() -> Vec<Case> {
    vec![
        must("put-sets-the-given-time", &["PUT-2", "ENTRY-5"])
            .sends(
                "`put` with times before 1970, at the edges of 32 bits, with nanoseconds, and the least and greatest",
            )
            .passes("The nearest time that the file system stores, in the entry and in `stat`.")
            .run(|t| {
                let clock = Clock::learn(t)?;
                let path = t.path("f");
                for time in TIMES {
                    let entry = t.expect_ok(put(&path, "x").arg("pre", "any").arg("mtime_ns", time))?.entry()?;
                    clock.expect_nearest(entry.mtime_ns()?, time)?;
                    expect_stat(t, &path, &entry)?;
                }
                Ok(())
            }),
        must("put-without-a-time-sets-the-servers-time", &["PUT-2"])
            .sends("`put` with an old time, `put` in its place without one, and `mkdir`")
            .passes("The file's time is not the old one, and within an hour of the directory's.")
            .run(|t| {
                let path = t.path("f");
                t.setup(put(&path, "old").arg("mtime_ns", OLD))?;
                let replaced = t.expect_ok(put(&path, "new").arg("pre", "any"))?.entry()?.mtime_ns()?;
                let beside = t.path("g");
                let made = t.expect_ok(put(&beside, "new"))?.entry()?.mtime_ns()?;
                let directory = t.path("d");
                let now = t.setup(mkdir(&directory))?.entry()?.mtime_ns()?;
                for time in [replaced, made] {
                    t.check(
                        (now - time).abs() < 3_600_000_000_000,
                        format!("mtime_ns is {time}; a directory made then has {now}"),
                    )?;
                }
                Ok(())
            }),
    ]
}

/// A watcher opens each name as soon as it appears and reads its content.
fn whole_from_the_start() -> Case {
    must("a-file-created-by-put-is-never-visible-in-part", &["PUT-1", "TARGET-8"])
        .needs(&[Need::Root])
        .sends("60 `put`s of a whole chunk to new names, while each name is waited for and read on the disk")
        .passes("Every file is complete when it first appears.")
        .run(|t| {
            // A longer write is easier to observe.
            let longest = usize::try_from(t.server()?.chunk).unwrap_or(usize::MAX);
            let content = t.bytes(1, longest);
            let names: Vec<String> = (0..60).map(|index| format!("f{index}")).collect();
            let files: Vec<PathBuf> = names.iter().map(|name| t.on_disk(name)).collect::<CaseResult<_>>()?;
            let done = AtomicBool::new(false);
            let (sent, seen) = thread::scope(|scope| {
                let watcher = scope.spawn(|| watch(&files, &done, &content));
                let sent = put_each(t, &names, &content);
                done.store(true, Ordering::Relaxed);
                (sent, watcher.join())
            });
            sent?;
            match seen {
                Ok(None) => Ok(()),
                Ok(Some(what)) => failed(what),
                Err(_) => Err(CaseError::Harness("the watching thread panicked".into())),
            }
        })
}

fn put_each(t: &mut CaseContext, names: &[String], content: &[u8]) -> CaseResult {
    for name in names {
        let path = t.path(name);
        t.expect_ok(put(&path, content))?;
        t.setup(stat(&path))?;
    }
    Ok(())
}

/// Reads each file as soon as it exists; returns content that was incomplete.
fn watch(files: &[PathBuf], done: &AtomicBool, whole: &[u8]) -> Option<String> {
    for file in files {
        let content = loop {
            match fs::read(file) {
                Ok(content) => break content,
                Err(_) if done.load(Ordering::Relaxed) => return None,
                Err(_) => thread::yield_now(),
            }
        };
        if content != whole {
            return Some(format!("a new file was seen with {} of its {} bytes", content.len(), whole.len()));
        }
    }
    None
}
