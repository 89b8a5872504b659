//! How transfers are made: what is replaced, left out and followed, how fast, and what is reported of each item.

use super::{ClientError, Transferred};
use std::{fmt, num::NonZeroU64, path::Path as LocalPath, sync::Arc};

/// How files and directories are transferred: what is replaced, left out and followed, and how fast.
///
/// ```
/// use remofile::{FileClient, FileServer, ItemOutcome, Replace, TransferOptions, generate_token};
///
/// # let directory = tempfile::tempdir()?;
/// # let token = generate_token();
/// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| server.run());
/// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
/// let options = TransferOptions::new()
///     .recursive(true)
///     .replace(Replace::Older)
///     .exclude(|path, _is_directory| path.extension().is_some_and(|extension| extension == "rs"));
/// let mut client = FileClient::new(endpoint, token)?;
/// let sources = [("src".into(), "/src".parse()?), ("Cargo.toml".into(), "/Cargo.toml".parse()?)];
/// let done = client.upload_items(&sources, &options, &mut |item| {
///     if let ItemOutcome::Failed(error) = &item.outcome {
///         eprintln!("{}: {error}", item.local.display());
///     }
/// })?;
/// assert_eq!(done.failed, 0);
/// # Ok(client.bye())
/// # })();
/// # stop.stop();
/// # result
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TransferOptions {
    pub(super) replace: Replace,
    pub(super) recursive: bool,
    pub(super) follow_links: bool,
    pub(super) dry_run: bool,
    pub(super) counts_first: Option<bool>,
    pub(super) bytes_per_second: Option<NonZeroU64>,
    exclude: Option<Arc<ExcludeFn>>,
}

/// Called for each item.
pub(super) type ItemCallback<'a> = dyn FnMut(&TransferItem<'_>) + 'a;

type ExcludeFn = dyn Fn(&LocalPath, bool) -> bool + Send + Sync;

/// What is done where a file of other content stands under the target's name. One of the same content is unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and that is a failure.
    #[default]
    Never,
    /// It is replaced, unless its modification time is later than the source's: then it stays, and that is none. Equal
    /// times are no reason to keep it.
    Older,
    /// It is replaced.
    Always,
}

/// One item of a transfer, reported as soon as its outcome is known.
#[derive(Debug)]
#[non_exhaustive]
pub struct TransferItem<'a> {
    /// Where it is, or goes, on this machine.
    pub local: &'a LocalPath,
    /// Where it goes, or is, on the server, as text; its bare name where that allows no path.
    pub remote: &'a str,
    /// What becomes of it.
    pub outcome: ItemOutcome<'a>,
}

impl<'a> TransferItem<'a> {
    /// The outcome of a transfer between this local path and this remote one.
    #[must_use]
    pub fn new(local: &'a LocalPath, remote: &'a str, outcome: ItemOutcome<'a>) -> Self {
        Self { local, remote, outcome }
    }
}

/// What becomes of one item.
#[derive(Debug)]
#[non_exhaustive]
pub enum ItemOutcome<'a> {
    /// The file is there now.
    Done(Transferred),
    /// In a dry run: what would be done.
    Planned(Planned),
    /// It is left out, which is no failure.
    Skipped(SkipReason),
    /// It failed; the others go on.
    Failed(&'a ClientError),
}

/// What would be done with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Planned {
    /// The directory would be made.
    Directory,
    /// The file would be transferred; nothing is there.
    New {
        /// Its size.
        bytes: u64,
    },
    /// The file would be transferred in place of another one.
    Replace {
        /// Its size.
        bytes: u64,
    },
    /// The rest of the file would be transferred, if what is there is its beginning.
    Resume {
        /// Its size.
        bytes: u64,
        /// How many bytes of it are there.
        done: u64,
    },
    /// The same content is there.
    Unchanged {
        /// Its size.
        bytes: u64,
    },
}

/// Why an item is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// A symbolic link, which is not followed.
    Link,
    /// A FIFO, socket or device.
    Special,
    /// The options exclude it, and all below it.
    Excluded,
    /// What is there has a later modification time ([`Replace::Older`]).
    Newer,
}

impl TransferOptions {
    /// Single files, nothing replaced, at full speed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is done where a file of other content is there.
    #[must_use]
    pub fn replace(mut self, replace: Replace) -> Self {
        self.replace = replace;
        self
    }

    /// Directories too, with all they hold; without it they fail.
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Follows local symbolic links below the sources of an upload; a link to a directory that it lies in fails.
    #[must_use]
    pub fn follow_links(mut self, follow_links: bool) -> Self {
        self.follow_links = follow_links;
        self
    }

    /// Leaves out what `exclude` is true of, and all below it; it is asked with the path below the source that is
    /// transferred, and whether that is a directory. The sources themselves are not asked about.
    #[must_use]
    pub fn exclude(mut self, exclude: impl Fn(&LocalPath, bool) -> bool + Send + Sync + 'static) -> Self {
        self.exclude = Some(Arc::new(exclude));
        self
    }

    /// Only reports what would be done ([`ItemOutcome::Planned`]), with all comparing and hashing that takes, and changes
    /// nothing on either side.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether files are counted before they are transferred, so that [`TreeProgress`](super::TreeProgress) has totals;
    /// else they are where a watcher is set.
    #[must_use]
    pub fn count_first(mut self, count_first: bool) -> Self {
        self.counts_first = Some(count_first);
        self
    }

    /// Content passes at no more than so many bytes a second, on average over any few seconds; zero means at full
    /// speed.
    #[must_use]
    pub fn bytes_per_second(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = NonZeroU64::new(bytes_per_second);
        self
    }

    pub(super) fn excludes(&self, relative: &LocalPath, is_directory: bool) -> bool {
        self.exclude.as_ref().is_some_and(|exclude| exclude(relative, is_directory))
    }
}

impl fmt::Debug for TransferOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferOptions")
            .field("replace", &self.replace)
            .field("recursive", &self.recursive)
            .field("follow_links", &self.follow_links)
            .field("dry_run", &self.dry_run)
            .field("bytes_per_second", &self.bytes_per_second)
            .field("has_exclude", &self.exclude.is_some())
            .finish_non_exhaustive()
    }
}

impl Replace {
    /// Whether what has this modification time stays because it is later than the source's.
    pub(super) fn keeps(self, theirs_ns: Option<i64>, source_ns: Option<i64>) -> bool {
        self == Replace::Older && theirs_ns.zip(source_ns).is_some_and(|(theirs, source)| theirs > source)
    }
}

impl From<bool> for Replace {
    /// Whether files are replaced.
    fn from(overwrite: bool) -> Self {
        if overwrite { Replace::Always } else { Replace::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_later_is_kept() {
        assert!(Replace::Older.keeps(Some(2), Some(1)));
        assert!(!Replace::Older.keeps(Some(1), Some(1)));
        assert!(!Replace::Older.keeps(Some(1), Some(2)));
        assert!(!Replace::Older.keeps(None, Some(2)));
    }

    #[test]
    fn times_matter_to_nothing_else() {
        assert!(!Replace::Always.keeps(Some(2), Some(1)));
        assert!(!Replace::Never.keeps(Some(2), Some(1)));
    }
}
