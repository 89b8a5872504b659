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
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a command may take to end by itself after the first signal; what it waits for may never come.
const GRACE: Duration = Duration::from_millis(900);

/// Signals this close are one: `timeout` sends its own to the command and to the group that it is in.
const ECHO: Duration = Duration::from_millis(100);

static REPORTER: Mutex<Reporter> = Mutex::new(Reporter::Nothing);

static CANCEL: OnceLock<Cancel> = OnceLock::new();
static SIGNAL: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// What reports the end of a command that a signal ends.
#[derive(Default)]
enum Reporter {
    /// There is nothing to report.
    #[default]
    Nothing,
    /// The command has not ended by itself yet: this reports it.
    Callback(Box<dyn FnOnce() + Send>),
    /// The command has ended by itself and is about to report it.
    Command,
}

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

/// Calls `report` where a signal ends a command that does not end by itself.
pub(crate) fn on_exit(report: impl FnOnce() + Send + 'static) {
    *reporter() = Reporter::Callback(Box::new(report));
}

/// Drops the callback of [`on_exit`]: the command has ended by itself and reports it. Another signal leaves it time for that.
pub(crate) fn command_reports() {
    *reporter() = Reporter::Command;
}

fn reporter() -> MutexGuard<'static, Reporter> {
    REPORTER.lock().unwrap_or_else(PoisonError::into_inner)
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
            // Locked until the process ends, so that one of the two reports and not both.
            let mut reporter = reporter();
            match std::mem::take(&mut *reporter) {
                Reporter::Nothing => {}
                Reporter::Callback(report) => report(),
                Reporter::Command => {
                    drop(reporter);
                    thread::sleep(GRACE);
                }
            }
            low_level::exit(signalled().unwrap_or(exit::INTERRUPTED).into());
        }
    })?;
    Ok(())
}

/// Waits for another signal, or for the end of the grace.
fn await_impatience(woken: &mut UnixStream) {
    // A busy machine may run this thread late: whatever has come when the time of the echo is over counts as one with it.
    thread::sleep(ECHO);
    if woken.set_nonblocking(true).is_err() {
        return;
    }
    while matches!(woken.read(&mut [0; 16]), Ok(1..)) {}
    if woken.set_nonblocking(false).is_err() {
        return;
    }
    let deadline = Instant::now() + GRACE.saturating_sub(ECHO);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || woken.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match woken.read(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            _ => return,
        }
    }
}
