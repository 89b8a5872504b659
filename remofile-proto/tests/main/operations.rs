//! The table of operations says what the tables and requirements of the specification say.

use crate::strategies::operation;
use proptest::prelude::*;
use remofile_proto::cbor::Value;
use remofile_proto::{
    Header, OPERATIONS, OperationInfo, OperationKind, PayloadFrame, Recovery, RemotePath, SessionId, UploadEffect,
    encode_request,
};
use std::collections::BTreeSet;
use std::path::Path;

fn protocol() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/protocol.md")).unwrap()
}

/// The rows of the table whose header row is `| header | … |`, as cells.
fn rows(text: &str, header: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip_while(|line| !line.starts_with(&format!("| {header} |"))).skip(2);
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "no table {header}");
    rows
}

/// The operations that a line names in backticks.
fn named(line: &str) -> BTreeSet<&'static str> {
    line.split('`').skip(1).step_by(2).filter_map(OperationInfo::by_name).map(|info| info.name).collect()
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line {start}"))
}

fn requirement(text: &str, id: &str) -> BTreeSet<&'static str> {
    named(line(text, &format!("- **[{id}]**")))
}

fn which(has: impl Fn(&OperationInfo) -> bool) -> BTreeSet<&'static str> {
    OPERATIONS.iter().filter(|info| has(info)).map(|info| info.name).collect()
}

/// The cell of the table of section 16, without its marks.
fn recovery(recovery: Recovery) -> Option<&'static str> {
    Some(match recovery {
        Recovery::NotNeeded => return None,
        Recovery::Repeat => "repeat",
        Recovery::RepeatUnlessDirectory => "repeat; EXISTS and a directory is there: done",
        Recovery::RepeatUnlessNotFound => "repeat; NOT_FOUND: done",
        Recovery::CompareContent => "`hash` of the path equals the content's: done; else repeat",
        Recovery::CompareFiles => "`hash` of `from` and `to` are equal: done; else repeat",
        Recovery::CheckBothPaths => "`from` is gone and `to` is there: done; else repeat",
        Recovery::RepeatInOrder => {
            "if no other request that changes this file was sent: all that are unanswered again, in order; else *in doubt*"
        }
        Recovery::Resume => "`begin`, go on at its `off`",
        Recovery::ResumeUnlessCommitted => "[UP-8]",
    })
}

#[test]
fn the_operations_are_those_of_section_11_in_its_order() {
    let rows = rows(&protocol(), "op");
    let names: Vec<&str> =
        rows.iter().flat_map(|row| row[0].trim_start_matches('[').split_once(']').unwrap().0.split(", ")).collect();
    assert_eq!(names, OPERATIONS.iter().map(|info| info.name).collect::<Vec<_>>());
}

#[test]
fn the_payloads_are_those_of_section_11() {
    for row in rows(&protocol(), "op") {
        let (args, result) = row[1].split_once('→').unwrap();
        let payload = match (args.contains("*P*"), result.contains("*P*")) {
            (false, false) => PayloadFrame::None,
            (true, false) => PayloadFrame::Request,
            (false, true) => PayloadFrame::Reply,
            (true, true) => panic!("{row:?}"),
        };
        for name in row[0].trim_start_matches('[').split_once(']').unwrap().0.split(", ") {
            assert_eq!(OperationInfo::by_name(name).unwrap().payload, payload, "{name}");
        }
    }
}

#[test]
fn the_operations_that_name_an_upload_are_those_with_an_argument_up() {
    for row in rows(&protocol(), "op") {
        let args = row[1].split_once('→').unwrap().0;
        let has_up = args.split([',', ' ']).any(|arg| arg == "up");
        for name in row[0].trim_start_matches('[').split_once(']').unwrap().0.split(", ") {
            assert_eq!(OperationInfo::by_name(name).unwrap().upload != UploadEffect::None, has_up, "{name}");
        }
    }
}

#[test]
fn each_class_is_what_its_requirement_names() {
    let text = protocol();
    assert_eq!(which(|info| !info.is_numbered()), requirement(&text, "ENV-13"));
    assert_eq!(which(OperationInfo::is_recomputable), requirement(&text, "SEQ-8"));
    assert_eq!(
        which(OperationInfo::is_mutating),
        named(line(&text, "12. DENIED: any of ").split_once(" on a ").unwrap().0)
    );
    assert_eq!(which(|info| info.payload == PayloadFrame::Request), requirement(&text, "ENV-4"));
    assert_eq!(which(|info| info.payload == PayloadFrame::Reply), requirement(&text, "ENV-6"));
}

#[test]
fn the_recovery_of_each_numbered_operation_is_its_row_of_section_16() {
    let rows = rows(&protocol(), "unanswered");
    for info in OPERATIONS {
        let row = rows.iter().find(|row| row[0].split(", ").any(|name| name == info.name));
        assert_eq!(row.map(|row| row[1].as_str()), recovery(info.recovery), "{}", info.name);
        assert_eq!(row.is_some(), info.is_numbered(), "{}", info.name);
    }
}

#[test]
fn only_what_changes_files_needs_a_flush() {
    let text = protocol();
    let made_durable_otherwise = ["begin", "append", "abort"].into();
    let mutating = named(line(&text, "12. DENIED: any of ").split_once(" on a ").unwrap().0);
    assert_eq!(which(|info| info.needs_flush), &mutating - &made_durable_otherwise);
}

#[test]
fn what_is_expected_to_take_long_includes_the_examples_of_the_requirement() {
    let long = which(|info| info.takes_long);
    assert!(requirement(&protocol(), "SEQ-28").is_subset(&long), "{long:?}");
    assert_eq!(&long - &requirement(&protocol(), "SEQ-28"), ["commit", "flush"].into());
}

#[test]
fn a_name_leads_to_its_row() {
    for info in OPERATIONS {
        assert_eq!(OperationKind::from_name(info.name), Some(info.kind));
        assert_eq!(info.kind.info(), info);
    }
    assert_eq!(OperationInfo::by_name("STAT"), None);
    assert_eq!(OperationInfo::by_name(""), None);
}

proptest! {
    #[test]
    fn kind_paths_and_upload_are_those_of_the_header(operation in operation()) {
        let frame = encode_request(SessionId::new([0; 16]), 1, &operation);
        let Header { op, args, .. } = Header::decode(&frame).unwrap();
        prop_assert_eq!(op, operation.name());
        let text = |path: &RemotePath| path.as_str().to_owned();
        let arg = |key| args.get(key).map(|value| match value {
            Value::Text(text) => text.to_owned(),
            Value::Bytes(bytes) => format!("{bytes:?}"),
            other => panic!("{key} is {other:?}"),
        });
        prop_assert_eq!(operation.path().map(text), arg("path").or_else(|| arg("from")));
        prop_assert_eq!(operation.target().map(text), arg("to"));
        prop_assert_eq!(operation.up().map(|up| format!("{:?}", up.as_bytes())), arg("up"));
        prop_assert_eq!(operation.info().upload != UploadEffect::None, operation.up().is_some());
    }
}
