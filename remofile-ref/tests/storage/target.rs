//! The target rules, one by one, for each operation that makes a name.

use remofile_proto::{Code, Entry, Etag, Operation, Precondition};
use remofile_testkit::storage::{Served, path, served};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const MAKERS: [&str; 4] = ["put", "move", "copy", "commit"];

/// Makes `/to` a file with content "new" by one of the four operations.
fn make(served: &mut Served, maker: &str, to: &str, pre: Precondition) -> Result<Entry, Code> {
    match maker {
        "put" => served.put(to, pre, b"new"),
        "commit" => {
            let off = served.begin(7, to, None)?.off;
            if off == 0 {
                served.append(7, 0, b"new")?;
            }
            served.commit(7, b"new", pre)
        }
        _ => {
            served.file("source", b"new");
            if maker == "move" { served.rename("/source", to, pre) } else { served.copy("/source", to, pre) }
        }
    }
}

fn other_etag() -> Precondition {
    Precondition::Etag(Etag::try_from(&b"another"[..]).unwrap())
}

fn each(test: impl Fn(&mut Served, &str)) {
    for maker in MAKERS {
        test(&mut served(), maker);
    }
}

#[test]
fn a_free_name_is_taken() {
    for pre in [Precondition::Absent, Precondition::Any] {
        each(|served, maker| {
            let entry = make(served, maker, "/to", pre.clone()).unwrap();
            assert_eq!(entry.size, Some(3), "{maker}");
            assert_eq!(served.content("to"), b"new", "{maker}");
        });
    }
}

#[test]
fn pre_absent_and_anything_there_exists() {
    each(|served, maker| {
        served.file("file", b"old");
        served.dir("dir");
        served.link("nowhere", "broken");
        for to in ["/file", "/dir", "/broken", "/"] {
            // Moving onto the root is the same question with the root as the parent of the source.
            assert_eq!(make(served, maker, to, Precondition::Absent), Err(Code::Exists), "{maker} {to}");
        }
        assert_eq!(served.content("file"), b"old");
    });
}

#[test]
fn a_directory_is_not_a_file_to_replace() {
    each(|served, maker| {
        served.dir("dir");
        for pre in [Precondition::Any, other_etag()] {
            assert_eq!(make(served, maker, "/dir", pre.clone()), Err(Code::NotFile), "{maker}");
            assert_eq!(make(served, maker, "/", pre), Err(Code::NotFile), "{maker}");
        }
    });
}

#[test]
fn a_link_or_special_file_is_not_replaced() {
    each(|served, maker| {
        served.file("file", b"old");
        served.link("file", "link");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            served.disk("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        for to in ["/link", "/fifo"] {
            for pre in [Precondition::Any, other_etag()] {
                assert_eq!(make(served, maker, to, pre), Err(Code::UnsupportedKind), "{maker} {to}");
            }
        }
    });
}

#[test]
fn an_absent_target_is_not_the_one_with_the_etag() {
    each(|served, maker| assert_eq!(make(served, maker, "/to", other_etag()), Err(Code::Changed), "{maker}"));
}

#[test]
fn a_target_with_another_etag_stays() {
    each(|served, maker| {
        served.file("to", b"old");
        assert_eq!(make(served, maker, "/to", other_etag()), Err(Code::Changed), "{maker}");
        assert_eq!(served.content("to"), b"old", "{maker}");
    });
}

#[test]
fn the_target_with_the_etag_is_replaced() {
    each(|served, maker| {
        served.file("to", b"old");
        let etag = served.etag("/to");
        make(served, maker, "/to", Precondition::Etag(etag)).unwrap();
        assert_eq!(served.content("to"), b"new", "{maker}");
    });
}

#[test]
fn pre_any_replaces_a_file() {
    each(|served, maker| {
        served.file("to", b"old");
        make(served, maker, "/to", Precondition::Any).unwrap();
        assert_eq!(served.content("to"), b"new", "{maker}");
    });
}

#[test]
fn the_entry_in_the_result_is_what_stat_says() {
    for pre in [Precondition::Absent, Precondition::Any] {
        each(|served, maker| {
            if pre == Precondition::Any {
                served.file("to", b"old");
            }
            let entry = make(served, maker, "/to", pre.clone()).unwrap();
            let stat = served.stat("/to").unwrap();
            assert_eq!((entry.etag, entry.mtime_ns, entry.size), (stat.etag, stat.mtime_ns, stat.size), "{maker}");
        });
    }
}

