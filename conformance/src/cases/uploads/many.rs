//! Many uploads at once.

use super::{super::support::files::setup_all, expect_gone, expect_staged};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseResult, not_applicable},
    },
    wire::{
        code::{LIMIT, NO_UPLOAD, OK},
        request::{Request, abort, append, begin, uploads},
    },
};
use std::time::Duration;

/// The least number of uploads that a server must hold [BEGIN-6].
const HELD: u8 = 64;

/// The length of the longest path [PATH-5].
const LONGEST: usize = 4_096;

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("sixty-four-uploads-are-held", &["BEGIN-6", "UP-3", "UPLOADS-1"])
            .sends("64 times `begin`, each with another id and path, and `uploads`")
            .passes("OK to all; `uploads` lists all 64 in order, and each takes bytes.")
            .run(|t| {
                let ups = fill(t)?;
                let staged: Vec<Vec<u8>> = t.staged()?.into_iter().map(|(up, _)| up).collect();
                t.equal("the ids that `uploads` lists", staged, ups.map(Vec::from).to_vec())?;
                for up in [ups[0], ups[31], ups[63]] {
                    t.expect_ok(append(up, 0, "x"))?;
                }
                Ok(())
            }),
        must("at-the-limit-the-least-recently-used-upload-is-discarded", &["BEGIN-6", "BEGIN-3", "UP-3", "APPEND-2"])
            .sends("64 uploads, `append` to the first, and `begin` of one more")
            .passes(
                "LIMIT; or OK, and either all uploads exist or only the second is discarded, to which `append` is NO_UPLOAD.",
            )
            .run(|t| {
                let ups = fill(t)?;
                t.setup(append(ups[0], 0, "x"))?;
                let (more, path) = (t.id(), t.path("more"));
                let reply = t.expect(begin(more, &path), [OK, LIMIT])?;
                let staged: Vec<Vec<u8>> = t.staged()?.into_iter().map(|(up, _)| up).collect();
                let gone: Vec<_> = ups.iter().filter(|up| !staged.contains(&up.to_vec())).collect();
                if !reply.is_ok() {
                    t.check(gone.is_empty(), "begin was answered LIMIT and has discarded an upload")?;
                    t.expect(append(more, 0, "x"), NO_UPLOAD)?;
                    t.setup(abort(ups[5]))?;
                    return t.control(begin(more, &path)).map(drop);
                }
                t.check(staged.contains(&more.to_vec()), "the upload that was begun last is not listed")?;
                match gone[..] {
                    [] => Ok(()),
                    [only] if *only == ups[1] => expect_gone(t, *only, b""),
                    _ => crate::engine::error::failed(format!(
                        "{} uploads were discarded, and not the one that was untouched longest",
                        gone.len()
                    )),
                }
            }),
        must("at-the-limit-the-same-path-discards-no-other-upload", &["BEGIN-3", "BEGIN-6", "UP-3"])
            .sends("64 uploads, `begin` of one of them again, and `begin` of a new id with the path of another")
            .passes("OK to both; only the upload of that path is discarded.")
            .run(|t| {
                let ups = fill(t)?;
                let again = begin(ups[7], &path_of(t, 7));
                t.expect_ok(again)?;
                let all = t.staged()?;
                t.equal("how many uploads are staged", all.len(), usize::from(HELD))?;
                let (new, path) = (t.id(), path_of(t, 9));
                expect_staged(t, new, &path, b"")?;
                let staged: Vec<Vec<u8>> = t.staged()?.into_iter().map(|(up, _)| up).collect();
                let gone: Vec<_> = ups.iter().filter(|up| !staged.contains(&up.to_vec())).collect();
                t.equal("what is gone", gone, [&ups[9]])
            }),
        must("uploads-come-in-pages", &["UPLOADS-2", "UPLOADS-1"])
            .sends("64 uploads with paths of 4,096 bytes, and `uploads` page by page")
            .passes("Each upload once, on pages of at most `chunk` bytes; only the last has `more` false.")
            .run(|t| {
                make_room(t)?;
                let wanted: Vec<_> = (0..HELD).map(|number| (id(t, number).to_vec(), long_path(t, number))).collect();
                let begins = wanted.iter().map(|(up, path)| begin(super::id_of(up), path)).collect();
                setup_all(t, begins)?;
                let mut listed = Vec::new();
                let mut after = None;
                loop {
                    let request = uploads();
                    let page = t.expect_ok(match &after {
                        Some(after) => request.arg("after", Vec::clone(after)),
                        None => request,
                    })?;
                    for upload in page.items("uploads")? {
                        let (up, path) = (upload.bytes("up")?.to_vec(), upload.text("path")?.to_owned());
                        after = Some(up.clone());
                        if path.starts_with(t.directory()) {
                            listed.push((up, path));
                        }
                    }
                    if !page.bool("more")? {
                        return t.check(listed == wanted, format!("{} uploads are listed of {HELD}", listed.len()));
                    }
                    t.check(!page.items("uploads")?.is_empty(), "a page says `more` and has no upload")?;
                }
            }),
    ]
}

/// Begins as many uploads as every server holds, in ascending order of their ids; the first two a while before the rest.
fn fill(t: &mut CaseContext) -> CaseResult<[[u8; 16]; HELD as usize]> {
    make_room(t)?;
    let mut ups = [[0; 16]; HELD as usize];
    for number in 0..HELD {
        ups[usize::from(number)] = id(t, number);
    }
    let requests: Vec<Request> = (0..HELD).map(|number| begin(ups[usize::from(number)], &path_of(t, number))).collect();
    for request in requests.iter().take(2) {
        t.expect_ok(request.clone())?;
    }
    t.let_pass(Duration::from_millis(30))?;
    let window = usize::try_from(t.server()?.window).unwrap_or(1).min(16);
    for requests in requests[2..].chunks(window) {
        let sent = requests.iter().map(|request| t.send(request)).collect::<CaseResult<Vec<_>>>()?;
        t.expect_replies(&sent, OK)?;
    }
    Ok(ups)
}

/// Aborts the uploads of this run. The case does not apply if other clients have staged uploads, which it could
/// displace.
fn make_room(t: &mut CaseContext) -> CaseResult {
    let run = format!("{}/", t.environment.run_directory);
    let mut after = [0; 16];
    loop {
        let page = t.setup(uploads().arg("after", after))?;
        for upload in page.items("uploads")? {
            after = super::id_of(upload.bytes("up")?);
            let path = upload.text("path")?;
            if !path.starts_with(&run) {
                return not_applicable(format!(
                    "an upload for {path:?} is staged that is not of this run, and could go"
                ));
            }
            t.setup(abort(after))?;
        }
        if !page.bool("more")? {
            return Ok(());
        }
    }
}

fn path_of(t: &CaseContext, number: u8) -> String {
    t.path(&format!("f{number}"))
}

/// An id that sorts by a number.
fn id(t: &mut CaseContext, number: u8) -> [u8; 16] {
    let mut up = t.id();
    up[0] = number;
    up
}

/// A path of 4,096 bytes.
fn long_path(t: &CaseContext, number: u8) -> String {
    let mut path = t.path(&format!("{number:02}"));
    while path.len() < LONGEST {
        // A slash without a name after it would be left.
        let left = LONGEST - path.len() - 1;
        let name = if left == 201 { 199 } else { left.min(200) };
        path += &format!("/{}", "n".repeat(name));
    }
    path
}
