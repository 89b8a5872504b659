//! Maps requirements to cases and waivers.

use crate::{
    engine::case::{Case, Level},
    spec::{
        self, Requirement,
        waivers::{self, Waiver},
    },
};

/// A requirement with its cases or waiver.
pub(crate) struct MatrixRow<'a> {
    pub(crate) requirement: &'static Requirement,
    pub(crate) cases: Vec<&'a Case>,
    pub(crate) waiver: Option<&'static Waiver>,
}

impl MatrixRow<'_> {
    /// Whether it is a MUST without a case or waiver.
    pub(crate) fn is_uncovered(&self) -> bool {
        self.requirement.level == Level::Must && self.cases.is_empty() && self.waiver.is_none()
    }
}

/// All requirements in the order of the specification.
pub(crate) fn rows<'a>(cases: &[&'a Case]) -> Vec<MatrixRow<'a>> {
    spec::requirements()
        .iter()
        .map(|requirement| MatrixRow {
            requirement,
            cases: cases.iter().copied().filter(|case| case.checks.contains(&requirement.id)).collect(),
            waiver: waivers::waiver(requirement.id),
        })
        .collect()
}

/// Every id in brackets in a text, as in `[SEQ-3]`.
pub(crate) fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('[').filter_map(|(at, _)| {
        let inner = text[at + 1..].split_once(']')?.0;
        spec::is_id(inner).then_some(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::plan::every_case;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_must_has_a_case_or_a_waiver() {
        let every = every_case();
        let bare: Vec<&str> =
            rows(&every).iter().filter(|row| row.is_uncovered()).map(|row| row.requirement.id).collect();
        assert!(bare.is_empty(), "neither case nor waiver: {}", bare.join(" "));
    }

    /// What no mutation server breaks, and why.
    const UNBROKEN: &[(&str, &str)] = &[(
        "KEY-6",
        "to a server whose public key is another one than that of its secret key no handshake succeeds: every run ends \
         with exit code 6 before its first case, and `doctor` says why",
    )];

    #[test]
    fn every_observable_must_is_broken_by_a_mutation() {
        let is_broken = |id| remofile_mutants::mutations().any(|mutation| mutation.requirements.contains(&id));
        let is_excepted = |id| UNBROKEN.iter().any(|(one, why)| *one == id && !why.is_empty());
        let every = every_case();
        let unbroken: Vec<&str> = rows(&every)
            .iter()
            .filter(|row| row.requirement.level == Level::Must && row.waiver.is_none())
            .map(|row| row.requirement.id)
            .filter(|id| !is_broken(*id) && !is_excepted(*id))
            .collect();
        assert!(unbroken.is_empty(), "no fault breaks {}", unbroken.join(" "));
        for (id, _) in UNBROKEN {
            assert!(spec::requirement(id).is_some() && !is_broken(*id), "{id} is excepted and broken");
        }
    }

    #[test]
    fn every_id_in_a_case_exists() {
        for case in every_case() {
            assert!(!case.checks.is_empty(), "{} checks nothing", case.id);
            for id in case.checks {
                assert!(spec::requirement(id).is_some(), "{} cites {id}, which does not exist", case.id);
            }
        }
    }

    #[test]
    fn a_case_has_at_least_the_level_of_its_first_requirement() {
        for case in every_case() {
            let about = case.checks.first().and_then(|id| spec::requirement(id));
            // What the sentence about `msg` allows is a text: anything else is not allowed by it.
            let schema = about.is_some_and(|about| about.id == "CODE-2");
            assert!(
                schema || about.is_some_and(|about| about.level <= case.level),
                "{} is of level {}, more than {:?}",
                case.id,
                case.level,
                case.checks.first()
            );
        }
    }

    #[test]
    fn case_ids_are_unique_and_words_with_hyphens() {
        let mut seen = BTreeSet::new();
        for case in every_case() {
            assert!(seen.insert(case.id.as_str()), "{} stands twice", case.id);
            let fine = case.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            assert!(fine && !case.id.starts_with('-') && !case.id.ends_with('-'), "{}", case.id);
        }
    }

    #[test]
    fn a_case_cites_nothing_twice() {
        for case in every_case() {
            let unique: BTreeSet<_> = case.checks.iter().collect();
            assert_eq!(unique.len(), case.checks.len(), "{}", case.id);
        }
    }

    #[test]
    fn every_keyword_of_the_specification_stands_in_a_numbered_sentence() {
        for line in spec::TEXT.lines() {
            let numbered = line.starts_with("- **[");
            let defines_them = line.starts_with("The key words ");
            assert!(numbered || defines_them || spec::strongest(line).is_none(), "{line}");
        }
    }

    #[test]
    fn requirement_ids_are_unique() {
        let ids: BTreeSet<&str> = spec::requirements().iter().map(|one| one.id).collect();
        assert_eq!(ids.len(), spec::requirements().len());
    }

    #[test]
    fn every_waiver_is_of_a_requirement_that_exists_and_stands_once() {
        let mut seen = BTreeSet::new();
        for waiver in waivers::all() {
            assert!(spec::requirement(waiver.requirement).is_some(), "{} does not exist", waiver.requirement);
            assert!(seen.insert(waiver.requirement), "{} is waived twice", waiver.requirement);
        }
    }

    #[test]
    fn no_waiver_is_stale() {
        let every = every_case();
        for row in rows(&every).iter().filter(|row| row.waiver.is_some()) {
            let cases: Vec<&str> = row.cases.iter().map(|case| case.id.as_str()).collect();
            assert!(cases.is_empty(), "{} is waived and checked by {cases:?}", row.requirement.id);
        }
    }

    #[test]
    fn what_a_waiver_names_instead_exists() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for waiver in waivers::all() {
            let (file, test) = waiver.instead.split_once("::").unwrap_or((waiver.instead, ""));
            let text = fs::read_to_string(repository.join(file));
            assert!(text.is_ok(), "{}: there is no {file}", waiver.requirement);
            let named = text.is_ok_and(|text| text.contains(&format!("fn {test}(")));
            assert!(!test.is_empty() && named, "{}: {file} has no test {test}", waiver.requirement);
        }
    }
}
