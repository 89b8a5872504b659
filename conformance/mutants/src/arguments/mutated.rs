//! Mutations of arguments, and of the order in which they are checked.

use super::{Arguments, OPERATIONS, Pre, Row, length, unsigned};
use crate::{
    behaviour::Behaviour,
    limits::Limits,
    mutations::{codes, encoding, envelope, hello, limits, listing, moving, paths, targets, uploads},
    paths::Path,
    reply::Refusal,
};
use remofile_proto::{
    Code, UploadId,
    cbor::{Map, Value},
};

/// Whether the length of a payload exceeds the chunk, found out when it is asked.
type IsLarge<'a> = dyn Fn() -> bool + 'a;

impl Behaviour {
    pub(super) fn mutated_operation(&self, op: &str, row: Option<&'static Row>) -> Option<&'static Row> {
        row.or_else(|| {
            let in_any_case = OPERATIONS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(op))?;
            self.has(&envelope::ANY_CASE).then_some(in_any_case)
        })
    }

    pub(super) fn mutated_code_of_unknown(&self, code: Code) -> Code {
        if self.has(&envelope::UNKNOWN_IS_BAD_ARGS) { Code::BadArgs } else { code }
    }

    pub(super) fn mutated_offer(&self, op: &str) -> Result<(), Refusal> {
        if op == "flush" && self.has(&codes::FLUSH_IS_MISSING) { Err(Code::BadOp.into()) } else { Ok(()) }
    }

    pub(super) fn mutated_order_of_arguments(&self, is_large: &IsLarge<'_>) -> Result<(), Refusal> {
        if is_large() && self.has(&codes::LARGE_BEFORE_ARGS) { Err(Code::TooLarge.into()) } else { Ok(()) }
    }

    pub(super) fn mutated_order_of_paths(&self, paths: &Result<(), Refusal>) -> Result<(), Refusal> {
        if paths.is_err() && self.has(&codes::PATHS_BEFORE_ARGS) { paths.clone() } else { Ok(()) }
    }

    /// Whether a missing argument is required.
    pub(super) fn mutated_requirement(&self, key: &str) -> bool {
        !self.any(&[(key == "auth", &hello::MISSING_AUTH), (key == "hash", &uploads::HASH_MAY_BE_MISSING)])
    }

    /// Whether missing arguments are refused.
    pub(super) fn mutated_check_of_missing(&self) -> bool {
        !self.has(&codes::MISSING_ARGUMENTS)
    }

    /// Whether an unknown argument is ignored.
    pub(super) fn mutated_unknown_argument(&self, op: &str, key: &str, is_ignored: bool) -> bool {
        if is_ignored {
            return !self.has(&encoding::HELLO_IS_STRICT);
        }
        let is_known_elsewhere =
            OPERATIONS.iter().any(|(_, required, optional)| required.contains(&key) || optional.contains(&key));
        self.any(&[
            (matches!(op, "ping" | "bye"), &encoding::PING_HAS_ARGUMENTS),
            (is_known_elsewhere, &encoding::KNOWN_ELSEWHERE),
            (true, &codes::UNKNOWN_ARGUMENTS),
        ])
    }

    /// Whether an argument that could not be read is refused.
    pub(super) fn mutated_check(&self, key: &str, value: Value<'_>) -> bool {
        if types(key).contains(kind(value)) {
            return !self.has(&codes::RANGES_ARE_IGNORED);
        }
        !self.any(&[(true, &codes::TYPES_ARE_IGNORED), (key == "auth", &hello::MISSING_AUTH)])
    }

    pub(super) fn mutated_check_of_pre(&self, op: &str, optional: &[&str], args: Map<'_>) -> Result<(), Refusal> {
        let lacks_pre = optional.contains(&"pre") && args.get("pre").is_none();
        let is_refused = self.any(&[
            (lacks_pre && op == "put", &targets::PUT_NEEDS_PRE),
            (lacks_pre && op != "put", &targets::PRE_IS_NEEDED),
        ]);
        if is_refused { Err(Code::BadArgs.into()) } else { Ok(()) }
    }

    pub(super) fn mutated_range(&self, checked: Result<(), Refusal>) -> Result<(), Refusal> {
        if checked.is_err() && self.has(&codes::SUMS_ARE_IGNORED) { Ok(()) } else { checked }
    }

    pub(super) fn mutated_size(
        &self,
        op: &str,
        args: Map<'_>,
        payload: Option<u64>,
        limits: &Limits,
        is_large: bool,
    ) -> bool {
        let Some(len) = length(op, payload, args) else { return is_large };
        let is_read = op == "read";
        let judged_otherwise = self.any(&[
            (len == limits.chunk && is_read, &limits::READS_ONE_LESS),
            (len == limits.chunk && !is_read, &limits::CHUNK_ONE_LESS),
            (len == limits.chunk + 1, &limits::CHUNK_ONE_MORE),
        ]);
        is_large != judged_otherwise
    }

