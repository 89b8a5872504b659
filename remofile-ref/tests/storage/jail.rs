//! The jail: links, special files and races never lead outside, and nothing is waited for.

use remofile::{Storage, Store, StoreOptions};
use remofile_proto::{Code, Etag, Kind, Operation, Precondition};
use remofile_testkit::storage::{Mount, Served, digest, path, served, skip, up};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ANY: Precondition = Precondition::Any;

/// Every operation that names a path, on `at`; with the payload that it takes.
fn verbs(at: &str) -> Vec<(Operation, &'static [u8])> {
    let at = || path(at);
    let etag = || None::<Etag>;
    vec![
        (Operation::Stat { path: at() }, b""),
        (Operation::List { path: at(), after: None, limit: None, tree: true }, b""),
        (Operation::Read { path: at(), off: 0, len: 100, etag: etag() }, b""),
        (Operation::Hash { path: at(), off: 0, len: None }, b""),
        (Operation::Mkdir { path: at() }, b""),
        (Operation::Put { path: at(), pre: ANY, mtime_ns: None }, b"evil"),
        (Operation::Write { path: at(), off: 0, etag: etag() }, b"evil"),
        (Operation::Truncate { path: at(), size: 0, etag: etag() }, b""),
        (Operation::Touch { path: at(), mtime_ns: 0 }, b""),
        (Operation::Remove { path: at(), etag: etag() }, b""),
        (Operation::Move { from: at(), to: path("/moved"), pre: ANY, etag: etag() }, b""),
        (Operation::Move { from: path("/victim"), to: at(), pre: ANY, etag: etag() }, b""),
        (Operation::Copy { from: at(), to: path("/copied"), pre: ANY, etag: etag() }, b""),
        (Operation::Copy { from: path("/victim"), to: at(), pre: ANY, etag: etag() }, b""),
    ]
}

fn with_outside() -> Served {
    let served = served();
    served.dir("../outside/deep");
    served.file("../outside/secret", b"secret");
    served.file("../outside/deep/secret", b"secret");
    served.file("victim", b"victim");
    served
}

