//! Mutations: each breaks one rule of the protocol the way a busy implementer might.

mod declare;

use declare::sections;

/// A server that breaks a rule.
#[derive(Debug)]
pub struct Mutation {
    /// Its name on the command line, in words joined by hyphens.
    pub name: &'static str,
    /// The requirements that it breaks, such as `PATH-2`; the first is what the mutation is about.
    pub requirements: &'static [&'static str],
    /// What the implementer did, in a sentence.
    pub description: &'static str,
}

sections! {
    /// Those that show whether the suite is in order.
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
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    const SPECIFICATION: &str = include_str!("../../../spec/protocol.md");

    #[test]
    fn no_two_mutations_have_one_name() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = mutations().filter(|mutation| !seen.insert(mutation.name)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn names_are_words_joined_by_hyphens() {
        for mutation in mutations() {
            let words = mutation.name.split('-');
            let plain = |word: &str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            assert!(words.into_iter().all(plain), "{}", mutation.name);
        }
    }

    #[test]
    fn every_mutation_breaks_requirements_of_the_specification() {
        for mutation in mutations() {
            assert!(!mutation.requirements.is_empty(), "{}", mutation.name);
            for id in mutation.requirements {
                assert!(SPECIFICATION.contains(&format!("- **[{id}]**")), "{} names {id}", mutation.name);
            }
        }
    }

    #[test]
    fn every_mutation_has_a_description_of_one_sentence() {
        for mutation in mutations() {
            assert!(mutation.description.len() > 10 && mutation.description.ends_with('.'), "{}", mutation.name);
        }
    }

    /// A mutation that no hook names has no effect, and one that stands before a condition counts as reached where no rule
    /// is broken.
    #[test]
    fn every_mutation_stands_in_a_hook_after_its_condition() {
        let implementation = implementation();
        for (section, constant) in declared() {
            let named = format!("{section}::{constant}");
            let is_end = |code: &&str| !code.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
            assert!(implementation.split(&named).skip(1).any(|code| is_end(&code)), "no hook names {named}");
            let asked = format!("has(&{named})&&");
            assert!(!implementation.contains(&asked), "{named} stands before a condition");
        }
    }

    /// The section and the constant of every mutation, as they are declared.
    fn declared() -> Vec<(String, String)> {
        let mut declared = Vec::new();
        for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mutations")) {
            let section = file.file_stem().unwrap().to_str().unwrap().to_owned();
            for line in fs::read_to_string(&file).unwrap().lines().filter(|line| line.starts_with("    ")) {
                if let Some((constant, _)) = line.trim_start().split_once(" = \"") {
                    declared.push((section.clone(), constant.to_owned()));
                }
            }
        }
        assert_eq!(declared.len(), mutations().count(), "a declaration is written in another form: {declared:?}");
        declared
    }

    /// The server's source without spaces and without the declarations.
    fn implementation() -> String {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let text: String = rust_files(&source).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        text.split_whitespace().collect::<String>().replace("mutations::", "").replace(",)", ")")
    }

    fn rust_files(directory: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| if path.is_dir() && !path.ends_with("mutations") { rust_files(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("declare.rs"))
            .collect()
    }
}
