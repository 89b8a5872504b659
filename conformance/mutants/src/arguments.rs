//! Section 11: which arguments an operation has, and what they may be.

use crate::{behaviour::Behaviour, limits::Limits, mutations, paths::Path, reply::Refusal};
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
    let row = row.or_else(|| in_any_case(op, behaviour));
    let Some((_, required, optional)) = row else {
        let strange = behaviour.has(&mutations::envelope::UNKNOWN_IS_BAD_ARGS);
        return Err(if strange { Code::BadArgs } else { Code::BadOp }.into());
    };
    if op == "flush" && behaviour.has(&mutations::codes::FLUSH_IS_MISSING) {
        return Err(Code::BadOp.into());
    }
    let mut arguments = Arguments::default();
    let sizes = payload.map(|payload| payload.len() as u64);
    if is_large(op, sizes, args, limits, behaviour) && behaviour.has(&mutations::codes::LARGE_BEFORE_ARGS) {
        return Err(Code::TooLarge.into());
    }
    let paths = read_paths(&mut arguments, op, args, behaviour);
    if let Err(refusal) = &paths
        && behaviour.has(&mutations::codes::PATHS_BEFORE_ARGS)
    {
        return Err(refusal.clone());
    }
    let is_missing = |key: &&&str| args.get(key).is_none();
    let is_left_to_auth = |key: &str| key == "auth" && behaviour.has(&mutations::hello::MISSING_AUTH);
    let is_left_out = |key: &str| key == "hash" && behaviour.has(&mutations::uploads::HASH_MAY_BE_MISSING);
    if required.iter().filter(is_missing).any(|key| !is_left_to_auth(key) && !is_left_out(key))
        && !behaviour.has(&mutations::codes::MISSING_ARGUMENTS)
    {
        return Err(Code::BadArgs.into());
    }
    for (key, value) in args.iter() {
        let known = required.contains(&key) || optional.contains(&key);
        if !known {
            if ignores_unknown(op, key, behaviour) {
                continue;
            }
            return Err(Code::BadArgs.into());
        }
        if take(&mut arguments, op, key, value, behaviour).is_none() {
            let mistyped = !types(key).contains(kind(value));
            let mistyped_is_fine =
                mistyped && (behaviour.has(&mutations::codes::TYPES_ARE_IGNORED) || is_left_to_auth(key));
            if !mistyped_is_fine && (mistyped || !behaviour.has(&mutations::codes::RANGES_ARE_IGNORED)) {
                return Err(Code::BadArgs.into());
            }
        }
    }
    let lacks_pre = optional.contains(&"pre") && args.get("pre").is_none();
    if lacks_pre
        && behaviour.any(&[
            (op == "put", &mutations::targets::PUT_NEEDS_PRE),
            (op != "put", &mutations::targets::PRE_IS_NEEDED),
        ])
    {
        return Err(Code::BadArgs.into());
    }
    if let Err(refusal) = check_range(&arguments, sizes)
        && !behaviour.has(&mutations::codes::SUMS_ARE_IGNORED)
    {
        return Err(refusal);
    }
    let large = is_large(op, sizes, args, limits, behaviour);
    if large && paths.is_err() && behaviour.has(&mutations::codes::PATHS_BEFORE_LARGE) {
        paths?;
        return Err(Code::TooLarge.into());
    }
    if large && !(op == "read" && behaviour.has(&mutations::limits::LEN_OF_ANY_LENGTH)) {
        return Err(Code::TooLarge.into());
    }
    paths?;
    if op == "move" || op == "copy" {
        arguments.is_loop = check_loop(op, &arguments, behaviour)?;
    }
    Ok(arguments)
}

/// [CBOR-13]
fn ignores_unknown(op: &str, key: &str, behaviour: &Behaviour) -> bool {
    if op == "hello" {
        return !behaviour.has(&mutations::encoding::HELLO_IS_STRICT);
    }
    let is_session = matches!(op, "ping" | "bye");
    let is_known_elsewhere =
        || OPERATIONS.iter().any(|(_, required, optional)| required.contains(&key) || optional.contains(&key));
    (is_session && behaviour.has(&mutations::encoding::PING_HAS_ARGUMENTS))
        || (is_known_elsewhere() && behaviour.has(&mutations::encoding::KNOWN_ELSEWHERE))
        || behaviour.has(&mutations::codes::UNKNOWN_ARGUMENTS)
}

