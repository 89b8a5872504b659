//! Requests: a server parses arguments to operations, and a client encodes operations to headers.

use crate::cbor::{Map, MapWriter, Writer};
use crate::envelope::Header;
use crate::fields::Fields;
use crate::limits::{self, Limits};
use crate::operation::OperationKind;
use crate::{Code, Etag, Hello, Operation, Payload, Precondition, Refusal, RemotePath, SessionId};
use alloc::{borrow::ToOwned, format, vec::Vec};

type Out<'w> = MapWriter<'w, Vec<u8>>;

impl Operation {
    /// Reads the arguments of a request whose header decoded.
    ///
    /// Limits and ranges count the content of `payload`, the payload of the request.
    ///
    /// # Errors
    /// By the order of [CODE-5]: the first of BAD_OP, BAD_ARGS, TOO_LARGE, for each path LIMIT and BAD_NAME, then LOOP.
    pub fn parse(header: &Header<'_>, payload: Payload, limits: &Limits) -> Result<Self, Refusal> {
        parse(header.op, header.args, payload, limits.chunk)
    }
}

/// The header frame of a request.
///
/// Integers are at most 2^63 - 1; a server refuses larger ones as BAD_MESSAGE.
#[must_use]
pub fn encode_request(session: SessionId, seq: u64, operation: &Operation) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(128));
    writer.array(5);
    writer.text(limits::MAGIC);
    writer.bytes(session.as_bytes());
    writer.uint(seq);
    writer.text(operation.name());
    writer.map(|args| write_args(args, operation));
    writer.0
}

fn parse(op: &str, args: Map<'_>, payload: Payload, chunk: u64) -> Result<Operation, Refusal> {
    let args = Fields(args);
    Ok(match OperationKind::from_name(op).ok_or_else(|| Refusal::new(Code::BadOp))? {
        OperationKind::Hello => Operation::Hello(parse_hello(args)?),
        OperationKind::Ping => parse_bare(args, Operation::Ping)?,
        OperationKind::Bye => parse_bare(args, Operation::Bye)?,
        OperationKind::Flush => parse_bare(args, Operation::Flush)?,
        OperationKind::Stat => {
            args.only(&["path"])?;
            Operation::Stat { path: RemotePath::parse(args.required("path")?)? }
        }
        OperationKind::Mkdir => {
            args.only(&["path"])?;
            Operation::Mkdir { path: RemotePath::parse(args.required("path")?)? }
        }
        OperationKind::List => parse_list(args)?,
        OperationKind::Read => parse_read(args, chunk)?,
        OperationKind::Hash => parse_hash(args)?,
        OperationKind::Put => parse_put(args, payload, chunk)?,
        OperationKind::Write => parse_write(args, payload, chunk)?,
        OperationKind::Truncate => {
            args.only(&["etag", "path", "size"])?;
            let (path, size, etag) = (args.required("path")?, args.required("size")?, args.optional("etag")?);
            Operation::Truncate { path: RemotePath::parse(path)?, size, etag }
        }
        OperationKind::Touch => {
            args.only(&["path", "mtime_ns"])?;
            let (path, mtime_ns) = (args.required("path")?, args.required("mtime_ns")?);
            Operation::Touch { path: RemotePath::parse(path)?, mtime_ns }
        }
        OperationKind::Remove => {
            args.only(&["etag", "path"])?;
            let (path, etag) = (args.required("path")?, args.optional("etag")?);
            Operation::Remove { path: RemotePath::parse(path)?, etag }
        }
        OperationKind::Move => {
            let (from, to, pre, etag) = parse_two_paths(args)?;
            Operation::Move { from, to, pre, etag }
        }
        OperationKind::Copy => {
            let (from, to, pre, etag) = parse_two_paths(args)?;
            Operation::Copy { from, to, pre, etag }
        }
        OperationKind::Begin => {
            args.only(&["up", "path", "size"])?;
            let (up, path, size) = (args.required("up")?, args.required("path")?, args.optional("size")?);
            Operation::Begin { up, path: RemotePath::parse(path)?, size }
        }
        OperationKind::Append => {
            args.only(&["up", "off"])?;
            let (up, off) = (args.required("up")?, args.required("off")?);
            check_range(off, payload.raw_len)?;
            check_chunk("payload", payload.raw_len, chunk)?;
            Operation::Append { up, off }
        }
        OperationKind::Commit => {
            args.only(&["up", "pre", "hash", "size", "mtime_ns"])?;
            Operation::Commit {
                up: args.required("up")?,
                size: args.required("size")?,
                hash: args.required("hash")?,
                pre: args.optional("pre")?.unwrap_or_default(),
                mtime_ns: args.optional("mtime_ns")?,
            }
        }
        OperationKind::Abort => {
            args.only(&["up"])?;
            Operation::Abort { up: args.required("up")? }
        }
        OperationKind::Uploads => {
            args.only(&["after"])?;
            Operation::Uploads { after: args.optional("after")? }
        }
    })
}

