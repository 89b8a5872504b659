//! Every argument of every operation: missing, of another type, out of range.

use super::operations::{self, CONTENT, Operation, UP};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{cbor::Value, code::BAD_ARGS, request::Request},
};

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Path,
    /// A text string of at most 4,096 bytes.
    After,
    Uint,
    /// At least 1.
    Limit,
    Int,
    Bool,
    Etag,
    Bytes16,
    Bytes32,
    Precondition,
}

struct Argument {
    key: &'static str,
    kind: Type,
    required: bool,
}

pub(super) fn cases() -> Vec<Case> {
    let operations = operations::all().into_iter().filter(|operation| !arguments(operation.name).is_empty());
    operations
        .flat_map(|operation| [missing(operation.clone()), mistyped(operation.clone()), out_of_range(operation)])
        .flatten()
        .collect()
}

fn arguments(operation: &str) -> Vec<Argument> {
    use Type::{After, Bool, Bytes16, Bytes32, Etag, Int, Limit, Path, Precondition, Uint};
    let need = |key, kind| Argument { key, kind, required: true };
    let may = |key, kind| Argument { key, kind, required: false };
    let path = || need("path", Path);
    match operation {
        "stat" | "mkdir" => vec![path()],
        "list" => vec![path(), may("after", After), may("limit", Limit), may("tree", Bool)],
        "read" => vec![path(), need("off", Uint), need("len", Uint), may("etag", Etag)],
        "hash" => vec![path(), may("off", Uint), may("len", Uint)],
        "put" => vec![path(), may("pre", Precondition), may("mtime_ns", Int)],
        "write" => vec![path(), need("off", Uint), may("etag", Etag)],
        "truncate" => vec![path(), need("size", Uint), may("etag", Etag)],
        "touch" => vec![path(), need("mtime_ns", Int)],
        "remove" => vec![path(), may("etag", Etag)],
        "move" | "copy" => vec![need("from", Path), need("to", Path), may("pre", Precondition), may("etag", Etag)],
        "begin" => vec![need("up", Bytes16), path(), may("size", Uint)],
        "append" => vec![need("up", Bytes16), need("off", Uint)],
        "commit" => vec![
            need("up", Bytes16),
            need("size", Uint),
            need("hash", Bytes32),
            may("pre", Precondition),
            may("mtime_ns", Int),
        ],
        "abort" => vec![need("up", Bytes16)],
        "uploads" => vec![may("after", Bytes16)],
        _ => Vec::new(),
    }
}

fn missing(operation: Operation) -> Option<Case> {
    let required: Vec<_> = arguments(operation.name).into_iter().filter(|argument| argument.required).collect();
    if required.is_empty() {
        return None;
    }
    let case = must(&format!("{}-needs-its-arguments", operation.name), &["OP-2"])
        .sends(format!("`{}` without each of its arguments that are not optional", operation.name))
        .passes("BAD_ARGS to each, and OK where nothing is left out.")
        .run(move |t| {
            refuse(t, &operation, |base| {
                required
                    .iter()
                    .map(|argument| (format!("without {}", argument.key), base.clone().without(argument.key)))
                    .collect()
            })
        });
    Some(case)
}

fn mistyped(operation: Operation) -> Option<Case> {
    let case = must(&format!("{}-checks-the-types-of-its-arguments", operation.name), &["OP-2", "OP-4"])
        .sends(format!("`{}` with each argument of every other type", operation.name))
        .passes("BAD_ARGS to each, and OK where all are right.")
        .run(move |t| {
            refuse(t, &operation, |base| {
                let mut wrong = Vec::new();
                for argument in arguments(operation.name) {
                    for value in others(argument.kind) {
                        wrong.push((format!("{} of {value}", argument.key), base.clone().arg(argument.key, value)));
                    }
                }
                wrong
            })
        });
    Some(case)
}

