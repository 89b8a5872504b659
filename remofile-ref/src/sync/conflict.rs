//! The names of conflict copies: `NAME.conflict-UTC-HOST.EXT`, never nested.

use super::Timestamp;
use remofile_proto::limits;
use std::collections::{HashMap, HashSet};

const MARK: &str = ".conflict-";

/// A path that a conflict copy has, taken apart.
///
/// ```
/// use remofile::sync::ConflictName;
///
/// let name = ConflictName::parse("docs/report.conflict-20261123T013422Z-laptop.txt").expect("a conflict copy");
/// assert_eq!(name.original, "docs/report.txt");
/// assert_eq!(name.host, "laptop");
/// assert!(ConflictName::parse("docs/report.txt").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConflictName {
    /// The path that the conflict was about.
    pub original: String,
    /// When the copy was made, by the clock of the client that did.
    pub stamp: Timestamp,
    /// Whose version it is.
    pub host: String,
    /// Which one of several of the same second, from 1.
    pub number: u32,
}

impl ConflictName {
    /// Takes a path below a root apart; nothing where it is none of a conflict copy.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (directory, name) = split(path);
        let (stem, rest) = name.rsplit_once(MARK)?;
        let (stamp, rest) = rest.split_at_checked(Timestamp::LEN)?;
        let stamp = Timestamp::parse(stamp)?;
        let rest = rest.strip_prefix('-')?;
        let (host, extension) = rest.split_once('.').map_or((rest, None), |(host, extension)| (host, Some(extension)));
        let (host, number) = match host.rsplit_once('~') {
            Some((host, number)) => (host, number.parse().ok().filter(|number| *number > 1)?),
            None => (host, 1),
        };
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !is_host || stem.is_empty() {
            return None;
        }
        let dot = if extension.is_some() { "." } else { "" };
        let original = format!("{directory}{stem}{dot}{}", extension.unwrap_or_default());
        Some(Self { original, stamp, host: host.to_owned(), number })
    }

    /// The path for a copy of `path`; that of a conflict copy again is one of its original, so that names do not nest.
    /// `number` tells several of one second apart, from 1. A name that would be too long loses the end of its stem.
    pub(super) fn of(path: &str, stamp: Timestamp, host: &str, number: u32) -> String {
        let original = Self::parse(path).map(|name| name.original);
        let (directory, name) = split(original.as_deref().unwrap_or(path));
        let (mut stem, extension) = match name.rfind('.') {
            Some(dot) if dot > 0 => name.split_at(dot),
            _ => (name, ""),
        };
        let number = if number > 1 { format!("~{number}") } else { String::new() };
        let mut tail = format!("{MARK}{stamp}-{host}{number}{extension}");
        // An extension as long as a name is none.
        if tail.len() >= limits::NAME {
            stem = name;
            tail = format!("{MARK}{stamp}-{host}{number}");
        }
        let mut room = limits::NAME.saturating_sub(tail.len()).min(stem.len());
        while !stem.is_char_boundary(room) {
            room -= 1;
        }
        format!("{directory}{}{tail}", &stem[..room])
    }
}

/// Gives conflict copies names that no entry has: in one look-up each on average, however many copies a plan makes.
#[derive(Debug, Default)]
pub(super) struct ConflictNamer {
    /// The names that were given.
    given: HashSet<String>,
    /// The number to try next, by the name with number 1.
    next: HashMap<String, u32>,
}

impl ConflictNamer {
    /// A name for a copy of `path` that was not given before and that no side has, as `exists` says.
    pub(super) fn name(
        &mut self,
        path: &str,
        stamp: Timestamp,
        host: &str,
        mut exists: impl FnMut(&str) -> bool,
    ) -> String {
        let next = self.next.entry(ConflictName::of(path, stamp, host, 1)).or_insert(1);
        loop {
            let name = ConflictName::of(path, stamp, host, *next);
            *next += 1;
            if !exists(&name) && self.given.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The directory with its slash, and the name.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::{Duration, SystemTime};

    fn stamp() -> Timestamp {
        Timestamp::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_861_662))
    }

