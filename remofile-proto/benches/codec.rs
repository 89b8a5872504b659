//! What the codec costs: a header, a full listing page, the opening of a session.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a bench stops at its first surprise")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use remofile_proto::{
    Answer, Entry, Etag, Keys, Kind, Limits, ListedEntry, Listing, Message, Operation, Payload, Precondition,
    RemotePath, Reply, SessionId, Token, encode_reply, encode_request, envelope,
};
use std::hint::black_box;

const SESSION: SessionId = SessionId::new([0x5e; 16]);

fn header(c: &mut Criterion) {
    let operation = Operation::Put {
        path: RemotePath::parse("/photos/2025/a.jpg").unwrap(),
        pre: Precondition::Any,
        mtime_ns: Some(1_760_000_000_000_000_000),
    };
    let frames = [vec![], encode_request(SESSION, 7, &operation), vec![]];
    c.bench_function("request/encode", |b| b.iter(|| encode_request(SESSION, 7, black_box(&operation))));
    c.bench_function("request/decode and parse", |b| {
        b.iter(|| {
            let received = envelope::receive(black_box(&frames), 65_536);
            let Message::Request(request) = received.message else { panic!("{:?}", received.message) };
            Operation::parse(&request.header, Payload::NONE, &Limits::default()).unwrap()
        });
    });
}

fn listing(c: &mut Criterion) {
    let entry = |index: u32| ListedEntry {
        name: format!("picture-{index:06}.jpg"),
        entry: Entry {
            kind: Kind::File,
            size: Some(48_213),
            mtime_ns: Some(1_759_990_000_000_000_000),
            etag: Some(Etag::try_from(&[0xe7; 16][..]).unwrap()),
            racy: false,
        },
    };
    let answer = Ok(Answer::Listing(Listing { entries: (0..2_500).map(entry).collect(), more: true, skipped: 0 }));
    let operation = Operation::List { path: RemotePath::root(), after: None, limit: None, tree: false };
    let frames = [encode_reply(SESSION, 3, &answer)];
    let mut group = c.benchmark_group("listing of 2,500");
    group.throughput(Throughput::Bytes(frames[0].len() as u64));
    group.bench_function("encode", |b| b.iter(|| encode_reply(SESSION, 3, black_box(&answer))));
    group.bench_function("decode", |b| {
        b.iter(|| Reply::decode(black_box(&frames)).unwrap().into_answer(&operation).unwrap());
    });
    group.finish();
}

fn hello(c: &mut Criterion) {
    let token = Token::parse("TTA3rMB8VtNYv25kdipkaJ").unwrap();
    let keys = Keys::derive(&token);
    let auth = keys.hello.auth(SESSION);
    c.bench_function("hello/derive keys", |b| b.iter(|| Keys::derive(black_box(&token))));
    c.bench_function("hello/verify auth", |b| b.iter(|| keys.hello.verify(SESSION, black_box(&auth))));
}

criterion_group!(benches, header, listing, hello);
criterion_main!(benches);
