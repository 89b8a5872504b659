//! The trash of a local root: everything beneath one descriptor, no symbolic link followed on the way.

use super::{Cleaned, TRASH, Timestamp, Trashed, run_names, split, stamp_of_run};
use crate::client::ClientError;
use crate::fs::{
    beneath::{MountPoints, open_beneath},
    calls,
    dir::sorted_entries,
    rename::{Linked, link, rename_no_replace},
    stat::{self, stat_name},
    time::clamp,
};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What was lost may have been in a directory that others could not enter.
const PRIVATE: Mode = Mode::RWXU;

/// The trash of a local directory, `.remofile-trash` in it, which is made by what is put there first.
///
/// Paths are those below that directory, with slashes and without one in front. None of them leads out of it: neither
/// dots nor symbolic links are followed.
#[derive(Debug)]
pub struct LocalTrash {
    root: OwnedFd,
    shown: PathBuf,
    stamp: Timestamp,
    /// The one that something was put into last, by its path.
    last: Option<(String, Arc<OwnedFd>)>,
    /// Directories that have lost or got a name since they were synced.
    touched: BTreeSet<String>,
}

impl LocalTrash {
    /// That of `root`, for a run that began at `stamp`; nothing is made yet.
    ///
    /// # Errors
    /// [`ClientError::Local`] where `root` is no directory that can be opened.
    pub fn open(root: &LocalPath, stamp: Timestamp) -> Result<Self, ClientError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = calls::openat(CWD, root, flags, Mode::empty());
        let opened = opened.map_err(|errno| ClientError::local(root, errno.into()))?;
        Ok(Self { root: opened, shown: root.to_owned(), stamp, last: None, touched: BTreeSet::new() })
    }

    /// Takes what is at `from` away, as what was at `original`; the two differ where it had been moved aside. Gives the
    /// place that it is at now.
    ///
    /// It is renamed; only where it lies on another file system than the trash a file is copied, and then removed.
    ///
    /// # Errors
    /// [`ClientError::Local`]; then it is still at `from`.
    pub fn put(&mut self, from: &str, original: &str) -> Result<String, ClientError> {
        let (parent, name) = split(from);
        let source = self.directory(parent).map_err(|errno| self.failed(from, errno))?;
        let place = self.placed(original, |directory, to| {
            match rename_no_replace(&source, name, directory, to) {
                Err(Errno::XDEV) => {}
                result => return result.map_err(io::Error::from),
            }
            copy(&source, name, directory, to)?;
            Ok(calls::unlinkat(&source, name, AtFlags::empty())?)
        });
        let place = place.map_err(|error| self.failed(from, error))?;
        self.touched.insert(parent.to_owned());
        Ok(place)
    }

    /// Keeps the file at `original`, which is about to be replaced, and leaves it where it is. Gives the place.
    ///
    /// It gets a second name where the file system has such, else it is copied. Where it is not replaced after all,
    /// [`LocalTrash::forget`] the place: else changes that are made to it in place would show in both.
    ///
    /// # Errors
    /// [`ClientError::Local`], also where it is no regular file.
    pub fn keep(&mut self, original: &str) -> Result<String, ClientError> {
        let (parent, name) = split(original);
        let source = self.directory(parent).map_err(|errno| self.failed(original, errno))?;
        let place = self.placed(original, |directory, to| {
            let found = calls::statat(&source, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if stat::kind(&found) != FileType::RegularFile {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
            }
            match link(&source, name, directory, to) {
                Ok(Linked::Yes) => Ok(()),
                Ok(Linked::Unsupported) | Err(Errno::XDEV) => copy(&source, name, directory, to),
                Err(errno) => Err(errno.into()),
            }
        });
        place.map_err(|error| self.failed(original, error))
    }

    /// Takes back what was put or kept, for good.
    ///
    /// # Errors
    /// [`ClientError::Local`].
    pub fn forget(&self, place: &str) -> Result<(), ClientError> {
        let (parent, name) = split(place);
        let forget = || calls::unlinkat(self.directory(parent)?, name, AtFlags::empty());
        forget().map_err(|errno| self.failed(place, errno))
    }

    /// Makes what was put and kept so far durable, with all directories that it came from.
    ///
    /// # Errors
    /// [`ClientError::Local`].
    pub fn sync(&mut self) -> Result<(), ClientError> {
        for path in std::mem::take(&mut self.touched) {
            match self.directory(&path).and_then(calls::fsync) {
                // It is gone meanwhile, and its names with it; a file may have its place.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(self.failed(&path, errno)),
            }
        }
        Ok(())
    }

    /// All files in it, the oldest first, then by path. Names that are no UTF-8 are left out.
    ///
    /// # Errors
    /// [`ClientError::Local`].
    pub fn list(&self) -> Result<Vec<Trashed>, ClientError> {
        let mut found = Vec::new();
        let mut open: Vec<String> = self.runs()?.into_iter().map(|(_, run)| run).collect();
        while let Some(below) = open.pop() {
            let path = format!("{TRASH}/{below}");
            let failed = |errno| self.failed(&path, errno);
            let directory = self.directory(&path).map_err(failed)?;
            for name in names(&directory).map_err(failed)? {
                let Some(status) = stat_name(&directory, &*name).map_err(failed)? else { continue };
                let below = format!("{below}/{name}");
                match stat::kind(&status) {
                    FileType::Directory => open.push(below),
                    _ => {
                        let mtime_ns = clamp(stat::mtime_ns(&status));
                        found.extend(Trashed::at(&below, stat::size(&status), Some(mtime_ns), None));
                    }
                }
            }
        }
        found.sort_by(|one, other| (one.stamp, &one.path, &one.place).cmp(&(other.stamp, &other.path, &other.place)));
        Ok(found)
    }

    /// Moves a file back to its original path; missing parent directories are made.
    ///
    /// # Errors
    /// [`ClientError::Local`], of kind `AlreadyExists` if the path exists; the file then stays in the trash.
    pub fn restore(&mut self, trashed: &Trashed) -> Result<(), ClientError> {
        let ((from, name), (to, own)) = (split(&trashed.place), split(&trashed.path));
        let restore = || -> Result<(), Errno> {
            let (source, target) = (self.directory(from)?, self.make(to, Mode::from_raw_mode(0o777))?);
            rename_no_replace(&source, name, &target, own)?;
            calls::fsync(&target)
        };
        restore().map_err(|errno| self.failed(&trashed.path, errno))?;
        self.prune(from);
        Ok(())
    }

    /// Gives a file another name below the root, and replaces nothing; durable when it returns.
    ///
    /// # Errors
    /// [`ClientError::Local`], of kind `AlreadyExists` where something has that name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), ClientError> {
        let ((source, name), (target, new_name)) = (split(from), split(to));
        let renamed = || {
            let (source, target) = (self.directory(source)?, self.directory(target)?);
            rename_no_replace(&source, name, &target, new_name)?;
            calls::fsync(&target)?;
            calls::fsync(&source)
        };
        renamed().map_err(|errno| self.failed(to, errno))
    }

    /// Removes for good what has been in it for `older_than` at `now`.
    ///
    /// # Errors
    /// [`ClientError::Local`].
    pub fn clean(&mut self, older_than: Duration, now: SystemTime) -> Result<Cleaned, ClientError> {
        let mut cleaned = Cleaned::default();
        for (stamp, run) in self.runs()? {
            if stamp.age(now) >= older_than {
                let path = format!("{TRASH}/{run}");
                self.remove_all(&path, &mut cleaned).map_err(|errno| self.failed(&path, errno))?;
            }
        }
        self.prune(TRASH);
        Ok(cleaned)
    }

    /// Calls `put` for each directory of the run until one succeeds, and returns the path there.
    fn placed(&mut self, original: &str, mut put: impl FnMut(&OwnedFd, &str) -> io::Result<()>) -> io::Result<String> {
        let (parent, name) = split(original);
        self.make(TRASH, PRIVATE)?;
        for run in run_names(self.stamp) {
            let slash = if parent.is_empty() { "" } else { "/" };
            let directory = format!("{TRASH}/{run}{slash}{parent}");
            let made = match &self.last {
                Some((last, made)) if *last == directory => Ok(Arc::clone(made)),
                _ => self.make(&directory, PRIVATE).map(Arc::new),
            };
            let made = match made {
                Ok(made) => made,
                // A file of that name was put there before.
                Err(Errno::NOTDIR | Errno::EXIST) => continue,
                Err(errno) => return Err(errno.into()),
            };
            match put(&made, name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result?;
                    let place = format!("{directory}/{name}");
                    self.touch(&directory);
                    self.last = Some((directory, made));
                    return Ok(place);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "the trash of this second is full"))
    }

    /// The directory has a new name in it, and may be new itself, as may those above it.
    fn touch(&mut self, directory: &str) {
        let mut path = directory;
        while self.touched.insert(path.to_owned()) && !path.is_empty() {
            path = split(path).0;
        }
    }

    /// The directories of runs, with when these began.
    fn runs(&self) -> Result<Vec<(Timestamp, String)>, ClientError> {
        let names = match self.directory(TRASH).and_then(|directory| names(&directory)) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            names => names.map_err(|errno| self.failed(TRASH, errno))?,
        };
        Ok(names.into_iter().filter_map(|name| Some((stamp_of_run(&name)?, name))).collect())
    }

    fn remove_all(&self, path: &str, cleaned: &mut Cleaned) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let parent = self.directory(parent)?;
        match self.directory(path) {
            Ok(directory) => {
                // Names that are no UTF-8 go too.
                for (below, kind) in sorted_entries(&directory)? {
                    match (kind, below.to_str()) {
                        (FileType::Directory | FileType::Unknown, Ok(below)) => {
                            self.remove_all(&format!("{path}/{below}"), cleaned)?;
                        }
                        _ => {
                            calls::unlinkat(&directory, &below, AtFlags::empty())?;
                            cleaned.files += 1;
                        }
                    }
                }
                calls::unlinkat(&parent, name, AtFlags::REMOVEDIR)
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                cleaned.files += 1;
                calls::unlinkat(&parent, name, AtFlags::empty())
            }
            Err(errno) => Err(errno),
        }
    }

    /// Removes a directory of the trash and its parents, up to the trash itself, while they are empty.
    fn prune(&mut self, path: &str) {
        self.last = None;
        let mut path = path;
        while path.starts_with(TRASH) {
            let (parent, name) = split(path);
            let removed = self.directory(parent).and_then(|above| calls::unlinkat(above, name, AtFlags::REMOVEDIR));
            if removed.is_err() {
                break;
            }
            path = parent;
        }
    }

    /// Opens an existing directory below the root.
    fn directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = if path.is_empty() { "." } else { path };
        open_beneath(&self.root, path, flags, MountPoints::Cross)
    }

    /// A directory below the root, made where it is not there, with all above it.
    fn make(&self, path: &str, mode: Mode) -> Result<OwnedFd, Errno> {
        match self.directory(path) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let (parent, name) = split(path);
        let parent = self.make(parent, mode)?;
        match calls::mkdirat(&parent, name, mode) {
            Ok(()) | Err(Errno::EXIST) => self.directory(path),
            Err(errno) => Err(errno),
        }
    }

    fn failed(&self, path: &str, error: impl Into<io::Error>) -> ClientError {
        ClientError::local(self.shown.join(path), error.into())
    }
}

