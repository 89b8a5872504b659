//! Frames as a server receives them, each after its length in two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile_proto::{Header, Message, Reply, envelope};

const HEADER_LIMIT: usize = 16_384;

fuzz_target!(|bytes: &[u8]| {
    let frames = split(bytes);
    let received = envelope::receive(&frames, HEADER_LIMIT);
    let body = &frames[received.prefix.len()..];
    match received.prefix.split_last() {
        Some((delimiter, routing)) => {
            assert!(delimiter.is_empty() && routing.iter().all(|frame| !frame.is_empty()));
        }
        None => assert_eq!(received.message, Message::NotOurs),
    }

    let first = body.first().copied().unwrap_or_default();
    let starts = |start: &[u8]| first.starts_with(start);
    match received.message {
        Message::NotOurs => assert!(received.prefix.is_empty() || !starts(&envelope::HEADER_START) || first.len() < 23),
        Message::Reply => assert!(first.len() > 24 && starts(b"\x85\x64rmf") && Header::decode(first).is_err()),
        Message::WrongVersion => assert!(starts(b"\x85\x64rmf") && !starts(b"\x85\x64rmf1")),
        Message::BadMessage { session, seq, .. } => {
            assert_eq!(session.as_bytes()[..], first[7..23]);
            assert!(seq <= i64::MAX as u64);
            let frame_count = if Header::decode(first).is_ok_and(|header| has_payload(header.op)) { 2 } else { 1 };
            let is_right = first.len() <= HEADER_LIMIT && body.len() == frame_count;
            assert!(!is_right || Header::decode(first).is_err(), "a right message is called bad");
        }
        Message::Request(request) => {
            assert_eq!(Header::decode(first), Ok(request.header));
            assert_eq!(request.header_frame, first);
            assert_eq!(request.payload.is_some(), has_payload(request.header.op));
            assert_eq!(body.len(), 1 + usize::from(request.payload.is_some()));
        }
    }
    let is_answered = matches!(received.message, Message::WrongVersion | Message::BadMessage { .. });
    assert_eq!(received.message.refusal().is_some(), is_answered);
    if let Some(refusal) = received.message.refusal() {
        let answer = [refusal];
        assert!(Reply::decode(&answer).is_ok());
        assert_eq!(envelope::classify(&answer, HEADER_LIMIT), Message::Reply, "two servers would talk for ever");
    }
});

fn has_payload(op: &str) -> bool {
    ["put", "write", "append"].contains(&op)
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let [low, high, rest @ ..] = bytes {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (frame, following) = rest.split_at(len);
        frames.push(frame);
        bytes = following;
    }
    frames
}
