//! Remote paths as they stand on a command line, and what they stand for.

use super::{
    failure::Failure,
    pattern::{Pattern, is_pattern},
};
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, PathError, RemotePath};

/// A path on the server, or a pattern of paths, as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    text: String,
    meaning: Meaning,
}

#[derive(Clone, Debug)]
enum Meaning {
    Path(RemotePath),
    /// With the path that the same text is, if it is one: what exists under it wins.
    Pattern(Pattern, Option<RemotePath>),
}

/// Something on the server that a command line names.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: RemotePath,
    /// How to show it: absolute where it was given so, else counted from `/` without a slash in front.
    pub(crate) shown: String,
    /// What it is, where that had to be looked up.
    pub(crate) entry: Option<Entry>,
    /// A pattern matched it.
    pub(crate) is_match: bool,
}

impl Found {
    /// Whether it is known to be a file.
    pub(crate) fn is_file(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.kind == Kind::File)
    }
}

/// A path on the server; one without a leading slash counts from the served directory, and one slash at its end
/// means nothing.
pub(crate) fn remote_path(text: &str) -> Result<RemotePath, Failure> {
    RemotePath::parse(&absolute(text)).map_err(|why: PathError| Failure::BadPath { path: text.to_owned(), why })
}

/// NAME in DIR, or PATH where there is no DIR.
pub(crate) fn named(name: &str, directory: Option<&str>) -> Result<RemotePath, Failure> {
    let Some(directory) = directory else { return remote_path(name) };
    if name.contains('/') {
        return Err(Failure::usage_with(
            format!("'{name}' is not a name: it has a slash"),
            "give NAME DIR, or one PATH alone",
        ));
    }
    let directory = remote_path(directory)?;
    directory.join(name).map_err(|why| Failure::BadPath { path: name.to_owned(), why })
}

/// The directory that holds `path`; none for the root.
pub(crate) fn parent(path: &RemotePath) -> Option<RemotePath> {
    path.split_last().and_then(|(parent, _)| RemotePath::parse(parent).ok())
}

/// Makes the directories above `path` that are missing.
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

/// What is at `path`, if anything is.
pub(crate) fn look(client: &mut FileClient, path: &RemotePath) -> Result<Option<Entry>, ClientError> {
    match client.stat(path) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where each of `sources` goes: into `destination` if that is a directory, else, for one alone, to that very path.
pub(crate) fn targets(
    client: &mut FileClient,
    sources: &[Found],
    destination: &RemotePath,
) -> Result<Vec<RemotePath>, Failure> {
    if look(client, destination)?.is_none_or(|entry| entry.kind != Kind::Dir) {
        return match sources {
            [_] => Ok(vec![destination.clone()]),
            _ => Err(Failure::usage_with(
                format!("several sources need a directory to go into, and '{destination}' is none"),
                "the last argument is the destination; `remofile directory` makes one",
            )),
        };
    }
    let target = |source: &Found| match source.path.split_last() {
        Some((_, name)) => {
            destination.join(name).map_err(|why| Failure::BadPath { path: format!("{destination}/{name}"), why })
        }
        None => Err(Failure::usage("'/' is the served directory itself: it has no name to go under")),
    };
    sources.iter().map(target).collect()
}

impl Given {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let meaning = if is_pattern(text) {
            let pattern =
                Pattern::parse(&absolute(text)).map_err(|why| Failure::BadPath { path: text.to_owned(), why })?;
            Meaning::Pattern(pattern, RemotePath::parse(&absolute(text)).ok())
        } else {
            Meaning::Path(remote_path(text)?)
        };
        Ok(Self { text: text.to_owned(), meaning })
    }

    /// All of them.
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Failure> {
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    /// Whether it is the served directory itself.
    pub(crate) fn is_root(&self) -> bool {
        matches!(&self.meaning, Meaning::Path(path) if path.is_root())
    }

    /// Whether it can stand for more than one path.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.meaning, Meaning::Pattern(..))
    }

    /// As it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a path is meant, of what need not be there to be looked at: the path itself or one below it, or one
    /// that the pattern matches, a dot in front included.
    pub(crate) fn selects(&self, path: &RemotePath) -> bool {
        match &self.meaning {
            Meaning::Path(own) => path.is_at_or_below(own),
            Meaning::Pattern(pattern, same) => same.as_ref() == Some(path) || pattern.matches(path, true),
        }
    }

    /// Tells `each` what it stands for, in the order of the server: the path itself, which need not exist, or what
    /// there is that matches. With `hidden` a wildcard matches a dot in front too.
    pub(crate) fn each(
        &self,
        client: &mut FileClient,
        hidden: bool,
        mut each: impl FnMut(Found) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (pattern, same) = match &self.meaning {
            Meaning::Path(path) => return each(self.found(path.clone(), None, false)),
            Meaning::Pattern(pattern, same) => (pattern, same),
        };
        if let Some(path) = same
            && let Some(entry) = look_through(client, path)?
        {
            return each(self.found(path.clone(), Some(entry), false));
        }
        let mut matches = 0u64;
        pattern.each_match(client, hidden, &mut |path, entry| {
            matches += 1;
            each(self.found(path, Some(entry), true))
        })?;
        if matches == 0 { Err(Failure::NoMatch { pattern: self.text.clone() }) } else { Ok(()) }
    }

    /// All that it stands for.
    pub(crate) fn all(&self, client: &mut FileClient, hidden: bool) -> Result<Vec<Found>, Failure> {
        let mut all = Vec::new();
        self.each(client, hidden, |found| {
            all.push(found);
            Ok(())
        })?;
        Ok(all)
    }

    fn found(&self, path: RemotePath, entry: Option<Entry>, is_match: bool) -> Found {
        let is_absolute = self.text.starts_with('/') || path.is_root();
        let shown = if is_absolute { path.as_str() } else { &path.as_str()[1..] };
        Found { shown: shown.to_owned(), path, entry, is_match }
    }
}

/// Like [`look`]; below a file there is nothing.
fn look_through(client: &mut FileClient, path: &RemotePath) -> Result<Option<Entry>, Failure> {
    match look(client, path) {
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
    fn a_relative_path_counts_from_the_root() {
        assert_eq!(remote_path("a/b").unwrap().as_str(), "/a/b");
        assert_eq!(remote_path("").unwrap().as_str(), "/");
    }

    #[test]
    fn a_slash_at_the_end_means_nothing() {
        assert_eq!(remote_path("/a/").unwrap(), remote_path("/a").unwrap());
        assert_eq!(remote_path("a/").unwrap(), remote_path("/a").unwrap());
        assert!(remote_path("/").unwrap().is_root());
    }

    #[test]
    fn what_is_no_path_is_told_as_it_was_given() {
        for text in ["..", "/a/../b", "/a//b", "a\nb", "/.remofile", ".ReMoFiLe/*", "/a/../*"] {
            let refused = Given::parse(text).unwrap_err();
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
