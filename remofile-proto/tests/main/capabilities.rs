//! What a client keeps of the capabilities that a server announces, and how contents of payloads are counted.

use crate::diagnostic::parse;
use remofile_proto::{
    Answer, Capabilities, Capability, Code, Encoding, Hello, Operation, Payload, Reply, SessionId, encode_reply, limits,
};

const SESSION: SessionId = SessionId::new([0xa1; 16]);

fn hello() -> Operation {
    Operation::Hello(Hello { auth: [0; 32], client: String::new(), take: None, lease_ms: None })
}

/// The capabilities of a reply to hello that has these `caps`, in diagnostic notation.
fn received(caps: &str) -> Capabilities {
    let boot = "b0".repeat(16);
    let result = format!(
        r#"{{"ro": false, "boot": h'{boot}', "caps": {caps}, "chunk": 65536, "folds": false, "names": "posix", "header": 65536, "window": 1, "lease_ms": 30000}}"#
    );
    let frames = [parse(&format!(r#"["rmf1", h'{}', 0, 0, {result}]"#, "a1".repeat(16))).encode().unwrap()];
    let reply = Reply::decode(&frames).unwrap();
    let answer = reply.into_answer(&hello());
    // What was read is written byte for byte, unknown names and their order too.
    assert_eq!(encode_reply(SESSION, 0, &answer.clone().map_err(|_| unreachable!())), frames[0]);
    let Ok(Answer::Hello(reply)) = answer else { panic!("{answer:?}") };
    reply.caps
}

#[test]
fn names_are_kept_in_the_order_of_the_server() {
    let caps = received(r#"["x-zebra", "x-ape", ""]"#);
    assert_eq!(caps.names().collect::<Vec<_>>(), ["x-zebra", "x-ape", ""]);
    assert_eq!(caps, ["x-zebra", "x-ape", ""].into_iter().collect());
}

#[test]
fn a_server_without_capabilities_has_none() {
    assert_eq!(received("[]"), Capabilities::default());
    assert_eq!(Capabilities::default().names().len(), 0);
}

#[test]
fn an_unknown_name_is_no_capability() {
    assert!(received(r#"["x-zebra"]"#).names().all(|name| Capability::from_name(name).is_none()));
}

#[test]
fn the_specification_names_every_capability() {
    let text = include_str!("../../../spec/protocol.md");
    let section = text.split_once("## 17. Extensions").unwrap().1.split_once("## 18.").unwrap().0;
    assert!(Capability::ALL.iter().all(|capability| section.contains(&format!("`{}`", capability.name()))));
    assert_eq!(section.contains("Version 1 defines no capability."), Capability::ALL.is_empty());
}

#[test]
fn at_most_256_names_are_kept() {
    let caps: Capabilities = (0..300).map(|number| format!("x-{number}")).collect();
    assert_eq!(caps.names().len(), limits::CAPS);
    assert_eq!(caps.names().last(), Some("x-255"));
}

#[test]
fn a_payload_counts_the_bytes_of_its_content() {
    let frames = [encode_reply(SESSION, 1, &Err(remofile_proto::Refusal::new(Code::NotFound))), vec![0; 5]];
    let reply = Reply::decode(&frames).unwrap();
    assert_eq!(Payload::of_reply(&reply), Payload { raw_len: 5, encoding: Encoding::Identity });
    assert_eq!(Payload::of_reply(&Reply::decode(&frames[..1]).unwrap()), Payload::NONE);
}
