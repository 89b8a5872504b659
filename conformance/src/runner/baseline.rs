//! The baseline: a file of known failures with reasons, which do not fail a run. A stale entry does.

use crate::{
    engine::verdict::{Outcome, Verdict},
    exit::Failure,
};
use std::{collections::BTreeMap, fs, path::Path};

/// The verdicts that an entry may have.
const KNOWABLE: [Verdict; 3] = [Verdict::Fail, Verdict::Untestable, Verdict::Warn];

/// Known failures by the ids of their cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline(BTreeMap<String, Known>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    verdict: Verdict,
    reason: String,
    line: usize,
}

impl Baseline {
    /// Reads a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let named = |error: String| {
            Failure::usage(format!("baseline {}: {error}", path.display())).hint(
                "write a line such as `append-at-a-wrong-offset-is-refused: fail — issue 12: offsets are not checked yet`",
            )
        };
        let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        Self::parse(&text).map_err(named)
    }

    /// Parses lines of `case-id: verdict — reason`; skips empty lines and those that begin with `#`.
    fn parse(text: &str) -> Result<Self, String> {
        let mut known = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| format!("line {line_number}: {what}");
            let (id, rest) = line.split_once(':').ok_or_else(|| wrong("no colon after the id of a case"))?;
            let rest = rest.trim();
            let (verdict, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let verdict = KNOWABLE
                .into_iter()
                .find(|one| one.to_string() == verdict)
                .ok_or_else(|| wrong(&format!("'{verdict}' is not fail, untestable or warn")))?;
            let reason = reason.trim_start().trim_start_matches(['—', '–', '-']).trim();
            if reason.is_empty() {
                return Err(wrong("the reason is missing"));
            }
            let entry = Known { verdict, reason: reason.to_owned(), line: line_number };
            if let Some(first) = known.insert(id.trim().to_owned(), entry) {
                return Err(wrong(&format!("{} is already in line {}", id.trim(), first.line)));
            }
        }
        Ok(Self(known))
    }

    /// Marks the known failures and returns the stale entries.
    ///
    /// `exists` returns whether there is a case of that id, run or not.
    pub(crate) fn apply(&self, outcomes: &mut [Outcome], exists: impl Fn(&str) -> bool) -> Vec<String> {
        let mut stale = Vec::new();
        for (id, known) in &self.0 {
            let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.id == *id) else {
                if !exists(id) {
                    stale.push(format!("line {}: there is no case {id}", known.line));
                }
                continue;
            };
            match outcome.verdict {
                verdict if verdict == known.verdict => outcome.known = Some(known.reason.clone()),
                // It was not run, so the entry cannot be judged.
                Verdict::NotRun | Verdict::Missed | Verdict::HarnessError => {}
                verdict => stale.push(format!(
                    "line {}: {id} is {verdict} now, not {}: remove the line, or correct it",
                    known.line, known.verdict
                )),
            }
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::verdict::samples::outcome;

    fn applied(text: &str, outcomes: &mut [Outcome]) -> Vec<String> {
        Baseline::parse(text).unwrap().apply(outcomes, |id| id == "not-selected")
    }

    #[test]
    fn a_known_failure_is_marked_with_its_reason() {
        let mut outcomes = [outcome("a", Verdict::Fail, ""), outcome("b", Verdict::Fail, "")];
        assert!(applied("# comment\n\na: fail — issue 12: later\n", &mut outcomes).is_empty());
        assert_eq!(outcomes[0].known.as_deref(), Some("issue 12: later"));
        assert_eq!(outcomes[1].known, None);
    }

    #[test]
    fn a_hyphen_serves_as_a_dash() {
        let mut outcomes = [outcome("a", Verdict::Warn, "")];
        applied("a: warn - slow", &mut outcomes);
        assert_eq!(outcomes[0].known.as_deref(), Some("slow"));
    }

    #[test]
    fn an_entry_whose_case_passes_is_stale() {
        let mut outcomes = [outcome("a", Verdict::Pass, "")];
        let stale = applied("a: fail — later", &mut outcomes);
        assert!(stale[0].contains("a is pass now"), "{stale:?}");
    }

    #[test]
    fn an_entry_with_another_failure_is_stale_and_does_not_cover_it() {
        let mut outcomes = [outcome("a", Verdict::Fail, "")];
        assert_eq!(applied("a: untestable — later", &mut outcomes).len(), 1);
        assert_eq!(outcomes[0].known, None);
    }

    #[test]
    fn an_entry_without_a_case_is_stale_unless_the_case_was_not_selected() {
        let stale = applied("gone: fail — later\nnot-selected: fail — later", &mut []);
        assert_eq!(stale.len(), 1);
        assert!(stale[0].contains("no case gone"), "{stale:?}");
    }

    #[test]
    fn an_entry_whose_case_was_not_run_is_not_judged() {
        let mut outcomes = [outcome("a", Verdict::NotRun, ""), outcome("b", Verdict::Missed, "")];
        assert!(applied("a: fail — x\nb: fail — x", &mut outcomes).is_empty());
    }

    #[test]
    fn an_entry_without_a_reason_a_verdict_or_twice_is_refused_with_its_line() {
        for (text, line) in
            [("a: fail", 1), ("a: fail —", 1), ("\na: pass — x", 2), ("a", 1), ("a: fail — x\na: fail — y", 2)]
        {
            let error = Baseline::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        }
    }
}
