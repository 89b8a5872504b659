//! The outcomes of a run, one for each case, also of repeated runs.

use super::SANITY;
use crate::engine::verdict::{Outcome, Verdict};
use std::collections::{BTreeMap, HashMap};

/// Messages kept of a failed case: the last ones.
const KEPT: usize = 40;
/// Messages kept of each failed case when many failed, so that the report stays small.
const MANY: usize = 100;
const KEPT_OF_MANY: usize = 10;

/// The outcomes so far, in the order of their first end.
#[derive(Default)]
pub(super) struct Ledger {
    outcomes: Vec<Outcome>,
    places: HashMap<String, usize>,
    /// How often each verdict of each case occurred.
    counts: Vec<BTreeMap<Verdict, usize>>,
    with_messages: usize,
}

impl Ledger {
    /// Adds an outcome of a case.
    pub(super) fn enter(&mut self, mut outcome: Outcome) {
        let kept = if self.with_messages < MANY { KEPT } else { KEPT_OF_MANY };
        let forgotten = outcome.exchanges.len().saturating_sub(kept);
        outcome.exchanges.drain(..forgotten);
        outcome.forgotten += forgotten;
        self.with_messages += usize::from(!outcome.exchanges.is_empty());
        let verdict = outcome.verdict;
        let place = match self.places.get(&outcome.id) {
            Some(place) => {
                self.outcomes[*place].absorb(outcome);
                *place
            }
            None => {
                self.places.insert(outcome.id.clone(), self.outcomes.len());
                self.outcomes.push(outcome);
                self.counts.push(BTreeMap::new());
                self.outcomes.len() - 1
            }
        };
        *self.counts[place].entry(verdict).or_default() += 1;
    }

    /// All outcomes, with the counts of those whose verdicts differ.
    pub(super) fn into_outcomes(self) -> Vec<Outcome> {
        let mut outcomes = self.outcomes;
        for (outcome, counts) in outcomes.iter_mut().zip(self.counts) {
            let ran: Vec<(Verdict, usize)> = counts.into_iter().filter(|(verdict, _)| verdict.has_run()).collect();
            // The sanity case may pass at first and fail at last.
            if ran.len() > 1 && outcome.id != SANITY {
                outcome.flips = ran;
            }
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        journal::Direction,
        verdict::samples::{exchange, outcome},
    };

    fn entered(outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let mut ledger = Ledger::default();
        outcomes.into_iter().for_each(|outcome| ledger.enter(outcome));
        ledger.into_outcomes()
    }

    #[test]
    fn a_case_that_fails_once_in_twenty_has_failed_and_flipped() {
        let mut runs = vec![outcome("x", Verdict::Pass, ""); 19];
        runs.insert(7, outcome("x", Verdict::Fail, "late"));
        let outcomes = entered(runs);
        assert_eq!(outcomes.len(), 1);
        assert_eq!((outcomes[0].verdict, outcomes[0].reason.as_str()), (Verdict::Fail, "late"));
        assert_eq!(outcomes[0].flips, [(Verdict::Pass, 19), (Verdict::Fail, 1)]);
    }

    #[test]
    fn the_same_verdict_each_time_is_no_flip() {
        assert!(entered(vec![outcome("x", Verdict::Fail, ""); 3])[0].flips.is_empty());
    }

    #[test]
    fn a_run_that_was_missed_is_no_flip() {
        let outcomes = entered(vec![outcome("x", Verdict::Pass, ""), outcome("x", Verdict::Missed, "interrupted")]);
        assert!(outcomes[0].flips.is_empty());
        assert_eq!(outcomes[0].verdict, Verdict::Missed);
    }

    #[test]
    fn of_many_messages_the_last_are_kept() {
        let mut failed = outcome("x", Verdict::Fail, "");
        failed.exchanges = (0..60).map(|byte| exchange(Direction::Sent, &[byte])).collect();
        let outcomes = entered(vec![failed]);
        assert_eq!((outcomes[0].exchanges.len(), outcomes[0].forgotten), (KEPT, 20));
        assert_eq!(outcomes[0].exchanges[0].frames[0].bytes, [20]);
    }
}
