//! Section 5.3: the socket, with CURVE and the ZAP handler that admits one key.

mod interceptor;
mod plaintext;
mod relay;

use crate::{behaviour::Behaviour, command::Options, limits::Limits, mutations, variants};
use remofile_proto::{KeyPair, Keys, z85};
use std::{cell::RefCell, collections::BTreeSet};
use zmq::{Context, DONTWAIT, POLLIN, PollEvents, Socket, SocketType};

/// Where libzmq asks whom to admit.
const ZAP: &str = "inproc://zeromq.zap.01";

/// The server's socket, and the one on which libzmq asks.
pub(crate) struct Transport {
    socket: Socket,
    /// Absent without CURVE. The server's own loop answers on it, so that neither outlives the other ([CURVE-3]).
    zap: Option<Socket>,
    admitted: [u8; 32],
    /// The public key of the server.
    own: [u8; 32],
    behaviour: Behaviour,
    /// Where clients connect.
    endpoint: String,
    pub(crate) is_rep: bool,
    /// The ways back to REQ sockets, which a mutation remembers.
    req_sockets: RefCell<BTreeSet<Vec<u8>>>,
}

/// What has come.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) message: bool,
    pub(crate) zap: bool,
    pub(crate) done: bool,
}

impl Transport {
    /// Binds; the handler first.
    pub(crate) fn bind(
        context: &Context,
        options: &Options,
        keys: &Keys,
        limits: &Limits,
        behaviour: &Behaviour,
    ) -> Result<Self, String> {
        if !options.insecure && zmq::has("curve") != Some(true) {
            return Err("this libzmq lacks CURVE".to_owned());
        }
        let kind = if options.rep { SocketType::REP } else { SocketType::ROUTER };
        let pair = match &options.secret_key {
            Some(file) => pinned(file)?,
            None => keys.server.clone(),
        };
        let own = *pair.public();
        let mode = match behaviour {
            behaviour if behaviour.is_variant(&variants::TRICKLE) => Some(relay::RelayMode::Trickle),
            behaviour if behaviour.is_variant(&variants::CUTS) => Some(relay::RelayMode::Cut),
            _ => None,
        };
        let has_front = !options.insecure && interceptor::is_needed(behaviour);
        let bound = || {
            let zap = if options.insecure { None } else { Some(handler(context)?) };
            let socket = context.socket(kind)?;
            bound_queues(&socket, limits, behaviour)?;
            if zap.is_some() {
                socket.set_curve_server(true)?;
                socket.set_curve_secretkey(pair.secret())?;
                socket.set_zap_domain("remofile")?;
            }
            // A legal variant or a mutation stands before it at the port that was asked for.
            let port = if mode.is_some() || has_front { 0 } else { options.port };
            socket.bind(&format!("tcp://127.0.0.1:{port}"))?;
            let endpoint = socket.get_last_endpoint()?.unwrap_or_default();
            Ok((socket, zap, endpoint))
        };
        let (socket, zap, mut endpoint) = bound().map_err(|error: zmq::Error| format!("cannot serve: {error}"))?;
        if let Some(mode) = mode {
            endpoint = relay::start(options.port, &endpoint, mode).map_err(|error| format!("cannot relay: {error}"))?;
        }
        if has_front {
            let insecure = plaintext::start(context, &endpoint, own, &keys.client)
                .map_err(|error| format!("cannot serve without CURVE: {error}"))?;
            endpoint = interceptor::start(options.port, &endpoint, &insecure, behaviour.clone())
                .map_err(|error| format!("cannot stand before the socket: {error}"))?;
        }
        let (admitted, is_rep, behaviour) = (*keys.client.public(), options.rep, behaviour.clone());
        let req_sockets = RefCell::default();
        Ok(Self { socket, zap, admitted, own, is_rep, behaviour, endpoint, req_sockets })
    }

