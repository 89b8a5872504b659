//! The report as one self-contained page: the kill table by mutation, by case and by requirement.

use super::findings::{CaseFinding, MutationFinding, SelfTestReport};
use crate::{
    report::{escape, visible},
    spec,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// The page around the tables, with its style and script.
const PAGE: &str = include_str!("page.html");

pub(super) fn render(findings: &SelfTestReport) -> String {
    let good = findings.exit() as u8 == 0;
    let fields: [(&str, String); 9] = [
        ("{{conclusion}}", shown(findings.conclusion())),
        ("{{tone}}", if good { "good" } else { "bad" }.into()),
        ("{{sentence}}", shown(&findings.score.sentence())),
        ("{{facts}}", facts(findings)),
        ("{{remarks}}", remarks(findings)),
        ("{{mutations}}", mutations(findings)),
        ("{{cases}}", findings.cases.iter().map(case).collect()),
        ("{{requirements}}", requirements(findings)),
        ("{{others}}", others(findings)),
    ];
    let (mut page, mut rest) = (String::new(), PAGE);
    // One pass, so that nothing in a field is taken for another field.
    while let Some(at) = rest.find("{{") {
        let (before, field) = rest.split_at(at);
        page.push_str(before);
        let (name, value) = fields
            .iter()
            .find(|(name, _)| field.starts_with(name))
            .expect("a test sees that the page names fields alone");
        page.push_str(value);
        rest = &field[name.len()..];
    }
    page.push_str(rest);
    page
}

fn facts(findings: &SelfTestReport) -> String {
    let facts = [
        ("suite", findings.suite.to_owned()),
        ("began", findings.began.clone()),
        ("took", format!("{} s", findings.took_ms / 1_000)),
        ("seed", findings.seed.clone()),
        (
            "outcome",
            if findings.full { "every mutation with every case" } else { "each mutation with the cases that cite it" }
                .into(),
        ),
    ];
    facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value))).collect()
}

fn remarks(findings: &SelfTestReport) -> String {
    let void = findings.void.iter().map(|why| format!("void: {why}"));
    let lists = [
        ("worse than committed", &findings.drops),
        ("flip", &findings.flips),
        ("stale", &findings.stale),
        ("the suite itself failed", &findings.errors),
        ("better than committed", &findings.gains),
    ];
    let lines = lists.iter().flat_map(|(what, lines)| lines.iter().map(move |line| format!("{what}: {line}")));
    void.chain(lines).map(|line| format!("<p class=\"remark\">{}</p>", shown(&line))).collect()
}

fn mutations(findings: &SelfTestReport) -> String {
    findings.mutations.iter().map(mutation).collect()
}

fn mutation(mutation: &MutationFinding) -> String {
    let (killers, others): (Vec<_>, Vec<_>) = mutation.cells.iter().partition(|cell| cell.kills);
    let mut body = format!("<p>{}</p>", shown(&mutation.description));
    if !mutation.why.is_empty() {
        let _ = write!(body, "<p class=\"bad\">{}</p>", shown(&mutation.why));
    }
    let row = |cell: &&super::findings::CellFinding| {
        let under = if cell.variant == "plain" { String::new() } else { format!(" under {}", cell.variant) };
        format!(
            "<tr><td><a href=\"#case-{id}\">{id}</a>{}{}</td><td>{}</td><td>{}</td></tr>",
            escape(&under),
            if cell.cites { "" } else { " <span class=\"muted\">(does not cite it)</span>" },
            escape(&cell.verdict),
            shown(&cell.reason),
            id = escape(&cell.case)
        )
    };
    let _ = write!(
        body,
        "<table>{}{}</table>",
        killers.iter().map(row).collect::<String>(),
        others.iter().map(row).collect::<String>()
    );
    if !mutation.passed.is_empty() {
        let passed: String = mutation.passed.iter().map(|id| chip("case", id, "quiet")).collect();
        let _ = write!(body, "<details><summary>{} passed</summary>{passed}</details>", mutation.passed.len());
    }
    let cites: String = mutation.requirements.iter().map(|id| chip("req", id, "info")).collect();
    format!(
        "<details class=\"row\" id=\"mutation-{name}\" data-class=\"{class}\"><summary><span class=\"badge c-{class}\">{class}</span> \
         <b>{name}</b> {cites} <span class=\"muted\">{}</span></summary>{body}</details>\n",
        shown(&killed_by(killers.len())),
        name = escape(&mutation.name),
        class = escape(&mutation.class),
    )
}

