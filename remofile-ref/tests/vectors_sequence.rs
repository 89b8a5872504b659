//! The server, without its socket, answers every sequence of `spec/vectors` as its file says.

use remofile::protocol::server::session::ServerLimits;
use remofile::server::service::{HandleOutcome, Service};
use remofile::{Store, StoreOptions};
use remofile_proto::cbor::{Map, Value as Cbor};
use remofile_proto::{BootId, Capabilities, HelloReply, Keys, Names, Reply, SessionId, Token};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Fewer sequences than this, and some were lost.
const FEWEST: usize = 80;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "for people, but to be known")]
struct Sequence {
    kind: String,
    expect: String,
    requirements: Vec<String>,
    comment: String,
    server: Parameters,
    steps: Vec<SessionAction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    token: String,
    window: u64,
    chunk: u64,
    header: u64,
    lease_ms: u64,
    read_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionAction {
    at_ms: u64,
    diagnostic: String,
    frames: Vec<Frame>,
    reply: Option<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    session: String,
    seq: u64,
    code: u64,
    result: Option<serde_json::Map<String, Value>>,
    payload: Option<String>,
    same_as: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Hex(String),
    Repeated { hex: String, then: String, times: usize },
}

#[test]
fn sequences_are_answered_as_the_vectors_say() {
    let sequences = sequences();
    assert!(sequences.len() >= FEWEST, "only {} sequences", sequences.len());
    let wrong: Vec<String> = sequences
        .iter()
        .filter_map(|(name, sequence)| run(sequence).err().map(|what| format!("{name}: {what}")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} are answered wrong:\n{}", wrong.len(), sequences.len(), wrong.join("\n"));
}

fn sequences() -> Vec<(String, Sequence)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    let mut sequences: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("schema.json"))
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let vector: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let sequence = (vector["kind"] == "sequence").then(|| serde_json::from_value(vector))?;
            Some((name.clone(), sequence.unwrap_or_else(|error| panic!("{name}: {error}"))))
        })
        .collect();
    sequences.sort_by(|one: &(String, _), other| one.0.cmp(&other.0));
    sequences
}

fn run(sequence: &Sequence) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let Parameters { chunk, read_only, .. } = sequence.server;
    let options = StoreOptions { chunk, read_only, ..StoreOptions::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let keys = Keys::derive(&Token::parse(&sequence.server.token).unwrap());
    let authentic = |session: &SessionId, auth: &[u8; 32]| keys.hello.verify(*session, auth);
    let mut service = Service::new(terms(&sequence.server), store, authentic);
    let mut replies = Vec::new();
    for (index, step) in sequence.steps.iter().enumerate() {
        let now = Duration::from_millis(step.at_ms);
        let mut frames = vec![Vec::new()];
        frames.extend(step.frames.iter().map(Frame::bytes));
        let reply = match service.handle(now, &frames) {
            HandleOutcome::Reply(reply) => Some(reply),
            HandleOutcome::NotOurs | HandleOutcome::Silent => None,
            HandleOutcome::Later => loop {
                if let Some(reply) = service.run_slice(now) {
                    break Some(reply);
                }
            },
        };
        service.work_ended(now);
        judge(step, reply.as_deref(), &replies).map_err(|what| format!("step {index}, {}: {what}", step.diagnostic))?;
        replies.push(reply);
    }
    Ok(())
}

fn terms(server: &Parameters) -> ServerLimits {
    let welcome = HelloReply {
        window: server.window,
        chunk: server.chunk,
        header: server.header,
        lease_ms: server.lease_ms,
        boot: BootId::new([7; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: server.read_only,
        caps: Capabilities::default(),
    };
    ServerLimits { welcome, uploads: 64 }
}

fn judge(step: &SessionAction, reply: Option<&[Vec<u8>]>, earlier: &[Option<Vec<Vec<u8>>>]) -> Result<(), String> {
    let (expected, frames) = match (&step.reply, reply) {
        (Some(expected), Some(frames)) => (expected, frames),
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err("is answered".to_owned()),
        (Some(_), None) => return Err("is not answered".to_owned()),
    };
    let reply = Reply::decode(frames).map_err(|error| error.to_string())?;
    let result = map(reply.result);
    same("code", &reply.code, &expected.code).map_err(|what| format!("{what}, {result}"))?;
    same("session", &hex(reply.session.as_bytes()), &expected.session)?;
    same("seq", &reply.seq, &expected.seq)?;
    for (key, value) in expected.result.iter().flatten() {
        let actual = if key == "entry_names" { names(&result) } else { result[key].clone() };
        same(key, &actual, value)?;
    }
    if let Some(payload) = &expected.payload {
        same("payload", &reply.payload.map(hex).as_ref(), &Some(payload))?;
    }
    match expected.same_as {
        Some(index) => same("reply", &Some(frames), &earlier[index].as_deref()),
        None => Ok(()),
    }
}

fn names(result: &Value) -> Value {
    result["entries"]
        .as_array()
        .map_or(Value::Null, |entries| entries.iter().map(|entry| entry["name"].clone()).collect())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: &T, expected: &T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} is {actual:?}, not {expected:?}")) }
}

fn map(map: Map<'_>) -> Value {
    map.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect::<serde_json::Map<_, _>>().into()
}

/// A value as the vectors write it: byte strings in hex.
fn plain(value: Cbor<'_>) -> Value {
    match value {
        Cbor::Int(number) => json!(number),
        Cbor::Bytes(bytes) => json!(hex(bytes)),
        Cbor::Text(text) => json!(text),
        Cbor::Bool(bool) => json!(bool),
        Cbor::Array(array) => array.iter().map(plain).collect(),
        Cbor::Map(inner) => map(inner),
    }
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Frame::Hex(hex) => unhex(hex),
            Frame::Repeated { hex, then, times } => [unhex(hex), unhex(then).repeat(*times)].concat(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
