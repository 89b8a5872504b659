//! One fact a test: what is answered when, and to whom.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::Success;
use remofile_proto::{
    Answer, BootId, Capabilities, Code, Detail, Etag, Hello, HelloReply, Names, Operation, ReadResult, Refusal,
    RemotePath, ReplyError, encode_reply, encode_request,
};

/// A store whose `hash` takes a given number of slices.
#[derive(Default)]
struct Slices {
    left: u64,
    done: u64,
    cancelled: u32,
    performed: u32,
}

impl Storage for Slices {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        self.performed += 1;
        match operation {
            Operation::Hash { len, .. } => {
                self.left = len.unwrap();
                ExecutionStatus::Working { done: 0, total: 9 }
            }
            Operation::Read { .. } => {
                let read = ReadResult { etag: Etag::try_from(&[1][..]).unwrap(), size: 5 };
                ExecutionStatus::Done(Ok(Success { answer: Answer::Read(read), payload: Some(b"bytes".to_vec()) }))
            }
            Operation::Append { .. } => ExecutionStatus::Done(Ok(Success::of(Answer::Offset(payload.len() as u64)))),
            _ => ExecutionStatus::Done(Ok(Success::of(Answer::Empty))),
        }
    }

    fn proceed(&mut self) -> ExecutionStatus {
        self.left -= 1;
        if self.left == 0 {
            return ExecutionStatus::Done(Ok(Success::of(Answer::Empty)));
        }
        self.done += 1;
        ExecutionStatus::Working { done: self.done, total: 9 }
    }

    fn cancel(&mut self) {
        self.cancelled += 1;
    }
}

type AcceptAll = fn(&SessionId, &[u8; 32]) -> bool;

struct ServiceFixture {
    service: Service<Slices, AcceptAll>,
    now: Duration,
}

impl ServiceFixture {
    fn open() -> Self {
        let welcome = HelloReply {
            window: 8,
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
        let service =
            Service::new(ServerLimits { welcome, uploads: 64 }, Slices::default(), (|_, _| true) as AcceptAll);
        let mut fixture = Self { service, now: Duration::from_secs(5) };
        assert_eq!(code(&fixture.say(1, 0, &hello(None)).unwrap()), Code::Ok);
        fixture
    }

    /// The reply, if there is one at once; the routing frame is the session's byte and the number.
    fn say(&mut self, id: u8, seq: u8, operation: &Operation) -> Option<Frames> {
        match self.handle(&[vec![id, seq], vec![], encode_request(session(id), seq.into(), operation)]) {
            HandleOutcome::Reply(frames) => Some(frames),
            HandleOutcome::Later => None,
            other => panic!("{other:?}"),
        }
    }

    fn handle(&mut self, frames: &[Vec<u8>]) -> HandleOutcome {
        self.service.handle(self.now, frames)
    }

    /// A slice of 100 ms.
    fn slice(&mut self) -> Option<Frames> {
        self.now += Duration::from_millis(100);
        self.service.run_slice(self.now)
    }
}

fn session(id: u8) -> SessionId {
    SessionId::new([id; 16])
}

fn hello(take: Option<u8>) -> Operation {
    Operation::Hello(Hello { auth: [0; 32], client: String::new(), take: take.map(session), lease_ms: None })
}

fn hash(slices: u64) -> Operation {
    Operation::Hash { path: RemotePath::root(), off: 0, len: Some(slices) }
}

fn refusal(frames: &[Vec<u8>]) -> Option<Refusal> {
    let reply = remofile_proto::Reply::decode(&frames[1..]).unwrap();
    match reply.into_answer(&Operation::Flush) {
        Err(ReplyError::Refused(refusal)) => Some(refusal),
        _ => None,
    }
}

fn code(frames: &[Vec<u8>]) -> Code {
    refusal(frames).map_or(Code::Ok, |refusal| refusal.code)
}

#[test]
fn routing_frames_come_back_in_front_of_the_reply() {
    let mut fixture = ServiceFixture::open();
    let request = encode_request(session(1), 0, &Operation::Ping);
    let routing = vec![b"client".to_vec(), b"proxy".to_vec(), vec![]];
    let HandleOutcome::Reply(frames) = fixture.handle(&[routing.clone(), vec![request]].concat()) else { panic!() };
    assert_eq!(frames[..3], routing);
    assert_eq!(frames.len(), 4);
}

#[test]
fn read_is_answered_with_its_payload() {
    let read = Operation::Read { path: RemotePath::root(), off: 0, len: 5, etag: None };
    let frames = ServiceFixture::open().say(1, 1, &read).unwrap();
    assert_eq!(frames[3..], [b"bytes".to_vec()]);
}

#[test]
fn foreign_message_is_not_ours() {
    let foreign = [vec![vec![1], vec![], b"GET /".to_vec()], vec![vec![1], vec![]], vec![b"no delimiter".to_vec()]];
    assert!(foreign.iter().all(|frames| ServiceFixture::open().handle(frames) == HandleOutcome::NotOurs));
}

#[test]
fn reply_is_met_with_silence() {
    let reply = encode_reply(session(1), 1, &Ok(Answer::Empty));
    assert_eq!(ServiceFixture::open().handle(&[vec![1], vec![], reply]), HandleOutcome::Silent);
}

#[test]
fn bad_message_is_answered_and_consumes_no_number() {
    let mut fixture = ServiceFixture::open();
    let mut header = encode_request(session(1), 1, &Operation::Flush);
    header.push(0);
    let HandleOutcome::Reply(frames) = fixture.handle(&[vec![1], vec![], header]) else { panic!() };
    assert_eq!(code(&frames), Code::BadMessage);
    assert_eq!(code(&fixture.say(1, 1, &Operation::Flush).unwrap()), Code::Ok);
}

#[test]
fn operation_that_ends_in_time_is_answered_without_pending() {
    let mut fixture = ServiceFixture::open();
    assert_eq!(fixture.say(1, 1, &hash(3)), None);
    assert!(fixture.service.is_working() && fixture.service.owes_reply());
    assert_eq!([fixture.slice(), fixture.slice()], [None, None]);
    assert_eq!(fixture.slice().map(|frames| frames[0].clone()), Some(vec![1, 1]));
    assert!(!fixture.service.is_working());
}

#[test]
fn held_request_is_answered_pending_after_half_a_second() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(9));
    assert!((0..4).all(|_| fixture.slice().is_none()));
    let refusal = refusal(&fixture.slice().unwrap()).unwrap();
    assert_eq!((refusal.code, refusal.detail), (Code::Pending, Detail::Progress { done: Some(5), total: Some(9) }));
    assert!(fixture.service.is_working() && !fixture.service.owes_reply());
}

