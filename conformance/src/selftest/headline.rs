//! The figures that say how good the suite is, and that none of them got worse.

use serde::{Deserialize, Serialize};

/// How good the suite is, in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Headline {
    /// Requirements with a MUST.
    pub(super) requirements: usize,
    /// Those of them that a case checks.
    pub(super) tested: usize,
    /// Those of them that nobody can observe, for a reason that is given.
    pub(super) waived: usize,
    /// Those of them that a fault breaks which was killed.
    pub(super) proven: usize,
    pub(super) cases: usize,
    /// Cases that kill a fault.
    pub(super) witnessed: usize,
    /// Cases that kill none, for a reason that is given.
    pub(super) explained: usize,
    pub(super) faults: usize,
    /// Faults that a case killed which cites what they break.
    pub(super) killed: usize,
    /// Faults that nobody can tell from a sound server, for a reason that is given.
    pub(super) equivalent: usize,
    /// Sound servers that the whole suite was tried on, oddities and other ways to serve.
    pub(super) sound: usize,
    /// Cases that failed at one of them.
    pub(super) false_failures: usize,
    /// Decisions that were made twice.
    pub(super) repeated: usize,
    /// Those of them that came out otherwise.
    pub(super) flips: usize,
    /// Ways to spoil the suite.
    pub(super) harness_mutants: usize,
    /// Those of them that were noticed.
    pub(super) harness_mutants_killed: usize,
}

impl Headline {
    /// Reads the committed figures.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The figures as they are committed.
    pub(super) fn render(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("figures are JSON");
        format!("{text}\n")
    }

    /// All of it in one sentence.
    pub(super) fn sentence(&self) -> String {
        format!(
            "of {} requirements with a MUST {} are tested and {} waived, and {} are broken by a fault that is killed; \
             {} of {} faults killed{}; {} of {} cases kill one{}; {} false failures at {} sound servers; {} flips in {} \
             repetitions; {} of {} harness mutants killed",
            self.requirements,
            self.tested,
            self.waived,
            self.proven,
            self.killed,
            self.faults,
            also(self.equivalent, "equivalent"),
            self.witnessed,
            self.cases,
            also(self.explained, "explained"),
            self.false_failures,
            self.sound,
            self.flips,
            self.repeated,
            self.harness_mutants_killed,
            self.harness_mutants
        )
    }

    /// What is worse than it was committed, a sentence each.
    pub(super) fn drops_from(&self, committed: &Self) -> Vec<String> {
        worse(committed, self).map(|(name, before, now)| format!("{name}: {now} against {before}")).collect()
    }

    /// What is better than it was committed, a sentence each.
    pub(super) fn gains_over(&self, committed: &Self) -> Vec<String> {
        worse(self, committed).map(|(name, now, before)| format!("{name}: {now} against {before}")).collect()
    }

    /// The figures of which more is better.
    fn high(&self) -> [(&'static str, usize); 8] {
        [
            ("requirements tested", self.tested),
            ("requirements broken by a fault that is killed", self.proven),
            ("cases", self.cases),
            ("cases that kill a fault", self.witnessed),
            ("faults killed", self.killed),
            ("sound servers", self.sound),
            ("decisions that are made twice", self.repeated),
            ("harness mutants killed", self.harness_mutants_killed),
        ]
    }

    /// The figures of which less is better.
    fn low(&self) -> [(&'static str, usize); 7] {
        [
            ("requirements waived", self.waived),
            ("requirements neither tested nor waived", self.requirements.saturating_sub(self.tested + self.waived)),
            ("cases that neither kill a fault nor say why", self.cases.saturating_sub(self.witnessed + self.explained)),
            ("faults neither killed nor equivalent", self.faults.saturating_sub(self.killed + self.equivalent)),
            ("false failures", self.false_failures),
            ("flips", self.flips),
            ("harness mutants that went unnoticed", self.harness_mutants.saturating_sub(self.harness_mutants_killed)),
        ]
    }
}

/// The figures in which one is worse than the other, with both.
fn worse(better: &Headline, worse: &Headline) -> impl Iterator<Item = (&'static str, usize, usize)> {
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

    fn headline() -> Headline {
        Headline {
            requirements: 10,
            tested: 8,
            waived: 2,
            faults: 5,
            killed: 5,
            harness_mutants: 3,
            harness_mutants_killed: 3,
            ..Headline::default()
        }
    }

    #[test]
    fn the_same_figures_are_no_drop() {
        assert!(headline().drops_from(&headline()).is_empty() && headline().gains_over(&headline()).is_empty());
    }

    #[test]
    fn a_fault_that_survives_is_a_drop_even_if_it_is_new() {
        let worse = Headline { faults: 6, ..headline() };
        assert_eq!(worse.drops_from(&headline()), ["faults neither killed nor equivalent: 1 against 0"]);
    }

    #[test]
    fn a_fault_that_is_taken_away_is_a_drop() {
        let worse = Headline { faults: 4, killed: 4, ..headline() };
        assert_eq!(worse.drops_from(&headline()), ["faults killed: 4 against 5"]);
    }

    #[test]
    fn a_false_failure_and_a_flip_are_drops() {
        let worse = Headline { false_failures: 1, flips: 1, ..headline() };
        assert_eq!(worse.drops_from(&headline()).len(), 2);
    }

    #[test]
    fn more_faults_killed_are_a_gain_and_no_drop() {
        let better = Headline { faults: 7, killed: 7, ..headline() };
        assert!(better.drops_from(&headline()).is_empty());
        assert_eq!(better.gains_over(&headline()), ["faults killed: 7 against 5"]);
    }

    #[test]
    fn figures_are_read_as_they_are_written() {
        assert_eq!(Headline::parse(&headline().render()).unwrap(), headline());
    }

    #[test]
    fn the_committed_figures_stand_in_both_readmes() {
        let sentence = Headline::parse(include_str!("../../headline.json")).unwrap().sentence();
        for (name, text) in [
            ("README.md", include_str!("../../../README.md")),
            ("conformance/README.md", include_str!("../../README.md")),
        ] {
            assert!(text.contains(&sentence), "{name} does not say: {sentence}");
        }
    }
}