#[test]
fn a_replaced_file_keeps_its_permission_bits() {
    for maker in ["put", "copy", "commit"] {
        let mut served = served();
        served.file("to", b"old");
        std::fs::set_permissions(served.disk("to"), PermissionsExt::from_mode(0o4751)).unwrap();
        make(&mut served, maker, "/to", Precondition::Any).unwrap();
        let mode = served.disk("to").metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o751, "{maker}: all but set-user-id");
    }
}

#[test]
fn a_new_file_has_the_permissions_that_the_umask_leaves() {
    let mut served = served();
    served.file("reference", b"");
    served.dir("reference-dir");
    let mode = |served: &Served, name: &str| served.disk(name).metadata().unwrap().mode();
    for maker in ["put", "copy", "commit"] {
        make(&mut served, maker, &format!("/{maker}"), Precondition::Absent).unwrap();
        assert_eq!(mode(&served, maker), mode(&served, "reference"), "{maker}");
    }
    served.mkdir("/dir").unwrap();
    assert_eq!(mode(&served, "dir"), mode(&served, "reference-dir"));
}

#[test]
fn a_missing_parent_is_not_found() {
    each(|served, maker| {
        assert_eq!(make(served, maker, "/missing/to", Precondition::Any), Err(Code::NotFound), "{maker}");
    });
}

#[test]
fn a_file_as_parent_is_not_a_directory() {
    each(|served, maker| {
        served.file("file", b"");
        assert_eq!(make(served, maker, "/file/to", Precondition::Any), Err(Code::NotDir), "{maker}");
    });
}

#[test]
fn a_refused_operation_leaves_nothing_in_staging() {
    each(|served, maker| {
        served.file("to", b"old");
        make(served, maker, "/to", Precondition::Absent).unwrap_err();
        served.abort(7);
        let left = std::fs::read_dir(served.disk(".remofile")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name != "lock" && name != "root").collect();
        assert!(left.is_empty(), "{maker}: {left:?}");
    });
}

#[test]
fn a_directory_is_not_moved_onto_anything() {
    let mut served = served();
    served.dir("from");
    served.dir("empty");
    served.file("file", b"");
    for to in ["/empty", "/file"] {
        assert_eq!(served.rename("/from", to, Precondition::Any), Err(Code::NotFile), "{to}");
    }
}

#[test]
fn after_a_move_between_two_hard_links_the_source_is_gone() {
    let mut served = served();
    served.file("from", b"same");
    std::fs::hard_link(served.disk("from"), served.disk("to")).unwrap();
    served.rename("/from", "/to", Precondition::Any).unwrap();
    assert!(!served.is_there("from"));
    assert_eq!(served.content("to"), b"same");
}

#[test]
fn a_move_below_itself_is_a_loop() {
    let mut served = served();
    served.dir("a/b");
    for to in ["/a", "/a/b/c"] {
        assert_eq!(served.rename("/a", to, Precondition::Any), Err(Code::Loop), "{to}");
        assert_eq!(served.copy("/a", to, Precondition::Any), Err(Code::Loop), "{to}");
    }
}

#[test]
fn a_move_with_another_etag_is_refused() {
    let mut served = served();
    served.file("from", b"");
    served.dir("dir");
    let etag = Some(Etag::try_from(&b"another"[..]).unwrap());
    for from in ["/from", "/dir"] {
        let (from, to, pre) = (path(from), path("/to"), Precondition::Absent);
        assert_eq!(served.code(&Operation::Move { from, to, pre, etag: etag.clone() }, &[]), Code::Changed);
    }
}

#[test]
fn links_and_special_files_are_moved_as_names() {
    let mut served = served();
    served.link("../outside", "link");
    assert_eq!(served.rename("/link", "/moved", Precondition::Absent).unwrap().kind, remofile_proto::Kind::Link);
    assert_eq!(std::fs::read_link(served.disk("moved")).unwrap().to_str(), Some("../outside"));
}

#[test]
fn a_hard_link_to_an_outside_file_is_replaced_and_the_outside_left_alone() {
    each(|served, maker| {
        served.file("../outside", b"outside");
        std::fs::hard_link(served.disk("../outside"), served.disk("to")).unwrap();
        make(served, maker, "/to", Precondition::Any).unwrap();
        assert_eq!(served.content("../outside"), b"outside", "{maker}");
        assert_eq!(served.content("to"), b"new", "{maker}");
    });
}
