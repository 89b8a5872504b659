//! The Test Anything Protocol, version 14.

use super::{again, clauses, conclusion, flips, summary, visible};
use crate::engine::verdict::{Outcome, Report, Verdict};
use std::fmt::Write as _;

pub(super) fn render(report: &Report) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", report.outcomes.len() + report.stale.len());
    for (index, outcome) in report.outcomes.iter().enumerate() {
        text += &point(report, index + 1, outcome);
    }
    for (index, stale) in report.stale.iter().enumerate() {
        let _ = writeln!(text, "not ok {} - baseline: {}", report.outcomes.len() + index + 1, described(stale));
    }
    if let Some(suspect) = &report.suspect {
        let _ = writeln!(text, "# the server did not answer any more after {suspect}");
    }
    for left in &report.leftovers {
        let _ = writeln!(text, "# the server still has {}", visible(left));
    }
    let _ = writeln!(text, "# {}: {}", conclusion(report), summary(report));
    text
}

fn point(report: &Report, number: usize, outcome: &Outcome) -> String {
    let fails = outcome.gates(report.strict) || matches!(outcome.verdict, Verdict::Missed | Verdict::HarnessError);
    let directive = match (outcome.verdict, &outcome.known) {
        (_, Some(known)) => format!(" # TODO {}", described(known)),
        (Verdict::NotRun, _) => format!(" # SKIP {}", described(&outcome.reason)),
        (Verdict::NotApplicable, _) => format!(" # SKIP not applicable: {}", described(&outcome.reason)),
        _ => String::new(),
    };
    let ok = if fails || outcome.known.is_some() { "not ok" } else { "ok" };
    let mut text = format!("{ok} {number} - {}{directive}\n", outcome.id);
    if outcome.verdict == Verdict::Pass && outcome.flips.is_empty() || !directive.is_empty() {
        return text;
    }
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "  {key}: {}", yaml(value));
    };
    line("---", "");
    line("verdict", &outcome.verdict.to_string());
    line("reason", &visible(&outcome.reason));
    for (id, words) in clauses(outcome).into_iter().take(1) {
        line("clause", &format!("[{id}] {words}"));
    }
    if !outcome.flips.is_empty() {
        line("flipped", &flips(outcome));
    }
    line("again", &visible(&again(report, outcome)));
    let _ = writeln!(text, "  ...");
    text.replace("  ---: \"\"\n", "  ---\n")
}

/// Escapes a text so that it is not a directive.
fn described(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A string in double quotes.
fn yaml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::verdict::samples::{outcome, report, report_of};

    #[test]
    fn a_report_of_every_verdict_is_tap() {
        insta::assert_snapshot!(render(&report()));
    }

    #[test]
    fn a_known_failure_is_a_todo() {
        let known = Outcome { known: Some("issue #12".into()), ..outcome("x", Verdict::Fail, "broken") };
        let text = render(&report_of(vec![known]));
        assert!(text.contains("not ok 1 - x # TODO issue \\#12\n"), "{text}");
    }

    #[test]
    fn the_plan_counts_every_point() {
        let report = Report { stale: vec!["line 1: x".into()], ..report() };
        let text = render(&report);
        let points = text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
        assert!(text.contains(&format!("1..{points}\n")), "{text}");
    }
}
