//! The plan of a run: which cases, how often, in which order.

use super::SANITY;
use crate::{
    cases,
    engine::{case::Case, lint},
    mutation,
};

/// The plan of a run.
pub(crate) struct Plan<'a> {
    /// Cases that send requests, without the sanity case.
    pub(crate) cases: Vec<&'a Case>,
    /// Checks of every reply.
    pub(crate) rules: Vec<&'a Case>,
    /// How often each case is run.
    pub(crate) rounds: u32,
    pub(crate) shuffle: bool,
    /// Whether the run ends at the first failure.
    pub(crate) fail_fast: bool,
}

/// Every case: those that send requests and those that check every reply.
pub(crate) fn every_case() -> Vec<&'static Case> {
    cases::all().iter().chain(lint::cases()).collect()
}

impl<'a> Plan<'a> {
    /// A plan of the selected cases.
    pub(crate) fn new(selected: &[&'a Case], rounds: u32, shuffle: bool) -> Self {
        let is_rule = |case: &Case| lint::cases().iter().any(|rule| rule.id == case.id);
        let (rules, cases): (Vec<&Case>, Vec<&Case>) = selected.iter().partition(|case| is_rule(case));
        Self {
            cases: cases.into_iter().filter(|case| case.id != SANITY).collect(),
            rules,
            rounds,
            shuffle,
            fail_fast: false,
        }
    }

    /// The number of outcomes to expect.
    pub(crate) fn steps(&self) -> usize {
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        (self.cases.len() * rounds).saturating_add(self.rules.len() + if self.cases.is_empty() { 1 } else { 2 })
    }

    /// Every run of every case in order; the sanity case is first and last.
    pub(super) fn order(&self, seed: u64) -> Vec<&'a Case> {
        let sanity = cases::all().iter().find(|case| case.id == SANITY && !mutation::active!(SanitySkipped));
        let mut order: Vec<&'a Case> = sanity.into_iter().collect();
        for round in 0..self.rounds {
            let mut cases = self.cases.clone();
            if self.shuffle {
                shuffle(&mut cases, seed, round);
            }
            order.extend(cases);
        }
        if order.len() > 1 {
            order.extend(sanity);
        }
        order
    }
}

/// A Fisher–Yates shuffle by seed and round.
fn shuffle<T>(items: &mut [T], seed: u64, round: u32) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&round.to_le_bytes());
    let mut choices = hasher.finalize_xof();
    for last in (1..items.len()).rev() {
        let mut bytes = [0; 8];
        choices.fill(&mut bytes);
        // The bias of the remainder is below 2^-50 here.
        let choice = u64::from_le_bytes(bytes) % (last as u64 + 1);
        items.swap(last, usize::try_from(choice).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sanity_case_comes_first_and_last() {
        let order = Plan::new(&every_case(), 1, true).order(7);
        assert_eq!(order.first().map(|case| case.id.as_str()), Some(SANITY));
        assert_eq!(order.last().map(|case| case.id.as_str()), Some(SANITY));
        assert_eq!(order.iter().filter(|case| case.id == SANITY).count(), 2);
    }

    #[test]
    fn every_case_is_run_once_a_round_in_an_order_that_the_seed_gives() {
        let order = |seed| -> Vec<String> {
            Plan::new(&every_case(), 3, true).order(seed).iter().map(|case| case.id.clone()).collect()
        };
        let mut sorted = order(1);
        assert_eq!(order(1), order(1));
        assert_eq!(sorted.len(), (cases::all().len() - 1) * 3 + 2);
        sorted.sort();
        let mut other = order(2);
        other.sort();
        assert_eq!(sorted, other);
    }

    #[test]
    fn a_shuffle_keeps_everything_and_changes_the_order() {
        let mut items: Vec<u32> = (0..100).collect();
        shuffle(&mut items, 1, 0);
        let shuffled = items.clone();
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        assert_ne!(shuffled, items);
    }
}
