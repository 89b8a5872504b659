//! `conformance zoo`: the server that self-tests are made against.

use crate::exit::Exit;
use std::process::ExitCode;

/// Serves until it is killed, or lists what can be switched on.
pub(super) fn zoo(words: &[String]) -> Exit {
    if remofile_zoo::command(words.iter().cloned()) == ExitCode::SUCCESS { Exit::Conformant } else { Exit::Usage }
}
