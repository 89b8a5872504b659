//! A directory of the local file system as a backend.

mod root;
mod staging;

use super::StoreError;
use super::backend::{Access, Backend, BackendDir, BackendFile, BackendInfo, BackgroundSync, Location};
use super::refusal::{is_reserved, reserved};
use super::status::Status;
use crate::fs::beneath::{MountPoints, open_beneath};
use crate::fs::calls::{
    copy_file_range, fchmod, fdatasync, fstat, fstatvfs, ftruncate, futimens, ioctl_ficlone, mkdirat, openat, renameat,
    syncfs, unlinkat, utimensat,
};
use crate::fs::dir::DirReader;
use crate::fs::io::{read_at, write_all_at};
use crate::fs::rename::rename_no_replace;
use crate::fs::time::{modified_at, modified_now};
use crate::server::landlock::{Confinement, confine_thread};
use remofile_proto::{Kind, RemotePath, RootId};
use root::Root;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use staging::StagingDirectory;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A directory of the local file system, opened once: one that is renamed later stays the one that is served.
///
/// **No name of a request reaches the kernel but below the descriptor of the directory**: see `root.rs`.
#[derive(Debug)]
pub struct Posix {
    root: Arc<Root>,
    /// Absent where the store is read-only.
    staging: Option<StagingDirectory>,
    root_id: Option<RootId>,
}

impl Posix {
    /// Opens a directory: makes and locks its staging directory, unless `read_only`.
    ///
    /// # Errors
    ///
    /// If the directory or its staging directory cannot be used, another server has the lock, or the
    /// kernel cannot keep operations inside.
    pub fn open(root: &Path, read_only: bool) -> Result<Self, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, root, flags, Mode::empty())
            .map_err(|errno| StoreError::Root { path: root.to_owned(), source: errno.into() })?;
        let mut root = Root::new(opened).map_err(|errno| StoreError::NoOpenat2 { source: errno.into() })?;
        if read_only {
            let found = StagingDirectory::peek(root.fd());
            let root_id = found.and_then(|(identity, root_id)| {
                root.reserve(identity);
                root_id
            });
            return Ok(Self { root: Arc::new(root), staging: None, root_id });
        }
        let opened = StagingDirectory::open(root.fd())?;
        root.reserve(opened.identity);
        root.assume_folding(opened.folds);
        Ok(Self { root: Arc::new(root), staging: Some(opened.staging), root_id: Some(opened.root_id) })
    }

    /// As a directory of a file system that folds names.
    #[cfg(test)]
    pub(super) fn folding(root: &Path) -> Self {
        let mut posix = Self::open(root, true).expect("the directory opens");
        Arc::get_mut(&mut posix.root).expect("nothing else uses the root").assume_folding(true);
        posix
    }

    fn staging(&self) -> io::Result<&StagingDirectory> {
        self.staging.as_ref().ok_or_else(|| io::ErrorKind::ReadOnlyFilesystem.into())
    }

    /// Calls `act` with the directory and the name of a location.
    fn at<T>(
        &self,
        at: Location<'_>,
        act: impl FnOnce(rustix::fd::BorrowedFd<'_>, &str) -> Result<T, Errno>,
    ) -> io::Result<T> {
        match at {
            Location::Served(path) => {
                let entry = self.root.entry(path)?;
                Ok(act(entry.directory.as_fd(), entry.name)?)
            }
            Location::Staged(name) => Ok(act(self.staging()?.as_fd(), name)?),
        }
    }
}

impl Backend for Posix {
    type File = PosixFile;
    type Dir = PosixDir;

    fn info(&self) -> BackendInfo {
        BackendInfo { root_id: self.root_id, folds: self.root.folds(), read_only: self.staging.is_none() }
    }

    fn stat(&self, at: Location<'_>) -> io::Result<Option<Status>> {
        match at {
            Location::Served(path) if path.is_root() => Ok(Some(fstat(self.root.fd()).map(Status::from)?)),
            Location::Served(path) => self.root.entry(path)?.look(),
            Location::Staged(name) => Ok(self.staging()?.status(name)?),
        }
    }

    fn open(&self, at: Location<'_>, access: Access) -> io::Result<(PosixFile, Status)> {
        let (file, status) = match (at, access) {
            (Location::Served(path), Access::Read) => self.root.entry(path)?.open_file(OFlags::RDONLY)?,
            (Location::Served(path), Access::Write) => self.root.entry(path)?.open_file(OFlags::WRONLY)?,
            (Location::Served(_), Access::Create) => return Err(io::ErrorKind::Unsupported.into()),
            (Location::Staged(name), Access::Create) => {
                let file = self.staging()?.create(name)?;
                let status = fstat(&file).map(Status::from)?;
                (file, status)
            }
            (Location::Staged(name), Access::Read) => self.staging()?.open_file(name, OFlags::RDONLY)?,
            (Location::Staged(name), Access::Write) => self.staging()?.open_file(name, OFlags::RDWR)?,
        };
        Ok((PosixFile(file), status))
    }

    fn open_dir(&self, path: &RemotePath) -> io::Result<PosixDir> {
        let directory = if path.is_root() {
            self.root.open_directory(self.root.fd(), "")?
        } else {
            let entry = self.root.entry(path)?;
            self.root.open_directory(&entry.directory, entry.name)?
        };
        Ok(PosixDir { root: Arc::clone(&self.root), directory, reader: None })
    }

