//! What a self-test found, as programs read it and reports show it.

use super::score::Score;
use crate::exit::Exit;
use serde::Serialize;
use std::time::Duration;

/// Raised when a reader of the report would have to change.
const SCHEMA: u32 = 1;

/// All that a self-test found, by `selftest.schema.json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SelfTestReport {
    pub(super) schema: u32,
    pub(super) suite: &'static str,
    /// A text, because it does not fit into the numbers of every reader.
    pub(super) seed: String,
    pub(super) began: String,
    pub(super) took_ms: u64,
    pub(super) exit: u8,
    /// Whether everything ran, so that the figures compare with the committed ones.
    pub(super) whole: bool,
    /// Whether every case ran against each mutation.
    pub(super) full: bool,
    pub(super) interrupted: bool,
    /// Why nothing here is to be believed.
    pub(super) void: Option<String>,
    pub(super) score: Score,
    pub(super) committed: Score,
    /// The committed figures that this run falls short of.
    pub(super) drops: Vec<String>,
    /// The committed figures that this run exceeds.
    pub(super) gains: Vec<String>,
    /// Stale lines of the files next to the suite.
    pub(super) stale: Vec<String>,
    /// Where the suite itself failed.
    pub(super) errors: Vec<String>,
    pub(super) mutations: Vec<MutationFinding>,
    pub(super) sound: Vec<SoundServerFinding>,
    pub(super) cases: Vec<CaseFinding>,
    pub(super) requirements: Vec<RequirementFinding>,
    pub(super) flips: Vec<String>,
    pub(super) harness: Vec<HarnessFinding>,
}

/// A mutation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct MutationFinding {
    pub(super) name: String,
    pub(super) requirements: Vec<String>,
    pub(super) description: String,
    pub(super) class: String,
    pub(super) why: String,
    pub(super) reached: bool,
    /// The cases that did not pass.
    pub(super) cells: Vec<CellFinding>,
    /// The cases that passed.
    pub(super) passed: Vec<String>,
}

/// The result of a case at a server with a mutation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CellFinding {
    pub(super) case: String,
    pub(super) verdict: String,
    /// How the server served.
    pub(super) variant: String,
    pub(super) kills: bool,
    /// Whether the case cites a requirement that the mutation breaks.
    pub(super) cites: bool,
    pub(super) reason: String,
}

/// A server without a mutation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SoundServerFinding {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) passed: usize,
    pub(super) not_applicable: usize,
    pub(super) took_ms: u64,
    /// What failed there, and should not have.
    pub(super) failures: Vec<String>,
}

/// A case.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CaseFinding {
    pub(super) id: String,
    pub(super) requirements: Vec<String>,
    /// The mutations that it killed in this run.
    pub(super) kills: Vec<String>,
    /// Its line in the committed kill table.
    pub(super) table: Option<String>,
}

/// A requirement.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequirementFinding {
    pub(super) id: String,
    pub(super) level: String,
    pub(super) cases: usize,
    pub(super) waived: bool,
    /// The mutations that break it.
    pub(super) mutations: Vec<String>,
    /// How many of them were killed.
    pub(super) killed: usize,
}

/// A way to run the suite.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HarnessFinding {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) killed: bool,
    /// What it was noticed by, or that nothing did.
    pub(super) why: String,
}

