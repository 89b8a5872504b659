//! Arguments: what is accepted, what is refused, and which refusal comes first.

use crate::diagnostic::parse;
use crate::strategies::{operation, session};
use proptest::prelude::*;
use remofile_proto::cbor::{Map, Value, decode};
use remofile_proto::{Code, Header, Limits, OPERATIONS, Operation, Payload, Refusal, SessionId, encode_request};

const LIMITS: Limits = Limits { chunk: 65_536, header: 65_536 };

fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|info| info.name)
}

/// Parses arguments in diagnostic notation.
fn request(op: &str, args: &str, payload: u64) -> Result<Operation, Refusal> {
    let bytes = parse(args).encode().unwrap();
    let Value::Map(args) = decode(&bytes).unwrap() else { panic!("{args} is no map") };
    Operation::parse(&header(op, args), Payload::identity(payload), &LIMITS)
}

fn header<'a>(op: &'a str, args: Map<'a>) -> Header<'a> {
    Header { session: SessionId::new([0; 16]), seq: 1, op, args }
}

#[track_caller]
fn assert_refused(op: &str, args: &str, payload: u64, code: Code) {
    assert_eq!(request(op, args, payload).unwrap_err().code, code, "{op} {args}");
}

proptest! {
    #[test]
    fn every_operation_round_trips(operation in operation(), session in session(), seq in 0..=u64::MAX / 2) {
        let frame = encode_request(session, seq, &operation);
        let header = Header::decode(&frame).unwrap();
        prop_assert_eq!((header.session, header.seq), (session, seq));
        prop_assert_eq!(Operation::parse(&header, Payload::NONE, &Limits::default()).unwrap(), operation);
    }

    #[test]
    fn what_is_parsed_is_written_so_that_it_parses_the_same(operation in operation(), at: prop::sample::Index, with: u8) {
        let mut frame = encode_request(SessionId::new([0; 16]), 1, &operation);
        let at = at.index(frame.len());
        frame[at] = with;
        let Ok(header) = Header::decode(&frame) else { return Ok(()) };
        let Ok(changed) = Operation::parse(&header, Payload::NONE, &Limits::default()) else { return Ok(()) };
        let again = encode_request(header.session, header.seq, &changed);
        let header = Header::decode(&again).unwrap();
        prop_assert_eq!(Operation::parse(&header, Payload::NONE, &Limits::default()).unwrap(), changed);
    }
}

