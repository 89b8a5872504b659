//! The command line.

use crate::{case::Level, exit, sabotage::Sabotage};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::TypedValueParser as _};
use std::path::PathBuf;

/// Checks servers of the Remofile protocol, and explains what it checks.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = exit::CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// No colours, on a terminal either; so does NO_COLOR
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_color: bool,
    /// For `selftest` alone, which has to notice
    #[arg(long, global = true, hide = true)]
    pub(crate) sabotage: Option<Sabotage>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the cases against a server
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// List the cases, or what checks each requirement
    List(List),
    /// Explain a case or a requirement: its words, what is sent, what passes
    #[command(after_help = "Example:\n  conformance explain SEQ-3")]
    Explain {
        /// The id of a case or of a requirement
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Find out, step by step, why a server cannot be reached
    Doctor(Doctor),
    /// Run again what `run --save-failures` wrote down
    Replay(Replay),
    /// Explain a message: classify it, print it in diagnostic notation, say what is wrong with it
    #[command(
        after_help = "Example:\n  conformance decode 8564726d6631505e5510000000000000000000000000a1006470696e67a0"
    )]
    Decode {
        /// The frames behind the empty delimiter, each in hexadecimal; "" is an empty frame
        #[arg(required = true, value_name = "FRAME")]
        frames: Vec<String>,
    },
    /// Check the files of test vectors with the suite's own reader
    Vectors {
        /// The directory, such as spec/vectors
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Measure the suite: against servers with one mutation each, sound servers, and itself
    #[command(name = "selftest", after_help = SELFTEST_EXAMPLES)]
    SelfTest(SelfTest),
    /// Run the server that `selftest` uses: `[OPTIONS] DIR PORT TOKEN`
    #[command(disable_help_flag = true)]
    MutationServer {
        /// --mutation NAME, --variant NAME, --list-mutations, --list-variants and others, then DIR PORT TOKEN
        #[arg(value_name = "WORDS", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

const SELFTEST_EXAMPLES: &str = "\
Examples:
  conformance selftest
  conformance selftest --mutation 'append-*'
  conformance selftest --full --tables conformance --write
  conformance selftest --output kills.html --output kills.json

Exit codes:
  0  the suite is as good as it says
  1  it is not: a figure fell, a fault lives, a sound server fails, a table is stale
  2  usage
  4  interrupted, or nothing fits a pattern
  5  the suite failed, or the run is void";

const RUN_EXAMPLES: &str = "\
A PATTERN is the id of a case or of a requirement, with * and ? (append-*, SEQ-3, SEQ-*), a
section (7, 7.1, section:7.1), or what a case needs (needs:spawn, needs:root, needs:read-only).

Examples:
  conformance run localhost:6768
  conformance run localhost:6768 SEQ-* section:12 --level must
  conformance run localhost:6768 --output report.html --output report.xml
  conformance run --spawn 'my-server {root} {port} {token}'

Exit codes:
  0  conformant
  1  not conformant
  2  usage
  3  unreachable, not Remofile, or busy
  4  nothing selected, or a case that should have run did not
  5  the suite's own fault
  6  token or key refused";

/// Who the server is, and what opens it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server")]
pub(crate) struct Access {
    /// A file with the token, in place of REMOFILE_TOKEN
    #[arg(long, value_name = "FILE", env = "REMOFILE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The server's own public key where it does not come from the token: 40 characters of Z85, or @FILE
    #[arg(long, value_name = "KEY", env = "REMOFILE_PUBLIC_KEY", hide_env_values = true)]
    pub(crate) server_key: Option<String>,
    /// The server does without CURVE
    #[arg(long, conflicts_with = "server_key")]
    pub(crate) insecure: bool,
    /// Seconds without any answer after which the server counts as silent; thirty round trips at least
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Seconds to wait while somebody else holds the session
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub(crate) wait: u64,
}

/// How the suite may start and stop the server, and look at its files.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Hooks")]
pub(crate) struct Hooks {
    /// Start the server by this command, so that it can be killed: {root}, {port} and {token} are put in
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["restart_cmd", "root"])]
    pub(crate) spawn: Option<String>,
    /// A command that ends the server at once and starts it again
    #[arg(long, value_name = "COMMAND")]
    pub(crate) restart_cmd: Option<String>,
    /// The served directory on this machine
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// `conformance run`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Run {
    /// HOST:PORT of the server (else REMOFILE_SERVER, or --spawn), then what to run; everything without a PATTERN
    #[arg(value_name = "HOST:PORT] [PATTERN")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) hooks: Hooks,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}

/// Which cases, and in which order.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cases")]
pub(crate) struct Choice {
    /// Only what binds this much or more
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// Leave out what fits this pattern
    #[arg(long, value_name = "PATTERN")]
    pub(crate) skip: Vec<String>,
    /// In random order
    #[arg(long)]
    pub(crate) shuffle: bool,
    /// What random choices come from, to repeat a run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run everything so many times; a case that does not come to the same verdict each time fails the run
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,
    /// End the run at the first failure; what was not run by then is missed
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Show what would be run
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What makes a run fail.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Verdict")]
pub(crate) struct Judging {
    /// Warnings fail the run
    #[arg(long)]
    pub(crate) strict: bool,
    /// Known failures, a line each: `case-id: fail — reason`
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
}

/// Where the report goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct Outputs {
    /// The form of the report; several go with as many --output, in their order
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Vec<Format>,
    /// Where to write it; without a --format of its own the name's ending decides (.json, .xml, .tap, .html, .txt)
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Write a file for `conformance replay` for each case that fails
    #[arg(long, value_name = "DIR")]
    pub(crate) save_failures: Option<PathBuf>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Terminal,
    /// One object, by conformance/report.schema.json
    Json,
    /// XML that continuous integration reads
    Junit,
    /// The Test Anything Protocol, version 14
    Tap,
    /// One page with the requirement matrix
    Html,
}

/// `conformance list`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct List {
    /// What to list, as for `run`; everything without one
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Each requirement with what checks it
    #[arg(long)]
    pub(crate) matrix: bool,
    /// Only requirements that a MUST makes and nothing checks; exit code 1 if there are any
    #[arg(long, requires = "matrix")]
    pub(crate) uncovered: bool,
    /// Text or JSON
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "terminal")]
    pub(crate) format: ListFormat,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    #[default]
    Terminal,
    /// One object
    Json,
}

