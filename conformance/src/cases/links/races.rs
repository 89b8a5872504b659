//! Concurrent changes: directories and files that are replaced by links, files that grow while they are read.

use super::case;
use crate::{
    cases::support::{
        disk::{Disk, SECRET, harness},
        files::{all, setup_all},
    },
    engine::{
        case::Case,
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        code::{CHANGED, OK},
        reply::Reply,
        request::{
            Request, abort, append, begin, commit, copy, hash, list, mkdir, put, read, remove, rename, stat, touch,
            truncate, write,
        },
    },
};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How often each operation is tried during the changes.
const TRIES: usize = 40;

/// The size of a file that takes some time to read.
const LONG: u64 = 96 * 1_048_576;

/// The time between two steps of a growing file.
const PACE: Duration = Duration::from_micros(200);

const INSIDE: &[u8] = b"inside";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a-directory-replaced-by-a-link-is-not-followed", &["PATH-10", "PATH-11"])
            .sends("`read`, `hash`, `list`, `copy`, `put`, `mkdir`, `write`, `truncate`, `move` and `remove` through a directory that is exchanged for a link to one outside, over and over")
            .passes("Any code; nothing outside is read, listed, created, changed or removed.")
            .run(|t| {
                set_up_fixture(t)?;
                let disk = Disk::new(t)?;
                disk.connection(disk.outside("d"), "link")?;
                let raced = disk.while_exchanging("d", "link", || through(t));
                raced.and(disk.expect_outside_untouched())
            }),
        case("a-file-replaced-by-a-link-is-not-followed", &["PATH-10", "PATH-11"])
            .sends("`read`, `hash`, `copy`, `write`, `truncate`, `touch` and `put` of a file that is exchanged for a link to one outside, over and over")
            .passes("Any code; the file outside is neither read nor changed.")
            .run(|t| {
                set_up_fixture(t)?;
                let disk = Disk::new(t)?;
                disk.connection(disk.outside("secret"), "link")?;
                let raced = disk.while_exchanging("f", "link", || at(t));
                raced.and(disk.expect_outside_untouched())
            }),
        case("an-upload-is-not-committed-through-a-replaced-directory", &["PATH-10", "PATH-11", "COMMIT-3"])
            .sends("`begin`, `append` and `commit` into a directory that is exchanged for a link to one outside, over and over")
            .passes("Any code; nothing is created outside.")
            .run(|t| {
                set_up_fixture(t)?;
                let disk = Disk::new(t)?;
                disk.connection(disk.outside("d"), "link")?;
                let raced = disk.while_exchanging("d", "link", || {
                    let path = t.path("d/new");
                    for _ in 0..TRIES {
                        let up = t.id();
                        let commit = commit(up, b"staged").arg("pre", "any");
                        all(t, vec![begin(up, &path), append(up, 0, "staged"), commit, abort(up), remove(&path)])?;
                    }
                    Ok(())
                });
                raced.and(disk.expect_outside_untouched())
            }),
        case("a-hash-of-a-growing-file-is-changed", &["HASH-2"])
            .sends("`hash` of a file of 96 MiB that grows on the disk all the while")
            .passes("CHANGED; or OK with a `len` that the file had for long enough to be read.")
            .run(|t| {
                let path = t.file("f", b"")?;
                let disk = Disk::new(t)?;
                let file = OpenOptions::new().write(true).open(disk.inside("f")).map_err(harness)?;
                file.set_len(LONG).map_err(harness)?;
                let began = Instant::now();
                t.control(hash(&path))?;
                let alone = began.elapsed();
                // On a busy machine the server may read the whole file before the file grows.
                for _ in 0..4 {
                    let (reply, sizes) = while_growing(&file, || t.expect(hash(&path), [OK, CHANGED]))?;
                    if reply.is_ok() {
                        let stood = how_long(&sizes, reply.uint("len")?);
                        t.check(
                            stood > alone / 20,
                            format!("the file had that size for {stood:?}, and is read in {alone:?}"),
                        )?;
                    }
                }
                t.control(hash(&path)).map(drop)
            }),
        case("a-copy-of-a-changing-file-has-one-version", &["COPY-3", "REFUSE-1"])
            .sends("`copy` of a file of 96 MiB in which a number at the start, and then at the end, is increased continuously")
            .passes("CHANGED and nothing created; or OK and a copy in which the two numbers were valid at one moment.")
            .run(|t| {
                let (path, to) = (t.file("f", b"")?, t.path("g"));
                let disk = Disk::new(t)?;
                let file = OpenOptions::new().write(true).open(disk.inside("f")).map_err(harness)?;
                let end = LONG;
                file.write_all_at(&0_u64.to_be_bytes(), end).map_err(harness)?;
                let done = AtomicBool::new(false);
                let reply = thread::scope(|scope| {
                    scope.spawn(|| {
                        for turn in 1_u64.. {
                            let raised = [0, end].map(|at| file.write_all_at(&turn.to_be_bytes(), at).is_ok());
                            if raised != [true; 2] || done.load(Ordering::Relaxed) {
                                return;
                            }
                        }
                    });
                    let reply = t.expect(copy(&path, &to), [OK, CHANGED]);
                    done.store(true, Ordering::Relaxed);
                    reply
                })?;
                if !reply.is_ok() {
                    return t.expect_absent(&to);
                }
                let (first, last) = (number(t, &to, 0)?, number(t, &to, end)?);
                t.check(
                    first == last || first == last + 1,
                    format!("the copy has {first} at the start and {last} at the end, which never stood together"),
                )
            }),
    ]
}

