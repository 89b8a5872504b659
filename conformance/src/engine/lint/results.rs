//! The schemas of results, by code and operation.

use super::{Expected, ReplyFindings, Shape};
use crate::wire::{
    cbor::Value,
    code::{Code, OK},
    name,
};

/// Checks the result map of a reply.
pub(super) fn check(shape: &Shape, expected: &Expected<'_>, findings: &mut ReplyFindings) {
    let result = &shape.result;
    match result.member("msg") {
        None => {}
        Some(_) if shape.code == OK && expected.op.is_some() => {}
        Some(Value::Text(msg)) => {
            let shown = expected.root.is_some_and(|root| msg.contains(root));
            findings.unless(!shown, "CODE-3", || format!("msg shows the served directory: {msg:?}"));
        }
        Some(other) => findings.add("CODE-2", format!("msg is not a text string: {other}")),
    }
    if shape.code != OK {
        refusal(shape.code, result, findings);
    } else if let Some(op) = expected.op {
        answer(op, result, expected, findings);
    }
}

fn refusal(code: Code, result: &Value, findings: &mut ReplyFindings) {
    for key in code.keys() {
        let value = result.member(key);
        let fine = match *key {
            "client" => value.and_then(Value::text).is_some_and(|client| client.len() <= 128),
            "session" => value.and_then(Value::bytes).is_some_and(|session| session.len() == 16),
            _ => value.and_then(Value::uint).is_some(),
        };
        findings.unless(fine, "CODE-1", || format!("{code} without a proper {key:?}: {result}"));
    }
}

fn answer(op: &str, result: &Value, expected: &Expected<'_>, findings: &mut ReplyFindings) {
    match op {
        "hello" => hello(result, findings),
        "stat" | "mkdir" | "put" | "write" | "truncate" | "touch" | "move" | "copy" | "commit" => {
            match result.member("entry") {
                Some(value) => entry(value, findings),
                None => findings.add("OP-1", format!("{op} without an entry: {result}")),
            }
        }
        "list" => listing(result, expected, findings),
        "read" => {
            etag(result.member("etag"), findings);
            uint(op, result, "size", findings);
        }
        "hash" => {
            etag(result.member("etag"), findings);
            uint(op, result, "len", findings);
            digest(op, result, findings);
        }
        "begin" => {
            uint(op, result, "off", findings);
            digest(op, result, findings);
        }
        "append" => uint(op, result, "off", findings),
        "uploads" => uploads(result, expected, findings),
        "ping" | "bye" | "remove" | "abort" | "flush" => {
            // An unknown key may belong to an extension; a key of the specification is an error here.
            const KNOWN: [&str; 8] = ["entry", "entries", "etag", "hash", "len", "off", "size", "uploads"];
            let unexpected = result.keys().into_iter().find(|key| KNOWN.contains(key));
            findings.unless(unexpected.is_none(), "OP-3", || format!("{op} answers {result}"));
        }
        _ => {}
    }
}

fn hello(result: &Value, findings: &mut ReplyFindings) {
    let ranges =
        [("window", 1, 1_024), ("chunk", 65_536, 1_048_576), ("header", 16_384, 65_536), ("lease_ms", 1, u64::MAX)];
    for (key, least, most) in ranges {
        let number = result.member(key).and_then(Value::uint);
        findings.unless(number.is_some_and(|number| (least..=most).contains(&number)), "HELLO-2", || {
            format!("{key} is out of range: {result}")
        });
    }
    for (key, requirement, demanded) in [("boot", "HELLO-3", true), ("root", "HELLO-4", false)] {
        let fine = match result.member(key) {
            Some(value) => value.bytes().is_some_and(|bytes| bytes.len() == 16),
            None => !demanded,
        };
        findings.unless(fine, requirement, || format!("{key} is not 16 bytes: {result}"));
    }
    let names = result.member("names").and_then(Value::text);
    let booleans = ["folds", "ro"].iter().all(|key| result.member(key).and_then(Value::bool).is_some());
    findings.unless(matches!(names, Some("posix" | "windows")) && booleans, "HELLO-5", || {
        format!("names, folds or ro is missing or out of its values: {result}")
    });
    match result.member("caps").and_then(Value::array) {
        Some(caps) if caps.iter().all(|cap| cap.text().is_some()) => {
            for cap in caps.iter().filter_map(Value::text) {
                findings.unless(cap.starts_with("x-"), "EXT-4", || format!("the capability {cap:?} is unknown"));
            }
        }
        _ => findings.add("HELLO-6", format!("caps is not an array of text strings: {result}")),
    }
}

