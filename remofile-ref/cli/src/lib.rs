//! The `remofile` command: from the command line to the library and back to an exit code.

mod args;
mod cancel;
mod cat;
mod complete;
mod completion;
mod config;
mod connection;
mod demo;
mod entries;
mod failure;
mod hash;
#[cfg(test)]
mod help;
mod info;
mod keys;
mod list;
mod man;
mod output;
mod partials;
mod pattern;
mod ping;
mod prompt;
mod remote;
mod remove;
mod rename;
mod row;
mod serve;
mod settings;
mod stat;
mod sync;
mod tally;
mod transfer;
mod usage;
mod write;

use self::{
    args::{Cli, Command},
    failure::{Failure, exit},
    output::report,
};
use clap::Parser as _;
use std::{io, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// Runs the command line of this process and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refused(&error)),
    };
    cli.output.apply();
    // A server logs as its own flags have it.
    if !matches!(cli.command, Command::Run(_)) {
        log_to_stderr(&cli);
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough, such as `head`, is no error.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Reported(code)) => ExitCode::from(code),
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints what clap has to say; help and version are asked for, and end well.
fn refused(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A broken pipe concerns nobody here.
        let _ = error.print();
        return 0;
    }
    let text = error.render().to_string();
    for line in text.trim_end().lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("error: "), line.strip_prefix("  tip: ")) {
            (Some(what), _) => output::tell_error(what),
            (_, Some(hint)) => output::tell_hint(hint),
            _ => output::tell(output::escaped(line)),
        }
    }
    exit::USAGE
}

fn run(cli: &Cli) -> Result<(), Failure> {
    remofile::transport::require_curve()
        .map_err(|error| Failure::Serve { what: "cannot start".to_owned(), source: Box::new(error) })?;
    match &cli.command {
        // These end in ways of their own.
        Command::Run(_) | Command::Demo(_) => {}
        _ => cancel::on_signals()?,
    }
    match &cli.command {
        Command::List(args) => list::run(cli, args),
        Command::Upload(args) => transfer::upload(cli, args),
        Command::Download(args) => transfer::download(cli, args),
        Command::Sync(args) => sync::run(cli, args),
        Command::Directory(args) => entries::directory(cli, args),
        Command::File(args) => entries::file(cli, args),
        Command::Remove(args) => remove::run(cli, args),
        Command::Move(args) => rename::rename(cli, args),
        Command::Copy(args) => rename::copy(cli, args),
        Command::Stat(args) => stat::run(cli, args),
        Command::Hash(args) => hash::run(cli, args),
        Command::Du(args) => usage::run(cli, args),
        Command::Cat(args) => cat::run(cli, args),
        Command::Write(args) => write::run(cli, args),
        Command::Partials(args) => partials::run(cli, args),
        Command::Run(args) => serve::run(cli, args),
        Command::Start(args) => serve::start(cli, args),
        Command::Stop(args) => serve::stop(cli, args),
        Command::Demo(args) => demo::run(args),
        Command::Ping(args) => ping::run(cli, args),
        Command::Info(_) => info::run(cli),
        Command::GenerateToken(args) => keys::generate_token(&cli.output, args),
        Command::GenerateKeys(args) => keys::generate_keys(&cli.output, args),
        Command::Completion(args) => completion::run(args),
        Command::Man(args) => man::run(args),
        Command::Complete(args) => complete::run(args),
    }
}

fn log_to_stderr(cli: &Cli) {
    let default = match (cli.output.quiet, cli.output.verbose) {
        (true, _) => "error",
        (_, 2..) => "remofile=debug",
        (_, 1) => "remofile=info",
        _ => "remofile=warn",
    };
    let filter = EnvFilter::try_from_env("REMOFILE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let with_colors = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(with_colors)
        .with_target(false)
        .init();
}
