//! The sequence rules, and long operations.

use super::*;

#[test]
fn numbers_are_executed_from_one() {
    let mut fixture = SessionFixture::open();
    assert!((1..=20).all(|seq| fixture.say(1, seq, &mkdir("/a")).executed));
}

#[test]
fn gap_is_refused_with_the_next_number() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &mkdir("/a"));
    let came = fixture.say(1, 3, &mkdir("/c"));
    assert_eq!((came.code, came.detail, came.executed), (Code::Seq, Detail::Next(2), false));
}

#[test]
fn number_without_a_session_is_no_session() {
    assert_eq!(SessionFixture::new().say(1, 1, &mkdir("/a")).code, Code::NoSession);
}

#[test]
fn resend_gets_the_same_bytes_and_executes_nothing() {
    let mut fixture = SessionFixture::open();
    let first = fixture.say(1, 1, &mkdir("/a"));
    let again = fixture.say(1, 1, &mkdir("/a"));
    assert_eq!((again.executed, again.header), (false, first.header));
}

#[test]
fn refusals_are_remembered_as_well() {
    let mut fixture = SessionFixture::open();
    assert_eq!(fixture.say(1, 1, &mkdir("/refused")).code, Code::Exists);
    let again = fixture.say(1, 1, &mkdir("/refused"));
    assert_eq!((again.code, again.executed), (Code::Exists, false));
}

#[test]
fn another_request_with_a_remembered_number_is_seq_reused() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &mkdir("/a"));
    assert_eq!(fixture.say(1, 1, &mkdir("/b")).code, Code::SeqReused);
}

#[test]
fn the_last_window_numbers_are_remembered() {
    let mut fixture = SessionFixture::open();
    for seq in 1..=WINDOW + 1 {
        fixture.say(1, seq, &mkdir("/a"));
    }
    assert_eq!(fixture.say(1, 2, &mkdir("/a")).code, Code::Ok);
    assert_eq!(fixture.say(1, 1, &mkdir("/a")).detail, Detail::Next(WINDOW + 2));
}

#[test]
fn resent_read_is_computed_again_and_keeps_the_numbering() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &read());
    fixture.say(1, 2, &mkdir("/a"));
    assert!(fixture.say(1, 1, &read()).executed);
    assert!(fixture.say(1, 3, &mkdir("/b")).executed);
}

#[test]
fn resent_read_with_other_arguments_is_seq_reused() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &read());
    let other = Operation::Read { path: path("/other"), off: 0, len: 10, etag: None };
    assert_eq!(fixture.say(1, 1, &other).code, Code::SeqReused);
}

#[test]
fn unknown_operation_consumes_its_number() {
    let mut fixture = SessionFixture::open();
    let unknown = renamed(encode_request(session(1), 1, &Operation::Flush), "flush", "flash");
    assert_eq!(fixture.say_frame(&unknown, &[]).code, Code::BadOp);
    assert!(fixture.say(1, 2, &mkdir("/a")).executed);
}

#[test]
fn bad_arguments_consume_their_number() {
    let mut fixture = SessionFixture::open();
    let header = encode_request(session(1), 1, &Operation::Abort { up: remofile_proto::UploadId::new([1; 16]) });
    let wrong = renamed(header, "abort", "mkdir");
    assert_eq!(fixture.say_frame(&wrong, &[]).code, Code::BadArgs);
    assert!(fixture.say(1, 2, &mkdir("/a")).executed);
}

#[test]
fn hello_with_a_number_is_bad_op_and_consumes_it() {
    let mut fixture = SessionFixture::open();
    assert_eq!(fixture.say(1, 1, &hello(None, None)).code, Code::BadOp);
    assert!(fixture.say(1, 2, &mkdir("/a")).executed);
}

#[test]
fn payload_above_the_chunk_is_too_large_and_consumes_its_number() {
    let mut fixture = SessionFixture::open();
    let put = Operation::Put { path: path("/a"), pre: Default::default(), mtime_ns: None };
    let came = fixture.say_frame(&encode_request(session(1), 1, &put), &vec![0; 65_537]);
    assert_eq!((came.code, came.executed), (Code::TooLarge, false));
    assert!(fixture.say(1, 2, &mkdir("/a")).executed);
}

