//! Real sockets with connections that are cut at random between them: nothing is lost, and nothing is done twice.

use remofile::protocol::client::handshake::{Handshake, HelloOutcome};
use remofile::protocol::client::request_window::{RequestWindow, RetryPolicy, WindowEvent};
use remofile::transport::{
    self, ClientPattern, ClientSecurity, ClientSocket, Context, CurveKey, Endpoint, LinkEvent, Message, SendOutcome,
    ServerPattern, Wake,
};
use remofile::{ClientOptions, FileClient, FileServer};
use remofile_proto::{Digest, Keys, Operation, Precondition, RemotePath, Reply, SessionId, UploadId};
use remofile_testkit::counting::{CountingServer, is_computed, text, token};
use remofile_testkit::process::{DEADLINE, Server, content, make_file};
use remofile_testkit::relay::{Cuts, Relay, seed};
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

/// How many connections each pairing of sockets has to lose.
const CUTS: usize = 20;

/// The payload of an append: not a divisor of anything.
const PART: usize = 48_000;

/// Appends in one upload: 3.8 MB.
const PARTS: usize = 80;

// Staged uploads with other operations between their parts, pipelined.

#[test]
fn dealer_to_router_executes_each_request_once() {
    each_request_is_executed_once(ClientPattern::Dealer, ServerPattern::Router);
}

#[test]
fn dealer_to_rep_executes_each_request_once() {
    each_request_is_executed_once(ClientPattern::Dealer, ServerPattern::Rep);
}

#[test]
fn req_to_router_executes_each_request_once() {
    each_request_is_executed_once(ClientPattern::Req, ServerPattern::Router);
}

#[test]
fn req_to_rep_executes_each_request_once() {
    each_request_is_executed_once(ClientPattern::Req, ServerPattern::Rep);
}

// The client that people use.

#[test]
fn files_pass_through_cuts_from_dealer_to_router() {
    files_pass_through_cuts(false, ServerPattern::Router);
}

#[test]
fn files_pass_through_cuts_from_dealer_to_rep() {
    files_pass_through_cuts(false, ServerPattern::Rep);
}

#[test]
fn files_pass_through_cuts_from_req_to_router() {
    files_pass_through_cuts(true, ServerPattern::Router);
}

#[test]
fn files_pass_through_cuts_from_req_to_rep() {
    files_pass_through_cuts(true, ServerPattern::Rep);
}

#[test]
fn an_upload_outlives_the_server_process() {
    let around = tempfile::tempdir().unwrap();
    let served = around.path().join("served");
    fs::create_dir(&served).unwrap();
    let source = make_file(&around.path().join("source"), 24 << 20, 7);
    let mut server = Server::start(&served);
    let relay = Relay::start(server.address(), Cuts::NONE);
    let endpoint = endpoint_of(relay.address());
    let upload = thread::spawn(move || {
        let client = FileClient::connect(&endpoint, &token(), ClientOptions::new()).unwrap();
        client.upload_file(&source, &path("/file"), Precondition::Absent).unwrap()
    });
    remofile_testkit::process::await_staged_bytes(&served, 8 << 20);
    server.kill();
    let restarted = Server::start(&served);
    relay.retarget(restarted.address());
    let done = upload.join().unwrap();
    assert_eq!(done.bytes, 24 << 20);
    assert!(fs::read(served.join("file")).unwrap() == content(24 << 20, 7), "the content differs");
    assert_eq!(remofile_testkit::process::staged_uploads(&served), 0);
}

