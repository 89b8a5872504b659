//! The report for programs, by `report.schema.json`.

use super::{VERSION, again, conclusion, summary, visible};
use crate::{
    engine::{
        client::HelloReply,
        journal::{Direction, Exchange},
        verdict::{Outcome, Report, Verdict},
    },
    spec,
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// The version of the schema, raised by incompatible changes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct ReportRecord<'a> {
    schema: u32,
    suite: &'static str,
    protocol: u32,
    server: String,
    /// A string, because 64 bits exceed the numbers of some readers.
    seed: String,
    began: String,
    took_ms: f64,
    round_trip_ms: f64,
    rounds: u32,
    exit: u8,
    conclusion: &'static str,
    summary: String,
    strict: bool,
    interrupted: bool,
    replies: u64,
    counts: BTreeMap<String, usize>,
    known: usize,
    served: bool,
    suspect: Option<&'a str>,
    leftovers: &'a [String],
    stale: &'a [String],
    hello: Option<Hello<'a>>,
    cases: Vec<CaseRecord<'a>>,
    requirements: Vec<RequirementRecord<'a>>,
}

#[derive(Serialize)]
struct Hello<'a> {
    window: u64,
    chunk: u64,
    header: u64,
    lease_ms: u64,
    names: &'a str,
    folds: bool,
    ro: bool,
    caps: &'a [String],
}

#[derive(Serialize)]
struct CaseRecord<'a> {
    id: &'a str,
    section: &'a str,
    level: String,
    requirements: &'a [String],
    verdict: String,
    gates: bool,
    reason: String,
    took_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_in: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    flips: BTreeMap<String, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    forgotten: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    at_ms: f64,
    peer: &'a str,
    direction: &'static str,
    frames: Vec<FrameRecord>,
}

#[derive(Serialize)]
struct FrameRecord {
    length: usize,
    /// The beginning, if the frame is long.
    hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    notation: Option<String>,
}

#[derive(Serialize)]
struct RequirementRecord<'a> {
    id: &'a str,
    section: &'a str,
    level: String,
    cases: Vec<&'a str>,
    /// The worst verdict of its cases; none if none of them was in this run.
    verdict: Option<String>,
}

pub(super) fn render(report: &Report) -> String {
    let document = ReportRecord {
        schema: SCHEMA,
        suite: VERSION,
        protocol: 1,
        server: visible(&report.server),
        seed: report.seed.to_string(),
        began: jiff::Timestamp::try_from(report.began).unwrap_or_default().to_string(),
        took_ms: milliseconds(report.took),
        round_trip_ms: milliseconds(report.round_trip),
        rounds: report.rounds,
        exit: report.exit() as u8,
        conclusion: conclusion(report),
        summary: summary(report),
        strict: report.strict,
        interrupted: report.interrupted,
        replies: report.replies,
        counts: Verdict::ALL.iter().map(|verdict| (verdict.to_string(), report.count(*verdict))).collect(),
        known: report.known(),
        served: report.served,
        suspect: report.suspect.as_deref(),
        leftovers: &report.leftovers,
        stale: &report.stale,
        hello: report.hello_reply.as_ref().map(hello),
        cases: report.outcomes.iter().map(|outcome| case(report, outcome)).collect(),
        requirements: requirements(report),
    };
    // All fields are numbers, texts, lists and maps with text keys.
    let text = serde_json::to_string_pretty(&document).expect("a report is plain data");
    escape_controls(&text) + "\n"
}

/// The worst verdict of each requirement's cases.
pub(super) fn matrix(report: &Report) -> BTreeMap<&str, (Verdict, Vec<&Outcome>)> {
    let mut matrix: BTreeMap<&str, (Verdict, Vec<&Outcome>)> = BTreeMap::new();
    for outcome in &report.outcomes {
        for id in &outcome.checks {
            let (verdict, outcomes) = matrix.entry(id).or_insert_with(|| (outcome.verdict, Vec::new()));
            if outcome.verdict.weight() > verdict.weight() {
                *verdict = outcome.verdict;
            }
            outcomes.push(outcome);
        }
    }
    matrix
}

