//! `conformance mutation-server`: the server that self-tests are made against.

use crate::exit::Exit;
use std::process::ExitCode;

/// Serves until it is killed, or lists mutations or variants.
pub(super) fn serve(words: &[String]) -> Exit {
    if remofile_mutants::command(words.iter().cloned()) == ExitCode::SUCCESS { Exit::Conformant } else { Exit::Usage }
}
