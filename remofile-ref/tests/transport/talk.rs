//! The right keys: every pairing of sockets talks.

use super::*;

fn talks(client: ClientPattern, server: ServerPattern, security: Option<Keys>, rounds: u8) {
    let (of_server, of_client) = match &security {
        Some(keys) => (keys.of_server(), keys.of_client()),
        None => (ServerSecurity::Null, ClientSecurity::Null),
    };
    let mut server = bind(server, &of_server);
    let mut client = connect(&server.local_endpoint().unwrap(), client, &of_client);
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    for round in 0..rounds {
        send(&mut client, &[b"header", &[round]]);
        let mut request = server.recv(DEADLINE).unwrap().unwrap();
        assert_eq!(body(&request), [b"header".to_vec(), vec![round]]);
        request.truncate(request.iter().position(|frame| frame.is_empty()).unwrap() + 1);
        request.push(Message::from(vec![round; 70_000]));
        server.send(request).unwrap();
        assert_eq!(body(&await_message(&mut client)), [vec![round; 70_000]]);
    }
}

#[test]
fn dealer_and_router_talk() {
    talks(ClientPattern::Dealer, ServerPattern::Router, Some(Keys::new()), 5);
}

#[test]
fn dealer_and_rep_talk() {
    talks(ClientPattern::Dealer, ServerPattern::Rep, Some(Keys::new()), 5);
}

#[test]
fn req_and_router_talk() {
    talks(ClientPattern::Req, ServerPattern::Router, Some(Keys::new()), 5);
}

#[test]
fn req_and_rep_talk() {
    talks(ClientPattern::Req, ServerPattern::Rep, Some(Keys::new()), 5);
}

#[test]
fn no_security_by_name_talks() {
    talks(ClientPattern::Dealer, ServerPattern::Router, None, 1);
}

#[test]
fn req_may_give_a_request_up_and_send_another() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Req, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[b"first"]);
    let first = server.recv(DEADLINE).unwrap().unwrap();
    send(&mut client, &[b"second"]);
    let second = server.recv(DEADLINE).unwrap().unwrap();
    // The reply to the request that was given up is dropped by REQ_CORRELATE.
    server.send(first).unwrap();
    server.send(second).unwrap();
    assert_eq!(body(&await_message(&mut client)), [b"second".to_vec()]);
}

#[test]
fn a_unix_socket_talks() {
    let keys = Keys::new();
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::Ipc(directory.path().join("socket").to_str().unwrap().to_owned());
    let context = Context::new();
    let bounds = Bounds::default();
    let mut server =
        ServerSocket::bind(&context, &endpoint, ServerPattern::Router, &keys.of_server(), &bounds).unwrap();
    let mut client = connect(&endpoint, ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[b"header"]);
    assert_eq!(body(&server.recv(DEADLINE).unwrap().unwrap()), [b"header".to_vec()]);
}

#[test]
fn sockets_of_the_embedding_program_talk() {
    let context = Context::new();
    let (left, right) = (context.socket(zmq::PAIR).unwrap(), context.socket(zmq::PAIR).unwrap());
    left.bind("inproc://embedded").unwrap();
    right.connect("inproc://embedded").unwrap();
    let mut server = ServerSocket::adopt(left, 64).unwrap();
    let mut client = ClientSocket::adopt(right).unwrap();
    assert!(client.has_connected());
    send(&mut client, &[b"header"]);
    let request = server.recv(DEADLINE).unwrap().unwrap();
    server.send(request).unwrap();
    assert_eq!(body(&await_message(&mut client)), [b"header".to_vec()]);
}

#[test]
fn a_name_is_resolved_to_an_address_that_accepts() {
    let keys = Keys::new();
    let server = bind(ServerPattern::Router, &keys.of_server());
    let Endpoint::Tcp { port, .. } = server.local_endpoint().unwrap() else { panic!("not TCP") };
    let endpoint = Endpoint::Tcp { host: "localhost".to_owned(), port };
    let mut client = connect(&endpoint, ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
}

#[test]
fn port_zero_is_told_as_the_real_one() {
    let server = bind(ServerPattern::Router, &Keys::new().of_server());
    assert!(matches!(server.local_endpoint().unwrap(), Endpoint::Tcp { port, .. } if port != 0));
}

#[test]
fn an_ipv4_address_is_told_as_it_was_given() {
    let server = bind(ServerPattern::Router, &Keys::new().of_server());
    assert!(matches!(server.local_endpoint().unwrap(), Endpoint::Tcp { host, .. } if host == "127.0.0.1"));
}

#[test]
fn every_address_and_the_ipv6_one_talk() {
    for (listening, reached) in [("*:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        if let Err(error) = std::net::TcpListener::bind((reached, 0)) {
            skip(&format!("this machine has no {reached}: {error}"));
            continue;
        }
        let keys = Keys::new();
        let (endpoint, bounds) = (listening.parse().unwrap(), Bounds::default());
        let server =
            ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &keys.of_server(), &bounds).unwrap();
        let Endpoint::Tcp { port, .. } = server.local_endpoint().unwrap() else { panic!("not TCP") };
        let endpoint = Endpoint::Tcp { host: reached.to_owned(), port };
        let mut client = connect(&endpoint, ClientPattern::Dealer, &keys.of_client());
        await_event(&mut client, LinkEvent::HandshakeSucceeded);
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_with_its_cause() {
    let taken = bind(ServerPattern::Router, &ServerSecurity::Null).local_endpoint().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint: Endpoint = holder.local_addr().unwrap().to_string().parse().unwrap();
    assert_ne!(taken, endpoint);
    let error = ServerSocket::bind(
        &Context::new(),
        &endpoint,
        ServerPattern::Router,
        &ServerSecurity::Null,
        &Bounds::default(),
    );
    let Err(TransportError::Bind { source, .. }) = error else { panic!("bound twice") };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn nothing_received_is_no_error() {
    let mut server = bind(ServerPattern::Router, &Keys::new().of_server());
    assert!(server.recv(Duration::ZERO).unwrap().is_none());
}

#[test]
fn a_reply_to_nobody_is_dropped() {
    let mut server = bind(ServerPattern::Router, &Keys::new().of_server());
    server.send(vec!["nobody".into(), Message::new(), "reply".into()]).unwrap();
}

#[test]
fn a_full_queue_gives_the_message_back() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    // Nobody receives: 128 messages fit each queue, and what the kernel holds.
    let chunk = vec![7; 262_144];
    let mut given_back = None;
    for _ in 0..10_000 {
        if let Sent::Full(frames) = client.send(vec![Message::new(), Message::from(chunk.clone())]).unwrap() {
            given_back = Some(frames);
            break;
        }
    }
    assert_eq!(body(&given_back.unwrap()), [chunk]);
    assert!(server.recv(DEADLINE).unwrap().is_some());
}

#[test]
fn a_disconnected_client_connects_again() {
    let keys = Keys::new();
    let server = bind(ServerPattern::Router, &keys.of_server());
    let endpoint = server.local_endpoint().unwrap();
    let mut client = connect(&endpoint, ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    drop(server);
    await_event(&mut client, LinkEvent::Disconnected);
    let bounds = Bounds::default();
    let _server =
        ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &keys.of_server(), &bounds).unwrap();
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
}
