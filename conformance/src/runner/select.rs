//! Selects cases by patterns: ids, requirements, sections, needs.

use crate::{
    engine::case::{Case, Level, Need},
    exit::{Exit, Failure},
    spec,
};

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    /// The id of a case, with `*` and `?`.
    Id(String),
    /// The id of a requirement, with `*` and `?`.
    Requirement(String),
    /// A section and its subsections.
    Section(String),
    /// A need of a case.
    Needs(&'static str),
}

/// The names of needs in patterns.
const NEEDS: [(&str, Need); 10] = [
    ("writing", Need::Writing),
    ("read-only", Need::ReadOnly),
    ("curve", Need::Curve),
    ("spawn", Need::Spawn),
    ("restart", Need::Restart),
    ("root", Need::Root),
    ("posix", Need::Posix),
    ("windows", Need::Windows),
    ("exact", Need::Exact),
    ("folds", Need::Folds),
];

/// The cases that match one of the patterns (all without patterns), none of `skipped`, and the level, in order.
pub(crate) fn select<'a>(
    cases: &[&'a Case],
    patterns: &[String],
    skipped: &[String],
    level: Option<Level>,
) -> Result<Vec<&'a Case>, Failure> {
    let wanted = understood(cases, patterns)?;
    let unwanted = understood(cases, skipped)?;
    let fits = |case: &Case, patterns: &[Selector]| patterns.iter().any(|pattern| pattern.fits(case));
    let selected: Vec<&Case> = cases
        .iter()
        .copied()
        .filter(|case| wanted.is_empty() || fits(case, &wanted))
        .filter(|case| !fits(case, &unwanted) && level.is_none_or(|level| case.level <= level))
        .collect();
    if selected.is_empty() {
        return Err(Failure::new(Exit::Incomplete, "no case matches the patterns, --skip and --level")
            .hint("see conformance list"));
    }
    Ok(selected)
}

/// The name of a need.
pub(crate) fn need_name(need: Need) -> String {
    match need {
        Need::Window(least) => format!("window of {least} or more"),
        other => NEEDS.iter().find(|(_, need)| *need == other).map_or("", |(name, _)| name).to_owned(),
    }
}

fn understood(cases: &[&Case], patterns: &[String]) -> Result<Vec<Selector>, Failure> {
    patterns
        .iter()
        .map(|text| {
            let pattern = Selector::parse(text)?;
            if cases.iter().any(|case| pattern.fits(case)) {
                return Ok(pattern);
            }
            let exists = matches!(&pattern, Selector::Requirement(id) if spec::requirement(id).is_some());
            let why = if exists { "no case checks requirement" } else { "no case matches the pattern" };
            let hint = match near(cases, text) {
                _ if exists => format!("conformance explain {text} shows how it is checked instead"),
                Some(near) => format!("did you mean {near}? See conformance list"),
                None => "see conformance list".into(),
            };
            Err(Failure::new(Exit::Incomplete, format!("{why} '{text}'")).hint(hint))
        })
        .collect()
}

impl Selector {
    fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(name) = text.strip_prefix("needs:") {
            let known = NEEDS.iter().find(|(known, _)| *known == name);
            return known.map(|(name, _)| Selector::Needs(name)).ok_or_else(|| {
                let names: Vec<&str> = NEEDS.iter().map(|(name, _)| *name).collect();
                Failure::usage(format!("'{name}' is not a need")).hint(format!("needs are {}", names.join(", ")))
            });
        }
        let section = text.strip_prefix("section:");
        let number = section.unwrap_or(text);
        // An id may begin with a digit too, and contains letters.
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !number.is_empty();
        if section.is_some() || is_number {
            let fine = number.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
            let wrong = || Failure::usage(format!("'{number}' is not a section")).hint("write a section as 7 or 7.1");
            return fine.then(|| Selector::Section(number.to_owned())).ok_or_else(wrong);
        }
        let is_requirement = text.starts_with(|character: char| character.is_ascii_uppercase());
        Ok(if is_requirement { Selector::Requirement(text.to_owned()) } else { Selector::Id(text.to_owned()) })
    }

    fn fits(&self, case: &Case) -> bool {
        match self {
            Selector::Id(glob) => matches(glob, &case.id),
            Selector::Requirement(glob) => case.checks.iter().any(|id| matches(glob, id)),
            Selector::Section(wanted) => {
                let about = case.checks.first().and_then(|id| spec::requirement(id));
                spec::is_within(case.section, wanted) || about.is_some_and(|one| spec::is_within(one.section, wanted))
            }
            Selector::Needs(name) => NEEDS.iter().any(|(known, need)| known == name && case.needs.contains(need)),
        }
    }
}

