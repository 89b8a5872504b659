//! Section 11: which arguments an operation has, and what they may be.

use crate::{faults, limits::Limits, paths::Path, reply::Refusal, switches::Switches};
use remofile_proto::{
    Code, SessionId, UploadId,
    cbor::{Map, Value},
    limits::INTEGER,
};

/// The arguments of any operation; those that it does not have are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) path: Path,
    pub(crate) from: Path,
    pub(crate) to: Path,
    pub(crate) off: u64,
    pub(crate) len: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) tree: bool,
    /// Of `list` a name, of `uploads` an id.
    pub(crate) after: Vec<u8>,
    pub(crate) etag: Option<Vec<u8>>,
    pub(crate) pre: Pre,
    pub(crate) mtime_ns: Option<i64>,
    pub(crate) up: Option<UploadId>,
    pub(crate) hash: Vec<u8>,
    pub(crate) auth: Vec<u8>,
    pub(crate) client: String,
    pub(crate) take: Option<SessionId>,
    pub(crate) lease_ms: Option<u64>,
}

/// What has to be at a target ([section 10.2]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pre {
    #[default]
    Absent,
    Any,
    Etag(Vec<u8>),
}

/// Required and optional keys of an operation, as its row in the table of section 11 shows them.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const OPERATIONS: &[Row] = &[
    ("hello", &["auth", "client"], &["take", "lease_ms"]),
    ("ping", &[], &[]),
    ("bye", &[], &[]),
    ("stat", &["path"], &[]),
    ("list", &["path"], &["after", "limit", "tree"]),
    ("read", &["path", "off", "len"], &["etag"]),
    ("hash", &["path"], &["off", "len"]),
    ("mkdir", &["path"], &[]),
    ("put", &["path"], &["pre", "mtime_ns"]),
    ("write", &["path", "off"], &["etag"]),
    ("truncate", &["path", "size"], &["etag"]),
    ("touch", &["path", "mtime_ns"], &[]),
    ("remove", &["path"], &["etag"]),
    ("move", &["from", "to"], &["pre", "etag"]),
    ("copy", &["from", "to"], &["pre", "etag"]),
    ("begin", &["up", "path"], &["size"]),
    ("append", &["up", "off"], &[]),
    ("commit", &["up", "size", "hash"], &["pre", "mtime_ns"]),
    ("abort", &["up"], &[]),
    ("uploads", &[], &["after"]),
    ("flush", &[], &[]),
];

/// Steps 7 to 11 of the order: BAD_OP, BAD_ARGS, TOO_LARGE, the paths, LOOP.
pub(crate) fn read(
    op: &str,
    args: Map<'_>,
    payload: Option<&[u8]>,
    limits: &Limits,
    switches: &Switches,
) -> Result<Arguments, Refusal> {
    let (_, required, optional) = OPERATIONS.iter().find(|(name, ..)| *name == op).ok_or(Code::BadOp)?;
    if required.iter().any(|key| args.get(key).is_none()) {
        return Err(Code::BadArgs.into());
    }
    let mut arguments = Arguments::default();
    for (key, value) in args.iter() {
        let known = required.contains(&key) || optional.contains(&key);
        if !known {
            // [CBOR-13]
            if op == "hello" || switches.has(&faults::codes::UNKNOWN_ARGUMENTS) {
                continue;
            }
            return Err(Code::BadArgs.into());
        }
        take(&mut arguments, op, key, value, switches).ok_or(Code::BadArgs)?;
    }
    let payload = payload.map(|payload| payload.len() as u64);
    check_range(&arguments, payload)?;
    let large = payload.is_some_and(|len| len > limits.chunk);
    if large || (op == "read" && arguments.len > Some(limits.chunk)) {
        return Err(Code::TooLarge.into());
    }
    read_paths(&mut arguments, op, args, switches)?;
    if op == "move" || op == "copy" {
        check_loop(op, &arguments, switches)?;
    }
    Ok(arguments)
}

