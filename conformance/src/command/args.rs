//! The command line.

use crate::{engine::case::Level, exit};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::TypedValueParser as _};
use std::path::PathBuf;

/// Checks servers of the Remofile protocol, and explains what it checks.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = exit::CODES, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print without colours; the variable NO_COLOR does the same
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_color: bool,
    /// Run with a defect of the suite itself, for `selftest`
    #[cfg(feature = "harness-mutations")]
    #[arg(long, global = true, hide = true, value_name = "MUTATION")]
    pub(crate) harness_mutation: Option<crate::mutation::HarnessMutation>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the cases against a server
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// List the cases, or the cases of each requirement
    List(List),
    /// Explain a case or a requirement: its text, what is sent, what passes
    #[command(after_help = "Example:\n  conformance explain SEQ-3")]
    Explain {
        /// The id of a case or of a requirement
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Find out step by step why a server cannot be reached
    Doctor(Doctor),
    /// Repeat a failure that `run --save-failures` saved
    Replay(Replay),
    /// Explain a message: classify it, print it in diagnostic notation, say what is wrong with it
    #[command(
        after_help = "Example:\n  conformance decode 8564726d6631505e5510000000000000000000000000a1006470696e67a0"
    )]
    Decode {
        /// The frames after the empty delimiter, each in hexadecimal; "" is an empty frame
        #[arg(required = true, value_name = "FRAME")]
        frames: Vec<String>,
    },
    /// Check files of test vectors with the suite's own decoder
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
  4  nothing selected, or a selected case did not run
  5  error in the suite itself
  6  token or key refused";

/// The server's address and credentials.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Server")]
pub(crate) struct Access {
    /// Read the token from FILE instead of REMOFILE_TOKEN
    #[arg(long, value_name = "FILE", env = "REMOFILE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Public key of a server whose key pair is not derived from the token: 40 characters of Z85, or @FILE
    #[arg(long, value_name = "KEY", env = "REMOFILE_PUBLIC_KEY", hide_env_values = true)]
    pub(crate) server_key: Option<String>,
    /// Connect to a server without CURVE
    #[arg(long, conflicts_with = "server_key")]
    pub(crate) insecure: bool,
    /// Time without a reply after which a server counts as silent; at least thirty round trips
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Time to wait while another client holds the session
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub(crate) wait: u64,
}

/// How the suite may start and stop the server and read its files.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Hooks")]
pub(crate) struct Hooks {
    /// Start the server with this shell command, so that it can be killed; {root}, {port} and {token} are replaced
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["restart_cmd", "root"])]
    pub(crate) spawn: Option<String>,
    /// Command that kills the server and starts it again
    #[arg(long, value_name = "COMMAND")]
    pub(crate) restart_cmd: Option<String>,
    /// Served directory on this machine
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

/// `conformance run`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Run {
    /// HOST:PORT of the server (default: REMOFILE_SERVER or --spawn), then patterns of cases (default: all)
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

/// Selection and order of the cases.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cases")]
pub(crate) struct Choice {
    /// Run only cases of this level or above
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// Skip cases that match PATTERN
    #[arg(long, value_name = "PATTERN")]
    pub(crate) skip: Vec<String>,
    /// Run the cases in random order
    #[arg(long)]
    pub(crate) shuffle: bool,
    /// Seed of random choices, to repeat a run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run each case N times; a case whose verdict differs between runs fails
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,
    /// End the run at the first failure; the other cases count as missed
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Print the selected cases without running them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Conditions for a failed run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Verdict")]
pub(crate) struct Judging {
    /// Fail the run on warnings
    #[arg(long)]
    pub(crate) strict: bool,
    /// File of known failures, a line each: `case-id: fail — reason`
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
}

/// Format and destination of the report.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct Outputs {
    /// Format of the report; may be repeated, once for each --output, in their order
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Vec<Format>,
    /// Write the report to FILE; without --format its extension decides (.json, .xml, .tap, .html, .txt)
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Write a file for `conformance replay` into DIR for each failed case
    #[arg(long, value_name = "DIR")]
    pub(crate) save_failures: Option<PathBuf>,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for terminals
    Terminal,
    /// JSON object, by conformance/report.schema.json
    Json,
    /// JUnit XML, for continuous integration
    Junit,
    /// Test Anything Protocol, version 14
    Tap,
    /// HTML page with the requirement matrix
    Html,
}

/// `conformance list`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct List {
    /// Patterns of cases, as for `run` (default: all)
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// List each requirement with its cases
    #[arg(long)]
    pub(crate) matrix: bool,
    /// List only MUST requirements without a case or waiver; exit code 1 if there are any
    #[arg(long, requires = "matrix")]
    pub(crate) uncovered: bool,
    /// Format of the list
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "terminal")]
    pub(crate) format: ListFormat,
}

/// The format of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Text for terminals
    #[default]
    Terminal,
    /// JSON
    Json,
}

/// `conformance doctor`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Doctor {
    /// Address of the server
    #[arg(value_name = "HOST:PORT", env = "REMOFILE_SERVER")]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// `conformance replay`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Replay {
    /// File written by `--save-failures`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Address of the server; else REMOFILE_SERVER, the server of the file, or --spawn
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
    /// Parses the arguments of this process; exits on an invalid command line.
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
