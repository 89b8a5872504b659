//! Limits of paths, names and arguments, from both sides.

use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{BAD_ARGS, BAD_NAME, CHANGED, LIMIT, NO_UPLOAD, NOT_FOUND, OK},
        request::{abort, append, begin, commit, mkdir, put, read, remove, stat},
    },
};

/// The longest path, the longest name, and the most names.
const PATH: usize = 4_096;
const NAME: usize = 255;
const DEPTH: usize = 128;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = paths();
    cases.extend(arguments());
    cases
}

fn paths() -> Vec<Case> {
    vec![
        must("a-path-of-4096-bytes-works-and-one-more-is-limit", &["LIMIT-1", "PATH-5", "PATH-7"])
            .sends("`mkdir` down to a path of 4,096 bytes; `put`, `stat`, `read` and `remove` of it; `stat` and `put` of 4,097")
            .passes("OK up to 4,096 bytes, LIMIT to 4,097.")
            .run(|t| {
                let longest = chain(t)?;
                t.equal("the length of the path", longest.len(), PATH)?;
                t.expect_ok(put(&longest, *b"deep"))?;
                t.expect_ok(stat(&longest))?;
                t.expect_content(&longest, b"deep")?;
                t.expect(stat(&format!("{longest}x")), LIMIT)?;
                t.expect(put(&format!("{longest}x"), *b"deep"), LIMIT)?;
                t.expect_ok(remove(&longest)).map(drop)
            }),
        must("a-path-counts-in-bytes", &["LIMIT-1", "PATH-5"])
            .without_directory()
            .sends("`stat` of paths of letters of three bytes: 4,096 bytes, and 4,097 bytes with 1,400 letters")
            .passes("NOT_FOUND to the first, LIMIT to the second.")
            .run(|t| {
                // 16 names of 85 letters and a slash: 16 × 256 bytes.
                let fits = format!("/{}", "€".repeat(85)).repeat(16);
                t.equal("the length of the path", fits.len(), PATH)?;
                t.expect(stat(&fits), NOT_FOUND).map_err(|error| error.into_prerequisite("the control"))?;
                t.expect(stat(&format!("{fits}x")), LIMIT)?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-path-of-128-names-works-and-one-more-is-limit", &["LIMIT-1", "PATH-5", "PATH-7"])
            .sends("`mkdir` down to 127 names, `put` of the 128th; `stat`, `put` and `mkdir` of a 129th")
            .passes("OK down to 128 names, LIMIT below.")
            .run(|t| {
                let mut path = t.directory().to_owned();
                while path.matches('/').count() < DEPTH - 1 {
                    path.push_str("/d");
                    t.expect_ok(mkdir(&path))?;
                }
                t.expect_ok(put(&format!("{path}/file"), *b"deep"))?;
                t.expect_content(&format!("{path}/file"), b"deep")?;
                t.expect_ok(mkdir(&format!("{path}/directory")))?;
                for below in ["file/x", "directory/x", "nothing/x"] {
                    t.expect(stat(&format!("{path}/{below}")), LIMIT)?;
                    t.expect(mkdir(&format!("{path}/{below}")), LIMIT)?;
                }
                t.expect_ok(stat(&format!("{path}/file"))).map(drop)
            }),
        must("a-name-of-255-bytes-works-and-one-more-is-bad-name", &["LIMIT-1", "PATH-4", "PATH-7"])
            .sends("`put`, `stat`, `list` and `read` of a name of 255 bytes; `put`, `mkdir` and `stat` of one of 256")
            .passes("OK with 255 bytes, BAD_NAME with 256, and nothing is created.")
            .run(|t| {
                let path = t.path(&"n".repeat(NAME));
                t.expect_ok(put(&path, *b"long"))?;
                t.expect_ok(stat(&path))?;
                t.expect_content(&path, b"long")?;
                let before = t.snapshot()?;
                let longer = format!("{path}n");
                for request in [put(&longer, *b"x"), mkdir(&longer), stat(&longer)] {
                    t.expect(request, BAD_NAME)?;
                }
                t.expect_unchanged(&before)
            }),
        must("a-name-counts-in-bytes", &["LIMIT-1", "PATH-4", "PATH-7"])
            .sends("`stat` of names of letters of two and three bytes: 254 and 255 bytes, then 256 and 258")
            .passes("NOT_FOUND to the first two, BAD_NAME to the others.")
            .run(|t| {
                for (letter, fits) in [("ä", 127), ("€", 85)] {
                    let name = letter.repeat(fits);
                    let (fits, longer) = (t.path(&name), t.path(&format!("{name}{letter}")));
                    t.expect(stat(&fits), NOT_FOUND).map_err(|error| error.into_prerequisite("the control"))?;
                    t.expect(stat(&longer), BAD_NAME)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}

fn arguments() -> Vec<Case> {
    vec![
        must("an-etag-of-1-to-64-bytes-is-compared", &["LIMIT-1", "OP-4", "OP-7"])
            .sends("`read`, `remove` and `put` with etags of 1 and 64 bytes that no file has, and of 0 and 65 bytes")
            .passes("CHANGED to those of 1 and 64 bytes, BAD_ARGS to the others; nothing changes.")
            .run(|t| {
                let path = t.file("file", b"content")?;
                let own = t.entry(&path)?.etag()?;
                let before = t.snapshot()?;
                for (length, code) in [(1, CHANGED), (64, CHANGED), (0, BAD_ARGS), (65, BAD_ARGS)] {
                    // A server may have any etags, so another one is made by changing a byte.
                    let etag = vec![own.first().copied().unwrap_or_default() ^ 0xff; length];
                    t.expect(read(&path, 0, 10).arg("etag", etag.as_slice()), code)?;
                    t.expect(remove(&path).arg("etag", etag.as_slice()), code)?;
                    t.expect(put(&path, *b"other").arg("pre", etag.as_slice()), code)?;
                }
                t.expect_unchanged(&before)?;
                t.control(read(&path, 0, 10).arg("etag", own)).map(drop)
            }),
        must("an-up-of-15-or-17-bytes-is-bad-args", &["OP-4", "OP-2"])
            .sends("`begin`, `append`, `commit` and `abort` with an `up` of 15, 17 and 16 bytes")
            .passes("BAD_ARGS to 15 and 17 bytes; with 16 OK, or NO_UPLOAD where it was not begun.")
            .run(|t| {
                let path = t.path("file");
                for length in [15, 17] {
                    let up = vec![7; length];
                    for request in
                        [begin([7; 16], &path), append([7; 16], 0, *b"x"), commit([7; 16], b""), abort([7; 16])]
                    {
                        t.expect(request.arg("up", up.as_slice()), BAD_ARGS)?;
                    }
                }
                let up = t.id();
                t.expect(append(up, 0, *b"x"), NO_UPLOAD)?;
                t.control(begin(up, &path))?;
                t.expect_ok(append(up, 0, *b"x"))?;
                t.expect_ok(abort(up)).map(drop)
            }),
        must("a-hash-has-32-bytes", &["OP-4", "OP-2"])
            .sends("`commit` with a `hash` of 31 and 33 bytes: the right one, cut off and with a byte more; then right")
            .passes("BAD_ARGS to both, which keep the upload; then OK.")
            .run(|t| {
                let (path, up) = (t.path("file"), t.id());
                t.setup(begin(up, &path))?;
                t.setup(append(up, 0, *b"content"))?;
                let hash = *blake3::hash(b"content").as_bytes();
                let longer = [&hash[..], &[0]].concat();
                t.expect(commit(up, b"content").arg("hash", &hash[..31]), BAD_ARGS)?;
                t.expect(commit(up, b"content").arg("hash", longer), BAD_ARGS)?;
                t.control(commit(up, b"content"))?;
                t.expect_content(&path, b"content")
            }),
        must("offsets-up-to-2-to-the-63-less-1-are-accepted", &["LIMIT-1", "OP-2", "READ-1"])
            .sends("`read` at 2^63−1 with a `len` of 0, at 2^63−2 with 1, and at 2^63−1 with 1")
            .passes("OK and nothing to the first two; BAD_ARGS to the last, whose sum is too large.")
            .run(|t| {
                let path = t.file("file", b"content")?;
                let most = i64::MAX as u64;
                for (off, len) in [(most, 0), (most - 1, 1)] {
                    let reply = t.expect(read(&path, off, len), OK)?;
                    t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or(b"none"), b"")?;
                }
                t.expect(read(&path, most, 1), BAD_ARGS)?;
                t.expect_ok(stat(&path)).map(drop)
            }),
    ]
}

/// Creates directories with the longest names below the case's own, and returns a path of the maximal length in the last
/// of them.
fn chain(t: &mut CaseContext) -> CaseResult<String> {
    let mut path = t.directory().to_owned();
    // Each level takes a slash and a name; the last name needs one byte at least.
    while PATH - path.len() > 2 * (NAME + 1) {
        path = format!("{path}/{}", "d".repeat(NAME));
        t.expect_ok(mkdir(&path))?;
    }
    let left = PATH - path.len();
    if left > NAME + 1 {
        path = format!("{path}/{}", "e".repeat(left / 2 - 1));
        t.expect_ok(mkdir(&path))?;
    }
    let left = PATH - path.len();
    Ok(format!("{path}/{}", "f".repeat(left - 1)))
}
