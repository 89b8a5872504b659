//! Remote paths and patterns on a command line.

use super::{
    failure::Failure,
    pattern::{Pattern, is_pattern},
};
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, PathError, RemotePath};

/// A path on the server, or a pattern of paths, on the command line.
#[derive(Clone, Debug)]
pub(crate) struct PathArg {
    text: String,
    interpretation: Interpretation,
}

#[derive(Clone, Debug)]
enum Interpretation {
    Path(RemotePath),
    /// A pattern, and the path of the same text if it is valid: a path that exists takes precedence.
    Pattern(Pattern, Option<RemotePath>),
}

/// A path on the server that an argument names or matches.
#[derive(Clone, Debug)]
pub(crate) struct Match {
    pub(crate) path: RemotePath,
    /// The path to print: absolute if the argument was, else relative to `/`.
    pub(crate) shown: String,
    /// Its metadata, if it was read already.
    pub(crate) entry: Option<Entry>,
    /// Whether a pattern matched it.
    pub(crate) is_match: bool,
}

impl Match {
    /// Whether its metadata is known, and that of a file.
    pub(crate) fn is_file(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.kind == Kind::File)
    }
}

/// Parses a path on the server. One without a leading slash is relative to the served directory; a trailing slash is
/// ignored.
pub(crate) fn remote_path(text: &str) -> Result<RemotePath, Failure> {
    RemotePath::parse(&absolute(text)).map_err(|why: PathError| Failure::BadPath { path: text.to_owned(), why })
}

/// The path of NAME in DIR, or of PATH without a DIR.
pub(crate) fn named(name: &str, directory: Option<&str>) -> Result<RemotePath, Failure> {
    let Some(directory) = directory else { return remote_path(name) };
    if name.contains('/') {
        return Err(Failure::usage_with(
            format!("invalid name '{name}': it contains a slash"),
            "use NAME DIR, or a single PATH",
        ));
    }
    let directory = remote_path(directory)?;
    directory.join(name).map_err(|why| Failure::BadPath { path: name.to_owned(), why })
}

/// The parent directory; none for the root.
pub(crate) fn parent(path: &RemotePath) -> Option<RemotePath> {
    path.split_last().and_then(|(parent, _)| RemotePath::parse(parent).ok())
}

