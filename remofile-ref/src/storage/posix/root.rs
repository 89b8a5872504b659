//! The served directory: names become descriptors below it, or not at all.
//!
//! **No path is checked first and opened later.** The kernel resolves the parent directory with
//! openat2 and refuses links, `..` and mount points on the way; the last component is then only used
//! relative to that descriptor, by calls that do not follow it.

use super::{MountPoints, Status, open_beneath, reserved};
use crate::fs::calls::{fstat, ioctl_getflags};
use crate::fs::stat::{FileId, file_id, stat_name};
use remofile_proto::{Kind, RemotePath};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::io;

/// `FS_CASEFOLD_FL`: lookups in this directory fold case and normalisation.
const CASEFOLD: u32 = 0x4000_0000;

/// The served directory, and the identity of its staging directory, which no operation may use.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    staging: Option<FileId>,
    folds: bool,
}

/// The root, or a directory below it.
#[derive(Debug)]
pub(super) enum ParentDir<'a> {
    Borrowed(BorrowedFd<'a>),
    Opened(OwnedFd),
}

/// A name in an open directory.
#[derive(Debug)]
pub(super) struct DirEntryRef<'a> {
    root: &'a Root,
    pub(super) directory: ParentDir<'a>,
    pub(super) name: &'a str,
}

impl Root {
    /// Fails where the kernel has no openat2, or forbids it: nothing else keeps operations inside.
    pub(super) fn new(fd: OwnedFd) -> Result<Self, Errno> {
        open_beneath(&fd, ".", OFlags::PATH | OFlags::DIRECTORY, MountPoints::Refuse)?;
        let folds = folds(fd.as_fd());
        Ok(Self { fd, staging: None, folds })
    }

    /// Refuses this directory from now on, by every name.
    pub(super) fn reserve(&mut self, staging: FileId) {
        self.staging = Some(staging);
    }

    /// Adds what a probe with names has found.
    pub(super) fn assume_folding(&mut self, folds: bool) {
        self.folds |= folds;
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether names at the root that differ only in case or normalisation are one.
    pub(super) fn folds(&self) -> bool {
        self.folds
    }

    /// The same for names in any directory.
    pub(super) fn folds_in(&self, directory: &RemotePath) -> bool {
        let opened = || open_beneath(&self.fd, below(directory), OFlags::RDONLY, MountPoints::Refuse);
        self.folds || (!directory.is_root() && opened().is_ok_and(|opened| folds(opened.as_fd())))
    }

    /// Opens the directory that contains `path`.
    pub(super) fn entry<'a>(&'a self, path: &'a RemotePath) -> io::Result<DirEntryRef<'a>> {
        let (parent, name) = path.split_last().ok_or(io::ErrorKind::IsADirectory)?;
        let directory = if parent == "/" {
            ParentDir::Borrowed(self.fd.as_fd())
        } else {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let parent = open_beneath(&self.fd, &parent[1..], flags, MountPoints::Refuse)?;
            if self.is_staging(file_id(&fstat(&parent)?)) {
                return Err(reserved());
            }
            ParentDir::Opened(parent)
        };
        Ok(DirEntryRef { root: self, directory, name })
    }

    /// A name in a directory that is open.
    pub(super) fn entry_in<'a>(&'a self, directory: &'a OwnedFd, name: &'a str) -> DirEntryRef<'a> {
        DirEntryRef { root: self, directory: ParentDir::Borrowed(directory.as_fd()), name }
    }

    /// Opens the directory `below` a directory to read its names.
    pub(super) fn open_directory(&self, start: impl AsFd, below: &str) -> io::Result<OwnedFd> {
        let below = if below.is_empty() { "." } else { below };
        let opened = open_beneath(start, below, OFlags::RDONLY | OFlags::DIRECTORY, MountPoints::Refuse)?;
        if self.is_staging(file_id(&fstat(&opened)?)) { Err(reserved()) } else { Ok(opened) }
    }

    fn is_staging(&self, identity: FileId) -> bool {
        self.staging == Some(identity)
    }
}

impl DirEntryRef<'_> {
    /// The status of the entry, if it exists; a link is not followed.
    pub(super) fn look(&self) -> io::Result<Option<Status>> {
        match stat_name(&self.directory, self.name)?.map(Status::from) {
            Some(status) if self.root.is_staging(status.identity) => Err(reserved()),
            found => Ok(found),
        }
    }

    /// Opens the regular file of this name; any other kind is an error, and is not waited for.
    pub(super) fn open_file(&self, access: OFlags) -> io::Result<(OwnedFd, Status)> {
        // Opening a FIFO waits for its other end and opening a device may act on it: look first where
        // the operation writes, and in any case look again at what was really opened.
        if access != OFlags::RDONLY {
            let found = self.look()?.ok_or(Errno::NOENT)?;
            refuse_other_kinds(&found)?;
        }
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = open_beneath(&self.directory, self.name, flags, MountPoints::Refuse)?;
        let status = fstat(&file).map(Status::from)?;
        if self.root.is_staging(status.identity) {
            return Err(reserved());
        }
        refuse_other_kinds(&status)?;
        Ok((file, status))
    }
}

impl AsFd for ParentDir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Borrowed(directory) => directory.as_fd(),
            Self::Opened(directory) => directory.as_fd(),
        }
    }
}

fn refuse_other_kinds(status: &Status) -> io::Result<()> {
    match status.kind {
        Kind::File => Ok(()),
        Kind::Dir => Err(io::ErrorKind::IsADirectory.into()),
        Kind::Link | Kind::Other => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn below(path: &RemotePath) -> &str {
    &path.as_str()[1..]
}

fn folds(directory: BorrowedFd<'_>) -> bool {
    ioctl_getflags(directory).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
}
