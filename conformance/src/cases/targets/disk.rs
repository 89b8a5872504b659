//! Target rules that only a process on the server's machine can set up or observe.

use super::{MAKERS, OLD, maker};
use crate::{
    cases::support::disk::harness,
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        code::{EXISTS, UNSUPPORTED_KIND},
        request::{mkdir, put},
    },
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for op in MAKERS {
        cases.push(onto_a_link(op, "a-link-to-a-file", "to-a-file"));
        cases.push(onto_a_link(op, "a-broken-link", "to-nothing"));
        cases.push(keeps_permissions(op));
    }
    cases.push(permissions_of_new_ones());
    cases.push(replacing_is_atomic());
    cases
}

fn onto_a_link(op: &'static str, what: &str, points: &'static str) -> Case {
    must(&format!("{op}-does-not-replace-{what}"), &["TARGET-6", "TARGET-4", "PATH-11"])
        .needs(&[Need::Root])
        .sends(format!("`{op}` onto a symbolic link, with pre left out, any, and an etag"))
        .passes("EXISTS, UNSUPPORTED_KIND and UNSUPPORTED_KIND; the link and what it points to do not change.")
        .run(move |t| {
            let old = t.file("to-a-file", OLD)?;
            let link = t.on_disk("link")?;
            symlink(points, &link).map_err(harness)?;
            let target = t.path("link");
            let request = maker(t, op, &target)?;
            t.expect_refused(request.clone(), EXISTS)?;
            t.expect_refused(request.clone().arg("pre", "any"), UNSUPPORTED_KIND)?;
            t.expect_refused(request.clone().arg("pre", *b"an etag"), UNSUPPORTED_KIND)?;
            t.check(fs::read_link(&link).is_ok_and(|to| to == Path::new(points)), "the link was replaced")?;
            t.expect_content(&old, OLD)?;
            fs::remove_file(&link).map_err(harness)?;
            t.control(request).map(drop)
        })
}

fn keeps_permissions(op: &'static str) -> Case {
    let keeps = op != "move";
    let passes =
        if keeps { "The new file has the bits of the one that it replaced." } else { "The file keeps its own bits." };
    must(
        &format!(
            "{op}-{}",
            if keeps { "keeps-the-permissions-of-the-replaced-file" } else { "keeps-the-permissions-of-its-source" }
        ),
        &["TARGET-10"],
    )
    .needs(&[Need::Root, Need::Posix])
    .sends(format!("`{op}` with pre any onto a file of permissions 0640"))
    .passes(passes)
    .run(move |t| {
        let target = t.file("target", OLD)?;
        set_mode(&t.on_disk("target")?, 0o640)?;
        let request = maker(t, op, &target)?;
        if op == "move" {
            set_mode(&t.on_disk("source")?, 0o600)?;
        }
        t.expect_ok(request.arg("pre", "any"))?;
        let wanted = if keeps { 0o640 } else { 0o600 };
        t.equal("the permission bits", mode(&t.on_disk("target")?)?, wanted)
    })
}

fn permissions_of_new_ones() -> Case {
    must("new-files-and-directories-get-the-permissions-of-the-umask", &["TARGET-10"])
        .needs(&[Need::Root, Need::Posix])
        .sends("`put`, `copy`, `commit` and `mkdir` of missing names")
        .passes("Files have 0666 and directories 0777, both less the same umask.")
        .run(|t| {
            let directory = t.path("directory");
            t.expect_ok(mkdir(&directory))?;
            let umask = !mode(&t.on_disk("directory")?)? & 0o777;
            for op in ["put", "copy", "commit"] {
                let target = t.path(op);
                let request = maker(t, op, &target)?;
                t.expect_ok(request)?;
                t.equal(&format!("the permission bits of what {op} made"), mode(&t.on_disk(op)?)?, 0o666 & !umask)?;
            }
            Ok(())
        })
}

fn replacing_is_atomic() -> Case {
    must("a-replaced-file-is-never-visible-in-part", &["TARGET-8", "PUT-1"])
        .needs(&[Need::Root])
        .sends("`put` with pre any of two contents in turn, 100 times, while the file is read on the disk")
        .passes("Every read returns one of the two contents, complete.")
        .run(|t| {
            let (one, other) = (vec![b'1'; 60_000], vec![b'2'; 50_000]);
            let path = t.file("file", &one)?;
            let disk = t.on_disk("file")?;
            let done = AtomicBool::new(false);
            let (sent, seen) = std::thread::scope(|scope| {
                let reader = scope.spawn(|| watch(&disk, &done, &one, &other));
                let sent = replace(t, &path, &one, &other);
                done.store(true, Ordering::Relaxed);
                (sent, reader.join())
            });
            sent?;
            match seen {
                Ok(None) => Ok(()),
                Ok(Some(what)) => failed(what),
                Err(_) => Err(CaseError::Harness("the reading thread panicked".into())),
            }
        })
}

fn replace(t: &mut CaseContext, path: &str, one: &[u8], other: &[u8]) -> CaseResult {
    for turn in 0..100 {
        let content = if turn % 2 == 0 { other } else { one };
        t.expect_ok(put(path, content).arg("pre", "any"))?;
    }
    Ok(())
}

/// Reads until `done` is set; returns content that was neither of the two.
fn watch(path: &Path, done: &AtomicBool, one: &[u8], other: &[u8]) -> Option<String> {
    loop {
        let last = done.load(Ordering::Relaxed);
        match fs::read(path) {
            Ok(content) if content == one || content == other => {}
            Ok(content) => {
                return Some(format!("{} bytes that are neither of the two contents were seen", content.len()));
            }
            Err(error) => return Some(format!("the name was not there for a moment: {error}")),
        }
        if last {
            return None;
        }
    }
}

fn mode(path: &Path) -> CaseResult<u32> {
    Ok(fs::metadata(path).map_err(harness)?.permissions().mode() & 0o777)
}

fn set_mode(path: &Path, mode: u32) -> CaseResult {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(harness)
}
