//! Sections 11.9 to 11.11: write, truncate and touch.

use super::{
    creating::TIMES,
    reading::others,
    support::files::{Clock, expect_all, expect_stat, lasting, refuse_all},
};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{BAD_ARGS, CHANGED, NO_SPACE, NOT_FILE, NOT_FOUND, OK, TOO_LARGE},
        request::{Request, mkdir, put, read, stat, touch, truncate, write},
    },
};

/// The greatest offset, size and sum of both.
const MAX: u64 = i64::MAX as u64;

/// A modification time of the year 2001.
const OLD: i64 = 1_000_000_000_000_000_000;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = writes();
    cases.extend(nothing());
    cases.extend(truncates());
    cases.extend(in_place());
    cases.extend(touches());
    cases
}

/// The content after a write at an offset.
fn written(content: &[u8], off: usize, bytes: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    content.resize(content.len().max(off + bytes.len()), 0);
    content[off..off + bytes.len()].copy_from_slice(bytes);
    content
}

fn writes() -> Vec<Case> {
    vec![
        must("write-stores-bytes-at-an-offset", &["WRITE-1"])
            .sends("`write` at the start, within, up to the end, over the end and at the end of a file")
            .passes("Those bytes are there, all others stay, and the entry has the size.")
            .run(|t| {
                let mut content = t.bytes(1, 1_000);
                let path = t.file("f", &content)?;
                for (off, length) in
                    [(0, 1), (0, 10), (500, 100), (990, 10), (999, 1), (995, 10), (1_005, 20), (0, 1_025)]
                {
                    let bytes = t.bytes(2 + off as u64, length);
                    content = written(&content, off, &bytes);
                    let entry = t.expect_ok(write(&path, off as u64, bytes))?.entry()?;
                    t.equal("the size", entry.size()?, content.len() as u64)?;
                    t.expect_content(&path, &content)?;
                }
                Ok(())
            }),
        must("write-past-the-end-leaves-zeros-between", &["WRITE-2", "WRITE-1"])
            .sends("`write` a little and far past the end, of an empty file and of one that was longer once")
            .passes("The old bytes, zeros, the new bytes.")
            .run(|t| {
                let (path, empty) = (t.file("f", b"rather long content")?, t.file("empty", b"")?);
                t.setup(truncate(&path, 4))?;
                t.expect_ok(write(&path, 9, "new"))?;
                t.expect_content(&path, b"rath\0\0\0\0\0new")?;
                t.expect_ok(write(&path, 60_000, "end"))?;
                t.expect_content(&path, &written(b"rath\0\0\0\0\0new", 60_000, b"end"))?;
                t.expect_ok(write(&empty, 1, "x"))?;
                t.expect_content(&empty, b"\0x")
            }),
        must("write-accepts-a-whole-chunk", &["WRITE-1", "LIMIT-1", "OP-5"])
            .sends("`write` of as many bytes as a chunk, at the start of a file and past its end")
            .passes("OK, and the bytes are there.")
            .run(|t| {
                let chunk = t.server()?.chunk;
                let path = t.file("f", b"old")?;
                let content = t.bytes(1, usize::try_from(chunk).unwrap_or_default());
                t.expect_ok(write(&path, 0, content.clone()))?;
                t.expect_content(&path, &content)?;
                let entry = t.expect_ok(write(&path, chunk + 10, content.clone()))?.entry()?;
                t.equal("the size", entry.size()?, 2 * chunk + 10)?;
                let got = t.expect_ok(read(&path, chunk + 10, chunk))?;
                t.equal_bytes("what was written", got.payload.as_deref().unwrap_or_default(), &content)
            }),
        must("write-of-more-than-a-chunk-is-too-large", &["OP-5", "LIMIT-4"])
            .sends("`write` of 1 and of 1,024 bytes more than a chunk; of a chunk before")
            .passes("TOO_LARGE, and nothing is written.")
            .run(|t| {
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or_default();
                let path = t.file("f", b"old")?;
                t.control(write(&path, 0, vec![b'x'; chunk]))?;
                for over in [1, 1_024] {
                    t.expect_refused(write(&path, 0, vec![b'y'; chunk + over]), TOO_LARGE)?;
                }
                Ok(())
            }),
        must("write-beyond-32-bits-does-not-wrap", &["WRITE-1", "WRITE-2", "LIMIT-1"])
            .sends("`write` at 2^32 + 5, and `read` there and at 5")
            .passes("The byte is there and the start is unchanged; or TOO_LARGE or NO_SPACE.")
            .run(|t| {
                let path = t.file("f", b"0123456789")?;
                let off = (1 << 32) + 5;
                if t.expect(write(&path, off, "X"), [OK, TOO_LARGE, NO_SPACE])?.is_ok() {
                    size_is(t, &path, off + 1)?;
                    for (at, wanted) in [(0, "0123456789"), (off - 1, "\0X"), (1 << 31, "\0\0")] {
                        let reply = t.expect_ok(read(&path, at, wanted.len() as u64))?;
                        t.equal_bytes("what is read", reply.payload.as_deref().unwrap_or_default(), wanted.as_bytes())?;
                    }
                }
                Ok(())
            }),
        must("write-does-not-exceed-63-bits", &["OP-2", "LIMIT-1"])
            .sends("`write` whose `off` and payload make 2^63 or more; one that makes 2^63−1 before")
            .passes("BAD_ARGS; to 2^63−1 OK, TOO_LARGE or NO_SPACE.")
            .run(|t| {
                let (path, other) = (t.file("f", b"content")?, t.file("other", b"content")?);
                t.expect(write(&other, MAX - 1, "x"), [OK, TOO_LARGE, NO_SPACE])?;
                refuse_all(
                    t,
                    vec![write(&path, MAX, "x"), write(&path, MAX - 1, "xy"), write(&path, MAX - 99, [0; 100])],
                    BAD_ARGS,
                )
            }),
        must("pipelined-writes-keep-their-order", &["SEQ-9", "WRITE-1"])
            .sends("100 overlapping `write`s, as far ahead as the window allows")
            .passes("Every byte is that of the last write to it.")
            .run(|t| {
                let path = t.file("f", b"")?;
                let mut content = Vec::new();
                let mut writes = Vec::new();
                for turn in 0..100_usize {
                    let (off, bytes) = (turn * 37 % 50, format!("{turn:02}").repeat(1 + turn % 9));
                    content = written(&content, off, bytes.as_bytes());
                    writes.push(write(&path, off as u64, bytes));
                }
                expect_all(t, writes, OK)?;
                t.expect_content(&path, &content)
            }),
    ]
}

