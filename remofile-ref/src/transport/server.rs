//! The server's socket: bound with CURVE and a ZAP handler, read with a deadline, written without waiting.

use super::accept_limiter::AcceptLimiter;
use super::frames::{self, ReceiveOutcome};
use super::rate::LogRate;
use super::zap::{self, Authenticate, ZapHandler};
use super::{Bounds, Context, Endpoint, Message, ServerSecurity, TransportError};
use super::{cannot, is_ipv6, monitor, open, poll_ms, require_curve};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use zmq::{POLLIN, PollEvents, PollItem, Socket, SocketEvent, SocketType};

/// The length of the accept queue.
pub(super) const BACKLOG: i32 = 64;

/// The monitor is also read when this many messages have come without a pause.
const MESSAGES_PER_MONITOR_READ: u32 = 256;

/// The kind of socket that a server binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerPattern {
    /// ROUTER: several requests at once.
    #[default]
    Router,
    /// REP: one request at a time, each with an answer.
    Rep,
}

/// A socket that a server reads requests from and sends replies on.
///
/// Messages look alike on every kind of socket: routing frames, an empty delimiter, and what follows it. On REP the
/// delimiter stands first.
pub struct ServerSocket {
    origin: Origin,
    kind: SocketType,
    /// Absent without CURVE. Dropped after the socket, which accepts no connection without it.
    zap_handler: Option<ZapHandler>,
    /// Ends every wait while it is readable.
    wake: Option<OwnedFd>,
    failed_handshakes: LogRate,
    until_monitor_read: u32,
}

/// Who made the socket.
enum Origin {
    /// This module bound it.
    Bound(MonitoredSocket),
    /// The embedding program made it: then its messages may be that program's too.
    Adopted(Socket),
}

/// A socket and the events of its connections.
struct MonitoredSocket {
    socket: Socket,
    monitor: Socket,
    /// Absent unless the socket listens on TCP.
    accept_limiter: Option<AcceptLimiter>,
}

impl ServerSocket {
    /// Binds a socket; port 0 lets the system choose, see [`local_endpoint`](Self::local_endpoint).
    ///
    /// With CURVE the ZAP handler is bound in `context` first, so that a context holds one such server.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`], [`TransportError::Bind`] with what the system says, and others as they are
    /// described.
    pub fn bind(
        context: &Context,
        endpoint: &Endpoint,
        pattern: ServerPattern,
        security: &ServerSecurity,
        bounds: &Bounds,
    ) -> Result<Self, TransportError> {
        let authenticate = match security {
            ServerSecurity::Curve { admitted, .. } => Some(zap::accept_only(admitted.clone())),
            ServerSecurity::Null => None,
        };
        Self::bind_with(context, endpoint, pattern, security, bounds, authenticate)
    }

    /// Serves on a socket that the embedding program made, secured, and bound or connected: ROUTER, REP, DEALER or
    /// PAIR.
    ///
    /// All its options stay as they are. Its send queue has to hold the replies of a whole `window`: a ROUTER drops
    /// what does not fit, without a word.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`]; [`TransportError::SocketType`] for any other kind of socket;
    /// [`TransportError::SendQueue`] where `ZMQ_SNDHWM` is below `window`, but for REP.
    pub fn adopt(socket: Socket, window: u16) -> Result<Self, TransportError> {
        require_curve()?;
        let kind = socket.get_socket_type().map_err(cannot("ask for the socket's type"))?;
        if !matches!(kind, SocketType::ROUTER | SocketType::REP | SocketType::DEALER | SocketType::PAIR) {
            return Err(TransportError::SocketType(format!("{kind:?}")));
        }
        let holds = socket.get_sndhwm().map_err(cannot("ask for the send queue"))?;
        // [LIMIT-5] 0 is no limit.
        if kind != SocketType::REP && holds != 0 && holds < i32::from(window) {
            return Err(TransportError::SendQueue { holds, window });
        }
        Ok(Self::over(Origin::Adopted(socket), kind, None))
    }

    /// Where the socket listens, with the port that the system chose.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] or [`TransportError::Endpoint`] if libzmq cannot say.
    pub fn local_endpoint(&self) -> Result<Endpoint, TransportError> {
        let text = self.socket().get_last_endpoint().map_err(cannot("ask for the endpoint"))?;
        Ok(text.unwrap_or_default().parse()?)
    }

