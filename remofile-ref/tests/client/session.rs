//! What a client sends before its session is open, and when it ends it: seen by a server that the test plays by hand.

use remofile::{ClientOptions, zmq};
use remofile_proto::{
    Answer, BootId, Capabilities, Code, HelloReply, Message, Names, Refusal, SessionId, encode_reply, envelope, limits,
};
use std::thread;

const TOKEN: &str = "TTA3rMB8VtNYv25kdipkaJ";
/// A test that waits longer has failed.
const DEADLINE_MS: i32 = 30_000;

/// A ROUTER on which the test is the server, and a DEALER for its client.
fn sockets(name: &str) -> (zmq::Socket, zmq::Socket) {
    let context = zmq::Context::new();
    let (router, dealer) = (context.socket(zmq::ROUTER).unwrap(), context.socket(zmq::DEALER).unwrap());
    let endpoint = format!("inproc://{name}");
    router.bind(&endpoint).unwrap();
    dealer.connect(&endpoint).unwrap();
    router.set_rcvtimeo(DEADLINE_MS).unwrap();
    (router, dealer)
}

/// A request as it came.
struct Came {
    route: Vec<u8>,
    session: SessionId,
    seq: u64,
    op: String,
}

fn came(frames: Vec<Vec<u8>>) -> Came {
    let Message::Request(request) = envelope::classify(&frames[2..], limits::HEADER) else {
        panic!("a client sent what is no request: {frames:?}");
    };
    let (session, seq, op) = (request.header.session, request.header.seq, request.header.op.to_string());
    Came { route: frames[0].clone(), session, seq, op }
}

fn receive(router: &zmq::Socket) -> Came {
    came(router.recv_multipart(0).unwrap())
}

fn answer(router: &zmq::Socket, to: &Came, result: &Result<Answer, Refusal>) {
    let header = encode_reply(to.session, to.seq, result);
    router.send_multipart([to.route.as_slice(), b"", &header], 0).unwrap();
}

fn welcome() -> Result<Answer, Refusal> {
    Ok(Answer::Hello(HelloReply {
        window: 8,
        chunk: 65_536,
        header: 65_536,
        lease_ms: limits::LEASE_MS,
        boot: BootId::new([7; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: false,
        caps: Capabilities::default(),
    }))
}

/// [SES-11] allows two harmless requests after an unanswered hello; this client sends none.
#[test]
fn nothing_follows_a_hello_that_is_unanswered() {
    let (router, dealer) = sockets("unanswered");
    let client = thread::spawn(move || {
        let client = ClientOptions::new().over_socket(dealer, TOKEN).unwrap();
        client.mkdir(&"/photos".parse().unwrap())
    });
    let first = receive(&router);
    assert_eq!((first.op.as_str(), first.seq), ("hello", 0));
    // The first stays unanswered: all that comes until the client says hello again was sent after it.
    let second = receive(&router);
    assert_eq!(second.op, "hello");
    assert_ne!(second.session, first.session);
    answer(&router, &second, &welcome());
    let request = receive(&router);
    assert_eq!((request.op.as_str(), request.seq, request.session), ("mkdir", 1, second.session));
    answer(&router, &request, &Err(Refusal::new(Code::Exists)));
    assert!(client.join().unwrap().is_err_and(|error| error.is_exists()));
}

/// [SES-20]
#[test]
fn a_bye_that_is_answered_no_session_has_succeeded() {
    let (router, dealer) = sockets("bye");
    let client = thread::spawn(move || ClientOptions::new().over_socket(dealer, TOKEN).unwrap().bye());
    let hello = receive(&router);
    answer(&router, &hello, &welcome());
    let bye = receive(&router);
    assert_eq!((bye.op.as_str(), bye.session), ("bye", hello.session));
    answer(&router, &bye, &Err(Refusal::new(Code::NoSession)));
    client.join().unwrap();
    // A client that took it for a failure would have said it again [SES-24].
    router.set_rcvtimeo(0).unwrap();
    assert_eq!(router.recv_multipart(0).map(|frames| came(frames).op), Err(zmq::Error::EAGAIN));
}
