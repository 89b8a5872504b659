//! Socket monitors: the events of a socket's connections.

use super::frames::{self, ReceiveOutcome};
use super::{Context, Message, TransportError, cannot};
use std::sync::atomic::{AtomicU64, Ordering};
use zmq::{PAIR, Socket, SocketEvent};

/// Makes endpoint names that are unique in every context.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// Opens a socket that receives these events of `socket`. To be called before `socket` is bound or connected.
///
/// It must outlive `socket` or be [`stop`]d before it is closed: libzmq's I/O thread waits until its events are read.
pub(super) fn watch(context: &Context, socket: &Socket, events: &[SocketEvent]) -> Result<Socket, TransportError> {
    let mask = events.iter().fold(0, |mask, event| mask | i32::from(event.to_raw()));
    let endpoint = unique_endpoint();
    socket.monitor(&endpoint, mask).map_err(cannot("monitor a socket"))?;
    let reader = context.socket(PAIR).map_err(cannot("open a monitor socket"))?;
    // No limit: at a limit the I/O thread would wait for the reader, and with it every connection of the context.
    reader
        .set_linger(0)
        .and_then(|()| reader.set_rcvhwm(0))
        .and_then(|()| reader.connect(&endpoint))
        .map_err(cannot("read a monitor"))?;
    Ok(reader)
}

/// Ends the events of `socket`, so that the reader may be closed.
///
/// Crate zmq cannot pass the null that would end a monitor; one that reports nothing takes its place.
pub(super) fn stop(socket: &Socket) {
    if let Err(error) = socket.monitor(&unique_endpoint(), 0) {
        tracing::debug!(%error, "cannot stop a socket monitor");
    }
}

/// The descriptor of the listening socket, if libzmq reports it within a second.
pub(super) fn listener_of(reader: &Socket) -> Result<Option<u32>, TransportError> {
    while reader.poll(zmq::POLLIN, 1_000).map_err(cannot("wait for the monitor"))? > 0 {
        let ReceiveOutcome::Message(event) = frames::receive(reader).map_err(cannot("read the monitor"))? else {
            break;
        };
        if is_listening(&event) {
            return Ok(event_of(&event).map(|(_, listener)| listener));
        }
    }
    Ok(None)
}

/// Whether an event reports that a socket listens.
pub(super) fn is_listening(event: &[Message]) -> bool {
    event_of(event).is_some_and(|(number, _)| number == SocketEvent::LISTENING.to_raw())
}

/// The number of an event and its value; `None` for what is no event.
pub(super) fn event_of(message: &[Message]) -> Option<(u16, u32)> {
    let (event, value) = message.first()?.split_first_chunk::<2>()?;
    Some((u16::from_ne_bytes(*event), u32::from_ne_bytes(value.try_into().ok()?)))
}

fn unique_endpoint() -> String {
    format!("inproc://remofile-monitor-{}", NAMES.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_number_and_a_value() {
        let mut frame = 0x4000_u16.to_ne_bytes().to_vec();
        frame.extend(400_u32.to_ne_bytes());
        assert_eq!(event_of(&[Message::from(frame), Message::new()]), Some((0x4000, 400)));
    }

    #[test]
    fn anything_else_is_no_event() {
        assert_eq!(event_of(&[]), None);
        for length in [0, 1, 2, 5, 7] {
            assert_eq!(event_of(&[Message::from(vec![0; length])]), None, "{length} bytes");
        }
    }
}