    /// Whether a payload that is too large is refused.
    pub(super) fn mutated_check_of_size(&self, op: &str, paths: &Result<(), Refusal>) -> Result<bool, Refusal> {
        if paths.is_err() && self.has(&codes::PATHS_BEFORE_LARGE) {
            paths.clone()?;
        }
        Ok(!(op == "read" && self.has(&limits::LEN_OF_ANY_LENGTH)))
    }

    pub(super) fn mutated_path(
        &self,
        op: &str,
        key: &str,
        text: &str,
        path: Result<Path, Refusal>,
    ) -> Result<Path, Refusal> {
        let is_unchecked =
            path.is_err() && self.any(&[(key == "to", &paths::TO_UNCHECKED), (op == "begin", &paths::BEGIN_UNCHECKED)]);
        if is_unchecked { Ok(Path::unchecked(text)) } else { path }
    }

    pub(super) fn mutated_order_of_two(
        &self,
        from: &Result<Path, Refusal>,
        to: &Result<Path, Refusal>,
    ) -> Result<(), Refusal> {
        match (from, to) {
            (Err(_), Err(refusal)) if self.has(&codes::TO_BEFORE_FROM) => Err(refusal.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn mutated_loop(&self, op: &str, arguments: &Arguments, is_loop: bool) -> bool {
        let Arguments { from, to, .. } = arguments;
        let (is_move, same) = (op == "move", from == to);
        let judged_otherwise = self.any(&[
            (is_move && same, &moving::MOVE_TO_ITSELF),
            (!is_move && same, &moving::COPY_TO_ITSELF),
            (is_move && is_loop && !same, &moving::MOVE_BELOW_ITSELF),
            (!is_move && is_loop && !same, &moving::COPY_BELOW_ITSELF),
            (!is_loop && to.as_str().starts_with(from.as_str()), &moving::ALIKE_IS_BELOW),
        ]);
        is_loop != judged_otherwise
    }

    /// Whether LOOP is left to be found after the source.
    pub(super) fn mutated_late_loop(&self) -> bool {
        self.has(&codes::LOOP_IS_LATE)
    }

    /// Refuses arguments of the right type that are in their range.
    pub(super) fn mutated_refusal(&self, key: &str, value: Value<'_>) -> Option<()> {
        let is_refused = match (key, value) {
            ("lease_ms", Value::Int(number)) => number > u32::MAX.into() && self.has(&hello::LEASE_OF_32_BITS),
            ("limit", Value::Int(number)) => number > 1_000 && self.has(&listing::LARGE_LIMITS),
            ("pre", Value::Text("absent")) => self.has(&targets::ABSENT_IS_UNKNOWN),
            ("client", Value::Text(client)) => self
                .any(&[(client.len() == 128, &hello::CLIENT_ONE_LESS), (client.is_empty(), &hello::CLIENT_HAS_A_NAME)]),
            _ => false,
        };
        (!is_refused).then_some(())
    }
}

impl Arguments {
    /// Takes an argument of a wrong type or out of its range.
    pub(super) fn mutated_argument(
        &mut self,
        op: &str,
        key: &str,
        value: Value<'_>,
        behaviour: &Behaviour,
    ) -> Option<()> {
        let has = |mutation| behaviour.has(mutation);
        match (key, value) {
            ("limit", Value::Int(number)) if has(&listing::LIMIT_OF_NOTHING) => self.limit = Some(unsigned(number)?),
            ("after", Value::Text(after)) if op == "list" && has(&listing::AFTER_IS_LONG) => self.after = after.into(),
            ("up", Value::Bytes(up)) if has(&codes::ID_OF_ANY_LENGTH) => {
                let mut id = [0; 16];
                id.iter_mut().zip(up).for_each(|(to, from)| *to = *from);
                self.up = Some(UploadId::new(id));
            }
            ("client", Value::Text(client))
                if behaviour.any(&[
                    (client.len() == 129, &hello::CLIENT_ONE_MORE),
                    (client.chars().count() <= 128, &hello::CLIENT_IN_CHARACTERS),
                    (true, &hello::LONG_CLIENT),
                ]) =>
            {
                self.client = client.to_owned();
            }
            ("auth", Value::Bytes(auth)) if has(&hello::AUTH_OF_ANY_LENGTH) => self.auth = auth.into(),
            ("etag", Value::Bytes(etag)) if has(&codes::ETAG_OF_ANY_LENGTH) => self.etag = Some(etag.into()),
            ("pre", Value::Text(_)) if has(&codes::PRE_OF_ANY_TEXT) => self.pre = Pre::Any,
            _ => return None,
        }
        Some(())
    }
}

/// The letters of the types that an argument may have.
fn types(key: &str) -> &'static str {
    match key {
        "path" | "from" | "to" | "client" => "t",
        "off" | "len" | "size" | "lease_ms" | "limit" | "mtime_ns" => "i",
        "tree" => "o",
        "after" | "pre" => "tb",
        _ => "b",
    }
}

/// The letter of a value's type.
fn kind(value: Value<'_>) -> char {
    match value {
        Value::Int(_) => 'i',
        Value::Bytes(_) => 'b',
        Value::Text(_) => 't',
        Value::Bool(_) => 'o',
        _ => '-',
    }
}
