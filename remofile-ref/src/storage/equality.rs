//! The backends are the same to a client: each operation has the same outcome in memory as on a disk.

use super::{Backend, ExecutionStatus, Memory, Storage as _, Store, StoreOptions};
use remofile_proto::{Answer, Digest, Entry, Operation, Precondition, RemotePath, UploadId};

const UP: UploadId = UploadId::new([5; 16]);
const NAMES: [&str; 8] = ["/a", "/b", "/c", "/a/a", "/a/b", "/b/c", "/a/a/a", "/c/missing/x"];

/// A generator of numbers; the same seed gives the same operations.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn path(&mut self) -> RemotePath {
        let index = usize::try_from(self.below(NAMES.len() as u64)).unwrap();
        if self.below(20) == 0 { RemotePath::root() } else { RemotePath::parse(NAMES[index]).unwrap() }
    }

    fn pre(&mut self) -> Precondition {
        if self.below(3) == 0 { Precondition::Absent } else { Precondition::Any }
    }

    fn operation(&mut self) -> (Operation, Vec<u8>) {
        let content = vec![u8::try_from(self.below(256)).unwrap(); usize::try_from(self.below(100)).unwrap()];
        let (path, pre, off) = (self.path(), self.pre(), self.below(150));
        let operation = match self.below(17) {
            0 => Operation::Stat { path },
            1 => Operation::List { path, after: None, limit: Some(1 + off % 4), tree: self.below(2) == 0 },
            2 => Operation::Read { path, off, len: 60, etag: None },
            3 => Operation::Hash { path, off, len: None },
            4 | 5 => Operation::Mkdir { path },
            6 | 7 => Operation::Put { path, pre, mtime_ns: Some(1) },
            8 => Operation::Write { path, off, etag: None },
            9 => Operation::Truncate { path, size: off, etag: None },
            10 => Operation::Touch { path, mtime_ns: 7 },
            11 => Operation::Remove { path, etag: None },
            12 => Operation::Move { from: self.path(), to: path, pre, etag: None },
            13 => Operation::Copy { from: self.path(), to: path, pre, etag: None },
            14 => Operation::Begin { up: UP, path, size: None },
            15 => Operation::Append { up: UP, off: 0 },
            _ => {
                let hash = Digest::new(*blake3::hash(b"").as_bytes());
                Operation::Commit { up: UP, size: 0, hash, pre, mtime_ns: None }
            }
        };
        (operation, content)
    }
}

/// The outcome without what differs between two file systems: etags and times.
fn outcome<B: Backend>(store: &mut Store<B>, operation: &Operation, payload: &[u8]) -> String {
    let mut status = store.perform(operation, payload);
    let outcome = loop {
        match status {
            ExecutionStatus::Done(outcome) => break outcome,
            ExecutionStatus::Working { .. } => status = store.proceed(),
        }
    };
    let entry = |entry: &Entry| format!("{:?} {:?}", entry.kind, entry.size);
    match outcome {
        Err(refusal) => format!("{:?} {:?}", refusal.code, refusal.detail),
        Ok(success) => match success.answer {
            Answer::Entry(found) => entry(&found),
            Answer::Listing(page) => {
                let entries: Vec<_> =
                    page.entries.iter().map(|listed| format!("{} {}", listed.name, entry(&listed.entry))).collect();
                format!("{entries:?} {} {}", page.more, page.skipped)
            }
            Answer::Read(read) => format!("{} {:?}", read.size, success.payload),
            Answer::Hash(hash) => format!("{} {}", hash.hash, hash.len),
            other => format!("{other:?}"),
        },
    }
}

#[test]
fn every_operation_has_the_same_outcome_in_memory_as_on_a_disk() {
    for seed in 0..40 {
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut posix = Store::open(root.path(), StoreOptions::default()).unwrap();
        let mut memory = Store::with_backend(Memory::new(), StoreOptions::default()).unwrap();
        let mut numbers = Numbers(seed);
        for step in 0..400 {
            let (operation, payload) = numbers.operation();
            let on_disk = outcome(&mut posix, &operation, &payload);
            let in_memory = outcome(&mut memory, &operation, &payload);
            assert_eq!(in_memory, on_disk, "seed {seed}, step {step}: {operation:?}");
        }
    }
}

#[test]
fn uploads_in_memory_outlive_their_store() {
    let memory = Memory::new();
    let path = RemotePath::parse("/film").unwrap();
    let begin = Operation::Begin { up: UP, path: path.clone(), size: None };
    let mut store = Store::with_backend(memory.clone(), StoreOptions::default()).unwrap();
    outcome(&mut store, &begin, b"");
    outcome(&mut store, &Operation::Append { up: UP, off: 0 }, b"film");
    drop(store);
    let mut store = Store::with_backend(memory, StoreOptions::default()).unwrap();
    outcome(&mut store, &begin, b"");
    let hash = Digest::new(*blake3::hash(b"film").as_bytes());
    let commit = Operation::Commit { up: UP, size: 4, hash, pre: Precondition::Absent, mtime_ns: None };
    assert_eq!(outcome(&mut store, &commit, b""), "File Some(4)");
}

#[test]
fn a_write_after_a_gap_reads_zeros_in_memory() {
    let mut store = Store::with_backend(Memory::new(), StoreOptions::default()).unwrap();
    let path = RemotePath::parse("/sparse").unwrap();
    outcome(&mut store, &Operation::Put { path: path.clone(), pre: Precondition::Any, mtime_ns: None }, b"ab");
    outcome(&mut store, &Operation::Write { path: path.clone(), off: 200_000, etag: None }, b"end");
    let read = Operation::Read { path: path.clone(), off: 199_998, len: 10, etag: None };
    assert_eq!(outcome(&mut store, &read, b""), "200003 Some([0, 0, 101, 110, 100])");
    outcome(&mut store, &Operation::Truncate { path: path.clone(), size: 1, etag: None }, b"");
    outcome(&mut store, &Operation::Truncate { path: path.clone(), size: 3, etag: None }, b"");
    let read = Operation::Read { path, off: 0, len: 10, etag: None };
    assert_eq!(outcome(&mut store, &read, b""), "3 Some([97, 0, 0])");
}