/// The file `f` with an old time, so that a change shows in it.
fn old_file(t: &mut CaseContext) -> CaseResult<String> {
    let path = t.path("f");
    t.setup(put(&path, "content").arg("mtime_ns", OLD))?;
    Ok(path)
}

fn nothing() -> Vec<Case> {
    vec![
        must("write-of-nothing-changes-nothing", &["WRITE-3"])
            .sends("`write` with an empty payload at the start, within, at the end, past it, and at 2^63−1")
            .passes("OK with the entry as it was, etag, size and time.")
            .run(|t| {
                let path = old_file(t)?;
                let before = t.entry(&path)?;
                for off in [0, 3, 7, 8, 1_000_000, 1 << 40, MAX] {
                    let entry = t.expect_ok(write(&path, off, ""))?.entry()?;
                    t.equal("the entry", lasting(&entry), lasting(&before))?;
                    expect_stat(t, &path, &before)?;
                }
                t.expect_content(&path, b"content")
            }),
        must("write-of-nothing-is-checked-like-other-writes", &["OP-7", "WRITE-1", "KIND-1"])
            .sends("`write` of nothing to a missing name, to a directory, and with another etag")
            .passes("NOT_FOUND, NOT_FILE and CHANGED.")
            .run(|t| {
                let (path, directory, missing) = (old_file(t)?, t.subdirectory("d")?, t.path("missing"));
                t.control(write(&path, 0, ""))?;
                t.expect_refused(write(&missing, 0, ""), NOT_FOUND)?;
                t.expect_refused(write(&directory, 0, ""), NOT_FILE)?;
                t.expect_refused(write(&path, 0, "").arg("etag", *b"another"), CHANGED).map(drop)
            }),
    ]
}

