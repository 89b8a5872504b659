//! One fact a test.
#![allow(clippy::unwrap_used)]

use super::*;
use remofile_proto::{BootId, Capabilities, Header, Names, Payload, encode_reply, envelope};

const SILENCE: Duration = Duration::from_secs(2);
const NOW: Duration = Duration::from_secs(7);

fn id(n: u8) -> SessionId {
    SessionId::new([n; 16])
}

fn handshake() -> Handshake {
    Handshake::new("me", None, None, SILENCE)
}

/// Says hello with the id `n`, and gives what it takes.
fn say(handshake: &mut Handshake, n: u8) -> Option<SessionId> {
    let header = handshake.say_hello(NOW, id(n), [n; 32]);
    match Operation::parse(&Header::decode(&header).unwrap(), Payload::NONE, &Default::default()) {
        Ok(Operation::Hello(hello)) => hello.take,
        other => panic!("{other:?}"),
    }
}

fn reply(handshake: &mut Handshake, session: SessionId, result: Result<Answer, Refusal>) -> HelloOutcome {
    let frames = [encode_reply(session, 0, &result)];
    handshake.on_reply(&Reply::decode(&frames).unwrap())
}

fn busy(holder: u8) -> Result<Answer, Refusal> {
    let busy = Busy { idle_ms: 1, lease_ms: 2, client: "them".into(), session: id(holder) };
    Err(Refusal { detail: Detail::Busy(busy), ..Refusal::new(Code::Busy) })
}

fn welcome() -> Result<Answer, Refusal> {
    Ok(Answer::Hello(HelloReply {
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
    }))
}

#[test]
fn first_hello_takes_nothing() {
    assert_eq!(say(&mut handshake(), 1), None);
}

#[test]
fn hello_after_silence_takes_the_id_before() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    assert_eq!(handshake.next_deadline(), Some(NOW + SILENCE));
    assert_eq!(say(&mut handshake, 2), Some(id(1)));
    assert_eq!(say(&mut handshake, 3), Some(id(2)));
}

#[test]
fn reopening_takes_the_clients_own_old_session() {
    assert_eq!(say(&mut Handshake::new("me", None, Some(id(9)), SILENCE), 1), Some(id(9)));
}

#[test]
fn welcome_opens() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    assert!(matches!(reply(&mut handshake, id(1), welcome()), HelloOutcome::Open(_)));
    assert_eq!(handshake.next_deadline(), None);
}

#[test]
fn reply_to_an_earlier_hello_is_ignored() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    say(&mut handshake, 2);
    assert!(matches!(reply(&mut handshake, id(1), welcome()), HelloOutcome::Ignored));
    assert!(matches!(reply(&mut handshake, id(2), welcome()), HelloOutcome::Open(_)));
}

#[test]
fn busy_with_another_client_is_busy_and_the_next_hello_takes_nothing() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    assert!(matches!(reply(&mut handshake, id(1), busy(9)), HelloOutcome::Busy(_)));
    assert_eq!(say(&mut handshake, 2), None);
}

#[test]
fn busy_with_an_earlier_hello_of_its_own_is_taken_over() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    say(&mut handshake, 2);
    say(&mut handshake, 3);
    assert!(matches!(reply(&mut handshake, id(3), busy(1)), HelloOutcome::Again));
    assert_eq!(say(&mut handshake, 4), Some(id(1)));
}

#[test]
fn ended_id_asks_for_another() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    assert!(matches!(reply(&mut handshake, id(1), Err(Refusal::new(Code::NoSession))), HelloOutcome::Again));
}

#[test]
fn wrong_token_is_refused() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    let outcome = reply(&mut handshake, id(1), Err(Refusal::new(Code::Auth)));
    assert!(matches!(outcome, HelloOutcome::Refused(refusal) if refusal.code == Code::Auth));
}

#[test]
fn version_is_heard_though_it_names_no_session() {
    let mut handshake = handshake();
    say(&mut handshake, 1);
    let outcome = reply(&mut handshake, id(0), Err(Refusal::new(Code::Version)));
    assert!(matches!(outcome, HelloOutcome::Refused(refusal) if refusal.code == Code::Version));
}

#[test]
fn long_client_name_is_cut_to_what_a_server_takes() {
    let mut handshake = Handshake::new(&"ä".repeat(100), None, None, SILENCE);
    let frames = [vec![], handshake.say_hello(NOW, id(1), [0; 32])];
    let envelope::Message::Request(request) = envelope::receive(&frames, 65_536).message else { panic!() };
    let Ok(Operation::Hello(hello)) = Operation::parse(&request.header, Payload::NONE, &Default::default()) else {
        panic!()
    };
    assert_eq!(hello.client, "ä".repeat(64));
}
