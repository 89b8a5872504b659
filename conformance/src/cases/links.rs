//! Section 8: links are not followed, special files are not opened, and invalid names are counted.

mod names;
mod races;

use super::{
    support::disk::{Disk, SECRET, harness},
    support::files::{all, by_path, expect_all, refuse_all, setup_all},
};
use crate::{
    engine::{
        case::{Case, Need, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{CHANGED, DENIED, EXISTS, NOT_DIR, NOT_FOUND, OK, UNSUPPORTED_KIND},
        request::{
            Request, abort, append, begin, commit, copy, hash, list, mkdir, put, read, remove, rename, stat, touch,
            truncate, write,
        },
    },
};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        LINKS.iter().flat_map(|(what, to)| [through_a_link(what, to), of_a_link(what, to)]).collect();
    cases.extend(links());
    cases.extend(special_files());
    cases.extend(hard_links());
    cases.extend(names::cases());
    cases.extend(races::cases());
    cases
}

pub(super) fn case(id: &str, checks: &'static [&'static str]) -> Case {
    must(id, checks).needs(&[Need::Root, Need::Posix])
}

/// Where a link points.
#[derive(Clone, Copy)]
enum LinkTarget {
    /// An absolute path outside.
    Outside(&'static str),
    /// This target.
    Text(&'static str),
}

const LINKS: &[(&str, LinkTarget)] = &[
    ("a-directory-outside", LinkTarget::Outside("d")),
    ("a-directory-inside", LinkTarget::Text("d")),
    ("the-directory-above", LinkTarget::Text("..")),
    ("its-own-directory", LinkTarget::Text(".")),
    ("the-root-of-the-machine", LinkTarget::Text("/")),
    ("a-file-outside", LinkTarget::Outside("secret")),
    ("a-file-inside", LinkTarget::Text("d/f")),
    ("nothing", LinkTarget::Text("missing")),
    ("nothing-outside", LinkTarget::Outside("made")),
    ("itself", LinkTarget::Text("link")),
];

/// Creates the link `link`, the directory `d` with the files `f` and `secret`, and the file `other`.
fn set_up_fixture(t: &mut CaseContext, to: LinkTarget) -> CaseResult<Disk> {
    let steps = vec![
        mkdir(&t.path("d")),
        put(&t.path("d/f"), "inside"),
        put(&t.path("d/secret"), "inside"),
        put(&t.path("other"), "other"),
    ];
    setup_all(t, steps)?;
    let disk = Disk::new(t)?;
    match to {
        LinkTarget::Outside(name) => disk.connection(disk.outside(name), "link")?,
        LinkTarget::Text(text) => disk.connection(text, "link")?,
    }
    Ok(disk)
}

fn through_a_link(what: &str, to: &'static LinkTarget) -> Case {
    case(&format!("a-path-through-a-link-to-{what}-is-not-dir"), &["PATH-11", "PATH-10", "PATH-13"])
        .sends("Every operation that takes a path, with one through the link: to names that exist beyond it and that do not")
        .passes("NOT_DIR to each; nothing is read, made, changed or removed beyond the link.")
        .run(move |t| {
            let disk = set_up_fixture(t, *to)?;
            let other = t.path("other");
            // On a server that follows it, the link must lead to files of this case: they are written to and removed.
            let beyond = match to {
                LinkTarget::Text("/") => format!("link{}", disk.outside("").display()).trim_end_matches('/').to_owned(),
                _ => "link".to_owned(),
            };
            let named = ["secret", "f", "d/secret", "new", "link/secret"].map(|name| t.path(&format!("{beyond}/{name}")));
            let mut requests: Vec<_> = named.iter().flat_map(|path| by_path(path, &other)).collect();
            requests.push(rename(&named[0], &named[3]));
            requests.push(copy(&named[0], &named[3]));
            refuse_all(t, requests, NOT_DIR)?;
            uploads_through_it(t, &named[3])?;
            disk.expect_outside_untouched()
        })
}

/// `begin` checks only the name [BEGIN-4]; `commit` must not follow the link.
fn uploads_through_it(t: &mut CaseContext, path: &str) -> CaseResult {
    let up = t.id();
    t.setup(begin(up, path))?;
    t.setup(append(up, 0, "staged"))?;
    t.expect(commit(up, b"staged").arg("pre", "any"), NOT_DIR)?;
    t.setup(abort(up)).map(drop)
}

fn of_a_link(what: &str, to: &'static LinkTarget) -> Case {
    case(
        &format!("a-link-to-{what}-is-not-followed"),
        &["PATH-11", "PATH-10", "KIND-1", "KIND-2", "STAT-1", "ENTRY-1", "TOUCH-1", "TARGET-6"],
    )
    .sends("`stat`, `list`, `read`, `hash`, `write`, `truncate`, `touch`, `copy`, `mkdir` and `put` of the link itself")
    .passes("An entry of kind link; NOT_DIR, UNSUPPORTED_KIND or EXISTS to the others; nothing changes where it leads.")
    .run(move |t| {
        let disk = set_up_fixture(t, *to)?;
        let link = t.path("link");
        let entry = t.expect_ok(stat(&link))?.entry()?;
        t.equal("the kind", entry.kind()?, "link")?;
        refuse_all(t, vec![list(&link), list(&link).arg("tree", true)], NOT_DIR)?;
        not_files(t, &link)?;
        t.check(fs::symlink_metadata(disk.inside("link")).is_ok_and(|found| found.is_symlink()), "the link is gone")?;
        disk.expect_outside_untouched()
    })
}

/// Checks that operations that need or create a file are refused at a link or special file.
fn not_files(t: &mut CaseContext, path: &str) -> CaseResult {
    let (other, new) = (t.path("other"), t.path("new"));
    let mut requests = vec![
        read(path, 0, 100),
        read(path, 0, 0),
        hash(path),
        write(path, 0, "changed"),
        write(path, 0, ""),
        truncate(path, 0),
        touch(path, 0),
        copy(path, &new),
        put(path, "changed").arg("pre", "any"),
        put(path, "changed").arg("pre", *b"etag"),
        copy(&other, path).arg("pre", "any"),
        rename(&other, path).arg("pre", "any"),
        read(path, 0, 1).arg("etag", *b"etag"),
    ];
    refuse_all(t, std::mem::take(&mut requests), UNSUPPORTED_KIND)?;
    refuse_all(t, vec![mkdir(path), put(path, "changed"), copy(&other, path), rename(&other, path)], EXISTS)
}

fn links() -> Vec<Case> {
    vec![
        case("a-link-is-removed-as-a-name", &["REMOVE-1", "PATH-11"])
            .sends("`remove` of links to a directory and a file outside, a full directory inside, and nothing; with an etag before")
            .passes("CHANGED by an etag; then the link is gone, and what it pointed to is unchanged.")
            .run(|t| {
                for to in [LinkTarget::Outside("d"), LinkTarget::Outside("secret"), LinkTarget::Text("full"), LinkTarget::Text("missing")] {
                    let disk = Disk::new(t)?;
                    setup_all(t, vec![mkdir(&t.path("full")), put(&t.path("full/f"), "inside")])?;
                    match to {
                        LinkTarget::Outside(name) => disk.connection(disk.outside(name), "link")?,
                        LinkTarget::Text(text) => disk.connection(text, "link")?,
                    }
                    let (link, inside) = (t.path("link"), t.path("full/f"));
                    t.expect_refused(remove(&link).arg("etag", *b"etag"), CHANGED)?;
                    t.expect_ok(remove(&link))?;
                    t.expect_absent(&link)?;
                    t.expect_content(&inside, b"inside")?;
                    disk.expect_outside_untouched()?;
                }
                Ok(())
            }),
        case("a-link-is-moved-as-a-name", &["MOVE-1", "PATH-11", "OP-7"])
            .sends("`move` of a link to a file outside: with an etag, to a free name, and onto a file with pre any")
            .passes("CHANGED by an etag; then a link of the same text under the other name.")
            .run(|t| {
                let disk = set_up_fixture(t, LinkTarget::Outside("secret"))?;
                let (link, moved, other) = (t.path("link"), t.path("d/moved"), t.path("other"));
                t.expect_refused(rename(&link, &moved).arg("etag", *b"etag"), CHANGED)?;
                for (from, to) in [(&link, &moved), (&moved, &other)] {
                    let mut request = rename(from, to);
                    if *to == other {
                        request = request.arg("pre", "any");
                    }
                    let entry = t.expect_ok(request)?.entry()?;
                    t.equal("the kind", entry.kind()?, "link")?;
                    t.expect_absent(from)?;
                }
                let text = fs::read_link(disk.inside("other")).map_err(harness)?;
                t.equal("what the link says", text, disk.outside("secret"))?;
                disk.expect_outside_untouched()
            }),
        case("a-tree-does-not-enter-links", &["LIST-9", "PATH-10", "PATH-11", "ENTRY-2"])
            .sends("`list` with `tree` of a directory with links to directories outside, inside and above it")
            .passes("The links are listed as links, and nothing that they lead to.")
            .run(|t| {
                let disk = set_up_fixture(t, LinkTarget::Outside("d"))?;
                disk.connection("..", "d/up")?;
                disk.connection("d", "again")?;
                let request = list(t.directory()).arg("tree", true);
                let names = t.names(&request)?;
                t.equal("the names", names, ["again", "d", "d/f", "d/secret", "d/up", "link", "other"])?;
                let entries = t.entries(&request)?;
                let links = entries.iter().filter(|entry| entry.kind().is_ok_and(|kind| kind == "link")).count();
                t.equal("how many of them are links", links, 3)?;
                let reply = t.expect_ok(request)?;
                t.equal("skipped", reply.uint("skipped")?, 0)
            }),
    ]
}

fn special_files() -> Vec<Case> {
    vec![
        case("a-fifo-is-not-opened", &["PATH-12", "KIND-1", "ENTRY-1", "TARGET-6"])
            .sends("Every operation on a FIFO, to which a process writes and from which it reads, and through it")
            .passes("Kind other; refused; the server neither reads from the FIFO nor writes to it, and does not block.")
            .run(|t| {
                setup_all(t, vec![put(&t.path("other"), "other")])?;
                let disk = Disk::new(t)?;
                disk.fifo("special")?;
                alone(t)?;
                // Open for reading and writing, so that an open by the server would not block and a read would return bytes.
                let pipe = disk.inside("special");
                let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
                let mut pipe =
                    OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(pipe).map_err(harness)?;
                pipe.write_all(SECRET).map_err(harness)?;
                refused_as_special(t)?;
                let mut left = vec![0; 1_000];
                let count = pipe.read(&mut left).map_err(harness)?;
                t.equal_bytes("what is in the FIFO", &left[..count], SECRET)
            }),
        case("a-socket-is-not-opened", &["PATH-12", "KIND-1", "ENTRY-1", "TARGET-6"])
            .sends("Every operation on a socket that a process listens to, and through it")
            .passes("Kind other; refused; the server does not connect.")
            .run(|t| {
                setup_all(t, vec![put(&t.path("other"), "other")])?;
                let disk = Disk::new(t)?;
                let listener = disk.socket("special")?;
                refused_as_special(t)?;
                match listener.accept() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
                    _ => crate::engine::error::failed("the server connected to the socket"),
                }
            }),
        case("a-device-is-not-opened", &["PATH-12", "KIND-1", "ENTRY-1", "TARGET-6"])
            .sends("Every operation on a device that gives zeros without end, and through it")
            .passes("Kind other; refused; nothing is read.")
            .run(|t| {
                setup_all(t, vec![put(&t.path("other"), "other")])?;
                let disk = Disk::new(t)?;
                disk.device("special")?;
                refused_as_special(t)
            }),
        case("special-files-are-moved-and-removed-as-names", &["MOVE-1", "REMOVE-1", "PATH-12", "OP-7"])
            .sends("`move` and `remove` of a FIFO, with an etag too")
            .passes("CHANGED by an etag; OK without, and it is gone.")
            .run(|t| {
                let disk = Disk::new(t)?;
                disk.fifo("fifo")?;
                let (path, moved) = (t.path("fifo"), t.path("moved"));
                refuse_all(
                    t,
                    vec![rename(&path, &moved).arg("etag", *b"etag"), remove(&path).arg("etag", *b"etag")],
                    CHANGED,
                )?;
                let entry = t.expect_ok(rename(&path, &moved))?.entry()?;
                t.equal("the kind", entry.kind()?, "other")?;
                t.expect_absent(&path)?;
                t.expect_ok(remove(&moved))?;
                t.expect_absent(&moved)
            }),
    ]
}

/// A FIFO that no other process has open: an open that waits for the other end would never return.
fn alone(t: &mut CaseContext) -> CaseResult {
    let path = t.path("special");
    expect_all(t, vec![read(&path, 0, 1), hash(&path), write(&path, 0, "x"), truncate(&path, 0)], UNSUPPORTED_KIND)
        .map(drop)
}

fn refused_as_special(t: &mut CaseContext) -> CaseResult {
    let (path, other) = (t.path("special"), t.path("other"));
    let entry = t.expect_ok(stat(&path))?.entry()?;
    t.equal("the kind", entry.kind()?, "other")?;
    refuse_all(t, vec![list(&path), list(&path).arg("tree", true)], NOT_DIR)?;
    refuse_all(t, by_path(&format!("{path}/x"), &other), NOT_DIR)?;
    not_files(t, &path)
}

/// The file `hard`, which has another name outside.
fn hard_link(t: &mut CaseContext) -> CaseResult<(Disk, String)> {
    let disk = Disk::new(t)?;
    disk.hard_link(&disk.outside("secret"), "hard")?;
    Ok((disk, t.path("hard")))
}

fn hard_links() -> Vec<Case> {
    type ChangeRequest = fn(&str) -> Request;
    let in_place: [(&str, &'static [&'static str], ChangeRequest); 3] = [
        ("write", &["WRITE-4", "CODE-5"], |path| write(path, 0, "changed")),
        ("write-past-the-end", &["WRITE-4", "CODE-5"], |path| write(path, 1_000, "changed")),
        ("truncate", &["TRUNC-2", "CODE-5"], |path| truncate(path, 0)),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (op, checks, change) in in_place {
        cases.push(
            case(&format!("{op}-to-a-file-of-two-names-is-denied"), checks)
                .sends("The operation on a file with another hard link outside, with its etag, and with another; once it is alone")
                .passes("DENIED, and CHANGED to the other etag; the file is unchanged. OK when it has one name.")
                .run(move |t| {
                    let (disk, path) = hard_link(t)?;
                    let etag = t.entry(&path)?.etag()?;
                    refuse_all(t, vec![change(&path), change(&path).arg("etag", etag)], DENIED)?;
                    t.expect_refused(change(&path).arg("etag", *b"another"), CHANGED)?;
                    disk.expect_outside_untouched()?;
                    fs::remove_file(disk.outside("secret")).map_err(harness)?;
                    t.control(change(&path)).map(drop)
                }),
        );
    }
    let replacing: [(&str, &'static [&'static str]); 4] = [
        ("put", &["PUT-1", "TARGET-8", "PATH-10"]),
        ("copy", &["COPY-1", "TARGET-8", "PATH-10"]),
        ("move", &["MOVE-1", "TARGET-8", "PATH-10"]),
        ("commit", &["COMMIT-3", "TARGET-8", "PATH-10"]),
    ];
    for (op, checks) in replacing {
        cases.push(
            case(&format!("{op}-over-one-of-two-names-keeps-the-other"), checks)
                .sends(format!("`{op}` with pre any onto a file with another hard link outside"))
                .passes("The name has the new file, the other name the old one.")
                .run(move |t| {
                    let (disk, path) = hard_link(t)?;
                    let other = t.file("other", b"new")?;
                    let request = match op {
                        "put" => put(&path, "new"),
                        "copy" => copy(&other, &path),
                        "move" => rename(&other, &path),
                        _ => {
                            let up = t.id();
                            t.setup(begin(up, &path))?;
                            t.setup(append(up, 0, "new"))?;
                            commit(up, b"new")
                        }
                    };
                    t.expect_ok(request.arg("pre", "any"))?;
                    t.expect_content(&path, b"new")?;
                    disk.expect_outside_untouched()
                }),
        );
    }
    cases.push(
        case("a-file-of-two-names-is-read-copied-and-removed", &["READ-1", "COPY-1", "REMOVE-1"])
            .sends(
                "`read`, `hash`, `copy` and `remove` of a file with another hard link outside, and `write` to the copy",
            )
            .passes("OK to each; the other name is unchanged.")
            .run(|t| {
                let (disk, path) = hard_link(t)?;
                let copied = t.path("copy");
                t.expect_content(&path, SECRET)?;
                expect_all(
                    t,
                    vec![hash(&path), copy(&path, &copied), write(&copied, 0, "changed"), remove(&path)],
                    OK,
                )?;
                t.expect_absent(&path)?;
                disk.expect_outside_untouched()
            }),
    );
    cases.push(
        case("one-of-two-names-moved-onto-the-other-is-removed", &["MOVE-3", "MOVE-1"])
            .sends("`move` of a file onto another hard link of it, with pre any and with its etag")
            .passes("OK; nothing is left under the old name, and the content under the new one.")
            .run(|t| {
                for guarded in [false, true] {
                    let path = t.path("f");
                    t.setup(put(&path, "content").arg("pre", "any"))?;
                    let disk = Disk::new(t)?;
                    disk.hard_link(&disk.inside("f"), "g")?;
                    let (to, request) = (t.path("g"), rename(&path, &t.path("g")));
                    let etag = t.entry(&to)?.etag()?;
                    let request = if guarded { request.arg("pre", etag) } else { request.arg("pre", "any") };
                    t.expect_refused(rename(&path, &to), EXISTS)?;
                    t.expect_ok(request)?;
                    t.expect(stat(&path), NOT_FOUND)?;
                    t.expect_content(&to, b"content")?;
                    let names = all(t, vec![remove(&to)])?;
                    t.code("remove of what is left", &names[0], OK)?;
                }
                Ok(())
            }),
    );
    cases
}
