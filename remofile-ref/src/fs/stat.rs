//! What one stat says about an inode.

use super::calls::statat;
use super::time::NANOS;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Device and inode: whether two names are one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The stat of a name; a symbolic link is not followed. Nothing where the name does not exist.
pub(crate) fn stat_name(directory: impl AsFd, name: impl Arg) -> Result<Option<Stat>, Errno> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types of stat differ by architecture")]
pub(crate) fn file_id(stat: &Stat) -> FileId {
    FileId { device: stat.st_dev.into(), inode: stat.st_ino.into() }
}

/// The modification time in nanoseconds.
#[allow(clippy::unnecessary_cast, reason = "the types of stat differ by architecture")]
pub(crate) fn mtime_ns(stat: &Stat) -> i128 {
    i128::from(stat.st_mtime) * i128::from(NANOS) + stat.st_mtime_nsec as i128
}

/// The time of the last change to content or metadata in nanoseconds.
#[allow(clippy::unnecessary_cast, reason = "the types of stat differ by architecture")]
pub(crate) fn ctime_ns(stat: &Stat) -> i128 {
    i128::from(stat.st_ctime) * i128::from(NANOS) + stat.st_ctime_nsec as i128
}
