//! Signals: the first one cancels what the client does, the second one ends the process.

use super::failure::{Failure, exit};
use crate::client::Cancel;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};
use std::{
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a command may take to end by itself after the first signal; what it waits for may never come.
const GRACE: Duration = Duration::from_secs(2);

static CANCEL: OnceLock<Cancel> = OnceLock::new();
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// What every client of this process is given, so that SIGINT and SIGTERM end its calls.
pub(crate) fn cancel() -> Cancel {
    CANCEL.get_or_init(Cancel::new).clone()
}

/// The exit code of the signal that came, if one did: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn signalled() -> Option<u8> {
    match SIGNAL.get()?.load(Ordering::Relaxed) {
        0 => None,
        code => u8::try_from(code).ok(),
    }
}

/// Has SIGINT and SIGTERM set [`cancel`]; a second one, or a command that has not ended within 2 s, ends the process
/// at once. Not for commands that serve: they have an end of their own.
pub(crate) fn on_signals() -> Result<(), Failure> {
    handle().map_err(|error| Failure::Serve { what: "cannot handle signals".to_owned(), source: Box::new(error) })
}

fn handle() -> io::Result<()> {
    let came = SIGNAL.get_or_init(Arc::default);
    let (wake, mut woken) = UnixStream::pair().map(|(wake, woken)| (OwnedFd::from(wake), woken))?;
    for (signal, code) in [(SIGINT, exit::INTERRUPTED), (SIGTERM, exit::TERMINATED)] {
        // In this order: the second signal finds the flag that the first has set, and who sees the flag finds the code.
        flag::register_conditional_shutdown(signal, code.into(), cancel().flag())?;
        flag::register_usize(signal, Arc::clone(came), code.into())?;
        flag::register(signal, cancel().flag())?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut byte = [0];
        if matches!(woken.read(&mut byte), Ok(1)) {
            thread::sleep(GRACE);
            low_level::exit(signalled().unwrap_or(exit::INTERRUPTED).into());
        }
    })?;
    Ok(())
}
