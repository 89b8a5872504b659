//! The client's socket: connected with CURVE, and given up when no link can be established.

use super::frames::{self, ReceiveOutcome};
use super::link::{HandshakeFailure, LinkEvent, LinkVerdict, LinkWatch};
use super::{Bounds, ClientSecurity, Context, Endpoint, Message, TransportError};
use super::{cannot, is_ipv6, monitor, open, poll_ms, require_curve};
use std::{
    io::Read as _,
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    time::{Duration, Instant},
};
use zmq::{POLLIN, POLLOUT, PollEvents, PollItem, Socket, SocketEvent, SocketType};

/// The first pause before another attempt to connect: three failures fit in the time that a refusal may take.
const RECONNECT_MS: i32 = 100;

/// The longest pause between attempts.
const RECONNECT_MAX_MS: i32 = 2_000;

/// `ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH`, which crate zmq does not name.
const MECHANISM_MISMATCH: u32 = 0x1100_0002;

/// What the events that are asked for mean. A handshake that failed by protocol may also be one of another mechanism.
const MEANINGS: [(SocketEvent, LinkEvent); 7] = [
    (SocketEvent::CONNECTED, LinkEvent::Connected),
    (SocketEvent::CONNECT_RETRIED, LinkEvent::ConnectRetried),
    (SocketEvent::DISCONNECTED, LinkEvent::Disconnected),
    (SocketEvent::HANDSHAKE_SUCCEEDED, LinkEvent::HandshakeSucceeded),
    (SocketEvent::HANDSHAKE_FAILED_NO_DETAIL, LinkEvent::HandshakeFailed(HandshakeFailure::NoDetail)),
    (SocketEvent::HANDSHAKE_FAILED_PROTOCOL, LinkEvent::HandshakeFailed(HandshakeFailure::Protocol)),
    (SocketEvent::HANDSHAKE_FAILED_AUTH, LinkEvent::AuthRefused),
];

/// The kind of socket that a client connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientPattern {
    /// DEALER: several requests at once.
    #[default]
    Dealer,
    /// REQ, relaxed and correlated: one request at a time; another one gives the unanswered one up.
    Req,
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSocketOptions {
    /// The kind of socket.
    pub pattern: ClientPattern,
    /// What may be queued and taken; the chunk is the largest that a server may announce.
    pub bounds: Bounds,
    /// How long the first handshake may take, name lookup included except for what the system's resolver takes.
    pub connect_timeout: Duration,
    /// How long messages may outlive the closed socket; at most 2 s are granted.
    pub linger: Duration,
}

impl Default for ClientSocketOptions {
    fn default() -> Self {
        Self {
            pattern: ClientPattern::Dealer,
            bounds: Bounds { chunk: 1_048_576, ..Bounds::default() },
            connect_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(2),
        }
    }
}

/// Why [`ClientSocket::poll`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A message is there: call [`ClientSocket::recv`] until it gives none.
    Readable,
    /// Something happened to the connection.
    Event(LinkEvent),
    /// What [`ClientSocket::send`] gave back as [`SendOutcome::Full`] can be sent now.
    Room,
    /// The time is over, a signal came, or [`ClientSocket::interrupt_on`] was made use of.
    Timeout,
}

/// Whether a message was sent.
#[derive(Debug)]
pub enum SendOutcome {
    /// libzmq has it.
    Queued,
    /// The queue is full: the message is returned.
    Full(Vec<Message>),
}

/// A socket that a client sends requests on and reads replies from.
///
/// Messages look alike on every kind of socket: an empty delimiter ([ENV-1]), header, payload. REQ adds and strips the
/// delimiter by itself; here it stands first all the same.
///
/// Nothing may be sent before [`LinkEvent::HandshakeSucceeded`]: what libzmq holds for a connection that is not up yet
/// would go to the first peer that connects.
pub struct ClientSocket {
    socket: Socket,
    kind: SocketType,
    link: Option<Link>,
    /// The last message was given back.
    full: bool,
    /// A byte that comes over it ends a wait.
    waker: Option<UnixStream>,
    /// An event that was waited for while connecting.
    reported_again: Option<LinkEvent>,
}

/// The monitor of a connection that this module made, and the watch on it.
struct Link {
    monitor: Socket,
    watch: LinkWatch,
}

