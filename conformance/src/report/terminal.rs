//! The report for terminals.

use super::{VERSION, again, clauses, conclusion, cut, flips, grouped, summary, visible};
use crate::{
    engine::{
        journal::{Direction, Exchange},
        verdict::{Outcome, Report, Verdict},
    },
    exit::Exit,
    spec,
};
use std::fmt::Write as _;

/// Messages shown of a failure; the other formats have all of them.
const SHOWN: usize = 8;
/// Characters shown of a line of hexadecimal or notation.
const WIDTH: usize = 400;
/// Characters shown of a reason.
const REASON: usize = 1_000;
/// Ids shown of a group.
const NAMED: usize = 6;

const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[1;32m";
const YELLOW: &str = "\u{1b}[1;33m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// Colours, or none.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn on(self, style: &str, text: &str) -> String {
        if self.0 { format!("{style}{text}{RESET}") } else { text.to_owned() }
    }

    /// A verdict, as wide as the widest.
    pub(super) fn verdict(self, verdict: Verdict) -> String {
        let style = match verdict {
            Verdict::Pass => GREEN,
            Verdict::Fail | Verdict::Untestable | Verdict::HarnessError => RED,
            Verdict::Warn | Verdict::Missed => YELLOW,
            Verdict::Info | Verdict::NotApplicable | Verdict::NotRun => DIM,
        };
        self.on(style, &format!("{verdict:10}"))
    }
}

pub(super) fn render(report: &Report, colour: bool) -> String {
    let paint = Paint(colour);
    let mut text = heading(report, paint);
    for outcome in report.outcomes.iter().filter(|outcome| is_shown(outcome)) {
        text.push('\n');
        text += &failure(report, outcome, paint);
    }
    text += &groups(report, paint);
    text += &remarks(report, paint);
    let style = match report.exit() {
        Exit::Conformant => GREEN,
        Exit::Incomplete => YELLOW,
        _ => RED,
    };
    let took = report.took.as_secs_f64();
    let _ = writeln!(text, "\n{}: {} in {took:.1} s", paint.on(style, conclusion(report)), summary(report));
    text
}

/// Whether an outcome is shown in detail.
fn is_shown(outcome: &Outcome) -> bool {
    let fails = outcome.verdict.is_failure() || matches!(outcome.verdict, Verdict::Warn | Verdict::HarnessError);
    fails && outcome.known.is_none() || !outcome.flips.is_empty()
}

fn heading(report: &Report, paint: Paint) -> String {
    let again = if report.rounds > 1 { format!(", each case {} times", report.rounds) } else { String::new() };
    let mut text = format!(
        "{} {VERSION}: {}, seed {}, round trip {:.1} ms{again}\n",
        paint.on(BOLD, "conformance"),
        if report.server.is_empty() { "a server of its own".into() } else { visible(&report.server) },
        report.seed,
        report.round_trip.as_secs_f64() * 1_000.0
    );
    if let Some(hello_reply) = &report.hello_reply {
        let _ = writeln!(
            text,
            "{}",
            paint.on(
                DIM,
                &format!(
                    "the server says window {}, chunk {}, header {}, lease {} ms, names {}, folds {}, ro {}, caps {:?}",
                    hello_reply.window,
                    hello_reply.chunk,
                    hello_reply.header,
                    hello_reply.lease_ms,
                    visible(&hello_reply.names),
                    hello_reply.folds,
                    hello_reply.ro,
                    hello_reply.caps
                )
            )
        );
    }
    text
}

fn failure(report: &Report, outcome: &Outcome, paint: Paint) -> String {
    let mut text = format!("{} {}\n", paint.verdict(outcome.verdict), paint.on(BOLD, &outcome.id));
    let mut line = |label: &str, words: &str| {
        let _ = writeln!(text, "    {} {words}", paint.on(DIM, &format!("{label:9}")));
    };
    for (index, (id, words)) in clauses(outcome).into_iter().enumerate() {
        // The first is the main requirement; `explain` shows the text of the others.
        let section = spec::requirement(id).map_or("", |one| one.section);
        match index {
            0 => line("clause", &format!("[{id}] (section {section}) {words}")),
            _ => line("", &format!("[{id}] (section {section})")),
        }
    }
    line("found", &cut(&visible(&outcome.reason), REASON));
    if !outcome.flips.is_empty() {
        line("flipped", &flips(outcome));
    }
    let hidden = outcome.forgotten + outcome.exchanges.len().saturating_sub(SHOWN);
    if hidden > 0 {
        line("messages", &format!("{hidden} earlier ones are not shown"));
    }
    for exchange in &outcome.exchanges[outcome.exchanges.len().saturating_sub(SHOWN)..] {
        message(exchange, &mut line);
    }
    line("again", &visible(&again(report, outcome)));
    line("more", &format!("conformance explain {}", outcome.id));
    text
}

