//! Peers without keys do no lasting harm to a server.

use super::*;
use std::io::Read;
use std::net::TcpStream;

/// The server's address as the standard library takes it.
fn address(server: &ServerSocket) -> String {
    server.local_endpoint().unwrap().to_string().replace("tcp://", "")
}

#[test]
fn a_frame_a_little_too_large_still_arrives() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    let payload = vec![1; 262_144 + 1_024];
    send(&mut client, &[b"header", &payload]);
    assert_eq!(body(&server.recv(DEADLINE).unwrap().unwrap())[1].len(), payload.len());
}

#[test]
fn a_frame_far_too_large_ends_the_connection() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[b"header", &vec![1; 1 << 20]]);
    await_event(&mut client, LinkEvent::Disconnected);
    assert!(server.recv(Duration::ZERO).unwrap().is_none());
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let server = bind(ServerPattern::Router, &Keys::new().of_server());
    let mut connection = TcpStream::connect(address(&server)).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut said = Vec::new();
    connection.read_to_end(&mut said).unwrap();
    assert!(said.len() <= 64);
}

#[test]
fn others_are_served_while_unauthenticated_peers_hold_connections() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let unauthenticated: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[b"header"]);
    assert_eq!(body(&server.recv(DEADLINE).unwrap().unwrap()), [b"header".to_vec()]);
    assert_eq!(unauthenticated.len(), 200);
}

#[test]
fn a_message_of_very_many_frames_is_dropped() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Router, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[&b"x"[..]; 1_000]);
    send(&mut client, &[b"header"]);
    assert_eq!(body(&server.recv(DEADLINE).unwrap().unwrap()), [b"header".to_vec()]);
}

#[test]
fn a_rep_server_goes_on_after_a_message_of_very_many_frames() {
    let keys = Keys::new();
    let mut server = bind(ServerPattern::Rep, &keys.of_server());
    let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
    await_event(&mut client, LinkEvent::HandshakeSucceeded);
    send(&mut client, &[&b"x"[..]; 1_000]);
    send(&mut client, &[b"header"]);
    assert_eq!(body(&server.recv(DEADLINE).unwrap().unwrap()), [b"header".to_vec()]);
    // [ENV-19]: what is not answered gets an empty frame.
    assert_eq!(body(&await_message(&mut client)), [Vec::<u8>::new()]);
}

#[test]
fn dropping_a_server_and_its_clients_does_not_hang() {
    let start = Instant::now();
    for _ in 0..10 {
        let keys = Keys::new();
        let server = bind(ServerPattern::Router, &keys.of_server());
        let mut client = connect(&server.local_endpoint().unwrap(), ClientPattern::Dealer, &keys.of_client());
        await_event(&mut client, LinkEvent::Connected);
    }
    assert!(start.elapsed() < DEADLINE);
}
