//! The staging directory `/.remofile`: its lock, and the root id.

use super::Status;
use crate::fs::calls::{fchmod, flock, fstat, fsync, mkdirat, openat, pread, renameat, statat, statx, unlinkat};
use crate::fs::dir::DirReader;
use crate::fs::io::write_all_at;
use crate::fs::stat::{FileId, stat_name};
use crate::storage::StoreError;
use crate::storage::engine::parse_hex;
use remofile_proto::{Kind, RemotePath, RootId};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::fmt::Write as _;

const DIRECTORY: &str = RemotePath::STAGING;
const LOCK: &str = "lock";
const ROOT_ID: &str = "root";
const NEW_ROOT_ID: &str = "tmp-root";
const PROBE: &str = "tmp-probe";

/// The opened and locked staging directory.
#[derive(Debug)]
pub(super) struct StagingDirectory {
    directory: OwnedFd,
    lock: OwnedFd,
}

/// The staging directory of a root, and what opening it has found.
pub(super) struct OpenedStaging {
    pub(super) staging: StagingDirectory,
    pub(super) identity: FileId,
    pub(super) root_id: RootId,
    /// Whether names that differ in case are one here.
    pub(super) folds: bool,
}

impl StagingDirectory {
    /// Opens the staging directory, making it where it is missing, and locks it.
    pub(super) fn open(root: BorrowedFd<'_>) -> Result<OpenedStaging, StoreError> {
        match mkdirat(root, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(StoreError::staging("making it", errno)),
        }
        let directory = openat(root, DIRECTORY, directory_flags(), Mode::empty())
            .map_err(|errno| StoreError::staging("opening it", errno))?;
        fchmod(&directory, Mode::RWXU).map_err(|errno| StoreError::staging("closing it to others", errno))?;
        let lock = lock(directory.as_fd())?;
        let identity = fstat(&directory).map(|found| Status::from(found).identity);
        let identity = identity.map_err(|errno| StoreError::staging("looking at it", errno))?;
        let staging = Self { directory, lock };
        for leftover in [PROBE, NEW_ROOT_ID] {
            staging.remove(leftover).map_err(|errno| StoreError::staging("clearing it", errno))?;
        }
        let folds = staging.folds().map_err(|errno| StoreError::staging("trying names in it", errno))?;
        let root_id = staging.root_id(root)?;
        Ok(OpenedStaging { staging, identity, root_id, folds })
    }

    /// What a read-only server finds: the staging directory's identity and the root id.
    pub(super) fn peek(root: BorrowedFd<'_>) -> Option<(FileId, Option<RootId>)> {
        let directory = openat(root, DIRECTORY, directory_flags(), Mode::empty()).ok()?;
        let identity = Status::from(fstat(&directory).ok()?).identity;
        let root_id = read_root_id(root, directory.as_fd()).ok().flatten();
        Some((identity, root_id))
    }

