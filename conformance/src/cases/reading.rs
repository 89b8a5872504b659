//! Sections 11.3, 11.5 and 11.6: stat, read and hash.

use super::support::files::{expect_all, refuse_all, setup_all};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{BAD_ARGS, CHANGED, NOT_FILE, NOT_FOUND, OK, TOO_LARGE},
        request::{Request, hash, put, read, stat, truncate, write},
    },
};

/// The greatest offset, size and sum of both.
const MAX: u64 = i64::MAX as u64;

/// The BLAKE3 hash of nothing.
const NOTHING: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = reads();
    cases.extend(guarded());
    cases.extend(hashes());
    cases
}

/// The part of the content that `read` and `hash` must see.
fn part(content: &[u8], off: u64, len: u64) -> &[u8] {
    let end = off.saturating_add(len).min(content.len() as u64);
    let range = usize::try_from(off.min(end)).ok().zip(usize::try_from(end).ok());
    range.and_then(|(off, end)| content.get(off..end)).unwrap_or_default()
}

/// The file `f` with content that differs at every offset and is a little longer than a chunk.
fn longer_than_a_chunk(t: &mut CaseContext, chunk: u64) -> CaseResult<(String, Vec<u8>)> {
    let whole = usize::try_from(chunk).unwrap_or_default();
    let content = t.bytes(1, whole + 1_000);
    let path = t.file("f", &content[..whole])?;
    t.setup(write(&path, chunk, &content[whole..]))?;
    Ok((path, content))
}

fn expect_parts(t: &mut CaseContext, path: &str, content: &[u8], parts: &[(u64, u64)]) -> CaseResult {
    let requests = parts.iter().map(|(off, len)| read(path, *off, *len)).collect();
    for ((off, len), reply) in parts.iter().zip(expect_all(t, requests, OK)?) {
        let what = format!("what is read at {off}, {len} bytes,");
        t.equal_bytes(&what, reply.payload.as_deref().unwrap_or_default(), part(content, *off, *len))?;
        t.equal("the size of the whole file", reply.uint("size")?, content.len() as u64)?;
    }
    Ok(())
}

