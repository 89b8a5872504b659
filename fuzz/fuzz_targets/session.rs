//! Sequences of requests, polls, time slices and time against a server without socket and disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile::protocol::server::session::ServerLimits;
use remofile::server::service::{Frames, HandleOutcome, Service};
use remofile::{ExecutionStatus, Outcome, Storage, Success};
use remofile_proto::envelope::{self, Message};
use remofile_proto::{
    Answer, BootId, Capabilities, Code, Digest, Entry, Etag, HashResult, Hello, HelloReply, Kind, Limits, Listing,
    Names, Operation, Payload, ReadResult, Refusal, RemotePath, Reply, ReplyError, SessionId, Staged, UploadId,
    Uploads, encode_request,
};
use std::collections::HashMap;
use std::time::Duration;

const WINDOW: u64 = 4;
const HEADER_LIMIT: usize = 16_384;
/// One more than the most slices that an operation takes here.
const MOST_SLICES: u64 = 64;
/// The most that the server remembers for each number, in bytes.
const REMEMBERED: usize = 600;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut bench = Bench::new();
    while !input.0.is_empty() {
        match input.byte() % 8 {
            0 => bench.now += Duration::from_millis(u64::from(input.byte()) * 200),
            1 | 2 => bench.slice(),
            3 => bench.send(&input.frames()),
            _ => bench.send(&input.request()),
        }
        assert!(bench.service.remembered_bytes() <= REMEMBERED * WINDOW as usize);
    }
    while bench.service.is_working() {
        bench.slice();
    }
    assert_eq!(bench.asked, bench.answered, "requests and answers");
});

/// The rest of the fuzzer's bytes, followed by zeros.
struct Input<'a>(&'a [u8]);

struct Bench {
    service: Service<Store, fn(&SessionId, &[u8; 32]) -> bool>,
    now: Duration,
    asked: u64,
    answered: u64,
    /// The highest number that was executed, by session.
    executed: HashMap<SessionId, u64>,
    /// Requests that the service has not answered yet.
    later: Vec<(Frames, SessionId, u64)>,
}

impl Bench {
    fn new() -> Self {
        let welcome = HelloReply {
            window: WINDOW,
            chunk: 65_536,
            header: HEADER_LIMIT as u64,
            lease_ms: 30_000,
            boot: BootId::new([1; 16]),
            root: None,
            names: Names::Posix,
            folds: false,
            ro: false,
            caps: Capabilities::default(),
        };
        let authentic: fn(&SessionId, &[u8; 32]) -> bool = |_, auth| auth[0] != 0;
        let service = Service::new(ServerLimits { welcome, uploads: 3 }, Store::default(), authentic);
        let now = Duration::from_secs(1);
        Self { service, now, asked: 0, answered: 0, executed: HashMap::new(), later: Vec::new() }
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        let received = envelope::receive(frames, HEADER_LIMIT);
        let before = self.service.storage().performed;
        let reaction = self.service.handle(self.now, frames);
        let performed = self.service.storage().performed - before;
        match (&received.message, &reaction) {
            (Message::NotOurs, HandleOutcome::NotOurs) | (Message::Reply, HandleOutcome::Silent) => return,
            (Message::WrongVersion | Message::BadMessage { .. }, HandleOutcome::Reply(frames)) => {
                self.asked += 1;
                self.check(frames, received.prefix.len(), None);
            }
            (Message::Request(request), reaction) => {
                self.asked += 1;
                let header = &request.header;
                if performed > 0 && !matches!(header.op, "read" | "list" | "uploads") {
                    let last = self.executed.insert(header.session, header.seq).unwrap_or(0);
                    assert!(header.seq > last, "{} is executed after {last}", header.seq);
                }
                assert!(performed <= 1 && (performed == 0 || header.seq > 0));
                let prefix = received.prefix.to_vec();
                match reaction {
                    HandleOutcome::Later => self.later.push((prefix, header.session, header.seq)),
                    // A second poll is held in place of the first.
                    HandleOutcome::Reply(frames) if self.is_to_earlier(frames, header.session, header.seq) => {
                        self.check_later(frames);
                        self.later.push((prefix, header.session, header.seq));
                    }
                    HandleOutcome::Reply(frames) => {
                        assert_eq!(frames[..prefix.len()], prefix);
                        let operation =
                            Operation::parse(header, Payload::NONE, &Limits { chunk: 65_536, header: HEADER_LIMIT });
                        let (session, seq) = self.check(frames, prefix.len(), operation.ok().as_ref());
                        assert_eq!((session, seq), (header.session, header.seq));
                    }
                    other => panic!("a request was met with {other:?}"),
                }
            }
            (message, reaction) => panic!("{message:?} was met with {reaction:?}"),
        }
    }

