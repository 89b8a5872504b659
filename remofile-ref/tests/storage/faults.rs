//! Failing disks and sudden death: this test binary runs itself under strace, which injects the faults.

use remofile::{Storage, Store, StoreOptions};
use remofile_proto::{Answer, Code, Operation, Precondition};
use remofile_testkit::storage::{Mount, digest, finish, path, run, served, skip, up};
use remofile_testkit::this_test;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Names the served directory to the inner run of a test.
const INNER: &str = "REMOFILE_TEST_INNER";
const ANY: Precondition = Precondition::Any;

/// Runs the inner part of this very test under strace; none where there is no strace.
fn injected(test: &str, root: &Path, faults: &[&str]) -> Option<ExitStatus> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    for fault in faults {
        command.arg(format!("--inject={fault}"));
    }
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    match command.env(INNER, root).stdout(std::process::Stdio::null()).status() {
        Ok(status) => Some(status),
        Err(error) => {
            skip(&format!("strace: {error}"));
            None
        }
    }
}

fn inner() -> Option<Store> {
    let root = std::env::var_os(INNER)?;
    Some(Store::open(Path::new(&root), StoreOptions::default()).unwrap())
}

fn code(store: &mut Store, operation: &Operation, payload: &[u8]) -> Code {
    finish(store, operation, payload).map_or_else(|refusal| refusal.code, |_| Code::Ok)
}

fn put(content: &[u8]) -> (Operation, &[u8]) {
    (Operation::Put { path: path("/file"), pre: ANY, mtime_ns: None }, content)
}

fn begin() -> Operation {
    Operation::Begin { up: up(1), path: path("/film"), size: None }
}

fn commit(content: &[u8]) -> Operation {
    let (size, hash) = (content.len() as u64, digest(content));
    Operation::Commit { up: up(1), size, hash, pre: ANY, mtime_ns: None }
}

#[test]
fn what_was_not_synced_replaces_nothing() {
    if let Some(mut store) = inner() {
        let (operation, payload) = put(b"new");
        assert_eq!(code(&mut store, &operation, payload), Code::Internal);
        let copy = Operation::Copy { from: path("/film"), to: path("/file"), pre: ANY, etag: None };
        assert_eq!(code(&mut store, &copy, &[]), Code::Internal);
        let rename = Operation::Move { from: path("/film"), to: path("/file"), pre: ANY, etag: None };
        assert_eq!(code(&mut store, &rename, &[]), Code::Internal);
        return;
    }
    let served = served();
    served.file("file", b"old");
    served.file("film", b"other");
    let served = closed(served);
    let Some(status) = injected(&this_test!(), &served.1, &["fdatasync:error=EIO"]) else { return };
    assert!(status.success());
    assert_eq!(std::fs::read(served.1.join("file")).unwrap(), b"old");
    assert_eq!(std::fs::read(served.1.join("film")).unwrap(), b"other");
}

#[test]
fn an_upload_whose_sync_failed_is_discarded() {
    if let Some(mut store) = inner() {
        for content in [&b"small"[..], &vec![7; 3 << 20]] {
            assert_eq!(code(&mut store, &begin(), &[]), Code::Ok);
            assert_eq!(code(&mut store, &Operation::Append { up: up(1), off: 0 }, content), Code::Ok);
            assert_eq!(code(&mut store, &commit(content), &[]), Code::Internal);
            // The second sync would say yes.
            assert_eq!(code(&mut store, &commit(content), &[]), Code::NoUpload);
            assert_eq!(code(&mut store, &Operation::Stat { path: path("/film") }, &[]), Code::NotFound);
        }
        return;
    }
    let served = closed(served());
    let Some(status) = injected(&this_test!(), &served.1, &["fdatasync:error=EIO:when=1"]) else { return };
    assert!(status.success());
}

#[test]
fn an_upload_whose_write_failed_is_discarded() {
    if let Some(mut store) = inner() {
        assert_eq!(code(&mut store, &begin(), &[]), Code::Ok);
        let append = Operation::Append { up: up(1), off: 0 };
        assert_eq!(code(&mut store, &append, b"lost"), Code::Internal);
        assert_eq!(code(&mut store, &append, b"lost"), Code::NoUpload);
        return;
    }
    let served = closed(served());
    // The first write is that of what is known about the upload.
    let Some(status) = injected(&this_test!(), &served.1, &["pwrite64:error=EIO:when=2"]) else { return };
    assert!(status.success());
}

#[test]
fn an_append_that_found_no_space_goes_on_at_its_offset() {
    if let Some(mut store) = inner() {
        assert_eq!(code(&mut store, &begin(), &[]), Code::Ok);
        let append = |off| Operation::Append { up: up(1), off };
        assert_eq!(code(&mut store, &append(0), b"first"), Code::Ok);
        assert_eq!(code(&mut store, &append(5), b"second"), Code::NoSpace);
        assert_eq!(code(&mut store, &append(5), b"second"), Code::Ok);
        assert_eq!(code(&mut store, &commit(b"firstsecond"), &[]), Code::Ok);
        return;
    }
    let served = closed(served());
    let Some(status) = injected(&this_test!(), &served.1, &["pwrite64:error=ENOSPC:when=3"]) else { return };
    assert!(status.success());
}

