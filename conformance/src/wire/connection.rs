//! A connection to the server: a ZeroMQ socket with the security that the user chose.

use crate::mutation;
use remofile_proto::{Keys, SessionId, Token};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use zmq::{Context, POLLIN, Socket, SocketEvent, SocketType};

/// The frames of a message.
pub(crate) type Frames = Vec<Vec<u8>>;

/// How the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// CURVE with the server key that the token gives.
    Derived,
    /// CURVE with a server key of its own.
    Pinned([u8; 32]),
    /// None, by `--insecure`.
    Insecure,
}

/// The server's address and credentials.
#[derive(Clone)]
pub(crate) struct ServerTarget {
    /// The endpoint of libzmq, `tcp://…`.
    pub(crate) endpoint: String,
    pub(crate) security: Security,
    pub(crate) token: Token,
}

/// The kind of socket at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketKind {
    Dealer,
    Req,
    /// REQ with ZMQ_REQ_CORRELATE and ZMQ_REQ_RELAXED.
    ReqCorrelate,
}

/// A socket that is connected or connecting.
pub(crate) struct Connection {
    socket: Socket,
    pattern: SocketKind,
    /// Set when cut connections are reported.
    watch: Option<Watch>,
}

/// Watches a connection for its end, and holds what a new one needs.
struct Watch {
    context: Context,
    target: ServerTarget,
    monitor: Socket,
    /// The endpoint of the monitor.
    at: String,
}

/// The result of waiting on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message(Frames),
    /// The deadline passed.
    Nothing,
    /// The connection was cut, and all earlier messages have been received.
    Cut,
}

/// The keys at this end.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The public key of the server.
    pub(crate) server: [u8; 32],
    pub(crate) public: [u8; 32],
    pub(crate) secret: [u8; 32],
}

impl ServerTarget {
    /// The keys of the client; none without CURVE.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let keys = Keys::derive(&self.token);
        let server = match self.security {
            Security::Derived => *keys.server.public(),
            Security::Pinned(key) => key,
            Security::Insecure => return None,
        };
        Some(Credentials { server, public: *keys.client.public(), secret: *keys.client.secret() })
    }

    /// hello's `auth` for a session [KEY-7].
    pub(crate) fn auth(&self, session: [u8; 16]) -> [u8; 32] {
        Keys::derive(&self.token).hello.auth(SessionId::new(session))
    }

    /// The host and port, for connections without libzmq.
    pub(crate) fn address(&self) -> &str {
        self.endpoint.strip_prefix("tcp://").unwrap_or(&self.endpoint)
    }
}

impl Connection {
    /// Connects with the target's own keys.
    pub(crate) fn open(context: &Context, target: &ServerTarget, pattern: SocketKind) -> Result<Self, zmq::Error> {
        Self::open_with(context, &target.endpoint, target.credentials().as_ref(), pattern)
    }

    /// As [`Connection::open`], and [`Connection::receive_or_disconnect`] reports a cut connection.
    pub(crate) fn open_monitored(
        context: &Context,
        target: &ServerTarget,
        pattern: SocketKind,
    ) -> Result<Self, zmq::Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let at = format!("inproc://cuts-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let keys = target.credentials();
        let mut connection = Self::open_configured(context, &target.endpoint, keys.as_ref(), pattern, |socket| {
            socket.monitor(&at, i32::from(SocketEvent::DISCONNECTED.to_raw()))
        })?;
        let monitor = context.socket(SocketType::PAIR)?;
        monitor.set_linger(0)?;
        // With a limit, libzmq's thread would block until the events are read.
        monitor.set_rcvhwm(0)?;
        monitor.connect(&at)?;
        connection.watch = Some(Watch { context: context.clone(), target: target.clone(), monitor, at });
        Ok(connection)
    }

    /// Opens the same connection again. Messages in flight or queued on this one are lost.
    pub(crate) fn reopen(&self) -> Result<Self, zmq::Error> {
        match &self.watch {
            Some(watch) => Self::open_monitored(&watch.context, &watch.target, self.pattern),
            None => Err(zmq::Error::ENOTSUP),
        }
    }

    /// Connects with any keys, or none.
    pub(crate) fn open_with(
        context: &Context,
        endpoint: &str,
        credentials: Option<&Credentials>,
        pattern: SocketKind,
    ) -> Result<Self, zmq::Error> {
        Self::open_configured(context, endpoint, credentials, pattern, |_| Ok(()))
    }

