//! The `conformance` command: checks any server of the Remofile protocol, and explains itself.

mod access;
mod args;
mod baseline;
mod case;
mod cases;
mod cbor;
mod code;
mod command;
mod curve;
mod decode;
mod doctor;
mod environment;
mod exit;
mod hop;
mod journal;
mod link;
mod lint;
mod malformed;
mod name;
mod peer;
mod probe;
mod redact;
mod relay;
mod reply;
mod report;
mod request;
mod runner;
mod sabotage;
mod select;
mod selftest;
mod server;
mod spec;
mod stop;
mod tap;
mod traceability;
mod trial;
mod vectors;
mod verdict;
mod waivers;
mod zmtp;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::perform(args::Cli::read()).into()
}
