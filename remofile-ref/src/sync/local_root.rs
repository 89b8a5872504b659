//! Changes of the local root: beneath one descriptor, through no symbolic link, and never over an unexpected version.

use super::{LocalVersion, input::split, local_scan::STAGED, trash::LocalTrash};
use crate::client::{
    ClientError,
    local_file::{self, LocalFile},
    partial_file::{DownloadTarget, set_mtime},
};
use crate::fs::{
    beneath::{MountPoints, open_beneath},
    calls,
    io::write_all_at,
    rename::{exchange, rename_no_replace},
    stat::{self, stat_name},
    time::modified_at,
};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
};

/// A local root that is open. Paths are those below it.
#[derive(Debug)]
pub(super) struct LocalRoot {
    fd: Arc<OwnedFd>,
    shown: PathBuf,
    /// The directory that was opened last.
    last: RefCell<Option<(String, Arc<OwnedFd>)>>,
    /// A directory on each file system where something was changed that may not be durable yet.
    changed: RefCell<HashMap<u64, Arc<OwnedFd>>>,
}

impl LocalRoot {
    pub(super) fn open(root: &LocalPath) -> Result<Self, ClientError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            calls::openat(CWD, root, flags, Mode::empty()).map_err(|errno| ClientError::local(root, errno.into()))?;
        let (last, changed) = (RefCell::new(None), RefCell::new(HashMap::new()));
        Ok(Self { fd: Arc::new(fd), shown: root.to_owned(), last, changed })
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(super) fn shown(&self) -> &LocalPath {
        &self.shown
    }

    /// The regular file at a path, to be read.
    pub(super) fn source(&self, path: &str) -> Result<LocalFile, ClientError> {
        let (parent, name) = split(path);
        let directory = self.directory(parent).map_err(|errno| self.failed(path, errno))?;
        LocalFile::open_at(&directory, OsStr::new(name), &self.shown.join(path), false)
    }

    /// The path of the staged file for `path`, in the same directory.
    pub(super) fn staged(path: &str) -> String {
        let digits = &blake3::hash(path.as_bytes()).to_hex()[..32];
        match split(path) {
            ("", _) => format!(".remofile-{digits}{STAGED}"),
            (parent, _) => format!("{parent}/.remofile-{digits}{STAGED}"),
        }
    }

    /// The target of a download to a staged file.
    pub(super) fn target(&self, staged: &str) -> Result<DownloadTarget, ClientError> {
        let (parent, name) = split(staged);
        let directory = self.directory(parent).map_err(|errno| self.failed(staged, errno))?;
        Ok(DownloadTarget::within(directory, name, self.shown.join(staged)))
    }

    /// Writes content to the staged file for `path`.
    pub(super) fn stage(&self, path: &str, content: &[u8], mtime_ns: i64) -> Result<(), ClientError> {
        let staged = Self::staged(path);
        let (parent, name) = split(&staged);
        let write = || -> io::Result<()> {
            let directory = self.directory(parent)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // The new file gets the permissions of the file that it replaces.
            let mode = mode_at(&directory, split(path).1).unwrap_or(Mode::from_raw_mode(0o666)) | Mode::WUSR;
            let file = File::from(calls::openat(&directory, name, flags, mode)?);
            let written = write_all_at(&file, content, 0)
                .map_err(io::Error::from)
                .and_then(|()| set_mtime(&file, Some(mtime_ns)));
            if written.is_err() {
                // The first error matters more than a failed clean-up.
                let _ = calls::unlinkat(&directory, name, AtFlags::empty());
            }
            written
        };
        write().map_err(|error| self.failed(path, error))
    }