fn requirements(report: &Report) -> Vec<RequirementRecord<'_>> {
    let mut matrix = matrix(report);
    let row = |one: &'static spec::Requirement| {
        let row = matrix.remove(one.id);
        RequirementRecord {
            id: one.id,
            section: one.section,
            level: one.level.to_string(),
            verdict: row.as_ref().map(|(verdict, _)| verdict.to_string()),
            cases: row.map(|(_, cases)| cases.iter().map(|case| case.id.as_str()).collect()).unwrap_or_default(),
        }
    };
    spec::requirements().iter().map(row).collect()
}

fn hello(hello_reply: &HelloReply) -> Hello<'_> {
    Hello {
        window: hello_reply.window,
        chunk: hello_reply.chunk,
        header: hello_reply.header,
        lease_ms: hello_reply.lease_ms,
        names: &hello_reply.names,
        folds: hello_reply.folds,
        ro: hello_reply.ro,
        caps: &hello_reply.caps,
    }
}

fn case<'a>(report: &Report, outcome: &'a Outcome) -> CaseRecord<'a> {
    let passed = outcome.verdict == Verdict::Pass && outcome.flips.is_empty();
    CaseRecord {
        id: &outcome.id,
        section: &outcome.section,
        level: outcome.level.to_string(),
        requirements: &outcome.checks,
        verdict: outcome.verdict.to_string(),
        gates: outcome.gates(report.strict),
        reason: visible(&outcome.reason),
        took_ms: milliseconds(outcome.took),
        known: outcome.known.as_deref(),
        seen_in: outcome.seen_in.as_deref(),
        flips: outcome.flips.iter().map(|(verdict, times)| (verdict.to_string(), *times)).collect(),
        again: (!passed).then(|| again(report, outcome)),
        forgotten: outcome.forgotten,
        messages: outcome.exchanges.iter().map(message).collect(),
    }
}

fn message(exchange: &Exchange) -> Message<'_> {
    let frames = exchange.frames.iter().enumerate().map(|(index, frame)| FrameRecord {
        length: frame.length,
        hex: crate::wire::cbor::hex(&frame.bytes),
        notation: (index == 0).then(|| visible(&frame.notation())),
    });
    Message {
        at_ms: milliseconds(exchange.at),
        peer: &exchange.peer,
        direction: match exchange.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        },
        frames: frames.collect(),
    }
}

/// Escapes the control characters that JSON allows in a string.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are precise enough.
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::verdict::samples::{outcome, report};
    use serde_json::Value;

    fn schema() -> jsonschema::Validator {
        let schema: Value = serde_json::from_str(include_str!("../../report.schema.json")).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    }

    fn rendered(report: &Report) -> Value {
        serde_json::from_str(&render(report)).unwrap()
    }

    #[test]
    fn a_report_of_every_verdict_keeps_to_the_schema() {
        let mut full = report();
        full.suspect = Some("x".into());
        full.leftovers = vec!["/conformance-1: NOT_EMPTY".into()];
        full.stale = vec!["line 1: gone".into()];
        full.outcomes[0].flips = vec![(Verdict::Pass, 1), (Verdict::Fail, 2)];
        full.outcomes[1].known = Some("later".into());
        full.outcomes[2].seen_in = Some("y".into());
        let report = rendered(&full);
        let errors: Vec<String> = schema().iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn the_schema_is_closed() {
        let mut report = rendered(&report());
        report["cases"][0]["unheard_of"] = Value::Bool(true);
        assert!(!schema().is_valid(&report));
        assert!(!schema().is_valid(&serde_json::json!({"schema": 1})));
    }

    #[test]
    fn a_requirement_has_the_worst_verdict_of_its_cases_and_their_ids() {
        let report = rendered(&crate::engine::verdict::samples::report_of(vec![
            outcome("x", Verdict::Pass, ""),
            outcome("y", Verdict::Fail, ""),
        ]));
        let rows = report["requirements"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == "APPEND-1").unwrap();
        assert_eq!((row["verdict"].as_str(), row["cases"].as_array().unwrap().len()), (Some("fail"), 2));
        assert_eq!(rows.len(), spec::requirements().len());
    }

    #[test]
    fn a_pass_needs_no_command_and_a_failure_has_one() {
        let report = rendered(&report());
        let cases = report["cases"].as_array().unwrap();
        assert!(cases[0].get("again").is_none());
        assert!(cases[1]["again"].as_str().unwrap().starts_with("conformance run "));
    }
}
