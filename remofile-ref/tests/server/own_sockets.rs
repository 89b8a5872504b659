//! Sockets that the embedding program made: every pairing talks, other traffic passes, and servers come and go.

use remofile::transport::TransportError;
use remofile::zmq::{Context, DEALER, Message, PAIR, POLLIN, PUB, REP, REQ, ROUTER, Socket, SocketType};
use remofile::{
    ClientError, ClientOptions, FileServer, Precondition, RemotePath, ServeError, SocketServer, Token, generate_token,
};
use remofile_proto::{Code, Keys, Operation, SessionId, encode_request};
use remofile_testkit::lockstep::{DEADLINE, Lockstep, Serving, serve_on_socket};
use std::fs::File;
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

fn socket(context: &Context, kind: SocketType) -> Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(i32::try_from(DEADLINE.as_millis()).unwrap()).unwrap();
    socket
}

fn bound(context: &Context, kind: SocketType, endpoint: &str) -> Socket {
    let socket = socket(context, kind);
    socket.bind(endpoint).unwrap();
    socket
}

fn connected(context: &Context, kind: SocketType, endpoint: &str) -> Socket {
    let socket = socket(context, kind);
    socket.connect(endpoint).unwrap();
    socket
}

fn last_endpoint(socket: &Socket) -> String {
    socket.get_last_endpoint().unwrap().unwrap()
}

struct SocketFixture {
    context: Context,
    directory: TempDir,
    token: Token,
}

impl SocketFixture {
    fn new() -> Self {
        Self { context: Context::new(), directory: tempfile::tempdir().unwrap(), token: generate_token() }
    }

    fn server_on(&self, socket: Socket) -> SocketServer {
        std::fs::create_dir_all(self.served()).unwrap();
        FileServer::new(self.served(), &self.token).unwrap().on_socket(socket).unwrap()
    }

    fn served(&self) -> std::path::PathBuf {
        self.directory.path().join("served")
    }

    fn ipc(&self) -> String {
        format!("ipc://{}", self.directory.path().join("socket").display())
    }
}

/// A file goes there and comes back, through a server and a client on sockets of these kinds.
fn talk(server: SocketType, client: SocketType, endpoint: &str) {
    let fixture = SocketFixture::new();
    let endpoint = if endpoint == "ipc" { fixture.ipc() } else { endpoint.to_owned() };
    let socket = bound(&fixture.context, server, &endpoint);
    let dialled = last_endpoint(&socket);
    let serving = serve_on_socket(fixture.server_on(socket));
    let dialling = connected(&fixture.context, client, &dialled);
    let client = ClientOptions::new().over_socket(dialling, &fixture.token).unwrap();
    let content: Vec<u8> = (0..200_000_u32).map(|index| index.to_le_bytes()[0]).collect();
    client.put(&path("/file"), content.clone(), Precondition::Absent, None).unwrap();
    assert_eq!(client.read(&path("/file"), 0, 250_000, None).unwrap().0, content);
    assert_eq!(client.hash(&path("/file")).unwrap().hash.as_bytes(), blake3::hash(&content).as_bytes());
    client.bye();
    serving.stop();
}

#[test]
fn router_talks_to_every_client() {
    for endpoint in ["inproc://files", "ipc", "tcp://127.0.0.1:*"] {
        talk(ROUTER, DEALER, endpoint);
        talk(ROUTER, REQ, endpoint);
    }
}

#[test]
fn rep_talks_to_every_client() {
    for endpoint in ["inproc://files", "ipc", "tcp://127.0.0.1:*"] {
        talk(REP, DEALER, endpoint);
        talk(REP, REQ, endpoint);
    }
}

#[test]
fn dealer_talks_to_every_client() {
    for endpoint in ["inproc://files", "ipc", "tcp://127.0.0.1:*"] {
        talk(DEALER, DEALER, endpoint);
    }
    // ZeroMQ itself refuses to connect these two, but over inproc it does not look.
    talk(DEALER, REQ, "inproc://files");
}

#[test]
fn pair_talks_to_pair() {
    for endpoint in ["inproc://files", "ipc", "tcp://127.0.0.1:*"] {
        talk(PAIR, PAIR, endpoint);
    }
}