/// Reads one argument; `None` where it has a wrong type or is out of its range ([OP-2], [OP-4]).
fn take(arguments: &mut Arguments, op: &str, key: &str, value: Value<'_>, switches: &Switches) -> Option<()> {
    match (key, value) {
        // Their content is looked at in its turn ([PATH-7]).
        ("path" | "from" | "to", Value::Text(_)) => {}
        ("off", Value::Int(number)) => arguments.off = unsigned(number)?,
        ("len", Value::Int(number)) => arguments.len = Some(unsigned(number)?),
        ("size", Value::Int(number)) => arguments.size = Some(unsigned(number)?),
        ("lease_ms", Value::Int(number)) => arguments.lease_ms = Some(unsigned(number)?),
        ("limit", Value::Int(number)) if number >= 1 || switches.has(&faults::listing::LIMIT_OF_NOTHING) => {
            arguments.limit = Some(unsigned(number)?)
        }
        ("tree", Value::Bool(tree)) => arguments.tree = tree,
        ("mtime_ns", Value::Int(number)) => arguments.mtime_ns = Some(number),
        ("after", Value::Text(after)) if op == "list" && is_after(after, switches) => arguments.after = after.into(),
        ("after", Value::Bytes(after)) if op == "uploads" && after.len() == 16 => arguments.after = after.into(),
        ("etag", Value::Bytes(etag)) if is_etag(etag) => arguments.etag = Some(etag.into()),
        ("pre", Value::Text("absent")) => arguments.pre = Pre::Absent,
        ("pre", Value::Text("any")) => arguments.pre = Pre::Any,
        ("pre", Value::Bytes(etag)) if is_etag(etag) => arguments.pre = Pre::Etag(etag.into()),
        ("up", Value::Bytes(up)) => arguments.up = Some(up.try_into().ok()?),
        ("hash", Value::Bytes(hash)) if hash.len() == 32 => arguments.hash = hash.into(),
        ("auth", Value::Bytes(auth)) if auth.len() == 32 => arguments.auth = auth.into(),
        ("client", Value::Text(client)) if client.len() <= 128 => arguments.client = client.to_owned(),
        ("take", Value::Bytes(take)) => arguments.take = Some(take.try_into().ok()?),
        _ => return None,
    }
    Some(())
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// [LIST-4]
fn is_after(after: &str, switches: &Switches) -> bool {
    after.len() <= 4_096 || switches.has(&faults::listing::AFTER_IS_LONG)
}

fn is_etag(bytes: &[u8]) -> bool {
    (1..=64).contains(&bytes.len())
}

/// [OP-2] An offset and a length end at 2^63 - 1 at most.
fn check_range(arguments: &Arguments, payload: Option<u64>) -> Result<(), Refusal> {
    let len = payload.or(arguments.len).unwrap_or(0);
    match arguments.off.checked_add(len) {
        Some(end) if end <= INTEGER => Ok(()),
        _ => Err(Code::BadArgs.into()),
    }
}

/// Each path in its turn, `from` before `to`.
fn read_paths(arguments: &mut Arguments, op: &str, args: Map<'_>, switches: &Switches) -> Result<(), Refusal> {
    let places = [("path", &mut arguments.path), ("from", &mut arguments.from), ("to", &mut arguments.to)];
    for (key, place) in places {
        if let Some(Value::Text(text)) = args.get(key) {
            *place = match Path::parse(text, switches) {
                Err(_) if key == "to" && switches.has(&faults::paths::TO_UNCHECKED) => Path::unchecked(text),
                Err(_) if op == "begin" && switches.has(&faults::paths::BEGIN_UNCHECKED) => Path::unchecked(text),
                path => path?,
            };
        }
    }
    Ok(())
}

/// [MOVE-2], [COPY-2]
fn check_loop(op: &str, arguments: &Arguments, switches: &Switches) -> Result<(), Refusal> {
    let Arguments { from, to, .. } = arguments;
    let (is_move, same) = (op == "move", from == to);
    let is_loop = to.is_at_or_below(from);
    let alike = !is_loop && to.as_str().starts_with(from.as_str());
    let judged_otherwise = switches.any(&[
        (is_move && same, &faults::moving::MOVE_TO_ITSELF),
        (!is_move && same, &faults::moving::COPY_TO_ITSELF),
        (is_move && is_loop && !same, &faults::moving::MOVE_BELOW_ITSELF),
        (!is_move && is_loop && !same, &faults::moving::COPY_BELOW_ITSELF),
        (alike, &faults::moving::ALIKE_IS_BELOW),
    ]);
    if is_loop != judged_otherwise { Err(Code::Loop.into()) } else { Ok(()) }
}