    /// Connects after `watch` has configured the socket.
    pub(crate) fn open_configured(
        context: &Context,
        endpoint: &str,
        credentials: Option<&Credentials>,
        pattern: SocketKind,
        watch: impl FnOnce(&Socket) -> Result<(), zmq::Error>,
    ) -> Result<Self, zmq::Error> {
        let kind = if pattern == SocketKind::Dealer { SocketType::DEALER } else { SocketType::REQ };
        let socket = context.socket(kind)?;
        socket.set_linger(0)?;
        // The largest window must fit, with all resends.
        socket.set_sndhwm(8_192)?;
        socket.set_rcvhwm(8_192)?;
        socket.set_reconnect_ivl(100)?;
        socket.set_ipv6(endpoint.contains('['))?;
        if pattern == SocketKind::ReqCorrelate {
            socket.set_req_correlate(true)?;
            socket.set_req_relaxed(true)?;
        }
        if let Some(keys) = credentials {
            socket.set_curve_serverkey(&keys.server)?;
            socket.set_curve_publickey(&keys.public)?;
            socket.set_curve_secretkey(&keys.secret)?;
        }
        watch(&socket)?;
        socket.connect(endpoint)?;
        Ok(Self { socket, pattern, watch: None })
    }

    /// The kind of socket.
    pub(crate) fn socket_kind(&self) -> SocketKind {
        self.pattern
    }

    /// The socket, for monitors.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends the frames after the delimiter.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) -> Result<(), zmq::Error> {
        match self.pattern {
            SocketKind::Dealer => {
                let delimited: Vec<&[u8]> = std::iter::once(&[][..]).chain(frames.iter().map(Vec::as_slice)).collect();
                self.socket.send_multipart(delimited, zmq::DONTWAIT)
            }
            SocketKind::Req | SocketKind::ReqCorrelate => self.socket.send_multipart(frames, zmq::DONTWAIT),
        }
    }

    /// Sends frames unchanged, without adding a delimiter (DEALER only).
    pub(crate) fn send_bare(&self, frames: &[Vec<u8>]) -> Result<(), zmq::Error> {
        self.socket.send_multipart(frames, zmq::DONTWAIT)
    }

    /// Waits for the next message; returns `None` at the deadline.
    pub(crate) fn receive(&self, deadline: Instant) -> Result<Option<Frames>, zmq::Error> {
        loop {
            match self.receive_or_disconnect(deadline)? {
                Received::Message(frames) => return Ok(Some(frames)),
                Received::Nothing => return Ok(None),
                Received::Cut => {}
            }
        }
    }

    /// Waits for the next message or the end of the connection.
    pub(crate) fn receive_or_disconnect(&self, deadline: Instant) -> Result<Received, zmq::Error> {
        let mut cut = false;
        loop {
            match self.socket.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => return Ok(Received::Message(frames)),
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => {}
                // A REQ socket that has sent nothing since the last reply cannot receive.
                Err(zmq::Error::EFSM) if self.pattern != SocketKind::Dealer => {}
                Err(error) => return Err(error),
            }
            if cut {
                return Ok(Received::Cut);
            }
            // Messages that arrived before the cut are received first.
            cut = self.is_cut();
            if cut {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && !mutation::active!(DeadlineNeverEnds) {
                return Ok(Received::Nothing);
            }
            // Rounded up, so that the last millisecond is slept and not busy-waited.
            let wait = i64::try_from(left.as_millis()).unwrap_or(i64::MAX - 1) + 1;
            let mut items = vec![self.socket.as_poll_item(POLLIN)];
            items.extend(self.watch.as_ref().map(|watch| watch.monitor.as_poll_item(POLLIN)));
            match zmq::poll(&mut items, wait) {
                Ok(_) | Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the connection has been cut since the last call.
    pub(crate) fn is_cut(&self) -> bool {
        let Some(watch) = &self.watch else { return false };
        let mut cut = false;
        while watch.monitor.recv_multipart(zmq::DONTWAIT).is_ok() {
            cut = true;
        }
        cut
    }

    /// Splits a message at its delimiter; `None` if it has none.
    pub(crate) fn split(&self, frames: Frames) -> Option<(Frames, Frames)> {
        if self.pattern != SocketKind::Dealer {
            return Some((Vec::new(), frames));
        }
        let delimiter = frames.iter().position(Vec::is_empty)?;
        let mut prefix = frames;
        let content = prefix.split_off(delimiter + 1);
        Some((prefix, content))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            // An unread monitor would block libzmq's thread for ever. If the monitor cannot be stopped, the socket is of
            // no further use.
            let _ = self.socket.monitor(&format!("{}-ended", watch.at), 0);
        }
    }
}

/// Timeouts, which depend on the round trip to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// The median round trip.
    pub(crate) round_trip: Duration,
    /// The longest wait for a reply without a PENDING.
    pub(crate) reply: Duration,
}

impl Timeouts {
    /// Uses the user's `reply` timeout, or thirty round trips if they take longer.
    pub(crate) fn new(round_trip: Duration, reply: Duration) -> Self {
        Self { round_trip, reply: reply.max(round_trip * 30) }
    }
}
