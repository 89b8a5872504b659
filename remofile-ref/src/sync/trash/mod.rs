//! The trash: where a synchronisation moves the files that it removes or replaces, on the side that loses them.
//!
//! A trash is a directory `.remofile-trash`: at the top of the local root, and of what the server serves, where that
//! name is a convention among clients. It contains a directory for each run that moved files there, named by the time
//! in UTC, and in it the files under their original paths:
//!
//! ```text
//! .remofile-trash/20261123T013422Z/photos/cat.jpg
//! ```
//!
//! If that path exists, the run uses `20261123T013422Z-2`. Nothing is overwritten in a trash, and a file is moved there
//! by an atomic rename. Times are those of the client.

mod local;
mod remote;

pub use local::LocalTrash;
pub use remote::RemoteTrash;

use super::Timestamp;
use remofile_proto::Etag;
use std::time::{Duration, SystemTime};

/// The name of a trash. A directory of this name is synchronised nowhere.
pub const TRASH: &str = ".remofile-trash";

/// How long a trash keeps files by default: 30 days.
pub const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

/// How many directories one second can have in a trash.
const RUNS_MAX: u32 = 1_000;

/// A file in a trash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trashed {
    /// When it was put there, by the clock of the client that did.
    pub stamp: Timestamp,
    /// The path that it had, from the top of what the trash is for, without a slash in front.
    pub path: String,
    /// Its path in the trash, from the top: unique among files of the same original path.
    pub place: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its modification time in nanoseconds since 1970-01-01T00:00:00Z, where that is known.
    pub mtime_ns: Option<i64>,
    /// On the server, its version.
    pub etag: Option<Etag>,
}

/// What was cleaned out of a trash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleaned {
    /// How many files went for good.
    pub files: u64,
}

impl Trashed {
    /// How long it has been there at `now`.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        self.stamp.age(now)
    }

    /// What a file at `below`, in the trash, is; nothing where that is not of a run.
    fn at(below: &str, bytes: u64, mtime_ns: Option<i64>, etag: Option<Etag>) -> Option<Self> {
        let (run, path) = below.split_once('/')?;
        let stamp = stamp_of_run(run)?;
        Some(Self { stamp, path: path.to_owned(), place: format!("{TRASH}/{below}"), bytes, mtime_ns, etag })
    }
}

/// The names of the directories of a run that began at `stamp`, in this order.
fn run_names(stamp: Timestamp) -> impl Iterator<Item = String> {
    (1..=RUNS_MAX).map(move |number| match number {
        1 => stamp.to_string(),
        _ => format!("{stamp}-{number}"),
    })
}

/// When the run began that a directory in a trash is of, if it is one.
fn stamp_of_run(name: &str) -> Option<Timestamp> {
    let (stamp, number) = name.split_at_checked(Timestamp::LEN)?;
    let is_number = |digits: &str| !digits.starts_with('0') && digits.parse::<u32>().is_ok_and(|number| number > 1);
    let is_run = number.is_empty() || number.strip_prefix('-').is_some_and(is_number);
    Timestamp::parse(stamp).filter(|_| is_run)
}

/// The directory that `path` is in, and its name there.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_of_a_run_is_known_by_its_name() {
        let stamp = Timestamp::parse("20251123T013422Z").unwrap();
        for name in run_names(stamp).take(12) {
            assert_eq!(stamp_of_run(&name), Some(stamp), "{name}");
        }
        for name in ["", "20251123T013422Z-", "20251123T013422Z-1", "20251123T013422Z-02", "20251123T013422Z2", "mine"]
        {
            assert_eq!(stamp_of_run(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_in_a_trash_has_the_path_that_it_had() {
        let trashed = Trashed::at("20251123T013422Z-2/a/b.txt", 3, None, None).unwrap();
        assert_eq!(
            (trashed.path.as_str(), trashed.place.as_str()),
            ("a/b.txt", ".remofile-trash/20251123T013422Z-2/a/b.txt")
        );
        assert_eq!(Trashed::at("mine/a", 0, None, None), None);
        assert_eq!(Trashed::at("20251123T013422Z", 0, None, None), None);
    }
}
