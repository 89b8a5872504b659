//! A case: what it checks, what it sends, what passes, and how it is run.

use crate::engine::{context::CaseContext, error::CaseResult};
use std::fmt;

/// The requirement level of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Level {
    /// MUST: a server that fails is not conformant
    Must,
    /// SHOULD: a warning
    Should,
    /// MAY: reports what the server chose
    May,
}

/// A condition for running a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Need {
    /// A server that accepts changes, and with it a directory for the case.
    Writing,
    /// A server that refuses changes.
    ReadOnly,
    /// CURVE.
    Curve,
    /// `--spawn`, to kill the server and start it again.
    Spawn,
    /// `--spawn` or `--restart-cmd`, to start it again.
    Restart,
    /// `--root` or `--spawn`, to create and read files without the server.
    Root,
    /// `names: "posix"`.
    Posix,
    /// `names: "windows"`.
    Windows,
    /// `folds: false`.
    Exact,
    /// `folds: true`.
    Folds,
    /// A window of at least this many requests.
    Window(u64),
}

/// One check of a server.
pub(crate) struct Case {
    /// Words with hyphens that state the fact. Ids are stable.
    pub(crate) id: String,
    /// The section of the specification.
    pub(crate) section: &'static str,
    pub(crate) level: Level,
    /// The requirements that it checks, the main one first.
    pub(crate) checks: &'static [&'static str],
    pub(crate) needs: Vec<Need>,
    /// What is sent, in words.
    pub(crate) sends: String,
    /// What passes, in words.
    pub(crate) passes: String,
    pub(crate) run: Box<dyn Fn(&mut CaseContext) -> CaseResult + Send + Sync>,
}

/// A case that a conformant server passes: it checks a MUST.
pub(crate) fn must(id: &str, checks: &'static [&'static str]) -> Case {
    Case {
        id: id.to_owned(),
        section: "",
        level: Level::Must,
        checks,
        needs: vec![Need::Writing],
        sends: String::new(),
        passes: String::new(),
        run: Box::new(|_| Ok(())),
    }
}

/// A case whose failure is a warning: it checks a SHOULD.
pub(crate) fn should(id: &str, checks: &'static [&'static str]) -> Case {
    Case { level: Level::Should, ..must(id, checks) }
}

/// A case that reports what a server chose: it checks a MAY.
pub(crate) fn may(id: &str, checks: &'static [&'static str]) -> Case {
    Case { level: Level::May, ..must(id, checks) }
}

impl Case {
    /// What is sent, in words: a sentence without its subject.
    pub(crate) fn sends(mut self, words: impl Into<String>) -> Self {
        self.sends = words.into();
        self
    }

    /// What passes, in words.
    pub(crate) fn passes(mut self, words: impl Into<String>) -> Self {
        self.passes = words.into();
        self
    }

    /// Adds conditions to that of a server that accepts changes.
    pub(crate) fn needs(mut self, needs: &[Need]) -> Self {
        self.needs.extend_from_slice(needs);
        self
    }

    /// Makes it run on read-only servers too, without a directory of its own.
    pub(crate) fn without_directory(mut self) -> Self {
        self.needs.retain(|need| *need != Need::Writing);
        self
    }

    /// The check itself.
    pub(crate) fn run(mut self, run: impl Fn(&mut CaseContext) -> CaseResult + Send + Sync + 'static) -> Self {
        self.run = Box::new(run);
        self
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::May => "may",
        })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("id", &self.id).field("checks", &self.checks).finish_non_exhaustive()
    }
}
