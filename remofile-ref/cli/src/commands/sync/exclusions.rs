//! Paths that sync excludes: patterns of the command line and of `.remofileignore` files.

use crate::commands::transfer::{add_pattern, add_pattern_file};
use crate::{failure::Failure, options::ExcludeOptions, render::warn};
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The name of pattern files.
pub(super) const IGNORE_FILE: &str = ".remofileignore";

/// The exclusions of a pair of directories. Options override files, a file overrides those in parent directories, and
/// within a file the last match decides.
pub(super) struct Exclusions {
    root: PathBuf,
    options: Gitignore,
    /// The patterns that apply in each directory below the root.
    known: Mutex<HashMap<PathBuf, Option<Arc<DirectoryPatterns>>>>,
}

/// The patterns of a file.
struct DirectoryPatterns {
    directory: PathBuf,
    patterns: Gitignore,
    above: Option<Arc<DirectoryPatterns>>,
}

impl Exclusions {
    /// The exclusions of a local root; `instead` replaces the file at its top by that of the server.
    pub(super) fn new(root: &Path, args: &ExcludeOptions, instead: Option<&str>) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        args.exclude_from.iter().try_for_each(|file| add_pattern_file(&mut builder, file))?;
        args.exclude.iter().try_for_each(|pattern| add_pattern(&mut builder, "--exclude", pattern))?;
        let exclusions = Self { root: root.to_owned(), options: build(&builder)?, known: Mutex::default() };
        let text = match instead {
            Some(text) => Some(text.to_owned()),
            None => read(&root.join(IGNORE_FILE))?,
        };
        let mut top = None;
        if let Some(text) = text {
            let mut builder = GitignoreBuilder::new("");
            text.lines().try_for_each(|line| add_pattern(&mut builder, IGNORE_FILE, line))?;
            let patterns = build(&builder)?;
            top = Some(Arc::new(DirectoryPatterns { directory: PathBuf::new(), patterns, above: None }));
        }
        exclusions.lock().insert(PathBuf::new(), top);
        Ok(exclusions)
    }

    /// Whether a path below the root is excluded. Not called for the contents of an excluded directory.
    pub(super) fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        match self.options.matched(path, is_directory) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
        let mut level = self.level(path.parent().unwrap_or(Path::new("")));
        while let Some(own) = level {
            let below = path.strip_prefix(&own.directory).unwrap_or(path);
            match own.patterns.matched(below, is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => level = own.above.clone(),
            }
        }
        false
    }

    /// The patterns that apply in a directory, from it upwards.
    fn level(&self, directory: &Path) -> Option<Arc<DirectoryPatterns>> {
        if let Some(known) = self.lock().get(directory) {
            return known.clone();
        }
        let above = directory.parent().and_then(|above| self.level(above));
        let file = self.root.join(directory).join(IGNORE_FILE);
        let level = match read(&file) {
            Ok(None) => above,
            Ok(Some(text)) => Some(Arc::new(DirectoryPatterns {
                directory: directory.to_owned(),
                patterns: lenient(&text, &file),
                above,
            })),
            Err(failure) => {
                warn(failure);
                above
            }
        };
        self.lock().insert(directory.to_owned(), level.clone());
        level
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Option<Arc<DirectoryPatterns>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Paths that patterns of the command line select: names at any depth, paths from the top for patterns with a slash, and
/// the contents of selected directories.
pub(super) struct GlobSelection(Gitignore);

impl GlobSelection {
    pub(super) fn new(patterns: &[String]) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        patterns.iter().try_for_each(|pattern| add_pattern(&mut builder, "GLOB", pattern))?;
        build(&builder).map(Self)
    }

    pub(super) fn selects(&self, path: &str) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// Reads a file of patterns, if it exists.
fn read(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        // Missing, or below a path that is not a directory.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(Failure::local("read patterns from", file.display().to_string(), source)),
    }
}

/// During a run an invalid pattern is skipped with a warning.
fn lenient(text: &str, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        if let Err(failure) = add_pattern(&mut builder, &file.display().to_string(), line) {
            warn(failure);
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn build(builder: &GitignoreBuilder) -> Result<Gitignore, Failure> {
    builder.build().map_err(|error| Failure::usage(format!("invalid patterns: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The excluded ones of these paths; a trailing slash marks a directory.
    fn excluded<'a>(exclusions: &Exclusions, paths: &[&'a str]) -> Vec<&'a str> {
        let is_out = |path: &&&str| exclusions.excludes(Path::new(path.trim_end_matches('/')), path.ends_with('/'));
        paths.iter().filter(is_out).copied().collect()
    }

    fn with_files(files: &[(&str, &str)], flags: &[&str]) -> Vec<&'static str> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::create_dir_all(root.path().join(path)).unwrap();
            fs::write(root.path().join(path).join(IGNORE_FILE), text).unwrap();
        }
        let exclude = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let exclusions =
            Exclusions::new(root.path(), &ExcludeOptions { exclude, ..ExcludeOptions::default() }, None).unwrap();
        excluded(
            &exclusions,
            &["a.log", "keep.log", "d/a.log", "d/b.txt", "d/e/b.txt", "build/", "d/build/", "d/build"],
        )
    }

    #[test]
    fn without_patterns_nothing_is_excluded() {
        assert_eq!(with_files(&[], &[]), [""; 0]);
    }

    #[test]
    fn a_file_at_the_top_applies_at_every_depth() {
        assert_eq!(
            with_files(&[("", "# logs\n*.log\n!keep.log\nbuild/\n")], &[]),
            ["a.log", "d/a.log", "build/", "d/build/"]
        );
    }

    #[test]
    fn a_file_further_down_applies_below_it() {
        assert_eq!(with_files(&[("d", "/b.txt\n")], &[]), ["d/b.txt"]);
        assert_eq!(with_files(&[("d", "b.txt\n")], &[]), ["d/b.txt", "d/e/b.txt"]);
    }

    #[test]
    fn a_file_further_down_takes_precedence() {
        assert_eq!(
            with_files(&[("", "*.log\n*.txt\n"), ("d", "!a.log\n"), ("d/e", "!b.txt\n")], &[]),
            ["a.log", "keep.log", "d/b.txt"]
        );
    }

    #[test]
    fn an_option_overrides_every_file() {
        assert_eq!(with_files(&[("", "*.log\n")], &["!a.log", "b.txt"]), ["keep.log", "d/b.txt", "d/e/b.txt"]);
    }

    #[test]
    fn the_file_of_the_server_replaces_the_one_at_the_top() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(IGNORE_FILE), "*.log\n").unwrap();
        let exclusions = Exclusions::new(root.path(), &ExcludeOptions::default(), Some("*.txt\n")).unwrap();
        assert_eq!(excluded(&exclusions, &["a.log", "a.txt"]), ["a.txt"]);
    }

    #[test]
    fn an_invalid_pattern_at_the_top_is_a_usage_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(IGNORE_FILE), "a{b\n").unwrap();
        let refused = Exclusions::new(root.path(), &ExcludeOptions::default(), None).map(drop).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }

    #[test]
    fn a_selection_takes_names_paths_and_directories() {
        let selection = GlobSelection::new(&["*.txt".into(), "/a/b".into(), "dir".into()]).unwrap();
        for (path, selected) in
            [("x.txt", true), ("d/x.txt", true), ("a/b", true), ("d/a/b", false), ("dir/x", true), ("x", false)]
        {
            assert_eq!(selection.selects(path), selected, "{path}");
        }
    }
}
