//! Changes of the local root: beneath one descriptor, through no symbolic link, and never over an unexpected version.

use super::{LocalVersion, scan::STAGED, sides::split, trash::LocalTrash};
use crate::client::{
    ClientError,
    local_file::{self, LocalFile},
    partial_file::{DownloadTarget, set_mtime},
};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT},
    io::Errno,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{self, Write as _},
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
            rustix::fs::open(root, flags, Mode::empty()).map_err(|errno| ClientError::local(root, errno.into()))?;
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

    /// What a path would get as its content, in the same directory under a name of its own.
    pub(super) fn staged(path: &str) -> String {
        let digits = &blake3::hash(path.as_bytes()).to_hex()[..32];
        match split(path) {
            ("", _) => format!(".remofile-{digits}{STAGED}"),
            (parent, _) => format!("{parent}/.remofile-{digits}{STAGED}"),
        }
    }

    /// Where a download goes that becomes `path` later.
    pub(super) fn target(&self, staged: &str) -> Result<DownloadTarget, ClientError> {
        let (parent, name) = split(staged);
        let directory = self.directory(parent).map_err(|errno| self.failed(staged, errno))?;
        Ok(DownloadTarget::within(directory, name, self.shown.join(staged)))
    }

    /// Writes the content that a path is to get, under its staged name.
    pub(super) fn stage(&self, path: &str, content: &[u8], mtime_ns: i64) -> Result<(), ClientError> {
        let staged = Self::staged(path);
        let (parent, name) = split(&staged);
        let write = || -> io::Result<()> {
            let directory = self.directory(parent)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // Nobody is to read what nobody was to read in what it replaces.
            let mode = mode_at(&directory, split(path).1).unwrap_or(Mode::from_raw_mode(0o666)) | Mode::WUSR;
            let mut file = File::from(rustix::fs::openat(&directory, name, flags, mode)?);
            let written = file.write_all(content).and_then(|()| set_mtime(&file, Some(mtime_ns)));
            if written.is_err() {
                // What failed is worth more than that its rest could not be removed.
                let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
            }
            written
        };
        write().map_err(|error| self.failed(path, error))
    }

    /// Gives what is staged for `path` its place, and puts what was there, if that is `expected`, into the trash. At
    /// every moment the name shows the old file or the new one, unless the file system cannot exchange two.
    ///
    /// # Errors
    /// [`ClientError::SourceChanged`] where anything but `expected` is there; it stays then.
    pub(super) fn install(
        &self,
        path: &str,
        expected: Option<&LocalVersion>,
        trash: &mut LocalTrash,
    ) -> Result<LocalVersion, ClientError> {
        let staged = Self::staged(path);
        let (parent, name) = split(path);
        let own = split(&staged).1;
        // What is under the staged name is a copy of what the server has, until it has been exchanged.
        let mut is_copy = true;
        let installed = (|| {
            let directory = self.directory(parent).map_err(|errno| self.failed(path, errno))?;
            let Some(expected) = expected else {
                return rename_to_absent(&directory, own, &directory, name).map_err(|errno| self.failed(path, errno));
            };
            self.expect(&directory, path, expected)?;
            if let Some(mode) = mode_at(&directory, name) {
                // A file system without permissions has none to lose.
                let _ = rustix::fs::chmodat(&directory, own, mode, AtFlags::empty());
            }
            match rustix::fs::renameat_with(&directory, own, &directory, name, RenameFlags::EXCHANGE) {
                Ok(()) => is_copy = false,
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    trash.put(path, path)?;
                    return rename_to_absent(&directory, own, &directory, name)
                        .map_err(|errno| self.failed(path, errno));
                }
                Err(errno) => return Err(self.failed(path, errno)),
            }
            let displaced = version_at(&directory, own).map_err(|errno| self.failed(path, errno))?;
            if displaced.is_some_and(|displaced| displaced.is_same_but_for_its_name(expected)) {
                return trash.put(&staged, path).map(drop);
            }
            // Somebody was faster: his version gets its name back.
            rustix::fs::renameat_with(&directory, own, &directory, name, RenameFlags::EXCHANGE)
                .map_err(|errno| self.failed(path, errno))?;
            is_copy = true;
            Err(self.has_changed(path))
        })();
        self.note_change(parent);
        if installed.is_err() && is_copy {
            // The next run would move it to the trash.
            let _ = self.directory(parent).and_then(|directory| rustix::fs::unlinkat(directory, own, AtFlags::empty()));
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
            rename_to_absent(&source, name, &target, new_name).map_err(|errno| self.failed(to, errno))?;
            match version_at(&target, new_name).map_err(|errno| self.failed(to, errno))? {
                Some(moved) if moved.is_same_but_for_its_name(expected) => Ok(moved),
                _ => {
                    rename_to_absent(&target, new_name, &source, name).map_err(|errno| self.failed(from, errno))?;
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
        rename_to_absent(&there, its_name, &directory, name).map_err(|errno| self.failed(path, errno))?;
        Err(self.has_changed(path))
    }

    /// Makes a directory; one that is there already is as good.
    pub(super) fn make_directory(&self, path: &str) -> Result<(), ClientError> {
        let (parent, name) = split(path);
        let make = || match rustix::fs::mkdirat(self.directory(parent)?, name, Mode::from_raw_mode(0o777)) {
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
        let removed =
            self.directory(parent).and_then(|directory| rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR));
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
        let (tv_sec, tv_nsec) = (mtime_ns.div_euclid(1_000_000_000), mtime_ns.rem_euclid(1_000_000_000));
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec, tv_nsec },
        };
        rustix::fs::utimensat(&directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
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
            rustix::fs::syncfs(&*directory).map_err(|errno| self.failed("", errno))?;
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
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let directory = Arc::new(rustix::fs::openat2(&self.fd, path, flags, Mode::empty(), resolve)?);
        self.last.replace(Some((path.to_owned(), Arc::clone(&directory))));
        Ok(directory)
    }

    fn note_change(&self, directory: &str) {
        if let Ok(directory) = self.directory(directory)
            && let Ok(found) = rustix::fs::fstat(&directory)
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

/// The permissions of the regular file of this name, without those to run as somebody else.
fn mode_at(directory: &OwnedFd, name: &str) -> Option<Mode> {
    let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    is_file.then(|| Mode::from_raw_mode(found.st_mode & 0o777))
}

fn version_at(directory: &OwnedFd, name: &str) -> Result<Option<LocalVersion>, Errno> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(LocalVersion::from(&stat)))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Renames where nothing may be replaced.
fn rename_to_absent(from: &OwnedFd, name: &str, to: &OwnedFd, new_name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // A file system that cannot do it in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())?;
            rustix::fs::unlinkat(from, name, AtFlags::empty())
        }
        result => result,
    }
}
