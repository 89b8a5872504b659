//! One fact a test, through encoded bytes.
#![allow(clippy::unwrap_used)]

mod handshake;
mod numbering;
mod uploads;

use super::{Pending, Reply, ServerLimits, Session, SessionAction};
use crate::{Outcome, Success};
use remofile_proto::envelope::{self, Message};
use remofile_proto::{
    Answer, BootId, Busy, Capabilities, Code, Detail, Entry, Hello, HelloReply, Kind, Names, Operation, Payload,
    Refusal, RemotePath, ReplyError, SessionId, encode_request,
};
use std::time::Duration;

const WINDOW: u64 = 4;

/// A session, the time, and the `auth` that is right.
struct SessionFixture {
    session: Session,
    now: Duration,
}

/// What a request came to.
#[derive(Debug)]
struct Came {
    code: Code,
    detail: Detail,
    header: Vec<u8>,
    abandons: bool,
    executed: bool,
}

impl SessionFixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut HelloReply)) -> Self {
        let mut welcome = HelloReply {
            window: WINDOW,
            chunk: 65_536,
            header: 65_536,
            lease_ms: 30_000,
            boot: BootId::new([9; 16]),
            root: None,
            names: Names::Posix,
            folds: false,
            ro: false,
            caps: Capabilities::default(),
        };
        change(&mut welcome);
        Self { session: Session::new(ServerLimits { welcome, uploads: 2 }), now: Duration::from_secs(1_000) }
    }

    /// With a session that is open for the id 1.
    fn open() -> Self {
        let mut fixture = Self::new();
        assert_eq!(fixture.hello(1, None).code, Code::Ok);
        fixture
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn hello(&mut self, id: u8, take: Option<u8>) -> Came {
        self.say(id, 0, &hello(take, None))
    }

    /// A request whose operation, if it is executed, succeeds.
    fn say(&mut self, id: u8, seq: u64, operation: &Operation) -> Came {
        self.say_frame(&encode_request(session(id), seq, operation), &[])
    }

    fn say_frame(&mut self, header: &[u8], payload: &[u8]) -> Came {
        match self.step(header, payload) {
            SessionAction::Reply(reply) => came(operation_of(header), reply, false, false),
            SessionAction::Abandon(reply) => came(operation_of(header), reply, true, false),
            SessionAction::Perform(operation, pending) => {
                let reply = self.session.on_outcome(self.now, pending, outcome(&operation));
                came(operation, reply, false, true)
            }
            SessionAction::Poll => panic!("a poll of what is not executed"),
        }
    }

    /// A request that is not over yet.
    fn start(&mut self, id: u8, seq: u64, operation: &Operation) -> Pending {
        match self.step(&encode_request(session(id), seq, operation), &[]) {
            SessionAction::Perform(_, pending) => pending,
            other => panic!("{other:?}"),
        }
    }

    fn is_poll(&mut self, id: u8, seq: u64, operation: &Operation) -> bool {
        matches!(self.step(&encode_request(session(id), seq, operation), &[]), SessionAction::Poll)
    }

    fn end(&mut self, pending: Pending, operation: &Operation) -> Came {
        let reply = self.session.on_outcome(self.now, pending, outcome(operation));
        came(operation.clone(), reply, false, false)
    }

    fn step(&mut self, header: &[u8], payload: &[u8]) -> SessionAction {
        let mut frames = vec![vec![], header.to_vec()];
        if has_payload(header) {
            frames.push(payload.to_vec());
        }
        let Message::Request(request) = envelope::receive(&frames, 65_536).message else { panic!("not a request") };
        self.session.on_request(self.now, &request, |_, auth| *auth == [7; 32])
    }
}

fn session(id: u8) -> SessionId {
    SessionId::new([id; 16])
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn hello(take: Option<u8>, lease_ms: Option<u64>) -> Operation {
    Operation::Hello(Hello { auth: [7; 32], client: "bench".into(), take: take.map(session), lease_ms })
}

fn mkdir(name: &str) -> Operation {
    Operation::Mkdir { path: path(name) }
}

fn read() -> Operation {
    Operation::Read { path: path("/file"), off: 0, len: 10, etag: None }
}

fn busy(detail: Detail) -> Busy {
    match detail {
        Detail::Busy(busy) => busy,
        other => panic!("{other:?}"),
    }
}

fn outcome(operation: &Operation) -> Outcome {
    let entry = Entry { kind: Kind::Dir, size: None, mtime_ns: Some(0), etag: None, racy: false };
    let etag = || remofile_proto::Etag::try_from(&[1][..]).unwrap();
    let hash = remofile_proto::Digest::new([0; 32]);
    Ok(match operation {
        Operation::Read { .. } => Success {
            answer: Answer::Read(remofile_proto::ReadResult { etag: etag(), size: 0 }),
            payload: Some(b"payload".to_vec()),
        },
        Operation::Begin { .. } => Success::of(Answer::Staged(remofile_proto::Staged { off: 0, hash })),
        Operation::Append { .. } => Success::of(Answer::Offset(0)),
        Operation::Remove { .. } | Operation::Abort { .. } | Operation::Flush => Success::of(Answer::Empty),
        Operation::Mkdir { path } if path.as_str() == "/refused" => return Err(Refusal::new(Code::Exists)),
        _ => Success::of(Answer::Entry(entry)),
    })
}

fn came(operation: Operation, reply: Reply, abandons: bool, executed: bool) -> Came {
    let frames: Vec<Vec<u8>> = [reply.header.clone()].into_iter().chain(reply.payload).collect();
    let (code, detail) = match remofile_proto::Reply::decode(&frames).unwrap().into_answer(&operation) {
        Ok(_) => (Code::Ok, Detail::None),
        Err(ReplyError::Refused(refusal)) => (refusal.code, refusal.detail),
        Err(other) => panic!("{other:?}"),
    };
    Came { code, detail, header: reply.header, abandons, executed }
}

fn has_payload(header: &[u8]) -> bool {
    let op = envelope::Header::decode(header).unwrap().op.to_owned();
    matches!(op.as_str(), "put" | "write" | "append")
}

/// The operation of a header, where only its kind matters.
fn operation_of(header: &[u8]) -> Operation {
    let header = envelope::Header::decode(header).unwrap();
    Operation::parse(&header, Payload::NONE, &remofile_proto::Limits::default()).unwrap_or(Operation::Flush)
}
