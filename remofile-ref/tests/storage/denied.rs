//! What the system does not permit is DENIED, and changes nothing.

use remofile_proto::{Code, Precondition};
use remofile_testkit::storage::{Served, served, unprivileged};
use std::os::unix::fs::PermissionsExt;

const ANY: Precondition = Precondition::Any;

fn protect(served: &Served, at: &str, mode: u32) {
    std::fs::set_permissions(served.disk(at), PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn an_unreadable_file_is_denied() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.file("closed", b"content");
    protect(&served, "closed", 0o200);
    assert_eq!(served.read("/closed", 0, 1, None), Err(Code::Denied));
    assert_eq!(served.hash("/closed", 0, None), Err(Code::Denied));
    assert_eq!(served.copy("/closed", "/copy", ANY), Err(Code::Denied));
}

#[test]
fn an_unwritable_file_is_denied_in_place_and_can_be_replaced() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.file("fixed", b"old");
    protect(&served, "fixed", 0o444);
    assert_eq!(served.write("/fixed", 0, None, b"new"), Err(Code::Denied));
    assert_eq!(served.truncate("/fixed", 0), Err(Code::Denied));
    assert_eq!(served.content("fixed"), b"old");
    served.put("/fixed", ANY, b"new").unwrap();
    assert_eq!(served.content("fixed"), b"new");
    assert_eq!(served.disk("fixed").metadata().unwrap().permissions().mode() & 0o777, 0o444);
}

#[test]
fn a_file_that_may_only_be_written_can_be_moved_onto_another() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.file("from", b"new");
    served.file("to", b"old");
    protect(&served, "from", 0o200);
    served.rename("/from", "/to", ANY).unwrap();
    assert!(!served.is_there("from"));
}

#[test]
fn an_unwritable_directory_is_denied_for_every_name_in_it() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.dir("fixed/dir");
    served.file("fixed/file", b"old");
    served.file("free", b"new");
    protect(&served, "fixed", 0o555);
    assert_eq!(served.put("/fixed/new", ANY, b""), Err(Code::Denied));
    assert_eq!(served.put("/fixed/file", ANY, b""), Err(Code::Denied));
    assert_eq!(served.mkdir("/fixed/new"), Err(Code::Denied));
    assert_eq!(served.remove("/fixed/file"), Code::Denied);
    assert_eq!(served.remove("/fixed/dir"), Code::Denied);
    assert_eq!(served.rename("/fixed/file", "/moved", ANY), Err(Code::Denied));
    assert_eq!(served.rename("/free", "/fixed/moved", ANY), Err(Code::Denied));
    assert_eq!(served.copy("/free", "/fixed/copied", ANY), Err(Code::Denied));
    served.begin(1, "/fixed/film", None).unwrap();
    assert_eq!(served.commit(1, b"", ANY), Err(Code::Denied));
    assert_eq!(served.content("fixed/file"), b"old");
    protect(&served, "fixed", 0o755);
    served.commit(1, b"", ANY).unwrap();
}

#[test]
fn an_unsearchable_directory_is_denied_on_the_way() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.dir("closed/dir");
    served.file("closed/file", b"");
    protect(&served, "closed", 0o600);
    assert_eq!(served.stat("/closed/file"), Err(Code::Denied));
    assert_eq!(served.stat("/closed/dir/x"), Err(Code::Denied));
    let page = served.list("/closed", "", None, false).unwrap();
    assert_eq!((page.entries.len(), page.skipped), (0, 2), "names without anything known about them");
    protect(&served, "closed", 0o700);
}

#[test]
fn an_unreadable_directory_is_listed_and_counted() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.dir("closed/inside");
    served.file("open", b"");
    protect(&served, "closed", 0o300);
    for limit in [None, Some(1)] {
        assert_eq!(served.list_all("/", limit, true), (vec!["closed".to_owned(), "open".to_owned()], 1));
    }
    assert_eq!(served.list("/closed", "", None, false), Err(Code::Denied));
    protect(&served, "closed", 0o700);
}
