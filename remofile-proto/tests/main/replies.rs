//! Replies: what a server writes, and what a client believes.

use crate::diagnostic::parse;
use crate::strategies::{answer, operation, refusal, session};
use proptest::prelude::*;
use remofile_proto::reply::{Malformed, PAGE_OVERHEAD};
use remofile_proto::*;

const SESSION: SessionId = SessionId::new([0xa1; 16]);

/// What a reply with this code and this result, in diagnostic notation, says to an operation.
fn reply(code: u8, result: &str, operation: &Operation) -> Result<Answer, ReplyError> {
    let header = format!("[\"rmf1\", h'{}', 1, {code}, {result}]", "a1".repeat(16));
    let mut frames = vec![parse(&header).encode().unwrap()];
    frames.extend((code == 0 && matches!(operation, Operation::Read { .. })).then(Vec::new));
    Reply::decode(&frames)?.into_answer(operation)
}

fn stat() -> Operation {
    Operation::Stat { path: RemotePath::root() }
}

fn list(path: &str, tree: bool) -> Operation {
    Operation::List { path: path.parse().unwrap(), after: None, limit: None, tree }
}

fn malformed(result: Result<Answer, ReplyError>) -> String {
    match result {
        Err(ReplyError::Malformed(malformed)) => malformed.to_string(),
        other => panic!("{other:?}"),
    }
}

fn with_answer() -> impl Strategy<Value = (Operation, Answer)> {
    operation().prop_flat_map(|operation| {
        let answer = answer(&operation);
        (Just(operation), answer)
    })
}

proptest! {
    #[test]
    fn every_answer_round_trips((operation, answer) in with_answer(), session in session(), seq in 0..=u64::MAX / 2) {
        let mut frames = vec![encode_reply(session, seq, &Ok(answer.clone()))];
        frames.extend(matches!(operation, Operation::Read { .. }).then(Vec::new));
        let reply = Reply::decode(&frames).unwrap();
        prop_assert_eq!((reply.session, reply.seq, reply.code), (session, seq, 0));
        prop_assert_eq!(reply.into_answer(&operation), Ok(answer));
    }

    #[test]
    fn every_refusal_round_trips(operation in operation(), refusal in refusal(), seq in 0..=u64::MAX / 2) {
        let frames = [encode_reply(SESSION, seq, &Err(refusal.clone()))];
        let reply = Reply::decode(&frames).unwrap();
        prop_assert_eq!(reply.into_answer(&operation), Err(ReplyError::Refused(refusal)));
    }

    #[test]
    fn a_changed_byte_never_gets_a_bad_name_through(
        (operation, answer) in with_answer(), at: prop::sample::Index, with: u8,
    ) {
        let mut frame = encode_reply(SESSION, 1, &Ok(answer));
        let at = at.index(frame.len());
        frame[at] = with;
        let frames = [frame];
        let Ok(reply) = Reply::decode(&frames) else { return Ok(()) };
        if let (Ok(Answer::Listing(listing)), Operation::List { path, .. }) = (reply.into_answer(&operation), &operation) {
            prop_assert!(listing.entries.iter().all(|listed| path.join(&listed.name).is_ok()));
        }
    }

    #[test]
    fn a_page_is_never_longer_than_its_entries_and_the_overhead((_, answer) in with_answer(), seq in 0..=u64::MAX / 2) {
        let entries: usize = match &answer {
            Answer::Listing(listing) => listing.entries.iter().map(ListedEntry::encoded_len).sum(),
            Answer::Uploads(uploads) => uploads.uploads.iter().map(UploadEntry::encoded_len).sum(),
            _ => return Ok(()),
        };
        let len = encode_reply(SESSION, seq, &Ok(answer)).len();
        prop_assert!(len > entries && len <= entries + PAGE_OVERHEAD);
    }
}

#[test]
fn the_delimiter_of_a_dealer_is_skipped() {
    let header = encode_reply(SESSION, 1, &Ok(Answer::Empty));
    let (bare, delimited) = ([header.clone()], [vec![], header]);
    assert_eq!(Reply::decode(&bare), Reply::decode(&delimited));
}

#[test]
fn the_empty_frame_of_a_rep_server_is_no_reply() {
    let frames: [Vec<u8>; 1] = [vec![]];
    assert!(matches!(Reply::decode(&frames), Err(Malformed::FrameCount { .. })));
}

#[test]
fn a_request_is_no_reply() {
    let frames = [encode_request(SESSION, 1, &Operation::Ping)];
    assert_eq!(Reply::decode(&frames).unwrap_err().to_string(), "the reply's code is not 0 to 255");
}

#[test]
fn a_code_above_255_is_malformed() {
    let frames = [parse(&format!("[\"rmf1\", h'{}', 1, 256, {{}}]", "a1".repeat(16))).encode().unwrap()];
    assert_eq!(Reply::decode(&frames).unwrap_err().to_string(), "the reply's code is not 0 to 255");
}

