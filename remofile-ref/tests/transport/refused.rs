//! The wrong keys and the wrong peers: each gets its verdict in time, and nothing through.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// The verdict that a client reaches, in time, against a server that gets no message.
fn refused(server: &ServerSecurity, client: &ClientSecurity) -> LinkVerdict {
    let mut server = bind(ServerPattern::Router, server);
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, client);
    // A client that does not wait for the handshake: libzmq queues what it would send.
    send(&mut client, &[b"header"]);
    let (verdict, after) = await_verdict(&mut client);
    assert!(after < REFUSED_WITHIN, "{after:?}");
    assert!(!client.has_connected());
    assert!(server.recv(Duration::from_millis(100)).unwrap().is_none());
    verdict
}

/// Endpoint of a listener whose connections are handed to `serve`.
fn listener(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string().parse().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().take(100) {
            serve(connection.unwrap());
        }
    });
    endpoint
}

#[test]
fn a_wrong_client_key_is_refused_by_authentication() {
    let keys = Keys::new();
    let other = Keys { server: zmq::CurveKeyPair { ..keys.server }, client: zmq::CurveKeyPair::new().unwrap() };
    assert_eq!(refused(&keys.of_server(), &other.of_client()), LinkVerdict::AuthRefused);
}

#[test]
fn a_wrong_server_key_is_refused() {
    let keys = Keys::new();
    let other = Keys { server: zmq::CurveKeyPair::new().unwrap(), client: zmq::CurveKeyPair { ..keys.client } };
    assert_eq!(refused(&keys.of_server(), &other.of_client()), LinkVerdict::KeyRefused);
}

#[test]
fn a_client_without_curve_is_refused_by_a_server_with_it() {
    assert_eq!(refused(&Keys::new().of_server(), &ClientSecurity::Null), LinkVerdict::Mechanism);
}

#[test]
fn a_server_without_curve_is_refused_by_a_client_with_it() {
    assert_eq!(refused(&ServerSecurity::Null, &Keys::new().of_client()), LinkVerdict::Mechanism);
}

#[test]
fn a_plain_client_gets_nothing_through() {
    let mut server = bind(ServerPattern::Router, &Keys::new().of_server());
    let context = Context::new();
    let plain = context.socket(zmq::DEALER).unwrap();
    plain.set_linger(0).unwrap();
    plain.set_plain_username(Some("user")).unwrap();
    plain.set_plain_password(Some("password")).unwrap();
    let failed = monitor(&context, &plain, zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL);
    plain.connect(&server.local_endpoint().unwrap().to_string()).unwrap();
    plain.send_multipart([Message::new(), "header".into()], 0).unwrap();
    failed.recv_multipart(0).unwrap();
    assert!(server.recv(Duration::from_millis(100)).unwrap().is_none());
}

/// A socket that receives one kind of event of another, within the deadline.
fn monitor(context: &Context, socket: &zmq::Socket, event: zmq::SocketEvent) -> zmq::Socket {
    socket.monitor("inproc://test-monitor", event.to_raw().into()).unwrap();
    let reader = context.socket(zmq::PAIR).unwrap();
    reader.set_rcvtimeo(20_000).unwrap();
    reader.connect("inproc://test-monitor").unwrap();
    reader
}

#[test]
fn a_closed_port_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = closed.to_string().parse().unwrap();
    let mut client = connect(&endpoint, ClientPattern::Dealer, &Keys::new().of_client());
    let (verdict, after) = await_verdict(&mut client);
    assert_eq!(verdict, LinkVerdict::Unreachable);
    assert!(after < REFUSED_WITHIN, "{after:?}");
}

#[test]
fn a_silent_listener_is_no_remofile_server_after_the_connect_timeout() {
    // Held open: the system accepts connections that no program takes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = silent.local_addr().unwrap().to_string().parse().unwrap();
    let options = ClientSocketOptions { connect_timeout: Duration::from_secs(1), ..ClientSocketOptions::default() };
    let security = Keys::new().of_client();
    let mut client = ClientSocket::connect(&Context::new(), &endpoint, &security, &options).unwrap();
    let (verdict, after) = await_verdict(&mut client);
    assert_eq!(verdict, LinkVerdict::NotRemofile);
    assert!(after >= Duration::from_millis(900) && after < REFUSED_WITHIN, "{after:?}");
}

#[test]
fn an_http_server_that_answers_is_no_remofile_server() {
    let endpoint = listener(|mut connection| {
        let _ = connection.read(&mut [0; 64]);
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let mut client = connect(&endpoint, ClientPattern::Dealer, &Keys::new().of_client());
    let (verdict, after) = await_verdict(&mut client);
    assert_eq!(verdict, LinkVerdict::NotRemofile);
    assert!(after < REFUSED_WITHIN, "{after:?}");
}

#[test]
fn a_server_that_hangs_up_is_given_up() {
    let endpoint = listener(drop);
    let mut client = connect(&endpoint, ClientPattern::Dealer, &Keys::new().of_client());
    let (verdict, after) = await_verdict(&mut client);
    assert_eq!(verdict, LinkVerdict::KeyRefused);
    assert!(after < REFUSED_WITHIN, "{after:?}");
}

#[test]
fn two_cut_handshakes_are_no_refusal() {
    let keys = Keys::new();
    let server = bind(ServerPattern::Router, &keys.of_server());
    let target = server.local_endpoint().unwrap().to_string().replace("tcp://", "");
    let cuts = std::sync::atomic::AtomicU32::new(2);
    // Cuts two connections in the middle of the handshake and carries the third.
    let endpoint = listener(move |mut near| {
        if cuts.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            cuts.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            let _ = near.read(&mut [0; 10]);
            return;
        }
        let mut far = std::net::TcpStream::connect(&target).unwrap();
        let (mut near_in, mut far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
        let _ = std::io::copy(&mut far, &mut near);
    });
    let mut client = connect(&endpoint, ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
}
