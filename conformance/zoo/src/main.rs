//! The server of the zoo as a program: `zoo-server [OPTIONS] DIR PORT TOKEN`.

use std::process::ExitCode;

fn main() -> ExitCode {
    remofile_zoo::command(std::env::args().skip(1))
}