fn parse_bare(args: Fields<'_>, operation: Operation) -> Result<Operation, Refusal> {
    args.only(&[])?;
    Ok(operation)
}

/// [CBOR-13] Unknown keys are ignored in hello alone, so that an extension can add arguments to it.
fn parse_hello(args: Fields<'_>) -> Result<Hello, Refusal> {
    let client: &str = args.required("client")?;
    if client.len() > limits::CLIENT {
        return Err(bad_args("client is longer than 128 bytes"));
    }
    Ok(Hello {
        auth: args.required("auth")?,
        client: client.to_owned(),
        take: args.optional("take")?,
        lease_ms: args.optional("lease_ms")?,
    })
}

fn parse_list(args: Fields<'_>) -> Result<Operation, Refusal> {
    args.only(&["path", "tree", "after", "limit"])?;
    let (path, tree) = (args.required("path")?, args.flag("tree")?);
    let (after, limit): (Option<&str>, _) = (args.optional("after")?, args.optional("limit")?);
    if after.is_some_and(|after| after.len() > limits::PATH) {
        return Err(bad_args("after is longer than 4096 bytes"));
    }
    if limit == Some(0) {
        return Err(bad_args("limit is 0"));
    }
    Ok(Operation::List { path: RemotePath::parse(path)?, after: after.map(ToOwned::to_owned), limit, tree })
}

fn parse_read(args: Fields<'_>, chunk: u64) -> Result<Operation, Refusal> {
    args.only(&["len", "off", "etag", "path"])?;
    let (path, etag) = (args.required("path")?, args.optional("etag")?);
    let (off, len) = (args.required("off")?, args.required("len")?);
    check_range(off, len)?;
    check_chunk("len", len, chunk)?;
    Ok(Operation::Read { path: RemotePath::parse(path)?, off, len, etag })
}

fn parse_hash(args: Fields<'_>) -> Result<Operation, Refusal> {
    args.only(&["len", "off", "path"])?;
    let path = args.required("path")?;
    let (off, len) = (args.optional("off")?.unwrap_or(0), args.optional("len")?);
    check_range(off, len.unwrap_or(0))?;
    Ok(Operation::Hash { path: RemotePath::parse(path)?, off, len })
}

fn parse_put(args: Fields<'_>, payload: Payload, chunk: u64) -> Result<Operation, Refusal> {
    args.only(&["pre", "path", "mtime_ns"])?;
    let (path, mtime_ns) = (args.required("path")?, args.optional("mtime_ns")?);
    let pre = args.optional("pre")?.unwrap_or_default();
    check_chunk("payload", payload.raw_len, chunk)?;
    Ok(Operation::Put { path: RemotePath::parse(path)?, pre, mtime_ns })
}

fn parse_write(args: Fields<'_>, payload: Payload, chunk: u64) -> Result<Operation, Refusal> {
    args.only(&["off", "etag", "path"])?;
    let (path, off, etag) = (args.required("path")?, args.required("off")?, args.optional("etag")?);
    check_range(off, payload.raw_len)?;
    check_chunk("payload", payload.raw_len, chunk)?;
    Ok(Operation::Write { path: RemotePath::parse(path)?, off, etag })
}

type TwoPaths = (RemotePath, RemotePath, Precondition, Option<Etag>);

fn parse_two_paths(args: Fields<'_>) -> Result<TwoPaths, Refusal> {
    args.only(&["to", "pre", "etag", "from"])?;
    let (from, to) = (args.required("from")?, args.required("to")?);
    let (pre, etag) = (args.optional("pre")?.unwrap_or_default(), args.optional("etag")?);
    let (from, to) = (RemotePath::parse(from)?, RemotePath::parse(to)?);
    if to.is_at_or_below(&from) {
        return Err(Refusal::new(Code::Loop));
    }
    Ok((from, to, pre, etag))
}

