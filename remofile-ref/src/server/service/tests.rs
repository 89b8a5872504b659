//! One fact a test: what is answered when, and to whom.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::Success;
use remofile_proto::{
    Answer, BootId, Code, Detail, Etag, Hello, Names, Operation, ReadResult, Refusal, RemotePath, ReplyError, Welcome,
    encode_reply, encode_request,
};

/// A store whose `hash` takes as many slices as it is told to.
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

type Anybody = fn(&SessionId, &[u8; 32]) -> bool;

struct Bench {
    service: Service<Slices, Anybody>,
    now: Duration,
}

impl Bench {
    fn open() -> Self {
        let welcome = Welcome {
            window: 8,
            chunk: 65_536,
            header: 65_536,
            lease_ms: 30_000,
            boot: BootId::new([9; 16]),
            root: None,
            names: Names::Posix,
            folds: false,
            ro: false,
            caps: Vec::new(),
        };
        let service = Service::new(Terms { welcome, uploads: 64 }, Slices::default(), (|_, _| true) as Anybody);
        let mut bench = Self { service, now: Duration::from_secs(5) };
        assert_eq!(code(&bench.say(1, 0, &hello(None)).unwrap()), Code::Ok);
        bench
    }

    /// The reply, if there is one at once; the routing frame is the session's byte and the number.
    fn say(&mut self, id: u8, seq: u8, operation: &Operation) -> Option<Frames> {
        match self.handle(&[vec![id, seq], vec![], encode_request(session(id), seq.into(), operation)]) {
            Reaction::Reply(frames) => Some(frames),
            Reaction::Later => None,
            other => panic!("{other:?}"),
        }
    }

    fn handle(&mut self, frames: &[Vec<u8>]) -> Reaction {
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
    let mut bench = Bench::open();
    let request = encode_request(session(1), 0, &Operation::Ping);
    let routing = vec![b"client".to_vec(), b"proxy".to_vec(), vec![]];
    let Reaction::Reply(frames) = bench.handle(&[routing.clone(), vec![request]].concat()) else { panic!() };
    assert_eq!(frames[..3], routing);
    assert_eq!(frames.len(), 4);
}

#[test]
fn read_is_answered_with_its_payload() {
    let read = Operation::Read { path: RemotePath::root(), off: 0, len: 5, etag: None };
    let frames = Bench::open().say(1, 1, &read).unwrap();
    assert_eq!(frames[3..], [b"bytes".to_vec()]);
}

#[test]
fn strange_message_is_not_ours() {
    let strange = [vec![vec![1], vec![], b"GET /".to_vec()], vec![vec![1], vec![]], vec![b"no delimiter".to_vec()]];
    assert!(strange.iter().all(|frames| Bench::open().handle(frames) == Reaction::NotOurs));
}

#[test]
fn reply_is_met_with_silence() {
    let reply = encode_reply(session(1), 1, &Ok(Answer::Empty));
    assert_eq!(Bench::open().handle(&[vec![1], vec![], reply]), Reaction::Silent);
}

#[test]
fn bad_message_is_answered_and_consumes_no_number() {
    let mut bench = Bench::open();
    let mut header = encode_request(session(1), 1, &Operation::Flush);
    header.push(0);
    let Reaction::Reply(frames) = bench.handle(&[vec![1], vec![], header]) else { panic!() };
    assert_eq!(code(&frames), Code::BadMessage);
    assert_eq!(code(&bench.say(1, 1, &Operation::Flush).unwrap()), Code::Ok);
}

#[test]
fn operation_that_ends_in_time_is_answered_without_pending() {
    let mut bench = Bench::open();
    assert_eq!(bench.say(1, 1, &hash(3)), None);
    assert!(bench.service.is_working() && bench.service.owes_reply());
    assert_eq!([bench.slice(), bench.slice()], [None, None]);
    assert_eq!(bench.slice().map(|frames| frames[0].clone()), Some(vec![1, 1]));
    assert!(!bench.service.is_working());
}

#[test]
fn held_request_is_answered_pending_after_half_a_second() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(9));
    assert!((0..4).all(|_| bench.slice().is_none()));
    let refusal = refusal(&bench.slice().unwrap()).unwrap();
    assert_eq!((refusal.code, refusal.detail), (Code::Pending, Detail::Progress { done: Some(5), total: Some(9) }));
    assert!(bench.service.is_working() && !bench.service.owes_reply());
}

