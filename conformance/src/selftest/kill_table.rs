//! The kill table: for every case a mutation that it kills, or why there is none.

use super::{kill_status::MutationResult, server_config::Variant};
use crate::engine::case::Case;
use std::{collections::BTreeMap, fmt};

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TableEntry {
    Kills(Kill),
    /// It can kill no mutation, for this reason.
    Nothing(String),
}

/// A mutation that a case kills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) mutation: String,
    /// How the server with the mutation serves.
    pub(super) variant: Variant,
    /// Of a check of every reply: the case that brings the reply.
    pub(super) through: Option<String>,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KillTable(BTreeMap<String, TableEntry>);

/// What the file begins with.
const HEADING: &str = "\
# For every case a mutation that it kills: `CASE: MUTATION [under VARIANT] [through CASE]`, or why there is none:
# `CASE: none — REASON`. `conformance selftest` tries every line; with --write it writes them, but for the reasons.
";

const NONE: &str = "none — ";

impl KillTable {
    /// Reads the table; a line that makes no sense is an error that names it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |what: &str| format!("line {}: {what}: {line}", number + 1);
            let (case, said) = line.split_once(": ").ok_or_else(|| wrong("there is no colon"))?;
            let entry = match said.strip_prefix(NONE) {
                Some(reason) if reason.len() < 10 => return Err(wrong("the reason is missing")),
                Some(reason) => TableEntry::Nothing(reason.to_owned()),
                None => TableEntry::Kills(Kill::parse(said).map_err(|what| wrong(&what))?),
            };
            if entries.insert(case.to_owned(), entry).is_some() {
                return Err(wrong("the case stands twice"));
            }
        }
        Ok(Self(entries))
    }

    /// Writes the table: a line for each case that has one, in the order of the cases.
    pub(super) fn render(&self, cases: &[&Case]) -> String {
        let mut text = HEADING.to_owned();
        for case in cases {
            if let Some(entry) = self.0.get(&case.id) {
                text += &format!("{}: {entry}\n", case.id);
            }
        }
        text
    }

    pub(super) fn entry(&self, case: &str) -> Option<&TableEntry> {
        self.0.get(case)
    }

    /// The cases whose line names this mutation, with what else has to run for them.
    pub(super) fn of_mutation(&self, mutation: &str) -> impl Iterator<Item = (&str, &Kill)> {
        self.0.iter().filter_map(move |(case, entry)| match entry {
            TableEntry::Kills(kill) if kill.mutation == mutation => Some((case.as_str(), kill)),
            _ => None,
        })
    }

    /// Lines that name unknown cases or mutations, a sentence each.
    pub(super) fn unknown_names(&self, cases: &[&Case]) -> Vec<String> {
        let is_case = |id: &str| cases.iter().any(|case| case.id == id);
        let mut unknown_names = Vec::new();
        for (case, entry) in &self.0 {
            if !is_case(case) {
                unknown_names.push(format!("there is no case {case}"));
            }
            if let TableEntry::Kills(kill) = entry {
                if !remofile_mutants::mutations().any(|mutation| mutation.name == kill.mutation) {
                    unknown_names.push(format!("{case}: there is no mutation {}", kill.mutation));
                }
                if let Some(through) = kill.through.as_ref().filter(|through| !is_case(through)) {
                    unknown_names.push(format!("{case}: there is no case {through}"));
                }
            }
        }
        unknown_names
    }

    /// Lines that a run refutes: the mutation survives the case at the server that the line names, or a case with a reason kills.
    pub(super) fn stale(&self, rows: &[MutationResult], cases: &[&Case]) -> Vec<String> {
        let mut stale = Vec::new();
        for case in cases {
            match self.0.get(&case.id) {
                Some(TableEntry::Kills(kill)) => {
                    let Some(row) = rows.iter().find(|row| row.mutation.name == kill.mutation) else { continue };
                    if !row.is_killed_by(&case.id, kill.variant) {
                        let result =
                            row.cells.get(&case.id).map_or("not run".into(), |cell| cell.result.verdict.to_string());
                        stale.push(format!("{}: {kill} does not make it fail: {result}", case.id));
                    }
                }
                Some(TableEntry::Nothing(_)) => {
                    let killed = rows.iter().find(|row| row.cells.get(&case.id).is_some_and(|cell| cell.kills()));
                    stale
                        .extend(killed.map(|row| {
                            format!("{}: it kills {}, and the table says none", case.id, row.mutation.name)
                        }));
                }
                None => {}
            }
        }
        stale
    }

    /// The table after a run: lines that hold stay, others are replaced, reasons stay unless
    /// they are stale. Lines of mutations that did not run stay too, where `whole` is false.
    pub(super) fn updated(&self, rows: &[MutationResult], cases: &[&Case], whole: bool) -> Self {
        let mut entries = BTreeMap::new();
        for case in cases {
            let old = self.0.get(&case.id);
            let stays = match old {
                Some(TableEntry::Kills(kill)) => match rows.iter().find(|row| row.mutation.name == kill.mutation) {
                    Some(row) => row.is_killed_by(&case.id, kill.variant),
                    None => !whole,
                },
                Some(TableEntry::Nothing(_)) | None => false,
            };
            let selection = choose(case, rows).map(TableEntry::Kills);
            if let Some(entry) =
                if stays { old.cloned() } else { selection.or(old.cloned().filter(TableEntry::is_reason)) }
            {
                entries.insert(case.id.clone(), entry);
            }
        }
        Self(entries)
    }
}

