//! Signals: the first one cancels what the client does, the second one ends the process with its last words.

use super::failure::{Failure, exit};
use remofile::client::Cancel;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};
use std::{
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a command may take to end by itself after the first signal; what it waits for may never come.
const GRACE: Duration = Duration::from_millis(900);

/// Signals this close are one: `timeout` sends its own to the command and to the group that it is in.
const ECHO: Duration = Duration::from_millis(100);

/// What is done before a command is ended that does not end by itself.
static LAST_WORDS: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

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

/// Has `last_words` said where a signal ends a command that does not end by itself.
pub(crate) fn on_exit(last_words: impl FnOnce() + Send + 'static) {
    *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(last_words));
}

/// Has SIGINT and SIGTERM set [`cancel`]; a second one, or a command that has not ended within 900 ms, ends the process
/// at once. Not for commands that serve: they have an end of their own.
pub(crate) fn on_signals() -> Result<(), Failure> {
    handle().map_err(|error| Failure::Serve { what: "cannot handle signals".to_owned(), source: Box::new(error) })
}

fn handle() -> io::Result<()> {
    let came = SIGNAL.get_or_init(Arc::default);
    let (wake, mut woken) = UnixStream::pair().map(|(wake, woken)| (OwnedFd::from(wake), woken))?;
    for (signal, code) in [(SIGINT, exit::INTERRUPTED), (SIGTERM, exit::TERMINATED)] {
        // In this order: who sees the flag finds the code, and who is woken finds both.
        flag::register_usize(signal, Arc::clone(came), code.into())?;
        flag::register(signal, cancel().flag())?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if matches!(woken.read(&mut [0]), Ok(1)) {
            await_impatience(&mut woken);
            if let Some(last_words) = LAST_WORDS.lock().ok().and_then(|mut words| words.take()) {
                last_words();
            }
            low_level::exit(signalled().unwrap_or(exit::INTERRUPTED).into());
        }
    })?;
    Ok(())
}

/// Waits for another signal, or for the end of the grace.
fn await_impatience(woken: &mut UnixStream) {
    let first = Instant::now();
    loop {
        let left = GRACE.saturating_sub(first.elapsed());
        if left.is_zero() || woken.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match woken.read(&mut [0]) {
            Ok(1) if first.elapsed() >= ECHO => return,
            Ok(1) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            _ => return,
        }
    }
}