#[test]
fn a_dealer_behind_a_proxy_talks() {
    let fixture = SocketFixture::new();
    let (front, back) =
        (bound(&fixture.context, ROUTER, "inproc://front"), bound(&fixture.context, DEALER, "inproc://back"));
    let control = bound(&fixture.context, PAIR, "inproc://control");
    let steering = connected(&fixture.context, PAIR, "inproc://control");
    let proxy = std::thread::spawn(move || {
        let (mut front, mut back, mut control) = (front, back, control);
        zmq::proxy_steerable(&mut front, &mut back, &mut control)
    });
    let serving = serve_on_socket(fixture.server_on(connected(&fixture.context, DEALER, "inproc://back")));
    let dialling = connected(&fixture.context, DEALER, "inproc://front");
    let client = ClientOptions::new().over_socket(dialling, &fixture.token).unwrap();
    client.mkdir(&path("/made")).unwrap();
    client.bye();
    serving.stop();
    steering.send("TERMINATE", 0).unwrap();
    let _ = proxy.join().unwrap();
}

#[test]
fn a_socket_with_curve_of_the_programs_own_talks() {
    let fixture = SocketFixture::new();
    let keys = Keys::derive(&fixture.token);
    let router = socket(&fixture.context, ROUTER);
    router.set_curve_server(true).unwrap();
    router.set_curve_secretkey(keys.server.secret()).unwrap();
    router.bind("tcp://127.0.0.1:*").unwrap();
    let dealer = socket(&fixture.context, DEALER);
    dealer.set_curve_serverkey(keys.server.public()).unwrap();
    dealer.set_curve_publickey(keys.client.public()).unwrap();
    dealer.set_curve_secretkey(keys.client.secret()).unwrap();
    dealer.connect(&last_endpoint(&router)).unwrap();
    let serving = serve_on_socket(fixture.server_on(router));
    ClientOptions::new().over_socket(dealer, &fixture.token).unwrap().bye();
    serving.stop();
}

#[test]
fn a_socket_of_another_kind_is_refused() {
    let fixture = SocketFixture::new();
    let server = FileServer::new(fixture.directory.path(), &fixture.token).unwrap();
    for kind in [PUB, REQ] {
        let error = server.on_socket(socket(&fixture.context, kind)).unwrap_err();
        assert!(matches!(error, ServeError::Transport(TransportError::SocketType(_))), "{error:?}");
    }
    for kind in [PUB, REP, ROUTER] {
        let error = ClientOptions::new().over_socket(socket(&fixture.context, kind), &fixture.token).unwrap_err();
        assert!(matches!(error, ClientError::Transport(_)), "{error:?}");
    }
}