impl ClientSocket {
    /// Begins to connect; [`poll`](Self::poll) reports the progress. Waits for the lookup of a host name. Where that
    /// gives several addresses, connects to each in turn, until a handshake succeeds or the last one is left.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`], [`TransportError::Connect`], [`TransportError::Endpoint`] for an endpoint that only
    /// a server can use, and others as they are described.
    pub fn connect(
        context: &Context,
        endpoint: &Endpoint,
        security: &ClientSecurity,
        options: &ClientSocketOptions,
    ) -> Result<Self, TransportError> {
        require_curve()?;
        let deadline = Instant::now() + options.connect_timeout;
        Self::connect_to_any(context, &endpoint.connect_addresses()?, deadline, security, options)
    }

    fn connect_to_any(
        context: &Context,
        addresses: &[String],
        deadline: Instant,
        security: &ClientSecurity,
        options: &ClientSocketOptions,
    ) -> Result<Self, TransportError> {
        let mut left = addresses;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let (address, others) = match left {
                [] => return Err(TransportError::Link(LinkVerdict::Unreachable)),
                [last] => return Self::connect_to(context, last, remaining, security, options),
                [address, others @ ..] => (address, others),
            };
            // What remains is shared out, so that an address that does not answer leaves time for the others.
            let share = remaining / u32::try_from(left.len()).unwrap_or(u32::MAX);
            let mut client = Self::connect_to(context, address, share, security, options)?;
            if client.completes_handshake(share)? {
                return Ok(client);
            }
            tracing::debug!(address, "no connection; trying the next address");
            left = others;
        }
    }

    /// Waits until the handshake has succeeded, which [`poll`](Self::poll) reports again, or a first attempt has failed.
    fn completes_handshake(&mut self, timeout: Duration) -> Result<bool, TransportError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll(left) {
                Ok(Wake::Event(event @ LinkEvent::HandshakeSucceeded)) => {
                    self.reported_again = Some(event);
                    return Ok(true);
                }
                Ok(Wake::Event(LinkEvent::Connected)) => {}
                // The token is refused at every address.
                Err(error @ TransportError::Link(LinkVerdict::AuthRefused)) => return Err(error),
                Ok(Wake::Event(_)) | Err(TransportError::Link(_)) => return Ok(false),
                Ok(_) if left.is_zero() => return Ok(false),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn connect_to(
        context: &Context,
        address: &str,
        connect_timeout: Duration,
        security: &ClientSecurity,
        options: &ClientSocketOptions,
    ) -> Result<Self, TransportError> {
        let watch = LinkWatch::new(Instant::now(), connect_timeout);
        let kind = match options.pattern {
            ClientPattern::Dealer => SocketType::DEALER,
            ClientPattern::Req => SocketType::REQ,
        };
        let socket = open(context, kind, &options.bounds)?;
        let linger_ms = i32::try_from(options.linger.as_millis().min(2_000)).unwrap_or(2_000);
        // No ZMQ_IMMEDIATE: with connections that are cut, libzmq 4.3.5 aborts on it.
        socket
            .set_linger(linger_ms)
            .and_then(|()| socket.set_ipv6(is_ipv6(address)))
            .and_then(|()| socket.set_reconnect_ivl(RECONNECT_MS))
            .and_then(|()| socket.set_reconnect_ivl_max(RECONNECT_MAX_MS))
            .and_then(|()| relax(&socket, kind))
            .and_then(|()| secure(&socket, security))
            .map_err(cannot("set a socket option"))?;
        let monitor = monitor::watch(context, &socket, &MEANINGS.map(|(event, _)| event))?;
        let client =
            Self { socket, kind, link: Some(Link { monitor, watch }), full: false, waker: None, reported_again: None };
        client.socket.connect(address).map_err(cannot("connect"))?;
        Ok(client)
    }

    /// Talks over a socket that the embedding program made, secured and connected: DEALER, REQ or PAIR.
    ///
    /// Its link is not watched: there are no events and no verdict, and requests may be sent at once. REQ is made
    /// relaxed and correlated, so that it outlives a request that is not answered; its other options stay as they are.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`]; [`TransportError::SocketType`] for any other kind of socket.
    pub fn adopt(socket: Socket) -> Result<Self, TransportError> {
        require_curve()?;
        let kind = socket.get_socket_type().map_err(cannot("ask for the socket's type"))?;
        if !matches!(kind, SocketType::DEALER | SocketType::REQ | SocketType::PAIR) {
            return Err(TransportError::SocketType(format!("{kind:?}")));
        }
        relax(&socket, kind).map_err(cannot("relax a REQ socket"))?;
        Ok(Self { socket, kind, link: None, full: false, waker: None, reported_again: None })
    }

    /// Limits the time that closing the socket waits for queued messages to `linger`, at most 2 s.
    pub fn linger_at_most(&self, linger: Duration) {
        let linger_ms = i32::try_from(linger.as_millis().min(2_000)).unwrap_or(2_000);
        // A socket that takes no options any more has nothing queued either.
        let _ = self.socket.set_linger(linger_ms);
    }

    /// Whether it has one request at a time, and gives it up where another one is sent: REQ.
    #[must_use]
    pub fn is_lockstep(&self) -> bool {
        self.kind == SocketType::REQ
    }

    /// Whether the link is watched; if not, requests may be sent at once.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.link.is_some()
    }

    /// Lets a byte that comes over `waker`, which does not block, end a wait as [`Wake::Timeout`].
    pub fn interrupt_on(&mut self, waker: UnixStream) {
        self.waker = Some(waker);
    }

    /// Waits for a message, an event, room where there was none, or the end of `timeout`. Events come before messages.
    ///
    /// # Errors
    /// [`TransportError::Link`] once the link is given up; [`TransportError::Zmq`] if libzmq fails.
    pub fn poll(&mut self, timeout: Duration) -> Result<Wake, TransportError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.reported_again.take() {
                return Ok(Wake::Event(event));
            }
            if let Some(event) = self.next_event()? {
                return Ok(Wake::Event(event));
            }
            let now = Instant::now();
            let mut left = deadline.saturating_duration_since(now);
            let mut items = Vec::with_capacity(3);
            items.push(self.socket.as_poll_item(if self.full { POLLIN | POLLOUT } else { POLLIN }));
            if let Some(link) = &mut self.link {
                if let Some(verdict) = link.watch.verdict(now) {
                    return Err(verdict.into());
                }
                let due = link.watch.due().map(|due| due.saturating_duration_since(now));
                left = due.map_or(left, |due| left.min(due));
                items.push(link.monitor.as_poll_item(POLLIN));
            }
            let waker_at = items.len();
            if let Some(waker) = &self.waker {
                items.push(PollItem::from_fd(waker.as_raw_fd(), POLLIN));
            }
            let polled = zmq::poll(&mut items, poll_ms(left));
            let is_interrupted = items.get(waker_at).is_some_and(PollItem::is_readable);
            let has_event = items[1..waker_at].iter().any(PollItem::is_readable);
            if is_interrupted && let Some(waker) = &mut self.waker {
                // What stands in it counts once.
                let _ = waker.read(&mut [0; 64]);
            }
            match polled {
                Ok(0) if Instant::now() >= deadline => return Ok(Wake::Timeout),
                Ok(_) if items[0].is_readable() && !has_event => {
                    return Ok(Wake::Readable);
                }
                Ok(_) if items[0].is_writable() => {
                    self.full = false;
                    return Ok(Wake::Room);
                }
                Ok(_) if is_interrupted && !has_event => return Ok(Wake::Timeout),
                Ok(_) => {}
                Err(zmq::Error::EINTR) => return Ok(Wake::Timeout),
                Err(error) => return Err(cannot("wait")(error)),
            }
        }
    }

    /// Takes the next message if one is there; never waits.
    ///
    /// Messages of more than [`MAX_FRAMES`](super::MAX_FRAMES) frames are dropped.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] if libzmq fails.
    pub fn recv(&mut self) -> Result<Option<Vec<Message>>, TransportError> {
        loop {
            match frames::receive(&self.socket) {
                Ok(ReceiveOutcome::Message(mut frames)) => {
                    if self.kind == SocketType::REQ {
                        frames.insert(0, Message::new());
                    }
                    return Ok(Some(frames));
                }
                Ok(ReceiveOutcome::TooManyFrames) => {}
                // REQ may not receive before it has sent.
                Ok(ReceiveOutcome::Nothing) | Err(zmq::Error::EFSM) => return Ok(None),
                Err(error) => return Err(cannot("receive")(error)),
            }
        }
    }

    /// Sends a message without waiting: delimiter, header, payload.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] if libzmq fails.
    pub fn send(&mut self, mut frames: Vec<Message>) -> Result<SendOutcome, TransportError> {
        // Asked first: a frame that libzmq refuses is lost to its sender.
        self.full = !self.socket.get_events().map_err(cannot("ask for room"))?.contains(PollEvents::POLLOUT);
        if self.full {
            return Ok(SendOutcome::Full(frames));
        }
        if self.kind == SocketType::REQ && frames.first().is_some_and(|delimiter| delimiter.is_empty()) {
            frames.remove(0);
        }
        frames::send(&self.socket, frames).map(|()| SendOutcome::Queued).map_err(cannot("send"))
    }

    /// Waits until [`send`](Self::send) has room, or a signal comes, for at most `timeout`.
    ///
    /// # Errors
    /// [`TransportError::Zmq`] if libzmq fails.
    pub fn wait_for_room(&mut self, timeout: Duration) -> Result<(), TransportError> {
        match self.socket.poll(PollEvents::POLLOUT, poll_ms(timeout)) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(cannot("wait")(error)),
        }
    }

    /// Whether a handshake has ever succeeded; on a socket that is not watched: true.
    #[must_use]
    pub fn has_connected(&self) -> bool {
        self.link.as_ref().is_none_or(|link| link.watch.has_succeeded())
    }

    /// The verdict on the link, if there is one.
    pub fn verdict(&mut self) -> Option<LinkVerdict> {
        self.link.as_mut().and_then(|link| link.watch.verdict(Instant::now()))
    }

    fn next_event(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        let Some(link) = &mut self.link else { return Ok(None) };
        while let ReceiveOutcome::Message(message) =
            frames::receive(&link.monitor).map_err(cannot("read the monitor"))?
        {
            let Some(event) = monitor::event_of(&message).and_then(|(event, value)| link_event(event, value)) else {
                continue;
            };
            tracing::debug!(?event, "link");
            link.watch.on_event(event, Instant::now());
            return Ok(Some(event));
        }
        Ok(None)
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        if self.link.is_some() {
            monitor::stop(&self.socket);
        }
    }
}

