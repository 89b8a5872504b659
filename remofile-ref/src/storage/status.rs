//! The status of an entry, and the etag that is computed from it.

use crate::fs::stat::{self, FileId};
use crate::fs::time::{clamp, now_ns};
use remofile_proto::{Code, Entry, Etag, Kind, Refusal};
use rustix::fs::{FileType, Stat};

/// A file that changed less than this long ago may change again without a new timestamp.
///
/// Timestamps of the kernel advance by ticks of at most 10 ms; twice that, to be sure.
const TICK_NS: i128 = 20_000_000;

/// Kind, size, times and identity of an entry at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    pub(super) identity: FileId,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) links: u64,
    /// Permission bits alone, without set-user-id, set-group-id and sticky.
    pub(super) permissions: u32,
    mtime_ns: i128,
    ctime_ns: i128,
}

/// What tells two states of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    identity: FileId,
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
}

impl Status {
    /// The status of an entry of a backend that is no file system. `id` is unique to the entry.
    #[must_use]
    pub fn new(kind: Kind, id: u64) -> Self {
        let identity = FileId { device: 0, inode: id };
        Self { identity, kind, size: 0, links: 1, permissions: 0o666, mtime_ns: 0, ctime_ns: 0 }
    }

    /// With this size in bytes.
    #[must_use]
    pub fn with_size(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// With the modification time, and the time of the last change to content or metadata, in nanoseconds since 1970.
    /// Every change to the content has to change one of them: the etag is computed from them.
    #[must_use]
    pub fn with_times(self, mtime_ns: i64, ctime_ns: i64) -> Self {
        Self { mtime_ns: mtime_ns.into(), ctime_ns: ctime_ns.into(), ..self }
    }

    /// With these permission bits.
    #[must_use]
    pub fn with_permissions(self, permissions: u32) -> Self {
        Self { permissions, ..self }
    }

    /// What the protocol says about it.
    pub(super) fn entry(&self) -> Entry {
        let is_file = self.kind == Kind::File;
        Entry {
            kind: self.kind,
            size: is_file.then_some(self.size),
            mtime_ns: (is_file || self.kind == Kind::Dir).then(|| clamp(self.mtime_ns)),
            etag: is_file.then(|| self.etag()),
            racy: is_file && self.is_racy(now_ns()),
        }
    }

    /// The version of a file's content: a hash over inode, size, mtime and ctime.
    pub(super) fn etag(&self) -> Etag {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.identity.inode.to_le_bytes());
        hasher.update(&self.size.to_le_bytes());
        hasher.update(&self.mtime_ns.to_le_bytes());
        hasher.update(&self.ctime_ns.to_le_bytes());
        Etag::try_from(&hasher.finalize().as_bytes()[..16]).expect("16 bytes are within 1 to 64")
    }

    /// Differs after every change to the file, as far as timestamps show it.
    pub(super) fn revision(&self) -> Revision {
        Revision { identity: self.identity, size: self.size, mtime_ns: self.mtime_ns, ctime_ns: self.ctime_ns }
    }

    /// Applies the kind rules for an operation that needs a file.
    pub(super) fn needs_file(&self) -> Result<(), Refusal> {
        match self.kind {
            Kind::File => Ok(()),
            Kind::Dir => Err(Refusal::new(Code::NotFile)),
            Kind::Link | Kind::Other => Err(Refusal::new(Code::UnsupportedKind)),
        }
    }

    /// Refuses unless this is the file that `etag` names; without `etag` everything is.
    pub(super) fn matches(&self, etag: Option<&Etag>) -> Result<(), Refusal> {
        match etag {
            Some(etag) if self.kind != Kind::File || *etag != self.etag() => Err(Refusal::new(Code::Changed)),
            _ => Ok(()),
        }
    }

    /// The modification time in nanoseconds since 1970.
    pub(super) fn mtime_ns(&self) -> i64 {
        clamp(self.mtime_ns)
    }

    fn is_racy(&self, now_ns: i128) -> bool {
        self.mtime_ns.max(self.ctime_ns) > now_ns - TICK_NS
    }
}
#[allow(clippy::useless_conversion, reason = "the types of stat differ by architecture")]
impl From<Stat> for Status {
    fn from(found: Stat) -> Self {
        Self {
            identity: stat::file_id(&found),
            kind: match stat::kind(&found) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Dir,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            },
            size: stat::size(&found),
            links: found.st_nlink.into(),
            permissions: found.st_mode & 0o777,
            mtime_ns: stat::mtime_ns(&found),
            ctime_ns: stat::ctime_ns(&found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(mtime_ns: i128, ctime_ns: i128) -> Status {
        let identity = FileId { device: 1, inode: 2 };
        Status { identity, kind: Kind::File, size: 3, links: 1, permissions: 0o644, mtime_ns, ctime_ns }
    }

    #[test]
    fn a_change_within_two_ticks_is_racy() {
        assert!(status(0, 100).is_racy(100 + TICK_NS - 1));
        assert!(!status(0, 100).is_racy(100 + TICK_NS));
    }

    #[test]
    fn a_time_in_the_future_is_racy() {
        assert!(status(i128::from(i64::MAX), 0).is_racy(100));
    }

    #[test]
    fn the_etag_depends_on_the_change_time() {
        assert_ne!(status(5, 6).etag(), status(5, 7).etag());
    }
}
