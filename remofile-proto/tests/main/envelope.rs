//! What a server makes of the frames of a message.

use crate::strategies::operation;
use proptest::prelude::*;
use remofile_proto::cbor::Item;
use remofile_proto::envelope::{HEADER_START, MessageError, classify, frames, receive};
use remofile_proto::{Header, Message, OPERATIONS, Operation, PayloadFrame, Reply, SessionId, encode_request};

const SESSION: SessionId = SessionId::new([0xa1; 16]);
const HEADER_LIMIT: usize = 65_536;

fn ping() -> Vec<u8> {
    encode_request(SESSION, 0, &Operation::Ping)
}

/// A header of these last three items.
fn header(seq: Item, op: Item, args: Item) -> Vec<u8> {
    let session = Item::Bytes(SESSION.as_bytes().to_vec());
    Item::Array(vec![Item::Text("rmf1".into()), session, seq, op, args]).encode().unwrap()
}

fn op(op: &str) -> Vec<u8> {
    header(Item::Int(7), Item::Text(op.into()), Item::Map(vec![]))
}

fn message(body: &[Vec<u8>]) -> Message<'_> {
    classify(body, HEADER_LIMIT)
}

#[track_caller]
fn assert_bad(body: &[Vec<u8>], seq: u64, expected: &str) {
    match message(body) {
        Message::BadMessage { session, seq: claimed, error } => {
            assert_eq!((session, claimed, error.to_string()), (SESSION, seq, expected.to_owned()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_follows_its_routing_frames() {
    let frames = [b"peer".to_vec(), b"proxy".to_vec(), vec![], ping()];
    let received = receive(&frames, HEADER_LIMIT);
    assert_eq!(received.prefix, &frames[..3]);
    assert!(matches!(received.message, Message::Request(request) if request.header.op == "ping"));
}

#[test]
fn an_empty_payload_is_no_delimiter() {
    let put = Operation::Put { path: "/a".parse().unwrap(), pre: Default::default(), mtime_ns: None };
    let frames = [vec![], encode_request(SESSION, 1, &put), vec![]];
    let Message::Request(request) = receive(&frames, HEADER_LIMIT).message else { panic!() };
    assert_eq!(request.payload, Some(&[][..]));
}

#[test]
fn a_message_without_delimiter_is_not_ours() {
    assert_eq!(receive(&[ping()], HEADER_LIMIT).message, Message::NotOurs);
}

#[test]
fn a_message_with_nothing_after_the_delimiter_is_not_ours() {
    assert_eq!(receive(&[b"peer".to_vec(), vec![]], HEADER_LIMIT).message, Message::NotOurs);
}

#[test]
fn foreign_bytes_are_not_ours() {
    for foreign in [&b"GET / HTTP/1.1"[..], b"", b"\x85\x64rmf", b"\x85\x64rmfa", b"\x84\x64rmf1"] {
        assert_eq!(message(&[foreign.to_vec()]), Message::NotOurs, "{foreign:?}");
    }
}

#[test]
fn a_session_of_another_length_is_not_ours() {
    let mut frame = ping();
    frame[6] = 0x4f;
    assert_eq!(message(&[frame]), Message::NotOurs);
}

#[test]
fn a_header_that_ends_within_the_session_is_not_ours() {
    assert_eq!(message(&[ping()[..22].to_vec()]), Message::NotOurs);
}

#[test]
fn a_header_that_ends_after_the_session_is_bad() {
    assert_bad(&[ping()[..23].to_vec()], 0, "the header has an item that goes beyond the end at byte 23");
}

#[test]
fn a_reply_is_never_answered() {
    let reply = header(Item::Int(3), Item::Int(0), Item::Map(vec![]));
    assert_eq!(message(&[reply]), Message::Reply);
}

#[test]
fn a_reply_of_another_version_is_never_answered() {
    let mut reply = header(Item::Int(3), Item::Int(-1), Item::Map(vec![]));
    reply[5] = b'7';
    assert_eq!(message(&[reply]), Message::Reply);
}

#[test]
fn a_broken_reply_is_still_a_reply() {
    let reply = header(Item::Int(3), Item::Int(0), Item::Map(vec![]));
    assert_eq!(message(&[reply[..25].to_vec(), b"payload".to_vec()]), Message::Reply);
}

#[test]
fn a_reply_whose_number_is_in_long_form_is_a_bad_message() {
    let mut reply = [&HEADER_START[..], SESSION.as_bytes()].concat();
    reply.extend([0x18, 0x03, 0x00, 0xa0]);
    assert_bad(&[reply], 0, "the header has a number not in its shortest form at byte 23");
}

#[test]
fn another_version_is_answered_with_zero_session() {
    for digit in b"023456789" {
        let mut frame = ping();
        frame[5] = *digit;
        let body = [frame];
        assert_eq!(message(&body), Message::WrongVersion);
        let refusal = [message(&body).refusal().unwrap()];
        let reply = Reply::decode(&refusal).unwrap();
        assert_eq!((reply.session, reply.seq, reply.code), (SessionId::new([0; 16]), 0, 13));
    }
}

#[test]
fn six_bytes_of_another_version_are_answered() {
    assert_eq!(message(&[b"\x85\x64rmf2".to_vec()]), Message::WrongVersion);
}

#[test]
fn put_write_and_append_need_a_payload() {
    for name in ["put", "write", "append"] {
        assert_bad(&[op(name)], 7, "the message has 1 frames instead of 2");
        assert_bad(&[op(name), vec![], vec![]], 7, "the message has 3 frames instead of 2");
        assert!(matches!(message(&[op(name), vec![]]), Message::Request(_)));
    }
}

#[test]
fn every_other_operation_has_no_payload() {
    for name in OPERATIONS.iter().map(|info| info.name).filter(|name| !["put", "write", "append"].contains(name)) {
        assert_bad(&[op(name), vec![]], 7, "the message has 2 frames instead of 1");
    }
}

#[test]
fn an_unknown_operation_has_one_frame() {
    assert!(matches!(message(&[op("watch")]), Message::Request(_)));
    assert_bad(&[op("watch"), vec![]], 7, "the message has 2 frames instead of 1");
}

#[test]
fn a_header_of_the_limit_is_read_and_one_byte_more_is_not() {
    let frame = |len: usize| {
        let empty = header(Item::Int(7), Item::Text("ping".into()), one("x", Item::Bytes(vec![0; 300]))).len();
        header(Item::Int(7), Item::Text("ping".into()), one("x", Item::Bytes(vec![0; 300 + len - empty])))
    };
    assert!(matches!(classify(&[frame(1_000)], 1_000), Message::Request(_)));
    let Message::BadMessage { error, seq: 7, .. } = classify(&[frame(1_001)], 1_000) else { panic!() };
    assert_eq!(error, MessageError::TooLong { actual: 1_001, limit: 1_000 });
}

fn one(key: &str, value: Item) -> Item {
    Item::Map(vec![(key.into(), value)])
}

#[test]
fn a_negative_number_is_bad() {
    let frame = header(Item::Int(-1), Item::Text("ping".into()), Item::Map(vec![]));
    assert_bad(&[frame], 0, "the header's seq is not an unsigned integer");
}

#[test]
fn a_number_of_two_to_the_63_is_bad() {
    let mut frame = ping()[..23].to_vec();
    frame.extend(b"\x1b\x80\0\0\0\0\0\0\0\x64ping\xa0");
    assert_bad(&[frame], 0, "the header has an integer beyond 64 bits with sign at byte 23");
}

#[test]
fn an_operation_that_is_no_text_is_bad() {
    let frame = header(Item::Int(7), Item::Bytes(b"ping".to_vec()), Item::Map(vec![]));
    assert_bad(&[frame], 7, "the header's op is not text");
}

#[test]
fn arguments_that_are_no_map_are_bad() {
    let frame = header(Item::Int(7), Item::Text("ping".into()), Item::Array(vec![]));
    assert_bad(&[frame], 7, "the header's args is not a map");
}

#[test]
fn a_byte_after_the_header_is_bad() {
    let frame = [op("ping"), vec![0]].concat();
    let error = format!("the header has bytes after the value at byte {}", frame.len() - 1);
    assert_bad(&[frame], 7, &error);
}

#[test]
fn args_nested_deeper_than_eight_are_bad() {
    let deep = |levels| (0..levels).fold(Item::Int(0), |inside, _| Item::Array(vec![inside]));
    let frame = |levels| header(Item::Int(7), Item::Text("ping".into()), one("x", deep(levels)));
    assert!(matches!(message(&[frame(6)]), Message::Request(_)));
    let start = frame(6);
    let mut deeper = start[..start.len() - 7].to_vec();
    deeper.extend([0x81; 7]);
    deeper.push(0);
    let Message::BadMessage { error: MessageError::Cbor(error), .. } = message(&[deeper.clone()]) else { panic!() };
    assert_eq!(error.to_string(), format!("an array or map nested too deep at byte {}", deeper.len() - 2));
}

#[test]
fn a_bad_message_is_answered_under_its_own_session() {
    let body = [op("put")];
    let refusal = [message(&body).refusal().unwrap()];
    let reply = Reply::decode(&refusal).unwrap();
    assert_eq!((reply.session, reply.seq, reply.code), (SESSION, 7, 60));
}

#[test]
fn silence_is_the_answer_to_what_is_not_ours_and_to_replies() {
    assert_eq!(Message::NotOurs.refusal(), None);
    assert_eq!(Message::Reply.refusal(), None);
}

#[test]
fn a_reply_goes_back_after_the_same_prefix() {
    let prefix = [b"peer".to_vec(), vec![]];
    let sent = frames(&prefix, vec![1], Some(vec![2]));
    assert_eq!(sent, [b"peer".to_vec(), vec![], vec![1], vec![2]]);
}

proptest! {
    #[test]
    fn any_bytes_are_classified(bytes in proptest::collection::vec(any::<u8>(), 0..80), started: bool) {
        let start = if started { [&HEADER_START[..], SESSION.as_bytes()].concat() } else { vec![] };
        let body = [[start, bytes].concat()];
        match message(&body) {
            Message::Request(request) => prop_assert_eq!(Header::decode(&body[0]), Ok(request.header)),
            Message::BadMessage { session, .. } => prop_assert_eq!(&session.as_bytes()[..], &body[0][7..23]),
            _ => {}
        }
    }

    #[test]
    fn a_changed_byte_never_makes_a_request_of_other_bytes(operation in operation(), at: prop::sample::Index, with: u8) {
        let mut frame = encode_request(SESSION, 7, &operation);
        let at = at.index(frame.len());
        frame[at] = with;
        let mut body = vec![frame.clone()];
        body.extend((operation.info().payload == PayloadFrame::Request).then(Vec::new));
        if let Message::Request(request) = message(&body) {
            let Header { session, seq, op, args } = request.header;
            let number = i64::try_from(seq).unwrap();
            let items = vec![
                Item::Text("rmf1".into()),
                Item::Bytes(session.as_bytes().to_vec()),
                Item::Int(number),
                Item::Text(op.into()),
                Item::from(remofile_proto::cbor::Value::Map(args)),
            ];
            prop_assert_eq!(Item::Array(items).encode().unwrap(), frame);
        }
    }
}