/// A size that a file had.
struct Grown {
    size: u64,
    /// The file had this size between these times.
    from: Instant,
    by: Instant,
}

/// Runs a closure while a file grows byte by byte; also returns when the file had each size.
fn while_growing(file: &File, work: impl FnOnce() -> CaseResult<Reply>) -> CaseResult<(Reply, Vec<Grown>)> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let growing = scope.spawn(|| {
            let began = Instant::now();
            let mut sizes = vec![Grown { size: LONG, from: began, by: began }];
            for size in LONG + 1.. {
                let from = Instant::now();
                if done.load(Ordering::Relaxed) || file.set_len(size).is_err() {
                    break;
                }
                sizes.push(Grown { size, from, by: Instant::now() });
                thread::sleep(PACE);
            }
            sizes
        });
        let reply = work();
        done.store(true, Ordering::Relaxed);
        let sizes = growing.join().map_err(|_| CaseError::Harness("the growing thread panicked".into()))?;
        Ok((reply?, sizes))
    })
}

/// The longest time that a file may have had a size.
fn how_long(sizes: &[Grown], size: u64) -> Duration {
    let Some(at) = sizes.iter().position(|grown| grown.size == size) else { return Duration::ZERO };
    let until = sizes.get(at + 1).map_or_else(Instant::now, |next| next.by);
    until.duration_since(sizes[at].from)
}

fn number(t: &mut CaseContext, path: &str, off: u64) -> CaseResult<u64> {
    let reply = t.setup(read(path, off, 8))?;
    let bytes = reply.payload.as_deref().unwrap_or_default();
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The file `f`, and the directory `d` with the file `secret`.
fn set_up_fixture(t: &mut CaseContext) -> CaseResult {
    let steps = vec![put(&t.path("f"), INSIDE), mkdir(&t.path("d")), put(&t.path("d/secret"), INSIDE)];
    setup_all(t, steps).map(drop)
}

/// Operations whose path leads through `d`.
fn through(t: &mut CaseContext) -> CaseResult {
    let [directory, path, new, made, away, seen] =
        ["d", "d/secret", "d/new", "d/made", "away", "seen"].map(|name| t.path(name));
    let turn = vec![
        read(&path, 0, 100),
        hash(&path),
        list(&directory),
        list(&directory).arg("tree", true),
        copy(&path, &seen).arg("pre", "any"),
        read(&seen, 0, 100),
        put(&new, "new").arg("pre", "any"),
        mkdir(&made),
        write(&path, 0, "inside"),
        truncate(&path, 6),
        touch(&path, 0),
        put(&path, "inside").arg("pre", "any"),
        rename(&path, &away),
        read(&away, 0, 100),
        stat(&path),
        remove(&new),
        remove(&made),
        remove(&path),
        put(&path, "inside").arg("pre", "any"),
        remove(&away),
    ];
    race(t, turn)
}

/// Operations on `f` itself.
fn at(t: &mut CaseContext) -> CaseResult {
    let [path, seen] = ["f", "seen"].map(|name| t.path(name));
    let turn = vec![
        read(&path, 0, 100),
        hash(&path),
        copy(&path, &seen).arg("pre", "any"),
        read(&seen, 0, 100),
        write(&path, 0, "inside"),
        truncate(&path, 6),
        touch(&path, 0),
        read(&path, 0, 100),
        write(&path, 0, "i"),
    ];
    race(t, turn)
}

fn race(t: &mut CaseContext, turn: Vec<Request>) -> CaseResult {
    for _ in 0..TRIES {
        for reply in all(t, turn.clone())? {
            reveals_nothing(&reply)?;
        }
    }
    Ok(())
}

fn reveals_nothing(reply: &Reply) -> CaseResult {
    if reply.payload.as_deref().is_some_and(|payload| payload.starts_with(&SECRET[..8])) {
        return failed("what is in a file outside the served directory was read");
    }
    if reply.op == "hash" && reply.is_ok() && reply.bytes("hash")? == blake3::hash(SECRET).as_bytes() {
        return failed("a file outside the served directory was hashed");
    }
    let size = reply.entry().and_then(|entry| entry.size());
    if reply.is_ok() && size.is_ok_and(|size| size == SECRET.len() as u64) {
        return failed("a reply has the entry of a file outside the served directory");
    }
    if reply.op == "list" && reply.is_ok() && reply.names()?.iter().any(|name| name == "outside") {
        return failed("a directory outside the served directory was listed");
    }
    Ok(())
}
