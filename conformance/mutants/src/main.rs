//! The mutation server as a program: `mutation-server [OPTIONS] DIR PORT TOKEN`.

use std::process::ExitCode;

fn main() -> ExitCode {
    remofile_mutants::command(std::env::args().skip(1))
}
