//! A handshake with any keys, and its outcome from the events of libzmq's monitor.

use crate::{
    engine::environment::random_id,
    wire::{
        cbor::hex,
        connection::{Credentials, Frames},
    },
};
use std::time::{Duration, Instant};
use zmq::{Context, POLLIN, Socket, SocketEvent, SocketType};

/// The outcome of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeOutcome {
    /// Messages can be sent.
    Succeeded,
    /// Refused by the server's ZAP handler with this status.
    Refused(u32),
    /// Ended without a reason: by a wrong server key, or by a cut.
    BrokenOff,
    /// The peers disagree on mechanism or protocol, with libzmq's error number.
    Protocol(u32),
    /// No TCP connection was established.
    NoConnection,
    /// Connected, but no end of the handshake before the deadline.
    Silent,
}

/// The events that decide the outcome of a handshake.
const WATCHED: [SocketEvent; 7] = [
    SocketEvent::CONNECTED,
    SocketEvent::CLOSED,
    SocketEvent::DISCONNECTED,
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
];

/// A handshake of libzmq, monitored from its beginning.
pub(crate) struct HandshakeProbe {
    socket: Socket,
    monitor: Socket,
}

impl HandshakeProbe {
    /// Begins a handshake with these keys, or without CURVE.
    pub(crate) fn begin(
        context: &Context,
        endpoint: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Self, zmq::Error> {
        let socket = context.socket(SocketType::DEALER)?;
        socket.set_linger(0)?;
        socket.set_ipv6(endpoint.contains('['))?;
        // One attempt: a second one would hide the outcome of the first.
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

    /// Sends frames after a delimiter as soon as the handshake succeeds. After a handshake that has failed already, the
    /// frames are dropped: see [`HandshakeProbe::outcome`].
    pub(crate) fn send(&self, frames: &[Vec<u8>]) -> Result<(), zmq::Error> {
        let delimited = std::iter::once(&[][..]).chain(frames.iter().map(Vec::as_slice));
        match self.socket.send_multipart(delimited, zmq::DONTWAIT) {
            Err(zmq::Error::EAGAIN) => Ok(()),
            other => other,
        }
    }

    /// A received message, if any.
    pub(crate) fn received(&self) -> Result<Option<Frames>, zmq::Error> {
        match self.socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => Ok(Some(frames)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for the end of the handshake.
    pub(crate) fn outcome(&self, deadline: Instant) -> Result<HandshakeOutcome, zmq::Error> {
        let mut connected = false;
        while let Some((event, value)) = self.next_event(deadline)? {
            match event {
                SocketEvent::CONNECTED => connected = true,
                SocketEvent::HANDSHAKE_SUCCEEDED => return Ok(HandshakeOutcome::Succeeded),
                SocketEvent::HANDSHAKE_FAILED_AUTH => return Ok(HandshakeOutcome::Refused(value)),
                SocketEvent::HANDSHAKE_FAILED_PROTOCOL => return Ok(HandshakeOutcome::Protocol(value)),
                SocketEvent::HANDSHAKE_FAILED_NO_DETAIL | SocketEvent::DISCONNECTED => {
                    return Ok(HandshakeOutcome::BrokenOff);
                }
                SocketEvent::CLOSED if !connected => return Ok(HandshakeOutcome::NoConnection),
                _ => {}
            }
        }
        Ok(if connected { HandshakeOutcome::Silent } else { HandshakeOutcome::NoConnection })
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
            let frames = match self.monitor.recv_multipart(zmq::DONTWAIT) {
                Err(zmq::Error::EAGAIN) => continue,
                other => other?,
            };
            // An event is 16 bits of kind and 32 of value, in the machine's order.
            if let Some([k0, k1, v0, v1, v2, v3]) = frames.first().map(Vec::as_slice) {
                let event = SocketEvent::from_raw(u16::from_ne_bytes([*k0, *k1]));
                return Ok(Some((event, u32::from_ne_bytes([*v0, *v1, *v2, *v3]))));
            }
        }
    }
}
