//! Uploads: staging, resuming, committing, and what is left after failures.

use remofile::{ExecutionStatus, Storage, StoreOptions};
use remofile_proto::{Answer, Code, Detail, Operation, Precondition};
use remofile_testkit::storage::{digest, finish, path, served, served_with, up};
use std::time::Duration;

const ABSENT: Precondition = Precondition::Absent;

#[test]
fn nothing_is_visible_before_commit() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"half").unwrap();
    assert_eq!(served.stat("/film"), Err(Code::NotFound));
    assert_eq!(served.list_all("/", None, true), (vec![], 0));
}

#[test]
fn a_committed_upload_is_there_and_staged_no_more() {
    let mut served = served();
    assert_eq!(served.begin(1, "/film", Some(9)).unwrap().off, 0);
    assert_eq!(served.append(1, 0, b"first "), Ok(6));
    assert_eq!(served.append(1, 6, b"end"), Ok(9));
    served.commit(1, b"first end", ABSENT).unwrap();
    assert_eq!(served.content("film"), b"first end");
    assert_eq!(served.uploads(), []);
    assert_eq!(served.append(1, 9, b"x"), Err(Code::NoUpload));
}

#[test]
fn an_append_elsewhere_says_where_to_go_on() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    for off in [0, 4, 6, u64::MAX >> 1] {
        let refusal = served.answer(&Operation::Append { up: up(1), off }, b"x").unwrap_err();
        assert_eq!((refusal.code, refusal.detail), (Code::Offset, Detail::Offset(5)));
    }
}

#[test]
fn an_empty_append_changes_nothing() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    assert_eq!(served.append(1, 0, b""), Ok(0));
    assert_eq!(served.append(1, 1, b""), Err(Code::Offset));
}

#[test]
fn a_commit_of_another_size_is_refused_and_keeps_the_upload() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    assert_eq!(served.commit(1, b"1234", ABSENT), Err(Code::Offset));
    served.commit(1, b"12345", ABSENT).unwrap();
}

#[test]
fn a_commit_with_another_hash_discards_the_upload() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    assert_eq!(served.commit(1, b"12346", ABSENT), Err(Code::Digest));
    assert_eq!(served.commit(1, b"12345", ABSENT), Err(Code::NoUpload));
    assert_eq!(served.uploads(), []);
}

#[test]
fn a_commit_refused_by_its_target_keeps_the_upload() {
    let mut served = served();
    served.file("film", b"old");
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"new").unwrap();
    assert_eq!(served.commit(1, b"new", ABSENT), Err(Code::Exists));
    served.commit(1, b"new", Precondition::Any).unwrap();
    assert_eq!(served.content("film"), b"new");
}

#[test]
fn a_committed_file_has_the_time_that_was_asked_for() {
    for mtime_ns in [1_234_567_890_123_456_789, -1, -1_000_000_001] {
        let mut served = served();
        served.begin(1, "/film", None).unwrap();
        let commit = Operation::Commit { up: up(1), size: 0, hash: digest(b""), pre: ABSENT, mtime_ns: Some(mtime_ns) };
        let Ok(Answer::Entry(entry)) = served.answer(&commit, &[]) else { panic!("refused") };
        assert_eq!(entry.mtime_ns, Some(mtime_ns));
    }
}

#[test]
fn a_file_committed_without_a_time_has_that_of_the_commit() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    let staged = std::fs::File::options().write(true).open(served.disk(&format!(".remofile/up-{}", up(1)))).unwrap();
    staged.set_modified(std::time::UNIX_EPOCH).unwrap();
    served.file("now", b"");
    let now = std::fs::metadata(served.disk("now")).unwrap().modified().unwrap();
    served.commit(1, b"12345", ABSENT).unwrap();
    assert!(std::fs::metadata(served.disk("film")).unwrap().modified().unwrap() >= now);
}

#[test]
fn a_refused_commit_leaves_the_staged_file_its_time() {
    let mut served = served();
    served.file("film", b"");
    served.begin(1, "/film", None).unwrap();
    let staged = std::fs::File::options().write(true).open(served.disk(&format!(".remofile/up-{}", up(1)))).unwrap();
    staged.set_modified(std::time::UNIX_EPOCH).unwrap();
    for mtime_ns in [None, Some(7)] {
        let commit = Operation::Commit { up: up(1), size: 0, hash: digest(b""), pre: ABSENT, mtime_ns };
        assert_eq!(served.answer(&commit, &[]).unwrap_err().code, Code::Exists);
        assert_eq!(staged.metadata().unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
    }
}

#[test]
fn a_large_commit_waits_for_its_sync_in_slices() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    let content = vec![7; 5 << 20];
    for (index, chunk) in content.chunks(256 << 10).enumerate() {
        served.append(1, index as u64 * (256 << 10), chunk).unwrap();
    }
    served.commit(1, &content, ABSENT).unwrap();
    assert_eq!(served.content("film"), content);
}

