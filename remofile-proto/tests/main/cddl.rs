//! `spec/messages.cddl` accepts what the codec accepts and writes, and refuses wrong arguments and results.

use crate::vector_files::{ReplyVector, RequestVector, Vector, judge, same};
use ::cddl::ast::CDDL;
use ::cddl::cddl_from_str;
use ::cddl::validator::{Validator, cbor::CBORValidator, cbor_value::decode_cbor};
use remofile_proto::{
    Answer, BootId, Busy, Capabilities, Code, Detail, Digest, Entry, Etag, HashResult, Hello, HelloReply, Kind,
    ListedEntry, Listing, Names, Operation, Precondition, ReadResult, Refusal, RemotePath, RootId, SessionId, Staged,
    UploadEntry, UploadId, Uploads, encode_reply, encode_request,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// BAD_ARGS that no schema can say: `off` and a length fit each by itself, and their sum does not.
const SUMS: [&str; 5] = [
    "append-beyond-the-largest-offset-is-bad-args",
    "hash-beyond-the-largest-offset-is-bad-args",
    "read-beyond-the-largest-offset-is-bad-args",
    "sum-before-size-is-bad-args",
    "write-beyond-the-largest-offset-is-bad-args",
];

/// Broken replies that a schema of one header cannot see.
const UNSEEN: [(&str, &str); 10] = [
    ("refusal-of-read-with-a-payload-is-refused", "frames are not part of it"),
    ("reply-to-read-with-more-than-asked-for-is-refused", "frames are not part of it"),
    ("reply-to-read-without-payload-is-refused", "frames are not part of it"),
    ("reply-to-stat-with-payload-is-refused", "frames are not part of it"),
    ("reply-to-uploads-with-a-bad-path-is-refused", "names within a path are not part of it"),
    ("reply-with-a-float-under-an-unknown-key-is-refused", "any is all of CBOR"),
    ("reply-with-a-key-twice-is-refused", "the encoding is not part of it"),
    ("reply-with-a-long-integer-is-refused", "the encoding is not part of it"),
    ("reply-with-a-trailing-byte-is-refused", "the encoding is not part of it"),
    ("reply-with-keys-in-the-wrong-order-is-refused", "the encoding is not part of it"),
];

#[test]
fn accepted_requests_fit_the_schema() {
    judge(Vector::request, |_, vector: &RequestVector| {
        if vector.expect != "accept" {
            return Ok(());
        }
        let header = vector.frames[0].bytes();
        fits(&format!("request-{}", vector.op.as_ref().unwrap()), &header)?;
        fits("request", &header)
    });
}

#[test]
fn accepted_replies_fit_the_schema() {
    judge(Vector::reply, |_, vector: &ReplyVector| {
        if vector.expect != "accept" {
            return Ok(());
        }
        let header = vector.frames[0].bytes();
        fits(&format!("reply-{}", vector.op), &header)?;
        fits("reply", &header)
    });
}

#[test]
fn wrong_arguments_do_not_fit_the_schema() {
    judge(Vector::request, |name, vector: &RequestVector| {
        if !matches!(&*vector.expect, "BAD_ARGS" | "BAD_OP") {
            return Ok(());
        }
        same("fitting", fits("request", &vector.frames[0].bytes()).is_ok(), SUMS.contains(&name))
    });
}

#[test]
fn wrong_results_do_not_fit_the_schema() {
    judge(Vector::reply, |name, vector: &ReplyVector| {
        if vector.expect != "refuse" {
            return Ok(());
        }
        if UNSEEN.iter().any(|(unseen, _)| *unseen == name) {
            return Ok(());
        }
        same("fitting", fits(&format!("reply-{}", vector.op), &vector.frames[0].bytes()).is_ok(), false)
    });
}

#[test]
fn every_request_that_the_codec_writes_fits_the_schema() {
    let wrong: Vec<String> = operations()
        .iter()
        .filter_map(|operation| {
            let name = operation.name();
            let seq = u64::from(!matches!(name, "hello" | "ping" | "bye"));
            let header = encode_request(SessionId::new([7; 16]), seq, operation);
            fits(&format!("request-{name}"), &header).err().map(|error| format!("{operation:?}: {error}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reply_that_the_codec_writes_fits_the_schema() {
    let wrong: Vec<String> = answers()
        .into_iter()
        .map(|(op, answer)| (op, Ok(answer)))
        .chain(refusals().into_iter().map(|refusal| ("stat", Err(refusal))))
        .filter_map(|(op, result)| {
            let unnumbered = matches!(op, "hello" | "ping" | "bye")
                || matches!(&result, Err(refusal) if matches!(refusal.code, Code::Busy | Code::Version));
            let header = encode_reply(SessionId::new([7; 16]), u64::from(!unnumbered), &result);
            fits(&format!("reply-{op}"), &header).err().map(|error| format!("{result:?}: {error}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a header fits a rule. The validator panics, instead of refusing, where a byte string meets a rule for a
/// certain text: that is a refusal too.
fn fits(rule: &str, header: &[u8]) -> Result<(), String> {
    let schema = schema(rule);
    let value = decode_cbor(header).map_err(|error| error.to_string())?;
    let verdict = catch_unwind(AssertUnwindSafe(|| CBORValidator::new(schema, value, None).validate()));
    match verdict {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{rule}: {error}")),
        Err(_) => Err(format!("{rule}: the validator panicked")),
    }
}

/// The schema that begins with this rule, parsed once and kept as long as the test runs.
fn schema(rule: &str) -> &'static CDDL<'static> {
    thread_local! {
        static SCHEMAS: RefCell<BTreeMap<String, &'static CDDL<'static>>> = const { RefCell::new(BTreeMap::new()) };
    }
    SCHEMAS.with_borrow_mut(|schemas| {
        *schemas.entry(rule.to_owned()).or_insert_with(|| {
            let text = format!("start = {rule}\n{}", include_str!("../../../spec/messages.cddl"));
            Box::leak(Box::new(cddl_from_str(text.leak(), true).unwrap()))
        })
    })
}

/// Every operation, with all that is optional absent and present.
fn operations() -> Vec<Operation> {
    let bare = [Operation::Ping, Operation::Bye, Operation::Flush];
    let mut operations = bare.to_vec();
    for full in [false, true] {
        let etags =
            [None, Some(etag(1)), Some(etag(64))].into_iter().skip(usize::from(full)).take(1 + usize::from(full));
        let pres =
            if full { vec![Precondition::Any, Precondition::Etag(etag(64))] } else { vec![Precondition::Absent] };
        let (up, mtime_ns) = (UploadId::new([3; 16]), full.then_some(i64::MIN));
        let number = full.then_some(i64::MAX.cast_unsigned());
        let (off, len) = if full { (i64::MAX.cast_unsigned(), 0) } else { (0, 1) };
        let path = || if full { RemotePath::parse(&"/name".repeat(100)).unwrap() } else { RemotePath::root() };
        let (from, to) = (RemotePath::parse("/from").unwrap(), RemotePath::parse("/to").unwrap());
        operations.extend([
            Operation::Hello(Hello {
                auth: [9; 32],
                client: "c".repeat(if full { 128 } else { 0 }),
                take: full.then_some(SessionId::new([8; 16])),
                lease_ms: number,
            }),
            Operation::Stat { path: path() },
            Operation::List { path: path(), after: full.then(String::new), limit: number, tree: full },
            Operation::Hash { path: path(), off, len: full.then_some(0) },
            Operation::Mkdir { path: path() },
            Operation::Touch { path: path(), mtime_ns: if full { i64::MAX } else { i64::MIN } },
            Operation::Begin { up, path: path(), size: number },
            Operation::Append { up, off },
            Operation::Abort { up },
            Operation::Uploads { after: full.then_some(up) },
        ]);
        for etag in etags {
            operations.extend([
                Operation::Read { path: path(), off, len, etag: etag.clone() },
                Operation::Write { path: path(), off, etag: etag.clone() },
                Operation::Truncate { path: path(), size: off, etag: etag.clone() },
                Operation::Remove { path: path(), etag: etag.clone() },
                Operation::Move { from: from.clone(), to: to.clone(), pre: pres[0].clone(), etag: etag.clone() },
                Operation::Copy { from: from.clone(), to: to.clone(), pre: pres[0].clone(), etag },
            ]);
        }
        for pre in pres {
            operations.extend([
                Operation::Put { path: path(), pre: pre.clone(), mtime_ns },
                Operation::Commit { up, size: off, hash: Digest::new([5; 32]), pre, mtime_ns },
            ]);
        }
    }
    operations
}

/// An answer of every operation, with all that is optional absent and present.
fn answers() -> Vec<(&'static str, Answer)> {
    let file = |racy| Entry { kind: Kind::File, size: Some(0), mtime_ns: Some(i64::MIN), etag: Some(etag(16)), racy };
    let directory = Entry { kind: Kind::Dir, size: None, mtime_ns: Some(0), etag: None, racy: false };
    let bare = |kind| Entry { kind, size: None, mtime_ns: None, etag: None, racy: false };
    let entries = [file(false), file(true), directory, bare(Kind::Link), bare(Kind::Other)];
    let listed = entries.iter().map(|entry| ListedEntry { name: "a/b".to_owned(), entry: entry.clone() });
    let hash = Digest::new([5; 32]);
    let hello = |root, names, set, caps| HelloReply {
        window: 1024,
        chunk: 1_048_576,
        header: 65_536,
        lease_ms: 30_000,
        boot: BootId::new([1; 16]),
        root,
        names,
        folds: set,
        ro: set,
        caps,
    };
    let upload = |size| UploadEntry { up: UploadId::new([3; 16]), path: RemotePath::root(), off: 1, size, age_ms: 2 };
    let mut answers = vec![
        ("hello", Answer::Hello(hello(None, Names::Posix, false, Capabilities::default()))),
        (
            "hello",
            Answer::Hello(hello(Some(RootId::new([2; 16])), Names::Windows, true, ["x-a"].into_iter().collect())),
        ),
        ("list", Answer::Listing(Listing::default())),
        ("list", Answer::Listing(Listing { entries: listed.collect(), more: true, skipped: 7 })),
        ("read", Answer::Read(ReadResult { etag: etag(64), size: i64::MAX.cast_unsigned() })),
        ("hash", Answer::Hash(HashResult { hash, len: 0, etag: etag(1) })),
        ("begin", Answer::Staged(Staged { off: 0, hash })),
        ("append", Answer::Offset(i64::MAX.cast_unsigned())),
        ("uploads", Answer::Uploads(Uploads::default())),
        ("uploads", Answer::Uploads(Uploads { uploads: vec![upload(None), upload(Some(9))], more: true })),
    ];
    answers.extend(["ping", "bye", "remove", "abort", "flush"].map(|op| (op, Answer::Empty)));
    for op in ["stat", "mkdir", "put", "write", "truncate", "touch", "move", "copy", "commit"] {
        answers.extend(entries.iter().map(|entry| (op, Answer::Entry(entry.clone()))));
    }
    answers
}

/// Every code but OK, with what it carries, with and without a sentence for people.
fn refusals() -> Vec<Refusal> {
    let details = |code| match code {
        Code::Busy => {
            let client = "c".repeat(128);
            vec![Detail::Busy(Busy { idle_ms: 0, lease_ms: 1, client, session: SessionId::new([8; 16]) })]
        }
        Code::Seq => vec![Detail::Next(1)],
        Code::Offset => vec![Detail::Offset(0)],
        Code::Pending => vec![
            Detail::Progress { done: None, total: None },
            Detail::Progress { done: Some(1), total: None },
            Detail::Progress { done: Some(1), total: Some(2) },
        ],
        _ => vec![Detail::None],
    };
    let mut refusals = vec![];
    for code in Code::ALL.iter().copied().filter(|code| *code != Code::Ok) {
        for detail in details(code) {
            for msg in [None, Some("no".to_owned())] {
                refusals.push(Refusal { code, detail: detail.clone(), msg });
            }
        }
    }
    refusals
}

fn etag(length: usize) -> Etag {
    Etag::try_from(vec![0xe7; length].as_slice()).unwrap()
}
