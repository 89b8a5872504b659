//! What is not synchronised: patterns of the command line, and of files called `.remofileignore`.

use super::FilterArgs;
use crate::{
    failure::Failure,
    output::warn,
    transfer::filter::{add, add_file},
};
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

/// The name of the files of patterns.
pub(super) const IGNORE_FILE: &str = ".remofileignore";

/// What is left out of a pair. Flags count more than files, a file more than those in directories above it, and of one
/// file the last pattern that matches.
pub(super) struct Ignored {
    root: PathBuf,
    flags: Gitignore,
    /// By directory below the root, what was found in it and above it.
    known: Mutex<HashMap<PathBuf, Option<Arc<Level>>>>,
}

/// The patterns of one file.
struct Level {
    directory: PathBuf,
    patterns: Gitignore,
    above: Option<Arc<Level>>,
}

impl Ignored {
    /// Those of a local root; `instead` stands for the file at its top, where it is the one of the server that counts.
    pub(super) fn new(root: &Path, args: &FilterArgs, instead: Option<&str>) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        args.exclude_from.iter().try_for_each(|file| add_file(&mut builder, file))?;
        args.exclude.iter().try_for_each(|pattern| add(&mut builder, "--exclude", pattern))?;
        let ignored = Self { root: root.to_owned(), flags: build(&builder)?, known: Mutex::default() };
        let text = match instead {
            Some(text) => Some(text.to_owned()),
            None => read(&root.join(IGNORE_FILE))?,
        };
        let mut top = None;
        if let Some(text) = text {
            let mut builder = GitignoreBuilder::new("");
            text.lines().try_for_each(|line| add(&mut builder, IGNORE_FILE, line))?;
            let patterns = build(&builder)?;
            top = Some(Arc::new(Level { directory: PathBuf::new(), patterns, above: None }));
        }
        ignored.lock().insert(PathBuf::new(), top);
        Ok(ignored)
    }

    /// Whether a path below the root is left out; what lies in a directory that is left out is not asked about.
    pub(super) fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        match self.flags.matched(path, is_directory) {
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

    /// The patterns that count in a directory, from it upwards.
    fn level(&self, directory: &Path) -> Option<Arc<Level>> {
        if let Some(known) = self.lock().get(directory) {
            return known.clone();
        }
        let above = directory.parent().and_then(|above| self.level(above));
        let file = self.root.join(directory).join(IGNORE_FILE);
        let level = match read(&file) {
            Ok(None) => above,
            Ok(Some(text)) => {
                Some(Arc::new(Level { directory: directory.to_owned(), patterns: lenient(&text, &file), above }))
            }
            Err(failure) => {
                warn(failure);
                above
            }
        };
        self.lock().insert(directory.to_owned(), level.clone());
        level
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Option<Arc<Level>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Paths that a command line names with patterns: a name at any depth, what a slash ties to the top, and all that is in
/// a directory which is named.
pub(super) struct Selection(Gitignore);

impl Selection {
    pub(super) fn new(patterns: &[String]) -> Result<Self, Failure> {
        let mut builder = GitignoreBuilder::new("");
        patterns.iter().try_for_each(|pattern| add(&mut builder, "GLOB", pattern))?;
        build(&builder).map(Self)
    }

    pub(super) fn selects(&self, path: &str) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// A file of patterns, if there is one.
fn read(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        // Not there, or below what is no directory here.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(Failure::Local { what: "read the patterns in", object: file.display().to_string(), source }),
    }
}

/// In the middle of a run a line that is no pattern is told, and passed over.
fn lenient(text: &str, file: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        if let Err(failure) = add(&mut builder, &file.display().to_string(), line) {
            warn(failure);
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn build(builder: &GitignoreBuilder) -> Result<Gitignore, Failure> {
    builder.build().map_err(|error| Failure::usage(format!("the patterns do not fit: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The paths of these that are left out; one with a slash at its end is a directory.
    fn excluded<'a>(ignored: &Ignored, paths: &[&'a str]) -> Vec<&'a str> {
        let is_out = |path: &&&str| ignored.excludes(Path::new(path.trim_end_matches('/')), path.ends_with('/'));
        paths.iter().filter(is_out).copied().collect()
    }

    fn with_files(files: &[(&str, &str)], flags: &[&str]) -> Vec<&'static str> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::create_dir_all(root.path().join(path)).unwrap();
            fs::write(root.path().join(path).join(IGNORE_FILE), text).unwrap();
        }
        let exclude = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let ignored = Ignored::new(root.path(), &FilterArgs { exclude, ..FilterArgs::default() }, None).unwrap();
        excluded(&ignored, &["a.log", "keep.log", "d/a.log", "d/b.txt", "d/e/b.txt", "build/", "d/build/", "d/build"])
    }

    #[test]
    fn nothing_is_left_out_where_nothing_says_so() {
        assert_eq!(with_files(&[], &[]), [""; 0]);
    }

    #[test]
    fn a_file_at_the_top_counts_at_every_depth() {
        assert_eq!(
            with_files(&[("", "# logs\n*.log\n!keep.log\nbuild/\n")], &[]),
            ["a.log", "d/a.log", "build/", "d/build/"]
        );
    }

    #[test]
    fn a_file_further_down_counts_from_there() {
        assert_eq!(with_files(&[("d", "/b.txt\n")], &[]), ["d/b.txt"]);
        assert_eq!(with_files(&[("d", "b.txt\n")], &[]), ["d/b.txt", "d/e/b.txt"]);
    }

    #[test]
    fn a_file_further_down_has_the_last_word() {
        assert_eq!(
            with_files(&[("", "*.log\n*.txt\n"), ("d", "!a.log\n"), ("d/e", "!b.txt\n")], &[]),
            ["a.log", "keep.log", "d/b.txt"]
        );
    }

    #[test]
    fn a_flag_says_more_than_every_file() {
        assert_eq!(with_files(&[("", "*.log\n")], &["!a.log", "b.txt"]), ["keep.log", "d/b.txt", "d/e/b.txt"]);
    }

    #[test]
    fn the_server_s_file_can_stand_for_the_one_at_the_top() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(IGNORE_FILE), "*.log\n").unwrap();
        let ignored = Ignored::new(root.path(), &FilterArgs::default(), Some("*.txt\n")).unwrap();
        assert_eq!(excluded(&ignored, &["a.log", "a.txt"]), ["a.txt"]);
    }

    #[test]
    fn what_is_no_pattern_at_the_top_is_wrong_usage() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(IGNORE_FILE), "a{b\n").unwrap();
        let refused = Ignored::new(root.path(), &FilterArgs::default(), None).map(drop).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }

    #[test]
    fn a_selection_takes_names_paths_and_directories() {
        let selection = Selection::new(&["*.txt".into(), "/a/b".into(), "dir".into()]).unwrap();
        for (path, selected) in
            [("x.txt", true), ("d/x.txt", true), ("a/b", true), ("d/a/b", false), ("dir/x", true), ("x", false)]
        {
            assert_eq!(selection.selects(path), selected, "{path}");
        }
    }
}