fn out_of_range(operation: Operation) -> Option<Case> {
    if arguments(operation.name).iter().all(|argument| values_out_of_range(argument.kind).is_empty()) {
        return None;
    }
    let case = must(&format!("{}-checks-the-ranges-of-its-arguments", operation.name), &["OP-2", "OP-4"])
        .sends(format!("`{}` with each argument just out of range", operation.name))
        .passes("BAD_ARGS to each, and OK where all are right.")
        .run(move |t| {
            refuse(t, &operation, |base| {
                let mut wrong = Vec::new();
                for argument in arguments(operation.name) {
                    for value in values_out_of_range(argument.kind) {
                        let shown = shorten(&value);
                        wrong.push((format!("{} of {shown}", argument.key), base.clone().arg(argument.key, value)));
                    }
                }
                wrong.extend(sums(&operation, &base));
                wrong
            })
        });
    Some(case)
}

/// Sends an invalid and then a valid request.
fn refuse(t: &mut CaseContext, operation: &Operation, wrong: impl Fn(Request) -> Vec<(String, Request)>) -> CaseResult {
    operations::set_up_fixture(t)?;
    let before = t.snapshot()?;
    let base = operation.base(t)?;
    let mut outcome = Ok(());
    for (what, request) in wrong(base.clone()) {
        let reply = t.call(request)?;
        let checked = t.code(&format!("{} {what}", operation.name), &reply, BAD_ARGS);
        if reply.is_ok() {
            // If it was executed, it may prevent the valid request.
            return checked;
        }
        outcome = outcome.and(checked);
    }
    if outcome.is_ok() {
        t.expect_unchanged(&before)?;
    }
    t.control(base)?;
    outcome
}

/// Values of every other type.
fn others(kind: Type) -> Vec<Value> {
    let all = [
        Value::Int(7),
        Value::Bytes(vec![7; 5]),
        Value::Text("seven".into()),
        Value::Array(vec![Value::Int(7)]),
        Value::Map(vec![("seven".into(), Value::Int(7))]),
        Value::Bool(true),
    ];
    let fits = |value: &Value| match kind {
        Type::Path | Type::After => matches!(value, Value::Text(_)),
        Type::Uint | Type::Limit | Type::Int => matches!(value, Value::Int(_)),
        Type::Bool => matches!(value, Value::Bool(_)),
        // Any byte string of 1 to 64 bytes is an etag; any text except the two words is out of range.
        Type::Etag | Type::Precondition => matches!(value, Value::Bytes(_)),
        Type::Bytes16 | Type::Bytes32 => false,
    };
    all.into_iter().filter(|value| !fits(value)).collect()
}

/// Values of the right type just out of range.
fn values_out_of_range(kind: Type) -> Vec<Value> {
    match kind {
        Type::Path | Type::Int | Type::Bool => Vec::new(),
        Type::After => vec![Value::Text("x".repeat(4_097))],
        Type::Uint => vec![Value::Int(-1), Value::Int(i64::MIN)],
        Type::Limit => vec![Value::Int(0), Value::Int(-1)],
        Type::Etag => vec![Value::Bytes(Vec::new()), Value::Bytes(vec![7; 65])],
        Type::Precondition => {
            vec![Value::Bytes(Vec::new()), Value::Bytes(vec![7; 65]), "Absent".into(), "".into(), "none".into()]
        }
        Type::Bytes16 => vec![Value::Bytes(vec![7; 15]), Value::Bytes(vec![7; 17]), Value::Bytes(Vec::new())],
        Type::Bytes32 => vec![Value::Bytes(vec![7; 31]), Value::Bytes(vec![7; 33]), Value::Bytes(Vec::new())],
    }
}

/// An offset and a length whose sum exceeds 2^63−1.
fn sums(operation: &Operation, base: &Request) -> Vec<(String, Request)> {
    let most = i64::MAX;
    match operation.name {
        "read" => vec![("off + len above 2^63-1".into(), base.clone().arg("off", most).arg("len", 1_u64))],
        "hash" => vec![("off + len above 2^63-1".into(), base.clone().arg("off", most).arg("len", 1_u64))],
        "write" => {
            vec![("off + payload above 2^63-1".into(), base.clone().arg("off", most - CONTENT.len() as i64 + 1))]
        }
        "append" => vec![("off + payload above 2^63-1".into(), base.clone().arg("up", UP).arg("off", most))],
        _ => Vec::new(),
    }
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= 80 {
        text
    } else {
        format!("{}… ({} characters)", &text[..text.floor_char_boundary(60)], text.len())
    }
}
