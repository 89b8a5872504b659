//! The `remofile` command: from the command line to the library and back to an exit code.

mod args;
mod cancel;
mod commands;
mod connection;
mod directories;
mod exit_code;
mod failure;
#[cfg(test)]
mod help_tests;
mod item_counter;
mod options;
mod pattern;
mod remote_path;
mod render;
mod serve;
mod system_error;
mod units;

use self::{
    args::{Cli, ParseFailure},
    failure::Failure,
    render::{escaped, log_to_stderr, print_error, print_hint, print_message, set_quiet},
};
use std::{env, io, process::ExitCode};

/// Runs the command line of this process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let mut cli = match Cli::read(env::args_os()) {
        Ok(cli) => cli,
        Err(ParseFailure::Clap(error)) => return ExitCode::from(print_parse_error(&error)),
        Err(ParseFailure::Options(failure)) => return exit_code(Err(failure)),
    };
    let messages = cli.messages();
    messages.set_color();
    set_quiet(messages.quiet);
    if !cli.has_own_log() {
        log_to_stderr(messages.quiet, messages.verbose);
    }
    let curve = remofile::transport::require_curve();
    exit_code(curve.map_err(|error| Failure::caused("cannot start", error)).and_then(|()| cli.run()))
}

fn exit_code(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that needs no more, such as `head`, is no error.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Reported(code)) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints an error of the command line in the form of other errors; help and version succeed.
fn print_parse_error(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A closed standard output is not a failure.
        let _ = error.print();
        return 0;
    }
    let text = error.render().to_string();
    for line in text.trim_end().lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("error: "), line.strip_prefix("  tip: ")) {
            (Some(text), _) => print_error(text),
            (_, Some(hint)) => print_hint(hint),
            _ => print_message(escaped(line)),
        }
    }
    exit_code::USAGE
}