    /// Whether the ZAP handler, if there is one, is at work; the server stops if not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.zap_handler.as_ref().is_none_or(ZapHandler::is_alive)
    }

    /// Whether every message must be answered before the next can be received, with one empty frame after the delimiter
    /// if there is no reply: [ENV-19].
    #[must_use]
    pub fn must_answer(&self) -> bool {
        self.kind == SocketType::REP
    }

    /// The socket, for polling it and, on one of the embedding program, for messages that are not Remofile's.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match &self.origin {
            Origin::Bound(monitored) => &monitored.socket,
            Origin::Adopted(socket) => socket,
        }
    }

    /// Gives a socket of the embedding program back; `None` for one that was bound here, which is closed.
    #[must_use]
    pub fn into_adopted(self) -> Option<Socket> {
        match self.origin {
            Origin::Bound(_) => None,
            Origin::Adopted(socket) => Some(socket),
        }
    }

    /// Ends every wait of [`recv`](Self::recv) while this descriptor is readable.
    pub fn wake_by(&mut self, descriptor: OwnedFd) {
        self.wake = Some(descriptor);
    }

    /// Whether the queue has room for a message; on REP also whether there is something to answer.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] if libzmq cannot say.
    pub fn can_send(&self) -> Result<bool, TransportError> {
        let events = self.socket().get_events().map_err(cannot("ask for room"))?;
        Ok(events.contains(PollEvents::POLLOUT))
    }

    /// Takes the next message, waiting for at most `timeout`. `None` when none came, and also when a signal came or the
    /// descriptor of [`wake_by`](Self::wake_by) is readable.
    ///
    /// Messages of more than [`MAX_FRAMES`](super::MAX_FRAMES) frames are dropped, but for sockets of the embedding
    /// program, whose they may be.
    ///
    /// # Errors
    /// [`TransportError::ZapHandlerEnded`] once the ZAP handler has ended; [`TransportError::Zmq`] if libzmq fails.
    pub fn recv(&mut self, timeout: Duration) -> Result<Option<Vec<Message>>, TransportError> {
        let mut deadline = None;
        loop {
            let received = match &self.origin {
                Origin::Bound(monitored) => frames::receive(&monitored.socket),
                Origin::Adopted(socket) => frames::receive_whole(socket),
            };
            let received = received.map_err(cannot("receive"))?;
            // Asked after receiving: what came in while the handler was at work was authenticated.
            if !self.is_alive() {
                return Err(TransportError::ZapHandlerEnded);
            }
            self.until_monitor_read = self.until_monitor_read.saturating_sub(1);
            if self.until_monitor_read == 0 {
                self.log_failed_handshakes()?;
            }
            match received {
                ReceiveOutcome::Message(mut frames) => {
                    if self.must_answer() {
                        frames.insert(0, Message::new());
                    }
                    return Ok(Some(frames));
                }
                ReceiveOutcome::TooManyFrames if self.must_answer() => {
                    self.send(vec![Message::new(), Message::new()])?;
                }
                ReceiveOutcome::TooManyFrames => {}
                ReceiveOutcome::Nothing => {
                    let now = Instant::now();
                    let left = deadline.get_or_insert(now + timeout).saturating_duration_since(now);
                    if left.is_zero() || !self.wait(left)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Sends a message without waiting: routing frames as they were received, delimiter, header, payload.
    ///
    /// A message to a peer that is gone, or whose queue is full, is dropped.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] if libzmq fails, or on REP where there is nothing to answer.
    pub fn send(&mut self, mut frames: Vec<Message>) -> Result<(), TransportError> {
        if self.must_answer() {
            let start = frames.iter().position(|frame| frame.is_empty()).map_or(0, |delimiter| delimiter + 1);
            frames.drain(..start);
        }
        match frames::send(self.socket(), frames) {
            // An embedded ROUTER may be mandatory, an embedded DEALER or PAIR full.
            Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => Ok(()),
            other => other.map_err(cannot("send")),
        }
    }

    fn bind_with(
        context: &Context,
        endpoint: &Endpoint,
        pattern: ServerPattern,
        security: &ServerSecurity,
        bounds: &Bounds,
        authenticate: Option<Authenticate>,
    ) -> Result<Self, TransportError> {
        require_curve()?;
        let kind = match pattern {
            ServerPattern::Router => SocketType::ROUTER,
            ServerPattern::Rep => SocketType::REP,
        };
        let zap_handler = authenticate.map(|authenticate| ZapHandler::start(context, authenticate)).transpose()?;
        let socket = open(context, kind, bounds)?;
        socket
            .set_linger(0)
            .and_then(|()| socket.set_backlog(BACKLOG))
            .and_then(|()| secure(&socket, security))
            .map_err(cannot("set a socket option"))?;
        // Handshakes that fail are logged here; the ZAP handler logs the keys that it rejects.
        let monitored =
            [SocketEvent::HANDSHAKE_FAILED_NO_DETAIL, SocketEvent::HANDSHAKE_FAILED_PROTOCOL, SocketEvent::LISTENING];
        let monitor = monitor::watch(context, &socket, &monitored)?;
        let mut server =
            Self::over(Origin::Bound(MonitoredSocket { socket, monitor, accept_limiter: None }), kind, zap_handler);
        let socket = server.socket();
        endpoint.bind_with(|address| socket.set_ipv6(is_ipv6(address)).and_then(|()| socket.bind(address)))?;
        if let Endpoint::Tcp { .. } = endpoint {
            server.start_accept_limiter()?;
        }
        Ok(server)
    }

    fn over(origin: Origin, kind: SocketType, zap_handler: Option<ZapHandler>) -> Self {
        Self {
            origin,
            kind,
            zap_handler,
            wake: None,
            failed_handshakes: LogRate::default(),
            until_monitor_read: MESSAGES_PER_MONITOR_READ,
        }
    }

    /// Where the system does not allow it, a warning is logged.
    fn start_accept_limiter(&mut self) -> Result<(), TransportError> {
        let Origin::Bound(MonitoredSocket { monitor, accept_limiter, .. }) = &mut self.origin else { return Ok(()) };
        let listener = monitor::listener_of(monitor)?;
        *accept_limiter = match listener.map(AcceptLimiter::watch).transpose() {
            Ok(accept_limiter) => accept_limiter,
            Err(error) => {
                tracing::warn!(%error, "cannot install the accept filter; unauthenticated clients could exhaust file descriptors");
                None
            }
        };
        Ok(())
    }

    fn monitor(&self) -> Option<&Socket> {
        match &self.origin {
            Origin::Bound(monitored) => Some(&monitored.monitor),
            Origin::Adopted(_) => None,
        }
    }

    /// Waits until a message, the monitor or the handler's end wants attention; false after `left`, a signal or a wake.
    fn wait(&mut self, left: Duration) -> Result<bool, TransportError> {
        self.log_failed_handshakes()?;
        let left = self.failed_handshakes.wait(Instant::now()).map_or(left, |line| left.min(line));
        let mut items = Vec::with_capacity(4);
        items.push(self.socket().as_poll_item(POLLIN));
        items.extend(self.wake.as_ref().map(|wake| PollItem::from_fd(wake.as_raw_fd(), POLLIN)));
        items.extend(self.monitor().map(|monitor| monitor.as_poll_item(POLLIN)));
        items.extend(self.zap_handler.as_ref().and_then(ZapHandler::end_fd).map(|fd| PollItem::from_fd(fd, POLLIN)));
        match zmq::poll(&mut items, poll_ms(left)) {
            Ok(_) => Ok(self.wake.is_none() || items[1].get_revents().is_empty()),
            Err(zmq::Error::EINTR) => Ok(false),
            Err(error) => Err(cannot("wait")(error)),
        }
    }

    /// Logs failed handshakes, at a bounded rate.
    fn log_failed_handshakes(&mut self) -> Result<(), TransportError> {
        self.until_monitor_read = MESSAGES_PER_MONITOR_READ;
        let Origin::Bound(MonitoredSocket { monitor, .. }) = &self.origin else { return Ok(()) };
        while let ReceiveOutcome::Message(event) = frames::receive(monitor).map_err(cannot("read the monitor"))? {
            if !monitor::is_listening(&event) {
                self.failed_handshakes.count();
            }
        }
        if let Some(count) = self.failed_handshakes.report(Instant::now()) {
            tracing::warn!(count, "handshakes failed: wrong token or key, or not a Remofile client");
        }
        Ok(())
    }
}

impl Drop for MonitoredSocket {
    fn drop(&mut self) {
        // Its descriptor is of libzmq's listening socket, which is to be free when this is closed.
        drop(self.accept_limiter.take());
        monitor::stop(&self.socket);
    }
}

fn secure(socket: &Socket, security: &ServerSecurity) -> Result<(), zmq::Error> {
    match security {
        ServerSecurity::Curve { secret, .. } => {
            socket.set_curve_server(true)?;
            socket.set_curve_secretkey(secret.as_bytes())?;
            socket.set_zap_domain(zap::ZAP_DOMAIN)
        }
        ServerSecurity::Null => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::transport::CurveKey;
    use crate::transport::zap::ZAP_ENDPOINT;

    const LONG: Duration = Duration::from_secs(10);

    fn dying_server(context: &Context) -> ServerSocket {
        let security = ServerSecurity::Curve { secret: CurveKey::new([1; 32]), admitted: CurveKey::new([2; 32]) };
        let endpoint = "127.0.0.1:0".parse().unwrap();
        let authenticate: Authenticate = Box::new(|_| panic!("the handler is to end"));
        ServerSocket::bind_with(
            context,
            &endpoint,
            ServerPattern::Router,
            &security,
            &Bounds::default(),
            Some(authenticate),
        )
        .unwrap()
    }

    #[test]
    fn the_end_of_the_zap_handler_ends_the_wait_for_messages() {
        let context = Context::new();
        let mut server = dying_server(&context);
        assert!(server.is_alive());
        let start = Instant::now();
        let asker = context.socket(zmq::REQ).unwrap();
        asker.set_linger(0).unwrap();
        asker.connect(ZAP_ENDPOINT).unwrap();
        asker.send("die", 0).unwrap();
        assert!(matches!(server.recv(LONG), Err(TransportError::ZapHandlerEnded)));
        assert!(start.elapsed() < LONG / 2);
        assert!(!server.is_alive());
    }

    #[test]
    fn a_socket_of_another_type_is_not_adopted() {
        let socket = Context::new().socket(zmq::PUB).unwrap();
        assert!(matches!(ServerSocket::adopt(socket, 1), Err(TransportError::SocketType(kind)) if kind == "PUB"));
    }
}
