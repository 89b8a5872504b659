//! Operations and results as the vectors write them: byte strings in hex, defaults left out.

use crate::vector_files::hex;
use remofile_proto::{Answer, Busy, Detail, Entry, HelloReply, Operation, Precondition, Refusal, UploadEntry};
use serde_json::{Map, Value, json};

/// A map without the keys whose value is null.
fn present(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn flag(set: bool) -> Option<bool> {
    set.then_some(true)
}

fn precondition(pre: &Precondition) -> Option<String> {
    match pre {
        Precondition::Absent => None,
        Precondition::Any => Some("any".to_owned()),
        Precondition::Etag(etag) => Some(hex(etag.as_bytes())),
    }
}

/// The arguments of an operation.
pub(crate) fn args(operation: &Operation) -> Value {
    present(match operation {
        Operation::Hello(hello) => json!({
            "auth": hex(&hello.auth), "client": hello.client, "take": hello.take.map(|take| hex(take.as_bytes())),
            "lease_ms": hello.lease_ms,
        }),
        Operation::Stat { path } | Operation::Mkdir { path } => json!({"path": path.as_str()}),
        Operation::List { path, after, limit, tree } => {
            json!({"path": path.as_str(), "after": after, "limit": limit, "tree": flag(*tree)})
        }
        Operation::Read { path, off, len, etag } => {
            json!({"path": path.as_str(), "off": off, "len": len, "etag": etag.as_ref().map(|etag| hex(etag.as_bytes()))})
        }
        Operation::Hash { path, off, len } => {
            json!({"path": path.as_str(), "off": (*off > 0).then_some(off), "len": len})
        }
        Operation::Put { path, pre, mtime_ns } => {
            json!({"path": path.as_str(), "pre": precondition(pre), "mtime_ns": mtime_ns})
        }
        Operation::Write { path, off, etag } => {
            json!({"path": path.as_str(), "off": off, "etag": etag.as_ref().map(|etag| hex(etag.as_bytes()))})
        }
        Operation::Truncate { path, size, etag } => {
            json!({"path": path.as_str(), "size": size, "etag": etag.as_ref().map(|etag| hex(etag.as_bytes()))})
        }
        Operation::Touch { path, mtime_ns } => json!({"path": path.as_str(), "mtime_ns": mtime_ns}),
        Operation::Remove { path, etag } => {
            json!({"path": path.as_str(), "etag": etag.as_ref().map(|etag| hex(etag.as_bytes()))})
        }
        Operation::Move { from, to, pre, etag } | Operation::Copy { from, to, pre, etag } => json!({
            "from": from.as_str(), "to": to.as_str(), "pre": precondition(pre),
            "etag": etag.as_ref().map(|etag| hex(etag.as_bytes())),
        }),
        Operation::Begin { up, path, size } => json!({"up": hex(up.as_bytes()), "path": path.as_str(), "size": size}),
        Operation::Append { up, off } => json!({"up": hex(up.as_bytes()), "off": off}),
        Operation::Commit { up, size, hash, pre, mtime_ns } => json!({
            "up": hex(up.as_bytes()), "size": size, "hash": hex(hash.as_bytes()), "pre": precondition(pre),
            "mtime_ns": mtime_ns,
        }),
        Operation::Abort { up } => json!({"up": hex(up.as_bytes())}),
        Operation::Uploads { after } => json!({"after": after.map(|after| hex(after.as_bytes()))}),
        _ => json!({}),
    })
}

/// The result of an operation that was answered OK.
pub(crate) fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Hello(hello) => self::hello(hello),
        Answer::Entry(entry) => json!({"entry": self::entry(entry, None)}),
        Answer::Listing(listing) => {
            let entries: Vec<_> =
                listing.entries.iter().map(|listed| entry(&listed.entry, Some(&listed.name))).collect();
            json!({"entries": entries, "more": listing.more, "skipped": listing.skipped})
        }
        Answer::Read(read) => json!({"etag": hex(read.etag.as_bytes()), "size": read.size}),
        Answer::Hash(hash) => {
            json!({"hash": hex(hash.hash.as_bytes()), "len": hash.len, "etag": hex(hash.etag.as_bytes())})
        }
        Answer::Staged(staged) => json!({"off": staged.off, "hash": hex(staged.hash.as_bytes())}),
        Answer::Offset(off) => json!({"off": off}),
        Answer::Uploads(uploads) => {
            json!({"uploads": uploads.uploads.iter().map(upload).collect::<Vec<_>>(), "more": uploads.more})
        }
        _ => json!({}),
    }
}

/// What is carried with a code other than OK.
pub(crate) fn refusal(refusal: &Refusal) -> Value {
    let mut carried = present(match &refusal.detail {
        Detail::Busy(Busy { idle_ms, lease_ms, client, session }) => {
            json!({"idle_ms": idle_ms, "lease_ms": lease_ms, "client": client, "session": hex(session.as_bytes())})
        }
        Detail::Next(next) => json!({"next": next}),
        Detail::Offset(off) => json!({"off": off}),
        Detail::Progress { done, total } => json!({"done": done, "total": total}),
        _ => json!({}),
    });
    if let Some(msg) = &refusal.msg {
        carried["msg"] = json!(msg);
    }
    carried
}

fn hello(hello: &HelloReply) -> Value {
    present(json!({
        "window": hello.window, "chunk": hello.chunk, "header": hello.header, "lease_ms": hello.lease_ms,
        "boot": hex(hello.boot.as_bytes()), "root": hello.root.map(|root| hex(root.as_bytes())),
        "names": hello.names.name(), "folds": hello.folds, "ro": hello.ro, "caps": hello.caps.names().collect::<Vec<_>>(),
    }))
}

fn entry(entry: &Entry, name: Option<&str>) -> Value {
    present(json!({
        "name": name, "kind": entry.kind.name(), "size": entry.size, "mtime_ns": entry.mtime_ns,
        "etag": entry.etag.as_ref().map(|etag| hex(etag.as_bytes())), "racy": flag(entry.racy),
    }))
}

fn upload(upload: &UploadEntry) -> Value {
    present(json!({
        "up": hex(upload.up.as_bytes()), "path": upload.path.as_str(), "off": upload.off, "size": upload.size,
        "age_ms": upload.age_ms,
    }))
}
