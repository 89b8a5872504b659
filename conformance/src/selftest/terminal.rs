//! The report for a terminal: problems in full, the kill table in short.

use super::{
    findings::{MutationFinding, SelfTestReport},
    kill_status::KillStatus,
};
use crate::{exit::Exit, report::visible};
use std::fmt::Write as _;

/// Cases named in a row of the table, and characters of a reason.
const NAMED: usize = 3;
const REASON: usize = 160;
/// Cases without a kill that are listed.
const LISTED: usize = 30;

const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[1;32m";
const YELLOW: &str = "\u{1b}[1;33m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

pub(super) fn render(findings: &SelfTestReport, colour: bool) -> String {
    let on = |style: &str, text: &str| if colour { format!("{style}{text}{RESET}") } else { text.to_owned() };
    let mut text = on(BOLD, "Mutations, and the cases that killed them") + "\n";
    for mutation in &findings.mutations {
        let style = match &mutation.class {
            class if *class == KillStatus::Killed.to_string() => GREEN,
            class if *class == KillStatus::Equivalent.to_string() => YELLOW,
            _ => RED,
        };
        let class = on(style, &format!("{:10}", mutation.class));
        let _ = writeln!(text, "{class} {}  [{}]  {}", mutation.name, mutation.requirements.join(" "), by(mutation));
    }
    if !findings.sound.is_empty() {
        text += &format!("\n{}\n", on(BOLD, "Sound servers, and what failed there"));
    }
    for sound in &findings.sound {
        let (passed, took) = (sound.passed, sound.took_ms / 1_000);
        let figures = format!("{passed} passed, {} not applicable in {took} s", sound.not_applicable);
        let style = if sound.failures.is_empty() { GREEN } else { RED };
        let verdict = on(style, if sound.failures.is_empty() { "sound     " } else { "failed    " });
        let _ = writeln!(text, "{verdict} {}  {figures}", sound.name);
        listed(&mut text, &sound.failures);
    }
    if !findings.harness.is_empty() {
        text += &format!("\n{}\n", on(BOLD, "Harness mutations, and what detected them"));
    }
    for mutant in &findings.harness {
        let verdict = if mutant.killed { on(GREEN, "killed    ") } else { on(RED, "survived  ") };
        let _ = writeln!(text, "{verdict} {}  {}", mutant.name, shown(&mutant.why));
    }
    let bare = |case: &&super::findings::CaseFinding| case.kills.is_empty() && case.table.is_none();
    let without_kill: Vec<String> = findings.cases.iter().filter(bare).map(|case| case.id.clone()).collect();
    let unproven: Vec<String> = findings
        .requirements
        .iter()
        .filter(|one| one.level == "must" && one.cases > 0 && one.killed == 0)
        .map(|one| one.id.clone())
        .collect();
    let mut paragraphs: Vec<(&str, &str, Vec<String>)> = Vec::new();
    if findings.whole {
        paragraphs.push((YELLOW, "Cases that kill no mutation", first(without_kill)));
        paragraphs.push((YELLOW, "Requirements of which no mutation is killed", vec![unproven.join(" ")]));
    }
    paragraphs.extend([
        (RED, "Flips", findings.flips.clone()),
        (RED, "Stale in the committed", findings.stale.clone()),
        (RED, "The suite itself failed", findings.errors.clone()),
        (RED, "Worse than committed", findings.drops.clone()),
        (YELLOW, "Better than committed (record it with --write)", findings.gains.clone()),
        (RED, "Void", findings.void.iter().cloned().collect()),
    ]);
    for (style, heading, lines) in paragraphs {
        if lines.iter().any(|line| !line.is_empty()) {
            let _ = writeln!(text, "\n{}", on(style, heading));
            listed(&mut text, &lines);
        }
    }
    let style = if findings.exit() == Exit::Conformant { GREEN } else { RED };
    let conclusion = on(style, findings.conclusion());
    let took = findings.took_ms / 1_000;
    let _ = writeln!(text, "\n{conclusion}: {}; in {took} s", findings.score.sentence());
    text
}

/// The cases that killed a mutation, or the reason why none did.
fn by(mutation: &MutationFinding) -> String {
    let killers: Vec<&str> = mutation.cells.iter().filter(|cell| cell.kills).map(|cell| cell.case.as_str()).collect();
    let cited: Vec<&str> =
        mutation.cells.iter().filter(|cell| cell.kills && cell.cites).map(|cell| cell.case.as_str()).collect();
    let named = cited.iter().chain(killers.iter().filter(|case| !cited.contains(case)));
    let named: Vec<&str> = named.take(NAMED).copied().collect();
    let more = killers.len().saturating_sub(named.len());
    let mut text = named.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    if !mutation.why.is_empty() {
        text = [shown(&mutation.why), text].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    }
    text
}

fn first(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn listed(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "  {}", shown(line));
    }
}

/// The beginning of a text that may contain bytes of a server.
fn shown(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(REASON) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::findings::tests::findings;

    #[test]
    fn every_mutation_has_a_line_and_the_last_line_has_the_figures() {
        let text = render(&findings(), false);
        assert!(text.contains("killed     a-gap-is-taken  [SEQ-5]  a-gap-is-refused\n"), "{text}");
        assert!(text.contains("survived   late"), "{text}");
        let last = text.lines().last().unwrap_or_default();
        assert!(last.contains(&findings().score.sentence()), "{last}");
    }

    #[test]
    fn without_colours_nothing_moves_a_terminal() {
        let mut findings = findings();
        findings.sound[0].failures.push("x: \u{1b}[31m".into());
        assert!(!render(&findings, false).contains('\u{1b}'));
    }
}