    /// Moves the staged file for `path` to its name, and the file there, if its version is `expected`, to the trash. At
    /// every moment the name refers to the old file or the new one, unless the file system cannot exchange two names.
    ///
    /// # Errors
    /// [`ClientError::SourceChanged`] where another version is there, which is kept.
    pub(super) fn install(
        &self,
        path: &str,
        expected: Option<&LocalVersion>,
        trash: &mut LocalTrash,
    ) -> Result<LocalVersion, ClientError> {
        let staged = Self::staged(path);
        let (parent, name) = split(path);
        let own = split(&staged).1;
        // Until the exchange, the staged file is a copy of the server's.
        let mut is_copy = true;
        let installed = (|| {
            let directory = self.directory(parent).map_err(|errno| self.failed(path, errno))?;
            let Some(expected) = expected else {
                return rename_no_replace(&directory, own, &directory, name).map_err(|errno| self.failed(path, errno));
            };
            self.expect(&directory, path, expected)?;
            if let Some(mode) = mode_at(&directory, name) {
                // A file system without permissions has none to lose.
                let _ = calls::chmodat(&directory, own, mode, AtFlags::empty());
            }
            if !exchange(&directory, own, name).map_err(|errno| self.failed(path, errno))? {
                trash.put(path, path)?;
                return rename_no_replace(&directory, own, &directory, name).map_err(|errno| self.failed(path, errno));
            }
            is_copy = false;
            let displaced = version_at(&directory, own).map_err(|errno| self.failed(path, errno))?;
            if displaced.is_some_and(|displaced| displaced.is_same_but_for_its_name(expected)) {
                return trash.put(&staged, path).map(drop);
            }
            // Another program replaced it meanwhile: restores its version.
            exchange(&directory, own, name).map_err(|errno| self.failed(path, errno))?;
            is_copy = true;
            Err(self.has_changed(path))
        })();
        self.note_change(parent);
        if installed.is_err() && is_copy {
            // The next run would move it to the trash.
            let _ = self.directory(parent).and_then(|directory| calls::unlinkat(directory, own, AtFlags::empty()));
        }
        installed?;
        self.version(path)?.ok_or_else(|| self.has_changed(path))
    }

    /// Gives the file at `from` the name `to`, where nothing is, if it is of this version.
    pub(super) fn rename(&self, from: &str, to: &str, expected: &LocalVersion) -> Result<LocalVersion, ClientError> {
        let ((parent, name), (new_parent, new_name)) = (split(from), split(to));
        let renamed = (|| {
            let source = self.directory(parent).map_err(|errno| self.failed(from, errno))?;
            let target = self.directory(new_parent).map_err(|errno| self.failed(to, errno))?;
            self.expect(&source, from, expected)?;
            rename_no_replace(&source, name, &target, new_name).map_err(|errno| self.failed(to, errno))?;
            match version_at(&target, new_name).map_err(|errno| self.failed(to, errno))? {
                Some(moved) if moved.is_same_but_for_its_name(expected) => Ok(moved),
                _ => {
                    rename_no_replace(&target, new_name, &source, name).map_err(|errno| self.failed(from, errno))?;
                    Err(self.has_changed(from))
                }
            }
        })();
        self.note_change(parent);
        self.note_change(new_parent);
        renamed
    }

    /// Puts the file at `path` into the trash, if it is of this version.
    pub(super) fn remove(
        &self,
        path: &str,
        expected: &LocalVersion,
        trash: &mut LocalTrash,
    ) -> Result<(), ClientError> {
        let (parent, name) = split(path);
        let directory = self.directory(parent).map_err(|errno| self.failed(path, errno))?;
        self.expect(&directory, path, expected)?;
        let place = trash.put(path, path)?;
        self.note_change(parent);
        if self.version(&place)?.is_some_and(|moved| moved.is_same_but_for_its_name(expected)) {
            return Ok(());
        }
        let (there, its_name) = split(&place);
        let there = self.directory(there).map_err(|errno| self.failed(&place, errno))?;
        rename_no_replace(&there, its_name, &directory, name).map_err(|errno| self.failed(path, errno))?;
        Err(self.has_changed(path))
    }

    /// Makes a directory, unless it exists.
    pub(super) fn make_directory(&self, path: &str) -> Result<(), ClientError> {
        let (parent, name) = split(path);
        let make = || match calls::mkdirat(self.directory(parent)?, name, Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => self.directory(path).map(drop),
            result => result,
        };
        make().map_err(|errno| self.failed(path, errno))?;
        self.note_change(parent);
        Ok(())
    }

