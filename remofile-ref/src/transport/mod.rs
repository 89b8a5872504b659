//! Sockets: the only module that names zmq. Frames go in and out; what they mean is decided elsewhere.
//!
//! A [`ServerSocket`] is bound with CURVE and a ZAP handler that admits one client key; a [`ClientSocket`] is connected
//! with CURVE and watches its link, so that a refusal is reported instead of retried for ever. Neither waits in a send.
//!
//! **Invariant: no constructor opens a socket before [`require_curve`] has passed**, and no message of a CURVE server
//! is handed out once its ZAP handler has ended.
//!
//! Message bodies are handed to libzmq without a copy: make a [`Message`] from a `Vec` whose capacity is its length.

mod accept_limiter;
mod client;
mod endpoint;
mod frames;
mod link;
mod monitor;
mod rate;
mod security;
mod server;
mod zap;

pub use client::{ClientPattern, ClientSocket, ClientSocketOptions, SendOutcome, Wake};
pub use endpoint::{Endpoint, EndpointError};
pub use frames::MAX_FRAMES;
pub use link::{HandshakeFailure, LinkEvent, LinkVerdict, LinkWatch};
pub use security::{ClientSecurity, CurveKey, ServerSecurity};
pub use server::{ServerPattern, ServerSocket};
pub use zmq::{self, Context, Message, Socket};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::time::Duration;

/// The oldest libzmq that is accepted.
const LIBZMQ_MIN: (i32, i32, i32) = (4, 3, 5);

/// How long a handshake may take: frees the connections of silent peers.
const HANDSHAKE_MS: i32 = 5_000;

/// How often a silent peer gets a heartbeat.
const HEARTBEAT_INTERVAL_MS: i32 = 5_000;

/// How long the answer to a heartbeat may take.
const HEARTBEAT_TIMEOUT_MS: i32 = 15_000;

/// The descriptor limit of a process that only serves: more than one client needs, and few enough that unauthenticated
/// peers who use them all take little memory.
pub const SERVER_DESCRIPTORS: u64 = 4_096;

/// Checks that the linked libzmq has CURVE and is 4.3.5 or later.
///
/// Every program calls it at its start; both constructors call it again.
///
/// # Errors
/// [`TransportError::NoCurve`] with what was found.
pub fn require_curve() -> Result<(), TransportError> {
    require_curve_in(zmq::has("curve") == Some(true), zmq::version())
}

/// What a socket may queue and take: [LIMIT-3], [LIMIT-4], [LIMIT-5].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests that may be unanswered at once, 1 to 1,024.
    pub window: u16,
    /// The largest payload in bytes.
    pub chunk: u32,
    /// The largest header in bytes.
    pub header: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { window: 64, chunk: 262_144, header: 65_536 }
    }
}

impl Bounds {
    /// The largest frame on the wire in bytes: what is a little too large still gets its answer, and CURVE adds 33
    /// bytes.
    #[must_use]
    pub fn frame_max(&self) -> u64 {
        u64::from(self.chunk.max(self.header)) + 2_048
    }

    /// How many messages may be queued in each direction.
    #[must_use]
    pub fn queue_max(&self) -> u32 {
        2 * u32::from(self.window.max(1))
    }
}

/// Sets the soft limit of open file descriptors to `wanted`, or to the hard limit where that is lower, and returns it.
///
/// Every connection takes a descriptor. A process that only serves calls it at its start with [`SERVER_DESCRIPTORS`];
/// one that has many connections of its own passes `u64::MAX`.
///
/// # Errors
/// The error of the system; the limit does not change.
pub fn set_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current != Some(current) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit })?;
    }
    Ok(current)
}