    fn mkdir(&self, path: &RemotePath) -> io::Result<()> {
        self.at(Location::Served(path), |directory, name| mkdirat(directory, name, Mode::from_raw_mode(0o777)))
    }

    fn remove(&self, at: Location<'_>, kind: Kind) -> io::Result<()> {
        let flags = if kind == Kind::Dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        self.at(at, |directory, name| unlinkat(directory, name, flags))
    }

    fn rename(&self, from: Location<'_>, to: Location<'_>, replace: bool) -> io::Result<()> {
        let rename = |from: (rustix::fd::BorrowedFd<'_>, &str), to: (rustix::fd::BorrowedFd<'_>, &str)| match replace {
            true => renameat(from.0, from.1, to.0, to.1),
            false => rename_no_replace(from.0, from.1, to.0, to.1),
        };
        // The target first: a missing directory there is the usual failure.
        match to {
            Location::Served(path) => {
                let target = self.root.entry(path)?;
                self.at(from, |directory, name| rename((directory, name), (target.directory.as_fd(), target.name)))
            }
            Location::Staged(new_name) => {
                let target = self.staging()?.as_fd();
                self.at(from, |directory, name| rename((directory, name), (target, new_name)))
            }
        }
    }

    fn set_mtime(&self, path: &RemotePath, mtime_ns: i64) -> io::Result<()> {
        let times = modified_at(mtime_ns);
        if path.is_root() {
            return Ok(futimens(self.root.fd(), &times)?);
        }
        self.at(Location::Served(path), |directory, name| utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW))
    }

    fn start_sync(&self) -> io::Result<BackgroundSync> {
        BackgroundSync::of_file(self.root.fd(), syncfs)
    }

    fn staged_names(&self) -> io::Result<Vec<String>> {
        Ok(self.staging()?.names()?)
    }

    fn folds_in(&self, directory: &RemotePath) -> bool {
        self.root.folds_in(directory)
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        let usage = fstatvfs(self.staging()?.as_fd())?;
        Ok((usage.f_blocks > 0).then(|| usage.f_bavail.saturating_mul(usage.f_frsize)))
    }

    fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        confine_thread(self.root.fd(), self.staging.is_none(), removable)
    }
}

/// An open file of a [`Posix`] backend.
#[derive(Debug)]
pub struct PosixFile(OwnedFd);

impl BackendFile for PosixFile {
    fn status(&self) -> io::Result<Status> {
        Ok(fstat(&self.0).map(Status::from)?)
    }

    fn read_at(&self, bytes: &mut Vec<u8>, off: u64, len: usize) -> io::Result<usize> {
        Ok(read_at(&self.0, bytes, off, len)?)
    }

    fn write_at(&self, bytes: &[u8], off: u64) -> io::Result<()> {
        Ok(write_all_at(&self.0, bytes, off)?)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        Ok(ftruncate(&self.0, size)?)
    }

    fn set_mtime(&self, mtime_ns: Option<i64>) -> io::Result<()> {
        Ok(futimens(&self.0, &mtime_ns.map_or_else(modified_now, modified_at))?)
    }

    fn set_permissions(&self, permissions: u32) -> io::Result<()> {
        Ok(fchmod(&self.0, Mode::from_raw_mode(permissions))?)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(&self.0)?)
    }

    fn start_sync(&self) -> io::Result<BackgroundSync> {
        BackgroundSync::of_file(&self.0, fdatasync)
    }

    fn copy_range(&self, source: &Self, off: u64, len: u64) -> io::Result<u64> {
        /// Longer copies would exceed the time slice.
        const LONGEST: u64 = 8 << 20;
        if off == 0 && ioctl_ficlone(&self.0, &source.0).is_ok() {
            return Ok(len);
        }
        let (mut from, mut to) = (off, off);
        let len = usize::try_from(len.min(LONGEST)).unwrap_or(usize::MAX);
        match copy_file_range(&source.0, Some(&mut from), &self.0, Some(&mut to), len) {
            Ok(copied) => Ok(copied as u64),
            // Reading and writing does what the kernel cannot, or reports why not.
            Err(Errno::INTR | Errno::INVAL | Errno::XDEV | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// An open directory of a [`Posix`] backend.
#[derive(Debug)]
pub struct PosixDir {
    root: Arc<Root>,
    directory: OwnedFd,
    reader: Option<DirReader>,
}

impl BackendDir for PosixDir {
    fn rewind(&mut self) -> io::Result<()> {
        self.reader = Some(DirReader::begin(&self.directory)?);
        Ok(())
    }

    fn read(&mut self, deadline: Instant, each: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(DirReader::begin(&self.directory)?),
        };
        let is_at_end = reader.read(&self.directory, Some(deadline), each)?;
        if is_at_end {
            self.reader = None;
        }
        Ok(is_at_end)
    }

    fn stat(&self, name: &str) -> io::Result<Option<Status>> {
        match self.root.entry_in(&self.directory, name).look() {
            Err(error) if is_reserved(&error) => Ok(None),
            found => found,
        }
    }

    fn open_dir(&self, name: &str) -> io::Result<Self> {
        let directory = self.root.open_directory(&self.directory, name)?;
        Ok(Self { root: Arc::clone(&self.root), directory, reader: None })
    }
}