fn entry(value: &Value, findings: &mut ReplyFindings) {
    let kind = value.member("kind").and_then(Value::text);
    let has = |key: &str| value.member(key).is_some();
    let mtime = matches!(value.member("mtime_ns"), Some(Value::Int(_)));
    match kind {
        Some("file") => {
            let size = value.member("size").and_then(Value::uint).is_some();
            findings.unless(size && mtime && has("etag"), "ENTRY-2", || format!("a file as {value}"));
            etag(value.member("etag"), findings);
        }
        Some("dir") => {
            findings.unless(mtime && !has("size") && !has("etag"), "ENTRY-2", || format!("a directory as {value}"))
        }
        Some("link" | "other") => {
            let none = !has("size") && !has("etag") && !has("mtime_ns");
            findings.unless(none, "ENTRY-2", || format!("a link or other as {value}"));
        }
        Some(_) => findings.add("ENTRY-1", format!("an entry of an unknown kind: {value}")),
        None => findings.add("OP-1", format!("an entry without a kind: {value}")),
    }
    if let Some(racy) = value.member("racy") {
        findings.unless(*racy == Value::Bool(true) && kind == Some("file"), "ENTRY-6", || format!("racy in {value}"));
    }
}

fn listing(result: &Value, expected: &Expected<'_>, findings: &mut ReplyFindings) {
    uint("list", result, "skipped", findings);
    let more = result.member("more").and_then(Value::bool);
    let (Some(entries), Some(more)) = (result.member("entries").and_then(Value::array), more) else {
        return findings.add("OP-1", format!("list without entries and more: {result}"));
    };
    findings.unless(!more || !entries.is_empty(), "LIST-7", || "a page without entries that says more".into());
    let limit = expected.limit.unwrap_or(u64::MAX);
    findings.unless(entries.len() as u64 <= limit, "LIST-5", || {
        format!("{} entries with a limit of {limit}", entries.len())
    });
    let mut before = expected.after.and_then(Value::text).filter(|after| !after.is_empty()).map(name::order);
    for listed in entries {
        entry(listed, findings);
        let Some(name) = listed.member("name").and_then(Value::text) else {
            findings.add("OP-1", format!("a listed entry without a name: {listed}"));
            continue;
        };
        let order = name::order(name);
        findings.unless(before.as_ref().is_none_or(|before| *before < order), "LIST-2", || {
            format!("{name:?} does not sort after the one before it")
        });
        before = Some(order);
        let reserved = name.split('/').any(|part| part.eq_ignore_ascii_case(".remofile"));
        findings.unless(!reserved, "LIST-11", || format!("{name:?} is listed"));
        findings.unless(reserved || name.split('/').all(name::is_valid), "LIST-10", || format!("{name:?} is listed"));
    }
}

fn uploads(result: &Value, expected: &Expected<'_>, findings: &mut ReplyFindings) {
    let more = result.member("more").and_then(Value::bool);
    let (Some(staged), Some(more)) = (result.member("uploads").and_then(Value::array), more) else {
        return findings.add("UPLOADS-1", format!("uploads without uploads and more: {result}"));
    };
    findings.unless(!more || !staged.is_empty(), "UPLOADS-2", || "a page without uploads that says more".into());
    let mut before = expected.after.and_then(Value::bytes).map(<[u8]>::to_vec);
    for upload in staged {
        let up = upload.member("up").and_then(Value::bytes).filter(|up| up.len() == 16);
        let path = upload.member("path").and_then(Value::text).is_some();
        let numbers = ["off", "age_ms"].iter().all(|key| upload.member(key).and_then(Value::uint).is_some());
        let size = upload.member("size").is_none_or(|size| size.uint().is_some());
        let Some(up) = up.filter(|_| path && numbers && size) else {
            findings.add("UPLOADS-1", format!("an upload as {upload}"));
            continue;
        };
        findings.unless(before.as_deref().is_none_or(|before| before < up), "UPLOADS-1", || {
            format!("{upload} does not sort after the one before it")
        });
        before = Some(up.to_vec());
    }
}

fn etag(value: Option<&Value>, findings: &mut ReplyFindings) {
    let fine = value.and_then(Value::bytes).is_some_and(|etag| (1..=64).contains(&etag.len()));
    findings.unless(fine, "ENTRY-3", || match value {
        Some(value) => format!("an etag that is not 1 to 64 bytes: {value}"),
        None => "no etag".to_owned(),
    });
}

fn uint(op: &str, result: &Value, key: &str, findings: &mut ReplyFindings) {
    let fine = result.member(key).and_then(Value::uint).is_some();
    findings.unless(fine, "OP-1", || format!("{op} without an unsigned {key:?}: {result}"));
}

fn digest(op: &str, result: &Value, findings: &mut ReplyFindings) {
    let fine = result.member("hash").and_then(Value::bytes).is_some_and(|hash| hash.len() == 32);
    findings.unless(fine, "OP-1", || format!("{op} without a hash of 32 bytes: {result}"));
}
