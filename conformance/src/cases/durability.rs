//! Section 13: durability, and the state after a restart.

mod crash;

use crate::{
    engine::{
        case::{Case, Need, must},
        client::HelloReply,
        context::CaseContext,
        error::{CaseResult, failed, not_applicable},
        server::{Second, Server},
    },
    wire::{
        code::{NO_SESSION, NO_UPLOAD, OK},
        request::{abort, append, begin, commit, flush, ping, put, remove, truncate, uploads, write},
    },
};
use std::{
    fs,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        must("flush-answers-ok", &["FLUSH-1"])
            .sends("`flush` of nothing; after `put`, `write`, `truncate`, `append` and `remove`; and twice")
            .passes("OK to each.")
            .run(|t| {
                t.expect_ok(flush())?;
                let path = t.file("f", b"content")?;
                let gone = t.file("gone", b"content")?;
                let (up, staged) = (t.id(), t.path("staged"));
                t.setup(write(&path, 3, "more than there was"))?;
                t.setup(truncate(&path, 5))?;
                t.setup(begin(up, &staged))?;
                t.setup(append(up, 0, "staged"))?;
                t.setup(remove(&gone))?;
                t.expect_ok(flush())?;
                t.expect_ok(flush())?;
                t.setup(abort(up)).map(drop)
            }),
        must("flush-answers-ok-in-a-new-process", &["FLUSH-1"])
            .needs(&[Need::Restart])
            .sends("`put`; a restart of the server; `flush`")
            .passes("OK, and the file is there.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                restart(t, Server::restart)?;
                t.expect_ok(flush())?;
                t.expect_content(&path, b"content")
            }),
        must("a-restart-draws-a-new-boot-and-keeps-the-root", &["HELLO-3", "HELLO-4"])
            .needs(&[Need::Restart])
            .sends("`hello` before and after a restart of the server")
            .passes("`boot` is another one, `root` the same (or left out both times).")
            .run(|t| {
                let before = t.server()?;
                let after = restart(t, Server::restart)?;
                t.check(before.boot != after.boot, "`boot` is the same after a restart")?;
                t.equal("`root` after a restart", after.root, before.root)
            }),
        must("etags-stay-over-a-restart", &["ENTRY-4"])
            .needs(&[Need::Restart])
            .sends("`stat` of files by `put`, by `commit` and an empty one, before and after a restart of the server")
            .passes("The same etags, sizes and modification times.")
            .run(|t| {
                let (up, committed) = (t.id(), t.path("committed"));
                t.setup(begin(up, &committed))?;
                t.setup(append(up, 0, "content"))?;
                t.setup(commit(up, b"content"))?;
                let paths = [t.file("put", b"content")?, t.file("empty", b"")?, committed];
                let before = paths.iter().map(|path| t.entry(path)).collect::<CaseResult<Vec<_>>>()?;
                restart(t, Server::restart)?;
                for (path, before) in paths.iter().zip(before) {
                    let after = t.entry(path)?;
                    t.equal("the etag after a restart", after.etag()?, before.etag()?)?;
                    t.equal("mtime_ns after a restart", after.mtime_ns()?, before.mtime_ns()?)?;
                }
                Ok(())
            }),
        must("a-restart-forgets-all-numbers", &["SES-21", "SES-19"])
            .needs(&[Need::Restart])
            .sends("`put`; a restart; the same message again, a next one, and `ping`, all of the old session; `hello`")
            .passes("NO_SESSION to all of the old session, which change nothing; a new one opens at once.")
            .run(|t| {
                let (path, late) = (t.path("f"), t.path("late"));
                let (session, seq) = (t.session, t.next);
                t.setup(put(&path, "content"))?;
                restart_without_hello(t, Server::restart)?;
                for (number, request) in [(seq, put(&path, "content")), (seq + 1, put(&late, "late")), (1, put(&late, "late")), (0, ping())] {
                    t.send_raw(&request.frames(session, number), Some((session, number)))?;
                    let reply = t.reply_of(session, number)?;
                    t.code("a request of a session before the restart", &reply, NO_SESSION)?;
                }
                t.open()?;
                t.expect_absent(&late)?;
                t.expect_content(&path, b"content")
            }),
        must("requests-that-waited-for-the-server-are-refused", &["SES-21", "SES-25"])
            .needs(&[Need::Spawn])
            .sends("while the server is down, `put`, `commit` and `ping` of the old session, which arrive when it is up again")
            .passes("NO_SESSION to each, and nothing is created.")
            .run(|t| {
                let (up, staged, path) = (t.id(), t.path("staged"), t.path("f"));
                t.setup(begin(up, &staged))?;
                t.setup(append(up, 0, "content"))?;
                let (session, next) = (t.session, t.next);
                let environment = Rc::clone(&t.environment);
                environment.server.borrow_mut().kill()?;
                environment.last_session.set(None);
                t.reconnect()?;
                let requests = [(next, put(&path, "late")), (next + 1, commit(up, b"content")), (0, ping())];
                for (number, request) in &requests {
                    t.send_raw(&request.frames(session, *number), Some((session, *number)))?;
                }
                environment.server.borrow_mut().start()?;
                for (number, _) in &requests {
                    let reply = t.reply_of(session, *number)?;
                    t.code("a request that waited for the server", &reply, NO_SESSION)?;
                }
                t.open()?;
                t.expect_absent(&path)?;
                t.expect_absent(&staged)?;
                expect_staged(t, up, &staged, b"content")
            }),
        must("uploads-survive-a-restart", &["UP-2", "UP-4", "APPEND-2", "UPLOADS-1"])
            .needs(&[Need::Restart])
            .sends("`begin` with a `size` and `append`; a restart; `uploads`, `append`, `begin`, `append`, `commit`")
            .passes("It is listed with path, `off` and `size`; NO_UPLOAD before begin; the file is whole.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                t.setup(begin(up, &path).arg("size", 77_u64))?;
                t.setup(append(up, 0, "before and "))?;
                restart(t, Server::restart)?;
                let page = t.uploads(&uploads())?;
                let Some(listed) = page.iter().find(|upload| upload.bytes("up").is_ok_and(|found| found == up)) else {
                    return failed("`uploads` does not list an upload from before the restart");
                };
                t.equal("`path` after a restart", listed.text("path")?, &*path)?;
                t.equal("`off` after a restart", listed.uint("off")?, 11)?;
                t.equal("`size` after a restart", listed.uint("size").ok(), Some(77))?;
                t.expect(append(up, 11, "after"), NO_UPLOAD)?;
                expect_staged(t, up, &path, b"before and ")?;
                t.expect_ok(append(up, 11, "after"))?;
                t.expect_ok(commit(up, b"before and after"))?;
                t.expect_content(&path, b"before and after")
            }),
        must("staged-bytes-are-hashed-again-after-a-restart", &["UP-4", "BEGIN-1"])
            .needs(&[Need::Spawn])
            .sends("`begin` and `append`; the server is killed, one byte of its staged file is changed on the disk, and it is restarted; `begin`")
            .passes("The hash of what the file has now.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let mut content = t.bytes(4, 4_096);
                t.setup(begin(up, &path))?;
                t.setup(append(up, 0, content.clone()))?;
                restart(t, |server| {
                    server.kill()?;
                    change_on_disk(&server.root().unwrap_or_default(), &content)?;
                    server.start()
                })?;
                content[2_048] ^= 1;
                let reply = t.expect_ok(begin(up, &path))?;
                let off = usize::try_from(reply.uint("off")?).unwrap_or(usize::MAX);
                t.check(off <= content.len(), format!("{off} bytes are staged of {}", content.len()))?;
                t.equal_bytes("`hash` of begin", reply.bytes("hash")?, blake3::hash(&content[..off]).as_bytes())
            }),
        must("discarded-uploads-stay-discarded-over-a-restart", &["ABORT-1", "COMMIT-3", "BEGIN-3", "BEGIN-2", "UP-2"])
            .needs(&[Need::Restart])
            .sends("uploads that were aborted, committed, discarded by another for the same path, and begun again for another path; a restart; `uploads`")
            .passes("The one that discarded another, and the one that was begun again, empty and with its new path; no other.")
            .run(|t| {
                let [aborted, committed, pushed, pusher, restarted] = [t.id(), t.id(), t.id(), t.id(), t.id()];
                let (one, two, three, four, five) = (t.path("1"), t.path("2"), t.path("3"), t.path("4"), t.path("5"));
                for (up, path) in [(aborted, &one), (committed, &two), (pushed, &three), (restarted, &four)] {
                    t.setup(begin(up, path))?;
                    t.setup(append(up, 0, "content"))?;
                }
                t.setup(abort(aborted))?;
                t.setup(commit(committed, b"content"))?;
                t.setup(begin(pusher, &three))?;
                t.setup(begin(restarted, &five))?;
                restart(t, Server::restart)?;
                let mut wanted = vec![(pusher.to_vec(), 0), (restarted.to_vec(), 0)];
                wanted.sort();
                let staged = t.staged()?;
                t.equal("what is staged after the restart", staged, wanted)?;
                expect_staged(t, restarted, &five, b"")?;
                expect_staged(t, aborted, &one, b"")
            }),
        must("the-age-of-an-upload-continues-over-a-restart", &["UPLOADS-1"])
            .needs(&[Need::Restart])
            .sends("`begin`; 1.3 s; `append`; 200 ms; a restart; `uploads`")
            .passes("`age_ms` covers the whole time since the append, and no more.")
            .run(|t| {
                let (up, path) = (t.id(), t.path("f"));
                let stamp = t.file("stamp", b"x")?;
                let keeps_seconds = t.entry(&stamp)?.mtime_ns()? % 1_000_000_000 == 0;
                t.setup(begin(up, &path))?;
                t.let_pass(Duration::from_millis(1_300))?;
                let before = Instant::now();
                t.setup(append(up, 0, "content"))?;
                let since = Instant::now();
                t.let_pass(Duration::from_millis(200))?;
                restart(t, Server::restart)?;
                let least = since.elapsed().as_millis() - 50;
                let page = t.uploads(&uploads())?;
                let Some(listed) = page.iter().find(|upload| upload.bytes("up").is_ok_and(|found| found == up)) else {
                    return failed("`uploads` does not list an upload from before the restart");
                };
                let age = listed.uint("age_ms")?;
                // Some servers store seconds, and some file systems store times in steps of two seconds.
                let most = before.elapsed().as_millis() + if keeps_seconds { 2_050 } else { 1_050 };
                t.check(
                    (least..=most).contains(&age.into()),
                    format!("`age_ms` is {age}, and not within {least} and {most}"),
                )
            }),
        must("a-second-server-does-not-start", &["UP-9"])
            .needs(&[Need::Spawn])
            .sends("nothing: a second server is started on the same directory and another port")
            .passes("It ends, or at least does not serve; the first one continues.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let environment = Rc::clone(&t.environment);
                let became = environment.server.borrow_mut().second()?;
                if became == Second::Serves {
                    return failed("a second server serves the same directory");
                }
                t.expect(ping(), OK)?;
                t.expect_content(&path, b"content")
            }),
    ];
    cases.extend(crash::cases());
    cases
}