    fn slice(&mut self) {
        self.now += Duration::from_millis(100);
        if let Some(frames) = self.service.run_slice(self.now) {
            self.check_later(&frames);
        }
    }

    /// Whether the reply is PENDING to a poll that was held, and whose successor is held now.
    fn is_to_earlier(&self, frames: &[Vec<u8>], session: SessionId, seq: u64) -> bool {
        let reply = frames.last().and_then(|header| Reply::decode(std::slice::from_ref(header)).ok().map(|r| r.code));
        reply == Some(u64::from(Code::Pending.number()))
            && self.service.owes_reply()
            && self.later.last().is_some_and(|(_, s, n)| (*s, *n) == (session, seq))
    }

    /// The reply to a request or poll that the service held.
    fn check_later(&mut self, frames: &[Vec<u8>]) {
        let delimiter = frames.iter().position(Vec::is_empty).expect("a delimiter") + 1;
        let (session, seq) = self.check(frames, delimiter, None);
        let awaited =
            |(prefix, s, n): &(Frames, SessionId, u64)| prefix[..] == frames[..delimiter] && (*s, *n) == (session, seq);
        let at = self.later.iter().position(awaited).expect("an awaited reply");
        self.later.remove(at);
    }

    /// Checks that a client accepts the reply; returns its session and number.
    fn check(&mut self, frames: &[Vec<u8>], prefix: usize, operation: Option<&Operation>) -> (SessionId, u64) {
        self.answered += 1;
        let reply = Reply::decode(&frames[prefix..]).expect("a reply");
        assert!(Code::from_number(reply.code).is_some());
        if let Some(operation) = operation {
            if let Err(ReplyError::Malformed(error)) = reply.into_answer(operation) {
                panic!("{error}");
            }
        }
        (reply.session, reply.seq)
    }
}

/// A store in which `hash` takes many slices, and the first byte of a name says how an operation ends.
#[derive(Default)]
struct Store {
    performed: u64,
    running: Option<u64>,
}

impl Storage for Store {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        assert!(self.running.is_none(), "two operations at once");
        self.performed += 1;
        if let Operation::Hash { len: Some(len), .. } = operation {
            let slices = len % MOST_SLICES;
            self.running = Some(slices);
            return ExecutionStatus::Working { done: 0, total: slices };
        }
        ExecutionStatus::Done(outcome(operation, payload))
    }

    fn proceed(&mut self) -> ExecutionStatus {
        let left = self.running.take().expect("an operation that runs");
        match left.checked_sub(1) {
            Some(left) => {
                self.running = Some(left);
                ExecutionStatus::Working { done: 0, total: left }
            }
            None => ExecutionStatus::Done(Ok(Success::of(hashed()))),
        }
    }

    fn cancel(&mut self) {
        self.running.take().expect("an operation that runs");
    }
}

fn etag() -> Etag {
    Etag::try_from(&[1; 16][..]).expect("16 bytes")
}

fn hashed() -> Answer {
    Answer::Hash(HashResult { hash: Digest::new([0; 32]), len: 0, etag: etag() })
}