fn reads() -> Vec<Case> {
    vec![
        must("a-read-gives-the-bytes-asked-for", &["READ-1", "READ-4"])
            .sends("`read` of a file of 1,000 bytes at its start, within it, and up to and over its end")
            .passes("The bytes from `off`: `len` of them, or up to the end.")
            .run(|t| {
                let content = t.bytes(1, 1_000);
                let path = t.file("f", &content)?;
                let parts =
                    [(0, 1_000), (0, 1), (0, 999), (1, 999), (999, 1), (500, 3), (0, 65_536), (1, 1_000), (999, 2)];
                expect_parts(t, &path, &content, &parts)
            }),
        must("a-read-of-nothing-is-empty", &["READ-1", "ENV-6"])
            .sends("`read` with a `len` of 0 at the start, within the file, at its end, past it and at 2^63−1")
            .passes("OK with an empty payload.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                expect_parts(t, &path, b"content", &[(0, 0), (3, 0), (7, 0), (8, 0), (MAX, 0)])
            }),
        must("a-read-at-or-past-the-end-is-empty", &["READ-1", "ENV-6"])
            .sends("`read` at the end of a file and past it, up to where `off` and `len` make 2^63−1; of an empty file")
            .passes("OK with an empty payload, and the size of the file.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let later =
                    [(7, 1), (8, 1), (7, 65_536), (1 << 32, 10), ((1 << 32) + 1, 5), (1 << 62, 1), (MAX - 1, 1)];
                expect_parts(t, &path, b"content", &later)?;
                let empty = t.file("empty", b"")?;
                expect_parts(t, &empty, b"", &[(0, 0), (0, 1), (0, 65_536), (1, 1)])
            }),
        must("a-read-is-as-long-as-a-chunk", &["READ-1", "READ-4", "LIMIT-1"])
            .sends("`read` with a `len` of one chunk and of one byte less, at several places of a longer file")
            .passes("Exactly those bytes: the payload is shorter than `len` only at the end.")
            .run(|t| {
                let chunk = t.server()?.chunk;
                let (path, content) = longer_than_a_chunk(t, chunk)?;
                let parts = [(0, chunk), (0, chunk - 1), (1, chunk), (1_000, chunk), (1_001, chunk), (chunk, chunk)];
                parts.iter().try_for_each(|part| expect_parts(t, &path, &content, &[*part]))
            }),
        must("a-read-longer-than-a-chunk-is-too-large", &["OP-5", "CODE-5"])
            .sends("`read` with a `len` above `chunk`, of a small file, past its end, and of nothing at all")
            .passes("TOO_LARGE to each; OK to a `len` of one chunk.")
            .run(|t| {
                let chunk = t.server()?.chunk;
                let path = t.file("f", b"content")?;
                t.control(read(&path, 0, chunk))?;
                let missing = t.path("missing");
                let lengths = [(0, chunk + 1), (100, chunk + 1), (0, MAX), (0, 1 << 32), (0, (1 << 32) + 1)];
                let mut requests: Vec<_> = lengths.iter().map(|(off, len)| read(&path, *off, *len)).collect();
                requests.push(read(&missing, 0, chunk + 1));
                refuse_all(t, requests, TOO_LARGE)
            }),
        must("offset-and-length-do-not-exceed-63-bits", &["OP-2", "LIMIT-1"])
            .sends("`read` and `hash` whose `off` and `len` make 2^63 or more; 2^63−1 before")
            .passes("OK to the sum of 2^63−1, BAD_ARGS to the others.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let ranged = |off: u64, len: u64| hash(&path).arg("off", off).arg("len", len);
                for request in [read(&path, MAX - 1, 1), ranged(MAX - 1, 1), ranged(1, MAX - 1)] {
                    t.control(request)?;
                }
                let sums = [(MAX, 1), (1, MAX), (MAX, MAX), (MAX - 1, 2)];
                let requests =
                    sums.iter().flat_map(|(off, len)| [read(&path, *off, *len), ranged(*off, *len)]).collect();
                refuse_all(t, requests, BAD_ARGS)
            }),
        must("a-hole-reads-as-zeros", &["READ-1", "WRITE-2"])
            .sends("`read` over a hole that `write` left between the old end and its own bytes, and around it")
            .passes("The bytes, and zeros between them.")
            .run(|t| {
                let path = t.file("f", b"begin")?;
                t.setup(write(&path, 60_000, "end"))?;
                let mut content = b"begin".to_vec();
                content.resize(60_000, 0);
                content.extend(b"end");
                expect_parts(t, &path, &content, &[(0, 65_536), (4, 2), (5, 59_995), (59_999, 2), (30_000, 10)])
            }),
        must("read-and-hash-need-a-file", &["READ-1", "HASH-1", "KIND-1"])
            .sends("`read` and `hash` of a directory, with an etag too, and of nothing")
            .passes("NOT_FILE and NOT_FOUND.")
            .run(|t| {
                let (directory, missing) = (t.subdirectory("d")?, t.path("missing"));
                let of = |path: &str| {
                    let requests = [read(path, 0, 0), read(path, 0, 1), hash(path), hash(path).arg("len", 0_u64)];
                    let guarded = [read(path, 0, 1).arg("etag", *b"etag")];
                    requests.into_iter().chain(guarded).collect::<Vec<_>>()
                };
                refuse_all(t, of(&directory), NOT_FILE)?;
                refuse_all(t, of(&missing), NOT_FOUND)
            }),
        must("stat-of-nothing-is-not-found", &["STAT-1"])
            .sends("`stat` of a missing name, of one that was removed, and of one that was moved away")
            .passes("NOT_FOUND to each.")
            .run(|t| {
                let (gone, moved, there) = (t.file("gone", b"")?, t.file("moved", b"")?, t.path("there"));
                t.control(stat(&gone))?;
                setup_all(t, vec![crate::wire::request::remove(&gone), crate::wire::request::rename(&moved, &there)])?;
                let missing = t.path("missing");
                refuse_all(t, vec![stat(&gone), stat(&moved), stat(&missing)], NOT_FOUND)
            }),
    ]
}

