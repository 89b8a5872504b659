//! Files and directories: reading, changing in place, times, sizes, kinds.

use remofile::StoreOptions;
use remofile_proto::{Code, Etag, Kind, Operation, Precondition};
use remofile_testkit::storage::{digest, path, served, served_with, skip};

const ABSENT: Precondition = Precondition::Absent;
const ANY: Precondition = Precondition::Any;
const FARTHEST: u64 = u64::MAX >> 1;

fn other_etag() -> Option<Etag> {
    Some(Etag::try_from(&b"another"[..]).unwrap())
}

#[test]
fn the_root_is_a_directory() {
    let entry = served().stat("/").unwrap();
    assert_eq!((entry.kind, entry.size, entry.etag), (Kind::Dir, None, None));
    assert!(entry.mtime_ns.is_some());
}

#[test]
fn what_is_missing_is_not_found() {
    let mut served = served();
    assert_eq!(served.stat("/missing"), Err(Code::NotFound));
    assert_eq!(served.stat("/missing/below"), Err(Code::NotFound));
    assert_eq!(served.read("/missing", 0, 1, None), Err(Code::NotFound));
    assert_eq!(served.remove("/missing"), Code::NotFound);
    assert_eq!(served.write("/missing", 0, None, b"x"), Err(Code::NotFound));
    assert_eq!(served.truncate("/missing", 0), Err(Code::NotFound));
    assert_eq!(served.touch("/missing", 0), Err(Code::NotFound));
}

#[test]
fn a_directory_is_no_file() {
    let mut served = served();
    served.dir("dir");
    for at in ["/dir", "/"] {
        assert_eq!(served.read(at, 0, 1, None), Err(Code::NotFile), "{at}");
        assert_eq!(served.hash(at, 0, None), Err(Code::NotFile), "{at}");
        assert_eq!(served.write(at, 0, None, b"x"), Err(Code::NotFile), "{at}");
        assert_eq!(served.truncate(at, 0), Err(Code::NotFile), "{at}");
    }
    assert_eq!(served.copy("/dir", "/to", ANY), Err(Code::NotFile));
}

#[test]
fn a_range_is_read_up_to_the_end_of_the_file() {
    let mut served = served();
    served.file("file", b"0123456789");
    for (off, len, expected) in
        [(0, 10, &b"0123456789"[..]), (3, 4, b"3456"), (8, 100, b"89"), (10, 1, b""), (FARTHEST, 0, b""), (0, 0, b"")]
    {
        let (bytes, etag, size) = served.read("/file", off, len, None).unwrap();
        assert_eq!((bytes.as_slice(), size), (expected, 10), "{off} {len}");
        assert_eq!(etag, served.etag("/file"));
    }
}

#[test]
fn a_read_of_another_version_is_refused() {
    let mut served = served();
    served.file("file", b"0123456789");
    let etag = served.etag("/file");
    assert!(served.read("/file", 0, 1, Some(etag.clone())).is_ok());
    served.write("/file", 0, None, b"x").unwrap();
    assert_eq!(served.read("/file", 0, 1, Some(etag)), Err(Code::Changed));
}

#[test]
fn the_end_of_a_sparse_file_is_read_without_reserving_its_size() {
    let mut served = served();
    served.file("sparse", b"");
    let far = 1 << 40;
    served.write("/sparse", far, None, b"end").unwrap();
    assert_eq!(served.read("/sparse", far - 2, 100, None).unwrap().0, b"\0\0end");
    assert_eq!(served.read("/sparse", 0, FARTHEST, None).unwrap().0.len(), 256 << 10, "a chunk at most");
}

#[test]
fn a_hash_covers_its_range_and_says_how_long_that_was() {
    let mut served = served();
    served.file("file", b"0123456789");
    for (off, len, expected) in [
        (0, None, &b"0123456789"[..]),
        (3, Some(4), b"3456"),
        (8, Some(100), b"89"),
        (10, None, b""),
        (FARTHEST, None, b""),
    ] {
        assert_eq!(served.hash("/file", off, len), Ok((digest(expected), expected.len() as u64)), "{off} {len:?}");
    }
}

