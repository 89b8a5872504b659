//! The `remofile` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    remofile::cli::main()
}
