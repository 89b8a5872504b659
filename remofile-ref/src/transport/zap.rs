//! The ZAP handler (ZeroMQ RFC 27): a thread that admits one CURVE key and refuses everything else ([CURVE-2]).
//!
//! libzmq asks the socket bound at `inproc://zeromq.zap.01` in the server's context, and accepts every key while none
//! is bound. Crate zmq has no setter for `ZMQ_ZAP_ENFORCE_DOMAIN`, which would change that. So the handler is bound
//! before the server's socket and unbound after it, and reports its end before it unbinds ([CURVE-3]).

use super::frames::{self, ReceiveOutcome};
use super::rate::LogRate;
use super::{Context, CurveKey, Message, TransportError, cannot, poll_ms};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use subtle::ConstantTimeEq;
use zmq::{POLLIN, PollItem, REP, Socket};

/// Where libzmq looks for a handler, in the context of the socket that was connected to.
pub(super) const ZAP_ENDPOINT: &str = "inproc://zeromq.zap.01";

/// The domain of the server's socket.
pub(super) const ZAP_DOMAIN: &str = "remofile";

/// Decides about a ZAP request.
pub(super) type Authenticate = Box<dyn Fn(&[Message]) -> AuthDecision + Send>;

/// The answer to a ZAP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthDecision {
    /// Status 200.
    Admit,
    /// Status 400, with the reason, which is logged and not sent to the peer.
    Refuse(&'static str),
}

