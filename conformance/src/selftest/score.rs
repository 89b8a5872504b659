//! The figures that say how good the suite is, and that none of them got worse.

use serde::{Deserialize, Serialize};

/// How good the suite is, in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Score {
    /// Requirements with a MUST.
    pub(super) requirements: usize,
    /// Those of them that a case checks.
    pub(super) tested: usize,
    /// Those of them that no client can observe, with a reason.
    pub(super) waived: usize,
    /// Those of them that a mutation breaks which was killed.
    pub(super) proven: usize,
    pub(super) cases: usize,
    /// Cases that kill a mutation.
    pub(super) killing: usize,
    /// Cases that kill none, for a reason that is given.
    pub(super) explained: usize,
    pub(super) mutations: usize,
    /// Mutations that a case killed which cites what they break.
    pub(super) killed: usize,
    /// Mutations that no case can tell from a sound server, with a reason.
    pub(super) equivalent: usize,
    /// Sound servers: legal variants and other options.
    pub(super) sound: usize,
    /// Cases that failed at one of them.
    pub(super) false_failures: usize,
    /// Decisions that were made twice.
    pub(super) repeated: usize,
    /// Those of them that differed.
    pub(super) flips: usize,
    /// Ways to run the suite.
    pub(super) harness_mutations: usize,
    /// Those of them that were noticed.
    pub(super) harness_mutations_killed: usize,
}

impl Score {
    /// Reads the committed figures.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Renders the figures for the committed file.
    pub(super) fn render(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("figures are JSON");
        format!("{text}\n")
    }

    /// All of it in one sentence.
    pub(super) fn sentence(&self) -> String {
        format!(
            "{} of {} MUST requirements tested, {} waived, {} violated by a killed mutation; \
             {} of {} mutations killed{}; {} of {} cases kill one{}; {} false failures at {} sound servers; {} flips in {} \
             repetitions; {} of {} harness mutations killed",
            self.tested,
            self.requirements,
            self.waived,
            self.proven,
            self.killed,
            self.mutations,
            also(self.equivalent, "equivalent"),
            self.killing,
            self.cases,
            also(self.explained, "explained"),
            self.false_failures,
            self.sound,
            self.flips,
            self.repeated,
            self.harness_mutations_killed,
            self.harness_mutations
        )
    }

    /// The figures that are worse than the committed ones, a sentence each.
    pub(super) fn drops_from(&self, committed: &Self) -> Vec<String> {
        worse(committed, self).map(|(name, before, now)| format!("{name}: {now} against {before}")).collect()
    }

    /// The figures that are better than the committed ones, a sentence each.
    pub(super) fn gains_over(&self, committed: &Self) -> Vec<String> {
        worse(self, committed).map(|(name, now, before)| format!("{name}: {now} against {before}")).collect()
    }

    /// The figures of which more is better.
    fn high(&self) -> [(&'static str, usize); 8] {
        [
            ("requirements tested", self.tested),
            ("requirements broken by a mutation that is killed", self.proven),
            ("cases", self.cases),
            ("cases that kill a mutation", self.killing),
            ("mutations killed", self.killed),
            ("sound servers", self.sound),
            ("decisions that are made twice", self.repeated),
            ("harness mutations killed", self.harness_mutations_killed),
        ]
    }

    /// The figures of which less is better.
    fn low(&self) -> [(&'static str, usize); 7] {
        [
            ("requirements waived", self.waived),
            ("requirements neither tested nor waived", self.requirements.saturating_sub(self.tested + self.waived)),
            (
                "cases that neither kill a mutation nor say why",
                self.cases.saturating_sub(self.killing + self.explained),
            ),
            ("mutations neither killed nor equivalent", self.mutations.saturating_sub(self.killed + self.equivalent)),
            ("false failures", self.false_failures),
            ("flips", self.flips),
            (
                "harness mutations that went unnoticed",
                self.harness_mutations.saturating_sub(self.harness_mutations_killed),
            ),
        ]
    }
}

/// The figures in which one is worse than the other, with both.
fn worse(better: &Score, worse: &Score) -> impl Iterator<Item = (&'static str, usize, usize)> {
    let fell = better.high().into_iter().zip(worse.high()).filter(|(better, worse)| worse.1 < better.1);
    let rose = better.low().into_iter().zip(worse.low()).filter(|(better, worse)| worse.1 > better.1);
    fell.chain(rose).map(|((name, better), (_, worse))| (name, better, worse))
}

fn also(count: usize, what: &str) -> String {
    if count == 0 { String::new() } else { format!(" and {count} {what}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn score() -> Score {
        Score {
            requirements: 10,
            tested: 8,
            waived: 2,
            mutations: 5,
            killed: 5,
            harness_mutations: 3,
            harness_mutations_killed: 3,
            ..Score::default()
        }
    }

    #[test]
    fn the_same_figures_are_no_drop() {
        assert!(score().drops_from(&score()).is_empty() && score().gains_over(&score()).is_empty());
    }

    #[test]
    fn a_mutation_that_survives_is_a_drop_even_if_it_is_new() {
        let worse = Score { mutations: 6, ..score() };
        assert_eq!(worse.drops_from(&score()), ["mutations neither killed nor equivalent: 1 against 0"]);
    }

    #[test]
    fn a_mutation_that_is_taken_away_is_a_drop() {
        let worse = Score { mutations: 4, killed: 4, ..score() };
        assert_eq!(worse.drops_from(&score()), ["mutations killed: 4 against 5"]);
    }

    #[test]
    fn a_false_failure_and_a_flip_are_drops() {
        let worse = Score { false_failures: 1, flips: 1, ..score() };
        assert_eq!(worse.drops_from(&score()).len(), 2);
    }

    #[test]
    fn more_mutations_killed_are_a_gain_and_no_drop() {
        let better = Score { mutations: 7, killed: 7, ..score() };
        assert!(better.drops_from(&score()).is_empty());
        assert_eq!(better.gains_over(&score()), ["mutations killed: 7 against 5"]);
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        assert_eq!(Score::parse(&score().render()).unwrap(), score());
    }

    #[test]
    fn the_committed_figures_stand_in_both_readmes() {
        let sentence = Score::parse(include_str!("../../score.json")).unwrap().sentence();
        for (name, text) in [
            ("README.md", include_str!("../../../README.md")),
            ("conformance/README.md", include_str!("../../README.md")),
        ] {
            assert!(text.contains(&sentence), "{name} does not say: {sentence}");
        }
    }
}
