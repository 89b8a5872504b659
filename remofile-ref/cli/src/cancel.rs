//! Signals: the first one cancels what the client does, the second one ends the process.

use super::exit_code::{INTERRUPTED, TERMINATED};
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

/// The time that a command has to end by itself after the first signal; what it waits for may never happen.
const GRACE: Duration = Duration::from_millis(900);

/// Signals within this time count as one: `timeout` sends one to the command and one to its process group.
const ECHO: Duration = Duration::from_millis(100);

/// Runs before a second signal ends the process.
static EXIT_HOOK: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

static CANCEL: OnceLock<Cancel> = OnceLock::new();
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// The cancel flag of every client of this process; SIGINT and SIGTERM set it.
pub(crate) fn cancel() -> Cancel {
    CANCEL.get_or_init(Cancel::new).clone()
}

/// The exit code of the signal that arrived, if any: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn signalled() -> Option<u8> {
    match SIGNAL.get()?.load(Ordering::Relaxed) {
        0 => None,
        code => u8::try_from(code).ok(),
    }
}

/// Runs `hook` before a signal ends a command that does not end by itself.
pub(crate) fn on_exit(hook: impl FnOnce() + Send + 'static) {
    *EXIT_HOOK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
}

/// Installs handlers for SIGINT and SIGTERM. The first signal sets [`cancel`]; a second one, or 900 ms without an end of
/// the command, ends the process. Not for commands that serve.
pub(crate) fn handle_signals() -> io::Result<()> {
    let arrived = SIGNAL.get_or_init(Arc::default);
    let (wake, mut woken) = UnixStream::pair().map(|(wake, woken)| (OwnedFd::from(wake), woken))?;
    for (signal, code) in [(SIGINT, INTERRUPTED), (SIGTERM, TERMINATED)] {
        // In this order: a thread that sees the flag finds the code, and the one that wakes finds both.
        flag::register_usize(signal, Arc::clone(arrived), code.into())?;
        flag::register(signal, cancel().flag())?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if matches!(woken.read(&mut [0]), Ok(1)) {
            await_second_signal(&mut woken);
            if let Some(hook) = EXIT_HOOK.lock().ok().and_then(|mut words| words.take()) {
                hook();
            }
            low_level::exit(signalled().unwrap_or(INTERRUPTED).into());
        }
    })?;
    Ok(())
}

/// Waits for another signal, or for the end of the grace period.
fn await_second_signal(woken: &mut UnixStream) {
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
