//! The subcommands, and what they share: output, colours, errors.

mod access;
pub(crate) mod args;
mod decode;
mod doctor;
mod explain;
mod list;
mod mutation_server;
mod outputs;
mod replay;
mod run;
mod selftest;
mod setup;
mod vectors;

use crate::{
    command::args::{Cli, Command},
    exit::{Exit, Failure},
    report::visible,
    wire::curve,
};
use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
};

/// Runs the command and returns its exit code.
pub(crate) fn perform(cli: Cli) -> Exit {
    match attempt(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            print_failure(&failure);
            failure.exit
        }
    }
}

fn attempt(cli: Cli) -> Result<Exit, Failure> {
    curve::require().map_err(|error| Failure::new(Exit::OwnFault, error))?;
    let colours = Colours { wanted: !cli.no_color };
    #[cfg(feature = "harness-mutations")]
    if let Some(mutation) = cli.harness_mutation {
        // Only a self-test may use the results of this run.
        let what = format!("harness mutation {}: the results of this run mean nothing", mutation.name());
        print_failure(&Failure::new(Exit::OwnFault, what));
        crate::mutation::activate(mutation);
    }
    match cli.command {
        Command::Run(arguments) => run::run(&arguments, colours),
        Command::List(arguments) => list::list(&arguments),
        Command::Explain { id } => explain::explain(&id),
        Command::Doctor(arguments) => doctor::doctor(&arguments, colours),
        Command::Replay(arguments) => replay::replay(&arguments, colours),
        Command::Decode { frames } => decode::decode(&frames),
        Command::Vectors { directory } => vectors::vectors(&directory),
        Command::SelfTest(arguments) => selftest::selftest(&arguments, colours),
        Command::MutationServer { words } => Ok(mutation_server::serve(&words)),
    }
}

/// Whether a stream gets colours.
#[derive(Clone, Copy, Debug)]
struct Colours {
    wanted: bool,
}

impl Colours {
    fn on(self, stream: &impl IsTerminal) -> bool {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        self.wanted && !set("NO_COLOR") && !dumb && stream.is_terminal()
    }
}

/// Writes to standard output; a closed pipe is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::OwnFault, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a failure on standard error.
fn print_failure(failure: &Failure) {
    let mut text = format!("conformance: error: {}\n", visible(&failure.what));
    if !failure.hint.is_empty() {
        text += &format!("  hint: {}\n", visible(&failure.hint));
    }
    // A closed standard error is not a failure.
    let _ = io::stderr().write_all(text.as_bytes());
}
