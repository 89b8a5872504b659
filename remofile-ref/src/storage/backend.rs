//! What the operation engine asks of a place that keeps files.
//!
//! The engine checks preconditions, keeps uploads, makes pages of listings and computes etags; a backend stores bytes
//! under names. [`Posix`](super::Posix) and [`Memory`](super::Memory) are backends.
//!
//! Errors are those of [`std::io`]: a backend reports `NotFound`, `AlreadyExists`, `NotADirectory`, `IsADirectory`,
//! `DirectoryNotEmpty`, `PermissionDenied`, `StorageFull` or `FileTooLarge` by the kind of the error.

use super::Status;
pub use crate::fs::background_sync::BackgroundSync;
use crate::server::landlock::Confinement;
use remofile_proto::{Kind, RemotePath, RootId};
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location<'a> {
    /// Below the served root, visible to clients.
    Served(&'a RemotePath),
    /// A file of this name in the staging area, which clients do not see. It has no directories.
    Staged(&'a str),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Changing it in place; a staged file is read as well.
    Write,
    /// Reading and writing a file that this call creates.
    Create,
}

/// What a backend is and can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendInfo {
    /// Names the root; the same for every process that serves it.
    pub root_id: Option<RootId>,
    /// Whether names that differ only in case or normalisation are one entry.
    pub folds: bool,
    /// Whether nothing can be changed. The calls that change something are not made then.
    pub read_only: bool,
}

/// Keeps files and directories. No call follows a symbolic link.
///
/// The calls that change something have a default, which refuses them: a backend that is read-only has
/// `info`, `stat`, `open` and `open_dir`.
#[allow(unused_variables, reason = "the defaults refuse without a look at the arguments")]
pub trait Backend: Debug + Send + Sized + 'static {
    /// An open file.
    type File: BackendFile;
    /// An open directory.
    type Dir: BackendDir;

    /// What this backend is and can do.
    fn info(&self) -> BackendInfo;

    /// The status of an entry. `None` where its directory exists and the name does not.
    ///
    /// # Errors
    /// `NotFound` where the directory does not exist.
    fn stat(&self, at: Location<'_>) -> io::Result<Option<Status>>;

    /// Opens a regular file.
    ///
    /// # Errors
    /// With [`Access::Create`] `AlreadyExists`. The engine asks [`Backend::stat`] which kind an entry has that does not
    /// open.
    fn open(&self, at: Location<'_>, access: Access) -> io::Result<(Self::File, Status)>;

    /// Opens a directory to read its names.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn open_dir(&self, path: &RemotePath) -> io::Result<Self::Dir>;

    /// Makes a directory.
    ///
    /// # Errors
    /// `AlreadyExists`.
    fn mkdir(&self, path: &RemotePath) -> io::Result<()> {
        denied()
    }

    /// Removes an entry of this kind.
    ///
    /// # Errors
    /// `NotFound`; `DirectoryNotEmpty`.
    fn remove(&self, at: Location<'_>, kind: Kind) -> io::Result<()> {
        denied()
    }

    /// Renames an entry, in one step for every reader. With `replace` it replaces a file.
    ///
    /// # Errors
    /// Without `replace` `AlreadyExists`; `InvalidInput` where a directory would become its own descendant.
    fn rename(&self, from: Location<'_>, to: Location<'_>, replace: bool) -> io::Result<()> {
        denied()
    }

    /// Sets the modification time of a file or directory, in nanoseconds since 1970.
    ///
    /// # Errors
    /// `NotFound`.
    fn set_mtime(&self, path: &RemotePath, mtime_ns: i64) -> io::Result<()> {
        denied()
    }

    /// Starts to bring every change so far to stable storage.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start_sync(&self) -> io::Result<BackgroundSync> {
        Ok(BackgroundSync::finished(Ok(())))
    }

    /// The names in the staging area: what an earlier process left there.
    ///
    /// # Errors
    /// If they cannot be read.
    fn staged_names(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Whether names in this directory that differ only in case or normalisation are one entry.
    fn folds_in(&self, directory: &RemotePath) -> bool {
        self.info().folds
    }

    /// How many bytes the staging area can take; `None` where that is unknown.
    ///
    /// # Errors
    /// If it cannot be found out.
    fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Restricts the calling thread, for ever, to what serving this backend needs, and to removing files from
    /// `removable`.
    ///
    /// # Errors
    /// A directory cannot be opened, or the kernel refuses a rule.
    fn confine_thread(&self, removable: &[PathBuf]) -> io::Result<Confinement> {
        Ok(Confinement::None)
    }
}

/// An open file. It stays the same file where its name is removed or replaced.
#[allow(unused_variables, reason = "the defaults refuse without a look at the arguments")]
pub trait BackendFile: Debug + Send + 'static {
    /// Its status now.
    ///
    /// # Errors
    /// If it cannot be read.
    fn status(&self) -> io::Result<Status>;

    /// Appends to `bytes` up to `len` bytes of the file at `off`, fewer only at its end; returns how many.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read_at(&self, bytes: &mut Vec<u8>, off: u64, len: usize) -> io::Result<usize>;

    /// Writes all `bytes` at `off`; a gap before it reads as zeros.
    ///
    /// # Errors
    /// If not all are written.
    fn write_at(&self, bytes: &[u8], off: u64) -> io::Result<()> {
        denied()
    }

    /// Truncates or extends it with zeros.
    ///
    /// # Errors
    /// If the size cannot be set.
    fn set_size(&self, size: u64) -> io::Result<()> {
        denied()
    }

    /// Sets the modification time, in nanoseconds since 1970; `None` is the present.
    ///
    /// # Errors
    /// If it cannot be set.
    fn set_mtime(&self, mtime_ns: Option<i64>) -> io::Result<()> {
        denied()
    }

    /// Sets the permission bits.
    ///
    /// # Errors
    /// If they cannot be set.
    fn set_permissions(&self, permissions: u32) -> io::Result<()> {
        Ok(())
    }

    /// Brings the content to stable storage.
    ///
    /// # Errors
    /// If it may not be there.
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// As [`BackendFile::sync`], without waiting.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start_sync(&self) -> io::Result<BackgroundSync> {
        Ok(BackgroundSync::finished(self.sync()))
    }

    /// Copies up to `len` bytes from the same offset of `source` without reading them; returns how many, 0 where
    /// that is not possible.
    ///
    /// # Errors
    /// If the copy fails.
    fn copy_range(&self, source: &Self, off: u64, len: u64) -> io::Result<u64> {
        Ok(0)
    }
}

/// An open directory.
pub trait BackendDir: Debug + Send + Sized + 'static {
    /// Reads from the first name again.
    ///
    /// # Errors
    /// If it cannot be read.
    fn rewind(&mut self) -> io::Result<()>;

    /// Calls `each` with the bytes of further names, in any order, until about `deadline`; true at the end.
    ///
    /// # Errors
    /// If the names cannot be read.
    fn read(&mut self, deadline: Instant, each: &mut dyn FnMut(&[u8])) -> io::Result<bool>;

    /// The status of an entry; `None` where it does not exist, or clients must not see it.
    ///
    /// # Errors
    /// `PermissionDenied` where the status of entries cannot be read.
    fn stat(&self, name: &str) -> io::Result<Option<Status>>;

    /// Opens a directory in this one.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn open_dir(&self, name: &str) -> io::Result<Self>;
}

fn denied<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}
