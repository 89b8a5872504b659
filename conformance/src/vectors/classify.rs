//! Classifies a message by spec sections 3.3, 11 and 14.1, as far as one message decides.

use super::{item, paths};
use crate::wire::{
    cbor::{Value, head},
    code::{BAD_ARGS, BAD_OP, Code, LOOP, TOO_LARGE},
    request::MAGIC,
};

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VectorRefusal(pub(super) Code);

/// The class of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MessageClass {
    NotOurs,
    Reply,
    Version,
    BadMessage { session: [u8; 16], seq: u64 },
    Request(Parsed),
}

/// A request whose header is well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) session: [u8; 16],
    pub(super) seq: u64,
    pub(super) op: String,
    pub(super) args: Vec<(String, Value)>,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ArgumentType {
    Path,
    Uint,
    Positive,
    Int,
    Bool,
    Etag,
    Id,
    Hash,
    Pre,
    Client,
    After,
}

/// An argument: its name, its type, and whether it is required.
type ArgumentRule = (&'static str, ArgumentType, bool);

const PRE: ArgumentRule = ("pre", ArgumentType::Pre, false);
const ETAG: ArgumentRule = ("etag", ArgumentType::Etag, false);
const PATH: ArgumentRule = ("path", ArgumentType::Path, true);
const OFF: ArgumentRule = ("off", ArgumentType::Uint, true);
const UP: ArgumentRule = ("up", ArgumentType::Id, true);
const MTIME: ArgumentRule = ("mtime_ns", ArgumentType::Int, false);

/// The operations with their arguments.
const OPERATIONS: [(&str, &[ArgumentRule]); 21] = [
    (
        "hello",
        &[
            ("auth", ArgumentType::Hash, true),
            ("client", ArgumentType::Client, true),
            ("take", ArgumentType::Id, false),
            ("lease_ms", ArgumentType::Uint, false),
        ],
    ),
    ("ping", &[]),
    ("bye", &[]),
    ("stat", &[PATH]),
    (
        "list",
        &[
            PATH,
            ("after", ArgumentType::After, false),
            ("limit", ArgumentType::Positive, false),
            ("tree", ArgumentType::Bool, false),
        ],
    ),
    ("read", &[PATH, OFF, ("len", ArgumentType::Uint, true), ETAG]),
    ("hash", &[PATH, ("off", ArgumentType::Uint, false), ("len", ArgumentType::Uint, false)]),
    ("mkdir", &[PATH]),
    ("put", &[PATH, PRE, MTIME]),
    ("write", &[PATH, OFF, ETAG]),
    ("truncate", &[PATH, ("size", ArgumentType::Uint, true), ETAG]),
    ("touch", &[PATH, ("mtime_ns", ArgumentType::Int, true)]),
    ("remove", &[PATH, ETAG]),
    ("move", &[("from", ArgumentType::Path, true), ("to", ArgumentType::Path, true), PRE, ETAG]),
    ("copy", &[("from", ArgumentType::Path, true), ("to", ArgumentType::Path, true), PRE, ETAG]),
    ("begin", &[UP, PATH, ("size", ArgumentType::Uint, false)]),
    ("append", &[UP, OFF]),
    ("commit", &[UP, ("size", ArgumentType::Uint, true), ("hash", ArgumentType::Hash, true), PRE, MTIME]),
    ("abort", &[UP]),
    ("uploads", &[("after", ArgumentType::Id, false)]),
    ("flush", &[]),
];

/// Classifies the frames after the delimiter.
pub(super) fn classify(frames: &[Vec<u8>], limit: usize) -> MessageClass {
    let Some(header) = frames.first() else { return MessageClass::NotOurs };
    let Some(digit) =
        header.strip_prefix(b"\x85\x64rmf").and_then(<[u8]>::first).filter(|digit| digit.is_ascii_digit())
    else {
        return MessageClass::NotOurs;
    };
    if resembles_a_reply(header) {
        return MessageClass::Reply;
    }
    if *digit != b'1' {
        return MessageClass::Version;
    }
    let Some(session) = header.get(7..23).and_then(id).filter(|_| header[6] == 0x50) else {
        return MessageClass::NotOurs;
    };
    let seq = shortest(&header[23..]).map(|(seq, _)| seq).filter(|seq| i64::try_from(*seq).is_ok()).unwrap_or(0);
    let bad = MessageClass::BadMessage { session, seq };
    if header.len() > limit {
        return bad;
    }
    let Some(request) = item(header).and_then(parsed) else { return bad };
    let wanted = if matches!(request.op.as_str(), "put" | "write" | "append") { 2 } else { 1 };
    if frames.len() == wanted { MessageClass::Request(request) } else { bad }
}

/// The first refusal of a request whose session and number are right.
pub(super) fn judge(request: &Parsed, payload: u64, chunk: u64) -> Result<(), VectorRefusal> {
    let known = OPERATIONS.iter().find(|(name, _)| *name == request.op);
    let unnumbered = matches!(request.op.as_str(), "hello" | "ping" | "bye");
    let (_, arguments) = known.filter(|_| unnumbered == (request.seq == 0)).ok_or(VectorRefusal(BAD_OP))?;
    let unknown = |(key, _): &(String, Value)| !arguments.iter().any(|(name, ..)| name == key);
    let mut fine = request.op == "hello" || !request.args.iter().any(unknown);
    for (name, kind, needed) in *arguments {
        fine &= argument(request, name).map_or(!needed, |value| kind.fits(value));
    }
    let number = |name: &str| argument(request, name).and_then(Value::uint);
    let length = match request.op.as_str() {
        "write" | "append" => payload,
        _ => number("len").unwrap_or_default(),
    };
    let sum = number("off").unwrap_or_default().saturating_add(length);
    if !fine || i64::try_from(sum).is_err() {
        return Err(VectorRefusal(BAD_ARGS));
    }
    if payload > chunk || request.op == "read" && length > chunk {
        return Err(VectorRefusal(TOO_LARGE));
    }
    let path = |name: &str| argument(request, name).and_then(Value::text);
    for path in ["path", "from", "to"].into_iter().filter_map(path) {
        paths::check(path, false)?;
    }
    match (path("from"), path("to")) {
        (Some(from), Some(to))
            if to == from || from == "/" || to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) =>
        {
            Err(VectorRefusal(LOOP))
        }
        _ => Ok(()),
    }
}