#[test]
fn a_cancelled_commit_has_changed_nothing() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    let content = vec![7; 2 << 20];
    served.append(1, 0, &content).unwrap();
    let (size, hash) = (content.len() as u64, digest(&content));
    let commit = Operation::Commit { up: up(1), size, hash, pre: ABSENT, mtime_ns: None };
    if matches!(served.store.perform(&commit, &[]), ExecutionStatus::Working { .. }) {
        served.store.cancel();
        assert_eq!(served.stat("/film"), Err(Code::NotFound));
        finish(&mut served.store, &commit, &[]).unwrap();
    }
    assert_eq!(served.content("film"), content);
}

#[test]
fn begin_goes_on_with_the_same_path() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    let staged = served.begin(1, "/film", Some(10)).unwrap();
    assert_eq!((staged.off, staged.hash), (5, digest(b"12345")));
    assert_eq!(served.uploads(), [(1, "/film".to_owned(), 5, Some(10))]);
}

#[test]
fn begin_with_another_path_starts_over() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    assert_eq!(served.begin(1, "/other", None).unwrap().off, 0);
    assert_eq!(served.uploads(), [(1, "/other".to_owned(), 0, None)]);
}

#[test]
fn begin_discards_other_uploads_of_the_path() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.begin(2, "/other", None).unwrap();
    served.begin(3, "/film", None).unwrap();
    assert_eq!(served.append(1, 0, b"x"), Err(Code::NoUpload));
    assert_eq!(served.uploads().iter().map(|one| one.0).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn begin_looks_at_no_target() {
    let mut served = served();
    served.file("file", b"");
    served.begin(1, "/missing/dir/film", None).unwrap();
    served.begin(2, "/file/film", None).unwrap();
    served.begin(3, "/file", None).unwrap();
}

#[test]
fn at_the_limit_the_longest_untouched_upload_goes() {
    let mut served = served_with(StoreOptions { max_uploads: 3, ..StoreOptions::default() });
    for id in 1..=3 {
        served.begin(id, &format!("/{id}"), None).unwrap();
    }
    served.append(1, 0, b"touched").unwrap();
    served.begin(4, "/4", None).unwrap();
    assert_eq!(served.uploads().iter().map(|one| one.0).collect::<Vec<_>>(), [1, 3, 4]);
}

#[test]
fn an_upload_is_resumed_by_another_process() {
    let mut served = served();
    served.begin(1, "/film", Some(10)).unwrap();
    served.append(1, 0, b"12345").unwrap();
    let mut served = served.reopened();
    assert_eq!(served.uploads(), [(1, "/film".to_owned(), 5, Some(10))]);
    assert_eq!(served.append(1, 5, b"67890"), Err(Code::NoUpload));
    let staged = served.begin(1, "/film", Some(10)).unwrap();
    assert_eq!((staged.off, staged.hash), (5, digest(b"12345")));
    served.append(1, 5, b"67890").unwrap();
    served.commit(1, b"1234567890", ABSENT).unwrap();
}

#[test]
fn a_bit_that_flipped_on_the_disk_shows_in_the_hash() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    let mut served = served.reopened();
    served.file(&format!(".remofile/up-{}", up(1)), b"12344");
    assert_eq!(served.begin(1, "/film", None).unwrap().hash, digest(b"12344"));
}

#[test]
fn the_offset_after_a_restart_is_what_is_on_the_disk() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    let mut served = served.reopened();
    served.file(&format!(".remofile/up-{}", up(1)), b"12");
    let staged = served.begin(1, "/film", None).unwrap();
    assert_eq!((staged.off, staged.hash), (2, digest(b"12")));
}