#[test]
fn a_long_hash_comes_in_slices() {
    let mut served = served();
    let content: Vec<u8> = (0..20_u32 << 20).map(|n| n.to_le_bytes()[1]).collect();
    served.file("long", &content);
    assert_eq!(served.hash("/long", 0, None).unwrap().0, digest(&content));
    assert_eq!(served.hash("/long", 12_345, Some(9 << 20)).unwrap().0, digest(&content[12_345..12_345 + (9 << 20)]));
}

#[test]
fn a_hash_of_a_file_that_changes_meanwhile_is_refused() {
    use remofile::{ExecutionStatus, Storage};
    let mut served = served();
    served.file("long", &vec![0; 20 << 20]);
    let hash = Operation::Hash { path: path("/long"), off: 0, len: None };
    assert!(matches!(served.store.perform(&hash, &[]), ExecutionStatus::Working { .. }));
    std::fs::write(served.disk("long"), b"short").unwrap();
    let outcome = loop {
        if let ExecutionStatus::Done(outcome) = served.store.proceed() {
            break outcome;
        }
    };
    assert_eq!(outcome.unwrap_err().code, Code::Changed);
}

#[test]
fn mkdir_makes_one_directory() {
    let mut served = served();
    assert_eq!(served.mkdir("/a").unwrap().kind, Kind::Dir);
    assert_eq!(served.mkdir("/x/y"), Err(Code::NotFound));
}

#[test]
fn mkdir_where_anything_is_exists() {
    let mut served = served();
    served.dir("dir");
    served.file("file", b"");
    served.link("nowhere", "broken");
    for at in ["/dir", "/file", "/broken", "/"] {
        assert_eq!(served.mkdir(at), Err(Code::Exists), "{at}");
    }
}

#[test]
fn a_write_changes_its_range_alone() {
    let mut served = served();
    served.file("file", b"0123456789");
    assert_eq!(served.write("/file", 3, None, b"abc").unwrap().size, Some(10));
    assert_eq!(served.content("file"), b"012abc6789");
}

#[test]
fn a_write_behind_the_end_leaves_zeros_between() {
    let mut served = served();
    served.file("file", b"01");
    served.write("/file", 4, None, b"ab").unwrap();
    assert_eq!(served.content("file"), b"01\0\0ab");
}

#[test]
fn an_empty_write_changes_nothing() {
    let mut served = served();
    served.file("file", b"01");
    let before = served.etag("/file");
    assert_eq!(served.write("/file", 100, None, b"").unwrap().etag, Some(before.clone()));
    assert_eq!(served.etag("/file"), before);
}

#[test]
fn a_change_of_another_version_is_refused() {
    let mut served = served();
    served.file("file", b"01");
    assert_eq!(served.write("/file", 0, other_etag(), b"x"), Err(Code::Changed));
    let truncate = Operation::Truncate { path: path("/file"), size: 0, etag: other_etag() };
    assert_eq!(served.code(&truncate, &[]), Code::Changed);
    let remove = Operation::Remove { path: path("/file"), etag: other_etag() };
    assert_eq!(served.code(&remove, &[]), Code::Changed);
    assert_eq!(served.content("file"), b"01");
}

#[test]
fn truncate_cuts_off_and_adds_zeros() {
    let mut served = served();
    served.file("file", b"0123");
    assert_eq!(served.truncate("/file", 2).unwrap().size, Some(2));
    assert_eq!(served.truncate("/file", 4).unwrap().size, Some(4));
    assert_eq!(served.content("file"), b"01\0\0");
}

#[test]
fn a_size_that_the_file_system_cannot_have_is_too_large() {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    let mut served = served();
    served.file("file", b"0123");
    if rustix::fs::statfs(served.disk("file")).unwrap().f_type == TMPFS_MAGIC {
        return skip("a file on tmpfs can have any size");
    }
    assert_eq!(served.truncate("/file", FARTHEST), Err(Code::TooLarge));
    assert_eq!(served.write("/file", FARTHEST - 1, None, b"x"), Err(Code::TooLarge));
    assert_eq!(served.content("file"), b"0123");
}