    /// Removes a directory that is empty.
    pub(super) fn remove_directory(&self, path: &str) -> Result<(), ClientError> {
        let (parent, name) = split(path);
        // A directory that is gone must not be found open.
        self.last.replace(None);
        let removed = self.directory(parent).and_then(|directory| calls::unlinkat(directory, name, AtFlags::REMOVEDIR));
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(self.failed(path, errno)),
        }
        self.note_change(parent);
        Ok(())
    }

    /// Sets the modification time of the file at `path`, if it is of this version.
    pub(super) fn set_time(
        &self,
        path: &str,
        expected: &LocalVersion,
        mtime_ns: i64,
    ) -> Result<LocalVersion, ClientError> {
        let (parent, name) = split(path);
        let directory = self.directory(parent).map_err(|errno| self.failed(path, errno))?;
        self.expect(&directory, path, expected)?;
        calls::utimensat(&directory, name, &modified_at(mtime_ns), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.failed(path, errno))?;
        self.note_change(parent);
        self.version(path)?.ok_or_else(|| self.has_changed(path))
    }

    /// The version of the regular file at `path`; nothing where there is none.
    pub(super) fn version(&self, path: &str) -> Result<Option<LocalVersion>, ClientError> {
        let (parent, name) = split(path);
        let look = || version_at(&*self.directory(parent)?, name);
        look().map_err(|errno| self.failed(path, errno))
    }

    /// Makes all changes so far durable.
    pub(super) fn sync(&self) -> Result<(), ClientError> {
        for directory in self.changed.take().into_values() {
            calls::syncfs(&*directory).map_err(|errno| self.failed("", errno))?;
        }
        Ok(())
    }

    pub(super) fn has_changed(&self, path: &str) -> ClientError {
        ClientError::SourceChanged { path: self.shown.join(path).display().to_string() }
    }

    fn expect(&self, directory: &OwnedFd, path: &str, expected: &LocalVersion) -> Result<(), ClientError> {
        match version_at(directory, split(path).1) {
            Ok(Some(found)) if found == *expected => Ok(()),
            Ok(_) => Err(self.has_changed(path)),
            Err(errno) => Err(self.failed(path, errno)),
        }
    }

    fn directory(&self, path: &str) -> Result<Arc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.fd));
        }
        if let Some((last, directory)) = &*self.last.borrow()
            && last == path
        {
            return Ok(Arc::clone(directory));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = Arc::new(open_beneath(&self.fd, path, flags, MountPoints::Cross)?);
        self.last.replace(Some((path.to_owned(), Arc::clone(&directory))));
        Ok(directory)
    }

    fn note_change(&self, directory: &str) {
        if let Ok(directory) = self.directory(directory)
            && let Ok(found) = calls::fstat(&directory)
        {
            self.changed.borrow_mut().entry(found.st_dev).or_insert(directory);
        }
    }

    fn failed(&self, path: &str, error: impl Into<io::Error>) -> ClientError {
        ClientError::local(self.shown.join(path), error.into())
    }
}

impl LocalVersion {
    /// The version of a file when it was opened.
    pub(super) fn of(source: &LocalFile) -> Self {
        let local_file::FileIdentity { device, inode, size, mtime_ns, ctime_ns } = *source.opened_as();
        Self { device, inode, size, mtime_ns, ctime_ns }
    }
}

/// The permissions of the regular file of this name, without setuid and setgid.
fn mode_at(directory: &OwnedFd, name: &str) -> Option<Mode> {
    let found = stat_name(directory, name).ok()??;
    let is_file = stat::kind(&found) == FileType::RegularFile;
    is_file.then(|| Mode::from_raw_mode(found.st_mode & 0o777))
}

fn version_at(directory: &OwnedFd, name: &str) -> Result<Option<LocalVersion>, Errno> {
    let found = stat_name(directory, name)?.filter(|found| stat::kind(found) == FileType::RegularFile);
    Ok(found.map(|found| LocalVersion::from(&found)))
}
