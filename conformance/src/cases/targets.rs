//! Section 10: kinds, targets and refusals.

mod disk;

use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        cbor::Value,
        code::{
            BAD_ARGS, BAD_NAME, BAD_OP, CHANGED, Code, DENIED, EXISTS, LIMIT, LOOP, NAME_CLASH, NO_UPLOAD, NOT_DIR,
            NOT_EMPTY, NOT_FILE, NOT_FOUND, OK, TOO_LARGE,
        },
        request::{Request, append, begin, commit, copy, mkdir, put, read, remove, rename, stat, write},
    },
};

const OLD: &[u8] = b"what was there";
const NEW: &[u8] = b"what comes in its place";

/// The operations that the target rules are for.
const MAKERS: [&str; 4] = ["put", "copy", "move", "commit"];

/// A row of the target rules: what is at the target, `pre`, the code, and the requirements.
struct TargetRule {
    id: &'static str,
    there: TargetState,
    pre: TargetPre,
    code: Code,
    checks: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetState {
    Nothing,
    File,
    Directory,
    FullDirectory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetPre {
    LeftOut,
    Absent,
    Any,
    /// The etag of the target.
    Etag,
    /// The etag of another file.
    OtherEtag,
    /// The etag that the file had before it was replaced.
    OldEtag,
}

const ROWS: &[TargetRule] = &[
    rule("creates-a-missing-target", TargetState::Nothing, TargetPre::LeftOut, OK, &["TARGET-4"]),
    rule("with-absent-creates-a-missing-target", TargetState::Nothing, TargetPre::Absent, OK, &["TARGET-4"]),
    rule("with-any-creates-a-missing-target", TargetState::Nothing, TargetPre::Any, OK, &["TARGET-1"]),
    rule("without-pre-replaces-nothing", TargetState::File, TargetPre::LeftOut, EXISTS, &["TARGET-4"]),
    rule("with-absent-replaces-nothing", TargetState::File, TargetPre::Absent, EXISTS, &["TARGET-4"]),
    rule("with-any-replaces-a-file", TargetState::File, TargetPre::Any, OK, &["TARGET-1"]),
    rule("with-its-etag-replaces-a-file", TargetState::File, TargetPre::Etag, OK, &["TARGET-7"]),
    rule("with-another-etag-replaces-nothing", TargetState::File, TargetPre::OtherEtag, CHANGED, &["TARGET-7"]),
    rule("with-an-old-etag-replaces-nothing", TargetState::File, TargetPre::OldEtag, CHANGED, &["TARGET-7", "ENTRY-3"]),
    rule("with-an-etag-creates-nothing", TargetState::Nothing, TargetPre::OtherEtag, CHANGED, &["TARGET-7"]),
    rule("on-a-directory-without-pre-is-exists", TargetState::Directory, TargetPre::LeftOut, EXISTS, &["TARGET-4"]),
    rule("with-any-does-not-replace-a-directory", TargetState::Directory, TargetPre::Any, NOT_FILE, &["TARGET-5"]),
    rule(
        "with-any-does-not-replace-a-non-empty-directory",
        TargetState::FullDirectory,
        TargetPre::Any,
        NOT_FILE,
        &["TARGET-5"],
    ),
    rule(
        "with-an-etag-on-a-directory-is-not-file",
        TargetState::Directory,
        TargetPre::OtherEtag,
        NOT_FILE,
        &["TARGET-5", "TARGET-1"],
    ),
];

const fn rule(
    id: &'static str,
    there: TargetState,
    pre: TargetPre,
    code: Code,
    checks: &'static [&'static str],
) -> TargetRule {
    TargetRule { id, there, pre, code, checks }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for op in MAKERS {
        cases.extend(ROWS.iter().map(|row| by_row(op, row)));
        cases.push(at_the_root(op));
        cases.push(below_nothing(op));
    }
    cases.extend(moved_directories());
    cases.extend(folding());
    cases.push(after_refusals());
    cases.extend(disk::cases());
    cases
}

/// Refusals of every step, each followed by a valid request.
fn after_refusals() -> Case {
    must("a-session-continues-after-every-refusal", &["REFUSE-2", "REFUSE-1", "SEQ-6"])
        .sends("Requests that are refused with one code after the other, and `write` and `stat` after each")
        .passes("Each has its code; the request after it is OK under the next number, and the content is as written.")
        .run(|t| {
            let (file, directory, missing) = (t.file("f", OLD)?, t.subdirectory("d")?, t.path("missing"));
            t.file("d/f", OLD)?;
            let up = t.id();
            let refused = [
                (Request { op: "unknown".into(), ..stat(&file) }, BAD_OP),
                (stat(&file).arg("unknown", true), BAD_ARGS),
                (read(&file, 0, t.server()?.chunk + 1), TOO_LARGE),
                (stat(&"/d".repeat(129)), LIMIT),
                (stat("/."), BAD_NAME),
                (rename(&file, &file), LOOP),
                (remove("/"), DENIED),
                (append(up, 0, "x"), NO_UPLOAD),
                (stat(&missing), NOT_FOUND),
                (stat(&format!("{file}/x")), NOT_DIR),
                (read(&directory, 0, 1), NOT_FILE),
                (remove(&file).arg("etag", *b"another"), CHANGED),
                (remove(&directory), NOT_EMPTY),
                (put(&file, NEW), EXISTS),
            ];
            for (turn, (request, code)) in refused.into_iter().enumerate() {
                t.expect(request, code)?;
                let written = [u8::try_from(turn).unwrap_or_default()];
                t.expect_ok(write(&file, 0, written))?;
                t.expect_content(&file, &[&written, &OLD[1..]].concat())?;
            }
            Ok(())
        })
}

fn by_row(op: &'static str, row: &'static TargetRule) -> Case {
    let sends = format!("`{op}` with pre {:?} onto {:?}", row.pre, row.there);
    let passes = if row.code == OK {
        "OK, and the target has exactly the new content.".to_owned()
    } else {
        format!("{}, and nothing changes; with a `pre` or target that fits, OK.", row.code)
    };
    must(&format!("{op}-{}", row.id), row.checks).sends(sends).passes(passes).run(move |t| {
        let target = t.path("target");
        let request = maker(t, op, &target)?;
        let stale = stand(t, row.there, row.pre, &target)?;
        let request = with_pre(t, request, row.pre, &target, stale)?;
        if row.code == OK {
            let entry = t.expect_ok(request)?.entry()?;
            t.equal("the size in the entry", entry.size()?, NEW.len() as u64)?;
            return t.expect_content(&target, NEW);
        }
        t.expect_refused(request.clone(), row.code)?;
        if op == "commit" {
            // It goes to the path of its begin: the positive control may replace what is there.
            return fitting_commit(t, row.there, &target);
        }
        let free = t.path("free");
        t.control(request.without("pre").arg(target_key(op), free)).map(drop)
    })
}

/// A request of the operation that creates `target` with the new content.
fn maker(t: &mut CaseContext, op: &str, target: &str) -> CaseResult<Request> {
    Ok(match op {
        "put" => put(target, NEW),
        "commit" => {
            let up = t.id();
            t.setup(begin(up, target))?;
            t.setup(append(up, 0, NEW))?;
            commit(up, NEW)
        }
        _ => {
            let source = t.file("source", NEW)?;
            if op == "copy" { copy(&source, target) } else { rename(&source, target) }
        }
    })
}

/// Sets up the target of a row; returns an etag that the file no longer has, if needed.
fn stand(t: &mut CaseContext, there: TargetState, pre: TargetPre, target: &str) -> CaseResult<Vec<u8>> {
    match there {
        TargetState::Nothing => Ok(Vec::new()),
        TargetState::File if pre != TargetPre::OldEtag => t.setup(put(target, OLD)).map(|_| Vec::new()),
        TargetState::File => {
            t.setup(put(target, b"an earlier content of another size".as_slice()))?;
            let stale = t.entry(target)?.etag()?;
            t.setup(put(target, OLD).arg("pre", "any"))?;
            Ok(stale)
        }
        TargetState::Directory | TargetState::FullDirectory => {
            t.setup(mkdir(target))?;
            if there == TargetState::FullDirectory {
                t.setup(put(&format!("{target}/inner"), OLD))?;
            }
            Ok(Vec::new())
        }
    }
}

fn with_pre(
    t: &mut CaseContext,
    request: Request,
    pre: TargetPre,
    target: &str,
    stale: Vec<u8>,
) -> CaseResult<Request> {
    Ok(match pre {
        TargetPre::LeftOut => request,
        TargetPre::Absent => request.arg("pre", "absent"),
        TargetPre::Any => request.arg("pre", "any"),
        TargetPre::Etag => {
            let etag = t.entry(target)?.etag()?;
            request.arg("pre", etag)
        }
        TargetPre::OtherEtag => {
            let other = t.file("unrelated", b"a file of its own")?;
            let etag = t.entry(&other)?.etag()?;
            request.arg("pre", etag)
        }
        TargetPre::OldEtag => request.arg("pre", stale),
    })
}

fn fitting_commit(t: &mut CaseContext, there: TargetState, target: &str) -> CaseResult {
    let up = t.staged()?.first().map(|(up, _)| up.clone()).unwrap_or_default();
    let up = <[u8; 16]>::try_from(up.as_slice()).unwrap_or_default();
    if matches!(there, TargetState::Directory | TargetState::FullDirectory) {
        if there == TargetState::FullDirectory {
            t.setup(crate::wire::request::remove(&format!("{target}/inner")))?;
        }
        t.setup(crate::wire::request::remove(target))?;
    }
    t.control(commit(up, NEW).arg("pre", "any")).map(drop)
}

fn target_key(op: &str) -> &'static str {
    if op == "put" { "path" } else { "to" }
}

