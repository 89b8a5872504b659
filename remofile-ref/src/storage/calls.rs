//! Every call of the store to the file system, in one place: there a test makes the n-th of them fail.
//!
//! **Nothing else in the store calls rustix to look at the disk or change it.** Outside of tests these are rustix's
//! own functions.

#[cfg(test)]
pub(super) mod faulty;

#[cfg(test)]
pub(super) use faulty::*;
#[cfg(not(test))]
pub(super) use plain::*;

#[cfg(not(test))]
mod plain {
    pub(in crate::storage) use rustix::fs::{
        copy_file_range, fchmod, fdatasync, flock, fstat, fstatvfs, fsync, ftruncate, futimens, ioctl_ficlone,
        ioctl_getflags, linkat, mkdirat, openat, openat2, renameat, renameat_with, statat, statx, syncfs, unlinkat,
        utimensat,
    };
    pub(in crate::storage) use rustix::io::{fcntl_dupfd_cloexec, pread, pwrite};

    use rustix::fd::OwnedFd;
    use rustix::io::Errno;

    /// An entry that was read from a directory.
    pub(in crate::storage) fn read_entry<T>(read: Result<T, Errno>) -> Result<T, Errno> {
        read
    }

    /// A call that is made in another thread.
    pub(in crate::storage) fn elsewhere(
        call: fn(OwnedFd) -> Result<(), Errno>,
    ) -> impl FnOnce(OwnedFd) -> Result<(), Errno> {
        call
    }
}