/// Restarts the server and opens a new session.
fn restart(t: &mut CaseContext, how: impl FnOnce(&mut Server) -> CaseResult) -> CaseResult<HelloReply> {
    restart_without_hello(t, how)?;
    t.open()
}

fn restart_without_hello(t: &mut CaseContext, how: impl FnOnce(&mut Server) -> CaseResult) -> CaseResult {
    let environment = Rc::clone(&t.environment);
    how(&mut environment.server.borrow_mut())?;
    environment.last_session.set(None);
    t.reconnect()
}

/// Changes the middle byte of the file below `root` that has this content.
fn change_on_disk(root: &Path, content: &[u8]) -> CaseResult {
    let not_found = || not_applicable("no file below the served directory has the bytes that are staged");
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let is = |kind: fn(&fs::FileType) -> bool| entry.file_type().is_ok_and(|found| kind(&found));
            if is(fs::FileType::is_dir) {
                directories.push(entry.path());
            } else if is(fs::FileType::is_file) && fs::read(entry.path()).is_ok_and(|found| found == content) {
                let mut changed = content.to_vec();
                changed[content.len() / 2] ^= 1;
                return fs::write(entry.path(), changed).or_else(|_| not_found());
            }
        }
    }
    not_found()
}

/// Checks that `begin` continues with exactly these bytes.
fn expect_staged(t: &mut CaseContext, up: [u8; 16], path: &str, content: &[u8]) -> CaseResult {
    let reply = t.expect_ok(begin(up, path))?;
    t.equal("`off` of begin", reply.uint("off")?, content.len() as u64)?;
    t.equal_bytes("`hash` of begin", reply.bytes("hash")?, blake3::hash(content).as_bytes())
}
