//! Every example of spec/protocol.md is read, and written byte for byte.

use crate::diagnostic::parse;
use remofile_proto::{
    Limits, Message, OPERATIONS, Operation, Payload, Reply, ReplyError, cbor, encode_reply, encode_request, envelope,
};

/// The examples as (line number, direction, header in diagnostic notation, whether a payload follows).
fn examples() -> Vec<(usize, char, &'static str, bool)> {
    let spec = include_str!("../../../spec/protocol.md");
    let lines: Vec<_> = spec.lines().enumerate().collect();
    let payload =
        |at: usize| lines.get(at + 1).is_some_and(|(_, next)| next.starts_with("C+") || next.starts_with("S+"));
    lines
        .iter()
        .filter_map(|(at, line)| {
            let (direction, header) = line.split_once(": ")?;
            let direction = matches!(direction, "C" | "S").then(|| direction.chars().next())??;
            header.starts_with('[').then(|| (at + 1, direction, header, payload(*at)))
        })
        .collect()
}

#[test]
fn the_specification_has_examples_of_every_operation() {
    let examples = examples();
    for op in OPERATIONS.iter().map(|info| info.name) {
        let quoted = format!(", \"{op}\", ");
        assert!(examples.iter().any(|(_, _, header, _)| header.contains(&quoted)), "{op} has no example");
    }
}

#[test]
fn every_example_is_printed_unchanged() {
    for (line, _, header, _) in examples() {
        let bytes = parse(header).encode().unwrap();
        assert_eq!(cbor::decode(&bytes).unwrap().to_string(), header, "line {line}");
    }
}

#[test]
fn every_example_of_a_request_is_what_the_codec_writes() {
    for (line, _, header, has_payload) in examples().into_iter().filter(|example| example.1 == 'C') {
        let mut frames = vec![vec![], parse(header).encode().unwrap()];
        frames.extend(has_payload.then(Vec::new));
        let Message::Request(request) = envelope::receive(&frames, 65_536).message else {
            panic!("line {line} is no request");
        };
        let operation = Operation::parse(&request.header, Payload::NONE, &Limits::default()).unwrap();
        assert_eq!(encode_request(request.header.session, request.header.seq, &operation), frames[1], "line {line}");
    }
}

#[test]
fn every_example_of_a_reply_is_what_the_codec_writes() {
    let mut asked = None;
    for (line, direction, header, has_payload) in examples() {
        let mut frames = vec![parse(header).encode().unwrap()];
        frames.extend(has_payload.then(Vec::new));
        if direction == 'C' {
            frames.insert(0, vec![]);
            let Message::Request(request) = envelope::receive(&frames, 65_536).message else {
                panic!("line {line} is no request");
            };
            asked = Some(Operation::parse(&request.header, Payload::NONE, &Limits::default()).unwrap());
            continue;
        }
        let reply = Reply::decode(&frames).unwrap();
        let result = match reply.into_answer(asked.as_ref().unwrap()) {
            Ok(answer) => Ok(answer),
            Err(ReplyError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("line {line}: {error}"),
        };
        assert_eq!(encode_reply(reply.session, reply.seq, &result), frames[0], "line {line}");
    }
}
