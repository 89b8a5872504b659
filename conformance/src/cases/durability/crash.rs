//! The state that a killed server leaves.

use super::{expect_staged, restart};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseResult, failed},
        server::Server,
    },
    wire::{
        code::{NO_UPLOAD, NOT_FOUND, OK},
        request::{
            Request, append, begin, commit, copy, flush, list, mkdir, put, read, remove, rename, stat, truncate, write,
        },
    },
};
use std::rc::Rc;

/// The payload of an append.
const PART: usize = 65_536;

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("staged-bytes-survive-a-kill", &["UP-2", "BEGIN-1", "UP-4"])
            .needs(&[Need::Spawn])
            .sends("`begin` and `append`; the server is killed and started again; `append`, `begin`, `append`, `commit`")
            .passes("NO_UPLOAD before begin; begin answers all that was appended, and the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path))?;
                t.setup(append(up, 0, "before and "))?;
                restart(t, Server::kill_and_restart)?;
                t.expect(append(up, 11, "after"), NO_UPLOAD)?;
                expect_staged(t, up, &path, b"before and ")?;
                t.expect_ok(append(up, 11, "after"))?;
                t.expect_ok(commit(up, b"before and after"))?;
                t.expect_content(&path, b"before and after")
            }),
        must("an-upload-continues-after-a-kill-during-appends", &["UP-2", "UP-4", "BEGIN-1", "UP-1"])
            .needs(&[Need::Spawn])
            .sends("appends of 64 KiB one after another, during which the server is killed; `begin`, the rest, `commit`")
            .passes("Nothing is visible; begin answers no less than was acknowledged, with the right hash; the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let content = t.bytes(1, 16 * PART);
                t.setup(begin(up, &path))?;
                let parts: Vec<Request> = (0..16)
                    .map(|part| append(up, (part * PART) as u64, &content[part * PART..(part + 1) * PART]))
                    .collect();
                let acknowledged = kill_amid(t, &parts, 3)? * PART;
                t.expect_absent(&path)?;
                let reply = t.expect_ok(begin(up, &path))?;
                let off = usize::try_from(reply.uint("off")?).unwrap_or(usize::MAX);
                if !(acknowledged..=content.len()).contains(&off) {
                    return failed(format!("{off} bytes are staged, of {acknowledged} that were acknowledged"));
                }
                t.equal_bytes("`hash` of begin", reply.bytes("hash")?, blake3::hash(&content[..off]).as_bytes())?;
                let mut at = off;
                while at < content.len() {
                    let end = content.len().min(at + PART);
                    t.expect_ok(append(up, at as u64, &content[at..end]))?;
                    at = end;
                }
                t.expect_ok(commit(up, &content))?;
                let found = t.expect_ok(crate::wire::request::hash(&path))?;
                t.equal_bytes("the hash of the file", found.bytes("hash")?, blake3::hash(&content).as_bytes())
            }),
        must("a-committed-file-survives-a-kill", &["COMMIT-3"])
            .needs(&[Need::Spawn])
            .sends("`commit` of a new file and of one over another; the server is killed and started again; `begin` of both")
            .passes("Both files are whole; nothing is staged, and both ids begin empty.")
            .run(|t| {
                let old = t.file("old", b"old")?;
                let (one, two, new) = (t.id(), t.id(), t.path("new"));
                for (up, path) in [(one, &old), (two, &new)] {
                    t.setup(begin(up, path))?;
                    t.setup(append(up, 0, "committed"))?;
                    t.setup(commit(up, b"committed").arg("pre", "any"))?;
                }
                restart(t, Server::kill_and_restart)?;
                let staged = t.staged()?;
                t.check(staged.is_empty(), "an upload that was committed is staged again")?;
                for (up, path) in [(one, &old), (two, &new)] {
                    t.expect_content(path, b"committed")?;
                    expect_staged(t, up, path, b"")?;
                }
                Ok(())
            }),
        must("flushed-data-survives-a-kill", &["FLUSH-1", "PUT-1", "WRITE-1", "MOVE-3", "REMOVE-1"])
            .needs(&[Need::Spawn])
            .sends("one of every operation that changes something, then `flush`; the server is killed and started again")
            .passes("Every change is there.")
            .run(|t| {
                let (put_, written, cut) = (t.path("put"), t.file("written", b"12345")?, t.file("cut", b"12345")?);
                let (moved, gone, directory) = (t.file("moved", b"moved")?, t.file("gone", b"gone")?, t.path("d"));
                let (to, copied, up, staged) = (t.path("to"), t.path("copied"), t.id(), t.path("staged"));
                let changes = [
                    put(&put_, "put"),
                    write(&written, 4, "678"),
                    truncate(&cut, 2),
                    rename(&moved, &to),
                    copy(&to, &copied),
                    remove(&gone),
                    mkdir(&directory),
                    begin(up, &staged),
                    append(up, 0, "staged"),
                    flush(),
                ];
                for change in changes {
                    t.setup(change)?;
                }
                restart(t, Server::kill_and_restart)?;
                for (path, content) in
                    [(&put_, &b"put"[..]), (&written, b"1234678"), (&cut, b"12"), (&to, b"moved"), (&copied, b"moved")]
                {
                    t.expect_content(path, content)?;
                }
                t.expect_absent(&moved)?;
                t.expect_absent(&gone)?;
                t.expect_ok(list(&directory))?;
                expect_staged(t, up, &staged, b"staged")
            }),
        must("a-kill-leaves-the-old-file-or-the-new-one", &["TARGET-8", "COMMIT-3", "PUT-1", "COPY-1", "UP-2", "UP-1"])
            .needs(&[Need::Spawn])
            .sends("`put`, `commit` and `copy` over files and `put` of a new one, during which the server is killed, at four points")
            .passes("Each file is the old or the new one, whole (the new one may be absent); an upload whose commit was not executed is still staged; no other name is listed.")
            .run(|t| (0..4).try_for_each(|killed_behind| kill_amid_replacements(t, killed_behind))),
    ]
}

