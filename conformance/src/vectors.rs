//! Checks test vectors with the suite's own decoder, which is independent of their writer and of a codec under test.

mod classify;
mod file;
mod json;
mod paths;

pub(crate) use file::KINDS;

use crate::{
    engine::lint::{self, Expected},
    spec,
    wire::{
        cbor::{self, Value, hex},
        code,
    },
};
use classify::{MessageClass, VectorRefusal, judge};
use file::{Envelope, KeysVector, Reply, Request, Sequence, SequenceStep, Vector};
use remofile_proto::{Keys, SessionId, Token, z85};
use std::{fmt::Debug, path::Path};

/// The limits that all vectors assume.
const CHUNK: u64 = 65_536;
const HEADER: usize = 65_536;
/// What a server must not send and a client accepts: codes and kinds that it does not know, capabilities of
/// any name, and `racy: false` [CODE-4] [ENTRY-8] [HELLO-7].
const TAKEN: [&str; 4] = ["CODE-5", "ENTRY-1", "EXT-4", "ENTRY-6"];

/// Checks one file; returns its kind, or what is wrong.
pub(crate) fn check(path: &Path) -> Result<&'static str, String> {
    let vector = file::load(path)?;
    for id in vector.requirements() {
        if spec::requirement(id).is_none() {
            return Err(format!("it cites {id}, which does not exist"));
        }
    }
    match &vector {
        Vector::Request(vector) => request(vector),
        Vector::Reply(vector) => reply(vector),
        Vector::Envelope(vector) => envelope(vector),
        Vector::Path(vector) => {
            let verdict =
                paths::check(&vector.path, vector.names == "windows").map_or_else(code_name, |()| "accept".into());
            same("verdict", &verdict, &vector.expect)
        }
        Vector::Token(vector) => {
            let verdict = if is_token(&vector.token) { "accept" } else { "refuse" };
            same("verdict", verdict, vector.expect.as_str())
        }
        Vector::Keys(vector) => keys(vector),
        Vector::Sequence(vector) => sequence(vector),
    }?;
    Ok(vector.kind())
}

fn request(vector: &Request) -> Result<(), String> {
    let frames = file::bytes(&vector.frames)?;
    match classify::classify(&frames, HEADER) {
        MessageClass::Request(request) => {
            same("session", &hex(&request.session), &vector.session)?;
            same("seq", request.seq, vector.seq)?;
            same("operation", Some(&request.op), vector.op.as_ref())?;
            let payload = frames.get(1).map_or(0, |payload| payload.len() as u64);
            match judge(&request, payload, CHUNK) {
                Err(refused) => same("verdict", &code_name(refused), &vector.expect),
                Ok(()) => {
                    same("verdict", "accept", vector.expect.as_str())?;
                    let args = classify::without_defaults(&request);
                    same("arguments", Some(&json::of(&Value::Map(args.clone()))), vector.args.as_ref())?;
                    let written = crate::wire::request::Request { op: request.op.clone(), args, payload: None };
                    let wanted =
                        vector.reencoded.as_ref().map_or_else(|| Ok(frames[0].clone()), file::VectorFrame::bytes)?;
                    same("encoding", &hex(&written.frames(request.session, request.seq)[0]), &hex(&wanted))
                }
            }
        }
        MessageClass::BadMessage { session, seq } => {
            same("verdict", "BAD_MESSAGE", vector.expect.as_str())?;
            same("session", &hex(&session), &vector.session)?;
            same("seq", seq, vector.seq)
        }
        MessageClass::Version => same("verdict", "VERSION", vector.expect.as_str()),
        MessageClass::NotOurs | MessageClass::Reply => same("verdict", "not answered", vector.expect.as_str()),
    }
}