fn guarded() -> Vec<Case> {
    vec![
        must("a-read-with-the-files-etag-is-answered", &["READ-3", "OP-7"])
            .sends("`read` with the etag that `stat` says, that the `read` before said, and past the end")
            .passes("OK to each.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let etag = t.entry(&path)?.etag()?;
                let first = t.expect_ok(read(&path, 0, 3).arg("etag", etag))?;
                let etag = first.bytes("etag")?;
                for (off, len) in [(3, 3), (6, 10), (7, 1), (100, 1), (0, 0)] {
                    t.expect_ok(read(&path, off, len).arg("etag", etag))?;
                }
                Ok(())
            }),
        must("a-read-with-another-etag-is-changed", &["READ-3", "OP-7", "OP-4"])
            .sends("`read` with the etag of another file, and with the right one cut short, lengthened and altered")
            .passes("CHANGED to each, where nothing is read and past the end too.")
            .run(|t| {
                let (path, other) = (t.file("f", b"content")?, t.file("other", b"different")?);
                let right = t.entry(&path)?.etag()?;
                t.control(read(&path, 0, 7).arg("etag", right.as_slice()))?;
                let mut requests = Vec::new();
                for wrong in others(&right, t.entry(&other)?.etag()?) {
                    for (off, len) in [(0, 7), (0, 0), (7, 1), (100, 1)] {
                        requests.push(read(&path, off, len).arg("etag", wrong.as_slice()));
                    }
                }
                refuse_all(t, requests, CHANGED)
            }),
        must("a-read-with-the-etag-before-a-change-is-changed", &["READ-3", "ENTRY-3"])
            .sends("`read` with the etag before a `write`, a `truncate` and a `put` in its place")
            .passes("CHANGED to each.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                for change in [write(&path, 0, "C"), truncate(&path, 3), put(&path, "content").arg("pre", "any")] {
                    let before = super::support::files::settled(t, &path)?.etag()?;
                    t.control(read(&path, 0, 1).arg("etag", before.as_slice()))?;
                    t.setup(change)?;
                    t.expect_refused(read(&path, 0, 1).arg("etag", before), CHANGED)?;
                }
                Ok(())
            }),
    ]
}

/// Etags that are not the right one.
pub(super) fn others(right: &[u8], another: Vec<u8>) -> Vec<Vec<u8>> {
    let mut altered = right.to_vec();
    if let Some(last) = altered.last_mut() {
        *last ^= 1;
    }
    let mut others = vec![another, altered, b"another".to_vec(), vec![0; 64]];
    if right.len() > 1 {
        others.push(right[..right.len() - 1].to_vec());
    }
    if right.len() < 64 {
        others.push([right, &[0]].concat());
    }
    others
}

/// The range of a `hash`; either end may be left out.
type Range = (Option<u64>, Option<u64>);

fn expect_hashes(t: &mut CaseContext, path: &str, content: &[u8], ranges: &[Range]) -> CaseResult {
    let etag = t.entry(path)?.etag()?;
    let request = |(off, len): &Range| -> Request {
        let request = hash(path);
        let request = if let Some(off) = off { request.arg("off", *off) } else { request };
        if let Some(len) = len { request.arg("len", *len) } else { request }
    };
    let replies = expect_all(t, ranges.iter().map(request).collect(), OK)?;
    for ((off, len), reply) in ranges.iter().zip(replies) {
        let hashed = part(content, off.unwrap_or(0), len.unwrap_or(MAX));
        let what = format!("of the bytes from {off:?}, {len:?} of them,");
        t.equal(&format!("the number {what}"), reply.uint("len")?, hashed.len() as u64)?;
        t.equal_bytes(&format!("the hash {what}"), reply.bytes("hash")?, blake3::hash(hashed).as_bytes())?;
        t.equal("the etag", reply.bytes("etag")?, etag.as_slice())?;
    }
    Ok(())
}

