//! Opens paths below a directory: symbolic links and `..` on the way are refused by the kernel.

use super::calls::openat2;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// How often a resolution is tried that a signal or a rename elsewhere interrupts.
const ATTEMPTS: usize = 64;

/// Whether a path may lead to another file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MountPoints {
    Refuse,
    #[cfg(feature = "transport")]
    Cross,
}

/// Opens `path` below `start`. `EINTR` and `EAGAIN` are retried.
pub(crate) fn open_beneath<P: Arg + Copy>(
    start: impl AsFd,
    path: P,
    flags: OFlags,
    mount_points: MountPoints,
) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if mount_points == MountPoints::Refuse {
        resolve |= ResolveFlags::NO_XDEV;
    }
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        opened = openat2(start.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    opened
}
