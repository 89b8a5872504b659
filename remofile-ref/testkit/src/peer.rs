//! A peer that says, word for word, what a test tells it to: in order or out of it, valid or not.

use crate::process::{DEADLINE, TOKEN};
use remofile::transport::{
    ClientSecurity, ClientSocket, ClientSocketOptions, Context, CurveKey, LinkEvent, Message, SendOutcome, Wake,
};
use remofile_proto::cbor::{Item, Value};
use remofile_proto::{Answer, Code, Hello, Keys, Operation, RemotePath, Reply, SessionId, Token, encode_request};
use std::time::{Duration, Instant};

pub struct Peer {
    socket: ClientSocket,
    keys: Keys,
    pub session: SessionId,
    /// The number of the next request.
    pub next: u64,
}

/// A reply, or what came in place of one.
#[derive(Clone, Debug)]
pub struct Told {
    frames: Vec<Vec<u8>>,
    pub code: Code,
    pub seq: u64,
}

impl Peer {
    /// Connects with the token of the tests, and draws a session id.
    pub fn connect(endpoint: &str) -> Self {
        let mut peer = Self::connecting(endpoint);
        peer.await_event(LinkEvent::HandshakeSucceeded);
        peer
    }

    /// Connects to the server that will listen there.
    pub fn connecting(endpoint: &str) -> Self {
        let keys = Keys::derive(&token());
        let security = ClientSecurity::Curve {
            server: CurveKey::new(*keys.server.public()),
            public: CurveKey::new(*keys.client.public()),
            secret: CurveKey::new(*keys.client.secret()),
        };
        let options =
            ClientSocketOptions { linger: Duration::ZERO, connect_timeout: DEADLINE, ..ClientSocketOptions::default() };
        let socket = ClientSocket::connect(&Context::new(), &endpoint.parse().unwrap(), &security, &options).unwrap();
        Self { socket, keys, session: random_session(), next: 1 }
    }

    /// Connects and opens a session.
    pub fn open(endpoint: &str) -> Self {
        let mut peer = Self::connect(endpoint);
        assert_eq!(peer.hello(None).code, Code::Ok);
        peer
    }

