//! Values in the JSON form of vectors: byte strings in hexadecimal.

use crate::wire::cbor::{Value, hex};
use serde_json::Value as Json;

/// A value in JSON.
pub(super) fn of(value: &Value) -> Json {
    match value {
        Value::Int(number) => (*number).into(),
        Value::Bytes(bytes) => hex(bytes).into(),
        Value::Text(text) => text.clone().into(),
        Value::Bool(value) => (*value).into(),
        Value::Array(items) => items.iter().map(of).collect(),
        Value::Map(members) => members.iter().map(|(key, value)| (key.clone(), of(value))).collect(),
    }
}

/// Checks that a value has all members of the JSON, and otherwise only members that a reader ignores.
pub(super) fn holds(value: &Value, wanted: &Json) -> Result<(), String> {
    match (value, wanted) {
        (Value::Map(_), Json::Object(members)) => members.iter().try_for_each(|(key, wanted)| {
            let member = value.member(key).ok_or_else(|| format!("{key:?} is not there"))?;
            // A client reads an unknown kind as `other` [ENTRY-8].
            let known = matches!(member.text(), Some("file" | "dir" | "link"));
            if key == "kind" && wanted == "other" && !known {
                return Ok(());
            }
            holds(member, wanted).map_err(|error| format!("{key}: {error}"))
        }),
        (Value::Array(items), Json::Array(wanted)) if items.len() == wanted.len() => {
            items.iter().zip(wanted).try_for_each(|(item, wanted)| holds(item, wanted))
        }
        _ if of(value) == *wanted => Ok(()),
        _ => Err(format!("the suite has {value}, the file has {wanted}")),
    }
}