fn assert_outside_is_untouched(served: &Served) {
    let names = |at: &str| {
        let entries = std::fs::read_dir(served.disk(at)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("../outside"), ["deep", "secret"]);
    assert_eq!(names("../outside/deep"), ["secret"]);
    for secret in ["../outside/secret", "../outside/deep/secret"] {
        assert_eq!(served.content(secret), b"secret");
        assert_ne!(served.disk(secret).metadata().unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
    }
}

#[test]
fn a_link_as_a_middle_component_is_no_directory_for_any_verb() {
    for target in ["../outside", "inside", "/", "..", "/proc/self/root"] {
        let mut served = with_outside();
        served.dir("inside/deep");
        served.file("inside/secret", b"inside");
        served.link(target, "link");
        for at in ["/link/secret", "/link/new", "/link/deep/secret"] {
            for (operation, payload) in verbs(at) {
                assert_eq!(served.code(&operation, payload), Code::NotDir, "{operation:?} through {target}");
            }
        }
        assert_outside_is_untouched(&served);
        assert_eq!(served.content("inside/secret"), b"inside");
    }
}

#[test]
fn a_link_as_the_last_component_is_never_followed() {
    for target in ["../outside/secret", "../outside", "victim", "missing"] {
        let mut served = with_outside();
        served.link(target, "link");
        let expected = |operation: &Operation| match operation {
            Operation::Stat { .. } => Code::Ok,
            Operation::List { .. } => Code::NotDir,
            Operation::Mkdir { .. } => Code::Exists,
            _ => Code::UnsupportedKind,
        };
        for (operation, payload) in verbs("/link") {
            let as_a_name = match &operation {
                Operation::Remove { .. } => true,
                Operation::Move { from, .. } => *from == path("/link"),
                _ => false,
            };
            if !as_a_name {
                assert_eq!(served.code(&operation, payload), expected(&operation), "{operation:?} to {target}");
            }
        }
        assert_eq!(served.stat("/link").unwrap().kind, Kind::Link);
        assert_eq!(served.remove("/link"), Code::Ok);
        assert_eq!(served.content("victim"), b"victim");
        assert_outside_is_untouched(&served);
    }
}

#[test]
fn special_files_are_neither_opened_nor_waited_for() {
    let mut served = with_outside();
    mknodat(CWD, served.disk("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(served.disk("socket")).unwrap();
    for at in ["/fifo", "/socket"] {
        assert_eq!(served.stat(at).unwrap().kind, Kind::Other);
        for (operation, payload) in verbs(at) {
            let expected = match &operation {
                Operation::Stat { .. } | Operation::Remove { .. } => continue,
                Operation::Move { from, .. } if *from == path(at) => continue,
                Operation::List { .. } => Code::NotDir,
                Operation::Mkdir { .. } => Code::Exists,
                _ => Code::UnsupportedKind,
            };
            assert_eq!(served.code(&operation, payload), expected, "{operation:?}");
        }
        assert_eq!(served.remove(at), Code::Ok);
    }
}

#[test]
fn a_device_is_not_opened() {
    let mut served = with_outside();
    let null = rustix::fs::makedev(1, 3);
    if let Err(errno) = mknodat(CWD, served.disk("null"), FileType::CharacterDevice, Mode::RWXU, null) {
        return skip(&format!("mknod: {errno}"));
    }
    assert_eq!(served.read("/null", 0, 10, None), Err(Code::UnsupportedKind));
    assert_eq!(served.write("/null", 0, None, b"x"), Err(Code::UnsupportedKind));
    assert_eq!(served.hash("/null", 0, None), Err(Code::UnsupportedKind));
}

#[test]
fn a_directory_that_turns_into_a_link_never_leads_outside() {
    let served = with_outside();
    served.dir("swap/deep");
    served.file("swap/secret", b"inside");
    served.file("swap/deep/secret", b"inside");
    served.link("../outside", "other");
    let stop = Arc::new(AtomicBool::new(false));
    let racer = {
        let (one, other, stop) = (served.disk("swap"), served.disk("other"), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut swaps = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        })
    };
    let mut served = served;
    let (mut reached, mut refused) = (0, 0);
    for round in 0..3_000 {
        for at in ["/swap/secret", "/swap/deep/secret"] {
            match served.read(at, 0, 100, None) {
                Ok((bytes, ..)) => {
                    assert_ne!(bytes, b"secret", "read outside");
                    reached += 1;
                }
                Err(code) => {
                    assert!(matches!(code, Code::NotDir | Code::NotFound), "{code}");
                    refused += 1;
                }
            }
        }
        if let Ok((hash, _)) = served.hash("/swap/secret", 0, None) {
            assert_ne!(hash, digest(b"secret"), "hashed outside");
        }
        // Each of these would show outside, had it happened there.
        let _ = served.put("/swap/secret", ANY, b"inside");
        let _ = served.write("/swap/deep/secret", 0, None, b"inside");
        let _ = served.touch("/swap/secret", 0);
        let _ = served.touch("/swap", 1);
        let _ = served.mkdir(&format!("/swap/made-{round}"));
        let _ = served.remove(&format!("/swap/made-{round}"));
        if let Ok(listing) = served.list("/swap", "", None, true) {
            let listed = |name: &str| listing.entries.iter().find(|one| one.name == name).map(|one| one.entry.size);
            assert_ne!(listed("secret"), Some(None), "listed outside");
        }
        let _ = served.copy("/swap/secret", "/copied", ANY);
        if served.is_there("copied") {
            assert_eq!(served.content("copied"), b"inside", "copied outside");
        }
        let _ = served.rename("/swap/deep/secret", "/moved", ANY);
        if served.is_there("moved") {
            assert_eq!(served.content("moved"), b"inside", "moved outside");
            let _ = served.rename("/moved", "/swap/deep/secret", ANY);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = racer.join().unwrap();
    assert_outside_is_untouched(&served);
    assert!(reached > 0 && refused > 0 && swaps > 100, "no race: {reached} {refused} {swaps}");
}

#[test]
fn a_served_directory_that_is_renamed_stays_the_served_one() {
    let mut served = with_outside();
    std::fs::rename(served.outside("root"), served.outside("renamed")).unwrap();
    std::fs::create_dir(served.outside("root")).unwrap();
    served.put("/new", ANY, b"new").unwrap();
    assert_eq!(served.content("../renamed/new"), b"new");
    assert!(!served.is_there("new"));
    assert_eq!(served.read("/victim", 0, 10, None).unwrap().0, b"victim");
}

#[test]
fn a_hard_link_to_an_outside_file_is_not_written_in_place() {
    let mut served = with_outside();
    std::fs::hard_link(served.disk("../outside/secret"), served.disk("hard")).unwrap();
    assert_eq!(served.write("/hard", 0, None, b"evil"), Err(Code::Denied));
    assert_eq!(served.truncate("/hard", 0), Err(Code::Denied));
    assert_outside_is_untouched(&served);
}

#[test]
fn the_staging_directory_is_refused_under_any_name() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"staged").unwrap();
    std::fs::rename(served.disk(".remofile"), served.disk("innocent")).unwrap();
    let staged = format!("/innocent/up-{}", up(1));
    for at in ["/innocent", staged.as_str(), "/innocent/new"] {
        for (operation, payload) in verbs(at) {
            let source_is_missing = matches!(&operation, Operation::Move { from, .. } | Operation::Copy { from, .. }
                if *from == path("/victim"));
            if !source_is_missing {
                assert_eq!(served.code(&operation, payload), Code::BadName, "{operation:?}");
            }
        }
    }
    assert_eq!(served.list_all("/", None, true), (vec![], 0));
}

#[test]
fn another_file_system_below_the_root_is_denied() {
    let mut served = with_outside();
    served.dir("mounted");
    let Some(mount) = Mount::tmpfs(&served.disk("mounted"), "size=1m") else { return };
    served.file("mounted/file", b"there");
    for (operation, payload) in verbs("/mounted/file") {
        assert_eq!(served.code(&operation, payload), Code::Denied, "{operation:?}");
    }
    assert_eq!(served.list("/mounted", "", None, false), Err(Code::Denied));
    let (names, skipped) = served.list_all("/", None, true);
    assert_eq!((names, skipped), (vec!["mounted".to_owned(), "victim".to_owned()], 1));
    drop(mount);
}

#[test]
fn nothing_is_revealed_by_a_message() {
    let mut served = with_outside();
    served.link("../outside", "link");
    let root = served.disk("").canonicalize().unwrap().to_str().unwrap().to_owned();
    for at in ["/link/secret", "/missing/x", "/victim/x", "/link"] {
        for (operation, payload) in verbs(at) {
            if let Err(refusal) = served.answer(&operation, payload) {
                let msg = refusal.msg.unwrap_or_default();
                assert!(!msg.contains(&root) && !msg.contains("outside"), "{msg}");
            }
        }
    }
}

#[test]
fn a_read_only_store_serves_and_changes_nothing() {
    let served = with_outside();
    let mut served = served.reopened_with(StoreOptions { read_only: true, ..StoreOptions::default() });
    assert_eq!(served.read("/victim", 0, 10, None).unwrap().0, b"victim");
    for (operation, payload) in verbs("/victim").into_iter().chain(verbs("/new")) {
        let expected = match &operation {
            Operation::Stat { .. } | Operation::List { .. } | Operation::Read { .. } | Operation::Hash { .. } => {
                continue;
            }
            Operation::Move { from, to, .. } | Operation::Copy { from, to, .. } if from == to => Code::Loop,
            _ => Code::Denied,
        };
        assert_eq!(served.code(&operation, payload), expected, "{operation:?}");
    }
    assert_eq!(served.begin(1, "/new", None), Err(Code::Denied));
    assert_eq!(served.append(1, 0, b""), Err(Code::Denied));
    assert_eq!(served.commit(1, b"", ANY), Err(Code::Denied));
    assert_eq!(served.abort(1), Code::Denied);
    assert_eq!(served.uploads(), []);
    assert_eq!(served.code(&Operation::Flush, &[]), Code::Ok);
}

#[test]
fn a_read_only_store_creates_nothing_and_locks_no_server_out() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    let one = Store::open(directory.path(), options.clone()).unwrap();
    let other = Store::open(directory.path(), options).unwrap();
    assert_eq!((one.root_id(), other.root_id()), (None, None));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_long_hash_that_is_cancelled_is_over() {
    let mut served = served();
    served.file("long", &vec![1; 32 << 20]);
    let hash = Operation::Hash { path: path("/long"), off: 0, len: None };
    let performed = served.store.perform(&hash, &[]);
    assert!(matches!(performed, remofile::ExecutionStatus::Working { total: 0x200_0000, .. }), "{performed:?}");
    served.store.cancel();
    let remofile::ExecutionStatus::Done(Err(refusal)) = served.store.proceed() else { panic!("it goes on") };
    assert_eq!(refusal.code, Code::Internal);
}
