//! The jail: names become descriptors here, below the served directory or not at all.
//!
//! **No path is ever checked first and opened later.** The kernel resolves the parent directory with
//! openat2 and refuses links, `..` and mount points on the way; the last component is then only used
//! relative to that descriptor, by calls that do not follow it.

use super::errno::failed;
use super::status::Status;
use crate::fs::beneath::{MountPoints, open_beneath};
use crate::fs::calls::{fstat, ioctl_getflags, statat};
use crate::fs::stat::FileId;
use remofile_proto::{Code, Refusal, RemotePath};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

/// `FS_CASEFOLD_FL`: lookups in this directory fold case and normalisation.
const CASEFOLD: u32 = 0x4000_0000;

/// The served directory, and the one inside that is nobody's business.
#[derive(Debug)]
pub(super) struct Jail {
    root: OwnedFd,
    staging: Option<FileId>,
    folds: bool,
}

/// A directory below the root, or the root.
#[derive(Debug)]
pub(super) enum Directory<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

/// A name in a directory: where an operation works.
#[derive(Debug)]
pub(super) struct Place<'a> {
    jail: &'a Jail,
    pub(super) directory: Directory<'a>,
    pub(super) name: &'a str,
}

impl Jail {
    /// A jail around an opened directory.
    ///
    /// Fails where the kernel has no openat2, or forbids it: nothing else here is a jail.
    pub(super) fn new(root: OwnedFd) -> Result<Self, Errno> {
        open_beneath(&root, ".", OFlags::PATH | OFlags::DIRECTORY, MountPoints::Refuse)?;
        let folds = folds(root.as_fd());
        Ok(Self { root, staging: None, folds })
    }

    /// Refuses this directory from now on, whatever name leads there.
    pub(super) fn reserve(&mut self, staging: FileId) {
        self.staging = Some(staging);
    }

    /// Takes over what was found out by trying names.
    pub(super) fn assume_folding(&mut self, folds: bool) {
        self.folds |= folds;
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Whether names at the root that differ only in case or normalisation are one.
    pub(super) fn folds(&self) -> bool {
        self.folds
    }

    /// Resolves the directory that holds `path`; the root itself, which nothing holds, is `at_root`.
    pub(super) fn place<'a>(&'a self, path: &'a RemotePath, at_root: Code) -> Result<Place<'a>, Refusal> {
        let (parent, name) = path.split_last().ok_or_else(|| Refusal::new(at_root))?;
        let directory = if parent == "/" {
            Directory::Root(self.root.as_fd())
        } else {
            let parent = open_beneath(&self.root, &parent[1..], OFlags::PATH | OFlags::DIRECTORY, MountPoints::Refuse)
                .map_err(failed("resolving the directory"))?;
            self.refuse_staging(parent.as_fd())?;
            Directory::Below(parent)
        };
        Ok(Place { jail: self, directory, name })
    }

    /// Opens the directory `below` a directory for listing; nothing where that is the staging directory.
    pub(super) fn open_directory(&self, start: impl AsFd, below: &str) -> Result<Option<OwnedFd>, Errno> {
        let below = if below.is_empty() { "." } else { below };
        let opened = open_beneath(start, below, OFlags::RDONLY | OFlags::DIRECTORY, MountPoints::Refuse)?;
        let identity = Status::from(fstat(&opened)?).identity;
        Ok((!self.is_staging(identity)).then_some(opened))
    }

    /// The status of any path, the root included.
    pub(super) fn status(&self, path: &RemotePath) -> Result<Status, Refusal> {
        if path.is_root() {
            return fstat(&self.root).map(Status::from).map_err(failed("looking at the entry"));
        }
        self.place(path, Code::NotFile)?.status()
    }

    /// Whether this is the staging directory, by whatever name it was reached.
    pub(super) fn is_staging(&self, identity: FileId) -> bool {
        self.staging == Some(identity)
    }

    fn refuse_staging(&self, directory: BorrowedFd<'_>) -> Result<(), Refusal> {
        let status = fstat(directory).map(Status::from).map_err(failed("looking at the directory"))?;
        if self.is_staging(status.identity) { Err(reserved()) } else { Ok(()) }
    }
}

impl Place<'_> {
    /// What stands at this place; a link is not followed.
    pub(super) fn status(&self) -> Result<Status, Refusal> {
        self.look()?.ok_or_else(|| Refusal::new(Code::NotFound))
    }

    /// As [`Place::status`], where nothing may be there.
    pub(super) fn look(&self) -> Result<Option<Status>, Refusal> {
        match statat(&self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW).map(Status::from) {
            Ok(status) if self.jail.is_staging(status.identity) => Err(reserved()),
            Ok(status) => Ok(Some(status)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("looking at the entry")(errno)),
        }
    }

    /// Opens the regular file at this place; anything else is refused, and never waited for.
    pub(super) fn open_file(&self, access: OFlags) -> Result<(OwnedFd, Status), Refusal> {
        // Opening a FIFO waits for its other end and opening a device may act on it: look first where
        // the operation writes, and in any case look again at what was really opened.
        if access != OFlags::RDONLY {
            self.status()?.needs_file()?;
        }
        let opened =
            open_beneath(&self.directory, self.name, access | OFlags::NOFOLLOW | OFlags::NONBLOCK, MountPoints::Refuse);
        let file = match opened {
            Ok(file) => file,
            Err(errno @ (Errno::LOOP | Errno::NXIO | Errno::ISDIR | Errno::NODEV)) => {
                self.status()?.needs_file()?;
                return Err(failed("opening the file")(errno));
            }
            Err(errno) => return Err(failed("opening the file")(errno)),
        };
        let status = fstat(&file).map(Status::from).map_err(failed("looking at the file"))?;
        if self.jail.is_staging(status.identity) {
            return Err(reserved());
        }
        status.needs_file()?;
        Ok((file, status))
    }

    /// Whether the file system may find this entry under names that differ in bytes.
    pub(super) fn folds(&self) -> bool {
        match &self.directory {
            Directory::Root(_) => self.jail.folds,
            Directory::Below(directory) => {
                self.jail.folds
                    || open_beneath(directory, ".", OFlags::RDONLY, MountPoints::Refuse)
                        .is_ok_and(|opened| folds(opened.as_fd()))
            }
        }
    }

    /// Whether both are names in one directory.
    pub(super) fn is_beside(&self, other: &Place<'_>) -> Result<bool, Refusal> {
        let identity = |place: &Place<'_>| fstat(&place.directory).map(|stat| Status::from(stat).identity);
        let both = identity(self).and_then(|one| Ok(one == identity(other)?));
        both.map_err(failed("looking at the directory"))
    }
}

impl AsFd for Directory<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => root.as_fd(),
            Self::Below(directory) => directory.as_fd(),
        }
    }
}

fn folds(directory: BorrowedFd<'_>) -> bool {
    ioctl_getflags(directory).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
}

/// The answer to every name that turns out to lead to the staging directory.
pub(super) fn reserved() -> Refusal {
    Refusal::because(Code::BadName, "this name is reserved")
}