#[test]
fn poll_is_held_until_the_operation_ends() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(7));
    while fixture.slice().is_none() {}
    assert_eq!(fixture.say(1, 1, &hash(7)), None);
    assert!(fixture.service.owes_reply());
    assert_eq!(fixture.slice(), None);
    assert_eq!(code(&fixture.slice().unwrap()), Code::Ok);
}

#[test]
fn poll_is_held_for_half_a_second_at_most() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    while fixture.slice().is_none() {}
    let _ = fixture.say(1, 1, &hash(99));
    assert!((0..4).all(|_| fixture.slice().is_none()));
    assert_eq!(code(&fixture.slice().unwrap()), Code::Pending);
}

#[test]
fn operation_that_ends_between_polls_is_remembered() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(6));
    while fixture.slice().is_none() {}
    assert_eq!(fixture.slice(), None);
    assert!(!fixture.service.is_working());
    assert_eq!(code(&fixture.say(1, 1, &hash(6)).unwrap()), Code::Ok);
    assert_eq!(fixture.service.storage().performed, 1);
}

#[test]
fn second_poll_answers_the_first_with_pending() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    let again = [b"other connection".to_vec(), vec![], encode_request(session(1), 1, &hash(99))];
    let HandleOutcome::Reply(frames) = fixture.handle(&again) else { panic!() };
    assert_eq!((frames[0].clone(), code(&frames)), (vec![1, 1], Code::Pending));
    assert!(fixture.service.owes_reply());
}

#[test]
fn hello_of_another_client_is_busy_while_an_operation_runs() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    while fixture.slice().is_none() {}
    assert_eq!(code(&fixture.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}

#[test]
fn takeover_cancels_and_answers_the_waiting_request() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    assert_eq!(code(&fixture.say(2, 0, &hello(Some(1))).unwrap()), Code::Ok);
    assert_eq!(fixture.service.storage().cancelled, 1);
    let owed = fixture.slice().unwrap();
    assert_eq!((owed[0].clone(), code(&owed)), (vec![1, 1], Code::NoSession));
    assert!(!fixture.service.is_working());
}

#[test]
fn bye_cancels() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    while fixture.slice().is_none() {}
    assert_eq!(code(&fixture.say(1, 0, &Operation::Bye).unwrap()), Code::Ok);
    assert_eq!(fixture.service.storage().cancelled, 1);
    assert!(!fixture.service.is_working());
}

#[test]
fn store_is_not_accessible_while_it_works() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(99));
    assert!(fixture.service.storage_mut().is_none());
}

#[test]
fn servers_own_work_is_not_the_clients_silence() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &Operation::Flush);
    fixture.now += Duration::from_secs(100);
    fixture.service.work_ended(fixture.now);
    assert_eq!(code(&fixture.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}

#[test]
fn work_for_other_clients_does_not_renew_the_lease() {
    let mut fixture = ServiceFixture::open();
    fixture.service.work_ended(fixture.now);
    for _ in 0..3 {
        fixture.now += Duration::from_secs(9);
        assert_eq!(code(&fixture.say(2, 0, &hello(None)).unwrap()), Code::Busy);
        let _ = fixture.handle(&[b"foreign".to_vec(), vec![]]);
        fixture.service.work_ended(fixture.now);
    }
    fixture.now += Duration::from_secs(3);
    assert_eq!(code(&fixture.say(3, 0, &hello(None)).unwrap()), Code::Ok);
}

#[test]
fn last_slice_of_an_operation_is_the_servers_own_work() {
    let mut fixture = ServiceFixture::open();
    let _ = fixture.say(1, 1, &hash(1));
    assert!(fixture.slice().is_some());
    fixture.now += Duration::from_secs(100);
    fixture.service.work_ended(fixture.now);
    assert_eq!(code(&fixture.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}