#[test]
fn a_send_queue_below_the_window_is_refused() {
    let fixture = SocketFixture::new();
    for (queue, window, is_refused) in [(63, 64, true), (64, 64, false), (0, 1_024, false), (1_000, 1_024, true)] {
        let router = socket(&fixture.context, ROUTER);
        router.set_sndhwm(queue).unwrap();
        let server = FileServer::new(fixture.directory.path(), &fixture.token).unwrap().window(window);
        let refused = match server.on_socket(router) {
            Ok(_) => false,
            Err(ServeError::Transport(TransportError::SendQueue { .. })) => true,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(refused, is_refused, "a queue of {queue} and a window of {window}");
    }
}

/// A server that hands foreign messages to `foreign` only.
fn serve_with(mut server: SocketServer, mut foreign: impl FnMut(Vec<Message>, &Socket) + Send + 'static) -> Serving {
    Serving::start(server.stop_handle(), move || (server.run_with(&mut foreign), ()))
}

#[test]
fn foreign_messages_are_handed_over_whole() {
    let fixture = SocketFixture::new();
    let (seen, handed_over) = channel();
    let server = fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files"));
    let serving = serve_with(server, move |message, _| {
        let frames: Vec<Vec<u8>> = message[1..].iter().map(|frame| frame.to_vec()).collect();
        seen.send(frames).unwrap();
    });
    let asker = connected(&fixture.context, DEALER, "inproc://files");
    let many = vec![b"x".to_vec(); 50];
    let messages = [
        vec![b"one frame".to_vec()],
        vec![vec![]],
        vec![vec![], b"after a delimiter".to_vec()],
        vec![vec![]; 40],
        many,
    ];
    for message in messages {
        asker.send_multipart(&message, 0).unwrap();
        assert_eq!(handed_over.recv_timeout(DEADLINE).unwrap(), message);
    }
    serving.stop();
}

#[test]
fn foreign_messages_do_not_wait_for_a_long_operation() {
    let fixture = SocketFixture::new();
    let server = fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files"));
    File::create(fixture.served().join("huge")).unwrap().set_len(1 << 42).unwrap();
    let serving = serve_with(server, |message, socket| socket.send_multipart(message, 0).unwrap());
    let mut client = Lockstep::over(connected(&fixture.context, REQ, "inproc://files"), &fixture.token);
    client.hello().unwrap();
    let hash = Operation::Hash { path: path("/huge"), off: 0, len: None };
    client.send(&hash, None);
    let asker = connected(&fixture.context, DEALER, "inproc://files");
    let mut answered = 0;
    while !client.is_answered() {
        asker.send("are you there?", 0).unwrap();
        assert_eq!(asker.recv_bytes(0).unwrap(), b"are you there?");
        answered += 1;
    }
    assert_eq!(client.receive(&hash), Err(Code::Pending));
    // Where they waited for the reply that is owed, one could be answered before it.
    assert!(answered > 2, "{answered}");
    serving.stop();
}

#[test]
fn a_program_with_its_own_loop_shares_the_socket() {
    let fixture = SocketFixture::new();
    let mut server = fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files"));
    let stop = server.stop_handle();
    let serving = Serving::start(stop.clone(), move || {
        while !stop.is_stopped() {
            let mut items = [server.socket().as_poll_item(POLLIN)];
            zmq::poll(&mut items, if server.is_working() { 0 } else { 20 }).unwrap();
            match server.turn(Duration::ZERO) {
                Ok(Some(message)) => server.socket().send_multipart(message, 0).unwrap(),
                Ok(None) => {}
                Err(error) => return (Err(error), ()),
            }
        }
        (Ok(()), ())
    });
    let dialling = connected(&fixture.context, DEALER, "inproc://files");
    let client = ClientOptions::new().over_socket(dialling, &fixture.token).unwrap();
    let asker = connected(&fixture.context, DEALER, "inproc://files");
    for number in 0..20 {
        asker.send("are you there?", 0).unwrap();
        client.mkdir(&path(&format!("/made{number}"))).unwrap();
        assert_eq!(asker.recv_bytes(0).unwrap(), b"are you there?");
    }
    client.bye();
    serving.stop();
}

#[test]
fn rep_answers_foreign_messages_with_an_empty_frame() {
    let fixture = SocketFixture::new();
    let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, REP, "inproc://files")));
    let asker = connected(&fixture.context, REQ, "inproc://files");
    for _ in 0..2 {
        asker.send("GET /", 0).unwrap();
        assert_eq!(asker.recv_multipart(0).unwrap(), [b""]);
    }
    serving.stop();
}

#[test]
fn what_the_program_answers_on_rep_goes_out_and_what_it_leaves_is_an_empty_frame() {
    let fixture = SocketFixture::new();
    let server = fixture.server_on(bound(&fixture.context, REP, "inproc://files"));
    let serving = serve_with(server, |message, socket| {
        if message[0].as_str() == Some("answer me") {
            socket.send_multipart([&b"answered"[..], b"twice"], 0).unwrap();
        }
    });
    let asker = connected(&fixture.context, REQ, "inproc://files");
    for (question, answer) in [("answer me", &[&b"answered"[..], b"twice"][..]), ("do not", &[&b""[..]])].repeat(2) {
        asker.send(question, 0).unwrap();
        assert_eq!(asker.recv_multipart(0).unwrap(), answer);
    }
    serving.stop();
}

#[test]
fn a_mandatory_router_goes_on_when_a_peer_is_gone() {
    let fixture = SocketFixture::new();
    let router = socket(&fixture.context, ROUTER);
    router.set_router_mandatory(true).unwrap();
    router.bind("inproc://files").unwrap();
    let gone = connected(&fixture.context, DEALER, "inproc://files");
    let ping = encode_request(SessionId::new([1; 16]), 0, &Operation::Ping);
    gone.send_multipart([&b""[..], &ping], 0).unwrap();
    drop(gone);
    let serving = serve_on_socket(fixture.server_on(router));
    let dialling = connected(&fixture.context, DEALER, "inproc://files");
    ClientOptions::new().over_socket(dialling, &fixture.token).unwrap().bye();
    serving.stop();
}

