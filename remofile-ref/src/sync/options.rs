//! The options of a synchronisation.

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
    /// The directory of the saved state, if it is below the root.
    own: Option<String>,
    #[cfg(test)]
    pub(super) failpoint: super::failpoint::SyncFailpoint,
}

type ExcludeFn = dyn Fn(&LocalPath, bool) -> bool + Send + Sync;

impl SyncOptions {
    /// The defaults: everything is synchronised, the safety checks are on, and the state is in
    /// `$XDG_STATE_HOME/remofile/sync`.
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
            failpoint: super::failpoint::SyncFailpoint::default(),
        }
    }

    /// One-way runs: removes entries that only the target has. Two-way runs always propagate deletions.
    #[must_use]
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Turns the safety checks off, see [`SafetyCheck`](super::SafetyCheck).
    #[must_use]
    pub fn allow_delete(mut self, allow_delete: bool) -> Self {
        self.allow_delete = allow_delete;
        self
    }

    /// Transfers names that differ only in case or normalisation, if the server keeps them apart; otherwise they are
    /// reported ([`ProblemReason::NameCollision`](super::ProblemReason::NameCollision)), since one side or a later one
    /// might merge them.
    #[must_use]
    pub fn allow_name_collisions(mut self, allow_name_collisions: bool) -> Self {
        self.allow_name_collisions = allow_name_collisions;
        self
    }

    /// Reports what a run would do, with all comparing and hashing that it takes, and changes neither side nor the
    /// saved state.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Excludes the paths for which `exclude` returns true, and all below them, on both sides. Its arguments are the
    /// path below the roots and whether it is a directory. Excluded paths are neither transferred nor removed.
    #[must_use]
    pub fn exclude(mut self, exclude: impl Fn(&LocalPath, bool) -> bool + Send + Sync + 'static) -> Self {
        self.exclude = Some(Arc::new(exclude));
        self
    }

    /// The directory for the saved state, with files for each pair of roots.
    #[must_use]
    pub fn state_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_directory = Some(directory.into());
        self
    }

    /// The name of this machine in conflict copies; characters that are not portable in file names become `-`.
    #[must_use]
    pub fn host_name(mut self, host: &str) -> Self {
        self.host = as_host(host);
        self
    }

    /// The clock for the names of conflict copies and trash directories; for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long the trash of either side keeps files, by default 30 days. Each run ends by removing older ones, except
    /// on a read-only server.
    #[must_use]
    pub fn trash_kept_for(mut self, kept_for: Duration) -> Self {
        self.kept_for = kept_for;
        self
    }

    /// Limits the transfer of content to this many bytes per second; zero means no limit.
    #[must_use]
    pub fn bytes_per_second(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = NonZeroU64::new(bytes_per_second);
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::at((self.clock)())
    }

    /// Excludes this path below the roots too.
    pub(super) fn without(mut self, own: Option<String>) -> Self {
        self.own = own;
        self
    }

    pub(super) fn excludes(&self, path: &str, is_directory: bool) -> bool {
        self.own.as_deref() == Some(path)
            || self.exclude.as_ref().is_some_and(|exclude| exclude(LocalPath::new(path), is_directory))
    }

    /// The directory of the saved state; `None` where neither the environment nor the caller specifies it.
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

/// Converts a host name to at most 32 characters that are valid in every file name.
fn as_host(host: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let host: String = host.chars().map(allowed).take(32).collect();
    if host.is_empty() { "host".to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_name_becomes_part_of_a_file_name() {
        assert_eq!(as_host("nas.local/a b\u{e9}"), "nas-local-a-b-");
        assert_eq!(as_host(""), "host");
        assert_eq!(as_host(&"x".repeat(300)).len(), 32);
    }

    #[test]
    fn nothing_is_excluded_by_default() {
        assert!(!SyncOptions::new().excludes("a.tmp", false));
        let options = SyncOptions::new().exclude(|path, is_directory| is_directory && path == LocalPath::new("a/b"));
        assert!(options.excludes("a/b", true));
        assert!(!options.excludes("a/b", false));
    }
}