#[test]
fn calls_to_a_server_that_is_gone_fail_in_time() {
    let served = tempfile::tempdir().unwrap();
    let mut server = Server::start(served.path());
    let options = ClientOptions::new().timeout(Duration::from_secs(2));
    let client = FileClient::connect(&server.endpoint.parse().unwrap(), &token(), options).unwrap();
    client.mkdir(&path("/before")).unwrap();
    server.kill();
    for _ in 0..3 {
        let started = Instant::now();
        assert!(client.mkdir(&path("/after")).is_err());
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
}

fn each_request_is_executed_once(client: ClientPattern, server: ServerPattern) {
    let seed = seed();
    let served = tempfile::tempdir().unwrap();
    let server = CountingServer::start(served.path(), server);
    let cuts = Cuts { seed, at_most: CUTS + 4, bytes: 200_000, ..Cuts::NONE };
    let relay = Relay::start(server.address, cuts);
    let mut pipeline = Pipeline::open(&endpoint_of(relay.address()), client);
    let mut rounds = 0u8;
    let mut sent = Vec::new();
    while relay.cuts() < CUTS {
        let requests = round(rounds);
        sent.extend(
            requests.iter().filter(|(operation, _)| !is_computed(operation)).map(|(operation, _)| text(operation)),
        );
        pipeline.run(requests);
        rounds += 1;
    }
    let executed = server.stop();
    eprintln!("{} requests in {rounds} rounds, {} cuts", sent.len(), relay.cuts());
    for operation in &sent {
        assert_eq!(executed.get(operation), Some(&1), "{operation}");
    }
    assert_eq!(executed.len(), sent.len(), "an operation was executed without a request");
    for round in 0..rounds {
        assert!(fs::read(served.path().join(format!("file{round}"))).unwrap() == whole(round), "file{round} differs");
        let left = names(&served.path().join(format!("round{round}")));
        assert_eq!(left, (0..PARTS).step_by(5).map(|part| format!("directory{part:03}")).collect::<Vec<_>>());
    }
}

/// One staged upload, and between its parts what must not be done twice.
///
/// [SEQ-25] forbids to rely on an unanswered request where harm could come of it; here a refusal fails the test.
fn round(round: u8) -> Vec<(Operation, Vec<u8>)> {
    let up = UploadId::new([round; 16]);
    let content = whole(round);
    let inside = |name: &str, part: usize| path(&format!("/round{round}/{name}{part:03}"));
    let target = path(&format!("/file{round}"));
    let mut requests = vec![
        (Operation::Mkdir { path: path(&format!("/round{round}")) }, vec![]),
        (Operation::Begin { up, path: target.clone(), size: Some(content.len() as u64) }, vec![]),
    ];
    for part in 0..PARTS {
        let off = part * PART;
        requests.push((Operation::Append { up, off: off as u64 }, content[off..off + PART].to_vec()));
        let first = part - part % 5;
        let (small, moved) = (inside("small", first), inside("moved", first));
        requests.push(match part % 5 {
            0 => (Operation::Mkdir { path: inside("directory", part) }, vec![]),
            1 => {
                let put = Operation::Put { path: small, pre: Precondition::Absent, mtime_ns: None };
                (put, content[off..off + 100].to_vec())
            }
            2 => (Operation::Read { path: small, off: 0, len: 100, etag: None }, vec![]),
            3 => (Operation::Move { from: small, to: moved, pre: Precondition::Absent, etag: None }, vec![]),
            _ => (Operation::Remove { path: moved, etag: None }, vec![]),
        });
    }
    let hash = Digest::new(*blake3::hash(&content).as_bytes());
    let size = content.len() as u64;
    requests.push((Operation::Commit { up, size, hash, pre: Precondition::Absent, mtime_ns: None }, vec![]));
    requests
}

fn whole(round: u8) -> Vec<u8> {
    content(PARTS * PART, u64::from(round))
}

fn files_pass_through_cuts(lockstep: bool, pattern: ServerPattern) {
    let seed = seed();
    let around = tempfile::tempdir().unwrap();
    let served = around.path().join("served");
    fs::create_dir(&served).unwrap();
    let mut bound = FileServer::new(&served, token()).unwrap().pattern(pattern).bind("127.0.0.1:0").unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, bound.local_port().unwrap()));
    let stop = bound.stop_handle();
    let serving = thread::spawn(move || bound.run());

    let cuts = Cuts { seed, at_most: CUTS + 4, bytes: 1_000_000, ..Cuts::NONE };
    let relay = Relay::start(address, cuts);
    let options = ClientOptions::new().lockstep(lockstep);
    let client = FileClient::connect(&endpoint_of(relay.address()), &token(), options).unwrap();
    let mut rounds = 0;
    while relay.cuts() < CUTS {
        let name = format!("file{rounds}");
        let size = 4_000_000 + rounds;
        let source = make_file(&around.path().join("source"), size, rounds as u64);
        let fetched = around.path().join(&name);
        let remote = path(&format!("/{name}"));
        client.upload_file(&source, &remote, Precondition::Absent).unwrap();
        client.download_file(&remote, &fetched, false).unwrap();
        let expected = content(size, rounds as u64);
        assert!(fs::read(served.join(&name)).unwrap() == expected, "what was uploaded differs");
        assert!(fs::read(&fetched).unwrap() == expected, "what was downloaded differs");
        rounds += 1;
    }
    client.bye();
    stop.stop();
    serving.join().unwrap().unwrap();
    assert_eq!(remofile_testkit::process::staged_uploads(&served), 0);
}

/// A client that keeps the window full of whatever it is given.
struct Pipeline {
    socket: ClientSocket,
    stream: RequestWindow<Vec<u8>>,
    session: SessionId,
    started: Instant,
    connected: bool,
}