/// `conformance doctor`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Doctor {
    /// Where the server is
    #[arg(value_name = "HOST:PORT", env = "REMOFILE_SERVER")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// `conformance replay`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Replay {
    /// What `--save-failures` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where the server is; else REMOFILE_SERVER, the server of the file, or --spawn
    #[arg(value_name = "HOST:PORT")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
    #[command(flatten)]
    pub(crate) hooks: Hooks,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}

/// `conformance selftest`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SelfTest {
    /// Run every case against every mutation, not only the cases that cite what it breaks
    #[arg(long)]
    pub(crate) full: bool,
    /// Run only mutations that match PATTERN, and sound servers only with --variant
    #[arg(long, value_name = "PATTERN")]
    pub(crate) mutation: Vec<String>,
    /// Run only sound servers that match PATTERN (plain, rep, legal variants), and mutations only with --mutation
    #[arg(long, value_name = "PATTERN")]
    pub(crate) variant: Vec<String>,
    /// Run only the harness mutations: changes of the suite itself, each of which has to be detected
    #[arg(long, conflicts_with_all = ["full", "mutation", "variant"])]
    pub(crate) harness: bool,
    /// With --full, only cases that match PATTERN
    #[arg(long, value_name = "PATTERN", requires = "full")]
    pub(crate) case: Vec<String>,
    /// With --full, only cases that have no line in the kill table
    #[arg(long, requires = "full")]
    pub(crate) without_kill: bool,
    /// Number of runs at the same time; 4 per core by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256).map(usize::from))]
    pub(crate) jobs: Option<usize>,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Time limit of one run in seconds
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) limit: u64,
    /// Directory of kill-table.txt and score.json, in place of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(crate) tables: Option<PathBuf>,
    /// Update kill-table.txt and score.json
    #[arg(long, requires = "tables")]
    pub(crate) write: bool,
    /// Write the results to FILE: .json (selftest.schema.json) or .html
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
}

impl Cli {
    /// The arguments of this process; ends it where they make no sense.
    pub(crate) fn read() -> Self {
        Self::parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
