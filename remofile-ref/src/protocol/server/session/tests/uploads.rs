//! What append and commit may name.

use super::*;
use remofile_proto::{Digest, UploadId};

fn begin(up: u8, target: &str) -> Operation {
    Operation::Begin { up: UploadId::new([up; 16]), path: path(target), size: None }
}

fn append(up: u8) -> Operation {
    Operation::Append { up: UploadId::new([up; 16]), off: 0 }
}

fn commit(up: u8) -> Operation {
    let (up, hash) = (UploadId::new([up; 16]), Digest::new([0; 32]));
    Operation::Commit { up, size: 0, hash, pre: Default::default(), mtime_ns: None }
}

/// The code of the last of these requests, numbered from 1.
fn last(fixture: &mut SessionFixture, operations: &[Operation]) -> Code {
    let numbered = operations.iter().zip(1..);
    numbered.map(|(operation, seq)| fixture.say(1, seq, operation).code).last().unwrap()
}

#[test]
fn append_and_commit_without_begin_are_no_upload() {
    assert_eq!(last(&mut SessionFixture::open(), &[append(1)]), Code::NoUpload);
    assert_eq!(last(&mut SessionFixture::open(), &[commit(1)]), Code::NoUpload);
}

#[test]
fn append_and_commit_behind_begin_are_executed() {
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), append(1)]), Code::Ok);
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), commit(1)]), Code::Ok);
}

#[test]
fn begin_in_an_earlier_session_does_not_count() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &begin(1, "/a"));
    fixture.hello(2, Some(1));
    assert_eq!(fixture.say(2, 1, &append(1)).code, Code::NoUpload);
}

#[test]
fn committed_and_aborted_uploads_are_gone() {
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), commit(1), append(1)]), Code::NoUpload);
    let abort = Operation::Abort { up: UploadId::new([1; 16]) };
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), abort, append(1)]), Code::NoUpload);
}

#[test]
fn begin_of_the_same_path_discards_the_other_upload() {
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), begin(2, "/a"), append(1)]), Code::NoUpload);
    assert_eq!(last(&mut SessionFixture::open(), &[begin(1, "/a"), begin(2, "/b"), append(1)]), Code::Ok);
}

#[test]
fn upload_with_another_hash_is_gone() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &begin(1, "/a"));
    let pending = fixture.start(1, 2, &commit(1));
    let _ = fixture.session.on_outcome(fixture.now, pending, Err(Refusal::new(Code::Digest)));
    assert_eq!(fixture.say(1, 3, &append(1)).code, Code::NoUpload);
}

#[test]
fn upload_whose_commit_was_refused_is_kept() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &begin(1, "/a"));
    let pending = fixture.start(1, 2, &commit(1));
    let _ = fixture.session.on_outcome(fixture.now, pending, Err(Refusal::new(Code::Exists)));
    assert_eq!(fixture.say(1, 3, &append(1)).code, Code::Ok);
}

#[test]
fn refused_begin_begins_nothing() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &begin(1, "/a"));
    let _ = fixture.session.on_outcome(fixture.now, pending, Err(Refusal::new(Code::NoSpace)));
    assert_eq!(fixture.say(1, 2, &append(1)).code, Code::NoUpload);
}

#[test]
fn at_the_limit_the_longest_untouched_upload_is_forgotten() {
    // The limit is two.
    let two = [begin(1, "/a"), begin(2, "/b"), append(1), begin(3, "/c")];
    let with = |up| [&two[..], &[append(up)]].concat();
    assert_eq!([1, 2, 3].map(|up| last(&mut SessionFixture::open(), &with(up))), [Code::Ok, Code::NoUpload, Code::Ok]);
}

#[test]
fn read_only_server_leaves_the_answer_to_its_store() {
    let mut fixture = SessionFixture::with(|welcome| welcome.ro = true);
    fixture.hello(1, None);
    assert!(fixture.say(1, 1, &append(1)).executed);
}