fn reply(vector: &Reply) -> Result<(), String> {
    let frames = file::bytes(&vector.frames)?;
    let expected =
        Expected { op: Some(&vector.op), limit: None, after: None, len: Some(CHUNK), chunk: CHUNK, root: None };
    let (shape, findings) = lint::lint(&frames, &expected);
    let wrong = findings.iter().find(|found| !TAKEN.contains(&found.requirement));
    let paths =
        shape.as_ref().and_then(|shape| shape.result.member("uploads")).and_then(Value::array).unwrap_or_default();
    let bad_path = |upload: &Value| {
        upload.member("path").and_then(Value::text).is_some_and(|path| paths::check(path, false).is_err())
    };
    let bad_path = paths.iter().any(bad_path);
    let Some(shape) = shape.filter(|_| wrong.is_none() && !bad_path) else {
        let why = wrong.or(findings.first()).map(|found| format!("[{}] {}", found.requirement, found.what));
        return same("verdict", "refuse", vector.expect.as_str())
            .map_err(|error| format!("{error}: {}", why.unwrap_or_default()));
    };
    same("verdict", "accept", vector.expect.as_str())?;
    same("session", Some(hex(&shape.session)), vector.session.clone())?;
    same("seq", Some(shape.seq), vector.seq)?;
    same("code", Some(shape.code.0), vector.code)?;
    let unknown = shape.code.name().is_none();
    same("loss of the session", unknown.then_some((10..20).contains(&shape.code.0)), vector.loses_session)?;
    json::holds(&shape.result, vector.result.as_ref().ok_or("there is no result")?)
}

fn envelope(vector: &Envelope) -> Result<(), String> {
    let frames = file::bytes(&vector.frames)?;
    let delimiter = frames.iter().position(Vec::is_empty);
    let class = delimiter.map_or(MessageClass::NotOurs, |at| classify::classify(&frames[at + 1..], HEADER));
    let (verdict, answer) = match &class {
        MessageClass::NotOurs | MessageClass::Reply => ("not-ours", None),
        MessageClass::Version => ("VERSION", Some(([0; 16], 0))),
        MessageClass::BadMessage { session, seq } => ("BAD_MESSAGE", Some((*session, *seq))),
        MessageClass::Request(request) => ("accept", Some((request.session, request.seq))),
    };
    same("verdict", verdict, vector.expect.as_str())?;
    same("route", answer.and(delimiter).map(|at| at + 1), vector.route)?;
    same("session", answer.map(|(session, _)| hex(&session)), vector.session.clone())?;
    same("seq", answer.map(|(_, seq)| seq), vector.seq)
}

/// remofile-proto derives the keys; the suite computes the rest itself.
fn keys(vector: &KeysVector) -> Result<(), String> {
    let token: Token = vector.token.parse().map_err(|error| format!("the token: {error}"))?;
    let keys = Keys::derive(&token);
    let pairs = [
        ("server's secret key", keys.server.secret(), &vector.server_secret),
        ("server's public key", keys.server.public(), &vector.server_public),
        ("client's secret key", keys.client.secret(), &vector.client_secret),
        ("client's public key", keys.client.public(), &vector.client_public),
    ];
    for (what, key, wanted) in pairs {
        same(what, &hex(key), &wanted.hex)?;
        same(what, &z85::encode(key), &wanted.z85)?;
    }
    let session = classify::id(&crate::wire::cbor::from_hex(&vector.session)?).ok_or("the session has not 16 bytes")?;
    let auth = keys.hello.auth(SessionId::new(session));
    same("auth", &hex(&auth), &vector.auth)?;
    let hello = crate::wire::request::request("hello").arg("auth", auth).arg("client", vector.client.as_str());
    same("hello", &hello.frames(session, 0), &file::bytes(&vector.frames)?)
}

/// Checks each message of a sequence on its own; the state of the session is not simulated.
fn sequence(vector: &Sequence) -> Result<(), String> {
    for (index, step) in vector.steps.iter().enumerate() {
        let checked = sequence_step(vector, index, step);
        checked.map_err(|error| format!("step {index}: {error}"))?;
    }
    Ok(())
}