#[test]
fn poll_is_held_until_the_operation_ends() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(7));
    while bench.slice().is_none() {}
    assert_eq!(bench.say(1, 1, &hash(7)), None);
    assert!(bench.service.owes_reply());
    assert_eq!(bench.slice(), None);
    assert_eq!(code(&bench.slice().unwrap()), Code::Ok);
}

#[test]
fn poll_is_held_for_half_a_second_at_most() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    while bench.slice().is_none() {}
    let _ = bench.say(1, 1, &hash(99));
    assert!((0..4).all(|_| bench.slice().is_none()));
    assert_eq!(code(&bench.slice().unwrap()), Code::Pending);
}

#[test]
fn operation_that_ends_between_polls_is_remembered() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(6));
    while bench.slice().is_none() {}
    assert_eq!(bench.slice(), None);
    assert!(!bench.service.is_working());
    assert_eq!(code(&bench.say(1, 1, &hash(6)).unwrap()), Code::Ok);
    assert_eq!(bench.service.storage().performed, 1);
}

#[test]
fn second_poll_lets_the_first_go_with_pending() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    let again = [b"other connection".to_vec(), vec![], encode_request(session(1), 1, &hash(99))];
    let Reaction::Reply(frames) = bench.handle(&again) else { panic!() };
    assert_eq!((frames[0].clone(), code(&frames)), (vec![1, 1], Code::Pending));
    assert!(bench.service.owes_reply());
}

#[test]
fn strangers_hello_is_busy_while_an_operation_runs() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    while bench.slice().is_none() {}
    assert_eq!(code(&bench.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}

#[test]
fn takeover_cancels_and_whoever_waited_is_told() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    assert_eq!(code(&bench.say(2, 0, &hello(Some(1))).unwrap()), Code::Ok);
    assert_eq!(bench.service.storage().cancelled, 1);
    let owed = bench.slice().unwrap();
    assert_eq!((owed[0].clone(), code(&owed)), (vec![1, 1], Code::NoSession));
    assert!(!bench.service.is_working());
}

#[test]
fn bye_cancels() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    while bench.slice().is_none() {}
    assert_eq!(code(&bench.say(1, 0, &Operation::Bye).unwrap()), Code::Ok);
    assert_eq!(bench.service.storage().cancelled, 1);
    assert!(!bench.service.is_working());
}

#[test]
fn store_is_out_of_reach_while_it_works() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(99));
    assert!(bench.service.storage_mut().is_none());
}

#[test]
fn servers_own_work_is_not_the_clients_silence() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &Operation::Flush);
    bench.now += Duration::from_secs(100);
    bench.service.work_ended(bench.now);
    assert_eq!(code(&bench.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}

#[test]
fn work_for_strangers_does_not_renew_the_lease() {
    let mut bench = Bench::open();
    bench.service.work_ended(bench.now);
    for _ in 0..3 {
        bench.now += Duration::from_secs(9);
        assert_eq!(code(&bench.say(2, 0, &hello(None)).unwrap()), Code::Busy);
        let _ = bench.handle(&[b"strange".to_vec(), vec![]]);
        bench.service.work_ended(bench.now);
    }
    bench.now += Duration::from_secs(3);
    assert_eq!(code(&bench.say(3, 0, &hello(None)).unwrap()), Code::Ok);
}

#[test]
fn last_slice_of_an_operation_is_the_servers_own_work() {
    let mut bench = Bench::open();
    let _ = bench.say(1, 1, &hash(1));
    assert!(bench.slice().is_some());
    bench.now += Duration::from_secs(100);
    bench.service.work_ended(bench.now);
    assert_eq!(code(&bench.say(2, 0, &hello(None)).unwrap()), Code::Busy);
}