fn message(exchange: &Exchange, line: &mut impl FnMut(&str, &str)) {
    let label = match exchange.direction {
        Direction::Sent => format!("{} sent", exchange.peer),
        Direction::Received => format!("{} got", exchange.peer),
    };
    let at = format!("+{:.1} ms", exchange.at.as_secs_f64() * 1_000.0);
    for (index, frame) in exchange.frames.iter().enumerate() {
        if index == 0 {
            line(&visible(&label), &format!("{at:>10}  {}", cut(&visible(&frame.notation()), WIDTH)));
            line("", &format!("            {}", cut(&frame.hex(), WIDTH)));
        } else {
            line("", &format!("            + {} bytes {}", frame.length, cut(&frame.hex(), WIDTH)));
        }
    }
}

fn groups(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for verdict in [Verdict::Info, Verdict::NotApplicable, Verdict::NotRun, Verdict::Missed] {
        for (index, (reason, ids)) in grouped(report, verdict).into_iter().enumerate() {
            if index == 0 {
                text.push('\n');
            }
            let _ = writeln!(text, "{:14} {}: {}", paint.on(DIM, &verdict.to_string()), visible(reason), names(&ids));
        }
    }
    let known: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| outcome.known.is_some()).collect();
    if !known.is_empty() {
        text.push('\n');
    }
    for outcome in known {
        let reason = visible(outcome.known.as_deref().unwrap_or_default());
        let _ = writeln!(text, "{} {}, known: {reason}", paint.verdict(outcome.verdict), outcome.id);
    }
    text
}

fn remarks(report: &Report, paint: Paint) -> String {
    let mut lines = Vec::new();
    if let Some(suspect) = &report.suspect {
        lines.push(format!("{} the server did not answer any more after {suspect}", paint.on(RED, "gone")));
    }
    lines.extend(report.stale.iter().map(|stale| format!("{} baseline: {}", paint.on(RED, "stale"), visible(stale))));
    lines.extend(
        report
            .leftovers
            .iter()
            .map(|left| format!("{} the server still has {}", paint.on(YELLOW, "left over"), visible(left))),
    );
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("\n")) }
}

fn names(ids: &[&str]) -> String {
    let named = ids[..ids.len().min(NAMED)].join(", ");
    match ids.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::verdict::samples::{outcome, report, report_of};

    #[test]
    fn a_report_of_every_verdict_reads_well() {
        insta::assert_snapshot!(render(&report(), false));
    }

    #[test]
    fn without_colour_there_is_no_escape() {
        assert!(!render(&report(), false).contains('\u{1b}'));
        assert!(render(&report(), true).contains('\u{1b}'));
    }

    #[test]
    fn passes_alone_are_two_lines_and_the_closing_one() {
        let text = render(&report_of(vec![outcome("x", Verdict::Pass, "")]), false);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.ends_with("conformant in what was run: 1 passed, 0 failed in 12.3 s\n"), "{text}");
    }

    #[test]
    fn the_suspect_the_leftovers_and_stale_entries_are_named() {
        let report = Report {
            suspect: Some("the-last-one".into()),
            leftovers: vec!["/conformance-1".into()],
            stale: vec!["line 1: gone".into()],
            ..report_of(vec![])
        };
        let text = render(&report, false);
        for words in ["after the-last-one", "still has /conformance-1", "baseline: line 1: gone"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_known_failure_is_one_line_with_its_reason() {
        let known = Outcome { known: Some("issue 12".into()), ..outcome("x", Verdict::Fail, "broken") };
        let text = render(&report_of(vec![known]), false);
        assert!(text.contains("fail       x, known: issue 12") && !text.contains("found"), "{text}");
    }
}
