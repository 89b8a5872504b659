//! Multipart messages in and out, bounded and without waiting.

use zmq::{DONTWAIT, Message, SNDMORE, Socket};

/// The most frames of a message that is kept: routing frames of many proxies, delimiter, header and payload.
pub const MAX_FRAMES: usize = 32;

/// The outcome of one receive.
pub(super) enum ReceiveOutcome {
    /// A whole message.
    Message(Vec<Message>),
    /// A message of more than [`MAX_FRAMES`] frames, read off and dropped.
    TooManyFrames,
    /// No message is there.
    Nothing,
}

/// Takes one message without waiting. libzmq shows a message only when all of its frames have come.
pub(super) fn receive(socket: &Socket) -> Result<ReceiveOutcome, zmq::Error> {
    receive_at_most(socket, MAX_FRAMES)
}

/// Like [`receive`], without a limit: for a socket that is shared with the embedding program.
pub(super) fn receive_whole(socket: &Socket) -> Result<ReceiveOutcome, zmq::Error> {
    receive_at_most(socket, usize::MAX)
}

/// Sends one message without waiting; the frames become libzmq's, uncopied.
///
/// `EAGAIN` can only come from the first frame: libzmq takes the rest of a message that it has begun.
pub(super) fn send(socket: &Socket, frames: impl IntoIterator<Item = Message>) -> Result<(), zmq::Error> {
    let mut frames = frames.into_iter().peekable();
    while let Some(frame) = frames.next() {
        let more = if frames.peek().is_some() { SNDMORE } else { 0 };
        socket.send(frame, DONTWAIT | more)?;
    }
    Ok(())
}

fn receive_at_most(socket: &Socket, most: usize) -> Result<ReceiveOutcome, zmq::Error> {
    let mut frame = Message::new();
    match take(socket, &mut frame) {
        Err(zmq::Error::EAGAIN) => return Ok(ReceiveOutcome::Nothing),
        other => other?,
    }
    let mut frames = Vec::with_capacity(4);
    while frame.get_more() {
        if frames.len() + 1 == most {
            return drop_rest(socket, frame);
        }
        let mut next = Message::new();
        take(socket, &mut next)?;
        frames.push(std::mem::replace(&mut frame, next));
    }
    frames.push(frame);
    Ok(ReceiveOutcome::Message(frames))
}

fn take(socket: &Socket, frame: &mut Message) -> Result<(), zmq::Error> {
    loop {
        match socket.recv(frame, DONTWAIT) {
            Err(zmq::Error::EINTR) => {}
            other => return other,
        }
    }
}

fn drop_rest(socket: &Socket, mut frame: Message) -> Result<ReceiveOutcome, zmq::Error> {
    while frame.get_more() {
        take(socket, &mut frame)?;
    }
    Ok(ReceiveOutcome::TooManyFrames)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pair() -> (Socket, Socket) {
        let context = zmq::Context::new();
        let ends = (context.socket(zmq::PAIR).unwrap(), context.socket(zmq::PAIR).unwrap());
        ends.0.bind("inproc://frames").unwrap();
        ends.1.connect("inproc://frames").unwrap();
        ends
    }

    fn message(frames: usize) -> Vec<Message> {
        (0..frames).map(|index| Message::from(vec![0; index])).collect()
    }

    #[test]
    fn frames_arrive_in_order() {
        let (left, right) = pair();
        send(&left, message(3)).unwrap();
        let ReceiveOutcome::Message(frames) = receive(&right).unwrap() else { panic!("no message") };
        assert_eq!(frames.iter().map(|frame| frame.len()).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn an_empty_queue_is_no_error() {
        assert!(matches!(receive(&pair().1).unwrap(), ReceiveOutcome::Nothing));
    }

    #[test]
    fn the_most_frames_are_kept() {
        let (left, right) = pair();
        send(&left, message(MAX_FRAMES)).unwrap();
        assert!(matches!(receive(&right).unwrap(), ReceiveOutcome::Message(frames) if frames.len() == MAX_FRAMES));
    }

    #[test]
    fn a_message_on_a_shared_socket_is_whole() {
        let (left, right) = pair();
        send(&left, message(MAX_FRAMES + 1)).unwrap();
        assert!(
            matches!(receive_whole(&right).unwrap(), ReceiveOutcome::Message(frames) if frames.len() == MAX_FRAMES + 1)
        );
    }

    #[test]
    fn more_frames_are_dropped_and_the_next_message_is_whole() {
        let (left, right) = pair();
        send(&left, message(MAX_FRAMES + 1)).unwrap();
        send(&left, message(2)).unwrap();
        assert!(matches!(receive(&right).unwrap(), ReceiveOutcome::TooManyFrames));
        assert!(matches!(receive(&right).unwrap(), ReceiveOutcome::Message(frames) if frames.len() == 2));
    }
}