fn at_the_root(op: &'static str) -> Case {
    must(&format!("{op}-does-not-replace-the-root"), &["TARGET-4", "TARGET-5"])
        .sends(format!("`{op}` onto `/`, with pre left out and with pre any"))
        .passes("EXISTS and NOT_FILE.")
        .run(move |t| {
            let request = maker(t, op, "/")?;
            let refused = t
                .expect_refused(request.clone(), EXISTS)
                .and_then(|_| t.expect_refused(request.clone().arg("pre", "any"), NOT_FILE));
            if op == "commit" {
                // It is staged outside the case's directory, and must be removed.
                let up = request.args.iter().find(|(key, _)| key == "up").map(|(_, up)| up.clone());
                t.setup(crate::wire::request::request("abort").arg("up", up.unwrap_or(Value::Bool(false))))?;
            }
            refused?;
            let free = t.path("free");
            let positive_control =
                if op == "commit" { maker(t, op, &free)? } else { request.arg(target_key(op), free) };
            t.control(positive_control).map(drop)
        })
}

fn below_nothing(op: &'static str) -> Case {
    must(&format!("{op}-creates-no-directories"), &["PATH-13"])
        .sends(format!("`{op}` to a path whose directory does not exist, and again when it does"))
        .passes("NOT_FOUND, then OK.")
        .run(move |t| {
            let target = t.path("missing/target");
            let request = maker(t, op, &target)?;
            t.expect_refused(request.clone(), NOT_FOUND)?;
            t.subdirectory("missing")?;
            t.control(request).map(drop)
        })
}

