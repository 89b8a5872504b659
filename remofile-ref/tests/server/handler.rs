//! The server without a socket: who waits while a long operation runs, and what is dropped.

use remofile::{FileServer, Frames, HandleOutcome, Handler, Precondition, RemotePath, Token, generate_token};
use remofile_proto::{Answer, Code, Hello, Keys, Operation, Reply, ReplyError, SessionId, encode_request};
use std::fs::File;
use std::path::PathBuf;

const WINDOW: u16 = 4;

/// A handler of a directory with a file that takes hours to hash, and an open session.
struct HandlerFixture {
    handler: Handler,
    directory: tempfile::TempDir,
    session: SessionId,
}

impl HandlerFixture {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        File::create(directory.path().join("huge")).unwrap().set_len(1 << 42).unwrap();
        let token = generate_token();
        let handler = FileServer::new(&directory, &token).unwrap().window(WINDOW).chunk(65_536).open().unwrap();
        let mut fixture = Self { handler, directory, session: SessionId::new([0xa1; 16]) };
        let hello = hello(&token, fixture.session);
        assert!(matches!(fixture.say(0, &hello, None), HandleOutcome::Reply(_)));
        fixture
    }

    fn frames(&self, seq: u64, operation: &Operation, payload: Option<&[u8]>) -> Frames {
        let header = encode_request(self.session, seq, operation);
        let peer = format!("peer {seq}").into_bytes();
        [peer, vec![], header].into_iter().chain(payload.map(<[u8]>::to_vec)).collect()
    }

    fn say(&mut self, seq: u64, operation: &Operation, payload: Option<&[u8]>) -> HandleOutcome {
        let frames = self.frames(seq, operation, payload);
        self.handler.handle(&frames)
    }

    /// Runs slices until a reply comes: whose it is, and what it says.
    fn next_reply(&mut self) -> (u64, Code) {
        loop {
            assert!(self.handler.is_working(), "nothing is left to be done");
            if let Some(reply) = self.handler.run_slice() {
                let said = said(&reply);
                assert_eq!(reply[0], format!("peer {}", said.0).into_bytes());
                return said;
            }
        }
    }
}

fn hello(token: &Token, session: SessionId) -> Operation {
    let auth = Keys::derive(token).hello.auth(session);
    Operation::Hello(Hello { auth, client: String::new(), take: None, lease_ms: None })
}

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

fn hash_of(at: &str) -> Operation {
    Operation::Hash { path: path(at), off: 0, len: None }
}

fn put(at: &str) -> Operation {
    Operation::Put { path: path(at), pre: Precondition::Absent, mtime_ns: None }
}

/// The number and the code of a reply with one routing frame.
fn said(reply: &Frames) -> (u64, Code) {
    let reply = Reply::decode(&reply[1..]).unwrap();
    let code = match reply.into_answer(&Operation::Flush) {
        Err(ReplyError::Refused(refusal)) => refusal.code,
        _ => Code::Ok,
    };
    (reply.seq, code)
}

#[test]
fn requests_behind_one_that_takes_long_have_their_turn() {
    let mut fixture = HandlerFixture::open();
    // 64 MiB are several slices, and less than half a second of them.
    File::create(fixture.directory.path().join("large")).unwrap().set_len(64 << 20).unwrap();
    assert_eq!(fixture.say(1, &hash_of("/large"), None), HandleOutcome::Later);
    assert_eq!(fixture.say(2, &put("/second"), Some(b"2")), HandleOutcome::Later);
    assert_eq!(fixture.say(3, &put("/third"), Some(b"3")), HandleOutcome::Later);
    let first = fixture.next_reply();
    if first == (1, Code::Ok) {
        assert_eq!((fixture.next_reply(), fixture.next_reply()), ((2, Code::Ok), (3, Code::Ok)));
        assert!(!fixture.handler.is_working());
    } else {
        // A machine that is busy with something else: they are refused, and the client repeats them [SEQ-12].
        assert_eq!(first, (1, Code::Pending));
        assert_eq!((fixture.next_reply(), fixture.next_reply()), ((2, Code::Seq), (3, Code::Seq)));
    }
}

#[test]
fn after_pending_what_waited_is_refused() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    assert_eq!(fixture.say(2, &put("/second"), Some(b"2")), HandleOutcome::Later);
    assert_eq!(fixture.next_reply(), (1, Code::Pending));
    assert_eq!(fixture.next_reply(), (2, Code::Seq));
    assert!(!fixture.directory.path().join("second").exists());
}

