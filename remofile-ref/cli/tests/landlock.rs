//! The kernel's own wall around a served directory: it is up in the command's server, and it bites.

use remofile::{Confinement, Store, StoreOptions};
use remofile_proto::{Operation, Precondition};
use remofile_testkit::storage::{digest, finish, path, served, skip, skip_lacking, up};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread;

const ANY: Precondition = Precondition::Any;

/// Runs in a thread that is confined to the served directory; skips where the kernel lacks Landlock.
fn confined(store: Store, removable: &[PathBuf], deeds: impl FnOnce(Store) + Send) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    thread::scope(|scope| {
        let work = || match store.confine_thread(removable).unwrap() {
            Confinement::Full => deeds(store),
            Confinement::Partial => {
                skip("this kernel knows less of Landlock than there is");
                deeds(store);
            }
            Confinement::None => skip_lacking("landlock", "no thread is confined"),
        };
        thread::Builder::new().name(name).spawn_scoped(scope, work).unwrap();
    });
}

fn is_denied<T>(result: std::io::Result<T>) -> bool {
    // The error of a rename across the boundary.
    result.is_err_and(|error| matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::CrossesDevices))
}

/// Opens the directory, with something around it that a confined thread has no business with.
fn prepared() -> (tempfile::TempDir, PathBuf, Store) {
    let around = tempfile::tempdir().unwrap();
    let root = around.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "inside").unwrap();
    fs::write(around.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
    let store = Store::open(&root, StoreOptions::default()).unwrap();
    (around, root, store)
}

#[test]
fn a_confined_thread_opens_makes_and_removes_nothing_outside() {
    let (around, root, store) = prepared();
    let outside = around.path();
    confined(store, &[], |_store| {
        // Not through the store, whose own jail would be in the way: this is the second wall.
        assert_eq!(fs::read(root.join("file")).unwrap(), b"inside");
        assert!(is_denied(fs::read(outside.join("secret"))), "read");
        assert!(is_denied(fs::read(root.join("link"))), "read through a link");
        assert!(is_denied(fs::read_dir(outside)), "listed");
        assert!(is_denied(fs::write(outside.join("secret"), "changed")), "written");
        assert!(is_denied(fs::write(outside.join("new"), "new")), "made");
        assert!(is_denied(fs::create_dir(outside.join("dir"))), "made a directory");
        assert!(is_denied(fs::remove_file(outside.join("secret"))), "removed");
        assert!(is_denied(fs::rename(root.join("file"), outside.join("stolen"))), "moved out");
        assert!(is_denied(fs::rename(outside.join("secret"), root.join("stolen"))), "moved in");
        assert!(is_denied(fs::hard_link(outside.join("secret"), root.join("stolen"))), "linked");
        assert!(is_denied(std::os::unix::fs::symlink("x", outside.join("made"))), "made a link");
        assert!(is_denied(std::process::Command::new("/bin/true").status()), "executed");
    });
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
}

#[test]
fn a_confined_thread_starts_threads_that_are_confined() {
    let (around, _, store) = prepared();
    let secret = around.path().join("secret");
    confined(store, &[], |_store| {
        assert!(thread::spawn(move || is_denied(fs::read(secret))).join().unwrap());
    });
}

