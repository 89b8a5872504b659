//! Section 15: limits, from both sides.

mod names;

use crate::{
    cases::support::messages::refused,
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseError, CaseResult, not_applicable},
    },
    wire::{
        cbor::Value,
        code::{BAD_ARGS, OK, TOO_LARGE},
        request::{Request, abort, append, begin, commit, list, put, read, stat, uploads, write},
    },
};
use std::collections::BTreeSet;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = headers();
    cases.extend(payloads());
    cases.extend(windows());
    cases.extend(names::cases());
    cases
}

/// A request with an unknown argument that fills its header up to a number of bytes.
fn filled(request: &Request, session: [u8; 16], seq: u64, length: usize) -> Request {
    let with = |filler: usize| request.clone().arg("zz", vec![0x5a; filler]);
    let size = |filler: usize| with(filler).frames(session, seq)[0].len();
    // Beyond 256 bytes and within 65,535 the head of a byte string has three bytes; beyond that, five.
    let base = size(300) - 300;
    let filler = length - base;
    with(filler - (size(filler) - length))
}

fn headers() -> Vec<Case> {
    let mut cases = vec![
        must("a-header-of-the-announced-length-is-accepted", &["LIMIT-1", "CBOR-13"])
            .without_directory()
            .sends("`hello` and `stat` with an unknown argument that fills the header to exactly `header` bytes")
            .passes("OK to `hello`, which ignores it, and BAD_ARGS to `stat`.")
            .run(|t| {
                let length = header(t)?;
                let hello = filled(&t.hello_request(), t.session, 0, length);
                t.equal("the length of the header", hello.frames(t.session, 0)[0].len(), length)?;
                t.expect_ok(hello)?;
                let request = filled(&stat("/"), t.session, t.next, length);
                t.expect(request, BAD_ARGS)?;
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-header-and-a-payload-at-their-limits-are-accepted-together", &["LIMIT-1"])
            .sends(
                "`put` with a payload of `chunk` bytes and a header of `header` bytes, filled by an unknown argument",
            )
            .passes("BAD_ARGS: neither is too long; OK without the argument.")
            .run(|t| {
                let (length, chunk) = (header(t)?, chunk(t)?);
                let put = put(&t.path("new"), vec![7; chunk]);
                let request = filled(&put, t.session, t.next, length);
                t.expect(request, BAD_ARGS)?;
                t.expect_ok(put).map(drop)
            }),
    ];
    for more in [1, 2, 512, 1_024] {
        cases.push(
            must(
                &format!("a-header-{more}-above-the-limit-is-bad-message"),
                &["LIMIT-1", "LIMIT-4", "ENV-18", "SEQ-7"],
            )
            .without_directory()
            .sends(format!("`stat` and `hello` with a header of `header` + {more} bytes"))
            .passes("BAD_MESSAGE to both over a connection that stays; BAD_ARGS and OK at the limit.")
            .run(move |t| {
                let (length, session) = (header(t)?, t.session);
                let fits = filled(&stat("/"), session, t.next, length);
                t.expect(fits, BAD_ARGS).map_err(|error| error.into_prerequisite("the control"))?;
                let next = t.next;
                let long = filled(&stat("/"), session, next, length + more).frames(session, next);
                refused(t, &long, session, next)?;
                let hello = t.hello_request();
                t.control(filled(&hello, session, 0, length))?;
                let long = filled(&hello, session, 0, length + more).frames(session, 0);
                refused(t, &long, session, 0)?;
                t.expect_ok(stat("/")).map(drop)
            }),
        );
    }
    cases
}

fn payloads() -> Vec<Case> {
    type SizedRequest = fn(&CaseContext, usize) -> Request;
    let with: [(&str, SizedRequest); 3] = [
        ("put", |t, length| put(&t.path("new"), vec![7; length])),
        ("write", |t, length| write(&t.path("file"), 0, vec![7; length])),
        ("append", |t, length| append(up(t), 0, vec![7; length])),
    ];
    let mut cases: Vec<Case> = with
        .into_iter()
        .map(|(op, make)| {
            must(&format!("{op}-accepts-a-payload-of-at-most-a-chunk"), &["LIMIT-1", "LIMIT-4", "OP-5", "REFUSE-1"])
                .sends(format!("`{op}` with a payload of chunk + 1,024, chunk + 1 and chunk bytes"))
                .passes("TOO_LARGE to the first two, over a connection that stays, and OK to the last.")
                .run(move |t| {
                    t.file("file", b"before")?;
                    let (staged, up) = (t.path("staged"), up(t));
                    t.setup(begin(up, &staged))?;
                    let chunk = chunk(t)?;
                    let before = t.snapshot()?;
                    for more in [1_024, 1] {
                        let request = make(t, chunk + more);
                        t.expect(request, TOO_LARGE)?;
                    }
                    t.expect_unchanged(&before)?;
                    let request = make(t, chunk);
                    t.expect_ok(request).map(drop)
                })
        })
        .collect();
    cases.push(
        must("read-accepts-a-len-of-at-most-a-chunk", &["LIMIT-1", "OP-5", "READ-4"])
            .sends("Of a file of two chunks: `read` with a `len` of chunk, chunk + 1, and 2^63−1")
            .passes("OK with a whole chunk to the first, and TOO_LARGE to the others.")
            .run(|t| {
                let chunk = chunk(t)?;
                let content = t.bytes(1, 2 * chunk);
                let path = t.file("file", &content[..chunk])?;
                t.setup(write(&path, chunk as u64, &content[chunk..]))?;
                let reply = t.expect_ok(read(&path, 1, chunk as u64))?;
                t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or_default(), &content[1..=chunk])?;
                t.expect(read(&path, 0, chunk as u64 + 1), TOO_LARGE)?;
                t.expect(read(&path, 0, i64::MAX as u64), TOO_LARGE)?;
                t.expect_ok(stat(&path)).map(drop)
            }),
    );
    cases.push(
        must("a-payload-of-one-chunk-is-read-back-unchanged", &["LIMIT-1", "PUT-1", "READ-1"])
            .sends("`put` and `read` of a chunk of random bytes; `append` of another, and `commit`")
            .passes("The same bytes.")
            .run(|t| {
                let chunk = chunk(t)?;
                let (one, other) = (t.bytes(1, chunk), t.bytes(2, chunk));
                let path = t.path("put");
                t.expect_ok(put(&path, one.as_slice()))?;
                t.expect_content(&path, &one)?;
                let (path, up) = (t.path("committed"), up(t));
                t.expect_ok(begin(up, &path))?;
                t.expect_ok(append(up, 0, other.as_slice()))?;
                t.expect_ok(commit(up, &other))?;
                t.expect_content(&path, &other)
            }),
    );
    cases
}

fn windows() -> Vec<Case> {
    vec![
        must("a-window-of-requests-is-answered", &["LIMIT-1", "LIMIT-5", "ENV-8", "SEQ-1"])
            .without_directory()
            .sends("As many requests as `window` says at once, twice, before the first reply is looked at")
            .passes("OK to every one.")
            .run(|t| {
                let window = t.server()?.window;
                for _ in 0..2 {
                    let sent: Vec<u64> = (0..window).map(|_| t.send(&stat("/"))).collect::<Result<_, _>>()?;
                    t.expect_replies(&sent, OK)?;
                }
                Ok(())
            }),
        must("replies-with-payloads-are-not-dropped", &["LIMIT-5", "ENV-8"])
            .sends("As many `read` of a whole chunk at once as the window has, up to 4 MiB of them")
            .passes("OK to every one, with the bytes.")
            .run(|t| {
                let (window, chunk) = (t.server()?.window, chunk(t)?);
                let content = t.bytes(1, chunk);
                let path = t.file("file", &content)?;
                let count = window.min((4 * 1_048_576 / chunk) as u64);
                let sent: Vec<u64> =
                    (0..count).map(|_| t.send(&read(&path, 0, chunk as u64))).collect::<Result<_, _>>()?;
                for reply in t.expect_replies(&sent, OK)? {
                    t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or_default(), &content)?;
                }
                Ok(())
            }),
        must("sixty-four-uploads-can-be-staged", &["LIMIT-1", "BEGIN-6"])
            .sends("`begin` of 64 uploads, where nothing else is staged, and `append` to each, the first one first")
            .passes("OK to every one; all 64 are listed by `uploads`.")
            .run(|t| {
                if let Some(path) = abort_own(t)? {
                    return not_applicable(format!("an upload of another client is staged, for {path}"));
                }
                let up = |number: u8| {
                    let mut up = [0x64; 16];
                    up[0] = number;
                    up
                };
                for number in 0..64 {
                    let path = t.path(&format!("staged-{number}"));
                    t.expect_ok(begin(up(number), &path))?;
                }
                for number in 0..64 {
                    t.expect_ok(append(up(number), 0, vec![number]))?;
                }
                let staged = t.staged()?.len();
                for number in 0..64 {
                    t.setup(abort(up(number)))?;
                }
                t.equal("the number of staged uploads", staged, 64)
            }),
        must("a-listing-of-long-paths-fits-the-chunk", &["LIMIT-2", "LIST-6", "LIST-8"])
            .sends("`list` with `tree` of files at the end of paths so long that they fill more than a chunk")
            .passes("Pages whose headers are at most `chunk` bytes, which together have every name once.")
            .run(long_listing),
    ]
}

