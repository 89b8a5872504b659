//! Reads the vectors of `spec/vectors`: a field or kind that is not known here is an error.
#![allow(dead_code, unreachable_pub, reason = "each test reads its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a vector that cannot be read is a failure")]

use remofile_proto::SessionId;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Fewer vectors than this, and some were lost.
const FEWEST: usize = 900;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Vector {
    Request(RequestVector),
    Reply(ReplyVector),
    Envelope(EnvelopeVector),
    Path(PathVector),
    Token(TokenVector),
    Keys(Box<KeysVector>),
    Sequence(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestVector {
    pub expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: Option<String>,
    pub frames: Vec<Frame>,
    pub session: String,
    pub seq: u64,
    pub op: Option<String>,
    pub args: Option<Value>,
    pub reencoded: Option<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyVector {
    pub expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: String,
    pub op: String,
    pub frames: Vec<Frame>,
    pub session: Option<String>,
    pub seq: Option<u64>,
    pub code: Option<u64>,
    pub result: Option<Value>,
    pub loses_session: Option<bool>,
    pub reencoded: Option<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeVector {
    pub expect: String,
    requirements: Vec<String>,
    comment: String,
    pub frames: Vec<Frame>,
    pub route: Option<usize>,
    pub session: Option<String>,
    pub seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathVector {
    pub expect: String,
    requirements: Vec<String>,
    comment: String,
    pub names: String,
    pub path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenVector {
    pub expect: String,
    requirements: Vec<String>,
    comment: String,
    pub token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysVector {
    expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: String,
    pub token: String,
    pub server_secret: Key,
    pub server_public: Key,
    pub client_secret: Key,
    pub client_public: Key,
    pub hello_key: String,
    pub session: String,
    pub client: String,
    pub auth: String,
    pub frames: Vec<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub hex: String,
    pub z85: String,
}

/// A frame: hex, or hex and a unit that is repeated behind it.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Frame {
    Hex(String),
    Repeated(Repeated),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeated {
    hex: String,
    then: String,
    times: usize,
}

impl Frame {
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Frame::Hex(hex) => unhex(hex),
            Frame::Repeated(Repeated { hex, then, times }) => [unhex(hex), unhex(then).repeat(*times)].concat(),
        }
    }
}

macro_rules! kinds {
    ($($name:ident, $variant:ident, $type:ty;)*) => {
        impl Vector {$(
            pub fn $name(&self) -> Option<&$type> {
                match self { Vector::$variant(vector) => Some(vector), _ => None }
            }
        )*}
    };
}

kinds! {
    request, Request, RequestVector;
    reply, Reply, ReplyVector;
    envelope, Envelope, EnvelopeVector;
    path, Path, PathVector;
    token, Token, TokenVector;
    keys, Keys, KeysVector;
}

/// Every vector with the name of its file, in the order of the names.
pub fn vectors() -> Vec<(String, Vector)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    let mut vectors: Vec<(String, Vector)> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("schema.json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let vector = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, vector)
        })
        .collect();
    assert!(vectors.len() >= FEWEST, "only {} vectors in {}", vectors.len(), directory.display());
    vectors.sort_by(|one, other| one.0.cmp(&other.0));
    vectors
}

/// Judges each vector that `select` picks, and fails with the names of all that are judged wrong.
pub fn judge<T>(select: fn(&Vector) -> Option<&T>, judge: impl Fn(&str, &T) -> Result<(), String>) {
    let vectors = vectors();
    let chosen: Vec<_> = vectors.iter().filter_map(|(name, vector)| Some((name, select(vector)?))).collect();
    assert!(!chosen.is_empty(), "no vector of this kind");
    let wrong: Vec<String> = chosen
        .iter()
        .filter_map(|(name, vector)| judge(name, vector).err().map(|what| format!("{name}: {what}")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} are judged wrong:\n{}", wrong.len(), chosen.len(), wrong.join("\n"));
}

/// An error with both sides, unless they are equal.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} is {actual:?}, not {expected:?}")) }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub fn session(hex: &str) -> SessionId {
    SessionId::try_from(unhex(hex).as_slice()).unwrap()
}