impl Pipeline {
    fn open(endpoint: &Endpoint, pattern: ClientPattern) -> Self {
        let keys = Keys::derive(&token());
        let security = ClientSecurity::Curve {
            server: CurveKey::new(*keys.server.public()),
            public: CurveKey::new(*keys.client.public()),
            secret: CurveKey::new(*keys.client.secret()),
        };
        let options = transport::ClientSocketOptions { pattern, ..transport::ClientSocketOptions::default() };
        let socket = ClientSocket::connect(&Context::new(), endpoint, &security, &options).unwrap();
        let session = SessionId::new([0; 16]);
        let stream = RequestWindow::new(Duration::ZERO, session, 1, RetryPolicy::default());
        let mut pipeline = Self { socket, stream, session, started: Instant::now(), connected: false };
        let window = pipeline.say_hello(&keys);
        let window = if pattern == ClientPattern::Req { 1 } else { window };
        pipeline.stream = RequestWindow::new(pipeline.now(), pipeline.session, window, RetryPolicy::default());
        pipeline
    }

    /// Has all requests executed, and expects each to succeed.
    fn run(&mut self, requests: Vec<(Operation, Vec<u8>)>) {
        let deadline = Instant::now() + DEADLINE;
        let mut left = VecDeque::from(requests);
        let mut unanswered = HashMap::new();
        while !left.is_empty() || !unanswered.is_empty() {
            assert!(Instant::now() < deadline, "{} requests are not answered: {:?}", unanswered.len(), self.stream);
            while self.stream.can_submit() {
                let Some((operation, payload)) = left.pop_front() else { break };
                let seq = self.stream.submit(&operation, payload).unwrap();
                unanswered.insert(seq, operation);
            }
            self.send_what_is_due();
            let wait = self.stream.next_deadline().map_or(DEADLINE, |due| due.saturating_sub(self.now()));
            for message in self.wait(wait) {
                let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
                let Ok(reply) = Reply::decode(&frames) else { continue };
                match self.stream.on_reply(self.started.elapsed(), &reply) {
                    WindowEvent::Answered { seq, .. } => {
                        let operation = unanswered.remove(&seq).unwrap();
                        reply.into_answer(&operation).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
                    }
                    WindowEvent::Lost(loss) => panic!("the session is lost: {loss}"),
                    WindowEvent::Ignored | WindowEvent::Repairing | WindowEvent::Pending { .. } => {}
                }
            }
            let is_due = self.stream.next_deadline().is_some_and(|due| due <= self.now());
            if is_due && let WindowEvent::Lost(loss) = self.stream.on_timer(self.now()) {
                panic!("the session is lost: {loss}");
            }
        }
    }

    /// Says hello until a session is open, and gives its window.
    fn say_hello(&mut self, keys: &Keys) -> u64 {
        let mut handshake = Handshake::new("relay", None, None, Duration::from_millis(500));
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "no session was opened");
            while !self.connected {
                self.wait(DEADLINE);
            }
            let mut id = [0; 16];
            getrandom::fill(&mut id).unwrap();
            self.session = SessionId::new(id);
            let header = handshake.say_hello(self.now(), self.session, keys.hello.auth(self.session));
            self.socket.send(vec![Message::new(), header.into()]).unwrap();
            while let Some(left) = handshake.next_deadline().and_then(|due| due.checked_sub(self.now())) {
                for message in self.wait(left) {
                    let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
                    match Reply::decode(&frames).map(|reply| handshake.on_reply(&reply)) {
                        Ok(HelloOutcome::Open(welcome)) => return welcome.window,
                        Ok(HelloOutcome::Again | HelloOutcome::Ignored) | Err(_) => {}
                        Ok(other) => panic!("hello was answered {other:?}"),
                    }
                }
            }
        }
    }

    fn send_what_is_due(&mut self) {
        let now = self.now();
        while let Some(due) = self.stream.next_to_send() {
            let mut frames = vec![Message::new(), Message::from(due.header)];
            // Only puts and appends carry something here, and never nothing.
            if !due.payload.is_empty() {
                frames.push(Message::from(&due.payload[..]));
            }
            match self.socket.send(frames).unwrap() {
                SendOutcome::Queued => self.stream.sent(now),
                SendOutcome::Full(_) => break,
            }
        }
    }

    fn wait(&mut self, wait: Duration) -> Vec<Vec<Message>> {
        let mut messages = Vec::new();
        match self.socket.poll(wait).unwrap() {
            Wake::Readable => {
                while let Some(message) = self.socket.recv().unwrap() {
                    messages.push(message);
                }
            }
            Wake::Event(LinkEvent::HandshakeSucceeded) => {
                self.connected = true;
                self.stream.on_reconnected(self.now());
            }
            Wake::Event(LinkEvent::Disconnected) => {
                self.connected = false;
                self.stream.on_disconnected();
            }
            Wake::Event(_) | Wake::Room | Wake::Timeout => {}
        }
        messages
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn endpoint_of(address: SocketAddr) -> Endpoint {
    address.to_string().parse().unwrap()
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
