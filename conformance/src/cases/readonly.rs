//! Step 12 of section 14.1: a server that refuses every change.

use super::support::files::{expect_all, lasting};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseResult, not_applicable},
    },
    wire::{
        code::{BAD_ARGS, BAD_NAME, Code, DENIED, LIMIT, LOOP, NOT_FILE, NOT_FOUND, OK, TOO_LARGE},
        request::{
            Request, abort, append, begin, commit, copy, flush, hash, list, mkdir, ping, put, read, remove, rename,
            stat, touch, truncate, uploads, write,
        },
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = CHANGERS.iter().map(|op| denied(op)).collect();
    cases.extend(others());
    cases
}

const CHANGERS: [&str; 12] =
    ["mkdir", "put", "write", "truncate", "touch", "remove", "move", "copy", "begin", "append", "commit", "abort"];

/// A changing operation at a path.
fn changer(t: &CaseContext, op: &str, path: &str) -> Request {
    let to = format!("{path}-to");
    match op {
        "mkdir" => mkdir(path),
        "put" => put(path, "content"),
        "write" => write(path, 0, "content"),
        "truncate" => truncate(path, 0),
        "touch" => touch(path, 0),
        "remove" => remove(path),
        "move" => rename(path, &to),
        "copy" => copy(path, &to),
        "begin" => begin(t.id(), path),
        "append" => append(t.id(), 0, "content"),
        "commit" => commit(t.id(), b"content"),
        _ => abort(t.id()),
    }
}

/// An unused name in the served directory.
fn unused_path(t: &CaseContext) -> String {
    format!("/conformance-{}", crate::wire::cbor::hex(&t.id()))
}

fn case(id: &str, checks: &'static [&'static str]) -> Case {
    must(id, checks).without_directory().needs(&[Need::ReadOnly])
}

fn denied(op: &'static str) -> Case {
    case(&format!("{op}-is-denied-on-a-read-only-server"), &["CODE-5", "REFUSE-1", "HELLO-5"])
        .sends(format!("`{op}` of a missing name, below one that is not there, and where it can be of `/`"))
        .passes("DENIED to each, also if the path exists; nothing is created.")
        .run(move |t| {
            let path = unused_path(t);
            let before = t.entry("/")?;
            let below = format!("{path}/x");
            let mut requests = vec![changer(t, op, &path), changer(t, op, &below)];
            // Of `/` the others are LOOP, which takes precedence.
            if !matches!(op, "move" | "copy") {
                requests.push(changer(t, op, "/"));
            }
            expect_all(t, requests, DENIED)?;
            t.expect_absent(&path)?;
            let after = t.entry("/")?;
            t.equal("the served directory's entry", lasting(&after), lasting(&before))?;
            t.expect_ok(ping()).map(drop)
        })
}

/// Errors that take precedence over step 12, with their codes.
fn earlier(t: &CaseContext, chunk: usize) -> Vec<(Request, Code)> {
    let (path, long, deep) = (unused_path(t), format!("/{}", "n/".repeat(126) + &"n".repeat(4_000)), "/d".repeat(129));
    let mut requests = Vec::new();
    for op in CHANGERS {
        requests.push((changer(t, op, &path).arg("unknown", true), BAD_ARGS));
        if matches!(op, "put" | "write" | "append") {
            requests.push((changer(t, op, &path).payload(vec![0; chunk + 1]), TOO_LARGE));
        }
        if !matches!(op, "append" | "commit" | "abort") {
            requests.push((changer(t, op, "/."), BAD_NAME));
            requests.push((changer(t, op, "/.remofile"), BAD_NAME));
            requests.push((changer(t, op, &deep), LIMIT));
            requests.push((changer(t, op, &long), LIMIT));
        }
    }
    for operation in [rename, copy] {
        requests.push((operation(&path, "/a//b"), BAD_NAME));
        requests.push((operation(&path, &path), LOOP));
        requests.push((operation(&path, &format!("{path}/x")), LOOP));
        requests.push((operation("/", &path), LOOP));
    }
    requests
}

fn others() -> Vec<Case> {
    vec![
        case("errors-in-a-request-come-before-read-only", &["CODE-5"])
            .sends("Every changing operation with a wrong argument, a bad name, a path too long or deep, a loop, a large payload")
            .passes("BAD_ARGS, BAD_NAME, LIMIT, LOOP and TOO_LARGE, not DENIED.")
            .run(|t| {
                let chunk = usize::try_from(t.server()?.chunk).unwrap_or_default();
                for (request, code) in earlier(t, chunk) {
                    t.expect(request, code)?;
                }
                let path = unused_path(t);
                t.expect(put(&path, vec![0; chunk]), DENIED).map(drop)
            }),
        case("uploads-and-flush-are-answered-on-a-read-only-server", &["OP-1", "UPLOADS-1", "FLUSH-1"])
            .sends("`uploads` and `flush`")
            .passes("OK to both.")
            .run(|t| expect_all(t, vec![uploads(), flush()], OK).map(drop)),
        case("listings-on-a-read-only-server-are-answered", &["OP-1", "STAT-1", "LIST-1"])
            .sends("`stat` and `list` of `/`; `stat`, `list`, `read` and `hash` of missing names; `read` of `/`")
            .passes("OK, NOT_FOUND and NOT_FILE.")
            .run(|t| {
                let path = unused_path(t);
                expect_all(t, vec![stat("/"), list("/"), list("/").arg("tree", true).arg("limit", 3_u64)], OK)?;
                expect_all(t, vec![stat(&path), list(&path), read(&path, 0, 1), hash(&path)], NOT_FOUND)?;
                expect_all(t, vec![read("/", 0, 1), hash("/")], NOT_FILE).map(drop)
            }),
        case("files-on-a-read-only-server-are-read-and-hashed", &["READ-1", "HASH-1", "ENTRY-5"])
            .sends("`read`, `hash` and every change of the first small file that `list` shows")
            .passes("The hash of what was read, one etag; DENIED to every change, and the file stays as it was.")
            .run(|t| {
                let (path, size) = small_file(t)?;
                let got = t.expect_ok(read(&path, 0, size))?;
                let hashed = t.expect_ok(hash(&path))?;
                let content = got.payload.clone().unwrap_or_default();
                t.equal_bytes("the hash", hashed.bytes("hash")?, blake3::hash(&content).as_bytes())?;
                t.equal("the etag of hash", hashed.bytes("etag")?, got.bytes("etag")?)?;
                let before = t.entry(&path)?;
                let changes = CHANGERS.iter().map(|op| changer(t, op, &path)).collect();
                expect_all(t, changes, DENIED)?;
                let after = t.entry(&path)?;
                t.equal("the file's entry", lasting(&after), lasting(&before))
            }),
    ]
}

/// The first file of at most 65,536 bytes among the first entries of the served directory, and its size.
fn small_file(t: &mut CaseContext) -> CaseResult<(String, u64)> {
    let page = t.setup(list("/").arg("tree", true).arg("limit", 1_000_u64))?;
    for entry in page.items("entries")? {
        if entry.kind()? == "file" && entry.size()? <= 65_536 {
            return Ok((format!("/{}", entry.text("name")?), entry.size()?));
        }
    }
    not_applicable("none of the first entries of the served directory is a file of at most 65,536 bytes")
}