#[test]
fn a_read_answered_ok_has_a_payload_and_nothing_else_has() {
    let read = Operation::Read { path: "/a".parse().unwrap(), off: 0, len: 10, etag: None };
    let ok = encode_reply(SESSION, 1, &Ok(Answer::Read(ReadResult { etag: etag(), size: 3 })));
    let refused = encode_reply(SESSION, 1, &Err(Refusal::new(Code::NotFound)));
    let count = |frames: &[Vec<u8>]| malformed(Reply::decode(frames).unwrap().into_answer(&read));
    assert_eq!(count(&[ok]), "the reply has 1 frames instead of 2");
    assert_eq!(count(&[refused, vec![]]), "the reply has 2 frames instead of 1");
}

#[test]
fn a_read_never_brings_more_than_was_asked_for() {
    let read = Operation::Read { path: "/a".parse().unwrap(), off: 0, len: 10, etag: None };
    let header = encode_reply(SESSION, 1, &Ok(Answer::Read(ReadResult { etag: etag(), size: 30 })));
    let frames = [header, vec![0; 11]];
    let result = Reply::decode(&frames).unwrap().into_answer(&read);
    assert_eq!(malformed(result), "the reply has 11 bytes of payload where at most 10 were asked for");
}

fn etag() -> Etag {
    Etag::try_from(&[0xe7][..]).unwrap()
}

#[test]
fn unknown_fields_are_ignored() {
    let entry = reply(0, r#"{"aaa": [1, 2], "entry": {"x": 1, "kind": "link"}, "zzzzzz": {"a": true}}"#, &stat());
    assert!(matches!(entry, Ok(Answer::Entry(Entry { kind: Kind::Link, .. }))));
}

#[test]
fn an_unknown_kind_is_other() {
    let entry = reply(0, r#"{"entry": {"kind": "door", "size": 7}}"#, &stat());
    assert!(matches!(entry, Ok(Answer::Entry(Entry { kind: Kind::Other, size: None, .. }))));
}

#[test]
fn a_file_has_size_time_and_etag() {
    let entry = |entry| malformed(reply(0, &format!(r#"{{"entry": {entry}}}"#), &stat()));
    assert_eq!(entry(r#"{"kind": "file"}"#), "in the reply's result size is missing");
    assert_eq!(entry(r#"{"kind": "dir"}"#), "in the reply's result mtime_ns is missing");
    assert_eq!(entry(r#"{"kind": "file", "size": -1}"#), "in the reply's result size is not an unsigned integer");
}

#[test]
fn a_name_that_leads_elsewhere_is_malformed() {
    for name in ["..", "../x", "a/b", "", ".", "a\0", ".remofile"] {
        let page = format!(r#"{{"more": false, "entries": [{{"kind": "link", "name": "{name}"}}], "skipped": 0}}"#);
        malformed(reply(0, &page, &list("/", false)));
    }
}

#[test]
fn a_tree_name_that_leads_elsewhere_is_malformed() {
    for name in ["..", "../x", "a/../b", "", "/a", "a/", "a//b", "a/.remofile"] {
        let page = format!(r#"{{"more": false, "entries": [{{"kind": "link", "name": "{name}"}}], "skipped": 0}}"#);
        malformed(reply(0, &page, &list("/", true)));
    }
}

#[test]
fn a_tree_name_that_is_too_deep_below_the_listed_directory_is_malformed() {
    let page = r#"{"more": false, "entries": [{"kind": "link", "name": "b/c"}], "skipped": 0}"#;
    assert!(reply(0, page, &list(&"/a".repeat(126), true)).is_ok());
    assert_eq!(
        malformed(reply(0, page, &list(&"/a".repeat(127), true))),
        "in entry 1 the path has 129 names, more than 128"
    );
}

#[test]
fn a_window_or_chunk_out_of_range_is_malformed() {
    let hello = Operation::Hello(Hello { auth: [0; 32], client: String::new(), take: None, lease_ms: None });
    let hello = |window: i64, chunk: i64| {
        let boot = "b0".repeat(16);
        let result = format!(
            r#"{{"ro": false, "boot": h'{boot}', "caps": [], "chunk": {chunk}, "folds": false, "names": "posix", "header": 65536, "window": {window}, "lease_ms": 30000}}"#
        );
        reply(0, &result, &hello)
    };
    assert!(hello(1, 65_536).is_ok() && hello(1_024, 1_048_576).is_ok());
    assert_eq!(malformed(hello(0, 65_536)), "in the reply's result window is not 1 to 1024");
    assert_eq!(malformed(hello(64, 1_048_577)), "in the reply's result chunk is not 65536 to 1048576");
}

#[test]
fn an_unknown_code_is_acted_on_by_its_range() {
    for (code, expected) in [
        (5, Class::Refused),
        (19, Class::Session),
        (31, Class::Refused),
        (43, Class::Upload),
        (53, Class::Limits),
        (63, Class::Protocol),
        (71, Class::Internal),
        (255, Class::Internal),
    ] {
        match reply(code, r#"{"msg": "later"}"#, &stat()) {
            Err(ReplyError::UnknownCode { number, class, msg }) => {
                assert_eq!((number, class, msg.as_deref()), (code.into(), expected, Some("later")));
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn a_seq_without_next_is_malformed() {
    assert_eq!(malformed(reply(14, "{}", &stat())), "in the reply's result next is missing");
}

#[test]
fn a_reply_with_fields_of_another_operation_is_malformed() {
    assert_eq!(malformed(reply(0, r#"{"off": 1}"#, &stat())), "in the reply's result entry is missing");
}
