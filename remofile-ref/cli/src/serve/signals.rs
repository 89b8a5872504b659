//! Signals to a server: SIGTERM and SIGINT stop it, a second one ends the process; SIGHUP opens the log file anew.

use super::logging::LogFile;
use remofile::server::StopHandle;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag, low_level,
};
use std::{
    fs,
    io::{self, Read as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

/// Has signals do what they are to do. Without a log file SIGHUP, by which a terminal that closes says goodbye, stops
/// the server as well, unless it is ignored already, as `nohup` has it.
pub(super) fn stop_by_signal(stop: &StopHandle, log: Option<&LogFile>) -> io::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        let came = Arc::new(AtomicBool::new(false));
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&came))?;
        flag::register(signal, came)?;
        low_level::pipe::register(signal, stop.as_fd().try_clone_to_owned()?)?;
    }
    match log {
        Some(log) => reopen_by_signal(log.clone()),
        None if is_ignored(SIGHUP) => Ok(()),
        None => low_level::pipe::register(SIGHUP, stop.as_fd().try_clone_to_owned()?).map(drop),
    }
}

fn reopen_by_signal(log: LogFile) -> io::Result<()> {
    let (mut woken, wake) = UnixStream::pair()?;
    low_level::pipe::register(SIGHUP, wake)?;
    let work = move || {
        let mut byte = [0; 1];
        while woken.read_exact(&mut byte).is_ok() {
            match log.reopen() {
                Ok(()) => tracing::info!("the log file was opened anew"),
                Err(error) => tracing::error!(%error, "the log file could not be opened anew"),
            }
        }
    };
    thread::Builder::new().name("log".to_owned()).spawn(work).map(drop)
}

/// Whether a signal was ignored when this process began.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