#[test]
fn no_file_grows_beyond_the_limit() {
    let mut served = served_with(StoreOptions { max_file_size: Some(4), ..StoreOptions::default() });
    served.file("large", b"01234");
    served.file("file", b"0123");
    assert_eq!(served.put("/new", ABSENT, b"01234"), Err(Code::TooLarge));
    assert_eq!(served.write("/file", 4, None, b"4"), Err(Code::TooLarge));
    assert_eq!(served.truncate("/file", 5), Err(Code::TooLarge));
    assert_eq!(served.copy("/large", "/new", ABSENT), Err(Code::TooLarge));
    assert_eq!(served.content("file"), b"0123");
    assert!(!served.is_there("new"));
}

#[test]
fn the_target_rules_come_before_the_limit() {
    let mut served = served_with(StoreOptions { max_file_size: Some(4), ..StoreOptions::default() });
    served.file("file", b"");
    assert_eq!(served.put("/file", ABSENT, b"01234"), Err(Code::Exists));
}

#[test]
fn times_are_set_to_the_nanosecond_also_before_1970() {
    let mut served = served();
    served.file("file", b"");
    served.dir("dir");
    for mtime_ns in [0, 1, -1, -999_999_999, -1_000_000_000, 1_700_000_000_123_456_789, -10_000_000_000_000_001] {
        for at in ["/file", "/dir", "/"] {
            assert_eq!(served.touch(at, mtime_ns).unwrap().mtime_ns, Some(mtime_ns), "{at}");
            assert_eq!(served.stat(at).unwrap().mtime_ns, Some(mtime_ns), "{at}");
        }
        assert_eq!(served.put_at("/put", ANY, Some(mtime_ns), b"").unwrap().mtime_ns, Some(mtime_ns));
    }
}

#[test]
fn a_time_out_of_reach_is_reported_as_the_file_system_keeps_it() {
    let mut served = served();
    served.file("file", b"");
    for mtime_ns in [i64::MIN, i64::MAX] {
        let entry = served.touch("/file", mtime_ns).unwrap();
        assert_eq!(entry.mtime_ns, served.stat("/file").unwrap().mtime_ns);
    }
}

#[test]
fn a_new_file_has_the_time_of_the_server() {
    let mut served = served();
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(1);
    served.put("/file", ABSENT, b"").unwrap();
    assert!(served.disk("file").metadata().unwrap().modified().unwrap() > before);
}

