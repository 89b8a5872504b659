//! Sections 11.15 to 11.19 and 12: uploads.

mod append;
mod begin;
mod commit;
mod many;
mod place;
mod resume;
mod staged;
mod target;

use crate::{
    engine::{case::Case, context::CaseContext, error::CaseResult},
    wire::{
        code::NO_UPLOAD,
        reply::Entry,
        request::{Request, abort, append, begin, commit, uploads},
    },
};

pub(super) fn cases() -> Vec<Case> {
    [
        begin::cases(),
        append::cases(),
        commit::cases(),
        target::cases(),
        place::cases(),
        staged::cases(),
        many::cases(),
        resume::cases(),
    ]
    .into_iter()
    .flatten()
    .map(tidy)
    .collect()
}

/// Adds a clean-up of staged uploads to a case, because servers hold a limited number of uploads.
fn tidy(case: Case) -> Case {
    let Case { run, .. } = case;
    Case {
        run: Box::new(move |t| {
            run(t)?;
            for (up, _) in t.staged()? {
                t.setup(abort(id_of(&up)))?;
            }
            Ok(())
        }),
        ..case
    }
}

/// Begins an upload and appends to it.
fn stage(t: &mut CaseContext, up: [u8; 16], path: &str, content: &[u8]) -> CaseResult {
    t.setup(begin(up, path))?;
    t.setup(append(up, 0, content)).map(drop)
}

/// Checks that `begin` continues with exactly these bytes.
fn expect_staged(t: &mut CaseContext, up: [u8; 16], path: &str, content: &[u8]) -> CaseResult {
    expect_begun(t, begin(up, path), content)
}

/// Checks that a `begin` answers exactly these bytes.
fn expect_begun(t: &mut CaseContext, begin: Request, content: &[u8]) -> CaseResult {
    let reply = t.expect_ok(begin)?;
    t.equal("`off` of begin", reply.uint("off")?, content.len() as u64)?;
    t.equal_bytes("`hash` of begin", reply.bytes("hash")?, blake3::hash(content).as_bytes())
}

/// Checks that an upload is not there any more, neither for `append` and `commit` nor in `uploads`.
fn expect_gone(t: &mut CaseContext, up: [u8; 16], content: &[u8]) -> CaseResult {
    t.expect(append(up, content.len() as u64, "more"), NO_UPLOAD)?;
    t.expect(append(up, 0, "more"), NO_UPLOAD)?;
    t.expect(commit(up, content), NO_UPLOAD)?;
    let listed = listed(t, up)?;
    t.check(listed.is_none(), "`uploads` lists an upload that is gone")
}

/// The entry of an upload in `uploads`.
fn listed(t: &mut CaseContext, up: [u8; 16]) -> CaseResult<Option<Entry>> {
    // The page after the preceding id begins with this upload.
    let before = u128::from_be_bytes(up).wrapping_sub(1).to_be_bytes();
    let page = t.setup(uploads().arg("after", before))?;
    Ok(page.items("uploads")?.into_iter().find(|upload| upload.bytes("up").is_ok_and(|found| found == up)))
}

/// Replaces the session with a new one.
fn new_session(t: &mut CaseContext) -> CaseResult {
    t.close()?;
    t.open().map(drop).map_err(|error| error.into_prerequisite("a new session"))
}

fn id_of(up: &[u8]) -> [u8; 16] {
    up.try_into().unwrap_or_default()
}
