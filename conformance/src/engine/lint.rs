//! Checks every reply of every case: envelope, encoding, schema, announced limits.

mod results;

use crate::wire::{
    cbor::{self, Value},
    code::{Code, OK, PENDING, VERSION},
    request::MAGIC,
};

/// A violation found in a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The requirement that is broken.
    pub(crate) requirement: &'static str,
    pub(crate) what: String,
}

/// What is known about the request that a reply answers.
#[derive(Clone, Debug)]
pub(crate) struct Expected<'a> {
    /// The operation; none if unknown.
    pub(crate) op: Option<&'a str>,
    /// The request's `limit`.
    pub(crate) limit: Option<u64>,
    /// The request's `after`.
    pub(crate) after: Option<&'a Value>,
    /// The request's `len`.
    pub(crate) len: Option<u64>,
    /// The chunk that hello announced, or the largest possible one.
    pub(crate) chunk: u64,
    /// The path of the served directory, which no `msg` may show.
    pub(crate) root: Option<&'a str>,
}

/// The fields of a reply header.
pub(crate) struct Shape {
    pub(crate) session: [u8; 16],
    pub(crate) seq: u64,
    pub(crate) code: Code,
    pub(crate) result: Value,
}

/// The rules for every reply: id of the case that reports it, requirement, what passes.
pub(crate) const RULES: &[(&str, &str, &str)] = &[
    (
        "replies-follow-the-routing-frames",
        "ENV-2",
        "Every reply begins with the request's routing frames and an empty frame.",
    ),
    (
        "reads-answered-ok-carry-a-payload",
        "ENV-6",
        "Every reply to a read with code OK has exactly two frames after the delimiter.",
    ),
    ("other-replies-carry-no-payload", "ENV-7", "Every other reply has exactly one frame after the delimiter."),
    ("requests-are-answered-once", "ENV-8", "Every reply answers a request that was sent."),
    (
        "reply-headers-have-five-items",
        "ENV-11",
        "Every reply header is an array of magic, session, seq, code (0 to 255) and result (a map).",
    ),
    (
        "replies-carry-the-session-of-their-request",
        "ENV-12",
        "Every reply has the session and number of a request that was sent.",
    ),
    (
        "reply-headers-hold-only-the-eight-types",
        "CBOR-1",
        "No reply header has a float, tag, null, undefined or other simple value.",
    ),
    ("reply-integers-fit-63-bits", "CBOR-2", "Every integer in a reply lies within −2^63 to 2^63−1."),
    (
        "reply-heads-have-the-shortest-form",
        "CBOR-3",
        "Every integer, length and count in a reply is in its shortest form.",
    ),
    ("reply-items-are-of-definite-length", "CBOR-4", "No string, array or map in a reply is of indefinite length."),
    ("reply-texts-are-utf-8", "CBOR-5", "Every text string in a reply is valid UTF-8."),
    ("reply-keys-are-short-texts", "CBOR-6", "Every map key in a reply is a text string of at most 23 bytes."),
    (
        "reply-keys-are-sorted-and-unique",
        "CBOR-7",
        "The keys of every map in a reply ascend bytewise by their encodings.",
    ),
    ("reply-nesting-is-at-most-eight", "CBOR-8", "Nothing in a reply is nested more than 8 deep."),
    (
        "nothing-follows-a-reply-header",
        "CBOR-9",
        "The header frame of every reply holds one whole item and nothing else.",
    ),
    ("replies-have-the-keys-of-their-code", "CODE-1", "Every reply has the result keys of its code, each of its type."),
    (
        "human-readable-messages-are-texts",
        "CODE-2",
        "`msg`, where there is one, is a text string, and never in a reply OK.",
    ),
    ("messages-do-not-reveal-the-servers-path", "CODE-3", "No `msg` contains the path of the served directory."),
    ("codes-are-those-of-version-1", "CODE-5", "Every code is one that version 1 has."),
    (
        "results-without-keys-are-empty",
        "OP-3",
        "The result of an operation without result keys has no key of the specification.",
    ),
    (
        "results-have-the-keys-of-their-operation",
        "OP-1",
        "Every result OK has the keys of its operation, each of its type.",
    ),
    (
        "hello-announces-values-in-range",
        "HELLO-2",
        "window is 1 to 1,024, chunk 65,536 to 1,048,576, header 16,384 to 65,536, and the rest is there.",
    ),
    ("boot-is-16-bytes", "HELLO-3", "`boot` is a byte string of 16 bytes."),
    ("root-is-16-bytes", "HELLO-4", "`root`, where there is one, is a byte string of 16 bytes."),
    ("names-is-posix-or-windows", "HELLO-5", "`names` is \"posix\" or \"windows\", `folds` and `ro` are booleans."),
    ("caps-is-an-array-of-texts", "HELLO-6", "`caps` is an array of text strings."),
    ("unknown-caps-begin-with-x", "EXT-4", "A capability that the specification does not have begins with `x-`."),
    ("entry-kinds-are-the-four-of-the-specification", "ENTRY-1", "`kind` is file, dir, link or other."),
    (
        "entries-have-the-keys-of-their-kind",
        "ENTRY-2",
        "A file has size, mtime_ns and etag, a directory only mtime_ns, others none of the three.",
    ),
    ("etags-are-1-to-64-bytes", "ENTRY-3", "Every `etag` is a byte string of 1 to 64 bytes."),
    ("racy-is-true-or-left-out", "ENTRY-6", "`racy` is true or absent, and only in entries of files."),
    ("list-pages-are-in-order", "LIST-2", "Names ascend bytewise, `/` counting as 00, and sort after `after`."),
    ("list-pages-keep-to-the-limit", "LIST-5", "A page has at most `limit` entries."),
    ("list-pages-with-more-have-an-entry", "LIST-7", "A page that says `more` has at least one entry."),
    ("listed-names-are-valid", "LIST-10", "Every listed name is valid."),
    ("the-reserved-name-is-not-listed", "LIST-11", "No listing has `.remofile`, in any case."),
    ("reads-are-not-longer-than-asked", "READ-1", "The payload of a read has at most `len` bytes."),
    (
        "upload-pages-are-in-order",
        "UPLOADS-1",
        "Staged uploads ascend by their ids and sort after `after`, each with up, path, off and age_ms.",
    ),
    ("upload-pages-with-more-have-one", "UPLOADS-2", "A page of uploads that says `more` has at least one."),
    ("reply-headers-fit-the-chunk", "LIMIT-2", "No reply header is longer than `chunk` bytes."),
];