/// [OP-5]
fn is_large(op: &str, payload: Option<u64>, args: Map<'_>, limits: &Limits, behaviour: &Behaviour) -> bool {
    let len = match args.get("len") {
        Some(Value::Int(len)) if op == "read" => unsigned(len),
        _ => payload,
    };
    match len {
        Some(len) if len == limits.chunk => behaviour.any(&[
            (op == "read", &mutations::limits::READS_ONE_LESS),
            (op != "read", &mutations::limits::CHUNK_ONE_LESS),
        ]),
        Some(len) if len == limits.chunk + 1 => !behaviour.has(&mutations::limits::CHUNK_ONE_MORE),
        Some(len) => len > limits.chunk,
        None => false,
    }
}

fn in_any_case(op: &str, behaviour: &Behaviour) -> Option<&'static Row> {
    let row = OPERATIONS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(op))?;
    behaviour.has(&mutations::envelope::ANY_CASE).then_some(row)
}

/// A mutation tells what is of a wrong type from what is out of its range: the first letters of the types that are right.
fn types(key: &str) -> &'static str {
    match key {
        "path" | "from" | "to" | "client" => "t",
        "off" | "len" | "size" | "lease_ms" | "limit" | "mtime_ns" => "i",
        "tree" => "o",
        "after" | "pre" => "tb",
        _ => "b",
    }
}

/// A mutation asks for the letter of a value's type.
fn kind(value: Value<'_>) -> char {
    match value {
        Value::Int(_) => 'i',
        Value::Bytes(_) => 'b',
        Value::Text(_) => 't',
        Value::Bool(_) => 'o',
        _ => '-',
    }
}

/// Reads one argument; `None` where it has a wrong type or is out of its range ([OP-2], [OP-4]).
fn take(arguments: &mut Arguments, op: &str, key: &str, value: Value<'_>, behaviour: &Behaviour) -> Option<()> {
    match (key, value) {
        // Their content is looked at in its turn ([PATH-7]).
        ("path" | "from" | "to", Value::Text(_)) => {}
        ("off", Value::Int(number)) => arguments.off = unsigned(number)?,
        ("len", Value::Int(number)) => arguments.len = Some(unsigned(number)?),
        ("size", Value::Int(number)) => arguments.size = Some(unsigned(number)?),
        ("lease_ms", Value::Int(number))
            if number > u32::MAX.into() && behaviour.has(&mutations::hello::LEASE_OF_32_BITS) =>
        {
            return None;
        }
        ("lease_ms", Value::Int(number)) => arguments.lease_ms = Some(unsigned(number)?),
        ("limit", Value::Int(number)) if number > 1_000 && behaviour.has(&mutations::listing::LARGE_LIMITS) => {
            return None;
        }
        ("limit", Value::Int(number)) if number >= 1 || behaviour.has(&mutations::listing::LIMIT_OF_NOTHING) => {
            arguments.limit = Some(unsigned(number)?)
        }
        ("tree", Value::Bool(tree)) => arguments.tree = tree,
        ("mtime_ns", Value::Int(number)) => arguments.mtime_ns = Some(number),
        ("after", Value::Text(after)) if op == "list" && is_after(after, behaviour) => arguments.after = after.into(),
        ("after", Value::Bytes(after)) if op == "uploads" && after.len() == 16 => arguments.after = after.into(),
        ("etag", Value::Bytes(etag)) if is_etag(etag) => arguments.etag = Some(etag.into()),
        ("pre", Value::Text("absent")) if behaviour.has(&mutations::targets::ABSENT_IS_UNKNOWN) => return None,
        ("pre", Value::Text("absent")) => arguments.pre = Pre::Absent,
        ("pre", Value::Text("any")) => arguments.pre = Pre::Any,
        ("pre", Value::Bytes(etag)) if is_etag(etag) => arguments.pre = Pre::Etag(etag.into()),
        ("up", Value::Bytes(up)) if up.len() != 16 && behaviour.has(&mutations::codes::ID_OF_ANY_LENGTH) => {
            let mut id = [0; 16];
            id.iter_mut().zip(up).for_each(|(to, from)| *to = *from);
            arguments.up = Some(UploadId::new(id));
        }
        ("up", Value::Bytes(up)) => arguments.up = Some(up.try_into().ok()?),
        ("hash", Value::Bytes(hash)) if hash.len() == 32 => arguments.hash = hash.into(),
        ("auth", Value::Bytes(auth)) if auth.len() == 32 => arguments.auth = auth.into(),
        ("client", Value::Text(client))
            if behaviour.any(&[
                (client.len() == 128, &mutations::hello::CLIENT_ONE_LESS),
                (client.is_empty(), &mutations::hello::CLIENT_HAS_A_NAME),
            ]) =>
        {
            return None;
        }
        ("client", Value::Text(client)) if client.len() <= 128 || is_mistaken_for_short(client, behaviour) => {
            arguments.client = client.to_owned()
        }
        ("auth", Value::Bytes(auth)) if behaviour.has(&mutations::hello::AUTH_OF_ANY_LENGTH) => {
            arguments.auth = auth.into()
        }
        ("etag", Value::Bytes(etag)) if behaviour.has(&mutations::codes::ETAG_OF_ANY_LENGTH) => {
            arguments.etag = Some(etag.into())
        }
        ("pre", Value::Text(_)) if behaviour.has(&mutations::codes::PRE_OF_ANY_TEXT) => arguments.pre = Pre::Any,
        ("take", Value::Bytes(take)) => arguments.take = Some(take.try_into().ok()?),
        _ => return None,
    }
    Some(())
}

