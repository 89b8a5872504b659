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
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The time that a command has to end by itself after the first signal; what it waits for may never happen.
const GRACE: Duration = Duration::from_millis(900);

/// Signals within this time count as one: `timeout` sends one to the command and one to its process group.
const ECHO: Duration = Duration::from_millis(100);

/// What reports the end of a command that a signal ends.
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
            low_level::exit(signalled().unwrap_or(INTERRUPTED).into());
        }
    })?;
    Ok(())
}

/// Waits for another signal, or for the end of the grace period.
fn await_second_signal(woken: &mut UnixStream) {
    // A busy machine may run this thread late: every signal until the end of ECHO counts as one with the first.
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
