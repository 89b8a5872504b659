//! `conformance explain`

use super::{list::needs, print};
use crate::{
    engine::case::{Case, Level},
    exit::{Exit, Failure},
    runner::plan::every_case,
    spec::{self, Requirement, traceability, waivers},
};
use std::fmt::Write as _;

/// The width of a line.
const WIDTH: usize = 96;

/// Explains a case or a requirement.
pub(super) fn explain(id: &str) -> Result<Exit, Failure> {
    let every = every_case();
    let text = if let Some(case) = every.iter().find(|case| case.id == id) {
        of_case(case)
    } else if let Some(requirement) = spec::requirement(id) {
        of_requirement(requirement, &every)
    } else {
        return Err(Failure::new(Exit::Incomplete, format!("no case and no requirement '{id}'"))
            .hint("conformance list prints the cases, and conformance list --matrix the requirements"));
    };
    print(&text)?;
    Ok(Exit::Conformant)
}

fn of_case(case: &Case) -> String {
    let mut text = format!("{}\n\n", case.id);
    let mut part = |name: &str, words: &str| text.push_str(&wrapped(&format!("  {name:9}"), words));
    part("level", verdicts(case.level));
    part("sends", &sentence(&case.sends));
    part("passes", &case.passes);
    let needs = needs(case);
    if !needs.is_empty() {
        part("needs", &format!("{}; without it the case is not run, or not applicable", needs.join(", ")));
    }
    text.push_str("\n  It checks:\n");
    for id in case.checks {
        match spec::requirement(id) {
            Some(requirement) => text.push_str(&clause(requirement)),
            None => text.push_str(&format!("  [{id}] which the specification does not have\n")),
        }
    }
    text.push_str(&referred(case.checks));
    let hooks = [
        ("spawn", " --spawn 'COMMAND with {root} {port} {token}'"),
        ("root", " --root DIR"),
        ("restart", " --restart-cmd COMMAND"),
    ];
    let hook = hooks.iter().find(|(name, _)| needs.iter().any(|need| need == name)).map_or("", |(_, option)| option);
    let server = if hook.starts_with(" --spawn") { "" } else { " HOST:PORT" };
    let _ = writeln!(text, "\n  Run it by:\n    conformance run{server} {}{hook}", case.id);
    text
}

fn of_requirement(requirement: &Requirement, every: &[&Case]) -> String {
    let mut text = clause(requirement);
    text.push_str(&referred(&[requirement.id]));
    let cases: Vec<&&Case> = every.iter().filter(|case| case.checks.contains(&requirement.id)).collect();
    if let Some(waiver) = waivers::waiver(requirement.id) {
        let _ = writeln!(text);
        text.push_str(&wrapped("  no case: ", waiver.why));
        text.push_str(&wrapped("  instead: ", waiver.instead));
    } else if cases.is_empty() {
        text.push_str("\n  No case checks it.\n");
    } else {
        text.push_str("\n  Checked by:\n");
        for case in &cases {
            let _ = writeln!(text, "\n  {} ({})", case.id, case.level);
            text.push_str(&wrapped("    sends   ", &sentence(&case.sends)));
            text.push_str(&wrapped("    passes  ", &case.passes));
        }
        let _ = writeln!(text, "\n  Run them by:\n    conformance run HOST:PORT {}", requirement.id);
    }
    text
}

fn clause(requirement: &Requirement) -> String {
    let heading = format!("[{}] section {}, {}: ", requirement.id, requirement.section, requirement.title);
    wrapped("  ", &format!("{heading}{}", spec::plain(requirement.text)))
}

/// The text of requirements that these requirements refer to.
fn referred(ids: &[&str]) -> String {
    let mut others: Vec<&str> = Vec::new();
    for requirement in ids.iter().filter_map(|id| spec::requirement(id)) {
        let named = traceability::cited(requirement.text);
        others.extend(named.filter(|id| !ids.contains(id) && spec::requirement(id).is_some()));
    }
    others.sort_by_key(|id| spec::position(id));
    others.dedup();
    if others.is_empty() {
        return String::new();
    }
    let clauses: String = others.iter().filter_map(|id| spec::requirement(id)).map(clause).collect();
    format!("\n  Referenced requirements:\n{clauses}")
}

fn verdicts(level: Level) -> &'static str {
    match level {
        Level::Must => "must: a server that fails it does not conform",
        Level::Should => "should: a server that fails it gets a warning and conforms",
        Level::May => "may: it reports what the server chose, and cannot fail",
    }
}

fn sentence(words: &str) -> String {
    if words.ends_with('.') { words.to_owned() } else { format!("{words}.") }
}

/// Wraps words into lines, the first after `label` and the others indented.
fn wrapped(label: &str, words: &str) -> String {
    let indent = " ".repeat(label.chars().count());
    let mut text = label.to_owned();
    let mut column = indent.len();
    for (index, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&indent);
            column = indent.len();
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_case_says_what_it_sends_and_what_passes() {
        for case in every_case() {
            assert!(!case.sends.is_empty() && !case.passes.is_empty(), "{} explains nothing", case.id);
            let text = of_case(case);
            assert!(text.contains("conformance run") && text.contains(&case.id), "{text}");
        }
    }

    #[test]
    fn a_case_shows_the_words_of_its_requirements() {
        let every = every_case();
        let case = every.iter().find(|case| case.id == "a-directory-has-neither-size-nor-etag").unwrap();
        let text = of_case(case);
        assert!(
            text.contains("[ENTRY-2] section 9, Entries and etags:") && text.contains("one of a directory"),
            "{text}"
        );
    }

    #[test]
    fn a_requirement_shows_what_its_words_refer_to() {
        let text = of_requirement(spec::requirement("REMOVE-2").unwrap(), &every_case());
        assert!(text.contains("Referenced requirements:") && text.contains("[LIST-10]"), "{text}");
    }

    #[test]
    fn a_waived_requirement_says_why_and_what_instead() {
        let text = of_requirement(spec::requirement("KEY-8").unwrap(), &every_case());
        assert!(text.contains("no case: ") && text.contains("instead: "), "{text}");
    }

    #[test]
    fn lines_are_no_longer_than_the_width() {
        let text = wrapped("    sends   ", &"word ".repeat(100));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("            word")), "{text}");
    }

    #[test]
    fn what_does_not_exist_is_reported() {
        assert_eq!(explain("SEQ-999").unwrap_err().exit, Exit::Incomplete);
    }
}
