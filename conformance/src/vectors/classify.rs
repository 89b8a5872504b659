//! What a server has to make of a message, by spec sections 3.3, 11 and 14.1: the steps that one message decides.

use super::{item, paths};
use crate::wire::{
    cbor::{Value, head},
    code::{BAD_ARGS, BAD_OP, Code, LOOP, TOO_LARGE},
    request::MAGIC,
};

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Defect(pub(super) Code);

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
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

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
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

/// An argument: its name, what it has to be, and whether it has to be there.
type Argument = (&'static str, Kind, bool);

const PRE: Argument = ("pre", Kind::Pre, false);
const ETAG: Argument = ("etag", Kind::Etag, false);
const PATH: Argument = ("path", Kind::Path, true);
const OFF: Argument = ("off", Kind::Uint, true);
const UP: Argument = ("up", Kind::Id, true);
const MTIME: Argument = ("mtime_ns", Kind::Int, false);

/// The operations with their arguments.
const OPERATIONS: [(&str, &[Argument]); 21] = [
    (
        "hello",
        &[
            ("auth", Kind::Hash, true),
            ("client", Kind::Client, true),
            ("take", Kind::Id, false),
            ("lease_ms", Kind::Uint, false),
        ],
    ),
    ("ping", &[]),
    ("bye", &[]),
    ("stat", &[PATH]),
    ("list", &[PATH, ("after", Kind::After, false), ("limit", Kind::Positive, false), ("tree", Kind::Bool, false)]),
    ("read", &[PATH, OFF, ("len", Kind::Uint, true), ETAG]),
    ("hash", &[PATH, ("off", Kind::Uint, false), ("len", Kind::Uint, false)]),
    ("mkdir", &[PATH]),
    ("put", &[PATH, PRE, MTIME]),
    ("write", &[PATH, OFF, ETAG]),
    ("truncate", &[PATH, ("size", Kind::Uint, true), ETAG]),
    ("touch", &[PATH, ("mtime_ns", Kind::Int, true)]),
    ("remove", &[PATH, ETAG]),
    ("move", &[("from", Kind::Path, true), ("to", Kind::Path, true), PRE, ETAG]),
    ("copy", &[("from", Kind::Path, true), ("to", Kind::Path, true), PRE, ETAG]),
    ("begin", &[UP, PATH, ("size", Kind::Uint, false)]),
    ("append", &[UP, OFF]),
    ("commit", &[UP, ("size", Kind::Uint, true), ("hash", Kind::Hash, true), PRE, MTIME]),
    ("abort", &[UP]),
    ("uploads", &[("after", Kind::Id, false)]),
    ("flush", &[]),
];

/// What the frames behind the delimiter are.
pub(super) fn classify(frames: &[Vec<u8>], limit: usize) -> Class {
    let Some(header) = frames.first() else { return Class::NotOurs };
    let Some(digit) =
        header.strip_prefix(b"\x85\x64rmf").and_then(<[u8]>::first).filter(|digit| digit.is_ascii_digit())
    else {
        return Class::NotOurs;
    };
    if resembles_a_reply(header) {
        return Class::Reply;
    }
    if *digit != b'1' {
        return Class::Version;
    }
    let Some(session) = header.get(7..23).and_then(id).filter(|_| header[6] == 0x50) else { return Class::NotOurs };
    let seq = shortest(&header[23..]).map(|(seq, _)| seq).filter(|seq| i64::try_from(*seq).is_ok()).unwrap_or(0);
    let bad = Class::BadMessage { session, seq };
    if header.len() > limit {
        return bad;
    }
    let Some(request) = item(header).and_then(parsed) else { return bad };
    let wanted = if matches!(request.op.as_str(), "put" | "write" | "append") { 2 } else { 1 };
    if frames.len() == wanted { Class::Request(request) } else { bad }
}

/// The first refusal of a request on a server where session and number are right.
pub(super) fn judge(request: &Parsed, payload: u64, chunk: u64) -> Result<(), Defect> {
    let known = OPERATIONS.iter().find(|(name, _)| *name == request.op);
    let unnumbered = matches!(request.op.as_str(), "hello" | "ping" | "bye");
    let (_, arguments) = known.filter(|_| unnumbered == (request.seq == 0)).ok_or(Defect(BAD_OP))?;
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
        return Err(Defect(BAD_ARGS));
    }
    if payload > chunk || request.op == "read" && length > chunk {
        return Err(Defect(TOO_LARGE));
    }
    let path = |name: &str| argument(request, name).and_then(Value::text);
    for path in ["path", "from", "to"].into_iter().filter_map(path) {
        paths::check(path, false)?;
    }
    match (path("from"), path("to")) {
        (Some(from), Some(to))
            if to == from || from == "/" || to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) =>
        {
            Err(Defect(LOOP))
        }
        _ => Ok(()),
    }
}

/// The arguments that the operation has, without those that say what holds anyway.
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

/// Bytes as an id, where they are 16.
pub(super) fn id(bytes: &[u8]) -> Option<[u8; 16]> {
    bytes.try_into().ok()
}

/// [ENV-15]
fn resembles_a_reply(header: &[u8]) -> bool {
    let behind = header.get(6..).and_then(|rest| rest.strip_prefix(&[0x50])).and_then(|rest| rest.get(16..));
    let next = behind.and_then(shortest).and_then(|(_, length)| behind.and_then(|rest| rest.get(length)));
    next.is_some_and(|byte| byte >> 5 <= 1)
}

/// An unsigned integer in shortest form at the beginning, and how many bytes it takes.
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

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let bytes = value.bytes().map(<[u8]>::len);
        let text = value.text().map(str::len);
        match self {
            Kind::Path => text.is_some(),
            Kind::Uint => value.uint().is_some(),
            Kind::Positive => value.uint().is_some_and(|number| number > 0),
            Kind::Int => matches!(value, Value::Int(_)),
            Kind::Bool => value.bool().is_some(),
            Kind::Etag => bytes.is_some_and(|length| (1..=64).contains(&length)),
            Kind::Id => bytes == Some(16),
            Kind::Hash => bytes == Some(32),
            Kind::Pre => matches!(value.text(), Some("absent" | "any")) || Kind::Etag.fits(value),
            Kind::Client => text.is_some_and(|length| length <= 128),
            Kind::After => text.is_some_and(|length| length <= 4_096),
        }
    }
}