/// Checks the frames after the delimiter, and returns the decoded header.
pub(crate) fn lint(frames: &[Vec<u8>], expected: &Expected<'_>) -> (Option<Shape>, Vec<Finding>) {
    let mut findings = ReplyFindings(Vec::new());
    let Some(header) = frames.first() else {
        findings.add("ENV-7", "a message with nothing after the delimiter");
        return (None, findings.0);
    };
    if header.len() as u64 > expected.chunk {
        findings.add("LIMIT-2", format!("a header of {} bytes, with a chunk of {}", header.len(), expected.chunk));
    }
    let value = match cbor::read(header) {
        Ok(value) => value,
        Err(broken) => {
            findings.add(broken.requirement, broken.to_string());
            return (None, findings.0);
        }
    };
    let Some(shape) = shape(&value) else {
        findings.add("ENV-11", format!("not a reply header: {value}"));
        return (None, findings.0);
    };
    count_frames(frames, &shape, expected, &mut findings);
    if shape.code.name().is_none() {
        findings.add("CODE-5", format!("code {} does not exist in version 1", shape.code.0));
    }
    if shape.code == VERSION && (shape.session != [0; 16] || shape.seq != 0) {
        findings.add("ENV-12", "VERSION with a session or number other than zero");
    }
    results::check(&shape, expected, &mut findings);
    (Some(shape), findings.0)
}

/// Collects findings.
struct ReplyFindings(Vec<Finding>);

impl ReplyFindings {
    fn add(&mut self, requirement: &'static str, what: impl Into<String>) {
        self.0.push(Finding { requirement, what: what.into() });
    }

    fn unless(&mut self, fine: bool, requirement: &'static str, what: impl FnOnce() -> String) {
        if !fine {
            self.add(requirement, what());
        }
    }
}

fn shape(value: &Value) -> Option<Shape> {
    let [magic, session, seq, code, result] = value.array()? else { return None };
    let code = Code(code.uint().filter(|code| *code <= 255)?);
    (magic.text() == Some(MAGIC) && matches!(result, Value::Map(_))).then_some(())?;
    Some(Shape { session: session.bytes()?.try_into().ok()?, seq: seq.uint()?, code, result: result.clone() })
}

fn count_frames(frames: &[Vec<u8>], shape: &Shape, expected: &Expected<'_>, findings: &mut ReplyFindings) {
    let read = expected.op == Some("read") && shape.code == OK;
    let wanted = if read { 2 } else { 1 };
    if expected.op.is_some() && frames.len() != wanted {
        let requirement = if read { "ENV-6" } else { "ENV-7" };
        findings.add(requirement, format!("{} frames after the delimiter, not {wanted}", frames.len()));
    }
    if let (true, Some(payload), Some(len)) = (read, frames.get(1), expected.len) {
        findings.unless(payload.len() as u64 <= len, "READ-1", || {
            format!("{} bytes of payload for a len of {len}", payload.len())
        });
    }
    if shape.code == PENDING {
        let numbers = ["done", "total"].iter().filter_map(|key| shape.result.member(key));
        findings.unless(numbers.into_iter().all(|number| number.uint().is_some()), "CODE-1", || {
            format!("PENDING with done or total that is not an unsigned integer: {}", shape.result)
        });
    }
}

/// The rules as cases, for lists, explanations and verdicts; they are judged by what the others saw.
pub(crate) fn cases() -> &'static [crate::engine::case::Case] {
    use crate::engine::case::{Case, must};
    static CASES: std::sync::OnceLock<Vec<Case>> = std::sync::OnceLock::new();
    CASES.get_or_init(|| {
        let rules = RULES.iter().map(|(id, requirement, passes)| {
            let case = must(id, std::slice::from_ref(requirement)).without_directory();
            Case {
                section: "every reply",
                ..case.sends("Nothing of its own: it looks at every reply to every case").passes(*passes)
            }
        });
        rules.collect()
    })
}