    /// Creates a file with the permissions of [TARGET-10]; until it is renamed the directory hides it.
    pub(super) fn create(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, name, flags, Mode::from_raw_mode(0o666))
    }

    /// Opens a regular file.
    pub(super) fn open_file(&self, name: &str, access: OFlags) -> Result<(OwnedFd, Status), Errno> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        let status = Status::from(fstat(&file)?);
        if status.kind == Kind::File { Ok((file, status)) } else { Err(Errno::INVAL) }
    }

    /// The status of a file, if it exists.
    pub(super) fn status(&self, name: &str) -> Result<Option<Status>, Errno> {
        Ok(stat_name(&self.directory, name)?.map(Status::from))
    }

    /// Removes a file; a file that is missing is no error.
    fn remove(&self, name: &str) -> Result<(), Errno> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

    /// Writes the root id whole or not at all, to stable storage.
    fn write_root_id(&self, content: &[u8]) -> Result<(), Errno> {
        let file = self.create(NEW_ROOT_ID)?;
        let written = write_all_at(&file, content, 0)
            .and_then(|()| fsync(&file))
            .and_then(|()| renameat(&self.directory, NEW_ROOT_ID, &self.directory, ROOT_ID));
        if written.is_err()
            && let Err(errno) = self.remove(NEW_ROOT_ID)
        {
            tracing::warn!(%errno, "cannot remove an unfinished root id");
        }
        written
    }

    /// The names of all files in it.
    pub(super) fn names(&self) -> Result<Vec<String>, Errno> {
        let listed = openat(&self.directory, ".", directory_flags(), Mode::empty())?;
        let mut names = Vec::new();
        // A name that is not UTF-8 was not made here.
        let each = |name: &[u8]| names.extend(std::str::from_utf8(name).ok().map(str::to_owned));
        DirReader::begin(&listed)?.read(&listed, None, each)?;
        Ok(names)
    }

    fn folds(&self) -> Result<bool, Errno> {
        drop(self.create(PROBE)?);
        let other = statat(&self.directory, PROBE.to_ascii_uppercase(), AtFlags::SYMLINK_NOFOLLOW);
        self.remove(PROBE)?;
        Ok(other.is_ok())
    }

    fn root_id(&self, root: BorrowedFd<'_>) -> Result<RootId, StoreError> {
        // What cannot be read now may be whole: another id would separate clients from their uploads.
        let kept = read_root_id(root, self.directory.as_fd());
        if let Some(id) = kept.map_err(|errno| StoreError::staging("reading the root id", errno))? {
            return Ok(id);
        }
        let mut bytes = [0; RootId::LEN];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::staging("drawing a root id", Errno::IO))?;
        let id = RootId::new(bytes);
        fingerprint(root, self.directory.as_fd())
            .and_then(|fingerprint| self.write_root_id(format!("{id}\n{fingerprint}\n").as_bytes()))
            .map_err(|errno| StoreError::staging("keeping the root id", errno))?;
        Ok(id)
    }
}

impl Drop for StagingDirectory {
    fn drop(&mut self) {
        // Closing is not enough where a child process was just forked and has a copy still.
        if let Err(errno) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(%errno, "the lock could not be released");
        }
    }
}

impl AsFd for StagingDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn lock(directory: BorrowedFd<'_>) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = openat(directory, LOCK, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| StoreError::staging("opening its lock", errno))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(StoreError::InUse),
        Err(errno) => Err(StoreError::staging("locking it", errno)),
    }
}

/// Nothing where there is none, or one of another tree.
fn read_root_id(root: BorrowedFd<'_>, directory: BorrowedFd<'_>) -> Result<Option<RootId>, Errno> {
    let content = match read_small(directory, ROOT_ID, 256) {
        Ok(content) => content,
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let fingerprint = fingerprint(root, directory)?;
    let parsed = || {
        let (id, kept) = std::str::from_utf8(&content).ok()?.strip_suffix('\n')?.split_once('\n')?;
        (kept == fingerprint).then(|| parse_hex(id).map(RootId::new))?
    };
    Ok(parsed())
}

/// The root fingerprint, which a copy of the tree does not have: inodes, and when the staging directory was made.
///
/// The number of the device is left out where that moment is known, because it may change when the
/// machine restarts.
fn fingerprint(root: BorrowedFd<'_>, directory: BorrowedFd<'_>) -> Result<String, Errno> {
    let root = Status::from(fstat(root)?).identity;
    let status = Status::from(fstat(directory)?).identity;
    let mut mark = format!("{} {}", root.inode, status.inode);
    let born = statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME);
    let written = match born {
        Ok(born) if StatxFlags::from_bits_retain(born.stx_mask).contains(StatxFlags::BTIME) => {
            write!(mark, " born {}.{:09}", born.stx_btime.tv_sec, born.stx_btime.tv_nsec)
        }
        Ok(_) | Err(Errno::NOSYS | Errno::PERM) => write!(mark, " device {}", status.device),
        Err(errno) => return Err(errno),
    };
    written.map_err(|_| Errno::NOMEM)?;
    Ok(mark)
}

fn read_small(directory: BorrowedFd<'_>, name: &str, limit: usize) -> Result<Vec<u8>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())?;
    let mut content = Vec::with_capacity(limit);
    loop {
        let offset = content.len() as u64;
        match pread(&file, rustix::buffer::spare_capacity(&mut content), offset) {
            Ok(0) => return Ok(content),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