fn long_listing(t: &mut CaseContext) -> CaseResult {
    let chunk = chunk(t)?;
    // A dozen levels of the longest names: each name of the tree then has some 3,300 bytes.
    let mut deep = String::new();
    for level in 0..12 {
        deep = format!(
            "{deep}{}{}",
            if deep.is_empty() { "" } else { "/" },
            char::from(b'a' + level).to_string().repeat(255)
        );
        t.subdirectory(&deep)?;
    }
    let each = deep.len() + 100;
    let count = chunk / each + 3;
    let mut wanted: BTreeSet<String> = (1..=12).map(|levels| deep[..256 * levels - 1].to_owned()).collect();
    let window = usize::try_from(t.server()?.window).unwrap_or(1);
    let names: Vec<String> = (0..count).map(|number| format!("{deep}/{number:0>100}")).collect();
    for some in names.chunks(window) {
        let requests: Vec<Request> = some.iter().map(|name| put(&t.path(name), *b"")).collect();
        let sent: Vec<u64> = requests.iter().map(|request| t.send(request)).collect::<Result<_, _>>()?;
        t.expect_replies(&sent, OK).map_err(|error| error.into_prerequisite("a setup step"))?;
    }
    wanted.extend(names);
    let mut listed = BTreeSet::new();
    let mut after = String::new();
    loop {
        let request = list(t.directory()).arg("tree", true).arg("after", after.as_str());
        let page = t.expect_ok(request)?;
        let length = page.frames[0].len();
        t.check(length <= chunk, format!("a page of {length} bytes with a chunk of {chunk}"))?;
        for name in page.names()? {
            t.check(listed.insert(name.clone()), format!("{} is listed twice", &name[..name.len().min(40)]))?;
            after = name;
        }
        if page.key("more")? == &Value::Bool(false) {
            break;
        }
    }
    t.equal("the number of entries listed", listed.len(), wanted.len())?;
    t.check(listed == wanted, "other names are listed than were made")
}

/// Aborts uploads of earlier cases; returns the path of an upload of another client, if there is one.
fn abort_own(t: &mut CaseContext) -> CaseResult<Option<String>> {
    let own = t.environment.run_directory.clone();
    loop {
        let page = t.setup(uploads())?.items("uploads")?;
        for upload in &page {
            let path = upload.text("path")?;
            if !path.starts_with(&own) {
                return Ok(Some(path.to_owned()));
            }
            let up = upload.bytes("up")?.try_into();
            t.setup(abort(up.map_err(|_| CaseError::Failed("an `up` that is not 16 bytes".into()))?))?;
        }
        if page.is_empty() {
            return Ok(None);
        }
    }
}

fn up(t: &CaseContext) -> [u8; 16] {
    t.bytes(64, 16).try_into().expect("sixteen bytes were asked for")
}

fn header(t: &CaseContext) -> CaseResult<usize> {
    Ok(usize::try_from(t.server()?.header).unwrap_or(usize::MAX))
}

fn chunk(t: &CaseContext) -> CaseResult<usize> {
    Ok(usize::try_from(t.server()?.chunk).unwrap_or(usize::MAX))
}
