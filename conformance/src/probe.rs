//! Tells what listens at an address, and what becomes of a handshake with it.

use crate::{
    cbor::hex,
    environment::random_id,
    link::{Credentials, Frames},
    zmtp::{self, Ending, GREETING, Greeting, Wire},
};
use std::{
    fmt,
    time::{Duration, Instant},
};
use zmq::{Context, POLLIN, Socket, SocketEvent, SocketType};

/// Why no greeting of ZMTP 3 came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProbeError {
    /// No TCP connection, and why.
    NoTcp(String),
    /// What answers does not speak ZMTP 3, and what it said.
    NotZmtp(String),
    /// The connection was closed before a greeting had come.
    Closed,
    /// Something took the connection and said too little until the deadline.
    Timeout,
}

/// What became of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Messages can be sent.
    Succeeded,
    /// Refused by the server's ZAP handler with this status.
    Refused(u32),
    /// Broken off without a reason: by a wrong server key, or by a cut.
    BrokenOff,
    /// The two sides do not agree on mechanism or protocol; libzmq's number for how.
    Protocol(u32),
    /// No TCP connection came about.
    NoConnection,
    /// A connection, and then nothing until the deadline.
    Silent,
}

/// The events that tell what became of a handshake.
const WATCHED: [SocketEvent; 7] = [
    SocketEvent::CONNECTED,
    SocketEvent::CLOSED,
    SocketEvent::DISCONNECTED,
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
];

/// A handshake that libzmq makes, watched from its beginning.
pub(crate) struct Attempt {
    socket: Socket,
    monitor: Socket,
}

/// Asks for the greeting of whatever listens at `host:port`, and sends a client's of CURVE.
pub(crate) fn greeting(address: &str, deadline: Instant) -> Result<Greeting, ProbeError> {
    let mut wire = Wire::connect(address, deadline).map_err(|error| ProbeError::NoTcp(error.to_string()))?;
    let own = zmtp::greeting("CURVE");
    let broken = |error: std::io::Error| ProbeError::NotZmtp(error.to_string());
    // libzmq tells its mechanism to whom it has the version of, and hangs up on one whose mechanism is another. A peer
    // that waits for the whole greeting gets the rest of it after a third of the time.
    let (version, mechanism) = own.split_at(12);
    wire.send(version).map_err(|_| ProbeError::Closed)?;
    let now = Instant::now();
    let (mut bytes, mut ending) =
        wire.read_up_to(GREETING, now + deadline.saturating_duration_since(now) / 3).map_err(broken)?;
    if ending == Ending::Open && is_zmtp_so_far(&bytes) {
        wire.send(mechanism).map_err(|_| ProbeError::Closed)?;
        let (more, end) = wire.read_up_to(GREETING - bytes.len(), deadline).map_err(broken)?;
        bytes.extend(more);
        ending = end;
    }
    if !is_zmtp_so_far(&bytes) {
        return Err(ProbeError::NotZmtp(format!("it begins with {}", excerpt(&bytes))));
    }
    if bytes.get(10).is_some_and(|major| *major < 3) {
        return Err(ProbeError::NotZmtp(format!("it speaks ZMTP {}, which knows no CURVE", bytes[10] + 1)));
    }
    match (bytes.get(..GREETING).and_then(|whole| whole.try_into().ok()), ending) {
        (Some(whole), _) => Ok(zmtp::parse_greeting(whole)),
        (None, Ending::Closed) => Err(ProbeError::Closed),
        (None, _) => Err(ProbeError::Timeout),
    }
}

/// What becomes of a handshake with these keys, or without CURVE.
pub(crate) fn handshake(
    context: &Context,
    endpoint: &str,
    credentials: Option<&Credentials>,
    deadline: Instant,
) -> Result<Handshake, zmq::Error> {
    Attempt::begin(context, endpoint, credentials)?.outcome(deadline)
}