#[test]
fn running_request_is_polled_by_the_same_bytes() {
    let mut fixture = SessionFixture::open();
    let _pending = fixture.start(1, 1, &mkdir("/a"));
    assert!(fixture.is_poll(1, 1, &mkdir("/a")));
}

#[test]
fn other_bytes_with_the_running_number_are_seq_reused() {
    let mut fixture = SessionFixture::open();
    let _pending = fixture.start(1, 1, &mkdir("/a"));
    assert_eq!(fixture.say(1, 1, &mkdir("/b")).code, Code::SeqReused);
}

#[test]
fn higher_number_meanwhile_is_seq_with_the_running_one() {
    let mut fixture = SessionFixture::open();
    let _pending = fixture.start(1, 1, &mkdir("/a"));
    assert_eq!(fixture.say(1, 2, &mkdir("/b")).detail, Detail::Next(1));
}

#[test]
fn pending_carries_progress_and_consumes_nothing() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    let came = came(Operation::Flush, pending.not_yet(Some(3), Some(10)), false, false);
    assert_eq!((came.code, came.detail), (Code::Pending, Detail::Progress { done: Some(3), total: Some(10) }));
    assert!(fixture.is_poll(1, 1, &mkdir("/a")));
}

#[test]
fn reply_without_a_waiting_request_is_remembered() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    let over = fixture.end(pending, &mkdir("/a"));
    let poll = fixture.say(1, 1, &mkdir("/a"));
    assert_eq!((poll.executed, poll.header), (false, over.header));
    assert!(fixture.say(1, 2, &mkdir("/b")).executed);
}

#[test]
fn remembered_replies_are_given_while_something_runs() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &mkdir("/a"));
    let _pending = fixture.start(1, 2, &mkdir("/b"));
    assert_eq!(fixture.say(1, 1, &mkdir("/a")).code, Code::Ok);
}

#[test]
fn resent_read_waits_for_what_runs() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &read());
    let pending = fixture.start(1, 2, &mkdir("/a"));
    let came = fixture.say(1, 1, &read());
    assert_eq!((came.code, came.executed), (Code::Pending, false));
    fixture.end(pending, &mkdir("/a"));
    assert!(fixture.say(1, 1, &read()).executed);
}

#[test]
fn ping_and_hello_of_others_are_answered_while_something_runs() {
    let mut fixture = SessionFixture::open();
    let _pending = fixture.start(1, 1, &mkdir("/a"));
    assert_eq!(fixture.say(1, 0, &Operation::Ping).code, Code::Ok);
    assert_eq!(fixture.hello(2, None).code, Code::Busy);
}

#[test]
fn long_sentence_is_cut_before_it_is_remembered() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    let reply =
        fixture.session.on_outcome(fixture.now, pending, Err(Refusal::because(Code::Internal, "ä".repeat(9_999))));
    assert!(reply.header.len() < 600, "{}", reply.header.len());
}

#[test]
fn result_too_long_for_a_reply_is_internal() {
    let mut fixture = SessionFixture::open();
    let list = Operation::List { path: path("/"), after: None, limit: None, tree: false };
    let pending = fixture.start(1, 1, &list);
    let entry = Entry { kind: Kind::Link, size: None, mtime_ns: None, etag: None, racy: false };
    let listed = remofile_proto::ListedEntry { name: "n".repeat(200), entry };
    let listing = remofile_proto::Listing { entries: vec![listed; 400], more: false, skipped: 0 };
    let reply = fixture.session.on_outcome(fixture.now, pending, Ok(Success::of(Answer::Listing(listing))));
    assert_eq!(came(list, reply, false, false).code, Code::Internal);
}

/// The same header with another operation of a name as long.
fn renamed(mut header: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let at = header.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
    header[at..at + from.len()].copy_from_slice(to.as_bytes());
    header
}