#[test]
fn what_is_not_remofiles_does_not_wait() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    assert!(fixture.handler.owes_reply());
    assert_eq!(fixture.handler.handle(&[&b"peer"[..], b"", b"GET /"]), HandleOutcome::NotOurs);
    assert_eq!(fixture.handler.handle(&[&b"peer"[..], b"no delimiter"]), HandleOutcome::NotOurs);
}

#[test]
fn a_malformed_message_waits_its_turn_without_being_decoded() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    let mut malformed = fixture.frames(2, &Operation::Flush, None);
    malformed[2].push(0);
    assert_eq!(fixture.handler.handle(&malformed), HandleOutcome::Later);
    assert_eq!(fixture.next_reply(), (1, Code::Pending));
    assert_eq!(fixture.next_reply(), (2, Code::BadMessage));
}

#[test]
fn a_message_of_another_version_is_answered_at_once() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    let mut other = fixture.frames(2, &Operation::Flush, None);
    other[2][5] = b'2';
    assert!(matches!(fixture.handler.handle(&other), HandleOutcome::Reply(_)));
    assert!(fixture.handler.owes_reply());
}

#[test]
fn a_client_that_keeps_to_its_window_always_finds_room() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    for seq in 2..=u64::from(WINDOW) {
        assert!(fixture.handler.has_room());
        assert_eq!(fixture.say(seq, &put("/file"), Some(&[7; 65_536])), HandleOutcome::Later);
    }
    assert!(fixture.handler.has_room());
}

#[test]
fn beyond_twice_the_window_requests_are_dropped() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    for seq in 2..2 + 2 * u64::from(WINDOW) {
        assert!(fixture.handler.has_room());
        assert_eq!(fixture.say(seq, &Operation::Flush, None), HandleOutcome::Later);
    }
    assert!(!fixture.handler.has_room());
    assert_eq!(fixture.say(99, &Operation::Flush, None), HandleOutcome::Silent);
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.say(1, &hash_of("/huge"), None), HandleOutcome::Later);
    let largest = vec![7; 16 << 20];
    assert_eq!(fixture.say(2, &put("/file"), Some(&largest)), HandleOutcome::Silent);
    assert!(fixture.handler.has_room());
}

#[test]
fn an_answer_of_a_long_operation_is_pending_and_goes_on_with_the_next() {
    let mut fixture = HandlerFixture::open();
    let poll = fixture.frames(1, &hash_of("/huge"), None);
    let done = |reply: &Frames| {
        let reply = Reply::decode(&reply[1..]).unwrap();
        match reply.into_answer(&hash_of("/huge")) {
            Err(ReplyError::Refused(refusal)) => match refusal.detail {
                remofile_proto::Detail::Progress { done, .. } => done.unwrap(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let first = done(&fixture.handler.answer(&poll).unwrap());
    let second = done(&fixture.handler.answer(&poll).unwrap());
    assert!(second > first, "{first} {second}");
}

#[test]
fn an_answer_to_nothing_of_ours_is_none() {
    let mut fixture = HandlerFixture::open();
    assert_eq!(fixture.handler.answer(&[&b""[..], b"GET /"]), None);
}

#[test]
fn an_answer_is_the_result_where_it_comes_in_time() {
    let mut fixture = HandlerFixture::open();
    std::fs::write(fixture.directory.path().join("small"), b"content").unwrap();
    let frames = fixture.frames(1, &hash_of("/small"), None);
    let reply = fixture.handler.answer(&frames).unwrap();
    let reply = Reply::decode(&reply[1..]).unwrap();
    let Ok(Answer::Hash(hash)) = reply.into_answer(&hash_of("/small")) else { panic!("no hash") };
    assert_eq!(hash.hash.as_bytes(), blake3::hash(b"content").as_bytes());
}

#[test]
fn a_handler_that_is_dropped_leaves_no_half_of_a_copy() {
    let mut fixture = HandlerFixture::open();
    let copy = Operation::Copy { from: path("/huge"), to: path("/copy"), pre: Precondition::Absent, etag: None };
    let before = files_below(&fixture.directory.path().join(".remofile"));
    assert_eq!(fixture.say(1, &copy, None), HandleOutcome::Later);
    assert!(files_below(&fixture.directory.path().join(".remofile")).len() > before.len());
    drop(fixture.handler);
    assert_eq!(files_below(&fixture.directory.path().join(".remofile")), before);
}

fn files_below(directory: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
    files.sort();
    files
}