fn sequence_step(vector: &Sequence, index: usize, step: &SequenceStep) -> Result<(), String> {
    let frames = file::bytes(&step.frames)?;
    let class = classify::classify(&frames, vector.server.header);
    let Some(reply) = &step.reply else {
        let unanswered = matches!(class, MessageClass::NotOurs | MessageClass::Reply);
        return if unanswered { Ok(()) } else { Err("it has no reply but must be answered".into()) };
    };
    let (answer, code) = match &class {
        MessageClass::NotOurs | MessageClass::Reply => return Err("it has a reply but must not be answered".into()),
        MessageClass::Version => (([0; 16], 0), Some(code::VERSION)),
        MessageClass::BadMessage { session, seq } => ((*session, *seq), Some(code::BAD_MESSAGE)),
        MessageClass::Request(request) => ((request.session, request.seq), None),
    };
    same("session", &hex(&answer.0), &reply.session)?;
    same("seq", answer.1, reply.seq)?;
    if let Some(code) = code {
        same("code", code.0, reply.code)?;
    }
    if let MessageClass::Request(request) = &class {
        let payload = frames.get(1).map_or(0, |payload| payload.len() as u64);
        if let Err(VectorRefusal(refused)) = judge(request, payload, vector.server.chunk) {
            // Errors of session and number come first.
            let before = (10..20).contains(&reply.code);
            if !before && reply.same_as.is_none() {
                same("code", refused.0, reply.code)?;
            }
        }
    }
    if reply.same_as.is_some_and(|earlier| earlier >= index) {
        return Err("it repeats a step that does not exist".into());
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    let distinct: std::collections::BTreeSet<char> = text.chars().collect();
    (22..=128).contains(&text.chars().count())
        && text.chars().all(|one| one.is_ascii_alphanumeric())
        && distinct.len() >= 8
}

fn code_name(defect: VectorRefusal) -> String {
    defect.0.to_string()
}

fn same<T: PartialEq + Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: the suite has {found:?}, the file has {wanted:?}")) }
}

/// Whether bytes are one item of the profile; for the checks of this module.
fn item(bytes: &[u8]) -> Option<Value> {
    cbor::read(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{fs, path::PathBuf};

    fn vectors() -> Vec<PathBuf> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
        let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "json") && !path.ends_with("schema.json"))
            .collect()
    }

    #[test]
    fn the_suite_agrees_with_every_vector() {
        let differences: Vec<String> = vectors()
            .iter()
            .filter_map(|path| check(path).err().map(|error| format!("{}: {error}", path.display())))
            .collect();
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
        assert!(vectors().len() > 900, "only {} vectors were found", vectors().len());
    }

    /// Writes a vector with one thing changed, and says whether the suite objects.
    fn objects(name: &str, change: impl Fn(&mut serde_json::Value)) -> bool {
        let original = vectors().into_iter().find(|path| path.ends_with(name)).unwrap();
        assert!(check(&original).is_ok(), "{name}");
        let mut vector: serde_json::Value = serde_json::from_str(&fs::read_to_string(original).unwrap()).unwrap();
        change(&mut vector);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, vector.to_string()).unwrap();
        check(&path).is_err()
    }

    #[test]
    fn a_vector_that_is_wrong_is_found() {
        let request = "append-with-required-arguments-is-accepted.json";
        assert!(!objects(request, |_| {}));
        assert!(objects(request, |vector| vector["expect"] = "BAD_ARGS".into()));
        assert!(objects(request, |vector| vector["seq"] = 77.into()));
        assert!(objects(request, |vector| vector["args"]["off"] = 77.into()));
        assert!(objects(request, |vector| vector["requirements"][0] = "SEQ-999".into()));
        assert!(objects(request, |vector| vector["unheard_of"] = 1.into()));
        assert!(objects(request, |vector| vector["kind"] = "unheard-of".into()));
        let reply = "reply-with-unknown-code-16-is-accepted.json";
        assert!(objects(reply, |vector| vector["loses_session"] = false.into()));
        assert!(objects(reply, |vector| vector["code"] = 17.into()));
        let sequence = "arguments-win-over-auth.json";
        assert!(objects(sequence, |vector| vector["steps"][0]["reply"]["code"] = 0.into()));
        assert!(objects(sequence, |vector| {
            vector["steps"][0].as_object_mut().unwrap().remove("reply");
        }));
        assert!(objects("keys-of-a-customary-token.json", |vector| vector["auth"] = "00".repeat(32).into()));
    }

    #[test]
    fn kinds_are_counted_by_name() {
        for path in vectors().iter().take(50) {
            assert!(KINDS.contains(&check(path).unwrap()));
        }
    }
}