fn truncates() -> Vec<Case> {
    vec![
        must("truncate-cuts-and-grows", &["TRUNC-1"])
            .sends("`truncate` to less, to nothing, to more, to the same, and to more again")
            .passes("The bytes up to the size, zeros where it grew, and the entry has the size.")
            .run(|t| {
                let mut content = t.bytes(1, 1_000);
                let path = t.file("f", &content)?;
                for size in [999, 500, 500, 700, 65_536, 1, 0, 10, 0] {
                    content.resize(size, 0);
                    let entry = t.expect_ok(truncate(&path, size as u64))?.entry()?;
                    t.equal("the size", entry.size()?, size as u64)?;
                    t.expect_content(&path, &content)?;
                }
                Ok(())
            }),
        must("truncate-does-not-bring-old-bytes-back", &["TRUNC-1"])
            .sends("`truncate` to 3 bytes, and to 5,000")
            .passes("Zeros where it was cut off.")
            .run(|t| {
                let path = t.file("f", &[b'x'; 5_000])?;
                t.expect_ok(truncate(&path, 3))?;
                t.expect_ok(truncate(&path, 5_000))?;
                t.expect_content(&path, &written(b"xxx", 4_999, b"\0"))
            }),
        must("truncate-beyond-32-bits-does-not-wrap", &["TRUNC-1", "LIMIT-1"])
            .sends("`truncate` to 2^32 + 5, and `read` at its end")
            .passes("A file of that size that ends in zeros; or TOO_LARGE or NO_SPACE, and it is unchanged.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let size = (1 << 32) + 5;
                if t.expect(truncate(&path, size), [OK, TOO_LARGE, NO_SPACE])?.is_ok() {
                    size_is(t, &path, size)?;
                    let reply = t.expect_ok(read(&path, size - 3, 10))?;
                    return t.equal_bytes("the end", reply.payload.as_deref().unwrap_or_default(), &[0; 3]);
                }
                t.expect_content(&path, b"content")
            }),
        must("truncate-to-the-largest-size-is-executed-or-refused", &["TRUNC-1", "LIMIT-1", "REFUSE-1"])
            .sends("`truncate` to 2^63−1")
            .passes("OK and a file of that size; or TOO_LARGE or NO_SPACE, and it is unchanged.")
            .run(|t| {
                let path = old_file(t)?;
                let before = t.entry(&path)?;
                if t.expect(truncate(&path, MAX), [OK, TOO_LARGE, NO_SPACE])?.is_ok() {
                    return size_is(t, &path, MAX);
                }
                expect_stat(t, &path, &before)?;
                t.expect_content(&path, b"content")
            }),
    ]
}

/// The operations that change a file in place and accept an etag.
fn in_place() -> Vec<Case> {
    type InPlaceRequest = fn(&str) -> Request;
    let both: [(&str, &'static [&'static str], InPlaceRequest); 2] = [
        ("write", &["WRITE-1", "KIND-1"], |path| write(path, 0, "C")),
        ("truncate", &["TRUNC-1", "KIND-1"], |path| truncate(path, 3)),
    ];
    let cases = both.into_iter().flat_map(|(op, checks, change)| {
        [
            must(&format!("{op}-never-creates"), checks)
                .sends(format!("`{op}` of a missing name; of a file before"))
                .passes("NOT_FOUND, and nothing is there.")
                .run(move |t| {
                    let (path, missing) = (old_file(t)?, t.path("missing"));
                    t.control(change(&path))?;
                    t.expect_refused(change(&missing), NOT_FOUND)?;
                    t.expect_absent(&missing)
                }),
            must(&format!("{op}-needs-a-file"), checks)
                .sends(format!("`{op}` of a directory, with an etag too, and of `/`; of a file before"))
                .passes("NOT_FILE to each.")
                .run(move |t| {
                    let (path, directory) = (old_file(t)?, t.subdirectory("d")?);
                    t.control(change(&path))?;
                    refuse_all(
                        t,
                        vec![change(&directory), change(&directory).arg("etag", *b"etag"), change("/")],
                        NOT_FILE,
                    )
                }),
            must(&format!("{op}-checks-the-etag"), &["OP-7", "OP-4"])
                .sends(format!("`{op}` with the file's etag, and then with etags that are not its own"))
                .passes("OK, and CHANGED to each of the others; nothing is changed by them.")
                .run(move |t| {
                    let (path, other) = (old_file(t)?, t.file("other", b"different")?);
                    let etag = t.entry(&path)?.etag()?;
                    t.control(change(&path).arg("etag", etag))?;
                    let (right, another) = (t.entry(&path)?.etag()?, t.entry(&other)?.etag()?);
                    let wrong = others(&right, another).into_iter().map(|etag| change(&path).arg("etag", etag));
                    refuse_all(t, wrong.collect(), CHANGED)
                }),
        ]
    });
    cases.collect()
}

