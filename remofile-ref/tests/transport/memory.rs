//! A frame that announces 8 GiB takes no memory.

use remofile::transport::{Bounds, Context, CurveKey, ServerPattern, ServerSecurity, ServerSocket};
use remofile_testkit::own_process::alone;
use remofile_testkit::this_test;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// No step of a test takes longer, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// More than this is too much for a frame of at most 264,192 bytes.
const LIMIT: u64 = 32 << 20;

fn bind(security: &ServerSecurity) -> ServerSocket {
    let endpoint = "127.0.0.1:0".parse().unwrap();
    ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, security, &Bounds::default()).unwrap()
}

/// A ZMTP 3.1 greeting for this mechanism.
fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1];
    greeting.extend(mechanism);
    greeting.resize(64, 0);
    greeting
}

/// A frame header that announces 8 GiB.
fn long_frame(flags: u8) -> Vec<u8> {
    let mut frame = vec![flags | 0x02];
    frame.extend((8_u64 << 30).to_be_bytes());
    frame
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Writes megabytes until the server hangs up; says how many bytes went in.
fn flood(connection: &mut TcpStream) -> u64 {
    let megabyte = vec![0x55; 1 << 20];
    let mut written = 0;
    while written < 1 << 30 {
        match connection.write(&megabyte) {
            Ok(count) => written += count as u64,
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            Err(error) => panic!("{error}"),
        }
    }
    written
}

fn open(server: &ServerSocket, mechanism: &[u8]) -> TcpStream {
    let mut connection =
        TcpStream::connect(server.local_endpoint().unwrap().to_string().replace("tcp://", "")).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection.set_write_timeout(Some(DEADLINE)).unwrap();
    connection.write_all(&greeting(mechanism)).unwrap();
    connection.read_exact(&mut [0; 64]).unwrap();
    connection
}

fn curve() -> ServerSecurity {
    let (server, client) = (zmq::CurveKeyPair::new().unwrap(), zmq::CurveKeyPair::new().unwrap());
    ServerSecurity::Curve { secret: CurveKey::new(server.secret_key), admitted: CurveKey::new(client.public_key) }
}

#[test]
fn a_frame_of_8_gib_before_authentication_takes_no_memory() {
    alone(&this_test!(), || {
        let server = bind(&curve());
        let mut connection = open(&server, b"CURVE");
        let before = resident();
        // 0x04: a command, as the handshake consists of.
        connection.write_all(&long_frame(0x04)).unwrap();
        let written = flood(&mut connection);
        assert!(written < LIMIT, "{written} bytes were taken");
        assert!(resident() < before + LIMIT);
    });
}

#[test]
fn a_frame_of_8_gib_without_security_takes_no_memory() {
    alone(&this_test!(), || {
        let server = bind(&ServerSecurity::Null);
        let mut connection = open(&server, b"NULL");
        connection.write_all(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REQ").unwrap();
        let before = resident();
        connection.write_all(&long_frame(0)).unwrap();
        let written = flood(&mut connection);
        assert!(written < LIMIT, "{written} bytes were taken");
        assert!(resident() < before + LIMIT);
    });
}