fn hashes() -> Vec<Case> {
    vec![
        must("a-hash-is-blake3-of-the-content", &["HASH-1"])
            .sends("`hash` of files of 0, 1, 64, 1,023, 1,024, 1,025 and 65,536 bytes")
            .passes("The BLAKE3 hash of each, and how many bytes it has.")
            .run(|t| {
                for length in [0, 1, 64, 1_023, 1_024, 1_025, 65_536] {
                    let content = t.bytes(1, length);
                    let path = t.file(&length.to_string(), &content)?;
                    expect_hashes(t, &path, &content, &[(None, None)])?;
                }
                Ok(())
            }),
        must("the-hash-of-nothing-is-that-of-no-bytes", &["HASH-1"])
            .sends("`hash` of an empty file, with a `len` of 0, and at or past the end")
            .passes("`len` 0, and the BLAKE3 hash of no bytes, which begins af1349b9.")
            .run(|t| {
                let (empty, path) = (t.file("empty", b"")?, t.file("f", b"content")?);
                let at = |off: u64| hash(&path).arg("off", off);
                let requests = vec![
                    hash(&empty),
                    hash(&empty).arg("off", 0_u64).arg("len", 0_u64),
                    hash(&path).arg("len", 0_u64),
                    at(7),
                    at(8),
                    at(3).arg("len", 0_u64),
                    at(7).arg("len", 5_u64),
                    at(1 << 33),
                    at(MAX),
                ];
                for reply in expect_all(t, requests, OK)? {
                    t.equal("how many bytes were hashed", reply.uint("len")?, 0)?;
                    t.equal("the hash", crate::wire::cbor::hex(reply.bytes("hash")?), NOTHING)?;
                }
                Ok(())
            }),
        must("a-hash-is-of-the-range-asked-for", &["HASH-1"])
            .sends("`hash` of ranges within a file, up to and over its end, with either bound left out")
            .passes("The BLAKE3 hash and the number of exactly those bytes.")
            .run(|t| {
                let content = t.bytes(1, 5_000);
                let path = t.file("f", &content)?;
                let ranges = [
                    (Some(0), None),
                    (None, Some(5_000)),
                    (Some(1), None),
                    (None, Some(1)),
                    (Some(4_999), None),
                    (Some(1_000), Some(2_000)),
                    (Some(1), Some(4_999)),
                    (Some(1), Some(5_000)),
                    (None, Some(5_001)),
                    (Some(4_999), Some(1 << 40)),
                    (None, Some(MAX)),
                    (Some(1), Some(MAX - 1)),
                ];
                expect_hashes(t, &path, &content, &ranges)
            }),
        must("a-hash-may-cover-more-than-a-chunk", &["HASH-1", "OP-5"])
            .sends("`hash` of a file that is longer than a chunk, whole and in parts, with a `len` above `chunk`, up to 2 MB of 3")
            .passes("The BLAKE3 hash: `chunk` limits only the `len` of `read`.")
            .run(|t| {
                let chunk = t.server()?.chunk;
                let (path, mut content) = longer_than_a_chunk(t, chunk)?;
                let ranges = [(None, None), (Some(1), None), (None, Some(chunk + 1)), (Some(chunk - 1), Some(2))];
                expect_hashes(t, &path, &content, &ranges)?;
                // Servers hash piece by piece: a range that ends amid one, with more of the file after it.
                content.resize(3_000_000, 0);
                t.setup(truncate(&path, 3_000_000))?;
                expect_hashes(t, &path, &content, &[(Some(1), Some(2_000_003)), (None, Some(2_999_999))])
            }),
    ]
}