/// [OP-2]
fn check_range(off: u64, len: u64) -> Result<(), Refusal> {
    match off.checked_add(len) {
        Some(end) if end <= limits::INTEGER => Ok(()),
        _ => Err(bad_args("the range ends beyond 2^63 - 1")),
    }
}

/// [OP-5]
fn check_chunk(what: &str, len: u64, chunk: u64) -> Result<(), Refusal> {
    if len > chunk {
        return Err(Refusal::because(Code::TooLarge, format!("{what} is {len} bytes, more than {chunk}")));
    }
    Ok(())
}

fn bad_args(msg: &str) -> Refusal {
    Refusal::because(Code::BadArgs, msg)
}

fn write_args(args: &mut Out<'_>, operation: &Operation) {
    match operation {
        Operation::Hello(hello) => {
            args.bytes("auth", &hello.auth[..]);
            args.bytes("take", hello.take.as_ref().map(|take| &take.as_bytes()[..]));
            args.text("client", hello.client.as_str());
            args.uint("lease_ms", hello.lease_ms);
        }
        Operation::Ping | Operation::Bye | Operation::Flush => {}
        Operation::Stat { path } | Operation::Mkdir { path } => args.text("path", path.as_str()),
        Operation::List { path, after, limit, tree } => {
            args.text("path", path.as_str());
            args.flag("tree", *tree);
            args.text("after", after.as_deref());
            args.uint("limit", *limit);
        }
        Operation::Read { path, off, len, etag } => {
            args.uint("len", *len);
            args.uint("off", *off);
            args.bytes("etag", etag.as_ref().map(|etag| etag.as_bytes()));
            args.text("path", path.as_str());
        }
        Operation::Hash { path, off, len } => {
            args.uint("len", *len);
            args.uint("off", (*off > 0).then_some(*off));
            args.text("path", path.as_str());
        }
        Operation::Put { path, pre, mtime_ns } => {
            write_precondition(args, pre);
            args.text("path", path.as_str());
            args.int("mtime_ns", *mtime_ns);
        }
        Operation::Write { path, off, etag } => {
            args.uint("off", *off);
            args.bytes("etag", etag.as_ref().map(|etag| etag.as_bytes()));
            args.text("path", path.as_str());
        }
        Operation::Truncate { path, size, etag } => {
            args.bytes("etag", etag.as_ref().map(|etag| etag.as_bytes()));
            args.text("path", path.as_str());
            args.uint("size", *size);
        }
        Operation::Touch { path, mtime_ns } => {
            args.text("path", path.as_str());
            args.int("mtime_ns", *mtime_ns);
        }
        Operation::Remove { path, etag } => {
            args.bytes("etag", etag.as_ref().map(|etag| etag.as_bytes()));
            args.text("path", path.as_str());
        }
        Operation::Move { from, to, pre, etag } | Operation::Copy { from, to, pre, etag } => {
            args.text("to", to.as_str());
            write_precondition(args, pre);
            args.bytes("etag", etag.as_ref().map(|etag| etag.as_bytes()));
            args.text("from", from.as_str());
        }
        Operation::Begin { up, path, size } => {
            args.bytes("up", &up.as_bytes()[..]);
            args.text("path", path.as_str());
            args.uint("size", *size);
        }
        Operation::Append { up, off } => {
            args.bytes("up", &up.as_bytes()[..]);
            args.uint("off", *off);
        }
        Operation::Commit { up, size, hash, pre, mtime_ns } => {
            args.bytes("up", &up.as_bytes()[..]);
            write_precondition(args, pre);
            args.bytes("hash", &hash.as_bytes()[..]);
            args.uint("size", *size);
            args.int("mtime_ns", *mtime_ns);
        }
        Operation::Abort { up } => args.bytes("up", &up.as_bytes()[..]),
        Operation::Uploads { after } => args.bytes("after", after.as_ref().map(|after| &after.as_bytes()[..])),
    }
}

/// [CBOR-15] The default is left out.
fn write_precondition(args: &mut Out<'_>, pre: &Precondition) {
    match pre {
        Precondition::Absent => {}
        Precondition::Any => args.text("pre", "any"),
        Precondition::Etag(etag) => args.bytes("pre", etag.as_bytes()),
    }
}
