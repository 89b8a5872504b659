//! The prompt for a token, without echo.

use super::token::parse_token;
use crate::{cancel::cancel, failure::Failure};
use remofile::{client::ClientError, transport::Endpoint};
use remofile_proto::Token;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use zeroize::Zeroizing;

/// The interval of checks for a signal.
const SIGNAL_CHECK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Asks for the token of a server if standard input and standard error are a terminal.
pub(crate) fn ask_token(endpoint: &Endpoint) -> Result<Option<Token>, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut stderr = io::stderr();
    let answer = write!(stderr, "Token for {endpoint}: ").and_then(|()| {
        stderr.flush()?;
        let _silent = EchoOff::begin()?;
        read_line()
    });
    // The terminal did not echo the user's line end either.
    let _ = writeln!(stderr);
    let cannot = |source| Failure::local("read the token from", "standard input", source);
    match answer.map_err(cannot)? {
        Some(line) => parse_token(line.trim()).map(Some),
        None => Err(ClientError::Cancelled.into()),
    }
}

/// Reads a line, unless a signal arrives first.
fn read_line() -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    loop {
        if cancel().is_cancelled() {
            return Ok(None);
        }
        let stdin = io::stdin();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&SIGNAL_CHECK)) {
            Ok(0) | Err(Errno::INTR) => continue,
            result => result?,
        };
        // A read of a terminal returns a line, or a part of a long one.
        let mut bytes = Zeroizing::new([0; 256]);
        let count = stdin.lock().read(&mut *bytes)?;
        line.extend_from_slice(&bytes[..count]);
        if count == 0 || line.ends_with(b"\n") || line.len() > 4096 {
            return Ok(Some(Zeroizing::new(String::from_utf8_lossy(&line).into_owned())));
        }
    }
}

/// The terminal does not echo input until this is dropped.
struct EchoOff(Termios);

impl EchoOff {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
