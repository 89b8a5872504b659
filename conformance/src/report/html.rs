//! A self-contained HTML page: the matrix of requirements and cases, and every failure in full.

use super::{VERSION, again, clauses, conclusion, flips, json::matrix, summary, visible, xml::escape};
use crate::{
    engine::{
        journal::{Direction, Exchange},
        verdict::{Outcome, Report, Verdict},
    },
    spec::{self, waivers},
};
use std::fmt::Write as _;

/// The page around the report, with its style and script.
const PAGE: &str = include_str!("page.html");

pub(super) fn render(report: &Report) -> String {
    let conclusion = conclusion(report);
    let fields: [(&str, String); 9] = [
        ("{{server}}", shown(if report.server.is_empty() { "a server of its own" } else { &report.server })),
        ("{{conclusion}}", escape(conclusion)),
        ("{{tone}}", if report.exit() as u8 == 0 { "good" } else { "bad" }.into()),
        ("{{summary}}", escape(&summary(report))),
        ("{{facts}}", facts(report)),
        ("{{bar}}", bar(report)),
        ("{{remarks}}", remarks(report)),
        ("{{cases}}", cases(report)),
        ("{{matrix}}", rows(report)),
    ];
    // One pass, so that the text of a field is not replaced again.
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some(at) = rest.find("{{") {
        let (before, field) = rest.split_at(at);
        page.push_str(before);
        let found = fields.iter().find(|(name, _)| field.starts_with(name));
        match found {
            Some((name, value)) => {
                page.push_str(value);
                rest = &field[name.len()..];
            }
            None => {
                page.push_str("{{");
                rest = &field[2..];
            }
        }
    }
    page.push_str(rest);
    page
}

fn facts(report: &Report) -> String {
    let began = jiff::Timestamp::try_from(report.began).unwrap_or_default();
    let mut facts = vec![
        ("suite", VERSION.to_owned()),
        ("protocol", "1".into()),
        ("began", began.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ("took", format!("{:.1} s", report.took.as_secs_f64())),
        ("round trip", format!("{:.1} ms", report.round_trip.as_secs_f64() * 1_000.0)),
        ("seed", report.seed.to_string()),
        ("replies checked", report.replies.to_string()),
    ];
    if report.rounds > 1 {
        facts.push(("rounds", report.rounds.to_string()));
    }
    if let Some(hello_reply) = &report.hello_reply {
        facts.extend([
            ("window", hello_reply.window.to_string()),
            ("chunk", hello_reply.chunk.to_string()),
            ("header", hello_reply.header.to_string()),
            ("lease", format!("{} ms", hello_reply.lease_ms)),
            ("names", visible(&hello_reply.names)),
            ("folds", hello_reply.folds.to_string()),
            ("read-only", hello_reply.ro.to_string()),
            ("caps", format!("{:?}", hello_reply.caps)),
        ]);
    }
    facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value))).collect()
}

/// The verdicts as parts of a bar.
fn bar(report: &Report) -> String {
    let parts = Verdict::ALL.iter().map(|verdict| (*verdict, report.count(*verdict))).filter(|(_, count)| *count > 0);
    parts
        .map(|(verdict, count)| {
            format!("<span class=\"v-{verdict}\" style=\"flex:{count}\" title=\"{count} {verdict}\"></span>")
        })
        .collect()
}

fn remarks(report: &Report) -> String {
    let mut lines = Vec::new();
    if let Some(suspect) = &report.suspect {
        lines.push(format!("The server did not answer any more after {suspect}."));
    }
    lines.extend(report.stale.iter().map(|stale| format!("Baseline, {stale}.")));
    lines.extend(report.leftovers.iter().map(|left| format!("The server still has {left}.")));
    if report.interrupted {
        lines.push("The run was interrupted.".into());
    }
    lines.iter().map(|line| format!("<p class=\"remark\">{}</p>", shown(line))).collect()
}

/// All cases, failures first.
fn cases(report: &Report) -> String {
    let (failed, others): (Vec<&Outcome>, Vec<&Outcome>) =
        report.outcomes.iter().partition(|outcome| outcome.gates(report.strict));
    failed.into_iter().chain(others).map(|outcome| case(report, outcome)).collect()
}

fn case(report: &Report, outcome: &Outcome) -> String {
    let open = if outcome.gates(report.strict) { " open" } else { "" };
    let known = if outcome.known.is_some() { " <span class=\"tag\">known</span>" } else { "" };
    let flipped = if outcome.flips.is_empty() { "" } else { " <span class=\"tag\">flipped</span>" };
    let mut text = format!(
        "<details class=\"case\" id=\"case-{id}\" data-verdict=\"{verdict}\" data-level=\"{level}\"{open}>\
         <summary>{badge}<b>{id}</b>{known}{flipped}<span class=\"about\">{about}</span>\
         <span class=\"took\">{took:.1} ms</span></summary><div class=\"body\">",
        id = escape(&outcome.id),
        verdict = outcome.verdict,
        level = outcome.level,
        badge = badge(outcome.verdict),
        about = escape(&outcome.checks.join(" ")),
        took = outcome.took.as_secs_f64() * 1_000.0,
    );
    for (id, words) in clauses(outcome) {
        let section = spec::requirement(id).map_or("", |one| one.section);
        let _ = write!(
            text,
            "<p class=\"clause\"><a href=\"#req-{id}\">{id}</a> <span class=\"muted\">section {section}</span> {}</p>",
            escape(&words)
        );
    }
    let mut fact = |name: &str, value: &str| {
        let _ = write!(text, "<p><span class=\"label\">{name}</span> {}</p>", shown(value));
    };
    if !outcome.reason.is_empty() {
        fact("found", &outcome.reason);
    }
    if let Some(known) = &outcome.known {
        fact("known", known);
    }
    if !outcome.flips.is_empty() {
        fact("flipped", &flips(outcome));
    }
    if !outcome.exchanges.is_empty() {
        text += &messages(outcome);
    }
    if outcome.verdict != Verdict::Pass {
        let _ =
            write!(text, "<p><span class=\"label\">again</span> <code>{}</code></p>", shown(&again(report, outcome)));
    }
    text + "</div></details>\n"
}

