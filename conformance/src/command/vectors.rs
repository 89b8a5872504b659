//! `conformance vectors`

use super::print;
use crate::{
    exit::{Exit, Failure},
    report::visible,
    vectors::{self, KINDS},
};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

/// Checks every file of a directory.
pub(super) fn vectors(directory: &Path) -> Result<Exit, Failure> {
    let wrong = |error: std::io::Error| Failure::usage(format!("{}: {error}", directory.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        // The schema lies beside what it is of.
        if path.extension().is_some_and(|ending| ending == "json") && !path.ends_with("schema.json") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Failure::new(Exit::Incomplete, format!("no vector in {}", directory.display()))
            .hint("vectors are the .json files of spec/vectors"));
    }
    paths.sort();
    let (mut counts, mut differences) = (BTreeMap::<&str, usize>::new(), 0);
    let mut text = String::new();
    for path in &paths {
        match vectors::check(path) {
            Ok(kind) => *counts.entry(kind).or_default() += 1,
            Err(error) => {
                differences += 1;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let _ = writeln!(text, "{}: {}", visible(&name), visible(&error));
            }
        }
    }
    let by_kind = KINDS.iter().filter_map(|kind| counts.get(kind).map(|count| format!("{count} {kind}")));
    let by_kind: Vec<String> = by_kind.collect();
    let _ = writeln!(
        text,
        "{} vectors: {} agree ({}), {differences} differ",
        paths.len(),
        paths.len() - differences,
        by_kind.join(", ")
    );
    print(&text)?;
    Ok(if differences == 0 { Exit::Conformant } else { Exit::NotConformant })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(vectors(directory.path()).unwrap_err().exit, Exit::Incomplete);
    }

    #[test]
    fn a_file_that_is_no_vector_is_a_difference() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x.json"), "{}").unwrap();
        assert_eq!(vectors(directory.path()).unwrap(), Exit::NotConformant);
    }
}
