//! Section 11: which arguments an operation has, and what they may be.

mod mutated;

use crate::{behaviour::Behaviour, limits::Limits, paths::Path, reply::Refusal};
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
    /// Left to be found when the source was.
    is_loop: bool,
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

/// A mutation asks whether an operation is one of this version ([OP-1]): the others find it out when they read it.
pub(crate) fn is_known(op: &str) -> bool {
    OPERATIONS.iter().any(|(name, ..)| *name == op)
}

/// Steps 7 to 11 of the order: BAD_OP, BAD_ARGS, TOO_LARGE, the paths, LOOP.
pub(crate) fn read(
    op: &str,
    args: Map<'_>,
    payload: Option<&[u8]>,
    limits: &Limits,
    behaviour: &Behaviour,
) -> Result<Arguments, Refusal> {
    let row = OPERATIONS.iter().find(|(name, ..)| *name == op);
    let Some((_, required, optional)) = behaviour.mutated_operation(op, row) else {
        return Err(behaviour.mutated_code_of_unknown(Code::BadOp).into());
    };
    behaviour.mutated_offer(op)?;
    let mut arguments = Arguments::default();
    let size = payload.map(|payload| payload.len() as u64);
    let is_large = || behaviour.mutated_size(op, args, size, limits, is_large(op, size, args, limits));
    behaviour.mutated_order_of_arguments(&is_large)?;
    let paths = read_paths(&mut arguments, op, args, behaviour);
    behaviour.mutated_order_of_paths(&paths)?;
    let is_missing = required.iter().any(|key| args.get(key).is_none() && behaviour.mutated_requirement(key));
    if is_missing && behaviour.mutated_check_of_missing() {
        return Err(Code::BadArgs.into());
    }
    for (key, value) in args.iter() {
        let is_known = required.contains(&key) || optional.contains(&key);
        // [CBOR-13]
        if !is_known && !behaviour.mutated_unknown_argument(op, key, op == "hello") {
            return Err(Code::BadArgs.into());
        }
        if is_known && take(&mut arguments, op, key, value, behaviour).is_none() && behaviour.mutated_check(key, value)
        {
            return Err(Code::BadArgs.into());
        }
    }
    behaviour.mutated_check_of_pre(op, optional, args)?;
    behaviour.mutated_range(check_range(&arguments, size))?;
    if is_large() && behaviour.mutated_check_of_size(op, &paths)? {
        return Err(Code::TooLarge.into());
    }
    paths?;
    if op == "move" || op == "copy" {
        let is_loop = behaviour.mutated_loop(op, &arguments, arguments.to.is_at_or_below(&arguments.from));
        if is_loop && !behaviour.mutated_late_loop() {
            return Err(Code::Loop.into());
        }
        arguments.is_loop = is_loop;
    }
    Ok(arguments)
}

/// [OP-5]
fn is_large(op: &str, payload: Option<u64>, args: Map<'_>, limits: &Limits) -> bool {
    length(op, payload, args).is_some_and(|len| len > limits.chunk)
}

/// The length of the payload of a request, or of its reply.
fn length(op: &str, payload: Option<u64>, args: Map<'_>) -> Option<u64> {
    match args.get("len") {
        Some(Value::Int(len)) if op == "read" => unsigned(len),
        _ => payload,
    }
}

/// Reads one argument; `None` where it has a wrong type or is out of its range ([OP-2], [OP-4]).
fn take(arguments: &mut Arguments, op: &str, key: &str, value: Value<'_>, behaviour: &Behaviour) -> Option<()> {
    behaviour.mutated_refusal(key, value)?;
    match (key, value) {
        // Their content is checked in its turn ([PATH-7]).
        ("path" | "from" | "to", Value::Text(_)) => {}
        ("off", Value::Int(number)) => arguments.off = unsigned(number)?,
        ("len", Value::Int(number)) => arguments.len = Some(unsigned(number)?),
        ("size", Value::Int(number)) => arguments.size = Some(unsigned(number)?),
        ("lease_ms", Value::Int(number)) => arguments.lease_ms = Some(unsigned(number)?),
        ("limit", Value::Int(number)) if number >= 1 => arguments.limit = Some(unsigned(number)?),
        ("tree", Value::Bool(tree)) => arguments.tree = tree,
        ("mtime_ns", Value::Int(number)) => arguments.mtime_ns = Some(number),
        // [LIST-4]
        ("after", Value::Text(after)) if op == "list" && after.len() <= 4_096 => arguments.after = after.into(),
        ("after", Value::Bytes(after)) if op == "uploads" && after.len() == 16 => arguments.after = after.into(),
        ("etag", Value::Bytes(etag)) if is_etag(etag) => arguments.etag = Some(etag.into()),
        ("pre", Value::Text("absent")) => arguments.pre = Pre::Absent,
        ("pre", Value::Text("any")) => arguments.pre = Pre::Any,
        ("pre", Value::Bytes(etag)) if is_etag(etag) => arguments.pre = Pre::Etag(etag.into()),
        ("up", Value::Bytes(up)) if up.len() == 16 => arguments.up = Some(up.try_into().ok()?),
        ("hash", Value::Bytes(hash)) if hash.len() == 32 => arguments.hash = hash.into(),
        ("auth", Value::Bytes(auth)) if auth.len() == 32 => arguments.auth = auth.into(),
        // [HELLO-1]
        ("client", Value::Text(client)) if client.len() <= 128 => arguments.client = client.to_owned(),
        ("take", Value::Bytes(take)) => arguments.take = Some(take.try_into().ok()?),
        _ => return arguments.mutated_argument(op, key, value, behaviour),
    }
    Some(())
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
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
fn read_paths(arguments: &mut Arguments, op: &str, args: Map<'_>, behaviour: &Behaviour) -> Result<(), Refusal> {
    let mut read = |key| match args.get(key) {
        Some(Value::Text(text)) => behaviour.mutated_path(op, key, text, Path::parse(text, behaviour)),
        _ => Ok(Path::default()),
    };
    let [path, from, to] = ["path", "from", "to"].map(&mut read);
    behaviour.mutated_order_of_two(&from, &to)?;
    (arguments.path, arguments.from, arguments.to) = (path?, from?, to?);
    Ok(())
}

impl Arguments {
    /// LOOP that a mutation finds after the source ([MOVE-2], [COPY-2]).
    pub(crate) fn loop_found(&self) -> Result<(), Refusal> {
        if self.is_loop { Err(Code::Loop.into()) } else { Ok(()) }
    }
}
