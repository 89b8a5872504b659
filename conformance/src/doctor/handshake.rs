//! The ZMTP handshake, from the events of libzmq's monitor.

use crate::wire::connection::{Connection, ServerTarget, SocketKind};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use zmq::{Context, Error, POLLIN, SocketEvent, SocketType};

/// Failures without a reason after which a handshake counts as refused; a single one may be a cut [CURVE-7].
const FAILURES: u32 = 3;

/// The result of a handshake.
pub(super) enum DoctorHandshake {
    Done(Connection),
    /// With a ZAP status.
    Refused(u32),
    /// Repeatedly without a reason.
    Broken,
    /// By a violation of the protocol.
    Protocol,
    /// Not finished in time.
    Silent,
}

/// Connects and waits for the end of the handshake.
pub(super) fn attempt(context: &Context, target: &ServerTarget, timeout: Duration) -> Result<DoctorHandshake, Error> {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    let name = format!("inproc://conformance-monitor-{}", NAMES.fetch_add(1, Ordering::Relaxed));
    let events = context.socket(SocketType::PAIR)?;
    events.set_linger(0)?;
    // With a limit, libzmq's thread would block until the events are read.
    events.set_rcvhwm(0)?;
    let wanted = [
        SocketEvent::HANDSHAKE_SUCCEEDED,
        SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
        SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
        SocketEvent::HANDSHAKE_FAILED_AUTH,
    ];
    let mask = wanted.iter().fold(0, |mask, event| mask | i32::from(event.to_raw()));
    let credentials = target.credentials();
    let connection =
        Connection::open_configured(context, &target.endpoint, credentials.as_ref(), SocketKind::Dealer, |socket| {
            socket.monitor(&name, mask)?;
            events.connect(&name)
        })?;
    let outcome = watch(&events, Instant::now() + timeout);
    // Before the reader is dropped, because an unread monitor blocks libzmq's thread.
    connection.socket().monitor(&format!("{name}-ended"), 0)?;
    Ok(match outcome? {
        Watched::Succeeded => DoctorHandshake::Done(connection),
        Watched::Ended(handshake) => handshake,
    })
}

enum Watched {
    Succeeded,
    Ended(DoctorHandshake),
}

fn watch(events: &zmq::Socket, deadline: Instant) -> Result<Watched, Error> {
    let mut failures = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Watched::Ended(if failures > 0 { DoctorHandshake::Broken } else { DoctorHandshake::Silent }));
        }
        let wait = i64::try_from(left.as_millis()).unwrap_or(i64::MAX - 1) + 1;
        match events.poll(POLLIN, wait) {
            Ok(0) | Err(Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let message = events.recv_multipart(0)?;
        let Some((event, value)) = event_of(&message) else { continue };
        if event == SocketEvent::HANDSHAKE_SUCCEEDED.to_raw() {
            return Ok(Watched::Succeeded);
        } else if event == SocketEvent::HANDSHAKE_FAILED_AUTH.to_raw() {
            return Ok(Watched::Ended(DoctorHandshake::Refused(value)));
        } else if event == SocketEvent::HANDSHAKE_FAILED_PROTOCOL.to_raw() {
            return Ok(Watched::Ended(DoctorHandshake::Protocol));
        }
        failures += 1;
        if failures == FAILURES {
            return Ok(Watched::Ended(DoctorHandshake::Broken));
        }
    }
}

/// The number of an event and its value.
fn event_of(message: &[Vec<u8>]) -> Option<(u16, u32)> {
    let (event, value) = message.first()?.split_first_chunk::<2>()?;
    Some((u16::from_ne_bytes(*event), u32::from_ne_bytes(value.try_into().ok()?)))
}