/// Creates missing parent directories of `path`.
pub(crate) fn make_parents(client: &mut FileClient, path: &RemotePath) -> Result<(), Failure> {
    let mut missing = Vec::new();
    let mut above = parent(path);
    while let Some(directory) = above.filter(|directory| !directory.is_root()) {
        match client.stat(&directory) {
            Ok(_) => break,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        above = parent(&directory);
        missing.push(directory);
    }
    for directory in missing.iter().rev() {
        match client.mkdir(directory) {
            Err(error) if error.is_exists() => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// The metadata of `path`, or none if it does not exist.
pub(crate) fn find(client: &mut FileClient, path: &RemotePath) -> Result<Option<Entry>, ClientError> {
    match client.stat(path) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The target of each source: within `destination` if that is a directory, else `destination` itself for a single
/// source.
pub(crate) fn targets(
    client: &mut FileClient,
    sources: &[Match],
    destination: &RemotePath,
) -> Result<Vec<RemotePath>, Failure> {
    if find(client, destination)?.is_none_or(|entry| entry.kind != Kind::Dir) {
        return match sources {
            [_] => Ok(vec![destination.clone()]),
            _ => Err(Failure::usage_with(
                format!("'{destination}': not a directory, which several sources need"),
                "the last argument is the destination; `remofile directory` creates it",
            )),
        };
    }
    let target = |source: &Match| match source.path.split_last() {
        Some((_, name)) => {
            destination.join(name).map_err(|why| Failure::BadPath { path: format!("{destination}/{name}"), why })
        }
        None => Err(Failure::usage("'/' is the served directory and has no name")),
    };
    sources.iter().map(target).collect()
}

impl PathArg {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let interpretation = if is_pattern(text) {
            let pattern =
                Pattern::parse(&absolute(text)).map_err(|why| Failure::BadPath { path: text.to_owned(), why })?;
            Interpretation::Pattern(pattern, RemotePath::parse(&absolute(text)).ok())
        } else {
            Interpretation::Path(remote_path(text)?)
        };
        Ok(Self { text: text.to_owned(), interpretation })
    }

    /// Parses all arguments.
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Failure> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    /// Whether it is `/`.
    pub(crate) fn is_root(&self) -> bool {
        matches!(&self.interpretation, Interpretation::Path(path) if path.is_root())
    }

    /// Whether it is a pattern.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.interpretation, Interpretation::Pattern(..))
    }

    /// The argument.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it selects a path, which need not exist: the path itself, one below it, or one that the pattern matches,
    /// hidden ones included.
    pub(crate) fn selects(&self, path: &RemotePath) -> bool {
        match &self.interpretation {
            Interpretation::Path(own) => path.is_at_or_below(own),
            Interpretation::Pattern(pattern, same) => same.as_ref() == Some(path) || pattern.matches(path, true),
        }
    }

    /// Calls `each` with the path itself, which need not exist, or with every match in the order of the server. With
    /// `hidden` a wildcard matches a leading dot.
    pub(crate) fn each(
        &self,
        client: &mut FileClient,
        hidden: bool,
        mut each: impl FnMut(Match) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (pattern, same) = match &self.interpretation {
            Interpretation::Path(path) => return each(self.to_match(path.clone(), None, false)),
            Interpretation::Pattern(pattern, same) => (pattern, same),
        };
        if let Some(path) = same
            && let Some(entry) = find_through(client, path)?
        {
            return each(self.to_match(path.clone(), Some(entry), false));
        }
        let mut matches = 0u64;
        pattern.each_match(client, hidden, &mut |path, entry| {
            matches += 1;
            each(self.to_match(path, Some(entry), true))
        })?;
        if matches == 0 { Err(Failure::NoMatch { pattern: self.text.clone() }) } else { Ok(()) }
    }

    /// Collects the path or all matches.
    pub(crate) fn all(&self, client: &mut FileClient, hidden: bool) -> Result<Vec<Match>, Failure> {
        let mut all = Vec::new();
        self.each(client, hidden, |found| {
            all.push(found);
            Ok(())
        })?;
        Ok(all)
    }

    fn to_match(&self, path: RemotePath, entry: Option<Entry>, is_match: bool) -> Match {
        let is_absolute = self.text.starts_with('/') || path.is_root();
        let shown = if is_absolute { path.as_str() } else { &path.as_str()[1..] };
        Match { shown: shown.to_owned(), path, entry, is_match }
    }
}

/// Like [`find`]; a path below a file does not exist.
fn find_through(client: &mut FileClient, path: &RemotePath) -> Result<Option<Entry>, Failure> {
    match find(client, path) {
        Err(ClientError::Refused { .. }) => Ok(None),
        result => Ok(result?),
    }
}

fn absolute(text: &str) -> String {
    let mut absolute = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    if absolute.len() > 1 && absolute.ends_with('/') {
        absolute.pop();
    }
    absolute
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_relative_path_starts_at_the_root() {
        assert_eq!(remote_path("a/b").unwrap().as_str(), "/a/b");
        assert_eq!(remote_path("").unwrap().as_str(), "/");
    }

    #[test]
    fn a_trailing_slash_is_ignored() {
        assert_eq!(remote_path("/a/").unwrap(), remote_path("/a").unwrap());
        assert_eq!(remote_path("a/").unwrap(), remote_path("/a").unwrap());
        assert!(remote_path("/").unwrap().is_root());
    }

    #[test]
    fn an_invalid_path_is_reported_as_given() {
        for text in ["..", "/a/../b", "/a//b", "a\nb", "/.remofile", ".ReMoFiLe/*", "/a/../*"] {
            let refused = PathArg::parse(text).unwrap_err();
            assert!(matches!(&refused, Failure::BadPath { path, .. } if path == text), "{text:?}: {refused:?}");
            assert_eq!(refused.exit_code(), 11);
        }
    }

    #[test]
    fn a_name_goes_into_a_directory_and_has_no_slash() {
        assert_eq!(named("a", Some("/b/")).unwrap().as_str(), "/b/a");
        assert_eq!(named("a", Some("/")).unwrap().as_str(), "/a");
        assert_eq!(named("b/a", None).unwrap().as_str(), "/b/a");
        assert_eq!(named("b/a", Some("/")).unwrap_err().exit_code(), 2);
        assert_eq!(named("..", Some("/")).unwrap_err().exit_code(), 11);
    }
}