#[test]
fn every_change_makes_another_etag() {
    let mut served = served();
    let mut etags = vec![served.put_at("/file", ABSENT, Some(0), b"same").unwrap().etag];
    for _ in 0..200 {
        etags.push(served.put_at("/file", ANY, Some(0), b"same").unwrap().etag);
    }
    for pair in etags.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn an_etag_survives_a_restart() {
    let mut served = served();
    served.put("/file", ABSENT, b"content").unwrap();
    let etag = served.etag("/file");
    assert_eq!(served.reopened().etag("/file"), etag);
}

#[test]
fn a_file_just_changed_is_racy_and_an_old_one_is_not() {
    let mut served = served();
    assert!(served.put("/file", ABSENT, b"").unwrap().racy);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while served.stat("/file").unwrap().racy {
        assert!(std::time::Instant::now() < deadline, "racy for ever");
        std::thread::yield_now();
    }
}

#[test]
fn remove_removes_what_is_there() {
    let mut served = served();
    served.file("file", b"");
    served.dir("dir");
    served.link("file", "link");
    for at in ["/link", "/file", "/dir"] {
        assert_eq!(served.remove(at), Code::Ok, "{at}");
    }
    assert_eq!(served.list_all("/", None, true), (vec![], 0));
}

#[test]
fn the_root_is_not_removed() {
    assert_eq!(served().remove("/"), Code::Denied);
}

#[test]
fn a_directory_with_something_in_it_is_not_empty() {
    let mut served = served();
    served.file("file", b"");
    served.dir("dir/sub");
    assert_eq!(served.remove("/dir"), Code::NotEmpty);
}

#[test]
fn an_etag_names_no_directory() {
    let mut served = served();
    served.dir("dir");
    served.link("x", "link");
    for at in ["/dir", "/link"] {
        let remove = Operation::Remove { path: path(at), etag: other_etag() };
        assert_eq!(served.code(&remove, &[]), Code::Changed, "{at}");
    }
}

#[test]
fn a_copy_has_content_and_time_of_its_source() {
    let mut served = served();
    let content: Vec<u8> = (0..20_u32 << 20).map(|n| n.to_le_bytes()[2]).collect();
    served.file("from", &content);
    served.touch("/from", -5).unwrap();
    let entry = served.copy("/from", "/to", ABSENT).unwrap();
    assert_eq!((entry.size, entry.mtime_ns), (Some(20 << 20), Some(-5)));
    assert!(served.content("to") == content);
    served.file("old", b"old");
    served.copy("/from", "/old", ANY).unwrap();
    assert!(served.content("old") == content);
}

#[test]
fn a_copy_of_a_source_that_changes_meanwhile_makes_nothing() {
    use remofile::{ExecutionStatus, Storage};
    let mut served = served();
    served.file("from", &vec![1; 40 << 20]);
    let copy = Operation::Copy { from: path("/from"), to: path("/to"), pre: ABSENT, etag: None };
    if !matches!(served.store.perform(&copy, &[]), ExecutionStatus::Working { .. }) {
        return skip("the file system copies 40 MiB at once");
    }
    std::fs::write(served.disk("from"), b"short").unwrap();
    let outcome = loop {
        if let ExecutionStatus::Done(outcome) = served.store.proceed() {
            break outcome;
        }
    };
    assert_eq!(outcome.unwrap_err().code, Code::Changed);
    assert!(!served.is_there("to"));
    assert!(!served.is_there(".remofile/tmp-0"));
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    use remofile::{ExecutionStatus, Storage};
    let mut served = served();
    served.file("from", &vec![1; 40 << 20]);
    let copy = Operation::Copy { from: path("/from"), to: path("/to"), pre: ABSENT, etag: None };
    if !matches!(served.store.perform(&copy, &[]), ExecutionStatus::Working { .. }) {
        return skip("the file system copies 40 MiB at once");
    }
    served.store.cancel();
    assert!(!served.is_there("to"));
    let left = std::fs::read_dir(served.disk(".remofile")).unwrap().count();
    assert_eq!(left, 2, "the lock and the root id");
}

#[test]
fn flush_answers_when_everything_is_on_stable_storage() {
    let mut served = served();
    served.put("/file", ABSENT, b"").unwrap();
    for _ in 0..2 {
        assert_eq!(served.code(&Operation::Flush, &[]), Code::Ok);
    }
}

#[test]
fn a_full_disk_is_reported_and_leaves_everything_as_it_was() {
    let Some(mut served) = served().on_tmpfs("size=2m,nr_inodes=200") else { return };
    served.put("/old", ABSENT, b"old").unwrap();
    served.begin(1, "/film", None).unwrap();
    let chunk = vec![1; 256 << 10];
    let mut off = 0;
    let code = loop {
        match served.append(1, off, &chunk) {
            Ok(next) => off = next,
            Err(code) => break code,
        }
    };
    assert_eq!(code, Code::NoSpace);
    assert_eq!(served.uploads()[0].2, off, "the offset is what was acknowledged");
    assert_eq!(
        served.disk(&format!(".remofile/up-{}", remofile_testkit::storage::up(1))).metadata().unwrap().len(),
        off
    );
    assert_eq!(served.put("/old", ANY, &chunk), Err(Code::NoSpace));
    assert_eq!(served.put("/new", ABSENT, &chunk), Err(Code::NoSpace));
    assert_eq!(served.put("/old", ABSENT, &chunk), Err(Code::Exists), "the target rules come first");
    assert_eq!(served.content("old"), b"old");
    assert!(!served.is_there("new"));
    assert_eq!(served.begin(2, "/other", Some(1 << 20)), Err(Code::NoSpace));
    let content = vec![1; usize::try_from(off).unwrap()];
    served.commit(1, &content, ABSENT).unwrap();
    assert_eq!(served.remove("/film"), Code::Ok);
    served.put("/new", ABSENT, &chunk).unwrap();
}

#[test]
fn inodes_that_are_gone_are_no_space() {
    let Some(mut served) = served().on_tmpfs("size=2m,nr_inodes=20") else { return };
    let code = (0..40).find_map(|n| served.put(&format!("/{n}"), ABSENT, b"").err()).unwrap();
    assert_eq!(code, Code::NoSpace);
    assert_eq!(served.mkdir("/dir"), Err(Code::NoSpace));
    assert_eq!(served.remove("/0"), Code::Ok);
    served.mkdir("/dir").unwrap();
}
