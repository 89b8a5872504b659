//! Reads the vectors of `spec/vectors`: a field or kind that is not known here is an error.
#![allow(dead_code, reason = "every field of the format is read, and some by no test")]

use remofile_proto::SessionId;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Fewer vectors than this, and some were lost.
const FEWEST: usize = 900;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Vector {
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
pub(crate) struct RequestVector {
    pub(crate) expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: Option<String>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) session: String,
    pub(crate) seq: u64,
    pub(crate) op: Option<String>,
    pub(crate) args: Option<Value>,
    pub(crate) reencoded: Option<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplyVector {
    pub(crate) expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: String,
    pub(crate) op: String,
    pub(crate) frames: Vec<Frame>,
    pub(crate) session: Option<String>,
    pub(crate) seq: Option<u64>,
    pub(crate) code: Option<u64>,
    pub(crate) result: Option<Value>,
    pub(crate) loses_session: Option<bool>,
    pub(crate) reencoded: Option<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvelopeVector {
    pub(crate) expect: String,
    requirements: Vec<String>,
    comment: String,
    pub(crate) frames: Vec<Frame>,
    pub(crate) route: Option<usize>,
    pub(crate) session: Option<String>,
    pub(crate) seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathVector {
    pub(crate) expect: String,
    requirements: Vec<String>,
    comment: String,
    pub(crate) names: String,
    pub(crate) path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenVector {
    pub(crate) expect: String,
    requirements: Vec<String>,
    comment: String,
    pub(crate) token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysVector {
    expect: String,
    requirements: Vec<String>,
    comment: String,
    diagnostic: String,
    pub(crate) token: String,
    pub(crate) server_secret: Key,
    pub(crate) server_public: Key,
    pub(crate) client_secret: Key,
    pub(crate) client_public: Key,
    pub(crate) hello_key: String,
    pub(crate) session: String,
    pub(crate) client: String,
    pub(crate) auth: String,
    pub(crate) frames: Vec<Frame>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) hex: String,
    pub(crate) z85: String,
}

/// A frame: hex, or hex and a unit that is repeated after it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Frame {
    Hex(String),
    Repeated(Repeated),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeated {
    hex: String,
    then: String,
    times: usize,
}

impl Frame {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Frame::Hex(hex) => unhex(hex),
            Frame::Repeated(Repeated { hex, then, times }) => [unhex(hex), unhex(then).repeat(*times)].concat(),
        }
    }
}

macro_rules! kinds {
    ($($name:ident, $variant:ident, $type:ty;)*) => {
        impl Vector {$(
            pub(crate) fn $name(&self) -> Option<&$type> {
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
pub(crate) fn vectors() -> Vec<(String, Vector)> {
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
pub(crate) fn judge<T>(select: fn(&Vector) -> Option<&T>, judge: impl Fn(&str, &T) -> Result<(), String>) {
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
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} is {actual:?}, not {expected:?}")) }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn session(hex: &str) -> SessionId {
    SessionId::try_from(unhex(hex).as_slice()).unwrap()
}
