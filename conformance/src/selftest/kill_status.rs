//! The status of a mutation: killed, masked, survived, or equivalent.

use super::{
    equivalents::equivalent,
    executor::{ReportedCase, RunOutcome, RunReport},
    server_config::Variant,
};
use crate::{
    engine::{case::Case, verdict::Verdict},
    runner::SANITY,
};
use remofile_mutants::Mutation;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The status of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KillStatus {
    /// A case that cites one of its requirements failed.
    Killed,
    /// Only what does not cite them failed, or a step that checks build upon did.
    Masked,
    /// Nothing failed, or the mutation was never reached.
    Survived,
    /// No case can tell it from a server without it, with a reason.
    Equivalent,
}

/// The result of a case at a server with a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) result: ReportedCase,
    pub(super) variant: Variant,
    /// Whether the server was in a state to judge by: the mutation was reached, and the first case passed.
    pub(super) counts: bool,
}

/// A mutation, and the result of every case that ran.
#[derive(Clone, Debug)]
pub(super) struct MutationResult {
    pub(super) mutation: &'static Mutation,
    pub(super) class: KillStatus,
    /// Why it is not killed, in a few words; empty where it is.
    pub(super) why: String,
    pub(super) reached: bool,
    pub(super) cells: BTreeMap<String, Cell>,
    /// The cases that killed it, each with the variant at which it did.
    pub(super) killed_at: BTreeSet<(String, Variant)>,
}

impl fmt::Display for KillStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            KillStatus::Killed => "killed",
            KillStatus::Masked => "masked",
            KillStatus::Survived => "survived",
            KillStatus::Equivalent => "equivalent",
        })
    }
}

impl Cell {
    /// Whether the case detected the mutation.
    pub(super) fn kills(&self) -> bool {
        self.counts && matches!(self.result.verdict, Verdict::Fail | Verdict::Warn)
    }
}

impl MutationResult {
    /// Whether this case killed it at this variant.
    pub(super) fn is_killed_by(&self, case: &str, variant: Variant) -> bool {
        self.killed_at.contains(&(case.to_owned(), variant))
    }

    /// The cases that killed it, in the order of their ids.
    pub(super) fn killers(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().filter(|(_, cell)| cell.kills()).map(|(id, _)| id.as_str())
    }
}

/// Whether a case cites a requirement that a mutation breaks.
pub(super) fn cites(case: &Case, mutation: &Mutation) -> bool {
    case.checks.iter().any(|id| mutation.requirements.contains(id))
}

/// Judges a mutation by all runs against it.
pub(super) fn classify(
    mutation: &'static Mutation,
    cases: &[&Case],
    trials: &[(Variant, &RunOutcome)],
) -> MutationResult {
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    let mut killed_at = BTreeSet::new();
    let (mut reached, mut sick) = (false, false);
    let mut unserved = None;
    for (variant, outcome) in trials {
        match outcome {
            RunOutcome::Reported(ran) => {
                reached |= ran.reached;
                sick |= !ran.served;
                killed_at.extend(kills_of(ran, *variant));
                merge(&mut cells, *variant, ran);
            }
            RunOutcome::Unreachable(why) | RunOutcome::Failed(why) => unserved = Some(why.as_str()),
            RunOutcome::Interrupted => unserved = Some("the run was interrupted"),
        }
    }
    let cited = |id: &str| cases.iter().any(|case| case.id == id && cites(case, mutation));
    let killed = cells.iter().any(|(id, cell)| cell.kills() && cited(id));
    let failed = cells.values().any(|cell| cell.result.verdict.is_failure() || cell.result.verdict == Verdict::Warn);
    let (class, why) = match (killed, equivalent(mutation.name)) {
        (true, _) => (KillStatus::Killed, String::new()),
        (false, Some(reason)) => (KillStatus::Equivalent, reason.to_owned()),
        (false, None) if !reached => (KillStatus::Survived, unreached(unserved, failed)),
        (false, None) if sick => (KillStatus::Masked, "the case that is run first failed".into()),
        (false, None) if cells.values().any(Cell::kills) => {
            (KillStatus::Masked, "no case that failed cites what the mutation breaks".into())
        }
        (false, None) if failed => (KillStatus::Masked, "a step that checks build upon failed, and no check".into()),
        (false, None) => (KillStatus::Survived, "no case failed".into()),
    };
    MutationResult { mutation, class, why, reached, cells, killed_at }
}

