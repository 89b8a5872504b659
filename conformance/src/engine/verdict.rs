//! The outcome of a case and the report of a run.

use crate::{
    engine::{case::Level, client::HelloReply, journal::Exchange},
    exit::Exit,
    mutation,
};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// The verdict on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Pass,
    /// A MUST is broken.
    Fail,
    /// A SHOULD is not met.
    Warn,
    /// A MAY is not taken.
    Info,
    /// It does not apply to this server; the reason is the evidence.
    NotApplicable,
    /// A required option was not given.
    NotRun,
    /// A prerequisite or a positive control failed.
    Untestable,
    /// It should have run but did not.
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
    /// The messages; empty for a pass.
    pub(crate) exchanges: Vec<Exchange>,
    /// How many earlier messages were dropped.
    pub(crate) forgotten: usize,
    pub(crate) took: Duration,
    /// For a check of every reply: the case in which it failed first.
    pub(crate) seen_in: Option<String>,
    /// How often each verdict occurred, when repeated runs had different ones.
    pub(crate) flips: Vec<(Verdict, usize)>,
    /// The baseline's reason, if the failure is known.
    pub(crate) known: Option<String>,
}

/// One run of the suite.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// As the user wrote it.
    pub(crate) server: String,
    pub(crate) seed: u64,
    pub(crate) began: SystemTime,
    pub(crate) round_trip: Duration,
    pub(crate) took: Duration,
    pub(crate) hello_reply: Option<HelloReply>,
    pub(crate) outcomes: Vec<Outcome>,
    /// How often each case was run.
    pub(crate) rounds: u32,
    /// The number of checked replies.
    pub(crate) replies: u64,
    /// Whether the sanity case passed at the start.
    pub(crate) served: bool,
    /// The case after which the server did not answer any more.
    pub(crate) suspect: Option<String>,
    /// Paths and uploads that could not be removed from the server.
    pub(crate) leftovers: Vec<String>,
    /// Errors in the baseline, a sentence each.
    pub(crate) stale: Vec<String>,
    /// Whether warnings fail the run.
    pub(crate) strict: bool,
    /// Whether the user interrupted it.
    pub(crate) interrupted: bool,
    /// The options that repeat a case, without secrets.
    pub(crate) options: Vec<String>,
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

    /// Whether it shows that the server does not conform.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Verdict::Fail | Verdict::Untestable)
    }

    /// Whether the case ran.
    pub(crate) fn has_run(self) -> bool {
        !matches!(self, Verdict::NotApplicable | Verdict::NotRun | Verdict::Missed)
    }

    /// The weight in a summary: the greatest counts.
    pub(crate) fn weight(self) -> u8 {
        match self {
            Verdict::NotApplicable | Verdict::NotRun => 0,
            Verdict::Pass => 1,
            Verdict::Info => 2,
            Verdict::Warn => 3,
            Verdict::Missed => 4,
            Verdict::HarnessError => 5,
            Verdict::Untestable => 6,
            Verdict::Fail => 7,
        }
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

impl Outcome {
    /// Whether it makes the run fail.
    pub(crate) fn gates(&self, strict: bool) -> bool {
        let fails = self.verdict.is_failure() || strict && self.verdict == Verdict::Warn;
        !self.flips.is_empty() || fails && self.known.is_none()
    }

    /// Adds another run of the same case.
    pub(crate) fn absorb(&mut self, other: Outcome) {
        if other.verdict.weight() > self.verdict.weight() {
            let took = self.took + other.took;
            *self = Outcome { took, ..other };
        } else {
            self.took += other.took;
        }
    }
}

impl Report {
    /// How many cases have a verdict, without the failures that the baseline lists.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict && outcome.known.is_none()).count()
    }

    /// How many failures the baseline lists.
    pub(crate) fn known(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.known.is_some()).count()
    }

    /// The exit code of the run.
    pub(crate) fn exit(&self) -> Exit {
        if mutation::active!(ExitAlwaysZero) {
            Exit::Conformant
        } else if !self.stale.is_empty() || self.outcomes.iter().any(|outcome| outcome.gates(self.strict)) {
            Exit::NotConformant
        } else if self.count(Verdict::HarnessError) > 0 {
            Exit::OwnFault
        } else if self.interrupted
            || self.count(Verdict::Missed) > 0
            || !self.outcomes.iter().any(|outcome| outcome.verdict.has_run())
        {
            Exit::Incomplete
        } else {
            Exit::Conformant
        }
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Reports to try reporters on.

    use super::*;
    use crate::engine::journal::{Direction, Excerpt};

    pub(crate) fn outcome(id: &str, verdict: Verdict, reason: &str) -> Outcome {
        Outcome {
            id: id.to_owned(),
            section: "11.16".into(),
            level: Level::Must,
            checks: vec!["APPEND-1".into()],
            verdict,
            reason: reason.to_owned(),
            exchanges: Vec::new(),
            forgotten: 0,
            took: Duration::from_micros(3_250),
            seen_in: None,
            flips: Vec::new(),
            known: None,
        }
    }

    pub(crate) fn exchange(direction: Direction, header: &[u8]) -> Exchange {
        Exchange {
            at: Duration::from_micros(412),
            peer: "A".into(),
            direction,
            frames: vec![Excerpt { bytes: header.to_vec(), length: header.len() }],
        }
    }

    /// One outcome of every verdict, and a failure with messages and with characters that must be escaped.
    pub(crate) fn report() -> Report {
        let mut outcomes: Vec<Outcome> = Verdict::ALL
            .iter()
            .map(|verdict| outcome(&format!("case-that-is-{verdict}"), *verdict, "it is so"))
            .collect();
        outcomes[0].reason.clear();
        outcomes[5].reason = "needs --spawn".into();
        let mut failed =
            outcome("append-at-a-wrong-offset-is-refused", Verdict::Fail, "<b>\u{1b}[31m & \"it\"</b> ]]>");
        failed.exchanges = vec![exchange(Direction::Sent, &ping()), exchange(Direction::Received, &[0xff, 0x00, 0x1b])];
        outcomes.push(failed);
        Report {
            server: "localhost:6768".into(),
            seed: 42,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000),
            round_trip: Duration::from_micros(250),
            took: Duration::from_millis(12_345),
            hello_reply: Some(hello_reply()),
            outcomes,
            rounds: 1,
            replies: 4_711,
            served: true,
            suspect: None,
            leftovers: Vec::new(),
            stale: Vec::new(),
            strict: false,
            interrupted: false,
            options: vec!["--timeout".into(), "9".into()],
        }
    }

    /// A report of nothing but these.
    pub(crate) fn report_of(outcomes: Vec<Outcome>) -> Report {
        Report { outcomes, ..report() }
    }

    pub(crate) fn hello_reply() -> HelloReply {
        HelloReply {
            window: 64,
            chunk: 262_144,
            header: 65_536,
            lease_ms: 30_000,
            boot: vec![0xb0; 16],
            root: None,
            names: "posix".into(),
            folds: false,
            ro: false,
            caps: Vec::new(),
        }
    }

    pub(crate) fn ping() -> Vec<u8> {
        let request = crate::wire::request::ping();
        crate::wire::cbor::encode(&request.header([0x5e; 16], 0))
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{outcome, report, report_of};
    use super::*;

    fn exit_of(verdicts: &[Verdict]) -> Exit {
        report_of(verdicts.iter().map(|verdict| outcome("x", *verdict, "")).collect()).exit()
    }

    #[test]
    fn passes_warnings_and_what_was_not_run_are_conformant() {
        use Verdict::{Info, NotApplicable, NotRun, Pass, Warn};
        assert_eq!(exit_of(&[Pass, Warn, Info, NotApplicable, NotRun]), Exit::Conformant);
    }

    #[test]
    fn a_failure_and_an_untestable_case_are_not_conformant() {
        assert_eq!(exit_of(&[Verdict::Pass, Verdict::Fail]), Exit::NotConformant);
        assert_eq!(exit_of(&[Verdict::Pass, Verdict::Untestable]), Exit::NotConformant);
    }

    #[test]
    fn a_failure_counts_more_than_a_case_that_was_missed_or_a_harness_error() {
        assert_eq!(exit_of(&[Verdict::Missed, Verdict::HarnessError, Verdict::Fail]), Exit::NotConformant);
        assert_eq!(exit_of(&[Verdict::Missed, Verdict::HarnessError]), Exit::OwnFault);
        assert_eq!(exit_of(&[Verdict::Missed, Verdict::Pass]), Exit::Incomplete);
    }

    #[test]
    fn a_run_in_which_nothing_ran_is_incomplete() {
        assert_eq!(exit_of(&[]), Exit::Incomplete);
        assert_eq!(exit_of(&[Verdict::NotRun, Verdict::NotApplicable]), Exit::Incomplete);
    }

    #[test]
    fn an_interrupted_run_is_incomplete() {
        let report = Report { interrupted: true, ..report_of(vec![outcome("x", Verdict::Pass, "")]) };
        assert_eq!(report.exit(), Exit::Incomplete);
    }

    #[test]
    fn warnings_gate_when_strict() {
        let warned = report_of(vec![outcome("x", Verdict::Warn, "")]);
        assert_eq!(Report { strict: true, ..warned }.exit(), Exit::NotConformant);
    }

    #[test]
    fn a_known_failure_does_not_gate_and_a_flip_does() {
        let known = Outcome { known: Some("slow disk".into()), ..outcome("x", Verdict::Fail, "") };
        let passed = outcome("y", Verdict::Pass, "");
        assert_eq!(report_of(vec![known.clone(), passed.clone()]).exit(), Exit::Conformant);
        let flipped = Outcome { flips: vec![(Verdict::Fail, 1), (Verdict::Pass, 19)], ..known };
        assert_eq!(report_of(vec![flipped, passed]).exit(), Exit::NotConformant);
    }

    #[test]
    fn a_stale_baseline_fails_the_run() {
        let passed = report_of(vec![outcome("x", Verdict::Pass, "")]);
        assert_eq!(Report { stale: vec!["x passes".into()], ..passed }.exit(), Exit::NotConformant);
    }

    #[test]
    fn every_verdict_is_counted_once() {
        let report = report();
        let counted: usize = Verdict::ALL.iter().map(|verdict| report.count(*verdict)).sum();
        assert_eq!(counted, report.outcomes.len());
    }
}