#[test]
fn a_full_queue_costs_replies_and_nothing_else() {
    for kind in [PAIR, DEALER] {
        let fixture = SocketFixture::new();
        let (ours, theirs) = (socket(&fixture.context, kind), socket(&fixture.context, kind));
        for end in [&ours, &theirs] {
            end.set_sndhwm(64).unwrap();
            end.set_rcvhwm(64).unwrap();
        }
        ours.bind("inproc://files").unwrap();
        theirs.connect("inproc://files").unwrap();
        let serving = serve_on_socket(fixture.server_on(ours));
        let ping = |seq: u64| [vec![], encode_request(SessionId::new([1; 16]), seq, &Operation::Flush)];
        // The queue back holds 128 replies: further ones are dropped, and the server continues to take requests.
        for seq in 1..1_000 {
            theirs.send_multipart(ping(seq), 0).unwrap();
        }
        let mut replies = 0;
        while theirs.poll(POLLIN, 500).unwrap() > 0 {
            theirs.recv_multipart(0).unwrap();
            replies += 1;
        }
        assert!((64..999).contains(&replies), "{replies}");
        theirs.send_multipart(ping(1_000), 0).unwrap();
        assert_eq!(theirs.recv_multipart(0).unwrap().len(), 2);
        serving.stop();
    }
}

#[test]
fn a_server_that_restarts_behind_ipc_is_found_again() {
    let fixture = SocketFixture::new();
    for kind in [DEALER, REQ] {
        let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, ROUTER, &fixture.ipc())));
        let dialling = connected(&fixture.context, kind, &fixture.ipc());
        let client = ClientOptions::new().over_socket(dialling, &fixture.token).unwrap();
        client.mkdir(&path("/before")).unwrap();
        let boot = client.welcome().boot;
        drop(serving.stop());
        let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, ROUTER, &fixture.ipc())));
        client.mkdir(&path("/behind")).unwrap();
        assert_ne!(client.welcome().boot, boot);
        client.remove(&path("/before"), None).unwrap();
        client.remove(&path("/behind"), None).unwrap();
        client.bye();
        serving.stop();
    }
}

#[test]
fn over_inproc_a_client_that_bound_sees_servers_come_and_go() {
    let fixture = SocketFixture::new();
    let dialled = bound(&fixture.context, DEALER, "inproc://client");
    let serving = serve_on_socket(fixture.server_on(connected(&fixture.context, ROUTER, "inproc://client")));
    let client = ClientOptions::new().over_socket(dialled, &fixture.token).unwrap();
    client.mkdir(&path("/before")).unwrap();
    drop(serving.stop());
    let serving = serve_on_socket(fixture.server_on(connected(&fixture.context, ROUTER, "inproc://client")));
    client.mkdir(&path("/behind")).unwrap();
    client.bye();
    serving.stop();
}

#[test]
fn a_socket_passes_from_server_to_server() {
    let fixture = SocketFixture::new();
    let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files")));
    let dialling = connected(&fixture.context, DEALER, "inproc://files");
    let client = ClientOptions::new().over_socket(dialling, &fixture.token).unwrap();
    client.mkdir(&path("/before")).unwrap();
    let router = serving.stop().into_socket();
    let serving = serve_on_socket(fixture.server_on(router));
    client.mkdir(&path("/behind")).unwrap();
    client.bye();
    serving.stop();
}

#[test]
fn silence_is_a_time_out() {
    let fixture = SocketFixture::new();
    let unanswered = connected(&fixture.context, DEALER, &fixture.ipc());
    let options = ClientOptions::new().timeout(Duration::from_secs(1));
    let error = options.over_socket(unanswered, &fixture.token).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { operation: "hello", .. }), "{error:?}");
}

#[test]
fn a_server_that_goes_for_good_is_a_time_out() {
    let fixture = SocketFixture::new();
    let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files")));
    let dialling = connected(&fixture.context, DEALER, "inproc://files");
    let options = ClientOptions::new().timeout(Duration::from_secs(1));
    let client = options.over_socket(dialling, &fixture.token).unwrap();
    drop(serving.stop());
    let error = match client.mkdir(&path("/made")).unwrap_err() {
        // libzmq took the request before it noticed: whether it was executed is unknown [LOST-1].
        ClientError::InDoubt { operation: "mkdir", source: Some(source), .. } => *source,
        other => other,
    };
    assert!(matches!(error, ClientError::TimedOut { operation: "hello", .. }), "{error:?}");
}

#[test]
fn another_token_is_refused_by_auth() {
    let fixture = SocketFixture::new();
    let serving = serve_on_socket(fixture.server_on(bound(&fixture.context, ROUTER, "inproc://files")));
    let dialling = connected(&fixture.context, DEALER, "inproc://files");
    let error = ClientOptions::new().over_socket(dialling, generate_token()).unwrap_err();
    assert!(matches!(error, ClientError::TokenRefused { .. }), "{error:?}");
    serving.stop();
}