fn messages(outcome: &Outcome) -> String {
    let mut text = String::from("<table class=\"messages\">");
    if outcome.forgotten > 0 {
        let _ = write!(
            text,
            "<tr><td colspan=\"3\" class=\"muted\">{} earlier messages are not shown</td></tr>",
            outcome.forgotten
        );
    }
    for exchange in &outcome.exchanges {
        text += &message(exchange);
    }
    text + "</table>"
}

fn message(exchange: &Exchange) -> String {
    let (arrow, class) = match exchange.direction {
        Direction::Sent => ("→", "sent"),
        Direction::Received => ("←", "got"),
    };
    let mut frames = String::new();
    for (index, frame) in exchange.frames.iter().enumerate() {
        let notation = if index == 0 { frame.notation() } else { format!("payload of {} bytes", frame.length) };
        let _ = write!(frames, "<code>{}</code><code class=\"hex\">{}</code>", shown(&notation), escape(&frame.hex()));
    }
    format!(
        "<tr class=\"{class}\"><td>+{:.1} ms</td><td>{} {arrow}</td><td>{frames}</td></tr>",
        exchange.at.as_secs_f64() * 1_000.0,
        shown(&exchange.peer)
    )
}

fn rows(report: &Report) -> String {
    let matrix = matrix(report);
    let mut text = String::new();
    let mut section = "";
    for one in spec::requirements() {
        if one.section != section {
            section = one.section;
            let _ = write!(text, "<tr class=\"section\"><th colspan=\"4\">{section} {}</th></tr>", escape(one.title));
        }
        let row = matrix.get(one.id);
        let waiver = waivers::waiver(one.id);
        let state =
            row.map_or(if waiver.is_some() { "waived" } else { "none" }.to_owned(), |(verdict, _)| verdict.to_string());
        let by = match (row, waiver) {
            (Some((_, outcomes)), _) => outcomes
                .iter()
                .map(|outcome| {
                    let id = escape(&outcome.id);
                    format!("<a class=\"chip v-{}\" href=\"#case-{id}\">{id}</a>", outcome.verdict)
                })
                .collect(),
            (None, Some(waiver)) => format!("<span class=\"muted\">cannot be observed: {}</span>", escape(waiver.why)),
            (None, None) => "<span class=\"muted\">not in this run</span>".into(),
        };
        let _ = writeln!(
            text,
            "<tr id=\"req-{id}\" data-verdict=\"{state}\" data-level=\"{level}\"><td><b>{id}</b><br><span class=\"muted\">{level}</span></td>\
             <td>{badge}</td><td class=\"words\">{words}</td><td>{by}</td></tr>",
            id = one.id,
            level = one.level,
            badge = row.map_or_else(
                || format!("<span class=\"badge v-{state}\">{}</span>", if state == "none" { "–" } else { &state }),
                |(verdict, _)| badge(*verdict)
            ),
            words = escape(&spec::plain(one.text)),
        );
    }
    text
}

fn badge(verdict: Verdict) -> String {
    format!("<span class=\"badge v-{verdict}\">{verdict}</span>")
}

fn shown(text: &str) -> String {
    escape(&visible(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::verdict::samples::report;

    #[test]
    fn every_field_of_the_page_is_filled() {
        let page = render(&report());
        assert!(!page.contains("{{"), "{}", &page[page.find("{{").unwrap_or(0)..][..40]);
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = render(&report());
        for needed in ["src=", "<link", "@import", "url(", "http://", "https://"] {
            assert!(!page.contains(needed), "{needed}");
        }
    }

    #[test]
    fn what_a_server_said_is_not_markup() {
        let page = render(&report());
        assert!(
            !page.contains("<b>\\u{1b}") && page.contains("&lt;b&gt;\\u{1b}[31m &amp;"),
            "the reason is not escaped"
        );
    }

    #[test]
    fn every_requirement_has_a_row_and_every_case_a_place() {
        let page = render(&report());
        for one in spec::requirements() {
            assert!(page.contains(&format!("<tr id=\"req-{}\"", one.id)), "{}", one.id);
        }
        for outcome in report().outcomes {
            assert!(page.contains(&format!("id=\"case-{}\"", outcome.id)), "{}", outcome.id);
        }
    }

    #[test]
    fn template_fields_in_text_of_the_server_are_not_replaced() {
        let mut report = report();
        report.outcomes[1].reason = "{{matrix}}".into();
        assert_eq!(render(&report).matches("{{matrix}}").count(), 1);
    }
}