#[test]
fn a_confined_store_does_all_that_it_does() {
    let served = served();
    served.file("own", b"own");
    served.link("nowhere", "link");
    mknodat(CWD, served.disk("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let (root, around) = (served.disk(""), tempfile::tempdir().unwrap());
    let root_copy = around.path().join("root");
    drop(served.store);
    fs::rename(&root, &root_copy).unwrap();
    let store = Store::open(&root_copy, StoreOptions::default()).unwrap();
    confined(store, &[], |mut store| {
        let large = vec![7; 3 << 20];
        let commit = Operation::Commit { up: up(1), size: 3 << 20, hash: digest(&large), pre: ANY, mtime_ns: None };
        let moved = |from: &str, to: &str| {
            let (from, to) = (path(from), path(to));
            Operation::Move { from, to, pre: ANY, etag: None }
        };
        let steps = [
            (Operation::Put { path: path("/new"), pre: ANY, mtime_ns: Some(1) }, &b"new"[..]),
            (Operation::Put { path: path("/new"), pre: ANY, mtime_ns: None }, b"replaced"),
            (Operation::Mkdir { path: path("/dir") }, b""),
            (Operation::Copy { from: path("/new"), to: path("/dir/copy"), pre: ANY, etag: None }, b""),
            (moved("/own", "/dir/moved"), b""),
            (moved("/link", "/dir/link"), b""),
            (moved("/fifo", "/dir/fifo"), b""),
            (Operation::Remove { path: path("/dir/link"), etag: None }, b""),
            (Operation::Remove { path: path("/dir/fifo"), etag: None }, b""),
            (Operation::Write { path: path("/new"), off: 1, etag: None }, b"x"),
            (Operation::Truncate { path: path("/new"), size: 2, etag: None }, b""),
            (Operation::Touch { path: path("/dir"), mtime_ns: 5 }, b""),
            (Operation::Begin { up: up(1), path: path("/dir/film"), size: None }, b""),
            (Operation::Append { up: up(1), off: 0 }, &large),
            (commit, b""),
            (Operation::Begin { up: up(2), path: path("/dir/film"), size: None }, b""),
            (Operation::Abort { up: up(2) }, b""),
            (Operation::List { path: path("/"), after: None, limit: None, tree: true }, b""),
            (Operation::Hash { path: path("/dir/film"), off: 0, len: None }, b""),
            (Operation::Read { path: path("/new"), off: 0, len: 9, etag: None }, b""),
            (Operation::Flush, b""),
            (Operation::Remove { path: path("/dir/film"), etag: None }, b""),
            (Operation::Remove { path: path("/dir/copy"), etag: None }, b""),
            (Operation::Remove { path: path("/dir/moved"), etag: None }, b""),
            (Operation::Remove { path: path("/dir"), etag: None }, b""),
        ];
        for (operation, payload) in &steps {
            finish(&mut store, operation, payload).unwrap_or_else(|refusal| panic!("{operation:?}: {refusal:?}"));
        }
    });
}

#[test]
fn a_file_beside_may_be_removed_where_that_is_said() {
    let (around, _, store) = prepared();
    let pid_file = around.path().join("pid");
    fs::write(&pid_file, "1\n").unwrap();
    confined(store, &[around.path().to_owned()], |_store| {
        assert!(is_denied(fs::read(&pid_file)), "read");
        fs::remove_file(&pid_file).unwrap();
    });
}

#[test]
fn the_command_confines_the_thread_that_serves_before_it_says_that_it_is_ready() {
    use std::process::Command;
    let around = tempfile::tempdir().unwrap();
    let (served, trace) = (around.path().join("served"), around.path().join("trace"));
    fs::create_dir(&served).unwrap();
    let pid_file = around.path().join("pid");
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qqq", "-e", "trace=landlock_restrict_self,sendto", "-o"]).arg(&trace);
    command
        .arg(remofile_testkit::process::remofile_file())
        .args(["run", "--pidfile"])
        .arg(&pid_file)
        .arg(&served)
        .arg("0");
    command.env("REMOFILE_TOKEN", remofile_testkit::process::TOKEN);
    if let Err(error) = Command::new("strace").arg("--version").output() {
        return skip(&format!("strace: {error}"));
    }
    let server = remofile_testkit::process::Server::start_command(command);
    server.run(&["list"]);
    assert!(pid_file.exists());
    server.terminate();
    assert!(!pid_file.exists(), "the pid file stays behind");
    let traced = fs::read_to_string(&trace).unwrap();
    if traced.lines().any(|line| line.contains("landlock_restrict_self") && line.ends_with("= 0")) {
        return;
    }
    assert!(is_without_landlock(&served), "no thread is confined: {traced}");
    skip_lacking("landlock", "no thread is confined");
}

fn is_without_landlock(served: &std::path::Path) -> bool {
    let store = Store::open(served, StoreOptions::default()).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || matches!(store.confine_thread(&[]), Ok(Confinement::None))).join().unwrap()
    })
}