    /// The address with the port that was taken.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Waits for something to come, at most `milliseconds`, for ever if that is negative; for messages only if `reading`.
    pub(crate) fn wait(&self, done: &Socket, reading: bool, milliseconds: i64) -> Result<Ready, zmq::Error> {
        let wanted = |wanted| if wanted { POLLIN } else { PollEvents::empty() };
        let mut items = vec![done.as_poll_item(POLLIN), self.socket.as_poll_item(wanted(reading))];
        items.extend(self.zap.as_ref().map(|zap| zap.as_poll_item(POLLIN)));
        match zmq::poll(&mut items, milliseconds) {
            Ok(_) | Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
        let is_readable = |at: usize| items.get(at).is_some_and(|item| item.is_readable());
        Ok(Ready { done: is_readable(0), message: is_readable(1), zap: is_readable(2) })
    }

    /// The next message, if one has come.
    pub(crate) fn receive(&self) -> Result<Option<Vec<Vec<u8>>>, zmq::Error> {
        if !self.behaviour.selects(&mutations::envelope::REQ_WITHOUT_DELIMITER) {
            return received(&self.socket);
        }
        let mut first = match self.socket.recv_msg(DONTWAIT) {
            Ok(first) => first,
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What a mutation goes by.
        if first.gets("Socket-Type") == Some("REQ") {
            self.req_sockets.borrow_mut().insert(first.to_vec());
        }
        let mut frames = vec![first.to_vec()];
        while self.socket.get_rcvmore()? {
            frames.push(self.socket.recv_bytes(DONTWAIT)?);
        }
        Ok(Some(frames))
    }

    /// Sends without waiting: what does not fit the queue of a client that does not read is dropped.
    pub(crate) fn send(&self, mut frames: Vec<Vec<u8>>) -> Result<(), zmq::Error> {
        let is_req = frames.first().is_some_and(|way| self.req_sockets.borrow().contains(way));
        if is_req && self.behaviour.has(&mutations::envelope::REQ_WITHOUT_DELIMITER) {
            frames.retain(|frame| !frame.is_empty());
        }
        match self.socket.send_multipart(frames, DONTWAIT) {
            Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => Ok(()),
            other => other,
        }
    }

    /// Answers libzmq's next question ([CURVE-2], [CURVE-8]).
    pub(crate) fn admit(&self) -> Result<(), zmq::Error> {
        let Some(zap) = &self.zap else { return Ok(()) };
        let Some(asked) = received(zap)? else { return Ok(()) };
        // Version, request id, domain, address, routing id, mechanism, and here one credential: the public key.
        let admitted = match &asked[..] {
            [_, _, _, address, _, mechanism, key] => {
                mechanism == b"CURVE" && (key[..] == self.admitted || self.is_mistaken_for_it(address, key))
            }
            _ => false,
        };
        let id = asked.get(1).cloned().unwrap_or_default();
        let (status, text) = if admitted { ("200", "OK") } else { ("400", "refused") };
        let answer: [&[u8]; 6] = [b"1.0", &id, status.as_bytes(), text.as_bytes(), b"", b""];
        zap.send_multipart(answer, DONTWAIT)
    }

    /// Whether a server with a mutation admits this key.
    fn is_mistaken_for_it(&self, address: &[u8], key: &[u8]) -> bool {
        (key.starts_with(&self.admitted[..1]) && self.behaviour.has(&mutations::keys::KEY_BY_ITS_BEGINNING))
            || (*key == self.own && self.behaviour.has(&mutations::keys::OWN_KEY_IS_ADMITTED))
            || (address.starts_with(b"127.") && self.behaviour.has(&mutations::keys::NEIGHBOURS_ARE_ADMITTED))
            || self.behaviour.has(&mutations::keys::ANY_KEY)
    }
}

fn handler(context: &Context) -> Result<Socket, zmq::Error> {
    let zap = context.socket(SocketType::REP)?;
    zap.set_linger(0)?;
    zap.bind(ZAP)?;
    Ok(zap)
}

/// [LIMIT-3], [LIMIT-4], [LIMIT-5]
fn bound_queues(socket: &Socket, limits: &Limits, behaviour: &Behaviour) -> Result<(), zmq::Error> {
    let tight = behaviour.has(&mutations::limits::TIGHT_SOCKET);
    let largest = limits.chunk.max(limits.header as u64) + if tight { 0 } else { 4_096 };
    let few = behaviour.has(&mutations::limits::SHORT_QUEUES);
    let messages = if few { 1 } else { i32::try_from(2 * limits.window).unwrap_or(i32::MAX).max(16) };
    socket.set_linger(0)?;
    let any = behaviour.has(&mutations::limits::ANY_MESSAGE);
    socket.set_maxmsgsize(if any { -1 } else { i64::try_from(largest).unwrap_or(i64::MAX) })?;
    socket.set_sndhwm(messages)?;
    socket.set_rcvhwm(messages)?;
    if few {
        // What the system takes is no queue of the server's, and not to stand in for one.
        socket.set_sndbuf(8_192)?;
    }
    socket.set_backlog(64)?;
    socket.set_handshake_ivl(5_000)?;
    socket.set_heartbeat_ivl(5_000)?;
    socket.set_heartbeat_timeout(15_000)
}

/// The pair of a file of `remofile generate-keys`: a line `secret` and 40 characters of Z85.
fn pinned(file: &std::path::Path) -> Result<KeyPair, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read the secret key: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("secret ")).unwrap_or(&text);
    let secret = z85::decode(line.trim()).map_err(|error| format!("the secret key is none: {error}"))?;
    Ok(KeyPair::from_secret(secret))
}

fn received(socket: &Socket) -> Result<Option<Vec<Vec<u8>>>, zmq::Error> {
    match socket.recv_multipart(DONTWAIT) {
        Ok(frames) => Ok(Some(frames)),
        Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Ok(None),
        Err(error) => Err(error),
    }
}
