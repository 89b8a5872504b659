//! Messages on standard error.

use super::{
    style::{ERROR, HINT, WARNING},
    text::escaped,
};
use anstream::ColorChoice;
use std::{
    fmt,
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};
use tracing_subscriber::EnvFilter;

/// Whether `--quiet` was given.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Suppresses notes and warnings from now on.
pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Prints `remofile: TEXT`, unless `--quiet` was given. The text is escaped.
pub(crate) fn note(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        print_message(format_args!("remofile: {}", escaped(&text.to_string())));
    }
}

/// Prints `remofile: warning: TEXT`, unless `--quiet` was given. The text is escaped.
pub(crate) fn warn(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        print_message(format_args!("remofile: {WARNING}warning:{WARNING:#} {}", escaped(&text.to_string())));
    }
}

/// Prints `remofile: error: TEXT`. The text is escaped.
pub(crate) fn print_error(text: &str) {
    print_message(error_line(text));
}

/// The line that [`print_error`] prints.
pub(crate) fn error_line(text: &str) -> String {
    format!("remofile: {ERROR}error:{ERROR:#} {}", escaped(text))
}

/// Prints `hint: TEXT`. The text is escaped.
pub(crate) fn print_hint(hint: &str) {
    print_message(format_args!("{HINT}hint:{HINT:#} {}", escaped(hint)));
}

/// Prints a line; its styles are dropped where colors are off. Untrusted names in it have to be [`escaped`].
pub(crate) fn print_message(line: impl fmt::Display) {
    // One write, so that lines of several processes do not mix. A closed standard error is not a failure.
    let _ = anstream::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Sends the log of a client to standard error: REMOFILE_LOG, else the level that `--quiet` and `--verbose` select.
pub(crate) fn log_to_stderr(quiet: bool, verbose: u8) {
    let default = match (quiet, verbose) {
        (true, _) => "error",
        (_, 2..) => "remofile=debug",
        (_, 1) => "remofile=info",
        _ => "remofile=warn",
    };
    let filter = EnvFilter::try_from_env("REMOFILE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let with_colors = anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(with_colors)
        .with_target(false)
        .init();
}