#[test]
fn reading_a_long_upload_back_is_sliced() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    let content = vec![3; 20 << 20];
    served.append(1, 0, &content).unwrap();
    let mut served = served.reopened();
    let begin = Operation::Begin { up: up(1), path: path("/film"), size: None };
    let ExecutionStatus::Working { total, .. } = served.store.perform(&begin, &[]) else { panic!("at once") };
    assert_eq!(total, 20 << 20);
    served.store.cancel();
    let staged = served.begin(1, "/film", None).unwrap();
    assert_eq!((staged.off, staged.hash), (20 << 20, digest(&content)));
}

#[test]
fn an_upload_without_description_is_swept() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    std::fs::remove_file(served.disk(&format!(".remofile/up-{}.about", up(1)))).unwrap();
    let mut served = served.reopened();
    assert_eq!(served.uploads(), []);
    assert!(!served.is_there(&format!(".remofile/up-{}", up(1))));
}

#[test]
fn an_upload_with_a_broken_description_is_swept() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.file(&format!(".remofile/up-{}.about", up(1)), b"remofile upload 1\nunknown\n/../etc\n");
    let mut served = served.reopened();
    assert_eq!(served.uploads(), []);
    assert!(!served.is_there(&format!(".remofile/up-{}.about", up(1))));
}

#[test]
fn an_untouched_upload_expires() {
    let mut served = served();
    for id in [1, 2] {
        served.begin(id, &format!("/{id}"), None).unwrap();
    }
    let week_ago = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    for name in [format!("up-{}", up(1)), format!("up-{}.about", up(1))] {
        let file = std::fs::File::options().write(true).open(served.disk(&format!(".remofile/{name}"))).unwrap();
        file.set_modified(week_ago).unwrap();
    }
    let mut served = served.reopened();
    assert_eq!(served.uploads().iter().map(|one| one.0).collect::<Vec<_>>(), [2]);
}

#[test]
fn leftovers_of_unfinished_operations_are_removed() {
    let served = served();
    served.file(".remofile/tmp-3", b"half");
    let served = served.reopened();
    assert!(!served.is_there(".remofile/tmp-3"));
}

#[test]
fn an_upload_whose_file_was_taken_away_starts_over() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"12345").unwrap();
    std::fs::remove_file(served.disk(&format!(".remofile/up-{}", up(1)))).unwrap();
    assert_eq!(served.begin(1, "/film", None).unwrap().off, 0);
}

#[test]
fn a_commit_of_a_file_that_was_taken_away_is_no_upload() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    std::fs::remove_file(served.disk(&format!(".remofile/up-{}", up(1)))).unwrap();
    assert_eq!(served.commit(1, b"", ABSENT), Err(Code::NoUpload));
}

#[test]
fn an_unknown_upload_is_aborted_all_the_same() {
    assert_eq!(served().abort(9), Code::Ok);
}

#[test]
fn an_aborted_upload_leaves_no_file() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    assert_eq!(served.abort(1), Code::Ok);
    assert_eq!(served.append(1, 0, b"x"), Err(Code::NoUpload));
    assert!(!served.is_there(&format!(".remofile/up-{}", up(1))));
}

#[test]
fn uploads_come_in_pages_by_their_ids() {
    let mut served = served_with(StoreOptions { chunk: 1_000, ..StoreOptions::default() });
    for id in 0..20 {
        served.begin(id, &format!("/{}-{id}", "x".repeat(200)), None).unwrap();
    }
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let Ok(Answer::Uploads(page)) = served.answer(&Operation::Uploads { after }, &[]) else { panic!("refused") };
        assert!(page.uploads.len() <= 4);
        ids.extend(page.uploads.iter().map(|one| one.up.as_bytes()[0]));
        if !page.more {
            break;
        }
        after = Some(page.uploads.last().unwrap().up);
    }
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
}

#[test]
fn a_size_above_the_limit_is_too_large() {
    let mut served = served_with(StoreOptions { max_file_size: Some(10), ..StoreOptions::default() });
    assert_eq!(served.begin(1, "/film", Some(11)), Err(Code::TooLarge));
    served.begin(1, "/film", Some(10)).unwrap();
    served.append(1, 0, b"12345678").unwrap();
    assert_eq!(served.append(1, 8, b"901"), Err(Code::TooLarge));
    assert_eq!(served.append(1, 8, b"90"), Ok(10));
}

#[test]
fn a_size_that_cannot_fit_is_refused_before_a_byte_is_sent() {
    let mut served = served();
    assert_eq!(served.begin(1, "/film", Some(u64::MAX >> 1)), Err(Code::NoSpace));
    assert_eq!(served.uploads(), []);
}
