//! Operations of the store on a file system with neither RENAME_NOREPLACE nor hard links.

use super::{Failpoint, Fault, MISSING, WITHOUT_LINKS};
use crate::storage::{ExecutionStatus, Storage as _, Store, StoreOptions};
use remofile_proto::{Code, Digest, Operation, Precondition, RemotePath, UploadId};
use std::fs;

const UP: UploadId = UploadId::new([3; 16]);
const ABSENT: Precondition = Precondition::Absent;

fn path(name: &str) -> RemotePath {
    RemotePath::parse(name).unwrap()
}

fn code(store: &mut Store, operation: &Operation, payload: &[u8]) -> Code {
    let mut status = store.perform(operation, payload);
    loop {
        match status {
            ExecutionStatus::Done(outcome) => return outcome.map_or_else(|refusal| refusal.code, |_| Code::Ok),
            ExecutionStatus::Working { .. } => status = store.proceed(),
        }
    }
}

/// Every operation that makes a name, and the name.
fn operations(pre: &Precondition) -> Vec<(Operation, &'static [u8], &'static str)> {
    let hash = Digest::new(*blake3::hash(b"uploaded").as_bytes());
    let pre = || pre.clone();
    vec![
        (Operation::Put { path: path("/put"), pre: pre(), mtime_ns: None }, b"put", "put"),
        (Operation::Begin { up: UP, path: path("/uploaded"), size: None }, b"", ""),
        (Operation::Append { up: UP, off: 0 }, b"uploaded", ""),
        (Operation::Commit { up: UP, size: 8, hash, pre: pre(), mtime_ns: None }, b"", "uploaded"),
        (Operation::Copy { from: path("/source"), to: path("/copied"), pre: pre(), etag: None }, b"", "copied"),
        (Operation::Move { from: path("/moving"), to: path("/moved"), pre: pre(), etag: None }, b"", "moved"),
        (Operation::Move { from: path("/directory"), to: path("/renamed"), pre: pre(), etag: None }, b"", "renamed"),
        (Operation::Mkdir { path: path("/made") }, b"", "made"),
    ]
}

#[test]
fn every_operation_makes_its_name_without_links() {
    for errno in MISSING {
        for pre in [ABSENT, Precondition::Any] {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join("source"), "copied").unwrap();
            fs::write(root.path().join("moving"), "moved").unwrap();
            fs::create_dir_all(root.path().join("directory/below")).unwrap();
            let mut store = Store::open(root.path(), StoreOptions::default()).unwrap();
            let _failpoint = Failpoint::new(Fault::all_of(WITHOUT_LINKS, errno));
            for (operation, payload, name) in operations(&pre) {
                assert_eq!(code(&mut store, &operation, payload), Code::Ok, "{errno} {operation:?}");
                assert!(root.path().join(name).exists(), "{name}");
            }
            for name in ["put", "uploaded", "copied", "moved"] {
                assert_eq!(fs::read_to_string(root.path().join(name)).unwrap(), name);
            }
            assert!(root.path().join("renamed/below").is_dir());
            assert!(!root.path().join("moving").exists() && !root.path().join("directory").exists());
        }
    }
}

#[test]
fn no_operation_replaces_a_name_without_links() {
    for errno in MISSING {
        let root = tempfile::tempdir().unwrap();
        for name in ["source", "moving", "put", "uploaded", "copied", "moved", "renamed", "made"] {
            fs::write(root.path().join(name), "old").unwrap();
        }
        fs::create_dir(root.path().join("directory")).unwrap();
        let mut store = Store::open(root.path(), StoreOptions::default()).unwrap();
        let _failpoint = Failpoint::new(Fault::all_of(WITHOUT_LINKS, errno));
        for (operation, payload, name) in operations(&ABSENT) {
            let expected = if name.is_empty() { Code::Ok } else { Code::Exists };
            assert_eq!(code(&mut store, &operation, payload), expected, "{errno} {operation:?}");
            assert!(name.is_empty() || fs::read(root.path().join(name)).unwrap() == b"old", "{name}");
        }
    }
}