/// [HELLO-1]
fn is_mistaken_for_short(client: &str, behaviour: &Behaviour) -> bool {
    (client.len() == 129 && behaviour.has(&mutations::hello::CLIENT_ONE_MORE))
        || (client.chars().count() <= 128 && behaviour.has(&mutations::hello::CLIENT_IN_CHARACTERS))
        || behaviour.has(&mutations::hello::LONG_CLIENT)
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// [LIST-4]
fn is_after(after: &str, behaviour: &Behaviour) -> bool {
    after.len() <= 4_096 || behaviour.has(&mutations::listing::AFTER_IS_LONG)
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
        Some(Value::Text(text)) => match Path::parse(text, behaviour) {
            Err(_) if key == "to" && behaviour.has(&mutations::paths::TO_UNCHECKED) => Ok(Path::unchecked(text)),
            Err(_) if op == "begin" && behaviour.has(&mutations::paths::BEGIN_UNCHECKED) => Ok(Path::unchecked(text)),
            path => path,
        },
        _ => Ok(Path::default()),
    };
    let [path, from, to] = ["path", "from", "to"].map(&mut read);
    if from.is_err() && to.is_err() && behaviour.has(&mutations::codes::TO_BEFORE_FROM) {
        to.clone()?;
    }
    (arguments.path, arguments.from, arguments.to) = (path?, from?, to?);
    Ok(())
}

/// [MOVE-2], [COPY-2]; whether a loop is left to be found later.
fn check_loop(op: &str, arguments: &Arguments, behaviour: &Behaviour) -> Result<bool, Refusal> {
    let Arguments { from, to, .. } = arguments;
    let is_loop = to.is_at_or_below(from);
    // What a mutation judges by.
    let (is_move, same) = (op == "move", from == to);
    let judged_otherwise = behaviour.any(&[
        (is_move && same, &mutations::moving::MOVE_TO_ITSELF),
        (!is_move && same, &mutations::moving::COPY_TO_ITSELF),
        (is_move && is_loop && !same, &mutations::moving::MOVE_BELOW_ITSELF),
        (!is_move && is_loop && !same, &mutations::moving::COPY_BELOW_ITSELF),
        (!is_loop && to.as_str().starts_with(from.as_str()), &mutations::moving::ALIKE_IS_BELOW),
    ]);
    if is_loop == judged_otherwise {
        return Ok(false);
    }
    if is_loop && behaviour.has(&mutations::codes::LOOP_IS_LATE) { Ok(true) } else { Err(Code::Loop.into()) }
}

impl Arguments {
    /// A mutation finds LOOP here, once it has found the source.
    pub(crate) fn loop_found(&self) -> Result<(), Refusal> {
        if self.is_loop { Err(Code::Loop.into()) } else { Ok(()) }
    }
}
