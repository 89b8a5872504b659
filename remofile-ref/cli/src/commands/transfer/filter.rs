//! The patterns of `--exclude`, in `.gitignore` syntax.

use crate::{failure::Failure, options::ExcludeOptions};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

/// The patterns of a command; the last match decides.
pub(super) struct PathFilter {
    patterns: Gitignore,
}

impl PathFilter {
    /// Patterns of files come first, so that an option can override them.
    pub(super) fn new(options: &ExcludeOptions) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        for file in &options.exclude_from {
            add_pattern_file(&mut builder, file)?;
        }
        for pattern in &options.exclude {
            add_pattern(&mut builder, "--exclude", pattern)?;
        }
        let patterns = builder.build().map_err(|error| Failure::usage(format!("invalid patterns: {error}")))?;
        Ok(Self { patterns })
    }

    /// Whether a path below a source is excluded. Not called for the contents of an excluded directory.
    pub(super) fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        self.patterns.matched(path, is_directory).is_ignore()
    }
}

/// Adds all patterns of a file.
pub(crate) fn add_pattern_file(builder: &mut GitignoreBuilder, file: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::local("read patterns from", file.display().to_string(), error);
    BufReader::new(File::open(file).map_err(failed)?)
        .lines()
        .try_for_each(|line| add_pattern(builder, "--exclude", &line.map_err(failed)?))
}

/// Adds a pattern; `source` is its name in errors.
pub(crate) fn add_pattern(builder: &mut GitignoreBuilder, source: &str, pattern: &str) -> Result<(), Failure> {
    builder.add_line(None, pattern).map(drop).map_err(|error| {
        Failure::usage_with(format!("{source} '{pattern}': invalid pattern: {error}"), "use the syntax of .gitignore")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filter(patterns: &[&str]) -> PathFilter {
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        PathFilter::new(&ExcludeOptions { exclude: patterns, exclude_from: Vec::new() }).unwrap()
    }

    #[test]
    fn a_slash_anchors_a_pattern() {
        let filter = filter(&["*.tmp", "/top", "a/b"]);
        for (path, excluded) in
            [("x.tmp", true), ("d/x.tmp", true), ("top", true), ("d/top", false), ("a/b", true), ("d/a/b", false)]
        {
            assert_eq!(filter.excludes(Path::new(path), false), excluded, "{path}");
        }
    }

    #[test]
    fn a_trailing_slash_matches_directories_only() {
        let filter = filter(&["build/"]);
        assert!(filter.excludes(Path::new("d/build"), true));
        assert!(!filter.excludes(Path::new("d/build"), false));
    }

    #[test]
    fn the_last_match_decides() {
        let filter = filter(&["*.log", "!keep.log"]);
        assert!(filter.excludes(Path::new("a.log"), false));
        assert!(!filter.excludes(Path::new("keep.log"), false));
    }

    #[test]
    fn an_invalid_pattern_is_a_usage_error() {
        let refused = PathFilter::new(&ExcludeOptions { exclude: vec!["a{b".to_owned()], exclude_from: Vec::new() })
            .map(drop)
            .unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }
}