fn unreached(unserved: Option<&str>, failed: bool) -> String {
    match unserved {
        Some(why) => format!("not reached: {why}"),
        None if failed => "not reached, though cases failed".into(),
        None => "not reached".into(),
    }
}

/// The result of a case in a run.
pub(super) fn cell_of(ran: &RunReport, id: &str, variant: Variant) -> Option<Cell> {
    let counts = ran.reached && (ran.served || id == SANITY);
    ran.cases.get(id).map(|result| Cell { result: result.clone(), variant, counts })
}

/// The cases that killed the mutation in a run.
fn kills_of(ran: &RunReport, variant: Variant) -> impl Iterator<Item = (String, Variant)> {
    let kills = move |id: &&String| cell_of(ran, id, variant).is_some_and(|cell| cell.kills());
    ran.cases.keys().filter(kills).map(move |id| (id.clone(), variant))
}

/// Takes in what a run saw: of several runs of one case, the verdict that says most.
fn merge(cells: &mut BTreeMap<String, Cell>, variant: Variant, ran: &RunReport) {
    for id in ran.cases.keys() {
        let weight = |cell: &Cell| (cell.kills(), cell.result.verdict.weight());
        let Some(cell) = cell_of(ran, id, variant) else { continue };
        match cells.get(id) {
            Some(known) if weight(known) >= weight(&cell) => {}
            _ => {
                cells.insert(id.clone(), cell);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::case::must;

    pub(crate) const MUTATION: Mutation =
        Mutation { name: "a-gap-is-taken", requirements: &["SEQ-5"], description: "It takes any number." };

    pub(crate) fn ran(verdicts: &[(&str, Verdict)]) -> RunReport {
        let cases = verdicts.iter().map(|(id, verdict)| {
            ((*id).to_owned(), ReportedCase { verdict: *verdict, reason: "so".into(), seen_in: None })
        });
        RunReport { served: true, reached: true, cases: cases.collect(), ..RunReport::default() }
    }

    fn classified(ran: RunReport) -> (KillStatus, String) {
        let cases = [must("a-gap-is-refused", &["SEQ-5"]), must("else", &["LIST-1"])];
        let row =
            classify(&MUTATION, &cases.iter().collect::<Vec<_>>(), &[(Variant::Plain, &RunOutcome::Reported(ran))]);
        (row.class, row.why)
    }

    #[test]
    fn a_failure_of_a_case_that_cites_the_requirement_kills() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Fail)])).0, KillStatus::Killed);
    }

    #[test]
    fn a_failure_of_another_case_masks() {
        let verdicts = [("a-gap-is-refused", Verdict::Pass), ("else", Verdict::Fail)];
        assert_eq!(classified(ran(&verdicts)).0, KillStatus::Masked);
    }

    #[test]
    fn a_positive_control_that_failed_masks() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Untestable)])).0, KillStatus::Masked);
    }

    #[test]
    fn a_server_that_fails_from_the_first_case_on_masks() {
        let ran = RunReport { served: false, ..ran(&[("a-gap-is-refused", Verdict::Fail)]) };
        assert_eq!(classified(ran).0, KillStatus::Masked);
    }

    #[test]
    fn what_was_not_reached_has_survived_whatever_failed() {
        let ran = RunReport { reached: false, ..ran(&[("a-gap-is-refused", Verdict::Fail)]) };
        assert_eq!(classified(ran), (KillStatus::Survived, "not reached, though cases failed".into()));
    }

    #[test]
    fn a_server_that_does_not_start_has_survived() {
        let outcome = RunOutcome::Unreachable("nothing listens".into());
        let row = classify(&MUTATION, &[], &[(Variant::Plain, &outcome)]);
        assert_eq!((row.class, row.why.as_str()), (KillStatus::Survived, "not reached: nothing listens"));
    }

    #[test]
    fn when_everything_passes_the_mutation_has_survived() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Pass)])).0, KillStatus::Survived);
    }

    #[test]
    fn of_two_variants_the_one_that_kills_counts() {
        let cases = [must("a-gap-is-refused", &["SEQ-5"])];
        let (plain, rep) =
            (ran(&[("a-gap-is-refused", Verdict::NotApplicable)]), ran(&[("a-gap-is-refused", Verdict::Fail)]));
        let trials = [(Variant::Plain, &RunOutcome::Reported(plain)), (Variant::Rep, &RunOutcome::Reported(rep))];
        let row = classify(&MUTATION, &cases.iter().collect::<Vec<_>>(), &trials);
        assert_eq!((row.class, row.cells["a-gap-is-refused"].variant), (KillStatus::Killed, Variant::Rep));
    }
}