fn kill_amid_replacements(t: &mut CaseContext, killed_behind: usize) -> CaseResult {
    let directory = t.subdirectory(&format!("d{killed_behind}"))?;
    let [replaced, committed, copied, made, source] =
        ["replaced", "committed", "copied", "made", "source"].map(|name| format!("{directory}/{name}"));
    let chunk = usize::try_from(t.server()?.chunk).unwrap_or(0).min(262_144);
    let (old, new) = (t.bytes(2, chunk - 1), t.bytes(3, chunk));
    for path in [&replaced, &committed, &copied] {
        t.setup(put(path, old.clone()))?;
    }
    t.setup(put(&source, new.clone()))?;
    let up = t.id();
    t.setup(begin(up, &committed))?;
    t.setup(append(up, 0, new.clone()))?;
    let requests = [
        put(&replaced, new.clone()).arg("pre", "any"),
        commit(up, &new).arg("pre", "any"),
        copy(&source, &copied).arg("pre", "any"),
        put(&made, new.clone()),
    ];
    let answered = kill_amid(t, &requests, killed_behind)?;
    for (number, path) in [&replaced, &committed, &copied].into_iter().enumerate() {
        let found = t.content(path)?;
        if found != new && (found != old || number < answered) {
            return failed(format!("{path} is neither what it was nor what replaces it, or its replacement is undone"));
        }
        if number == 1 {
            expect_staged(t, up, path, if found == new { b"" } else { &new })?;
        }
    }
    let found = t.expect(stat(&made), [OK, NOT_FOUND])?;
    if found.is_ok() {
        let found = t.setup(read(&made, 0, chunk as u64))?.payload.unwrap_or_default();
        t.equal_bytes("a new file after a kill", &found, &new)?;
    }
    let names = t.names(&list(&directory))?;
    let unexpected =
        names.iter().find(|name| !["replaced", "committed", "copied", "made", "source"].contains(&name.as_str()));
    t.check(unexpected.is_none(), format!("after a kill there is a name {unexpected:?}"))
}

/// Pipelines requests up to the window, kills the server when a number of them are answered and at least one
/// more is sent, restarts it, and opens a session. Returns the number of replies OK.
fn kill_amid(t: &mut CaseContext, requests: &[Request], answers: usize) -> CaseResult<usize> {
    let window = usize::try_from(t.server()?.window).unwrap_or(1);
    let mut sent = Vec::new();
    let mut answered = 0;
    for request in requests {
        if sent.len() - answered == window {
            if answered == answers {
                break;
            }
            t.expect_replies(&sent[answered..=answered], OK)?;
            answered += 1;
        }
        sent.push(t.send(request)?);
    }
    while answered < answers.min(sent.len() - 1) {
        t.expect_replies(&sent[answered..=answered], OK)?;
        answered += 1;
    }
    let environment = Rc::clone(&t.environment);
    environment.server.borrow_mut().kill()?;
    environment.server.borrow_mut().start()?;
    environment.last_session.set(None);
    t.reconnect()?;
    t.open()?;
    Ok(answered)
}