impl Attempt {
    /// Begins a handshake with these keys, or without CURVE.
    pub(crate) fn begin(
        context: &Context,
        endpoint: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Self, zmq::Error> {
        let socket = context.socket(SocketType::DEALER)?;
        socket.set_linger(0)?;
        socket.set_ipv6(endpoint.contains('['))?;
        // One attempt: a second one would hide what became of the first.
        socket.set_reconnect_ivl(-1)?;
        if let Some(keys) = credentials {
            socket.set_curve_serverkey(&keys.server)?;
            socket.set_curve_publickey(&keys.public)?;
            socket.set_curve_secretkey(&keys.secret)?;
        }
        let watched = format!("inproc://probe-{}", hex(&random_id()));
        socket.monitor(&watched, WATCHED.iter().map(|event| i32::from(event.to_raw())).sum())?;
        let monitor = context.socket(SocketType::PAIR)?;
        monitor.set_linger(0)?;
        monitor.connect(&watched)?;
        socket.connect(endpoint)?;
        Ok(Self { socket, monitor })
    }

    /// Sends frames behind a delimiter, as soon as the handshake lets them through.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) -> Result<(), zmq::Error> {
        let delimited = std::iter::once(&[][..]).chain(frames.iter().map(Vec::as_slice));
        self.socket.send_multipart(delimited, zmq::DONTWAIT)
    }

    /// A message that has come.
    pub(crate) fn received(&self) -> Result<Option<Frames>, zmq::Error> {
        match self.socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => Ok(Some(frames)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for the end of the handshake.
    pub(crate) fn outcome(&self, deadline: Instant) -> Result<Handshake, zmq::Error> {
        let mut connected = false;
        while let Some((event, value)) = self.next_event(deadline)? {
            match event {
                SocketEvent::CONNECTED => connected = true,
                SocketEvent::HANDSHAKE_SUCCEEDED => return Ok(Handshake::Succeeded),
                SocketEvent::HANDSHAKE_FAILED_AUTH => return Ok(Handshake::Refused(value)),
                SocketEvent::HANDSHAKE_FAILED_PROTOCOL => return Ok(Handshake::Protocol(value)),
                SocketEvent::HANDSHAKE_FAILED_NO_DETAIL | SocketEvent::DISCONNECTED => return Ok(Handshake::BrokenOff),
                SocketEvent::CLOSED if !connected => return Ok(Handshake::NoConnection),
                _ => {}
            }
        }
        Ok(if connected { Handshake::Silent } else { Handshake::NoConnection })
    }

    fn next_event(&self, deadline: Instant) -> Result<Option<(SocketEvent, u32)>, zmq::Error> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = i64::try_from(left.as_millis()).unwrap_or(i64::MAX - 1) + 1;
            match self.monitor.poll(POLLIN, if left == Duration::ZERO { 0 } else { wait }) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(zmq::Error::EINTR) => continue,
                Err(error) => return Err(error),
            }
            let frames = self.monitor.recv_multipart(zmq::DONTWAIT)?;
            // An event is 16 bits of kind and 32 of value, in the machine's order.
            if let Some([k0, k1, v0, v1, v2, v3]) = frames.first().map(Vec::as_slice) {
                let event = SocketEvent::from_raw(u16::from_ne_bytes([*k0, *k1]));
                return Ok(Some((event, u32::from_ne_bytes([*v0, *v1, *v2, *v3]))));
            }
        }
    }
}

fn is_zmtp_so_far(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first == 0xff) && bytes.get(9).is_none_or(|tenth| tenth & 1 == 1)
}

fn excerpt(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min(40)];
    match std::str::from_utf8(beginning) {
        Ok(text) => format!("{text:?}"),
        Err(_) => hex(beginning),
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeError::NoTcp(why) => write!(f, "no TCP connection: {why}"),
            ProbeError::NotZmtp(what) => write!(f, "what listens there does not speak ZeroMQ's protocol: {what}"),
            ProbeError::Closed => f.write_str("the connection was closed before a greeting had come"),
            ProbeError::Timeout => f.write_str("something took the connection and sent no greeting"),
        }
    }
}
