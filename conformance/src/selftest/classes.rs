//! What became of a fault: killed, masked, survived, or explained.

use super::{
    bench::{Came, Ran, Tried},
    equivalents::equivalent,
    stand::Variant,
};
use crate::{
    engine::{case::Case, verdict::Verdict},
    runner::SANITY,
};
use remofile_zoo::Fault;
use std::{collections::BTreeMap, fmt};

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A case that cites one of its requirements failed.
    Killed,
    /// Only what does not cite them failed, or a step that checks build upon did.
    Masked,
    /// Nothing failed, or the fault was never reached.
    Survived,
    /// Nobody can tell it from a server without it, for a reason that was given.
    Equivalent,
}

/// What a case came to at a server with a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) came: Came,
    pub(super) variant: Variant,
    /// Whether the server was in a state to judge by: the fault was reached, and the first case passed.
    pub(super) counts: bool,
}

/// A fault, and what every case that was run came to.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) fault: &'static Fault,
    pub(super) class: Class,
    /// Why it is not killed, in a few words; empty where it is.
    pub(super) why: String,
    pub(super) reached: bool,
    pub(super) cells: BTreeMap<String, Cell>,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Killed => "killed",
            Class::Masked => "masked",
            Class::Survived => "survived",
            Class::Equivalent => "equivalent",
        })
    }
}

impl Cell {
    /// Whether the case told this server from a sound one.
    pub(super) fn kills(&self) -> bool {
        self.counts && matches!(self.came.verdict, Verdict::Fail | Verdict::Warn)
    }
}

impl Row {
    /// The cases that killed it, in the order of their ids.
    pub(super) fn killers(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().filter(|(_, cell)| cell.kills()).map(|(id, _)| id.as_str())
    }
}

/// Whether a case cites a requirement that a fault breaks.
pub(super) fn cites(case: &Case, fault: &Fault) -> bool {
    case.checks.iter().any(|id| fault.requirements.contains(id))
}

/// Judges a fault by all runs against it.
pub(super) fn classify(fault: &'static Fault, cases: &[&Case], trials: &[(Variant, &Tried)]) -> Row {
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    let (mut reached, mut sick) = (false, false);
    let mut unserved = None;
    for (variant, tried) in trials {
        match tried {
            Tried::Ran(ran) => {
                reached |= ran.reached;
                sick |= !ran.served;
                merge(&mut cells, *variant, ran);
            }
            Tried::Unserved(why) | Tried::Broken(why) => unserved = Some(why.as_str()),
            Tried::Interrupted => unserved = Some("the run was interrupted"),
        }
    }
    let cited = |id: &str| cases.iter().any(|case| case.id == id && cites(case, fault));
    let killed = cells.iter().any(|(id, cell)| cell.kills() && cited(id));
    let failed = cells.values().any(|cell| cell.came.verdict.is_failure() || cell.came.verdict == Verdict::Warn);
    let (class, why) = match (killed, equivalent(fault.name)) {
        (true, _) => (Class::Killed, String::new()),
        (false, Some(reason)) => (Class::Equivalent, reason.to_owned()),
        (false, None) if !reached => (Class::Survived, unreached(unserved, failed)),
        (false, None) if sick => (Class::Masked, "the case that is run first failed".into()),
        (false, None) if cells.values().any(Cell::kills) => {
            (Class::Masked, "no case that failed cites what the fault breaks".into())
        }
        (false, None) if failed => (Class::Masked, "a step that checks build upon failed, and no check".into()),
        (false, None) => (Class::Survived, "no case failed".into()),
    };
    Row { fault, class, why, reached, cells }
}

fn unreached(unserved: Option<&str>, failed: bool) -> String {
    match unserved {
        Some(why) => format!("not reached: {why}"),
        None if failed => "not reached, though cases failed".into(),
        None => "not reached".into(),
    }
}

/// What a case came to in a run.
pub(super) fn cell_of(ran: &Ran, id: &str, variant: Variant) -> Option<Cell> {
    let counts = ran.reached && (ran.served || id == SANITY);
    ran.cases.get(id).map(|came| Cell { came: came.clone(), variant, counts })
}

/// Takes in what a run saw: of several runs of one case, the verdict that says most.
fn merge(cells: &mut BTreeMap<String, Cell>, variant: Variant, ran: &Ran) {
    for id in ran.cases.keys() {
        let weight = |cell: &Cell| (cell.kills(), cell.came.verdict.weight());
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

    pub(crate) const FAULT: Fault =
        Fault { name: "a-gap-is-taken", requirements: &["SEQ-5"], story: "It takes any number." };

    pub(crate) fn ran(verdicts: &[(&str, Verdict)]) -> Ran {
        let cases = verdicts
            .iter()
            .map(|(id, verdict)| ((*id).to_owned(), Came { verdict: *verdict, reason: "so".into(), seen_in: None }));
        Ran { served: true, reached: true, cases: cases.collect(), ..Ran::default() }
    }

    fn classified(ran: Ran) -> (Class, String) {
        let cases = [must("a-gap-is-refused", &["SEQ-5"]), must("else", &["LIST-1"])];
        let row = classify(&FAULT, &cases.iter().collect::<Vec<_>>(), &[(Variant::Plain, &Tried::Ran(ran))]);
        (row.class, row.why)
    }

    #[test]
    fn a_failure_of_a_case_that_cites_the_requirement_kills() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Fail)])).0, Class::Killed);
    }

    #[test]
    fn a_failure_of_another_case_masks() {
        let verdicts = [("a-gap-is-refused", Verdict::Pass), ("else", Verdict::Fail)];
        assert_eq!(classified(ran(&verdicts)).0, Class::Masked);
    }

    #[test]
    fn a_positive_control_that_failed_masks() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Untestable)])).0, Class::Masked);
    }

    #[test]
    fn a_server_that_fails_from_the_first_case_on_masks() {
        let ran = Ran { served: false, ..ran(&[("a-gap-is-refused", Verdict::Fail)]) };
        assert_eq!(classified(ran).0, Class::Masked);
    }

    #[test]
    fn what_was_not_reached_has_survived_whatever_failed() {
        let ran = Ran { reached: false, ..ran(&[("a-gap-is-refused", Verdict::Fail)]) };
        assert_eq!(classified(ran), (Class::Survived, "not reached, though cases failed".into()));
    }

    #[test]
    fn a_server_that_does_not_start_has_survived() {
        let tried = Tried::Unserved("nothing listens".into());
        let row = classify(&FAULT, &[], &[(Variant::Plain, &tried)]);
        assert_eq!((row.class, row.why.as_str()), (Class::Survived, "not reached: nothing listens"));
    }

    #[test]
    fn when_everything_passes_the_fault_has_survived() {
        assert_eq!(classified(ran(&[("a-gap-is-refused", Verdict::Pass)])).0, Class::Survived);
    }

    #[test]
    fn of_two_variants_the_one_that_kills_counts() {
        let cases = [must("a-gap-is-refused", &["SEQ-5"])];
        let (plain, rep) =
            (ran(&[("a-gap-is-refused", Verdict::NotApplicable)]), ran(&[("a-gap-is-refused", Verdict::Fail)]));
        let trials = [(Variant::Plain, &Tried::Ran(plain)), (Variant::Rep, &Tried::Ran(rep))];
        let row = classify(&FAULT, &cases.iter().collect::<Vec<_>>(), &trials);
        assert_eq!((row.class, row.cells["a-gap-is-refused"].variant), (Class::Killed, Variant::Rep));
    }
}
