//! The transport over real sockets: who is accepted, what is reported, and what unauthenticated peers can do.

mod descriptors;
mod memory;
mod refused;
mod talk;
mod unauthenticated;

use remofile::transport::{
    Bounds, ClientPattern, ClientSecurity, ClientSocket, ClientSocketOptions, Context, CurveKey, Endpoint, LinkEvent,
    LinkVerdict, Message, SendOutcome, ServerPattern, ServerSecurity, ServerSocket, TransportError, Wake,
};
use remofile_testkit::skip::skip;
use std::time::{Duration, Instant};

/// No step of a test takes longer, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// How soon a refusal must be reported: [CURVE-7].
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// The keys of a server and its clients.
struct Keys {
    server: zmq::CurveKeyPair,
    client: zmq::CurveKeyPair,
}

impl Keys {
    fn new() -> Self {
        Self { server: zmq::CurveKeyPair::new().unwrap(), client: zmq::CurveKeyPair::new().unwrap() }
    }

    fn of_server(&self) -> ServerSecurity {
        ServerSecurity::Curve {
            secret: CurveKey::new(self.server.secret_key),
            admitted: CurveKey::new(self.client.public_key),
        }
    }

    fn of_client(&self) -> ClientSecurity {
        ClientSecurity::Curve {
            server: CurveKey::new(self.server.public_key),
            public: CurveKey::new(self.client.public_key),
            secret: CurveKey::new(self.client.secret_key),
        }
    }
}

fn bind(pattern: ServerPattern, security: &ServerSecurity) -> ServerSocket {
    let endpoint = "127.0.0.1:0".parse().unwrap();
    ServerSocket::bind(&Context::new(), &endpoint, pattern, security, &Bounds::default()).unwrap()
}

fn connect(endpoint: &Endpoint, pattern: ClientPattern, security: &ClientSecurity) -> ClientSocket {
    let options = ClientSocketOptions { pattern, linger: Duration::ZERO, ..ClientSocketOptions::default() };
    ClientSocket::connect(&Context::new(), endpoint, security, &options).unwrap()
}

/// Polls until the event comes.
fn await_event(client: &mut ClientSocket, awaited: LinkEvent) {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if client.poll(DEADLINE).unwrap() == Wake::Event(awaited) {
            return;
        }
    }
    panic!("{awaited:?} did not come");
}

/// Polls until the link is given up, and says why and after how long.
fn await_verdict(client: &mut ClientSocket) -> (LinkVerdict, Duration) {
    let start = Instant::now();
    loop {
        match client.poll(DEADLINE) {
            Ok(Wake::Event(_)) => {}
            Err(TransportError::Link(verdict)) => return (verdict, start.elapsed()),
            other => panic!("{other:?} instead of a verdict"),
        }
    }
}

/// Receives the next message of the client.
fn await_message(client: &mut ClientSocket) -> Vec<Message> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(message) = client.recv().unwrap() {
            return message;
        }
        client.poll(DEADLINE).unwrap();
    }
    panic!("no message came");
}

fn send(client: &mut ClientSocket, body: &[&[u8]]) {
    let frames = std::iter::once(Message::new()).chain(body.iter().map(|frame| Message::from(*frame))).collect();
    assert!(matches!(client.send(frames).unwrap(), SendOutcome::Queued));
}

/// The frames after the first empty one.
fn body(message: &[Message]) -> Vec<Vec<u8>> {
    let delimiter = message.iter().position(|frame| frame.is_empty()).unwrap();
    message[delimiter + 1..].iter().map(|frame| frame.to_vec()).collect()
}