/// The running handler. It ends when this is dropped; the server's socket must be closed by then.
pub(super) struct ZapHandler {
    alive: Arc<AtomicBool>,
    /// The handler's thread holds the other end: when one end closes, the other becomes readable.
    control: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl ZapHandler {
    /// Binds the handler in `context` and starts its thread.
    pub(super) fn start(context: &Context, authenticate: Authenticate) -> Result<Self, TransportError> {
        let system = |what| move |source: io::Error| TransportError::System { what, source };
        let socket = context.socket(REP).map_err(cannot("open the ZAP handler's socket"))?;
        socket
            .set_linger(0)
            .and_then(|()| socket.bind(ZAP_ENDPOINT))
            .map_err(cannot("bind the ZAP handler: one context holds one server with CURVE"))?;
        let (control, thread_end) = UnixStream::pair().map_err(system("open a control channel"))?;
        let alive = Arc::new(AtomicBool::new(true));
        let ended = AliveFlag(Arc::clone(&alive));
        let thread = thread::Builder::new()
            .name("zap".to_owned())
            .spawn(move || serve(socket, thread_end, &authenticate, ended))
            .map_err(system("start the ZAP handler's thread"))?;
        Ok(Self { alive, control: Some(control), thread: Some(thread) })
    }

    /// Whether the handler is at work.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// A descriptor that becomes readable when the handler ends.
    pub(super) fn end_fd(&self) -> Option<RawFd> {
        self.control.as_ref().map(AsRawFd::as_raw_fd)
    }
}

impl Drop for ZapHandler {
    fn drop(&mut self) {
        drop(self.control.take());
        if let Some(thread) = self.thread.take() {
            // `is_alive` has reported a panic of the handler already.
            let _ = thread.join();
        }
    }
}

/// Admits CURVE clients with this public key.
pub(super) fn accept_only(admitted: CurveKey) -> Authenticate {
    Box::new(move |request| authenticate(request, &admitted))
}

/// Reports the end of the handler when dropped.
struct AliveFlag(Arc<AtomicBool>);

impl Drop for AliveFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn serve(socket: Socket, control: UnixStream, authenticate: &Authenticate, ended: AliveFlag) {
    // Locals are dropped in reverse order: `alive` falls before the socket is closed, so that no message of an
    // unauthenticated peer can be taken for an authenticated one.
    let (control, socket, ended) = (control, socket, ended);
    answer_requests(&socket, &control, authenticate);
    drop(ended);
    // Closing alone frees the endpoint at some later time, and another server may want this context at once.
    let _ = socket.unbind(ZAP_ENDPOINT);
}

fn answer_requests(socket: &Socket, control: &UnixStream, authenticate: &Authenticate) {
    let mut refusals = LogRate::default();
    let mut latest = ("", String::new());
    loop {
        let wait = refusals.wait(Instant::now()).map_or(-1, poll_ms);
        let mut items = [socket.as_poll_item(POLLIN), PollItem::from_fd(control.as_raw_fd(), POLLIN)];
        match zmq::poll(&mut items, wait) {
            Ok(_) | Err(zmq::Error::EINTR) => {}
            Err(error) => return tracing::error!(%error, "the ZAP handler cannot wait"),
        }
        if items[1].get_revents() != zmq::PollEvents::empty() {
            return;
        }
        match answer_next(socket, authenticate) {
            Ok(Some((reason, address))) => {
                refusals.count();
                latest = (reason, address);
            }
            Ok(None) => {}
            Err(error) => return tracing::error!(%error, "the ZAP handler cannot answer"),
        }
        if let Some(count) = refusals.report(Instant::now()) {
            tracing::warn!(count, latest_reason = latest.0, latest_address = latest.1, "clients refused");
        }
    }
}

/// Answers one request if there is one; gives the reason and the peer's address if it was refused.
fn answer_next(socket: &Socket, authenticate: &Authenticate) -> Result<Option<(&'static str, String)>, zmq::Error> {
    let (decision, request) = match frames::receive(socket)? {
        ReceiveOutcome::Nothing => return Ok(None),
        ReceiveOutcome::TooManyFrames => (AuthDecision::Refuse("too many frames"), Vec::new()),
        ReceiveOutcome::Message(request) => (authenticate(&request), request),
    };
    frames::send(socket, reply(decision, request.get(1).map_or(&[], |id| id)))?;
    Ok(match decision {
        AuthDecision::Admit => None,
        AuthDecision::Refuse(reason) => Some((reason, address_of(&request))),
    })
}

/// A request has version, request id, domain, address, routing id, mechanism, and here one credential: the public key.
fn authenticate(request: &[Message], admitted: &CurveKey) -> AuthDecision {
    let [version, _id, _domain, _address, _routing_id, mechanism, credentials @ ..] = request else {
        return AuthDecision::Refuse("malformed request");
    };
    if &version[..] != b"1.0" {
        return AuthDecision::Refuse("unknown ZAP version");
    }
    if &mechanism[..] != b"CURVE" {
        return AuthDecision::Refuse("not CURVE");
    }
    match credentials {
        [key] if bool::from(key[..].ct_eq(admitted.as_bytes())) => AuthDecision::Admit,
        [key] if key.len() == admitted.as_bytes().len() => AuthDecision::Refuse("wrong key"),
        _ => AuthDecision::Refuse("malformed credentials"),
    }
}

/// Version, request id, status code, status text, user id, metadata.
fn reply(decision: AuthDecision, request_id: &[u8]) -> [Message; 6] {
    let (status, text) = match decision {
        AuthDecision::Admit => ("200", "OK"),
        AuthDecision::Refuse(_) => ("400", "refused"),
    };
    ["1.0".into(), request_id.into(), status.into(), text.into(), Message::new(), Message::new()]
}

fn address_of(request: &[Message]) -> String {
    let address = request.get(3).map_or(&[][..], |frame| &frame[..frame.len().min(64)]);
    String::from_utf8_lossy(address).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn request(version: &str, mechanism: &str, credentials: &[&[u8]]) -> Vec<Message> {
        let mut request: Vec<Message> =
            [version, "17", ZAP_DOMAIN, "127.0.0.1", "", mechanism].map(Message::from).into();
        request.extend(credentials.iter().map(|credential| Message::from(*credential)));
        request
    }

    fn decision_on(request: &[Message]) -> AuthDecision {
        authenticate(request, &CurveKey::new(KEY))
    }

    fn started() -> (Context, ZapHandler, Socket) {
        let context = Context::new();
        let zap_handler = ZapHandler::start(&context, accept_only(CurveKey::new(KEY))).unwrap();
        let asker = context.socket(zmq::REQ).unwrap();
        asker.set_rcvtimeo(5_000).unwrap();
        asker.set_linger(0).unwrap();
        asker.connect(ZAP_ENDPOINT).unwrap();
        (context, zap_handler, asker)
    }

    fn status(asker: &Socket, request: Vec<Message>) -> (Vec<u8>, Vec<u8>) {
        frames::send(asker, request).unwrap();
        let reply = asker.recv_multipart(0).unwrap();
        assert_eq!(reply.len(), 6);
        (reply[1].clone(), reply[2].clone())
    }

    #[test]
    fn the_key_is_admitted() {
        assert_eq!(decision_on(&request("1.0", "CURVE", &[&KEY])), AuthDecision::Admit);
    }

    #[test]
    fn another_key_is_refused() {
        let mut other = KEY;
        other[31] ^= 1;
        assert_eq!(decision_on(&request("1.0", "CURVE", &[&other])), AuthDecision::Refuse("wrong key"));
    }

    #[test]
    fn another_mechanism_is_refused() {
        assert_eq!(decision_on(&request("1.0", "NULL", &[])), AuthDecision::Refuse("not CURVE"));
        assert_eq!(decision_on(&request("1.0", "PLAIN", &[b"user", b"password"])), AuthDecision::Refuse("not CURVE"));
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(decision_on(&request("2.0", "CURVE", &[&KEY])), AuthDecision::Refuse("unknown ZAP version"));
    }

    #[test]
    fn malformed_credentials_are_refused() {
        for credentials in [&[][..], &[&KEY[..31]], &[&KEY[..], &KEY[..]]] {
            let decision = decision_on(&request("1.0", "CURVE", credentials));
            assert_eq!(decision, AuthDecision::Refuse("malformed credentials"));
        }
    }

    #[test]
    fn a_short_request_is_refused() {
        let whole = request("1.0", "CURVE", &[]);
        for frames in 0..whole.len() {
            assert_eq!(decision_on(&whole[..frames]), AuthDecision::Refuse("malformed request"));
        }
    }

    #[test]
    fn the_thread_answers_with_the_request_id() {
        let (_context, _gate, asker) = started();
        assert_eq!(status(&asker, request("1.0", "CURVE", &[&KEY])), (b"17".to_vec(), b"200".to_vec()));
    }

    #[test]
    fn the_thread_outlives_malformed_requests() {
        let (_context, zap_handler, asker) = started();
        assert_eq!(status(&asker, vec![Message::new()]).1, b"400");
        assert_eq!(status(&asker, (0..40).map(|_| Message::from("x")).collect()).1, b"400");
        assert_eq!(status(&asker, request("1.0", "CURVE", &[&KEY])).1, b"200");
        assert!(zap_handler.is_alive());
    }

    #[test]
    fn a_second_handler_in_a_context_is_an_error() {
        let (context, _gate, _asker) = started();
        assert!(ZapHandler::start(&context, accept_only(CurveKey::new(KEY))).is_err());
    }

    #[test]
    fn dropping_the_gate_frees_the_endpoint() {
        let (context, zap_handler, asker) = started();
        drop(zap_handler);
        drop(asker);
        assert!(ZapHandler::start(&context, accept_only(CurveKey::new(KEY))).is_ok());
    }
}