/// Copies a regular file with its times, durably; fails where it changes meanwhile.
fn copy(from: &OwnedFd, name: &str, to: &OwnedFd, new_name: &str) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut source = File::from(calls::openat(from, name, flags, Mode::empty())?);
    let before = calls::fstat(&source)?;
    if stat::kind(&before) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(calls::openat(to, new_name, flags, Mode::from_raw_mode(0o600))?);
    let mut fill = || {
        io::copy(&mut source, &mut target)?;
        let time = |tv_sec, tv_nsec: u64| Timespec { tv_sec, tv_nsec: tv_nsec.cast_signed() };
        let times = Timestamps {
            last_access: time(before.st_atime, before.st_atime_nsec),
            last_modification: time(before.st_mtime, before.st_mtime_nsec),
        };
        calls::futimens(&target, &times)?;
        calls::fsync(&target)?;
        let after = calls::fstat(&source)?;
        let what = |status: &rustix::fs::Stat| {
            (status.st_size, status.st_mtime, status.st_mtime_nsec, status.st_ctime, status.st_ctime_nsec)
        };
        if what(&before) == what(&after) { Ok(()) } else { Err(io::Error::other("changed while it was read")) }
    };
    let filled = fill();
    if filled.is_err() {
        // The first error matters more than a failed clean-up.
        let _ = calls::unlinkat(to, new_name, AtFlags::empty());
    }
    filled
}

/// The names in a directory that are UTF-8.
fn names(directory: &OwnedFd) -> Result<Vec<String>, Errno> {
    Ok(sorted_entries(directory)?.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect())
}