#[test]
fn an_interrupted_write_is_continued() {
    if let Some(mut store) = inner() {
        let (operation, payload) = put(b"content");
        assert_eq!(code(&mut store, &operation, payload), Code::Ok);
        let read = Operation::Read { path: path("/file"), off: 0, len: 10, etag: None };
        assert_eq!(finish(&mut store, &read, &[]).unwrap().payload.unwrap(), b"content");
        return;
    }
    let served = closed(served());
    let Some(status) = injected(&this_test!(), &served.1, &["pwrite64:error=EINTR:when=1+2"]) else { return };
    assert!(status.success());
}

#[test]
fn after_a_failed_flush_no_flush_succeeds() {
    if let Some(mut store) = inner() {
        for _ in 0..3 {
            assert_eq!(code(&mut store, &Operation::Flush, &[]), Code::Internal);
        }
        return;
    }
    let served = closed(served());
    let Some(status) = injected(&this_test!(), &served.1, &["syncfs:error=EIO:when=1"]) else { return };
    assert!(status.success());
}

#[test]
fn a_failed_rename_leaves_the_old_file_and_nothing_staged() {
    if let Some(mut store) = inner() {
        let (operation, payload) = put(b"new");
        assert_eq!(code(&mut store, &operation, payload), Code::Internal);
        return;
    }
    let served = closed(served());
    std::fs::write(served.1.join("file"), b"old").unwrap();
    let Some(status) = injected(&this_test!(), &served.1, &["renameat,renameat2:error=EIO"]) else { return };
    assert!(status.success());
    assert_eq!(std::fs::read(served.1.join("file")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(served.1.join(".remofile")).unwrap().count(), 2, "the lock and the root id");
}

#[test]
fn without_the_flag_of_rename_a_link_keeps_what_appeared() {
    if let Some(mut store) = inner() {
        let absent = |at: &str| Operation::Put { path: path(at), pre: Precondition::Absent, mtime_ns: None };
        assert_eq!(code(&mut store, &absent("/new"), b"new"), Code::Ok);
        assert_eq!(code(&mut store, &absent("/file"), b"new"), Code::Exists);
        let rename = |from: &str, to: &str| {
            let pre = Precondition::Absent;
            Operation::Move { from: path(from), to: path(to), pre, etag: None }
        };
        assert_eq!(code(&mut store, &rename("/new", "/file"), &[]), Code::Exists);
        assert_eq!(code(&mut store, &rename("/new", "/moved"), &[]), Code::Ok);
        assert_eq!(code(&mut store, &rename("/dir", "/moved-dir"), &[]), Code::Ok);
        assert_eq!(code(&mut store, &rename("/moved-dir", "/file"), &[]), Code::Exists);
        return;
    }
    let served = closed(served());
    std::fs::write(served.1.join("file"), b"old").unwrap();
    std::fs::create_dir(served.1.join("dir")).unwrap();
    let Some(status) = injected(&this_test!(), &served.1, &["renameat2:error=EINVAL"]) else { return };
    assert!(status.success());
    assert_eq!(std::fs::read(served.1.join("file")).unwrap(), b"old");
    assert_eq!(std::fs::read(served.1.join("moved")).unwrap(), b"new");
    assert!(served.1.join("moved-dir").is_dir() && !served.1.join("new").exists());
}

#[test]
fn without_openat2_nothing_is_served() {
    if let Some(root) = std::env::var_os(INNER) {
        let refused = Store::open(Path::new(&root), StoreOptions::default());
        assert!(matches!(refused, Err(remofile::StoreError::NoOpenat2 { .. })), "{refused:?}");
        return;
    }
    let served = closed(served());
    let Some(status) = injected(&this_test!(), &served.1, &["openat2:error=ENOSYS"]) else { return };
    assert!(status.success());
}

#[test]
fn a_server_that_dies_at_any_call_leaves_the_old_file_or_the_new_one() {
    const OLD: &[u8] = b"old";
    const NEW: &[u8] = b"newer content";
    if let Some(mut store) = inner() {
        let (operation, payload) = put(NEW);
        assert_eq!(code(&mut store, &operation, payload), Code::Ok);
        assert_eq!(code(&mut store, &begin(), &[]), Code::Ok);
        for (off, bytes) in [(0, &NEW[..5]), (5, &NEW[5..])] {
            assert_eq!(code(&mut store, &Operation::Append { up: up(1), off }, bytes), Code::Ok);
        }
        assert_eq!(code(&mut store, &commit(NEW), &[]), Code::Ok);
        assert_eq!(code(&mut store, &Operation::Flush, &[]), Code::Ok);
        return;
    }
    let calls = ["pwrite64", "fdatasync", "renameat", "unlinkat", "fchmod", "openat", "openat2", "syncfs"];
    for call in calls {
        for nth in 1.. {
            let served = closed(served());
            for name in ["file", "film"] {
                std::fs::write(served.1.join(name), OLD).unwrap();
            }
            let Some(status) = injected(&this_test!(), &served.1, &[&format!("{call}:signal=KILL:when={nth}")]) else {
                return;
            };
            let died = status.signal() == Some(9) || status.code() == Some(137);
            assert!(died || status.success(), "{call} {nth}: {status}");
            let mut store = Store::open(&served.1, StoreOptions::default()).unwrap();
            for name in ["file", "film"] {
                let content = std::fs::read(served.1.join(name)).unwrap();
                assert!(content == OLD || content == NEW, "{call} {nth}: {name} is {content:?}");
                assert!(died || content == NEW, "{name} is old though no process died");
            }
            let Ok(Answer::Staged(staged)) = finish(&mut store, &begin(), &[]).map(|success| success.answer) else {
                panic!("{call} {nth}: the upload cannot go on")
            };
            let off = usize::try_from(staged.off).unwrap();
            assert_eq!(staged.hash, digest(&NEW[..off]), "{call} {nth}");
            assert_eq!(code(&mut store, &Operation::Append { up: up(1), off: staged.off }, &NEW[off..]), Code::Ok);
            assert_eq!(code(&mut store, &commit(NEW), &[]), Code::Ok);
            store.cancel();
            if !died {
                assert!(nth > 1, "{call} is never made");
                break;
            }
        }
    }
}

/// Cuts the power of a mounted ext4: what is not on stable storage is gone.
fn cut_power(at: &Path) -> Option<()> {
    const SHUTDOWN: &str = "import fcntl, os, struct, sys\n\
        fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";
    run(Command::new("python3").args(["-c", SHUTDOWN]).arg(at))
}

#[test]
fn what_flush_acknowledged_survives_a_power_cut() {
    let around = tempfile::tempdir().unwrap();
    let (root, image) = (around.path().join("root"), around.path().join("image"));
    std::fs::create_dir(&root).unwrap();
    let Some(mount) = Mount::ext4(&root, &image) else { return };
    let mut store = Store::open(&root, StoreOptions::default()).unwrap();
    let id = store.root_id();
    let put = |at: &str| Operation::Put { path: path(at), pre: ANY, mtime_ns: Some(-7) };
    let steps = [
        (put("/new"), &b"new"[..]),
        (put("/replaced"), b"old"),
        (put("/replaced"), b"replaced"),
        (put("/written"), b"01234"),
        (Operation::Write { path: path("/written"), off: 1, etag: None }, b"xx"),
        (put("/removed"), b""),
        (Operation::Remove { path: path("/removed"), etag: None }, b""),
        (Operation::Mkdir { path: path("/dir") }, b""),
        (put("/moving"), b"moved"),
        (Operation::Move { from: path("/moving"), to: path("/dir/moved"), pre: ANY, etag: None }, b""),
        (begin(), b""),
        (Operation::Append { up: up(1), off: 0 }, b"staged"),
        (Operation::Flush, b""),
        // Not flushed: the old content or the new one, and nothing between.
        (put("/replaced"), b"again"),
    ];
    for (operation, payload) in &steps {
        assert_eq!(code(&mut store, operation, payload), Code::Ok, "{operation:?}");
    }
    if cut_power(&root).is_none() {
        return;
    }
    assert_eq!(code(&mut store, &put("/late"), b""), Code::Internal);
    assert_eq!(code(&mut store, &Operation::Flush, &[]), Code::Internal);
    drop(store);
    drop(mount);
    let Some(_mount) = Mount::ext4(&root, &image) else { return };
    let mut store = Store::open(&root, StoreOptions::default()).unwrap();
    assert_eq!(store.root_id(), id);
    let content = |name: &str| std::fs::read(root.join(name)).unwrap();
    assert_eq!(content("new"), b"new");
    assert!([&b"replaced"[..], b"again"].contains(&content("replaced").as_slice()), "{:?}", content("replaced"));
    assert_eq!(content("written"), b"0xx34");
    assert_eq!(content("dir/moved"), b"moved");
    assert!(!root.join("removed").exists() && !root.join("late").exists());
    let stat = finish(&mut store, &Operation::Stat { path: path("/new") }, &[]).unwrap().answer;
    assert!(matches!(stat, Answer::Entry(entry) if entry.mtime_ns == Some(-7)));
    let staged = finish(&mut store, &begin(), &[]).unwrap().answer;
    assert!(matches!(staged, Answer::Staged(staged) if staged.off == 6 && staged.hash == digest(b"staged")));
}

/// A served directory that no process has open, and the guard that removes it.
fn closed(served: remofile_testkit::storage::Served) -> (tempfile::TempDir, std::path::PathBuf) {
    let around = tempfile::tempdir().unwrap();
    let root = around.path().join("root");
    std::fs::rename(served.disk(""), &root).unwrap();
    drop(served);
    (around, root)
}
