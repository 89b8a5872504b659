//! What a case came to, and what a run came to.

use crate::{case::Level, journal::Exchange, peer::Welcome};
use std::{fmt, time::Duration};

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Pass,
    /// A MUST is broken.
    Fail,
    /// A SHOULD is not kept.
    Warn,
    /// A MAY is not taken.
    Info,
    /// It says nothing about this server, and the evidence shows why.
    NotApplicable,
    /// It needs an option that was not given.
    NotRun,
    /// A prerequisite or a positive control failed.
    Untestable,
    /// It should have run and did not.
    Missed,
    /// The suite failed.
    HarnessError,
}

/// One case of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) level: Level,
    pub(crate) checks: Vec<String>,
    pub(crate) verdict: Verdict,
    /// Why, in a sentence; empty for a pass.
    pub(crate) reason: String,
    /// What went over the wire; empty for a pass.
    pub(crate) exchanges: Vec<Exchange>,
    /// How many earlier messages are not among them.
    pub(crate) forgotten: usize,
    pub(crate) took: Duration,
}

/// One run of the suite.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// As the user wrote it.
    pub(crate) server: String,
    pub(crate) seed: u64,
    pub(crate) round_trip: Duration,
    pub(crate) took: Duration,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) outcomes: Vec<Outcome>,
    /// Replies that were looked at.
    pub(crate) replies: u64,
    /// The case after which the server was gone or wedged, if it was.
    pub(crate) suspect: Option<String>,
    /// What could not be removed from the server.
    pub(crate) leftovers: Vec<String>,
}

impl Verdict {
    pub(crate) const ALL: [Verdict; 9] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Warn,
        Verdict::Info,
        Verdict::NotApplicable,
        Verdict::NotRun,
        Verdict::Untestable,
        Verdict::Missed,
        Verdict::HarnessError,
    ];

    /// Whether the server is to blame, and a run with it is not one of a conformant server.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Verdict::Fail | Verdict::Untestable)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Warn => "warn",
            Verdict::Info => "info",
            Verdict::NotApplicable => "not-applicable",
            Verdict::NotRun => "not-run",
            Verdict::Untestable => "untestable",
            Verdict::Missed => "missed",
            Verdict::HarnessError => "harness-error",
        })
    }
}

impl Report {
    /// How many cases came to a verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
    }
}
