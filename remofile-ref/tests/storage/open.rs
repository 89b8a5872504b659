//! Opening: the lock, the root id, the staging directory, and file systems that fold names.

use remofile::{Store, StoreError, StoreOptions};
use remofile_proto::{Code, Operation, Precondition};
use remofile_testkit::storage::{Served, path, served, skip, skip_lacking};
use std::os::unix::fs::MetadataExt;

const ABSENT: Precondition = Precondition::Absent;
const ANY: Precondition = Precondition::Any;

fn open(at: &std::path::Path) -> Result<Store, StoreError> {
    Store::open(at, StoreOptions::default())
}

#[test]
fn a_second_server_on_the_directory_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    assert!(matches!(open(directory.path()), Err(StoreError::InUse)));
    drop(first);
    open(directory.path()).unwrap();
}

#[test]
fn a_server_that_may_not_start_disturbs_nothing() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.file(".remofile/tmp-9", b"in use");
    assert!(matches!(open(&served.disk("")), Err(StoreError::InUse)));
    assert!(served.is_there(".remofile/tmp-9"));
    assert_eq!(served.append(1, 0, b"x"), Ok(1));
}

#[test]
fn a_read_only_server_may_serve_beside_another() {
    let served = served();
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    let beside = Store::open(&served.disk(""), options).unwrap();
    assert_eq!(beside.root_id(), served.store.root_id());
    assert!(beside.read_only() && !served.store.read_only());
}

#[test]
fn what_is_no_directory_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), b"").unwrap();
    for name in ["file", "missing"] {
        assert!(matches!(open(&directory.path().join(name)), Err(StoreError::Root { .. })), "{name}");
    }
}

#[test]
fn a_staging_directory_that_is_a_link_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join(".remofile")).unwrap();
    assert!(matches!(open(directory.path()), Err(StoreError::Staging { .. })));
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_staging_directory_is_closed_to_others() {
    let served = served();
    assert_eq!(served.disk(".remofile").metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn the_root_id_survives_a_restart_and_a_new_name() {
    let around = tempfile::tempdir().unwrap();
    std::fs::create_dir(around.path().join("one")).unwrap();
    let id = open(&around.path().join("one")).unwrap().root_id();
    assert!(id.is_some());
    std::fs::rename(around.path().join("one"), around.path().join("other")).unwrap();
    assert_eq!(open(&around.path().join("other")).unwrap().root_id(), id);
}

#[test]
fn a_copied_tree_gets_another_root_id() {
    let around = tempfile::tempdir().unwrap();
    let (one, other) = (around.path().join("one"), around.path().join("other"));
    std::fs::create_dir(&one).unwrap();
    let id = open(&one).unwrap().root_id();
    std::fs::create_dir_all(other.join(".remofile")).unwrap();
    for file in std::fs::read_dir(one.join(".remofile")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), other.join(".remofile").join(file.file_name())).unwrap();
    }
    let copy = open(&other).unwrap().root_id();
    assert_ne!(copy, id);
    assert_eq!(open(&other).unwrap().root_id(), copy);
}

#[test]
fn a_broken_root_id_is_replaced() {
    let mut served = served();
    for content in [&b""[..], b"garbage", b"\xff\xff", b"0123\n1 2 born 3.4\n"] {
        served.file(".remofile/root", content);
        served = served.reopened();
        assert!(served.store.root_id().is_some());
    }
}

#[test]
fn names_that_differ_in_case_are_two_entries_where_the_file_system_says_so() {
    let mut served = served();
    assert!(!served.store.folds());
    served.put("/name", ABSENT, b"").unwrap();
    served.put("/Name", ABSENT, b"").unwrap();
}

/// A root on a file system that folds names, where the kernel has one.
fn folding() -> Option<Served> {
    // Shown exactly where the kernel can fold names, on any file system.
    if !std::path::Path::new("/sys/fs/ext4/features/casefold").exists() {
        skip_lacking("casefold", "the kernel folds no names (CONFIG_UNICODE)");
        return None;
    }
    let served = served().on_tmpfs("casefold")?;
    served.dir("folds");
    let marked = std::process::Command::new("chattr").arg("+F").arg(served.disk("folds")).status();
    if !marked.is_ok_and(|status| status.success()) {
        skip("chattr cannot mark a directory as folding");
        return None;
    }
    Some(served)
}

#[test]
fn a_name_in_another_spelling_clashes() {
    let Some(mut served) = folding() else { return };
    served.put("/folds/name", ABSENT, b"old").unwrap();
    assert_eq!(served.put("/folds/Name", ABSENT, b""), Err(Code::NameClash));
    assert_eq!(served.put("/folds/NAME", ANY, b""), Err(Code::NameClash));
    assert_eq!(served.mkdir("/folds/NAME"), Err(Code::NameClash));
    assert_eq!(served.put("/folds/name", ABSENT, b""), Err(Code::Exists));
    served.put("/folds/name", ANY, b"new").unwrap();
    assert_eq!(served.list_all("/folds", None, false).0, ["name"]);
}

#[test]
fn an_entry_is_renamed_to_another_spelling_of_itself() {
    let Some(mut served) = folding() else { return };
    served.put("/folds/name", ABSENT, b"old").unwrap();
    served.rename("/folds/name", "/folds/Name", ABSENT).unwrap();
    assert_eq!(served.list_all("/folds", None, false).0, ["Name"]);
    served.put("/folds/other", ABSENT, b"").unwrap();
    assert_eq!(served.rename("/folds/other", "/folds/NAME", ANY), Err(Code::NameClash));
}

#[test]
fn a_kernel_without_openat2_would_be_told() {
    let error = StoreError::NoOpenat2 { source: std::io::ErrorKind::Unsupported.into() };
    assert!(error.to_string().contains("openat2"));
}

#[test]
fn an_operation_without_work_is_refused_when_asked_to_proceed() {
    use remofile::{ExecutionStatus, Storage};
    let mut served = served();
    served.store.perform(&Operation::Stat { path: path("/") }, &[]);
    assert!(matches!(served.store.proceed(), ExecutionStatus::Done(Err(_))));
}