fn touches() -> Vec<Case> {
    vec![
        must("touch-sets-the-time-of-a-file", &["TOUCH-1", "ENTRY-5"])
            .sends(
                "`touch` with times before 1970, at the edges of 32 bits, with nanoseconds, the least and the greatest",
            )
            .passes("The nearest time that the file system stores, in the entry and in `stat`; content and size stay.")
            .run(|t| {
                let clock = Clock::learn(t)?;
                let path = t.file("f", b"content")?;
                for time in TIMES {
                    let entry = t.expect_ok(touch(&path, time))?.entry()?;
                    clock.expect_nearest(entry.mtime_ns()?, time)?;
                    expect_stat(t, &path, &entry)?;
                }
                t.expect_content(&path, b"content")
            }),
        must("touch-sets-the-time-of-a-directory", &["TOUCH-1", "ENTRY-5"])
            .sends("`touch` of an empty and of a full directory, and `stat`")
            .passes("The nearest time that the file system stores.")
            .run(|t| {
                let clock = Clock::learn(t)?;
                let (empty, full, below) = (t.path("empty"), t.path("full"), t.path("full/f"));
                super::support::files::setup_all(t, vec![mkdir(&empty), mkdir(&full), put(&below, "")])?;
                for path in [empty, full] {
                    for time in [OLD, OLD + 123_456_789, 0, -86_400_000_000_000] {
                        let entry = t.expect_ok(touch(&path, time))?.entry()?;
                        t.equal("the kind", entry.kind()?, "dir")?;
                        clock.expect_nearest(entry.mtime_ns()?, time)?;
                        expect_stat(t, &path, &entry)?;
                    }
                }
                Ok(())
            }),
        must("touch-sets-distant-times", &["TOUCH-1"])
            .sends("`touch` with the least and the greatest time of the protocol")
            .passes("A time before 1981 and one after 2037, as every file system supports.")
            .run(|t| {
                let path = t.file("f", b"")?;
                t.expect_ok(touch(&path, i64::MIN))?;
                t.expect_ok(touch(&path, i64::MAX))?;
                let (least, most) = Clock::learn(t)?.bounds();
                t.check(least < 347_155_200_000_000_000, format!("the least time became {least}"))?;
                t.check(most > 2_114_380_800_000_000_000, format!("the greatest time became {most}"))
            }),
        must("touch-never-creates", &["TOUCH-1"])
            .sends("`touch` of a missing name; of a file before")
            .passes("NOT_FOUND, and nothing is there.")
            .run(|t| {
                let (path, missing) = (t.file("f", b"")?, t.path("missing"));
                t.control(touch(&path, OLD))?;
                t.expect_refused(touch(&missing, OLD), NOT_FOUND)?;
                t.expect(stat(&missing), NOT_FOUND).map(drop)
            }),
    ]
}

fn size_is(t: &mut CaseContext, path: &str, size: u64) -> CaseResult {
    let got = t.entry(path)?.size()?;
    t.equal("the size", got, size)
}