/// The arguments of the operation without those that have the default value.
pub(super) fn without_defaults(request: &Parsed) -> Vec<(String, Value)> {
    let arguments = OPERATIONS.iter().find(|(name, _)| *name == request.op).map_or(&[][..], |(_, arguments)| arguments);
    let is_default = |key: &str, value: &Value| match (request.op.as_str(), key) {
        (_, "pre") => value.text() == Some("absent"),
        ("list", "tree") => *value == Value::Bool(false),
        ("hash", "off") => value.uint() == Some(0),
        _ => false,
    };
    let kept =
        |(key, value): &&(String, Value)| arguments.iter().any(|(name, ..)| name == key) && !is_default(key, value);
    request.args.iter().filter(kept).cloned().collect()
}

/// An id, if the bytes are 16.
pub(super) fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}

/// [ENV-15]
fn resembles_a_reply(header: &[u8]) -> bool {
    let after_session = header.get(6..).and_then(|rest| rest.strip_prefix(&[0x50])).and_then(|rest| rest.get(16..));
    let next = after_session.and_then(shortest).and_then(|(_, length)| after_session.and_then(|rest| rest.get(length)));
    next.is_some_and(|byte| byte >> 5 <= 1)
}

/// An unsigned integer in shortest form at the beginning, and its length.
fn shortest(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = match bytes.first()? {
        0..=0x17 => 1,
        0x18 => 2,
        0x19 => 3,
        0x1a => 5,
        0x1b => 9,
        _ => return None,
    };
    let encoded = bytes.get(..length)?;
    let number = match length {
        1 => u64::from(encoded[0]),
        _ => encoded[1..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    };
    (head(0, number) == encoded).then_some((number, length))
}

fn parsed(header: Value) -> Option<Parsed> {
    let [magic, session, seq, op, args] = header.array()? else { return None };
    let Value::Map(args) = args else { return None };
    (magic.text() == Some(MAGIC)).then_some(())?;
    Some(Parsed { session: id(session.bytes()?)?, seq: seq.uint()?, op: op.text()?.to_owned(), args: args.clone() })
}

fn argument<'a>(request: &'a Parsed, name: &str) -> Option<&'a Value> {
    request.args.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl ArgumentType {
    fn fits(self, value: &Value) -> bool {
        let bytes = value.bytes().map(<[u8]>::len);
        let text = value.text().map(str::len);
        match self {
            ArgumentType::Path => text.is_some(),
            ArgumentType::Uint => value.uint().is_some(),
            ArgumentType::Positive => value.uint().is_some_and(|number| number > 0),
            ArgumentType::Int => matches!(value, Value::Int(_)),
            ArgumentType::Bool => value.bool().is_some(),
            ArgumentType::Etag => bytes.is_some_and(|length| (1..=64).contains(&length)),
            ArgumentType::Id => bytes == Some(16),
            ArgumentType::Hash => bytes == Some(32),
            ArgumentType::Pre => matches!(value.text(), Some("absent" | "any")) || ArgumentType::Etag.fits(value),
            ArgumentType::Client => text.is_some_and(|length| length <= 128),
            ArgumentType::After => text.is_some_and(|length| length <= 4_096),
        }
    }
}
