//! ZMTP on a plain TCP stream, for peers that break the rules of ZeroMQ.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

/// The length of a greeting of ZMTP 3.
pub(crate) const GREETING: usize = 64;

/// The signature with which a ZMTP peer begins, as libzmq writes it.
pub(crate) const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f];

/// The most bytes that are read, more than any expected answer.
const MOST: usize = 65_536;

/// Flags of a frame.
pub(crate) const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// What a greeting says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Major and minor.
    pub(crate) version: (u8, u8),
    /// `CURVE`, `NULL`, `PLAIN` or another.
    pub(crate) mechanism: String,
}

/// A TCP connection with one deadline for all steps.
pub(crate) struct Wire {
    stream: TcpStream,
    deadline: Instant,
}

/// How a wait for the peer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It closed the connection.
    Closed,
    /// The deadline passed, and the connection was open.
    Open,
    /// The expected bytes arrived.
    Found,
}

impl Wire {
    /// Connects to `host:port`, trying every address of the host.
    pub(crate) fn connect(address: &str, deadline: Instant) -> io::Result<Self> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self { stream, deadline });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(left(self.deadline)))?;
        self.stream.write_all(bytes)
    }

    /// Sends bytes one by one, each in a segment of its own.
    pub(crate) fn send_bytewise(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| self.send(&[*byte]))
    }

    /// Reads until `length` bytes have arrived, the peer closes, or the time is over.
    pub(crate) fn read_up_to(&mut self, length: usize, until: Instant) -> io::Result<(Vec<u8>, Ending)> {
        self.read_while(until, |bytes| bytes.len() < length)
    }

    /// Reads until the peer closes; returns false at the deadline.
    pub(crate) fn await_close(&mut self) -> io::Result<bool> {
        let until = self.deadline;
        Ok(self.read_while(until, |_| true)?.1 == Ending::Closed)
    }

    /// The bytes received so far, without waiting, and whether the peer has closed the connection.
    pub(crate) fn drain(&mut self) -> io::Result<(Vec<u8>, Ending)> {
        self.stream.set_nonblocking(true)?;
        let mut bytes = Vec::new();
        let ending = loop {
            match self.take(&mut bytes) {
                Ok(true) if bytes.len() <= MOST => {}
                Ok(true) => break Ok(Ending::Open),
                Ok(false) => break Ok(Ending::Closed),
                Err(error) if is_over(&error) => break Ok(Ending::Open),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        Ok((bytes, ending?))
    }

    fn read_while(&mut self, until: Instant, goes_on: impl Fn(&[u8]) -> bool) -> io::Result<(Vec<u8>, Ending)> {
        let mut bytes = Vec::new();
        while goes_on(&bytes) {
            let now = Instant::now();
            if now >= until || bytes.len() > MOST {
                return Ok((bytes, Ending::Open));
            }
            self.stream.set_read_timeout(Some(until - now))?;
            match self.take(&mut bytes) {
                Ok(true) => {}
                Ok(false) => return Ok((bytes, Ending::Closed)),
                Err(error) if is_over(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((bytes, Ending::Found))
    }

    /// Reads once; false where the peer has closed the connection.
    fn take(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = [0; 1_024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(length) => {
                bytes.extend(&buffer[..length]);
                Ok(true)
            }
            Err(error) if is_reset(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The greeting of a client of ZMTP 3.1.
pub(crate) fn greeting(mechanism: &str) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([3, 1]);
    bytes.extend(mechanism.bytes());
    bytes.resize(GREETING, 0);
    bytes
}

/// Reads a greeting of ZMTP 3.
pub(crate) fn parse_greeting(bytes: &[u8; GREETING]) -> Greeting {
    let mechanism: Vec<u8> = bytes[12..32].iter().copied().take_while(|byte| *byte != 0).collect();
    Greeting { version: (bytes[10], bytes[11]), mechanism: String::from_utf8_lossy(&mechanism).into_owned() }
}

/// A frame of ZMTP 2 and 3, of a message.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&long_head(flags, body.len() as u64)[..], body].concat(),
    }
}

/// A command of ZMTP 3: name and body.
pub(crate) fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("names of commands are short");
    frame(COMMAND, &[&[length], name.as_bytes(), body].concat())
}

/// The head of a frame that announces so many bytes.
pub(crate) fn long_head(flags: u8, length: u64) -> [u8; 9] {
    let mut head = [flags | LONG, 0, 0, 0, 0, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_be_bytes());
    head
}

/// The head of a command that announces so many bytes.
pub(crate) fn long_command_head(length: u64) -> [u8; 9] {
    long_head(COMMAND, length)
}

fn left(deadline: Instant) -> Duration {
    // Zero would mean no time-out at all.
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn is_over(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        let bytes: [u8; GREETING] = greeting("CURVE").try_into().unwrap();
        let read = parse_greeting(&bytes);
        assert_eq!(read, Greeting { version: (3, 1), mechanism: "CURVE".into() });
    }

    #[test]
    fn frames_of_255_bytes_are_short_and_longer_ones_long() {
        assert_eq!(frame(MORE, &[7; 255])[..2], [1, 255]);
        assert_eq!(frame(0, &[7; 256])[..9], [2, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_command_carries_its_name_before_its_body() {
        assert_eq!(command("READY", b"x"), b"\x04\x07\x05READYx");
    }
}
