//! What a message is, in words and in diagnostic notation.

use remofile_proto::{Limits, Message, Operation, Payload, Refusal, Reply, cbor, envelope, limits};

/// A message, explained.
pub(crate) struct Explained {
    /// Text for terminals, without a line end.
    pub(crate) text: String,
    /// Whether a peer may send it.
    pub(crate) conformant: bool,
}

/// Explains the frames after the delimiter.
pub(crate) fn explain(frames: &[Vec<u8>]) -> Explained {
    let mut lines = Vec::new();
    let header = frames.first().map(|frame| cbor::decode(frame));
    match &header {
        Some(Ok(value)) => lines.push(value.to_string()),
        Some(Err(error)) => lines.push(format!("not CBOR of the profile: {error}")),
        None => {}
    }
    lines.extend(frames.iter().skip(1).map(|payload| format!("+ {} bytes of payload", payload.len())));
    let verdict = match envelope::classify(frames, limits::HEADER) {
        Message::Request(request) => {
            // The largest chunk that any server may announce: whether a smaller one is kept to depends on the server.
            let bounds = Limits { chunk: limits::CHUNK_MAX, ..Limits::default() };
            Operation::parse(&request.header, Payload::of_request(&request), &bounds)
                .map(|operation| format!("a request: {}", operation.name()))
                .map_err(|refusal| format!("a request, to be refused: {}", refused(&refusal)))
        }
        Message::Reply => Reply::decode(frames)
            .map(|reply| {
                let code = u8::try_from(reply.code).ok().and_then(|_| remofile_proto::Code::from_number(reply.code));
                format!("a reply: {}", code.map_or_else(|| reply.code.to_string(), |code| code.to_string()))
            })
            .map_err(|error| format!("a broken reply: {error}")),
        Message::WrongVersion => Err("a message of another version, to be answered VERSION".to_owned()),
        Message::BadMessage { error, .. } => Err(format!("to be answered BAD_MESSAGE: {error}")),
        Message::NotOurs => Err("not a Remofile message: not answered".to_owned()),
    };
    let conformant = verdict.is_ok();
    lines.push(verdict.unwrap_or_else(|problem| problem));
    Explained { text: lines.join("\n"), conformant }
}

fn refused(refusal: &Refusal) -> String {
    match &refusal.msg {
        Some(msg) => format!("{} ({msg})", refusal.code),
        None => refusal.code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::cbor::from_hex;

    const PING: &str = "8564726d6631505e5510000000000000000000000000a1006470696e67a0";

    fn explained(frame: &str) -> Explained {
        explain(&[from_hex(frame).unwrap()])
    }

    #[test]
    fn a_request_is_shown_in_diagnostic_notation() {
        let explained = explained(PING);
        assert!(explained.conformant);
        assert_eq!(explained.text, "[\"rmf1\", h'5e5510000000000000000000000000a1', 0, \"ping\", {}]\na request: ping");
    }

    #[test]
    fn a_trailing_byte_is_not_conformant() {
        let explained = explained(&format!("{PING}00"));
        assert!(!explained.conformant);
        assert!(explained.text.contains("BAD_MESSAGE"), "{}", explained.text);
    }

    #[test]
    fn something_else_is_not_answered() {
        assert!(explained("00").text.ends_with("not answered"));
    }
}
