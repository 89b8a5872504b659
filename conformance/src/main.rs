//! The `conformance` command: checks any server of the Remofile protocol, and explains itself.

mod case;
mod cases;
mod cbor;
mod code;
mod curve;
mod decode;
mod environment;
mod journal;
mod link;
mod lint;
mod name;
mod peer;
mod reply;
mod request;
mod runner;
mod server;
mod stop;
mod trial;
mod verdict;

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
    /// Run the cases against a server
    Run {
        /// Where the server is
        #[arg(value_name = "HOST:PORT")]
        server: String,
        /// The token
        #[arg(env = "REMOFILE_TOKEN", hide_env_values = true, long)]
        token: String,
    },
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
    let frames = match Cli::parse().command {
        Command::Decode { frames } => frames,
        Command::Run { server, token } => return run(&server, &token),
    };
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

fn run(server: &str, token: &str) -> ExitCode {
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
        time::Duration,
    };
    let token = match token.parse() {
        Ok(token) => token,
        Err(error) => {
            eprintln!("conformance: error: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let target = link::Target { endpoint: format!("tcp://{server}"), security: link::Security::Derived, token };
    let seed = u64::from_le_bytes(environment::random_id()[..8].try_into().expect("eight of sixteen bytes"));
    let environment = Rc::new(environment::Environment {
        context: zmq::Context::new(),
        target: RefCell::new(target),
        patience: Cell::new(link::Patience::new(Duration::ZERO, Duration::from_secs(5))),
        root: std::env::var_os("CONFORMANCE_ROOT").map(Into::into),
        server: RefCell::new(server::Server::Foreign),
        run_directory: format!("/conformance-{seed:016x}"),
        seed,
        last_session: Cell::new(None),
    });
    let (peer, welcome) = match runner::acquaint(&environment) {
        Ok(acquainted) => acquainted,
        Err(stop) => {
            eprintln!("conformance: error: {}", stop.text());
            return ExitCode::from(3);
        }
    };
    let mut progress = |outcome: &verdict::Outcome| {
        println!("{:14} {} {} {:?}", outcome.verdict, outcome.id, outcome.reason, outcome.took)
    };
    let runner = runner::Runner::new(&environment, peer, welcome, &mut progress);
    let cases: Vec<&case::Case> = cases::all().iter().collect();
    let report = runner.run(&cases, &|| false, server);
    println!("{report:?}");
    ExitCode::from(FINE)
}
