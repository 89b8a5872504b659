//! The file format of `spec/vectors`; unknown fields are refused, as by the schema.

use serde::Deserialize;
use std::{fs, path::Path};

/// The kinds of vectors.
pub(crate) const KINDS: [&str; 7] = ["request", "reply", "envelope", "path", "token", "keys", "sequence"];

/// The most bytes of a frame.
const LONGEST: usize = 16 << 20;

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Vector {
    Request(Request),
    Reply(Reply),
    Envelope(Envelope),
    Path(PathVector),
    Token(TokenVector),
    Keys(KeysVector),
    Sequence(Sequence),
}

/// A frame in hexadecimal, or with a part that repeats.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum VectorFrame {
    Plain(String),
    Repeated(Repeated),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repeated {
    hex: String,
    then: String,
    times: usize,
}

/// Declares a kind with the fields that all kinds have.
macro_rules! kind {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "some fields are for people")]
        pub(super) struct $name {
            pub(super) expect: String,
            pub(super) requirements: Vec<String>,
            pub(super) comment: String,
            $($(#[$attribute])* pub(super) $field: $type,)*
        }
    };
}

kind!(Request {
    #[serde(default)]
    diagnostic: String,
    frames: Vec<VectorFrame>,
    session: String,
    seq: u64,
    op: Option<String>,
    args: Option<serde_json::Value>,
    reencoded: Option<VectorFrame>,
});

kind!(Reply {
    #[serde(default)]
    diagnostic: String,
    op: String,
    frames: Vec<VectorFrame>,
    session: Option<String>,
    seq: Option<u64>,
    code: Option<u64>,
    result: Option<serde_json::Value>,
    loses_session: Option<bool>,
    reencoded: Option<VectorFrame>,
});

kind!(Envelope {
    frames: Vec<VectorFrame>,
    route: Option<usize>,
    session: Option<String>,
    seq: Option<u64>,
});

kind!(PathVector { names: String, path: String });

kind!(TokenVector { token: String });

kind!(KeysVector {
    #[serde(default)]
    diagnostic: String,
    token: String,
    server_secret: Key,
    server_public: Key,
    client_secret: Key,
    client_public: Key,
    hello_key: String,
    session: String,
    client: String,
    auth: String,
    frames: Vec<VectorFrame>,
});

kind!(Sequence {
    server: VectorServer,
    steps: Vec<SequenceStep>,
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) hex: String,
    pub(super) z85: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the session is a server's business")]
pub(super) struct VectorServer {
    token: String,
    window: u64,
    pub(super) chunk: u64,
    pub(super) header: usize,
    lease_ms: u64,
    read_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the session is a server's business")]
pub(super) struct SequenceStep {
    at_ms: u64,
    diagnostic: String,
    pub(super) frames: Vec<VectorFrame>,
    pub(super) reply: Option<Answer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the session is a server's business")]
pub(super) struct Answer {
    pub(super) session: String,
    pub(super) seq: u64,
    pub(super) code: u64,
    result: Option<serde_json::Value>,
    payload: Option<String>,
    pub(super) same_as: Option<usize>,
}

impl Vector {
    pub(super) fn kind(&self) -> &'static str {
        let index = match self {
            Vector::Request(_) => 0,
            Vector::Reply(_) => 1,
            Vector::Envelope(_) => 2,
            Vector::Path(_) => 3,
            Vector::Token(_) => 4,
            Vector::Keys(_) => 5,
            Vector::Sequence(_) => 6,
        };
        KINDS[index]
    }

    pub(super) fn requirements(&self) -> &[String] {
        match self {
            Vector::Request(vector) => &vector.requirements,
            Vector::Reply(vector) => &vector.requirements,
            Vector::Envelope(vector) => &vector.requirements,
            Vector::Path(vector) => &vector.requirements,
            Vector::Token(vector) => &vector.requirements,
            Vector::Keys(vector) => &vector.requirements,
            Vector::Sequence(vector) => &vector.requirements,
        }
    }
}

impl VectorFrame {
    /// The bytes of the frame.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            VectorFrame::Plain(text) => crate::wire::cbor::from_hex(text),
            VectorFrame::Repeated(Repeated { hex, then, times }) => {
                let (mut bytes, part) = (crate::wire::cbor::from_hex(hex)?, crate::wire::cbor::from_hex(then)?);
                if part.len().saturating_mul(*times) > LONGEST {
                    return Err(format!("a frame of more than {LONGEST} bytes"));
                }
                bytes.extend(part.repeat(*times));
                Ok(bytes)
            }
        }
    }
}

/// The bytes of all frames.
pub(super) fn bytes(frames: &[VectorFrame]) -> Result<Vec<Vec<u8>>, String> {
    frames.iter().map(VectorFrame::bytes).collect()
}

/// Reads a file.
pub(super) fn load(path: &Path) -> Result<Vector, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("not a vector: {error}"))
}
