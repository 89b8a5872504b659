//! Every operation and error as people see them; a change of the wire or of a text shows here.

use insta::assert_snapshot;
use remofile_proto::cbor::{self, ErrorKind, ItemError};
use remofile_proto::envelope::MessageError;
use remofile_proto::path::{NameError, WindowsNameError};
use remofile_proto::reply::Malformed;
use remofile_proto::token::TokenError;
use remofile_proto::z85::Z85Error;
use remofile_proto::*;
use std::fmt::Write;

const SESSION: SessionId = SessionId::new([0xa1; 16]);
const UP: UploadId = UploadId::new([0x0b; 16]);

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

fn etag() -> Option<Etag> {
    Etag::try_from(&[0xe7, 0xa6][..]).ok()
}

fn printed(frames: impl IntoIterator<Item = Vec<u8>>) -> String {
    frames.into_iter().fold(String::new(), |mut out, frame| {
        writeln!(out, "{}", cbor::decode(&frame).unwrap()).unwrap();
        out
    })
}

fn lines(errors: &[&dyn std::fmt::Display]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

#[test]
fn requests_with_every_argument() {
    let (hash, mtime_ns) = (Digest::new([0xd7; 32]), Some(-1));
    let pre = etag().map(Precondition::Etag).unwrap();
    let operations = [
        Operation::Hello(Hello {
            auth: [0x44; 32],
            client: "anna@laptop".into(),
            take: Some(SessionId::new([0xb2; 16])),
            lease_ms: Some(5_000),
        }),
        Operation::Ping,
        Operation::Bye,
        Operation::Stat { path: path("/a") },
        Operation::List { path: path("/"), after: Some("b/c".into()), limit: Some(100), tree: true },
        Operation::Read { path: path("/a"), off: 65_536, len: 256, etag: etag() },
        Operation::Hash { path: path("/a"), off: 1, len: Some(2) },
        Operation::Mkdir { path: path("/d") },
        Operation::Put { path: path("/a"), pre: pre.clone(), mtime_ns },
        Operation::Write { path: path("/a"), off: 7, etag: etag() },
        Operation::Truncate { path: path("/a"), size: 1 << 40, etag: etag() },
        Operation::Touch { path: path("/a"), mtime_ns: i64::MIN },
        Operation::Remove { path: path("/a"), etag: etag() },
        Operation::Move { from: path("/a"), to: path("/b"), pre: Precondition::Any, etag: etag() },
        Operation::Copy { from: path("/a"), to: path("/\u{e4}\"\\"), pre: Precondition::Any, etag: etag() },
        Operation::Begin { up: UP, path: path("/u"), size: Some(300_000) },
        Operation::Append { up: UP, off: 0 },
        Operation::Commit { up: UP, size: 11, hash, pre, mtime_ns },
        Operation::Abort { up: UP },
        Operation::Uploads { after: Some(UP) },
        Operation::Flush,
    ];
    assert!(operations.iter().map(Operation::info).eq(OPERATIONS));
    assert_snapshot!(printed(operations.iter().zip(1..).map(|(operation, seq)| {
        encode_request(SESSION, if operation.info().is_numbered() { seq } else { 0 }, operation)
    })));
}

#[test]
fn requests_with_required_arguments_alone() {
    let pre = Precondition::Absent;
    let operations = [
        Operation::Hello(Hello { auth: [0x44; 32], client: String::new(), take: None, lease_ms: None }),
        Operation::List { path: path("/"), after: None, limit: None, tree: false },
        Operation::Read { path: path("/a"), off: 0, len: 0, etag: None },
        Operation::Hash { path: path("/a"), off: 0, len: None },
        Operation::Put { path: path("/a"), pre: pre.clone(), mtime_ns: None },
        Operation::Write { path: path("/a"), off: 0, etag: None },
        Operation::Move { from: path("/a"), to: path("/b"), pre: pre.clone(), etag: None },
        Operation::Begin { up: UP, path: path("/u"), size: None },
        Operation::Commit { up: UP, size: 0, hash: Digest::new([0xaf; 32]), pre, mtime_ns: None },
        Operation::Uploads { after: None },
    ];
    assert_snapshot!(printed(operations.iter().map(|operation| encode_request(SESSION, 1, operation))));
}

#[test]
fn answers() {
    let file = Entry { kind: Kind::File, size: Some(11), mtime_ns: Some(-1), etag: etag(), racy: true };
    let bare = |kind, mtime_ns| Entry { kind, size: None, mtime_ns, etag: None, racy: false };
    let listed = |name: &str, entry| ListedEntry { name: name.into(), entry };
    let upload = |size| UploadEntry { up: UP, path: path("/u"), off: 5, size, age_ms: 9 };
    let answers = [
        Answer::Empty,
        Answer::Hello(HelloReply {
            window: 64,
            chunk: 262_144,
            header: 65_536,
            lease_ms: 30_000,
            boot: BootId::new([0xb0; 16]),
            root: Some(RootId::new([0x40; 16])),
            names: Names::Windows,
            folds: true,
            ro: false,
            caps: ["x-one"].into_iter().collect(),
        }),
        Answer::Entry(file.clone()),
        Answer::Listing(Listing {
            entries: vec![
                listed("dir", bare(Kind::Dir, Some(1))),
                listed("file", file),
                listed("link", bare(Kind::Link, None)),
                listed("pipe", bare(Kind::Other, None)),
            ],
            more: true,
            skipped: 2,
        }),
        Answer::Read(ReadResult { etag: etag().unwrap(), size: 11 }),
        Answer::Hash(HashResult { hash: Digest::new([0xd7; 32]), len: 11, etag: etag().unwrap() }),
        Answer::Staged(Staged { off: 5, hash: Digest::new([0xd7; 32]) }),
        Answer::Offset(11),
        Answer::Uploads(Uploads { uploads: vec![upload(None), upload(Some(7))], more: false }),
    ];
    assert_snapshot!(printed(answers.into_iter().map(|answer| encode_reply(SESSION, 1, &Ok(answer)))));
}

#[test]
fn refusals() {
    let refusals = Code::ALL.iter().filter(|code| **code != Code::Ok).map(|code| {
        let mut refusal = Refusal::because(*code, code.text());
        refusal.detail = match code {
            Code::Busy => {
                Detail::Busy(Busy { idle_ms: 4_200, lease_ms: 30_000, client: "anna".into(), session: SESSION })
            }
            Code::Seq => Detail::Next(7),
            Code::Offset => Detail::Offset(11),
            Code::Pending => Detail::Progress { done: Some(1), total: Some(2) },
            _ => Detail::None,
        };
        encode_reply(SESSION, 1, &Err(refusal))
    });
    assert_snapshot!(printed(refusals));
}

#[test]
fn codes() {
    let table: String = Code::ALL.iter().map(|code| format!("{} {code} {:?}\n", code.number(), code.class())).collect();
    assert_snapshot!(table);
}

#[test]
fn control_characters_are_escaped() {
    let item = cbor::Item::Text("\0\n\u{1b}[2J\u{7f}\u{9b}\u{e9}".into());
    assert_snapshot!(printed([item.encode().unwrap()]));
}

#[test]
fn errors_of_the_profile() {
    use ErrorKind::*;
    let kinds = [
        Truncated,
        Trailing,
        LongNumber,
        IntegerRange,
        Indefinite,
        Reserved,
        Tag,
        Float,
        Simple,
        Utf8,
        KeyType,
        KeyLength,
        KeyOrder,
        KeyTwice,
        Depth,
    ];
    let errors = kinds.map(|kind| cbor::Error { kind, offset: 23 });
    assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
}

#[test]
fn errors_of_items() {
    let key = || "k\n".to_owned();
    assert_snapshot!(lines(&[&ItemError::KeyLength(key()), &ItemError::KeyTwice(key()), &ItemError::Depth]));
}

#[test]
fn errors_of_messages() {
    assert_snapshot!(lines(&[
        &MessageError::TooLong { actual: 65_537, limit: 65_536 },
        &MessageError::Cbor(cbor::Error { kind: ErrorKind::Tag, offset: 40 }),
        &MessageError::Item { item: "op", expected: "text" },
        &MessageError::FrameCount { actual: 1, expected: 2 },
    ]));
}

#[test]
fn errors_of_fields() {
    assert_snapshot!(lines(&[
        &FieldError::Missing { key: "path" },
        &FieldError::Unfit { key: "off", expected: "an unsigned integer" },
        &FieldError::Unknown { key: "\u{1b}x".into() },
    ]));
}

#[test]
fn errors_of_paths_and_names() {
    let name = |error| PathError::Name { index: 2, error };
    assert_snapshot!(lines(&[
        &PathError::TooLong(4_097),
        &PathError::TooDeep(129),
        &PathError::Relative,
        &PathError::TrailingSlash,
        &name(NameError::Empty),
        &name(NameError::Dots),
        &name(NameError::TooLong(256)),
        &name(NameError::Slash),
        &name(NameError::Control('\u{9b}')),
        &name(NameError::Reserved),
        &WindowsNameError::Device,
        &WindowsNameError::Character('?'),
        &WindowsNameError::TrailingDotOrSpace,
        &WindowsNameError::ShortName,
    ]));
}

#[test]
fn errors_of_replies() {
    let error = PathError::Name { index: 1, error: NameError::Dots };
    assert_snapshot!(lines(&[
        &ReplyError::Refused(Refusal::because(Code::NotFound, "/a: there is no such file or directory")),
        &ReplyError::UnknownCode { number: 31, class: Class::Refused, msg: None },
        &Malformed::Cbor(cbor::Error { kind: ErrorKind::Utf8, offset: 40 }),
        &Malformed::Item { item: "code", expected: "0 to 255" },
        &Malformed::FrameCount { actual: 3, expected: 1 },
        &Malformed::Excess { actual: 11, asked: 10 },
        &Malformed::Field(FieldError::Missing { key: "etag" }),
        &Malformed::Name { index: 3, error: NameError::Slash },
        &Malformed::Path { index: 3, error },
    ]));
}

#[test]
fn errors_of_tokens_keys_and_ids() {
    let id = SessionId::try_from(&[0; 15][..]).unwrap_err();
    let etag = Etag::try_from(&[][..]).unwrap_err();
    assert_snapshot!(lines(&[
        &TokenError::Length(21),
        &TokenError::Character(8),
        &TokenError::Distinct(7),
        &Z85Error::Length(39),
        &Z85Error::Character(40),
        &Z85Error::Range(36),
        &id,
        &etag,
    ]));
}
