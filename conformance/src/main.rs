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
mod probe;
mod reply;
mod request;
mod runner;
mod server;
mod stop;
mod trial;
mod verdict;
mod zmtp;

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
        #[arg(value_name = "HOST:PORT", required_unless_present = "spawn", conflicts_with = "spawn")]
        server: Option<String>,
        /// The token
        #[arg(env = "REMOFILE_TOKEN", hide_env_values = true, long)]
        token: String,
        /// Start the server by this command of sh, in which {root}, {port} and {token} are put in, quoted
        #[arg(long, value_name = "COMMAND")]
        spawn: Option<String>,
        /// Start the server again by this command of sh, which returns once the old one is gone
        #[arg(long, value_name = "COMMAND", conflicts_with = "spawn")]
        restart_cmd: Option<String>,
        /// The directory that the server serves, where this machine has it
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "spawn")]
        root: Option<std::path::PathBuf>,
        /// Cases with this in their id alone
        #[arg(long)]
        only: Option<String>,
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
        command @ Command::Run { .. } => return run(command),
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

fn run(command: Command) -> ExitCode {
    let Command::Run { server, token, spawn, restart_cmd, root, only } = command else { return ExitCode::from(USAGE) };
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
    let (context, start_within) = (zmq::Context::new(), Duration::from_secs(30));
    let address = server.unwrap_or_default();
    let named = link::Target { endpoint: format!("tcp://{address}"), security: link::Security::Derived, token };
    let life = match (&spawn, &restart_cmd) {
        (Some(line), _) => server::Server::spawn(&context, line, named.token.clone(), named.security, start_within),
        (None, Some(line)) => Ok(server::Server::restartable(&context, line, named.clone(), start_within)),
        (None, None) => Ok(server::Server::Foreign),
    };
    let life = match life {
        Ok(life) => life,
        Err(error) => {
            eprintln!("conformance: error: {error}");
            return ExitCode::from(3);
        }
    };
    let seed = u64::from_le_bytes(environment::random_id()[..8].try_into().expect("eight of sixteen bytes"));
    let environment = Rc::new(environment::Environment {
        context,
        target: RefCell::new(life.target().unwrap_or(named)),
        patience: Cell::new(link::Patience::new(Duration::ZERO, Duration::from_secs(5))),
        root: life.root().or(root),
        server: RefCell::new(life),
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
    let cases: Vec<&case::Case> =
        cases::all().iter().filter(|case| only.as_ref().is_none_or(|only| case.id.contains(only))).collect();
    let report = runner.run(&cases, &|| false, spawn.as_deref().unwrap_or(&address));
    let counts: Vec<String> =
        verdict::Verdict::ALL.iter().map(|verdict| format!("{verdict} {}", report.count(*verdict))).collect();
    println!(
        "{} in {:?}, {} replies, leftovers {:?}",
        counts.join(", "),
        report.took,
        report.replies,
        report.leftovers
    );
    ExitCode::from(FINE)
}
