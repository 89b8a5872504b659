//! JUnit XML for continuous integration, with a suite for each section of the specification.

use super::{again, clauses, conclusion, flips, summary, visible, xml::escape};
use crate::engine::verdict::{Outcome, Report, Verdict};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// How an outcome counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JunitResult {
    Passed,
    Failed,
    Error,
    Skipped,
}

pub(super) fn render(report: &Report) -> String {
    let began = jiff::Timestamp::try_from(report.began).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S");
    let mut suites: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in &report.outcomes {
        suites.entry(&outcome.section).or_default().push(outcome);
    }
    // No schema has attributes for it: the counts are in each suite.
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (index, (section, outcomes)) in suites.iter().enumerate() {
        let name = match *section {
            "" => "sanity".to_owned(),
            named if named.starts_with(|character: char| character.is_ascii_digit()) => format!("section {named}"),
            named => named.to_owned(),
        };
        text += &suite(report, index, &name, &began.to_string(), outcomes);
    }
    if !report.stale.is_empty() {
        text += &baseline(report, suites.len(), &began.to_string());
    }
    text + "</testsuites>\n"
}

fn suite(report: &Report, index: usize, name: &str, began: &str, outcomes: &[&Outcome]) -> String {
    let count = |kind: JunitResult| outcomes.iter().filter(|outcome| kind_of(report, outcome) == kind).count();
    let took = outcomes.iter().map(|outcome| outcome.took).sum();
    let mut text = opening(
        index,
        name,
        began,
        &format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
            outcomes.len(),
            count(JunitResult::Failed),
            count(JunitResult::Error),
            count(JunitResult::Skipped),
            seconds(took)
        ),
    );
    let properties = [
        ("server", visible(&report.server)),
        ("seed", report.seed.to_string()),
        ("conclusion", format!("{}: {}", conclusion(report), summary(report))),
    ];
    text += "    <properties>\n";
    for (name, value) in properties {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", escape(&value));
    }
    text += "    </properties>\n";
    for outcome in outcomes {
        text += &case(report, name, outcome);
    }
    text += "    <system-out></system-out>\n    <system-err></system-err>\n";
    text + "  </testsuite>\n"
}

fn baseline(report: &Report, index: usize, began: &str) -> String {
    let counts =
        format!("tests=\"{0}\" failures=\"{0}\" errors=\"0\" skipped=\"0\" time=\"0.000\"", report.stale.len());
    let mut text = opening(index, "baseline", began, &counts);
    text += "    <properties></properties>\n";
    for (index, stale) in report.stale.iter().enumerate() {
        let stale = escape(&visible(stale));
        let _ = writeln!(
            text,
            "    <testcase name=\"entry {}\" classname=\"baseline\" time=\"0.000\">\n      \
             <failure type=\"stale\" message=\"{stale}\"></failure>\n    </testcase>",
            index + 1
        );
    }
    text += "    <system-out></system-out>\n    <system-err></system-err>\n";
    text + "  </testsuite>\n"
}

fn opening(index: usize, name: &str, began: &str, counts: &str) -> String {
    format!(
        "  <testsuite name=\"{}\" package=\"conformance\" id=\"{index}\" timestamp=\"{began}\" hostname=\"localhost\" {counts}>\n",
        escape(name)
    )
}

fn case(report: &Report, suite: &str, outcome: &Outcome) -> String {
    let opening = format!(
        "    <testcase name=\"{}\" classname=\"conformance.{}\" time=\"{}\"",
        escape(&outcome.id),
        escape(&suite.replace(['.', ' '], "_")),
        seconds(outcome.took)
    );
    let kind = kind_of(report, outcome);
    let message = escape(&visible(outcome.known.as_deref().unwrap_or(&outcome.reason)));
    match kind {
        JunitResult::Passed => format!("{opening}/>\n"),
        JunitResult::Skipped => format!("{opening}>\n      <skipped message=\"{message}\"/>\n    </testcase>\n"),
        JunitResult::Failed | JunitResult::Error => {
            let element = if kind == JunitResult::Failed { "failure" } else { "error" };
            format!(
                "{opening}>\n      <{element} type=\"{}\" message=\"{message}\">{}</{element}>\n    </testcase>\n",
                outcome.verdict,
                escape(&details(report, outcome))
            )
        }
    }
}