/// Why a socket could not be opened, or is of no use any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The linked libzmq is not the one that security needs: [CURVE-6].
    #[error("libzmq {}.{}.{} {} CURVE; 4.3.5 or later with CURVE is needed", version.0, version.1, version.2,
        if *curve { "has" } else { "lacks" })]
    NoCurve {
        /// Whether it has CURVE.
        curve: bool,
        /// Its version.
        version: (i32, i32, i32),
    },
    /// The endpoint cannot be used in this way.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The address could not be bound.
    #[error("cannot listen on {endpoint}")]
    Bind {
        /// The endpoint that was asked for.
        endpoint: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// No address of the host could be connected to.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// The endpoint that was asked for.
        endpoint: Endpoint,
        /// What the system says of the last address that was tried.
        source: io::Error,
    },
    /// The link will not come up, or was refused.
    #[error(transparent)]
    Link(#[from] LinkVerdict),
    /// The ZAP handler has ended, so that clients are not authenticated any more: the server stops ([CURVE-3]).
    #[error("the ZAP handler has ended")]
    ZapHandlerEnded,
    /// A socket of an unsupported type was passed.
    #[error("sockets of type {0} are not supported")]
    SocketType(String),
    /// A socket was passed whose send queue would drop replies: [LIMIT-5].
    #[error("the socket's send queue (ZMQ_SNDHWM) holds {holds} messages, which is less than the window of {window}")]
    SendQueue {
        /// What the socket has, in messages.
        holds: i32,
        /// What the server is to announce, in messages.
        window: u16,
    },
    /// The system refused a resource.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// libzmq refused a call.
    #[error("libzmq: cannot {what}")]
    Zmq {
        /// What was tried.
        what: &'static str,
        /// What libzmq says.
        source: zmq::Error,
    },
}

fn require_curve_in(curve: bool, version: (i32, i32, i32)) -> Result<(), TransportError> {
    if curve && version >= LIBZMQ_MIN { Ok(()) } else { Err(TransportError::NoCurve { curve, version }) }
}

/// Names what failed beside libzmq's own words.
fn cannot(what: &'static str) -> impl FnOnce(zmq::Error) -> TransportError {
    move |source| TransportError::Zmq { what, source }
}

/// A socket with the options that both sides share; all must be set before it is bound or connected.
fn open(context: &Context, kind: zmq::SocketType, bounds: &Bounds) -> Result<zmq::Socket, TransportError> {
    let socket = context.socket(kind).map_err(cannot("open a socket"))?;
    let frame_max = i64::try_from(bounds.frame_max()).unwrap_or(i64::MAX);
    let queue_max = i32::try_from(bounds.queue_max()).unwrap_or(i32::MAX);
    // TCP buffers stay as the system tunes them.
    socket
        .set_maxmsgsize(frame_max)
        .and_then(|()| socket.set_rcvhwm(queue_max))
        .and_then(|()| socket.set_sndhwm(queue_max))
        .and_then(|()| socket.set_handshake_ivl(HANDSHAKE_MS))
        .and_then(|()| socket.set_heartbeat_ivl(HEARTBEAT_INTERVAL_MS))
        .and_then(|()| socket.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS))
        .map_err(cannot("set a socket option"))?;
    Ok(socket)
}

/// Whether libzmq needs its IPv6 option for an address; with it IPv4 addresses would be shown as mapped ones.
fn is_ipv6(address: &str) -> bool {
    address.starts_with("tcp://[") || address.starts_with("tcp://*")
}

/// Rounds up, so that a wait for a deadline does not end just before it.
fn poll_ms(wait: Duration) -> i64 {
    i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_libzmq_has_curve() {
        assert!(require_curve().is_ok());
    }

    #[test]
    fn a_libzmq_without_curve_is_refused() {
        assert!(matches!(
            require_curve_in(false, (4, 3, 5)),
            Err(TransportError::NoCurve { curve: false, version: (4, 3, 5) })
        ));
    }

    #[test]
    fn an_older_libzmq_is_refused() {
        assert!(require_curve_in(true, (4, 3, 4)).is_err());
    }

    #[test]
    fn a_payload_a_little_too_large_fits_the_frame_limit() {
        let bounds = Bounds { window: 1, chunk: 65_536, header: 65_536 };
        assert!(bounds.frame_max() >= 65_536 + 1_024 + 33);
    }

    #[test]
    fn a_descriptor_limit_is_at_most_the_hard_limit() {
        let before = getrlimit(Resource::Nofile);
        let raised = set_descriptor_limit(u64::MAX).expect("the soft limit may be raised to the hard limit");
        assert_eq!(Some(raised), before.maximum.or(Some(u64::MAX)));
        assert_eq!(getrlimit(Resource::Nofile).maximum, before.maximum);
    }

    #[test]
    fn waits_are_rounded_up_to_milliseconds() {
        assert_eq!(poll_ms(Duration::from_nanos(1)), 1);
        assert_eq!(poll_ms(Duration::from_millis(7)), 7);
    }
}