    pub fn await_event(&mut self, awaited: LinkEvent) {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            match self.socket.poll(DEADLINE).unwrap() {
                Wake::Event(event) if event == awaited => return,
                Wake::Readable => drop(self.socket.recv().unwrap()),
                Wake::Event(_) | Wake::Timeout | Wake::Room => {}
            }
        }
        panic!("{awaited:?} did not come");
    }

    /// The header of a hello of a session id.
    pub fn hello_header(&self, session: SessionId, take: Option<SessionId>) -> Vec<u8> {
        let auth = self.keys.hello.auth(session);
        encode_request(session, 0, &Operation::Hello(Hello { auth, client: "peer".to_owned(), take, lease_ms: None }))
    }

    pub fn hello(&mut self, take: Option<SessionId>) -> Told {
        let header = self.hello_header(self.session, take);
        self.send(&[&header]);
        self.receive()
    }

    /// Sends `ping` or `bye`.
    pub fn unnumbered(&mut self, operation: &Operation) -> Told {
        self.send(&[&encode_request(self.session, 0, operation)]);
        self.receive()
    }

    /// Sends the next request, and polls until it is answered.
    pub fn ask(&mut self, operation: &Operation, payload: Option<&[u8]>) -> Told {
        let header = encode_request(self.session, self.next, operation);
        self.ask_with(&header, payload)
    }

    /// Sends the next request with arguments that no operation need have.
    pub fn say(&mut self, operation: &str, args: &[(&str, Item)], payload: Option<&[u8]>) -> Told {
        let header = header(self.session, self.next, operation, args);
        self.ask_with(&header, payload)
    }

    fn ask_with(&mut self, header: &[u8], payload: Option<&[u8]>) -> Told {
        let frames: Vec<&[u8]> = [header].into_iter().chain(payload).collect();
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.send(&frames);
            let told = self.receive();
            if told.code != Code::Pending {
                self.next += 1;
                return told;
            }
            assert!(Instant::now() < deadline, "the request does not end");
        }
    }

    /// Sends the frames behind a delimiter.
    pub fn send(&mut self, body: &[&[u8]]) {
        let frames: Vec<&[u8]> = [&b""[..]].into_iter().chain(body.iter().copied()).collect();
        self.send_raw(&frames);
    }

    /// Sends exactly these frames.
    pub fn send_raw(&mut self, frames: &[&[u8]]) {
        let deadline = Instant::now() + DEADLINE;
        let mut frames: Vec<Message> = frames.iter().copied().map(Message::from).collect();
        while let SendOutcome::Full(given_back) = self.socket.send(frames).unwrap() {
            assert!(Instant::now() < deadline, "nothing can be sent");
            self.socket.wait_for_room(Duration::from_millis(100)).unwrap();
            frames = given_back;
        }
    }

    /// Sends the frames behind a delimiter; false where there is no room for long.
    pub fn send_if_room(&mut self, body: &[&[u8]]) -> bool {
        let mut frames: Vec<Message> = [&b""[..]].iter().chain(body).copied().map(Message::from).collect();
        for _ in 0..20 {
            match self.socket.send(frames).unwrap() {
                SendOutcome::Full(given_back) => frames = given_back,
                _ => return true,
            }
            self.socket.wait_for_room(Duration::from_millis(100)).unwrap();
        }
        false
    }

    pub fn receive(&mut self) -> Told {
        self.receive_within(DEADLINE).expect("a reply comes")
    }

    pub fn receive_within(&mut self, wait: Duration) -> Option<Told> {
        let frames = self.receive_frames(wait)?;
        let reply = Reply::decode(&frames).unwrap_or_else(|error| panic!("{error}: {frames:02x?}"));
        let code = Code::from_number(reply.code).expect("a code of this version");
        let seq = reply.seq;
        Some(Told { code, seq, frames })
    }

    /// The next message, from the empty delimiter on.
    pub fn receive_frames(&mut self, wait: Duration) -> Option<Vec<Vec<u8>>> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(message) = self.socket.recv().unwrap() {
                return Some(message.iter().map(|frame| frame.to_vec()).collect());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.poll(left).unwrap();
        }
    }
}

impl Told {
    /// The answer to an operation that succeeded.
    pub fn answer(&self, operation: &Operation) -> Answer {
        Reply::decode(&self.frames).unwrap().into_answer(operation).unwrap()
    }

    pub fn integer(&self, key: &str) -> Option<i64> {
        match Reply::decode(&self.frames).unwrap().result.get(key) {
            Some(Value::Int(number)) => Some(number),
            _ => None,
        }
    }

    pub fn payload(&self) -> Option<&[u8]> {
        Reply::decode(&self.frames).unwrap().payload
    }

    pub fn header(&self) -> &[u8] {
        let delimiter = self.frames.iter().position(Vec::is_empty).unwrap();
        &self.frames[delimiter + 1]
    }
}

/// A request header with arguments that no operation need have.
pub fn header(session: SessionId, seq: u64, operation: &str, args: &[(&str, Item)]) -> Vec<u8> {
    let args = args.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let seq = i64::try_from(seq).unwrap();
    let items = vec![
        Item::Text("rmf1".to_owned()),
        Item::Bytes(session.as_bytes().to_vec()),
        Item::Int(seq),
        Item::Text(operation.to_owned()),
        Item::Map(args),
    ];
    Item::Array(items).encode().unwrap()
}

pub fn random_session() -> SessionId {
    let mut id = [0; 16];
    getrandom::fill(&mut id).unwrap();
    SessionId::new(id)
}

pub fn token() -> Token {
    TOKEN.parse().unwrap()
}

pub fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

pub fn text(text: &str) -> Item {
    Item::Text(text.to_owned())
}

pub fn bytes<const N: usize>(byte: u8) -> Item {
    Item::Bytes(vec![byte; N])
}