    fn of(path: &str) -> String {
        ConflictName::of(path, stamp(), "laptop", 1)
    }

    #[test]
    fn the_extension_stays_at_the_end() {
        for (path, expected) in [
            ("notes.txt", "notes.conflict-20251123T013422Z-laptop.txt"),
            ("a.b/notes", "a.b/notes.conflict-20251123T013422Z-laptop"),
            (".profile", ".profile.conflict-20251123T013422Z-laptop"),
            ("a/x.tar.gz", "a/x.tar.conflict-20251123T013422Z-laptop.gz"),
        ] {
            assert_eq!(of(path), expected);
        }
    }

    #[test]
    fn a_copy_of_a_copy_is_a_copy_of_the_original() {
        let copy = of("a/notes.txt");
        assert_eq!(ConflictName::of(&copy, stamp(), "desk", 2), "a/notes.conflict-20251123T013422Z-desk~2.txt");
    }

    #[test]
    fn what_is_made_is_taken_apart() {
        for path in ["notes.txt", "a/.profile", "a b/ä.tar.gz", "plain"] {
            for number in [1, 2, 17] {
                let copy = ConflictName::of(path, stamp(), "lap-top", number);
                let name = ConflictName::parse(&copy).unwrap();
                let expected = ConflictName { original: path.into(), stamp: stamp(), host: "lap-top".into(), number };
                assert_eq!(name, expected, "{copy}");
            }
        }
    }

    #[test]
    fn a_name_is_never_too_long() {
        for name in ["ä".repeat(127), format!("x.{}", "y".repeat(250)), "x".repeat(255)] {
            let copy = of(&name);
            assert!(copy.len() <= limits::NAME && ConflictName::parse(&copy).is_some(), "{copy}");
        }
    }

    #[test]
    fn a_name_that_exists_or_was_given_is_skipped() {
        let mut namer = ConflictNamer::default();
        let taken = ConflictName::of("a/x.txt", stamp(), "laptop", 2);
        let mut name = |path| namer.name(path, stamp(), "laptop", |name| name == taken);
        assert_eq!(name("a/x.txt"), "a/x.conflict-20251123T013422Z-laptop.txt");
        assert_eq!(name("a/x.txt"), "a/x.conflict-20251123T013422Z-laptop~3.txt");
        assert_eq!(name("b/x.txt"), "b/x.conflict-20251123T013422Z-laptop.txt");
    }

    #[test]
    fn twenty_thousand_names_take_a_linear_number_of_look_ups() {
        const COPIES: usize = 20_000;
        // Copies of one file, and files whose long names are cut to the same length, compete for the same names.
        let copy_of_one =
            |index: usize| ConflictName::of("notes.txt", stamp(), "desk", 1 + u32::try_from(index).unwrap());
        let long_name = |index: usize| format!("{}{index:05}.txt", "x".repeat(240));
        for path in [&copy_of_one as &dyn Fn(usize) -> String, &long_name, &|index| format!("{index}.txt")] {
            let (mut namer, mut look_ups) = (ConflictNamer::default(), 0);
            let names: HashSet<String> = (0..COPIES)
                .map(|index| {
                    namer.name(&path(index), stamp(), "laptop", |_| {
                        look_ups += 1;
                        false
                    })
                })
                .collect();
            assert_eq!((names.len(), look_ups), (COPIES, COPIES));
        }
    }

    #[test]
    fn other_names_are_none_of_copies() {
        for name in [
            "a.conflict-",
            "a.conflict-20251123T013422Z",
            "a.conflict-20251323T013422Z-h.txt",
            ".conflict-20251123T013422Z-h",
            "a.conflict-20251123T013422Z-h~1.txt",
        ] {
            assert_eq!(ConflictName::parse(name), None, "{name}");
        }
    }
}
