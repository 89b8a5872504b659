//! `conformance list`

use super::print;
use crate::{
    command::args::{List, ListFormat},
    engine::case::{Case, Need},
    exit::{Exit, Failure},
    runner::{
        plan::every_case,
        select::{need_name, select},
    },
    spec::{
        self,
        traceability::{self, MatrixRow},
    },
};
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    section: &'a str,
    level: String,
    requirements: &'a [&'a str],
    needs: Vec<String>,
    sends: &'a str,
    passes: &'a str,
}

#[derive(Serialize)]
struct Traced<'a> {
    id: &'a str,
    section: &'a str,
    level: String,
    cases: Vec<&'a str>,
    waived: Option<&'a str>,
    instead: Option<&'a str>,
}

/// Lists cases or requirements.
pub(super) fn list(arguments: &List) -> Result<Exit, Failure> {
    let every = every_case();
    let cases = select(&every, &arguments.patterns, &[], None)?;
    if !arguments.matrix {
        return print(&match arguments.format {
            ListFormat::Terminal => table(&cases),
            ListFormat::Json => json(&cases.iter().map(|case| listed(case)).collect::<Vec<_>>()),
        })
        .map(|()| Exit::Conformant);
    }
    let rows: Vec<MatrixRow<'_>> = traceability::rows(&every)
        .into_iter()
        .filter(|row| {
            arguments.patterns.is_empty() || row.cases.iter().any(|one| cases.iter().any(|case| case.id == one.id))
        })
        .filter(|row| !arguments.uncovered || row.is_uncovered())
        .collect();
    print(&match arguments.format {
        ListFormat::Terminal => matrix(&rows, arguments.uncovered),
        ListFormat::Json => json(&rows.iter().map(traced).collect::<Vec<_>>()),
    })?;
    Ok(if arguments.uncovered && !rows.is_empty() { Exit::NotConformant } else { Exit::Conformant })
}

fn table(cases: &[&Case]) -> String {
    let width = cases.iter().map(|case| case.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for case in cases {
        let needs = needs(case);
        let needs = if needs.is_empty() { String::new() } else { format!("  needs {}", needs.join(", ")) };
        let _ = writeln!(text, "{:width$}  {:6}  {}{needs}", case.id, case.level, case.checks.join(" "));
    }
    text
}

fn matrix(rows: &[MatrixRow<'_>], uncovered: bool) -> String {
    let mut text = String::new();
    for row in rows {
        let _ =
            writeln!(text, "{} ({}, section {})", row.requirement.id, row.requirement.level, row.requirement.section);
        for case in &row.cases {
            let _ = writeln!(text, "    {}", case.id);
        }
        if let Some(waiver) = row.waiver {
            let _ = writeln!(text, "    cannot be observed: {}\n    instead: {}", waiver.why, waiver.instead);
        } else if row.cases.is_empty() {
            let _ = writeln!(text, "    no case: {}", spec::plain(row.requirement.text));
        }
    }
    let by_case = rows.iter().filter(|row| !row.cases.is_empty()).count();
    let waived = rows.iter().filter(|row| row.waiver.is_some()).count();
    let bare = rows.iter().filter(|row| row.is_uncovered()).count();
    if uncovered {
        let _ = writeln!(text, "{bare} requirements of level must have neither a case nor a waiver");
    } else {
        let _ = writeln!(
            text,
            "\n{} requirements: {by_case} with cases, {waived} waived, {bare} of level must with neither",
            rows.len()
        );
    }
    text
}

/// The needs of a case, except for a server that accepts changes.
pub(super) fn needs(case: &Case) -> Vec<String> {
    case.needs.iter().filter(|need| **need != Need::Writing).map(|need| need_name(*need)).collect()
}

fn listed<'a>(case: &'a Case) -> Listed<'a> {
    Listed {
        id: &case.id,
        section: case.section,
        level: case.level.to_string(),
        requirements: case.checks,
        needs: case.needs.iter().map(|need| need_name(*need)).collect(),
        sends: &case.sends,
        passes: &case.passes,
    }
}

fn traced<'a>(row: &'a MatrixRow<'_>) -> Traced<'a> {
    Traced {
        id: row.requirement.id,
        section: row.requirement.section,
        level: row.requirement.level.to_string(),
        cases: row.cases.iter().map(|case| case.id.as_str()).collect(),
        waived: row.waiver.map(|waiver| waiver.why),
        instead: row.waiver.map(|waiver| waiver.instead),
    }
}

fn json(value: &impl Serialize) -> String {
    // All fields are texts and lists.
    serde_json::to_string_pretty(value).expect("a list is plain data") + "\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_case_is_a_line_with_level_and_requirements() {
        let every = every_case();
        let text = table(&every);
        assert_eq!(text.lines().count(), every.len());
        for (case, line) in every.iter().zip(text.lines()) {
            assert!(line.starts_with(&case.id) && line.contains(case.checks[0]), "{line}");
        }
    }

    #[test]
    fn the_matrix_has_every_requirement() {
        let text = matrix(&traceability::rows(&every_case()), false);
        for one in spec::requirements() {
            assert!(text.lines().any(|line| line.starts_with(&format!("{} (", one.id))), "{}", one.id);
        }
    }

    #[test]
    fn a_list_in_json_is_read_back() {
        let every = every_case();
        let text = json(&every.iter().map(|case| listed(case)).collect::<Vec<_>>());
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read.as_array().unwrap().len(), every.len());
    }
}
