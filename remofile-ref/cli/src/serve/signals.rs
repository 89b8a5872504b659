//! Signals of a server: SIGTERM and SIGINT stop it, a second one ends the process; SIGHUP reopens the log file.

use super::log::LogFile;
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

/// Installs the signal handlers. Without a log file, SIGHUP stops the server when its terminal closes, unless it is
/// ignored, as under `nohup`.
pub(super) fn stop_by_signal(stop: &StopHandle, log: Option<&LogFile>) -> io::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        let arrived = Arc::new(AtomicBool::new(false));
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&arrived))?;
        flag::register(signal, arrived)?;
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
                Ok(()) => tracing::info!("log file reopened"),
                Err(error) => tracing::error!(%error, "cannot reopen the log file"),
            }
        }
    };
    thread::Builder::new().name("log".to_owned()).spawn(work).map(drop)
}

/// Whether a signal was ignored when this process started.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
