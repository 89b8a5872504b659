//! The specification holds to its own rules: one id for each requirement, and every reference to one leads somewhere.

use std::{collections::BTreeSet, fs, path::PathBuf};

const KEYWORDS: [&str; 7] = ["MUST", "SHOULD", "MAY", "SHALL", "REQUIRED", "RECOMMENDED", "OPTIONAL"];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn protocol() -> String {
    fs::read_to_string(repository().join("spec/protocol.md")).unwrap()
}

/// The id of a line that is a requirement.
fn requirement(line: &str) -> Option<&str> {
    line.strip_prefix("- **[")?.split_once("]** ").map(|(id, _)| id)
}

/// Every `[ABC-12]` in a text.
fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('[').filter_map(|(at, _)| {
        let inner = text[at + 1..].split_once(']')?.0;
        let (word, number) = inner.split_once('-')?;
        let is_id = !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit());
        is_id.then_some(inner)
    })
}

fn defined(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(requirement).collect()
}

fn keywords(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_ascii_alphabetic()).filter(|word| KEYWORDS.contains(word))
}

#[test]
fn every_requirement_has_an_id_of_its_own() {
    let text = protocol();
    let mut seen = BTreeSet::new();
    for id in text.lines().filter_map(requirement) {
        assert!(seen.insert(id), "{id} is defined twice");
    }
    assert!(seen.len() >= 240, "only {} requirements were found", seen.len());
}

#[test]
fn every_requirement_has_a_keyword() {
    for line in protocol().lines().filter(|line| requirement(line).is_some()) {
        assert!(keywords(line).next().is_some(), "{line}");
    }
}

#[test]
fn keywords_stand_in_requirements_only() {
    for line in protocol().lines().filter(|line| requirement(line).is_none()) {
        let defines_them = line.starts_with("The key words ");
        assert!(defines_them || keywords(line).next().is_none(), "{line}");
    }
}

#[test]
fn every_requirement_that_is_cited_exists() {
    let text = protocol();
    let defined = defined(&text);
    let mut files =
        vec![repository().join("spec"), repository().join("README.md"), repository().join("CONTRIBUTING.md")];
    files.extend(
        ["remofile-proto", "remofile-ref", "conformance", "fuzz", "zeromq-src"].map(|dir| repository().join(dir)),
    );
    let mut checked = 0;
    while let Some(path) = files.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "corpus", "artifacts"].contains(&name.as_str()) {
                files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if [".rs", ".md", ".cddl"].iter().any(|ending| name.ends_with(ending)) && name != "spec.rs" {
            for id in cited(&fs::read_to_string(&path).unwrap()) {
                assert!(defined.contains(id), "{} cites [{id}], which is not defined", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked} citations were found");
}

#[test]
fn every_code_stands_in_the_table_with_its_name() {
    let text = protocol();
    for code in remofile_proto::Code::ALL {
        let row = format!("| {} | {} |", code.number(), code.name());
        assert!(text.lines().any(|line| line.starts_with(&row)), "no row {row}");
    }
}
