//! The `conformance` command: so far `decode`, which explains a message.

mod curve;
mod decode;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Checks implementations of the Remofile protocol.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Explain a message: classify it, print it in diagnostic notation, say what is wrong with it
    #[command(
        after_help = "Example:\n  conformance decode 8564726d6631505e5510000000000000000000000000a1006470696e67a0"
    )]
    Decode {
        /// The frames behind the empty delimiter, each in hexadecimal; "" is an empty frame
        #[arg(required = true, value_name = "FRAME")]
        frames: Vec<String>,
    },
}

/// The message was understood.
const FINE: u8 = 0;
/// The message is not one that a peer may send.
const NOT_CONFORMANT: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;
/// The suite itself cannot work.
const OWN_FAULT: u8 = 5;

fn main() -> ExitCode {
    if let Err(error) = curve::require() {
        eprintln!("conformance: error: {error}");
        return ExitCode::from(OWN_FAULT);
    }
    let Command::Decode { frames } = Cli::parse().command;
    let frames: Vec<Vec<u8>> = match frames.iter().map(|text| decode::hex(text)).collect() {
        Ok(frames) => frames,
        Err(error) => {
            eprintln!("conformance: error: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let explained = decode::explain(&frames);
    println!("{}", explained.text);
    ExitCode::from(if explained.conformant { FINE } else { NOT_CONFORMANT })
}
