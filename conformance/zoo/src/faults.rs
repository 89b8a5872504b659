//! Faults: each breaks one rule of the protocol the way a busy implementer might.

mod declare;

use declare::faults_of;

/// A server that breaks a rule.
#[derive(Debug)]
pub struct Fault {
    /// Its name on the command line, in words joined by hyphens.
    pub name: &'static str,
    /// The requirements that it breaks, such as `PATH-2`; the first is what the fault is about.
    pub requirements: &'static [&'static str],
    /// What the implementer did, in a sentence.
    pub story: &'static str,
}

faults_of! {
    /// What nobody can miss.
    control
    /// Section 3.
    envelope
    /// Section 4.
    encoding
    /// Section 5.
    keys
    /// Section 6.
    session
    /// Section 7.
    sequence
    /// Section 8.
    paths
    /// Section 9.
    entries
    /// Section 10.
    targets
    /// Sections 11.1 and 11.2.
    hello
    /// Section 11.4.
    listing
    /// Sections 11.3, 11.5 and 11.6.
    reading
    /// Sections 11.7 to 11.11.
    writing
    /// Sections 11.12 to 11.14.
    moving
    /// Sections 11.15 to 11.19, and 12.
    uploads
    /// Sections 11.20 and 13.
    durability
    /// Section 14, and what all operations share.
    codes
    /// Section 15.
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SPECIFICATION: &str = include_str!("../../../spec/protocol.md");

    #[test]
    fn no_two_faults_have_one_name() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = faults().filter(|fault| !seen.insert(fault.name)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn names_are_words_joined_by_hyphens() {
        for fault in faults() {
            let words = fault.name.split('-');
            let plain = |word: &str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            assert!(words.into_iter().all(plain), "{}", fault.name);
        }
    }

    #[test]
    fn every_fault_breaks_requirements_of_the_specification() {
        for fault in faults() {
            assert!(!fault.requirements.is_empty(), "{}", fault.name);
            for id in fault.requirements {
                assert!(SPECIFICATION.contains(&format!("- **[{id}]**")), "{} names {id}", fault.name);
            }
        }
    }

    #[test]
    fn every_fault_has_a_story_of_one_sentence() {
        for fault in faults() {
            assert!(fault.story.len() > 10 && fault.story.ends_with('.'), "{}", fault.name);
        }
    }
}