#[test]
fn an_unknown_operation_is_bad_op_whatever_its_arguments() {
    assert_refused("watch", r#"{"path": 1}"#, 0, Code::BadOp);
    assert_refused("STAT", r#"{"path": "/"}"#, 0, Code::BadOp);
}

#[test]
fn every_operation_but_hello_refuses_an_unknown_key() {
    for op in names().filter(|op| *op != "hello") {
        let refusal = request(op, r#"{"zz": 1}"#, 0).unwrap_err();
        assert_eq!(refusal.msg.as_deref(), Some("\"zz\" is not an argument of this operation"), "{op}");
        assert_eq!(refusal.code, Code::BadArgs);
    }
}

#[test]
fn hello_ignores_an_unknown_key() {
    let hello = format!(r#"{{"zz": [1, {{"a": true}}], "auth": h'{}', "client": ""}}"#, "00".repeat(32));
    assert!(matches!(request("hello", &hello, 0), Ok(Operation::Hello(_))));
}

#[test]
fn a_client_name_of_128_bytes_is_accepted_and_one_of_129_is_not() {
    let hello = |len: usize| format!(r#"{{"auth": h'{}', "client": "{}"}}"#, "00".repeat(32), "a".repeat(len));
    assert!(request("hello", &hello(128), 0).is_ok());
    assert_refused("hello", &hello(129), 0, Code::BadArgs);
}

#[test]
fn an_auth_of_another_length_is_bad_args() {
    assert_refused("hello", r#"{"auth": h'00', "client": ""}"#, 0, Code::BadArgs);
}

#[test]
fn a_missing_argument_is_bad_args() {
    for op in names().filter(|op| !["ping", "bye", "flush", "uploads"].contains(op)) {
        let refusal = request(op, "{}", 0).unwrap_err();
        assert_eq!(refusal.code, Code::BadArgs, "{op}");
        assert!(refusal.msg.unwrap().ends_with("is missing"), "{op}");
    }
}

#[test]
fn arguments_of_a_wrong_type_or_length_are_bad_args() {
    for (op, args) in [
        ("stat", r#"{"path": h'2f'}"#),
        ("list", r#"{"path": "/", "tree": 1}"#),
        ("list", r#"{"path": "/", "limit": 0}"#),
        ("list", r#"{"path": "/", "limit": -1}"#),
        ("read", r#"{"len": 1, "off": -1, "path": "/a"}"#),
        ("read", r#"{"len": 1, "off": 0, "etag": h'', "path": "/a"}"#),
        ("put", r#"{"pre": "Any", "path": "/a"}"#),
        ("put", r#"{"pre": h'', "path": "/a"}"#),
        ("put", r#"{"pre": true, "path": "/a"}"#),
        ("touch", r#"{"path": "/a", "mtime_ns": "0"}"#),
        ("abort", r#"{"up": h'00'}"#),
        ("uploads", r#"{"after": ""}"#),
    ] {
        assert_refused(op, args, 0, Code::BadArgs);
    }
}

#[test]
fn an_etag_of_64_bytes_is_accepted_and_one_of_65_is_not() {
    let remove = |len: usize| format!(r#"{{"etag": h'{}', "path": "/a"}}"#, "ee".repeat(len));
    assert!(request("remove", &remove(64), 0).is_ok());
    assert_refused("remove", &remove(65), 0, Code::BadArgs);
}

#[test]
fn an_after_of_4096_bytes_is_accepted_and_one_of_4097_is_not() {
    let list = |len: usize| format!(r#"{{"path": "/", "after": "{}"}}"#, "a".repeat(len));
    assert!(request("list", &list(4_096), 0).is_ok());
    assert_refused("list", &list(4_097), 0, Code::BadArgs);
}

#[test]
fn the_defaults_may_be_written_out() {
    let plain = request("put", r#"{"path": "/a"}"#, 0);
    assert_eq!(request("put", r#"{"pre": "absent", "path": "/a"}"#, 0), plain);
    let plain = request("list", r#"{"path": "/"}"#, 0);
    assert_eq!(request("list", r#"{"path": "/", "tree": false}"#, 0), plain);
    let plain = request("hash", r#"{"path": "/"}"#, 0);
    assert_eq!(request("hash", r#"{"off": 0, "path": "/"}"#, 0), plain);
}

#[test]
fn a_range_that_ends_beyond_two_to_the_63_is_bad_args() {
    let last = i64::MAX;
    assert!(request("read", &format!(r#"{{"len": 0, "off": {last}, "path": "/a"}}"#), 0).is_ok());
    assert_refused("read", &format!(r#"{{"len": 1, "off": {last}, "path": "/a"}}"#), 0, Code::BadArgs);
    assert_refused("hash", &format!(r#"{{"len": {last}, "off": 1, "path": "/a"}}"#), 0, Code::BadArgs);
    assert_refused("write", &format!(r#"{{"off": {last}, "path": "/a"}}"#), 1, Code::BadArgs);
    assert_refused("append", &format!(r#"{{"up": h'{}', "off": {last}}}"#, "00".repeat(16)), 1, Code::BadArgs);
}

#[test]
fn a_payload_or_len_of_a_chunk_is_accepted_and_one_byte_more_is_too_large() {
    assert!(request("put", r#"{"path": "/a"}"#, 65_536).is_ok());
    assert_refused("put", r#"{"path": "/a"}"#, 65_537, Code::TooLarge);
    assert_refused("write", r#"{"off": 0, "path": "/a"}"#, 65_537, Code::TooLarge);
    assert_refused("append", &format!(r#"{{"up": h'{}', "off": 0}}"#, "00".repeat(16)), 65_537, Code::TooLarge);
    assert!(request("read", r#"{"len": 65536, "off": 0, "path": "/a"}"#, 0).is_ok());
    assert_refused("read", r#"{"len": 65537, "off": 0, "path": "/a"}"#, 0, Code::TooLarge);
}

#[test]
fn bad_args_come_before_too_large() {
    assert_refused("put", r#"{"pre": 1, "path": "/a"}"#, 65_537, Code::BadArgs);
}

#[test]
fn too_large_comes_before_bad_name() {
    assert_refused("put", r#"{"path": "a"}"#, 65_537, Code::TooLarge);
}

#[test]
fn limit_comes_before_bad_name_in_one_path() {
    assert_refused("stat", &format!(r#"{{"path": "/../{}"}}"#, "a".repeat(4_096)), 0, Code::Limit);
    assert_refused("stat", &format!(r#"{{"path": "..{}"}}"#, "/a".repeat(129)), 0, Code::Limit);
}

#[test]
fn a_bad_from_comes_before_a_limit_in_to() {
    let to = "/a".repeat(129);
    assert_refused("move", &format!(r#"{{"to": "{to}", "from": "/.."}}"#), 0, Code::BadName);
    assert_refused("copy", &format!(r#"{{"to": "{to}", "from": "/b"}}"#), 0, Code::Limit);
}

#[test]
fn to_at_or_below_from_is_loop() {
    for op in ["move", "copy"] {
        assert_refused(op, r#"{"to": "/a", "from": "/a"}"#, 0, Code::Loop);
        assert_refused(op, r#"{"to": "/a/b", "from": "/a"}"#, 0, Code::Loop);
        assert_refused(op, r#"{"to": "/a", "from": "/"}"#, 0, Code::Loop);
        assert!(request(op, r#"{"to": "/ab", "from": "/a"}"#, 0).is_ok());
        assert!(request(op, r#"{"to": "/a", "from": "/a/b"}"#, 0).is_ok());
    }
}

#[test]
fn bad_name_comes_before_loop() {
    assert_refused("move", r#"{"to": "/a/.", "from": "/a"}"#, 0, Code::BadName);
}