fn outcome(operation: &Operation, payload: &[u8]) -> Outcome {
    let entry = || Entry { kind: Kind::File, size: Some(1), mtime_ns: Some(-1), etag: Some(etag()), racy: true };
    Ok(Success::of(match operation {
        Operation::Remove { path, .. } if path.as_str() == "/2" => {
            return Err(Refusal::because(Code::Denied, "ö".repeat(70_000)));
        }
        Operation::Commit { size: 2, .. } => return Err(Refusal::new(Code::Digest)),
        Operation::Read { .. } => {
            let answer = Answer::Read(ReadResult { etag: etag(), size: 3 });
            return Ok(Success { answer, payload: None });
        }
        Operation::Hash { .. } => hashed(),
        Operation::List { .. } => Answer::Listing(Listing::default()),
        Operation::Uploads { .. } => Answer::Uploads(Uploads::default()),
        Operation::Begin { .. } => Answer::Staged(Staged { off: 0, hash: Digest::new([0; 32]) }),
        Operation::Append { .. } => Answer::Offset(payload.len() as u64),
        Operation::Remove { .. } | Operation::Abort { .. } | Operation::Flush => Answer::Empty,
        _ => Answer::Entry(entry()),
    }))
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    /// Arbitrary frames.
    fn frames(&mut self) -> Frames {
        (0..self.byte() % 5)
            .map(|_| {
                let len = usize::from(self.byte());
                self.take(len)
            })
            .collect()
    }

    /// A request of a client, valid in most cases.
    fn request(&mut self) -> Frames {
        let session = SessionId::new([self.byte() % 6; 16]);
        let seq = match self.byte() {
            255 => i64::MAX as u64,
            seq => u64::from(seq % 24),
        };
        let operation = self.operation();
        let mut header = encode_request(session, seq, &operation);
        let damage = self.byte();
        if damage > 240 {
            let at = usize::from(self.byte()) % header.len();
            header[at] ^= damage;
        }
        let mut frames = vec![vec![b'r', damage], vec![], header];
        if matches!(operation, Operation::Put { .. } | Operation::Write { .. } | Operation::Append { .. }) {
            frames.push(vec![0; if damage == 7 { 65_537 } else { 2 }]);
        }
        frames
    }

    fn operation(&mut self) -> Operation {
        let (kind, argument) = (self.byte(), self.byte());
        let path = RemotePath::parse(&format!("/{}", argument % 4)).expect("a path");
        let (up, off) = (UploadId::new([argument % 5; 16]), u64::from(argument));
        match kind % 24 {
            0 | 1 => {
                let take = (argument > 127).then(|| SessionId::new([argument % 6; 16]));
                let auth = [u8::from(argument != 3); 32];
                Operation::Hello(Hello { auth, client: "x".repeat(off as usize), take, lease_ms: Some(off * 100) })
            }
            2 => Operation::Ping,
            3 => Operation::Bye,
            4 => Operation::Stat { path },
            5 => Operation::List { path, after: None, limit: Some(off), tree: false },
            6 => Operation::Read { path, off, len: off * 300, etag: None },
            7 | 8 => Operation::Hash { path, off, len: Some(off % 32) },
            9 => Operation::Put { path, pre: Default::default(), mtime_ns: Some(off as i64) },
            10 => Operation::Write { path, off, etag: None },
            11 => Operation::Remove { path, etag: None },
            12 => Operation::Move { from: path, to: RemotePath::root(), pre: Default::default(), etag: None },
            13 | 14 => Operation::Begin { up, path, size: None },
            15 | 16 => Operation::Append { up, off },
            17 => {
                let hash = Digest::new([0; 32]);
                Operation::Commit { up, size: off % 4, hash, pre: Default::default(), mtime_ns: None }
            }
            18 => Operation::Abort { up },
            19 => Operation::Uploads { after: None },
            20 => Operation::Flush,
            _ => Operation::Touch { path, mtime_ns: off as i64 },
        }
    }
}