fn killed_by(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "by one case".into(),
        more => format!("by {more} cases"),
    }
}

fn case(case: &CaseFinding) -> String {
    let class = match (&case.table, case.kills.is_empty()) {
        (_, false) => "killed",
        (Some(_), true) => "equivalent",
        (None, true) => "survived",
    };
    let kills: String = case.kills.iter().map(|name| chip("mutation", name, "killed")).collect();
    let table = case
        .table
        .as_deref()
        .map_or_else(String::new, |said| format!(" <span class=\"muted\">table: {}</span>", shown(said)));
    let cites: String = case.requirements.iter().map(|id| chip("req", id, "info")).collect();
    format!(
        "<div class=\"row\" id=\"case-{id}\" data-class=\"{class}\"><b>{id}</b> {cites}<br>{kills}{table}</div>\n",
        id = escape(&case.id)
    )
}

fn requirements(findings: &SelfTestReport) -> String {
    let classes: BTreeMap<&str, &str> =
        findings.mutations.iter().map(|mutation| (mutation.name.as_str(), mutation.class.as_str())).collect();
    let rows = findings.requirements.iter().map(|one| {
        let class = match (one.killed, one.waived, one.level.as_str()) {
            (1.., _, _) => "killed",
            (0, false, "must") => "survived",
            _ => "equivalent",
        };
        let mutations: String = one
            .mutations
            .iter()
            .map(|name| chip("mutation", name, classes.get(name.as_str()).copied().unwrap_or("survived")))
            .collect();
        let words = spec::requirement(&one.id).map_or_else(String::new, |one| spec::plain(one.text));
        format!(
            "<div class=\"row\" id=\"req-{id}\" data-class=\"{class}\"><b>{id}</b> <span class=\"muted\">{} · {} cases{}</span> {}<br>{mutations}</div>\n",
            escape(&one.level),
            one.cases,
            if one.waived { " · waived" } else { "" },
            escape(&words),
            id = escape(&one.id),
        )
    });
    rows.collect()
}

/// Sound servers, and harness mutations.
fn others(findings: &SelfTestReport) -> String {
    let sound = findings.sound.iter().map(|sound| {
        let class = if sound.failures.is_empty() { "killed" } else { "survived" };
        let said = if sound.failures.is_empty() { "sound" } else { "failed" };
        let failures: String =
            sound.failures.iter().map(|what| format!("<p class=\"bad\">{}</p>", shown(what))).collect();
        format!(
            "<div class=\"row\" data-class=\"{class}\"><span class=\"badge c-{class}\">{said}</span> <b>{}</b> {} \
             <span class=\"muted\">{} passed, {} not applicable</span>{failures}</div>\n",
            escape(&sound.name),
            shown(&sound.description),
            sound.passed,
            sound.not_applicable
        )
    });
    let harness = findings.harness.iter().map(|mutant| {
        let class = if mutant.killed { "killed" } else { "survived" };
        format!(
            "<div class=\"row\" data-class=\"{class}\"><span class=\"badge c-{class}\">{class}</span> <b>{}</b> {} \
             <span class=\"muted\">{}</span></div>\n",
            escape(&mutant.name),
            shown(&mutant.description),
            shown(&mutant.why)
        )
    });
    sound.chain(harness).collect()
}

fn chip(kind: &str, name: &str, class: &str) -> String {
    let name = escape(name);
    format!("<a class=\"chip c-{class}\" href=\"#{kind}-{name}\">{name}</a> ")
}

fn shown(text: &str) -> String {
    escape(&visible(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::findings::tests::findings;

    #[test]
    fn every_field_of_the_page_is_filled() {
        assert!(!render(&findings()).contains("{{"));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = render(&findings());
        for needed in ["src=", "<link", "@import", "url(", "http://", "https://"] {
            assert!(!page.contains(needed), "{needed}");
        }
    }

    #[test]
    fn what_a_server_said_is_not_markup() {
        let page = render(&findings());
        assert!(page.contains("&lt;b&gt;\\u{1b}[31m &amp; ") && page.contains("It takes &lt;any&gt; number."));
    }

    #[test]
    fn mutations_cases_and_requirements_lead_to_each_other() {
        let page = render(&findings());
        for place in ["mutation-a-gap-is-taken", "case-a-gap-is-refused", "req-SEQ-5"] {
            assert!(
                page.contains(&format!("id=\"{place}\"")) && page.contains(&format!("href=\"#{place}\"")),
                "{place}"
            );
        }
    }
}