fn relax(socket: &Socket, kind: SocketType) -> Result<(), zmq::Error> {
    if kind == SocketType::REQ {
        socket.set_req_relaxed(true)?;
        socket.set_req_correlate(true)?;
    }
    Ok(())
}

fn secure(socket: &Socket, security: &ClientSecurity) -> Result<(), zmq::Error> {
    match security {
        ClientSecurity::Curve { server, public, secret } => {
            socket.set_curve_serverkey(server.as_bytes())?;
            socket.set_curve_publickey(public.as_bytes())?;
            socket.set_curve_secretkey(secret.as_bytes())
        }
        ClientSecurity::Null => Ok(()),
    }
}

fn link_event(event: u16, value: u32) -> Option<LinkEvent> {
    let meaning = MEANINGS.into_iter().find_map(|(known, meaning)| (known.to_raw() == event).then_some(meaning));
    match (meaning, value) {
        (Some(LinkEvent::HandshakeFailed(HandshakeFailure::Protocol)), MECHANISM_MISMATCH) => {
            Some(LinkEvent::HandshakeFailed(HandshakeFailure::Mechanism))
        }
        (meaning, _) => meaning,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn connect(addresses: &[String]) -> Result<ClientSocket, TransportError> {
        let deadline = Instant::now() + DEADLINE;
        ClientSocket::connect_to_any(
            &Context::new(),
            addresses,
            deadline,
            &ClientSecurity::Null,
            &ClientSocketOptions::default(),
        )
    }

    fn refusing() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("tcp://{}", listener.local_addr().unwrap())
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next() {
        let server = Context::new().socket(zmq::ROUTER).unwrap();
        server.bind("tcp://127.0.0.1:*").unwrap();
        let live = server.get_last_endpoint().unwrap().unwrap();
        let mut client = connect(&[refusing(), live, refusing()]).unwrap();
        assert_eq!(client.poll(DEADLINE).unwrap(), Wake::Event(LinkEvent::HandshakeSucceeded));
    }

    /// No connection is made only to see whether one is accepted: a server would log it as a failed handshake.
    #[test]
    fn every_connection_begins_a_handshake() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let live = format!("tcp://{}", listener.local_addr().unwrap());
        let first = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            connection.set_read_timeout(Some(DEADLINE)).unwrap();
            let mut signature = [0; 10];
            connection.read_exact(&mut signature).unwrap();
            signature
        });
        let client = connect(&[refusing(), live]).unwrap();
        assert_eq!(first.join().unwrap()[0], 0xff, "a ZMTP greeting");
        drop(client);
    }
}
