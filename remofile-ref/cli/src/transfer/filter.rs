//! What `--exclude` leaves out, with the meaning that patterns have in a `.gitignore` file.

use crate::failure::Failure;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

/// The patterns of a command; the last one that matches counts.
pub(super) struct Filter {
    patterns: Gitignore,
}

impl Filter {
    /// Those of files come first, so that a flag can say otherwise.
    pub(super) fn new(patterns: &[String], files: &[PathBuf]) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        for file in files {
            add_file(&mut builder, file)?;
        }
        for pattern in patterns {
            add(&mut builder, "--exclude", pattern)?;
        }
        let patterns = builder.build().map_err(|error| Failure::usage(format!("the patterns do not fit: {error}")))?;
        Ok(Self { patterns })
    }

    /// Whether a path below a source is left out; what lies in a directory that is left out is not asked about.
    pub(super) fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        self.patterns.matched(path, is_directory).is_ignore()
    }
}

/// All patterns of a file.
pub(crate) fn add_file(builder: &mut GitignoreBuilder, file: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::Local { what: "read the patterns in", object: file.display().to_string(), source };
    BufReader::new(File::open(file).map_err(failed)?)
        .lines()
        .try_for_each(|line| add(builder, "--exclude", &line.map_err(failed)?))
}

/// One pattern; `whose` is what a message calls it.
pub(crate) fn add(builder: &mut GitignoreBuilder, whose: &str, pattern: &str) -> Result<(), Failure> {
    builder.add_line(None, pattern).map(drop).map_err(|error| {
        Failure::usage_with(format!("{whose} '{pattern}' is no pattern: {error}"), "it is written as in .gitignore")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filter(patterns: &[&str]) -> Filter {
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Filter::new(&patterns, &[]).unwrap()
    }

    #[test]
    fn a_name_matches_at_every_depth_and_a_slash_ties_it_to_the_top() {
        let filter = filter(&["*.tmp", "/top", "a/b"]);
        for (path, excluded) in
            [("x.tmp", true), ("d/x.tmp", true), ("top", true), ("d/top", false), ("a/b", true), ("d/a/b", false)]
        {
            assert_eq!(filter.excludes(Path::new(path), false), excluded, "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_means_directories() {
        let filter = filter(&["build/"]);
        assert!(filter.excludes(Path::new("d/build"), true));
        assert!(!filter.excludes(Path::new("d/build"), false));
    }

    #[test]
    fn the_last_pattern_that_matches_counts() {
        let filter = filter(&["*.log", "!keep.log"]);
        assert!(filter.excludes(Path::new("a.log"), false));
        assert!(!filter.excludes(Path::new("keep.log"), false));
    }

    #[test]
    fn what_is_no_pattern_is_wrong_usage() {
        let refused = Filter::new(&["a{b".to_owned()], &[]).map(drop).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }
}
