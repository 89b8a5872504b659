//! The `conformance` command: checks servers of the Remofile protocol.

mod cases;
mod command;
mod doctor;
mod engine;
mod exit;
mod mutation;
mod report;
mod runner;
mod selftest;
mod spec;
mod vectors;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::perform(command::args::Cli::read()).into()
}