impl TableEntry {
    fn is_reason(&self) -> bool {
        matches!(self, TableEntry::Nothing(_))
    }
}

impl Kill {
    fn parse(text: &str) -> Result<Self, String> {
        let (rest, through) = match text.split_once(" through ") {
            Some((rest, case)) => (rest, Some(case.to_owned())),
            None => (text, None),
        };
        let (mutation, variant) = match rest.split_once(" under ") {
            Some((mutation, name)) => {
                (mutation, Variant::named(name).ok_or_else(|| format!("there is no variant {name}"))?)
            }
            None => (rest, Variant::Plain),
        };
        Ok(Self { mutation: mutation.to_owned(), variant, through })
    }
}

impl fmt::Display for TableEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableEntry::Kills(kill) => kill.fmt(f),
            TableEntry::Nothing(reason) => write!(f, "{NONE}{reason}"),
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mutation)?;
        if self.variant != Variant::Plain {
            write!(f, " under {}", self.variant)?;
        }
        self.through.as_ref().map_or(Ok(()), |case| write!(f, " through {case}"))
    }
}

/// The first mutation that a case kills: best one that breaks what the case is about, else what it cites, else any.
fn choose(case: &Case, rows: &[MutationResult]) -> Option<Kill> {
    let distance = |row: &MutationResult| match row.mutation.requirements {
        [first, ..] if case.checks.first() == Some(first) => 0,
        all if case.checks.iter().any(|id| all.contains(id)) => 1,
        _ => 2,
    };
    let killed = rows.iter().filter_map(|row| Some((row, row.cells.get(&case.id).filter(|cell| cell.kills())?)));
    let (row, cell) = killed.min_by_key(|(row, cell)| (distance(row), cell.variant))?;
    Some(Kill { mutation: row.mutation.name.to_owned(), variant: cell.variant, through: cell.result.seen_in.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        engine::{case::must, verdict::Verdict},
        selftest::{
            executor::RunOutcome,
            kill_status::{
                classify,
                tests::{MUTATION, ran},
            },
        },
    };

    fn cases() -> [Case; 3] {
        [must("b", &["SEQ-5"]), must("a", &["LIST-1"]), must("c", &["SEQ-5"])]
    }

    fn row(verdicts: &[(&str, Verdict)]) -> MutationResult {
        let cases = cases();
        classify(
            &MUTATION,
            &cases.iter().collect::<Vec<_>>(),
            &[(Variant::Plain, &RunOutcome::Reported(ran(verdicts)))],
        )
    }

    fn updated(table: &str, row: MutationResult) -> String {
        let cases = cases();
        let cases: Vec<&Case> = cases.iter().collect();
        let text = KillTable::parse(table).unwrap().updated(&[row], &cases, true).render(&cases);
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_table_is_written_unchanged_in_the_order_of_the_cases() {
        let cases = cases();
        let table = "a: none — a case that tells, and never fails\nb: x under rep through c\n";
        let written = KillTable::parse(table).unwrap().render(&cases.iter().collect::<Vec<_>>());
        assert_eq!(
            written,
            format!("{HEADING}b: x under rep through c\na: none — a case that tells, and never fails\n")
        );
    }

    #[test]
    fn lines_that_make_no_sense_are_refused() {
        for line in ["a", "a: x under nothing-like-it", "a: none — ", "a: x\na: y"] {
            assert!(KillTable::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn kills_are_written_down_and_what_is_stale_goes() {
        let row = row(&[("a", Verdict::Fail), ("b", Verdict::Pass), ("c", Verdict::Fail)]);
        let before = "b: a-gap-is-taken\nc: none — no server can make it fail\n";
        assert_eq!(updated(before, row), "a: a-gap-is-taken\nc: a-gap-is-taken");
    }

    #[test]
    fn a_mutation_that_survives_and_a_reason_that_does_not_hold_are_stale() {
        let rows = [row(&[("a", Verdict::Pass), ("c", Verdict::Fail)])];
        let table = "a: a-gap-is-taken\nb: none — no server can make it fail\nc: none — no server can make it fail\n";
        let cases = cases();
        let stale = KillTable::parse(table).unwrap().stale(&rows, &cases.iter().collect::<Vec<_>>());
        assert_eq!(stale.len(), 2, "{stale:?}");
        assert!(stale.iter().any(|line| line.starts_with("a: ")) && stale.iter().any(|line| line.starts_with("c: ")));
    }

    #[test]
    fn a_kill_at_another_server_than_the_table_names_is_stale() {
        let cases = cases();
        let cases: Vec<&Case> = cases.iter().collect();
        let (plain, rep) = (ran(&[("a", Verdict::Fail)]), ran(&[("a", Verdict::Pass)]));
        let outcomes = [(Variant::Plain, RunOutcome::Reported(plain)), (Variant::Rep, RunOutcome::Reported(rep))];
        let rows = [classify(&MUTATION, &cases, &outcomes.each_ref().map(|(variant, outcome)| (*variant, outcome)))];
        let stale = |table| KillTable::parse(table).unwrap().stale(&rows, &cases);
        assert_eq!(stale("a: a-gap-is-taken\n"), Vec::<String>::new());
        assert_eq!(stale("a: a-gap-is-taken under rep\n").len(), 1);
    }

    #[test]
    fn the_committed_table_names_cases_and_mutations_that_exist() {
        let table = KillTable::parse(include_str!("../../kill-table.txt")).unwrap();
        let unknown_names = table.unknown_names(&crate::runner::plan::every_case());
        assert!(unknown_names.is_empty(), "{unknown_names:?}");
    }
}
