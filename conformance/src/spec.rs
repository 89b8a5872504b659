//! The specification: sections and numbered requirements.

pub(crate) mod traceability;
pub(crate) mod waivers;

use crate::engine::case::Level;
use std::{collections::BTreeMap, sync::OnceLock};

/// The protocol specification at build time.
pub(crate) const TEXT: &str = include_str!("../../spec/protocol.md");

/// The key words of BCP 14 with their levels, the strongest first.
const KEYWORDS: [(&str, Level); 7] = [
    ("MUST", Level::Must),
    ("SHALL", Level::Must),
    ("REQUIRED", Level::Must),
    ("SHOULD", Level::Should),
    ("RECOMMENDED", Level::Should),
    ("MAY", Level::May),
    ("OPTIONAL", Level::May),
];

/// One numbered sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Such as `SEQ-3`.
    pub(crate) id: &'static str,
    /// Such as `7.1`.
    pub(crate) section: &'static str,
    /// The section's heading without its number.
    pub(crate) title: &'static str,
    /// By its strongest key word.
    pub(crate) level: Level,
    /// The Markdown text of the specification.
    pub(crate) text: &'static str,
}

/// All requirements, in the order of the specification.
pub(crate) fn requirements() -> &'static [Requirement] {
    static ALL: OnceLock<Vec<Requirement>> = OnceLock::new();
    ALL.get_or_init(|| parse(TEXT))
}

/// The requirement of that id.
pub(crate) fn requirement(id: &str) -> Option<&'static Requirement> {
    static BY_ID: OnceLock<BTreeMap<&str, usize>> = OnceLock::new();
    let by_id = BY_ID.get_or_init(|| requirements().iter().enumerate().map(|(at, one)| (one.id, at)).collect());
    by_id.get(id).map(|at| &requirements()[*at])
}

/// The position of a requirement; after all others for an unknown id.
pub(crate) fn position(id: &str) -> usize {
    requirements().iter().position(|one| one.id == id).unwrap_or(usize::MAX)
}

/// Whether a section is `wanted` or a part of it: `7.1` is within `7`.
pub(crate) fn is_within(section: &str, wanted: &str) -> bool {
    section.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a text has the form of a requirement id.
pub(crate) fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(word, number)| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Text without Markdown links and emphasis.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    // Links keep only their text; ids in brackets without a link are unchanged.
    while let Some((before, after)) = rest.split_once("](") {
        let (kept, words) = before.rsplit_once('[').unwrap_or((before, ""));
        plain.push_str(kept);
        plain.push_str(words);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace("**", "")
}

fn parse(text: &'static str) -> Vec<Requirement> {
    let mut found = Vec::new();
    let (mut section, mut title) = ("", "");
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            let (number, words) = heading.split_once(' ').unwrap_or((heading, ""));
            (section, title) = (number.trim_end_matches('.'), words);
        } else if let Some((id, text)) = line.strip_prefix("- **[").and_then(|rest| rest.split_once("]** ")) {
            let level = strongest(text).unwrap_or(Level::May);
            found.push(Requirement { id, section, title, level, text });
        }
    }
    found
}

/// The level that a sentence's key words give it.
pub(crate) fn strongest(text: &str) -> Option<Level> {
    let words: Vec<&str> = text.split(|character: char| !character.is_ascii_alphabetic()).collect();
    KEYWORDS.iter().find(|(word, _)| words.contains(word)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_requirement_has_its_section_level_and_text() {
        let one = requirement("SEQ-3").unwrap();
        assert_eq!((one.section, one.title, one.level), ("7.1", "Server", Level::Must));
        assert!(one.text.starts_with("A request with a remembered number"), "{}", one.text);
    }

    #[test]
    fn every_line_that_begins_with_an_id_is_found() {
        let lines = TEXT.lines().filter(|line| line.starts_with("- **[")).count();
        assert_eq!(requirements().len(), lines);
        assert!(requirements().iter().all(|one| is_id(one.id) && !one.section.is_empty() && !one.title.is_empty()));
    }

    #[test]
    fn the_strongest_word_decides() {
        assert_eq!(requirement("UP-3").unwrap().level, Level::Must);
        assert_eq!(requirement("SES-10").unwrap().level, Level::Should);
        assert_eq!(requirement("ENV-23").unwrap().level, Level::May);
    }

    #[test]
    fn a_section_is_within_the_one_above() {
        assert!(is_within("7.1", "7") && is_within("7", "7"));
        assert!(!is_within("11.1", "1") && !is_within("7", "7.1"));
    }

    #[test]
    fn links_keep_their_words() {
        assert_eq!(plain("see [section 7](#7-x), [SEQ-1] and **this**"), "see section 7, [SEQ-1] and this");
    }
}