/// Whether a text matches a pattern with `*` for any text and `?` for one character.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    // Ids are short and patterns come from the user, so recursion is fast enough.
    match glob.chars().next() {
        None => text.is_empty(),
        Some('*') => text.char_indices().any(|(at, _)| matches(&glob[1..], &text[at..])) || matches(&glob[1..], ""),
        Some(first) => text.chars().next().is_some_and(|next| {
            (first == '?' || first == next) && matches(&glob[first.len_utf8()..], &text[next.len_utf8()..])
        }),
    }
}

/// The id that shares the most words with a pattern, if at least half of them.
fn near<'a>(cases: &[&'a Case], text: &str) -> Option<&'a str> {
    let words: Vec<&str> = text.split('-').filter(|word| word.len() > 2).collect();
    let shared = |id: &str| words.iter().filter(|word| id.split('-').any(|one| one == **word)).count();
    let best = cases.iter().map(|case| case.id.as_str()).max_by_key(|id| shared(id))?;
    (!words.is_empty() && shared(best) * 2 >= words.len()).then_some(best)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::case::{may, must, should};

    fn cases() -> Vec<Case> {
        vec![
            Case { section: "7.1", ..must("a-gap-is-refused", &["SEQ-5", "CODE-5"]) },
            Case { section: "11.16", ..must("append-of-nothing-is-fine", &["APPEND-4"]).needs(&[Need::Spawn]) },
            Case { section: "11.16", ..should("append-is-fast", &["SES-10"]) },
            Case { section: "9", ..may("etags-are-short", &["ENTRY-3"]) },
        ]
    }

    fn selected(patterns: &[&str], skipped: &[&str], level: Option<Level>) -> Result<Vec<String>, Failure> {
        let cases = cases();
        let cases: Vec<&Case> = cases.iter().collect();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let selected = select(&cases, &owned(patterns), &owned(skipped), level)?;
        Ok(selected.iter().map(|case| case.id.clone()).collect())
    }

    #[test]
    fn without_patterns_everything_is_selected() {
        assert_eq!(selected(&[], &[], None).unwrap().len(), 4);
    }

    #[test]
    fn ids_requirements_sections_and_needs_select() {
        assert_eq!(selected(&["append-*"], &[], None).unwrap(), ["append-of-nothing-is-fine", "append-is-fast"]);
        assert_eq!(selected(&["SEQ-5"], &[], None).unwrap(), ["a-gap-is-refused"]);
        assert_eq!(selected(&["SEQ-*"], &[], None).unwrap(), ["a-gap-is-refused"]);
        assert_eq!(selected(&["section:7"], &[], None).unwrap(), ["a-gap-is-refused"]);
        assert_eq!(selected(&["11.16"], &[], None).unwrap(), ["append-of-nothing-is-fine", "append-is-fast"]);
        assert_eq!(selected(&["needs:spawn"], &[], None).unwrap(), ["append-of-nothing-is-fine"]);
    }

    #[test]
    fn a_requirement_selects_by_its_own_section_too() {
        assert_eq!(selected(&["6.1"], &[], None).unwrap(), ["append-is-fast"]);
    }

    #[test]
    fn skipped_patterns_and_levels_leave_out() {
        assert_eq!(selected(&["append-*"], &["*-fast"], None).unwrap(), ["append-of-nothing-is-fine"]);
        assert_eq!(selected(&[], &[], Some(Level::Must)).unwrap().len(), 2);
        assert_eq!(selected(&[], &[], Some(Level::Should)).unwrap().len(), 3);
    }

    #[test]
    fn a_pattern_that_nothing_fits_is_an_error_with_a_suggestion() {
        let failure = selected(&["append-of-nothing-is-refused"], &[], None).unwrap_err();
        assert_eq!(failure.exit, Exit::Incomplete);
        assert!(failure.hint.contains("append-of-nothing-is-fine"), "{failure:?}");
        assert_eq!(selected(&["a-gap-is-refused"], &["nothing-like-it"], None).unwrap_err().exit, Exit::Incomplete);
    }

    #[test]
    fn what_cannot_be_a_pattern_is_a_usage_error() {
        assert_eq!(selected(&["needs:luck"], &[], None).unwrap_err().exit, Exit::Usage);
        assert_eq!(selected(&["section:seven"], &[], None).unwrap_err().exit, Exit::Usage);
        assert_eq!(selected(&["7..1"], &[], None).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn nothing_left_is_reported() {
        assert_eq!(selected(&["etags-*"], &[], Some(Level::Must)).unwrap_err().exit, Exit::Incomplete);
    }

    #[test]
    fn globs_match_whole_ids() {
        assert!(matches("a*c", "abc") && matches("a?c", "abc") && matches("*", "") && matches("abc*", "abc"));
        assert!(!matches("a", "ab") && !matches("a?", "a") && !matches("b*", "ab"));
    }
}
