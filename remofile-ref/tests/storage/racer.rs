//! A thread swaps directories and files for links continuously during every operation: none leads outside.
//!
//! `REMOFILE_TRIES` sets how often each verb is tried.

use remofile::{ExecutionStatus, Storage, Success};
use remofile_proto::{Answer, Code, Operation, Precondition};
use remofile_testkit::storage::{Served, digest, path, up};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

const TRIES: u64 = 100_000;

const INSIDE: &[u8] = b"inside";
/// Of another length, so that a size alone gives it away.
const SECRET: &[u8] = b"the secret";

/// Paths through a directory that is a link half the time, and a file that is one.
const PLACES: [&str; 3] = ["/swap/file", "/swap/deep/file", "/last"];

/// Swaps until it is dropped.
struct Racer {
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Racer {
    fn start(root: PathBuf) -> Self {
        let (stop, swaps) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopping, counting) = (Arc::clone(&stop), Arc::clone(&swaps));
        let thread = thread::spawn(move || {
            let pairs = [("swap", "linked"), ("last", "last-linked")].map(|(a, b)| (root.join(a), root.join(b)));
            while !stopping.load(Ordering::Relaxed) {
                for (one, other) in &pairs {
                    // A verb may have taken one of them away for a moment.
                    if renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok() {
                        counting.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        Self { stop, swaps, thread: Some(thread) }
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What is outside, to the last time stamp.
fn outside(at: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(at).unwrap().map(Result::unwrap) {
        let status = entry.metadata().unwrap();
        let content = if status.is_dir() {
            found.append(&mut outside(&entry.path()));
            Vec::new()
        } else {
            fs::read(entry.path()).unwrap()
        };
        let seen = format!("{:?} {:?} {content:?}", status.modified().unwrap(), status.permissions());
        found.insert(entry.path(), seen);
    }
    found
}

/// In memory where there is such a place: the race is with the kernel, not with a disk.
fn prepared() -> Served {
    let served = remofile_testkit::storage::served_in_memory();
    for directory in ["../outside/deep", "swap/deep"] {
        served.dir(directory);
    }
    for file in ["../outside/file", "../outside/deep/file", "../outside/only-outside"] {
        served.file(file, SECRET);
    }
    for file in ["swap/file", "swap/deep/file", "last", "own"] {
        served.file(file, INSIDE);
    }
    served.link("../outside", "linked");
    served.link("../outside/file", "last-linked");
    served
}

/// Tries the verb at each place in turn; `Ok(true)` from it means that it had its way.
fn race(verb: impl Fn(&mut Served, &str) -> Result<bool, Code>) {
    let tries = std::env::var("REMOFILE_TRIES").map_or(TRIES, |tries| tries.parse().unwrap());
    let mut served = prepared();
    let before = outside(&served.disk("../outside"));
    let racer = Racer::start(served.disk(""));
    let mut codes: BTreeMap<u8, u64> = BTreeMap::new();
    for round in 0..tries {
        let at = PLACES[usize::try_from(round % PLACES.len() as u64).unwrap()];
        let code = match verb(&mut served, at) {
            Ok(true) => Code::Ok,
            Ok(false) => continue,
            Err(code) => code,
        };
        *codes.entry(code.number()).or_default() += 1;
        if round % 1_000 == 0 {
            assert_eq!(outside(&served.disk("../outside")), before, "round {round}");
        }
    }
    let swaps = racer.swaps.load(Ordering::Relaxed);
    drop(racer);
    assert_eq!(outside(&served.disk("../outside")), before);
    println!("{}: {tries} tries, {swaps} swaps, by code {codes:?}", thread::current().name().unwrap_or_default());
    let reached = codes.get(&Code::Ok.number()).copied().unwrap_or_default();
    let refused = codes.values().sum::<u64>() - reached;
    assert!(reached > 0 && refused > 0 && swaps > tries / 1_000, "no race: {reached} {refused} {swaps}");
}

fn ask(served: &mut Served, operation: &Operation, payload: &[u8]) -> Result<Success, Code> {
    let mut performed = served.store.perform(operation, payload);
    loop {
        match performed {
            ExecutionStatus::Done(outcome) => return outcome.map_err(|refusal| refusal.code),
            ExecutionStatus::Working { .. } => performed = served.store.proceed(),
        }
    }
}

fn done(served: &mut Served, operation: &Operation, payload: &[u8]) -> Result<bool, Code> {
    ask(served, operation, payload).map(|_| true)
}

const ANY: Precondition = Precondition::Any;

#[test]
fn stat_never_leads_outside() {
    race(|served, at| {
        let Answer::Entry(entry) = ask(served, &Operation::Stat { path: path(at) }, b"")?.answer else { panic!() };
        assert_ne!(entry.size, Some(SECRET.len() as u64), "{at}: looked outside");
        // A link at the end is a name, and no way.
        if entry.size.is_none() { Err(Code::UnsupportedKind) } else { Ok(true) }
    });
}

#[test]
fn list_never_leads_outside() {
    race(|served, at| {
        let at = path(at.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/swap" } else { parent }));
        let list = Operation::List { path: at, after: None, limit: None, tree: true };
        let Answer::Listing(listing) = ask(served, &list, b"")?.answer else { panic!() };
        for listed in &listing.entries {
            assert_ne!(listed.entry.size, Some(SECRET.len() as u64), "listed {} outside", listed.name);
        }
        Ok(true)
    });
}

#[test]
fn read_never_leads_outside() {
    race(|served, at| {
        let read = Operation::Read { path: path(at), off: 0, len: 100, etag: None };
        assert_eq!(ask(served, &read, b"")?.payload.unwrap(), INSIDE, "{at}: read outside");
        Ok(true)
    });
}

#[test]
fn hash_never_leads_outside() {
    race(|served, at| {
        let hash = Operation::Hash { path: path(at), off: 0, len: None };
        let Answer::Hash(hashed) = ask(served, &hash, b"")?.answer else { panic!() };
        assert_eq!(hashed.hash, digest(INSIDE), "{at}: hashed outside");
        Ok(true)
    });
}

#[test]
fn mkdir_and_remove_never_lead_outside() {
    race(|served, at| {
        let made = path(&format!("{}-made", at.replace("/last", "/swap/last")));
        let making = done(served, &Operation::Mkdir { path: made.clone() }, b"");
        let removing = done(served, &Operation::Remove { path: made, etag: None }, b"");
        making.and(removing)
    });
}

#[test]
fn put_never_leads_outside() {
    race(|served, at| done(served, &Operation::Put { path: path(at), pre: ANY, mtime_ns: Some(1) }, INSIDE));
}

#[test]
fn write_never_leads_outside() {
    race(|served, at| done(served, &Operation::Write { path: path(at), off: 0, etag: None }, INSIDE));
}

#[test]
fn truncate_never_leads_outside() {
    race(|served, at| done(served, &Operation::Truncate { path: path(at), size: 3, etag: None }, b""));
}

#[test]
fn touch_never_leads_outside() {
    race(|served, at| done(served, &Operation::Touch { path: path(at), mtime_ns: 1 }, b""));
}

#[test]
fn remove_never_leads_outside() {
    race(|served, at| {
        let at = at.replace("/last", "/swap/deep/other");
        let put = Operation::Put { path: path(&at), pre: ANY, mtime_ns: None };
        let putting = done(served, &put, INSIDE);
        let removing = done(served, &Operation::Remove { path: path(&at), etag: None }, b"");
        putting.and(removing)
    });
}

#[test]
fn move_from_never_leads_outside() {
    race(|served, at| {
        let at = at.replace("/last", "/swap/deep/other");
        let _ = done(served, &Operation::Put { path: path(&at), pre: ANY, mtime_ns: None }, INSIDE);
        let moving = Operation::Move { from: path(&at), to: path("/moved"), pre: ANY, etag: None };
        done(served, &moving, b"")?;
        assert_eq!(served.content("moved"), INSIDE, "{at}: moved from outside");
        Ok(true)
    });
}

#[test]
fn move_to_never_leads_outside() {
    race(|served, at| {
        if !served.is_there("own") {
            served.file("own", INSIDE);
        }
        done(served, &Operation::Move { from: path("/own"), to: path(at), pre: ANY, etag: None }, b"")
    });
}

#[test]
fn move_of_directories_never_leads_outside() {
    race(|served, at| {
        served.dir("directory");
        let target = path(&format!("{}-directory", at.replace("/last", "/swap/last")));
        let moving =
            Operation::Move { from: path("/directory"), to: target.clone(), pre: Precondition::Absent, etag: None };
        let moved = done(served, &moving, b"");
        let _ = done(served, &Operation::Remove { path: target, etag: None }, b"");
        moved
    });
}

#[test]
fn copy_from_never_leads_outside() {
    race(|served, at| {
        done(served, &Operation::Copy { from: path(at), to: path("/copied"), pre: ANY, etag: None }, b"")?;
        assert_eq!(served.content("copied"), INSIDE, "{at}: copied from outside");
        Ok(true)
    });
}

#[test]
fn copy_to_never_leads_outside() {
    race(|served, at| done(served, &Operation::Copy { from: path("/own"), to: path(at), pre: ANY, etag: None }, b""));
}

#[test]
fn uploads_never_lead_outside() {
    race(|served, at| {
        done(served, &Operation::Begin { up: up(1), path: path(at), size: None }, b"")?;
        let off = match ask(served, &Operation::Append { up: up(1), off: 0 }, INSIDE) {
            Ok(_) | Err(Code::Offset) => INSIDE.len() as u64,
            Err(code) => return Err(code),
        };
        let commit = Operation::Commit { up: up(1), size: off, hash: digest(INSIDE), pre: ANY, mtime_ns: None };
        done(served, &commit, b"")
    });
}
