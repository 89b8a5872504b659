//! What decoding costs in memory: **at most 64 KiB and 8 bytes for each byte of input**, whatever it announces.
#![allow(clippy::unwrap_used, reason = "a test fails where it is surprised")]

use peak_alloc::PeakAlloc;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use remofile_proto::cbor::Item;
use remofile_proto::envelope::HEADER_START;
use remofile_proto::{Hello, Limits, Message, Operation, Payload, RemotePath, Reply, cbor, envelope};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One test, as the allocator counts for the whole process.
#[test]
fn decoding_stays_within_the_bound() {
    for (name, input) in bombs() {
        assert_bounded(name, &input);
    }
    for (name, operation, input) in pages() {
        let frames = [&input[..]];
        assert!(Reply::decode(&frames).unwrap().into_answer(&operation).is_ok(), "{name} is refused");
        assert_bounded(name, &input);
    }
    let mut runner = TestRunner::deterministic();
    let ran = runner.run(&vec(any::<u8>(), 0..4_096), |bytes| {
        assert_bounded("random bytes", &bytes);
        assert_bounded("random args", &as_args(&bytes));
        assert_bounded("random result", &as_result(&bytes));
        Ok(())
    });
    ran.unwrap();
}

/// Decodes the input in every way there is, and compares the peak with the bound each time.
fn assert_bounded(name: &str, input: &[u8]) {
    let bound = 64 * 1024 + 8 * input.len();
    let decoders: [&dyn Fn(); 3] = [
        &|| _ = black_box(cbor::decode(input)),
        &|| {
            let body = [input, &[]];
            for frames in [&body[..1], &body[..]] {
                if let Message::Request(request) = envelope::classify(frames, usize::MAX) {
                    drop(Operation::parse(&request.header, Payload::NONE, &Limits::default()));
                }
            }
        },
        &|| {
            for operation in asked() {
                let frames = [input];
                if let Ok(reply) = Reply::decode(&frames) {
                    drop(reply.into_answer(&operation));
                }
            }
        },
    ];
    for decoder in decoders {
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        decoder();
        let peak = ALLOCATOR.peak_usage().saturating_sub(before);
        assert!(peak <= bound, "{name}: {} bytes cost {peak}, more than {bound}", input.len());
    }
}

/// The operations whose answers are of no fixed size, and one whose answer is.
fn asked() -> [Operation; 4] {
    let list = |tree| Operation::List { path: RemotePath::root(), after: None, limit: None, tree };
    let hello = Hello { auth: [0; 32], client: String::new(), take: None, lease_ms: None };
    [list(false), list(true), Operation::Uploads { after: None }, Operation::Hello(hello)]
}

const MIB: usize = 1 << 20;

/// What costs much more than it announces, or announces much more than there is.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let empty_maps = page("entries", vec![Item::Map(vec![]); MIB]);
    let mut links = vec![link("a"); MIB / 14];
    links.push(link(".."));
    vec![
        ("a mebibyte of empty text", many(0x60)),
        ("a mebibyte of empty byte strings", many(0x40)),
        ("a mebibyte of empty arrays", many(0x80)),
        ("a mebibyte of empty maps", many(0xa0)),
        ("a mebibyte of zeros", many(0x00)),
        ("a mebibyte of array heads", vec![0x81; MIB]),
        ("a mebibyte of map heads", [0xa1, 0x60].repeat(MIB / 2)),
        ("an array of 2^64 - 1", [&[0x9b][..], &[0xff; 8]].concat()),
        ("a map of 2^64 - 1", [&[0xbb][..], &[0xff; 8]].concat()),
        ("a byte string of 2^63 - 1", [&[0x5b, 0x7f][..], &[0xff; 7]].concat()),
        ("args of many keys", as_args(&map_of_many_keys())),
        ("args that are an array", as_args(&many(0x60))),
        ("a listing of empty maps", as_result(&empty_maps)),
        ("a listing whose last name is bad", as_result(&page("entries", links))),
    ]
}

/// What is right, as small on the wire as it can be, and large in memory.
fn pages() -> Vec<(&'static str, Operation, Vec<u8>)> {
    let [list, tree, uploads, hello] = asked();
    let links = page("entries", vec![link("a"); MIB / 14]);
    let upload = Item::Map(vec![
        ("up".into(), Item::Bytes(vec![0; 16])),
        ("off".into(), Item::Int(0)),
        text("path", "/"),
        ("age_ms".into(), Item::Int(0)),
    ]);
    vec![
        ("a page of links", list, as_result(&links)),
        ("a page of a tree", tree, as_result(&links)),
        ("a page of uploads", uploads, as_result(&page("uploads", vec![upload; MIB / 48]))),
        ("a mebibyte of capabilities", hello, as_result(&welcome(vec![Item::Text(String::new()); MIB]))),
    ]
}

fn link(name: &str) -> Item {
    Item::Map(vec![text("kind", ""), text("name", name)])
}

fn page(key: &str, entries: Vec<Item>) -> Vec<u8> {
    let entries = (key.to_owned(), Item::Array(entries));
    let rest = [("more".to_owned(), Item::Bool(false)), ("skipped".to_owned(), Item::Int(0))];
    Item::Map([entries].into_iter().chain(rest).collect()).encode().unwrap()
}

fn text(key: &str, value: &str) -> (String, Item) {
    (key.to_owned(), Item::Text(value.to_owned()))
}

/// An array of one-byte items.
fn many(item: u8) -> Vec<u8> {
    let count = u32::try_from(MIB).unwrap().to_be_bytes();
    [&[0x9a][..], &count, &vec![item; MIB]].concat()
}

fn map_of_many_keys() -> Vec<u8> {
    Item::Map((0..60_000).map(|number| (format!("{number:05}"), Item::Int(0))).collect()).encode().unwrap()
}

fn welcome(caps: Vec<Item>) -> Vec<u8> {
    let number = |key: &str, number| (key.to_owned(), Item::Int(number));
    let flag = |key: &str| (key.to_owned(), Item::Bool(false));
    let boot = ("boot".to_owned(), Item::Bytes(vec![0; 16]));
    Item::Map(vec![
        number("window", 64),
        number("chunk", 65_536),
        number("header", 65_536),
        number("lease_ms", 30_000),
        boot,
        text("names", "posix"),
        flag("folds"),
        flag("ro"),
        ("caps".into(), Item::Array(caps)),
    ])
    .encode()
    .unwrap()
}

fn as_args(args: &[u8]) -> Vec<u8> {
    [&HEADER_START[..], &[0; 16], b"\x00\x65hello", args].concat()
}

fn as_result(result: &[u8]) -> Vec<u8> {
    [&HEADER_START[..], &[0; 16], b"\x01\x00", result].concat()
}