fn kind_of(report: &Report, outcome: &Outcome) -> JunitResult {
    match outcome.verdict {
        _ if outcome.gates(report.strict) => JunitResult::Failed,
        _ if outcome.known.is_some() => JunitResult::Skipped,
        Verdict::Missed | Verdict::HarnessError => JunitResult::Error,
        Verdict::NotRun | Verdict::NotApplicable => JunitResult::Skipped,
        _ => JunitResult::Passed,
    }
}

/// A failure in full.
fn details(report: &Report, outcome: &Outcome) -> String {
    let mut text = String::new();
    for (id, words) in clauses(outcome) {
        let _ = writeln!(text, "[{id}] {words}");
    }
    let _ = writeln!(text, "{}", visible(&outcome.reason));
    if !outcome.flips.is_empty() {
        let _ = writeln!(text, "flipped: {}", flips(outcome));
    }
    for exchange in &outcome.exchanges {
        for (index, frame) in exchange.frames.iter().enumerate() {
            let notation = if index == 0 { visible(&frame.notation()) } else { format!("+ {} bytes", frame.length) };
            let _ = writeln!(text, "{} {:?} {notation}\n    {}", exchange.peer, exchange.direction, frame.hex());
        }
    }
    let _ = write!(text, "again: {}", visible(&again(report, outcome)));
    text
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::verdict::samples::{outcome, report, report_of};
    use remofile_testkit::skip::skip;
    use std::process::Command;

    /// A report with everything in it that a report may have.
    fn full() -> Report {
        let mut full = report();
        full.stale = vec!["line 1: \u{1b}<gone>".into()];
        full.outcomes[0].section = String::new();
        full.outcomes[1].known = Some("issue & 12".into());
        full.outcomes[2].section = "every reply".into();
        full.outcomes[3].flips = vec![(Verdict::Pass, 1), (Verdict::Info, 2)];
        full
    }

    #[test]
    fn a_report_of_every_verdict_is_valid() {
        if Command::new("xmllint").arg("--version").output().is_err() {
            skip("there is no xmllint");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.xml");
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/junit.xsd");
        let valid = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let output = Command::new("xmllint").args(["--noout", "--schema", schema]).arg(&path).output().unwrap();
            (output.status.success(), String::from_utf8(output.stderr).unwrap())
        };
        let (fine, why) = valid(&render(&full()));
        assert!(fine, "{why}");
        let (fine, why) = valid(&render(&report_of(Vec::new())));
        assert!(fine, "{why}");
        assert!(!valid(&render(&full()).replace(" classname=", " class=")).0, "the schema lets everything pass");
    }

    #[test]
    fn every_case_counts_as_what_it_is() {
        let report = report();
        let count =
            |kind: JunitResult| report.outcomes.iter().filter(|outcome| kind_of(&report, outcome) == kind).count();
        assert_eq!(
            (
                count(JunitResult::Passed),
                count(JunitResult::Failed),
                count(JunitResult::Error),
                count(JunitResult::Skipped)
            ),
            (3, 3, 2, 2)
        );
    }

    #[test]
    fn a_failure_has_its_clause_messages_and_command() {
        let text = render(&report());
        for words in ["[APPEND-1] `append` with an", "8564726d663150", "again: conformance run localhost:6768"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn a_known_failure_is_skipped_with_its_reason() {
        let known = Outcome { known: Some("issue 12".into()), ..outcome("x", Verdict::Fail, "broken") };
        assert!(render(&report_of(vec![known])).contains("<skipped message=\"issue 12\"/>"));
    }
}
