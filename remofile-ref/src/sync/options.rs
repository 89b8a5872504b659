//! How directories are synchronised: what is left out, what may be removed, where the archive is.

use super::{Timestamp, trash::KEPT_FOR};
use std::{
    env, fmt,
    num::NonZeroU64,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How a directory is synchronised.
///
/// ```
/// use remofile::sync::SyncOptions;
///
/// let options = SyncOptions::new()
///     .exclude(|path, _is_directory| path.extension().is_some_and(|extension| extension == "tmp"))
///     .dry_run(true);
/// ```
#[derive(Clone)]
pub struct SyncOptions {
    pub(super) delete: bool,
    pub(super) allow_delete: bool,
    pub(super) allow_name_collisions: bool,
    pub(super) dry_run: bool,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) host: String,
    pub(super) kept_for: Duration,
    pub(super) bytes_per_second: Option<NonZeroU64>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    exclude: Option<Arc<ExcludeFn>>,
    /// A directory below the roots that is no user's business.
    own: Option<String>,
    #[cfg(test)]
    pub(super) failpoint: super::failpoint::Failpoint,
}

type ExcludeFn = dyn Fn(&LocalPath, bool) -> bool + Send + Sync;

impl SyncOptions {
    /// Everything is synchronised; the guards hold; the archive is in `$XDG_STATE_HOME/remofile/sync`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            delete: false,
            allow_delete: false,
            allow_name_collisions: false,
            dry_run: false,
            state_directory: None,
            host: host_name(),
            kept_for: KEPT_FOR,
            bytes_per_second: None,
            clock: Arc::new(SystemTime::now),
            exclude: None,
            own: None,
            #[cfg(test)]
            failpoint: super::failpoint::Failpoint::default(),
        }
    }

    /// One-way runs: what the target has and the source has not is removed. Two-way runs propagate deletions always.
    #[must_use]
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Goes on where a guard would stop the run, see [`SafetyCheck`](super::SafetyCheck).
    #[must_use]
    pub fn allow_delete(mut self, allow_delete: bool) -> Self {
        self.allow_delete = allow_delete;
        self
    }

    /// Transfers names that differ in case or normalisation alone, where the server keeps them apart; else they are
    /// reported ([`ProblemReason::NameCollision`](super::ProblemReason::NameCollision)), since one side or a later one might merge them.
    #[must_use]
    pub fn allow_name_collisions(mut self, allow_name_collisions: bool) -> Self {
        self.allow_name_collisions = allow_name_collisions;
        self
    }

    /// Only tells what would be done, with all comparing and hashing that it takes, and changes nothing: neither side,
    /// nor the archive.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Leaves out what `exclude` is true of, and all below it, on both sides. It is asked with the path below the
    /// roots, and whether that is a directory. What is left out is neither transferred nor removed.
    #[must_use]
    pub fn exclude(mut self, exclude: impl Fn(&LocalPath, bool) -> bool + Send + Sync + 'static) -> Self {
        self.exclude = Some(Arc::new(exclude));
        self
    }

    /// Where archives are kept, one file for each pair of roots.
    #[must_use]
    pub fn state_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_directory = Some(directory.into());
        self
    }

    /// What conflict copies call this machine; characters that no file name should have become `-`.
    #[must_use]
    pub fn host_name(mut self, host: &str) -> Self {
        self.host = as_host(host);
        self
    }

    /// The clock that names conflict copies and directories of the trash; for tests. It decides nothing else.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long the trash of either side keeps what is in it; 30 days where nothing is said. What is older goes at the
    /// end of each run, on a server that is read-only excepted.
    #[must_use]
    pub fn trash_kept_for(mut self, kept_for: Duration) -> Self {
        self.kept_for = kept_for;
        self
    }

    /// Content passes at no more than so many bytes a second; zero means at full speed.
    #[must_use]
    pub fn bytes_per_second(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = NonZeroU64::new(bytes_per_second);
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::at((self.clock)())
    }

    /// The same, and leaves this path below the roots out too.
    pub(super) fn without(mut self, own: Option<String>) -> Self {
        self.own = own;
        self
    }

    pub(super) fn excludes(&self, path: &str, is_directory: bool) -> bool {
        self.own.as_deref() == Some(path)
            || self.exclude.as_ref().is_some_and(|exclude| exclude(LocalPath::new(path), is_directory))
    }

    /// Where the archives are; nothing where neither the environment nor the caller tells.
    #[must_use]
    pub fn state_path(&self) -> Option<PathBuf> {
        if let Some(directory) = &self.state_directory {
            return Some(directory.clone());
        }
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(state.join("remofile/sync"))
    }
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SyncOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncOptions")
            .field("delete", &self.delete)
            .field("allow_delete", &self.allow_delete)
            .field("allow_name_collisions", &self.allow_name_collisions)
            .field("dry_run", &self.dry_run)
            .field("state_directory", &self.state_directory)
            .field("host", &self.host)
            .field("kept_for", &self.kept_for)
            .field("bytes_per_second", &self.bytes_per_second)
            .field("has_exclude", &self.exclude.is_some())
            .finish_non_exhaustive()
    }
}

fn host_name() -> String {
    as_host(&rustix::system::uname().nodename().to_string_lossy())
}

/// A part of a file name, of at most 32 characters, that every file system takes and no parser of names trips over.
fn as_host(host: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let host: String = host.chars().map(allowed).take(32).collect();
    if host.is_empty() { "host".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_part_of_a_name_whatever_it_is_called() {
        assert_eq!(as_host("nas.local/a b\u{e9}"), "nas-local-a-b-");
        assert_eq!(as_host(""), "host");
        assert_eq!(as_host(&"x".repeat(300)).len(), 32);
    }

    #[test]
    fn nothing_is_left_out_unless_said() {
        assert!(!SyncOptions::new().excludes("a.tmp", false));
        let options = SyncOptions::new().exclude(|path, is_directory| is_directory && path == LocalPath::new("a/b"));
        assert!(options.excludes("a/b", true));
        assert!(!options.excludes("a/b", false));
    }
}
