//! Reports of a run, for people and for machines.

mod html;
mod json;
mod junit;
mod progress;
pub(crate) mod redact;
mod tap;
mod terminal;
mod xml;

pub(crate) use progress::Progress;
pub(crate) use xml::escape;

use crate::{
    command::args::Format,
    engine::verdict::{Outcome, Report, Verdict},
    spec,
};
use std::collections::BTreeMap;

/// The suite's own version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A whole report, with a final line end.
pub(crate) fn render(report: &Report, format: Format, colour: bool) -> String {
    match format {
        Format::Terminal => terminal::render(report, colour),
        Format::Json => json::render(report),
        Format::Junit => junit::render(report),
        Format::Tap => tap::render(report),
        Format::Html => html::render(report),
    }
}

/// The command that repeats a case.
pub(crate) fn again(report: &Report, outcome: &Outcome) -> String {
    let mut words = vec!["conformance".to_owned(), "run".to_owned()];
    if !report.server.is_empty() {
        words.push(report.server.clone());
    }
    words.push(outcome.id.clone());
    // A check of every reply needs the case in which it failed.
    words.extend(outcome.seen_in.clone());
    words.extend(["--seed".to_owned(), report.seed.to_string()]);
    words.extend(report.options.iter().cloned());
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Escapes control and bidirectional characters.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The closing line, without its line end: `412 passed, 2 failed, …`.
pub(crate) fn summary(report: &Report) -> String {
    let mut parts = vec![format!("{} passed", report.count(Verdict::Pass))];
    parts.push(format!("{} failed", report.count(Verdict::Fail)));
    let flips = report.outcomes.iter().filter(|outcome| !outcome.flips.is_empty()).count();
    let counted = [
        (report.count(Verdict::Untestable), "untestable"),
        (flips, "flipped"),
        (report.known(), "known to fail"),
        (report.count(Verdict::Warn), "warned"),
        (report.count(Verdict::Info), "noted"),
        (report.count(Verdict::NotApplicable), "not applicable"),
    ];
    parts.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")));
    let not_run = grouped(report, Verdict::NotRun);
    if !not_run.is_empty() {
        let reasons: Vec<&str> = not_run.keys().copied().collect();
        parts.push(format!("{} not run ({})", report.count(Verdict::NotRun), reasons.join("; ")));
    }
    let counted = [(report.count(Verdict::Missed), "missed"), (report.count(Verdict::HarnessError), "harness errors")];
    parts.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")));
    if !report.stale.is_empty() {
        parts.push(format!("{} stale in the baseline", report.stale.len()));
    }
    parts.join(", ")
}

/// The conclusion about the server, in a few words.
pub(crate) fn conclusion(report: &Report) -> &'static str {
    use crate::exit::Exit;
    match report.exit() {
        Exit::Conformant if report.known() > 0 => "conformant except for the known failures",
        Exit::Conformant => "conformant in what was run",
        Exit::NotConformant if report.outcomes.iter().any(|outcome| outcome.gates(report.strict)) => "not conformant",
        Exit::NotConformant => "the baseline is stale",
        Exit::Incomplete if report.interrupted => "interrupted",
        Exit::Incomplete => "incomplete",
        _ => "the suite failed",
    }
}

/// Shortens a text of any length.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// The cases of a verdict by their reasons.
fn grouped(report: &Report, verdict: Verdict) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for outcome in report.outcomes.iter().filter(|outcome| outcome.verdict == verdict) {
        groups.entry(&outcome.reason).or_default().push(&outcome.id);
    }
    groups
}

/// The requirements of an outcome with their text.
fn clauses(outcome: &Outcome) -> Vec<(&str, String)> {
    let words = |id: &str| spec::requirement(id).map(|one| spec::plain(one.text)).unwrap_or_default();
    outcome.checks.iter().map(|id| (id.as_str(), words(id))).collect()
}

/// How often each verdict of a case occurred.
fn flips(outcome: &Outcome) -> String {
    let counts: Vec<String> = outcome.flips.iter().map(|(verdict, times)| format!("{times} × {verdict}")).collect();
    counts.join(", ")
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::verdict::samples::{outcome, report, report_of},
        report::redact::{
            Redactor,
            tests::{leaky, secrets, target},
        },
    };

    const FORMATS: [Format; 5] = [Format::Terminal, Format::Json, Format::Junit, Format::Tap, Format::Html];

    #[test]
    fn no_format_shows_a_planted_secret() {
        let redacted = Redactor::new(&target()).outcome(leaky());
        for format in FORMATS {
            let text = render(&report_of(vec![redacted.clone()]), format, true);
            assert!(text.contains("a-case-that-leaks"), "{format:?}");
            for secret in secrets() {
                assert!(!text.contains(&secret), "{format:?} shows {secret}");
            }
        }
    }

    #[test]
    fn the_planted_secrets_would_show_without_redaction() {
        for format in [Format::Terminal, Format::Json, Format::Html] {
            let text = render(&report_of(vec![leaky()]), format, false);
            assert!(secrets().iter().any(|secret| text.contains(secret)), "{format:?}");
        }
    }

    #[test]
    fn no_format_lets_a_control_character_of_the_server_through() {
        for format in FORMATS {
            let text = render(&report(), format, false);
            assert!(!text.contains(|character: char| character.is_control() && character != '\n'), "{format:?}");
        }
    }

    #[test]
    fn no_format_drops_a_case() {
        for format in [Format::Json, Format::Junit, Format::Tap, Format::Html] {
            let text = render(&report(), format, false);
            for outcome in report().outcomes {
                assert!(text.contains(&outcome.id), "{format:?} lacks {}", outcome.id);
            }
        }
    }

    #[test]
    fn the_closing_line_counts_everything() {
        assert_eq!(
            summary(&report()),
            "1 passed, 2 failed, 1 untestable, 1 warned, 1 noted, 1 not applicable, 1 not run (needs --spawn), \
             1 missed, 1 harness errors"
        );
    }

    #[test]
    fn a_case_is_run_again_with_seed_and_options() {
        let report = report();
        assert_eq!(
            again(&report, &outcome("x", Verdict::Fail, "")),
            "conformance run localhost:6768 x --seed 42 --timeout 9"
        );
    }

    #[test]
    fn a_check_of_every_reply_is_run_again_with_the_case_where_it_failed() {
        let failed = Outcome { seen_in: Some("y".into()), ..outcome("x", Verdict::Fail, "") };
        assert!(again(&report(), &failed).contains(" x y --seed"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
        assert_eq!(quoted("--x=1"), "--x=1");
    }

    #[test]
    fn what_turns_writing_around_is_shown() {
        assert_eq!(visible("a\u{202e}b\u{1b}"), "a\\u{202e}b\\u{1b}");
    }
}
