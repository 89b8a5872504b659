//! What the parts of a transfer cost: the server without a socket, request by request, and the digest of a chunk.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a bench stops at its first surprise")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use remofile::{FileServer, Frames, HandleOutcome, Handler, Precondition, RemotePath, generate_token};
use remofile_proto::{Hello, Keys, Operation, Reply, SessionId, encode_request};
use std::{env, fs, hint::black_box, path::Path as LocalPath};
use tempfile::TempDir;

const SESSION: SessionId = SessionId::new([0x5e; 16]);

const SMALL: usize = 4 << 10;
const CHUNK: usize = 256 << 10;

/// A handler with an open session, on a directory in memory where there is one (REMOFILE_BENCH_DIR, /dev/shm).
struct Bench {
    handler: Handler,
    directory: TempDir,
    next: u64,
}

impl Bench {
    fn open() -> Self {
        let memory = env::var_os("REMOFILE_BENCH_DIR").unwrap_or_else(|| "/dev/shm".into());
        let directory =
            if LocalPath::new(&memory).is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let token = generate_token();
        let handler = FileServer::new(directory.path(), &token).unwrap().open().unwrap();
        let mut bench = Self { handler, directory, next: 0 };
        let auth = Keys::derive(&token).hello.auth(SESSION);
        bench.exchange(&Operation::Hello(Hello { auth, client: String::new(), take: None, lease_ms: None }), &[]);
        bench
    }

    /// One request and its reply, which has to be OK.
    fn exchange(&mut self, operation: &Operation, payload: &[u8]) -> Frames {
        let frames = [b"peer".to_vec(), vec![], encode_request(SESSION, self.next, operation), payload.to_vec()];
        let frames = if payload.is_empty() { &frames[..3] } else { &frames[..] };
        self.next += 1;
        let reply = match self.handler.handle(frames) {
            HandleOutcome::Reply(reply) => reply,
            HandleOutcome::Later => loop {
                if let Some(reply) = self.handler.run_slice() {
                    break reply;
                }
            },
            reaction => panic!("{reaction:?}"),
        };
        assert_eq!(Reply::decode(&reply[1..]).unwrap().code, 0);
        reply
    }
}

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

fn requests(c: &mut Criterion) {
    let mut bench = Bench::open();
    fs::write(bench.directory.path().join("small"), [7; SMALL]).unwrap();
    fs::write(bench.directory.path().join("chunk"), vec![7; CHUNK]).unwrap();
    c.bench_function("ping", |b| b.iter(|| bench.exchange(&Operation::Ping, &[])));
    let stat = Operation::Stat { path: path("/small") };
    c.bench_function("stat", |b| b.iter(|| bench.exchange(&stat, &[])));
    for (name, size) in [("small", SMALL), ("chunk", CHUNK)] {
        let mut group = c.benchmark_group("read");
        group.throughput(Throughput::Bytes(size as u64));
        let read = Operation::Read { path: path(&format!("/{name}")), off: 0, len: size as u64, etag: None };
        group.bench_function(name, |b| b.iter(|| bench.exchange(&read, &[])));
        group.finish();
    }
}

fn puts(c: &mut Criterion) {
    let mut bench = Bench::open();
    let content = vec![7; SMALL];
    let mut group = c.benchmark_group("put");
    group.throughput(Throughput::Bytes(SMALL as u64));
    let mut files = 0_u64;
    group.bench_function("new", |b| {
        b.iter(|| {
            files += 1;
            let put = Operation::Put { path: path(&format!("/{files}")), pre: Precondition::Absent, mtime_ns: Some(1) };
            bench.exchange(&put, &content);
        });
    });
    let put = Operation::Put { path: path("/replaced"), pre: Precondition::Any, mtime_ns: Some(1) };
    group.bench_function("replaced", |b| b.iter(|| bench.exchange(&put, &content)));
    group.finish();
}

fn listings(c: &mut Criterion) {
    const ENTRIES: u64 = 1_000;
    let mut bench = Bench::open();
    let tree = bench.directory.path().join("tree");
    fs::create_dir(&tree).unwrap();
    for number in 0..ENTRIES {
        fs::write(tree.join(format!("file-{number:04}")), b"").unwrap();
    }
    let mut group = c.benchmark_group("list 1,000");
    group.throughput(Throughput::Elements(ENTRIES));
    for (name, tree) in [("directory", false), ("tree", true)] {
        let list = Operation::List { path: path("/tree"), after: None, limit: None, tree };
        group.bench_function(name, |b| b.iter(|| bench.exchange(&list, &[])));
    }
    group.finish();
}

fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("BLAKE3");
    for size in [SMALL, CHUNK] {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(size.to_string(), |b| {
            b.iter_batched_ref(|| vec![7; size], |bytes| blake3::hash(black_box(bytes)), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, requests, puts, listings, digest);
criterion_main!(benches);