fn moved_directories() -> Vec<Case> {
    let onto =
        |id: &'static str, there: TargetState, pre: &'static str, code: Code, checks: &'static [&'static str]| {
            must(id, checks)
                .sends(format!("`move` of a directory onto {there:?} with pre {pre}"))
                .passes(format!("{code}; onto a missing target, OK with its content."))
                .run(move |t| {
                    let source = t.subdirectory("source")?;
                    t.setup(put(&format!("{source}/inner"), NEW))?;
                    let target = t.path("target");
                    stand(t, there, TargetPre::LeftOut, &target)?;
                    t.expect_refused(rename(&source, &target).arg("pre", pre), code)?;
                    let free = t.path("free");
                    t.control(rename(&source, &free).arg("pre", pre))?;
                    t.expect_content(&format!("{free}/inner"), NEW)?;
                    t.expect_absent(&source)
                })
        };
    vec![
        onto("a-directory-is-not-moved-onto-a-file", TargetState::File, "any", NOT_FILE, &["TARGET-5"]),
        onto(
            "a-directory-is-not-moved-onto-an-empty-directory",
            TargetState::Directory,
            "any",
            NOT_FILE,
            &["TARGET-5"],
        ),
        onto(
            "a-directory-is-not-moved-onto-a-non-empty-directory",
            TargetState::FullDirectory,
            "any",
            NOT_FILE,
            &["TARGET-5"],
        ),
        onto("a-directory-moved-onto-a-file-without-pre-is-exists", TargetState::File, "absent", EXISTS, &["TARGET-4"]),
        onto(
            "a-directory-moved-onto-a-directory-without-pre-is-exists",
            TargetState::Directory,
            "absent",
            EXISTS,
            &["TARGET-4"],
        ),
    ]
}

fn folding() -> Vec<Case> {
    let mut cases: Vec<Case> = MAKERS.into_iter().map(clash).collect();
    cases.push(
        must("a-name-is-moved-to-another-spelling-of-itself", &["TARGET-2", "MOVE-1"])
            .needs(&[Need::Folds])
            .sends("`move` of a file to its own name in capitals, with each pre, and of a directory")
            .passes("OK, and the listing has only the new spellings; the file keeps its content.")
            .run(|t| {
                let (lower, upper) = (t.file("spelling", OLD)?, t.path("SPELLING"));
                t.expect_ok(rename(&lower, &upper))?;
                t.expect_ok(rename(&upper, &lower).arg("pre", "any"))?;
                t.expect_ok(rename(&lower, &upper))?;
                t.expect_content(&upper, OLD)?;
                let (small, large) = (t.subdirectory("inside")?, t.path("INSIDE"));
                t.expect_ok(rename(&small, &large))?;
                let directory = t.directory().to_owned();
                let names = t.names(&crate::wire::request::list(&directory))?;
                t.equal("the names", names, ["INSIDE", "SPELLING"])
            }),
    );
    cases
}

fn clash(op: &'static str) -> Case {
    must(&format!("{op}-onto-another-spelling-is-a-clash"), &["TARGET-3", "TARGET-1"])
        .needs(&[Need::Folds])
        .sends(format!("`{op}` with pre any, and without pre, to the upper-case spelling of an existing name"))
        .passes("NAME_CLASH, and OK to the existing spelling.")
        .run(move |t| {
            let lower = t.file("spelling", OLD)?;
            let upper = t.path("SPELLING");
            let request = maker(t, op, &upper)?.arg("pre", "any");
            t.expect_refused(request.clone(), NAME_CLASH)?;
            t.expect_refused(request.clone().without("pre"), NAME_CLASH)?;
            let positive_control =
                if op == "commit" { maker(t, op, &lower)? } else { request.arg(target_key(op), lower.as_str()) };
            t.control(positive_control.arg("pre", "any"))?;
            t.expect_ok(stat(&lower)).map(drop)
        })
}
