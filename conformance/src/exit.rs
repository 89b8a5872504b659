//! Exit codes of the command.

use std::process::ExitCode;

/// The exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was checked conforms.
    Conformant = 0,
    /// Something does not conform.
    NotConformant = 1,
    /// The command line is invalid.
    Usage = 2,
    /// No server could be reached, it does not speak Remofile, or another client holds its session.
    Unreachable = 3,
    /// Nothing was selected, or a case that should have run did not.
    Incomplete = 4,
    /// The suite itself failed.
    OwnFault = 5,
    /// The token or the key was refused.
    Refused = 6,
}

/// For `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  conformant
  1  not conformant
  2  usage
  3  unreachable, not Remofile, or busy
  4  nothing selected, or a selected case did not run
  5  error in the suite itself
  6  token or key refused";

/// A failed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The error, in a sentence without a full stop.
    pub(crate) what: String,
    /// What the user can do about it; may be empty.
    pub(crate) hint: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: String::new() }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
