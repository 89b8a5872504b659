//! The system calls that this crate makes on files, in one place: a test makes the n-th of them fail.
//!
//! Outside of tests these are the functions of rustix.

#[cfg(test)]
pub(crate) mod faulty;

#[cfg(test)]
pub(crate) use faulty::*;
#[cfg(not(test))]
pub(crate) use plain::*;

#[cfg(not(test))]
mod plain {
    #[cfg(feature = "transport")]
    pub(crate) use rustix::fs::chmodat;
    pub(crate) use rustix::fs::{
        copy_file_range, fchmod, fdatasync, flock, fstat, fstatvfs, fsync, ftruncate, futimens, ioctl_ficlone,
        ioctl_getflags, linkat, mkdirat, openat, openat2, renameat, renameat_with, statat, statx, syncfs, unlinkat,
        utimensat,
    };
    pub(crate) use rustix::io::{fcntl_dupfd_cloexec, pread, pwrite};

    use rustix::fd::OwnedFd;
    use rustix::io::Errno;

    /// Passes on an entry that was read from a directory.
    pub(crate) fn read_entry<T>(read: Result<T, Errno>) -> Result<T, Errno> {
        read
    }

    /// Passes on a call that another thread makes.
    pub(crate) fn in_other_thread(call: fn(OwnedFd) -> Result<(), Errno>) -> impl FnOnce(OwnedFd) -> Result<(), Errno> {
        call
    }
}
