//! The specification holds to its own rules: requirements, references, and examples that are what they say.
#![allow(clippy::unwrap_used)]

use remofile_proto::{
    Keys, Limits, Operation, Reply, ReplyError, Token, cbor, encode_request,
    envelope::{self, Message},
};
use std::{collections::BTreeMap, collections::BTreeSet, fs, path::PathBuf};

const KEYWORDS: [&str; 8] = ["MUST", "SHOULD", "MAY", "SHALL", "REQUIRED", "RECOMMENDED", "OPTIONAL", "NOT"];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn protocol() -> String {
    fs::read_to_string(repository().join("spec/protocol.md")).unwrap()
}

/// The id of a line that is a requirement.
fn requirement(line: &str) -> Option<&str> {
    line.strip_prefix("- **[")?.split_once("]** ").map(|(id, _)| id)
}

/// Every `[ABC-12]` in a text.
fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('[').filter_map(|(at, _)| {
        let inner = text[at + 1..].split_once(']')?.0;
        let (word, number) = inner.split_once('-')?;
        let is_id = !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then_some(inner)
    })
}

fn defined(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(requirement).collect()
}

fn keywords(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_ascii_alphabetic()).filter(|word| KEYWORDS.contains(word))
}

#[test]
fn every_requirement_has_an_id_of_its_own() {
    let text = protocol();
    let mut seen = BTreeSet::new();
    for id in text.lines().filter_map(requirement) {
        assert!(seen.insert(id), "{id} is defined twice");
    }
    assert!(seen.len() >= 240, "only {} requirements were found", seen.len());
}

#[test]
fn every_requirement_has_a_keyword() {
    for line in protocol().lines().filter(|line| requirement(line).is_some()) {
        assert!(keywords(line).next().is_some(), "{line}");
    }
}

#[test]
fn keywords_stand_in_requirements_only() {
    for line in protocol().lines().filter(|line| requirement(line).is_none()) {
        let defines_them = line.starts_with("The key words ");
        assert!(defines_them || keywords(line).next().is_none(), "{line}");
    }
}

#[test]
fn every_requirement_that_is_cited_exists() {
    let text = protocol();
    let defined = defined(&text);
    let mut files =
        vec![repository().join("spec"), repository().join("README.md"), repository().join("CONTRIBUTING.md")];
    files.extend(
        ["remofile-proto", "remofile-ref", "conformance", "fuzz", "zeromq-src"].map(|dir| repository().join(dir)),
    );
    let mut checked = 0;
    while let Some(path) = files.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "corpus", "artifacts"].contains(&name.as_str()) {
                files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if [".rs", ".md", ".cddl"].iter().any(|ending| name.ends_with(ending)) && name != "spec.rs" {
            for id in cited(&fs::read_to_string(&path).unwrap()) {
                assert!(defined.contains(id), "{} cites [{id}], which is not defined", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked} citations were found");
}

/// A line of an example.
enum Line {
    Client(Vec<u8>),
    Server(Vec<u8>),
    Payload(Vec<u8>),
}

fn examples() -> Vec<Vec<Line>> {
    let text = protocol();
    let blocks = text.split("```cbor-diag\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks
        .map(|block| {
            block
                .lines()
                .map(|line| {
                    let (mark, notation) = line.split_once(' ').unwrap();
                    let item = cbor_diag::parse_diag(notation).unwrap_or_else(|error| panic!("{line}: {error:?}"));
                    let bytes = item.to_bytes();
                    match mark {
                        "C:" => Line::Client(bytes),
                        "S:" => Line::Server(bytes),
                        "C+" | "S+" => match cbor::decode(&bytes).unwrap() {
                            cbor::Value::Bytes(payload) => Line::Payload(payload.to_vec()),
                            other => panic!("a payload is a byte string, not {other}"),
                        },
                        other => panic!("a line of an example begins with {other}"),
                    }
                })
                .collect()
        })
        .collect()
}

/// The messages of an example: whether the client sends it, and its frames.
fn messages(example: Vec<Line>) -> Vec<(bool, Vec<Vec<u8>>)> {
    let mut messages: Vec<(bool, Vec<Vec<u8>>)> = Vec::new();
    for line in example {
        match line {
            Line::Client(header) => messages.push((true, vec![header])),
            Line::Server(header) => messages.push((false, vec![header])),
            Line::Payload(payload) => messages.last_mut().unwrap().1.push(payload),
        }
    }
    messages
}

#[test]
fn every_example_is_what_the_codec_reads_and_writes() {
    let mut operations = BTreeSet::new();
    for example in examples() {
        let mut asked: BTreeMap<u64, Operation> = BTreeMap::new();
        for (is_request, frames) in messages(example) {
            if is_request {
                let Message::Request(request) = envelope::classify(&frames, 65_536) else {
                    panic!("not a request: {:?}", cbor::decode(&frames[0]))
                };
                let payload = request.payload.map_or(0, <[u8]>::len);
                let operation = Operation::parse(&request.header, payload, &Limits::default()).unwrap();
                assert_eq!(encode_request(request.header.session, request.header.seq, &operation), frames[0]);
                operations.insert(operation.name());
                asked.insert(request.header.seq, operation);
            } else {
                let reply = Reply::decode(&frames).unwrap();
                // The example of BUSY shows the reply alone.
                if let Some(operation) = asked.get(&reply.seq) {
                    let answer = reply.into_answer(operation);
                    let is_read = matches!(answer, Ok(_) | Err(ReplyError::Refused(_)));
                    assert!(is_read, "{}: {answer:?}", cbor::decode(&frames[0]).unwrap());
                } else {
                    assert_eq!(reply.code, 10, "a reply to nothing");
                }
            }
        }
    }
    assert_eq!(operations.len(), 21, "every operation has an example: {operations:?}");
}

#[test]
fn the_example_of_hello_has_the_auth_of_its_token() {
    let token = Token::parse("TTA3rMB8VtNYv25kdipkaJ").unwrap();
    let hello = Keys::derive(&token).hello;
    let found = examples().into_iter().flat_map(messages).find_map(|(is_request, frames)| {
        let Message::Request(request) = envelope::classify(&frames, 65_536) else { return None };
        match Operation::parse(&request.header, 0, &Limits::default()) {
            Ok(Operation::Hello(args)) if is_request => Some((request.header.session, args.auth)),
            _ => None,
        }
    });
    let (session, auth) = found.unwrap();
    assert!(hello.verify(session, &auth));
}

#[test]
fn every_code_stands_in_the_table_with_its_name() {
    let text = protocol();
    for code in remofile_proto::Code::ALL {
        let row = format!("| {} | {} |", code.number(), code.name());
        assert!(text.lines().any(|line| line.starts_with(&row)), "no row {row}");
    }
}