impl SelfTestReport {
    pub(super) fn new(seed: u64, took: Duration) -> Self {
        Self {
            schema: SCHEMA,
            suite: env!("CARGO_PKG_VERSION"),
            seed: seed.to_string(),
            began: String::new(),
            took_ms: milliseconds(took),
            exit: Exit::Conformant as u8,
            whole: false,
            full: false,
            interrupted: false,
            void: None,
            score: Score::default(),
            committed: Score::default(),
            drops: Vec::new(),
            gains: Vec::new(),
            stale: Vec::new(),
            errors: Vec::new(),
            mutations: Vec::new(),
            sound: Vec::new(),
            cases: Vec::new(),
            requirements: Vec::new(),
            flips: Vec::new(),
            harness: Vec::new(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        let survivors =
            self.mutations.iter().any(|mutation| mutation.class == "survived" || mutation.class == "masked");
        let failures = self.sound.iter().any(|sound| !sound.failures.is_empty());
        let unnoticed = self.harness.iter().any(|mutant| !mutant.killed);
        // There is no committed figure for a part: every survivor fails it.
        let weak = if self.whole { !self.drops.is_empty() } else { survivors };
        if self.void.is_some() || !self.errors.is_empty() {
            Exit::OwnFault
        } else if self.interrupted {
            Exit::Incomplete
        } else if weak || failures || unnoticed || !self.flips.is_empty() || !self.stale.is_empty() {
            Exit::NotConformant
        } else {
            Exit::Conformant
        }
    }

    /// What the exit code says, in a word or two.
    pub(super) fn conclusion(&self) -> &'static str {
        match self.exit() {
            Exit::OwnFault if self.void.is_some() => "void",
            Exit::OwnFault => "the suite failed",
            Exit::Incomplete => "interrupted",
            Exit::NotConformant => "not as good as it has to be",
            _ => "as good as it says",
        }
    }

    /// As JSON, with a final line end.
    pub(crate) fn json(&self) -> String {
        let text = serde_json::to_string(self).expect("texts and figures are JSON");
        format!("{text}\n")
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    /// One of everything, with characters that have to be escaped.
    pub(crate) fn findings() -> SelfTestReport {
        let cell = CellFinding {
            case: "a-gap-is-refused".into(),
            verdict: "fail".into(),
            variant: "plain".into(),
            kills: true,
            cites: true,
            reason: "<b>\u{1b}[31m & \"it\"</b>".into(),
        };
        let mutation = |name: &str, class: &str| MutationFinding {
            name: name.into(),
            requirements: vec!["SEQ-5".into()],
            description: "It takes <any> number.".into(),
            class: class.into(),
            why: String::new(),
            reached: true,
            cells: vec![cell.clone()],
            passed: vec!["the-server-serves".into()],
        };
        SelfTestReport {
            began: "2026-01-01T00:00:00Z".into(),
            whole: true,
            score: Score { mutations: 2, killed: 1, ..Score::default() },
            gains: vec!["mutations killed: 1 against 2".into()],
            mutations: vec![mutation("a-gap-is-taken", "killed"), mutation("late", "survived")],
            sound: vec![SoundServerFinding {
                name: "plain".into(),
                description: "With every switch off.".into(),
                passed: 1_100,
                not_applicable: 22,
                took_ms: 30_000,
                failures: Vec::new(),
            }],
            cases: vec![CaseFinding {
                id: "a-gap-is-refused".into(),
                requirements: vec!["SEQ-5".into()],
                kills: vec!["a-gap-is-taken".into()],
                table: None,
            }],
            requirements: vec![RequirementFinding {
                id: "SEQ-5".into(),
                level: "must".into(),
                cases: 1,
                waived: false,
                mutations: vec!["a-gap-is-taken".into()],
                killed: 1,
            }],
            harness: vec![HarnessFinding {
                name: "lint-off".into(),
                description: "Replies are not looked at.".into(),
                killed: true,
                why: "x passed".into(),
            }],
            ..SelfTestReport::new(7, Duration::from_secs(200))
        }
    }

    #[test]
    fn findings_keep_to_the_schema() {
        let schema: Value = serde_json::from_str(include_str!("../../selftest.schema.json")).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let mut document: Value = serde_json::from_str(&findings().json()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        document["mutations"][0]["unheard_of"] = Value::Bool(true);
        assert!(!schema.is_valid(&document));
    }

    #[test]
    fn a_void_run_is_the_suites_own_fault() {
        let void = SelfTestReport { void: Some("the control lives".into()), ..findings() };
        assert_eq!(void.exit(), Exit::OwnFault);
    }

    #[test]
    fn of_a_whole_run_the_committed_figures_decide() {
        assert_eq!(findings().exit(), Exit::Conformant);
        let dropped = SelfTestReport { drops: vec!["mutations killed: 1 against 2".into()], ..findings() };
        assert_eq!(dropped.exit(), Exit::NotConformant);
    }

    #[test]
    fn of_a_part_every_mutation_has_to_be_killed() {
        assert_eq!(SelfTestReport { whole: false, ..findings() }.exit(), Exit::NotConformant);
    }

    #[test]
    fn a_harness_mutant_a_flip_and_a_stale_line_fail_the_run() {
        let mut unnoticed = findings();
        unnoticed.harness[0].killed = false;
        assert_eq!(unnoticed.exit(), Exit::NotConformant);
        assert_eq!(SelfTestReport { flips: vec!["x".into()], ..findings() }.exit(), Exit::NotConformant);
        assert_eq!(SelfTestReport { stale: vec!["x".into()], ..findings() }.exit(), Exit::NotConformant);
    }
}
