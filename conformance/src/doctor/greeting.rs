//! The first bytes of a connection: whether the peer speaks ZeroMQ, or which other protocol.

use crate::{
    exit::{Exit, Failure},
    wire::zmtp::{self, GREETING, Greeting},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How long to wait before sending a line of text to a silent peer.
const SILENCE: Duration = Duration::from_secs(1);

/// Exchanges greetings.
pub(super) fn exchange(mut stream: TcpStream, timeout: Duration) -> Result<Greeting, Failure> {
    // Only signature and version: a peer of another mechanism would close the connection before it sends its own.
    let mut own = [0; 12];
    own[0] = 0xff;
    own[9] = 0x7f;
    own[10] = 3;
    // A peer that has closed the connection is detected when reading.
    let _ = stream.write_all(&own);
    let mut said = Vec::new();
    let ended = listen(&mut stream, &mut said, timeout);
    if said.is_empty() && !ended {
        // A server of a line protocol, such as HTTP, waits for the end of the first line.
        let _ = stream.write_all(b"\r\n\r\n");
        listen(&mut stream, &mut said, timeout.min(SILENCE));
    }
    understand(&said, ended)
}

/// Reads until a whole greeting, other bytes, the end of the connection (returns true), or the deadline.
fn listen(stream: &mut TcpStream, said: &mut Vec<u8>, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || said.len() >= GREETING || !may_be_a_greeting(said) && said.len() >= 16 {
            return false;
        }
        let mut bytes = [0; GREETING];
        let read = stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut bytes));
        match read {
            Ok(0) => return true,
            Ok(read) => said.extend_from_slice(&bytes[..read]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(_) => return true,
        }
    }
}

fn may_be_a_greeting(said: &[u8]) -> bool {
    said.first().is_none_or(|first| *first == 0xff) && said.get(9).is_none_or(|tenth| tenth & 1 == 1)
}

fn understand(said: &[u8], ended: bool) -> Result<Greeting, Failure> {
    let failed = |what: String, hint: &str| Err(Failure::new(Exit::Unreachable, what).hint(hint));
    let wrong_port = "a Remofile server speaks ZeroMQ: is this its port?";
    if said.is_empty() {
        return if ended {
            failed("the server closed the connection before a ZeroMQ greeting".into(), wrong_port)
        } else {
            failed(
                "the server accepts the connection but sends no ZeroMQ greeting".into(),
                "the server hangs, or does not speak ZeroMQ",
            )
        };
    }
    if !may_be_a_greeting(said) {
        return failed(format!("this is not ZeroMQ: {}", resembles(said)), wrong_port);
    }
    let Some(greeting) = said.first_chunk::<GREETING>() else {
        if said.get(10).is_some_and(|major| *major < 3) {
            return failed(
                format!("the server speaks ZMTP {}, which has no CURVE", said[10]),
                "it needs ZeroMQ 4 or later",
            );
        }
        return failed(
            format!("the ZeroMQ greeting ends after {} of {GREETING} bytes", said.len()),
            "the server or a proxy died or hangs",
        );
    };
    let greeting = zmtp::parse_greeting(greeting);
    Ok(Greeting { mechanism: greeting.mechanism.escape_debug().to_string(), ..greeting })
}

/// The other protocol that begins like this.
fn resembles(said: &[u8]) -> String {
    let known: [(&[u8], &str); 6] = [
        (b"HTTP/", "it answers in HTTP"),
        (b"<", "it answers in HTML or XML"),
        (b"SSH-", "it is an SSH server"),
        (b"220", "it is an FTP or mail server"),
        (b"\x15\x03", "it speaks TLS"),
        (b"-ERR", "it is a Redis or mail server"),
    ];
    let start = said[..said.len().min(24)].escape_ascii();
    match known.iter().find(|(begin, _)| said.starts_with(begin)) {
        Some((_, what)) => format!("{what} (\"{start}\")"),
        None => format!("it says \"{start}\""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn greeting() -> Vec<u8> {
        zmtp::greeting("CURVE")
    }

    #[test]
    fn a_greeting_is_understood() {
        let understood = understand(&greeting(), false).unwrap();
        assert_eq!(understood, Greeting { version: (3, 1), mechanism: "CURVE".into() });
    }

    #[test]
    fn other_protocols_are_named() {
        for (said, name) in [(&b"HTTP/1.1 400 Bad"[..], "HTTP"), (b"SSH-2.0-x", "SSH"), (b"\x15\x03\x03\0\x02", "TLS")]
        {
            assert!(understand(said, false).unwrap_err().what.contains(name), "{name}");
        }
    }

    #[test]
    fn control_characters_of_the_server_are_escaped() {
        let what = understand(b"\x1b[31mred\x07", false).unwrap_err().what;
        assert!(!what.contains('\x1b') && !what.contains('\x07'), "{what:?}");
    }

    #[test]
    fn silence_an_end_and_half_a_greeting_are_distinguished() {
        let what = |said: &[u8], ended| understand(said, ended).unwrap_err().what;
        assert!(what(&[], true).contains("closed"));
        assert!(what(&[], false).contains("sends no ZeroMQ greeting"));
        assert!(what(&greeting()[..20], true).contains("ends after 20"));
    }
}
