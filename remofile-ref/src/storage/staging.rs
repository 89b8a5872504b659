//! The staging directory `/.remofile`: its lock, the root id, and what lies there unfinished.

use super::StoreError;
use super::status::Status;
use crate::fs::calls::{
    fchmod, flock, fstat, fsync, mkdirat, openat, pread, read_entry, renameat, statat, statx, unlinkat,
};
use crate::fs::io::write_all_at;
use crate::fs::stat::FileId;
use remofile_proto::RootId;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::fmt::Write as _;

pub(super) const DIRECTORY: &str = ".remofile";
const LOCK: &str = "lock";
const ROOT_ID: &str = "root";
/// Names of files that live no longer than one operation begin so.
const TEMPORARY: &str = "tmp-";
const PROBE: &str = "tmp-probe";

/// The opened and locked staging directory.
#[derive(Debug)]
pub(super) struct Staging {
    directory: OwnedFd,
    lock: OwnedFd,
    next_temporary: u64,
}

/// What was found in, or made for, the staging directory of a root.
pub(super) struct Opened {
    pub(super) staging: Staging,
    pub(super) identity: FileId,
    pub(super) root_id: RootId,
    /// Whether names that differ in case are one here.
    pub(super) folds: bool,
}

impl Staging {
    /// Opens the staging directory, making it where it is missing, and locks it.
    pub(super) fn open(root: BorrowedFd<'_>) -> Result<Opened, StoreError> {
        match mkdirat(root, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(StoreError::staging("making it", errno)),
        }
        let directory = openat(root, DIRECTORY, directory_flags(), Mode::empty())
            .map_err(|errno| StoreError::staging("opening it", errno))?;
        fchmod(&directory, Mode::RWXU).map_err(|errno| StoreError::staging("closing it to others", errno))?;
        let lock = lock(directory.as_fd())?;
        let identity = fstat(&directory).map(|stat| Status::from(stat).identity);
        let identity = identity.map_err(|errno| StoreError::staging("looking at it", errno))?;
        let mut staging = Self { directory, lock, next_temporary: 0 };
        staging.remove_temporaries().map_err(|errno| StoreError::staging("clearing it", errno))?;
        let folds = staging.folds().map_err(|errno| StoreError::staging("trying names in it", errno))?;
        let root_id = staging.root_id(root)?;
        Ok(Opened { staging, identity, root_id, folds })
    }

    /// What a server that changes nothing finds: the staging directory's identity and the root id.
    pub(super) fn peek(root: BorrowedFd<'_>) -> Option<(FileId, Option<RootId>)> {
        let directory = openat(root, DIRECTORY, directory_flags(), Mode::empty()).ok()?;
        let identity = Status::from(fstat(&directory).ok()?).identity;
        let root_id = read_root_id(root, directory.as_fd()).ok().flatten();
        Some((identity, root_id))
    }

    /// Creates a file that is removed, if it is still there, when the store is opened next.
    pub(super) fn create_temporary(&mut self) -> Result<(String, OwnedFd), Errno> {
        loop {
            let name = format!("{TEMPORARY}{}", self.next_temporary);
            self.next_temporary += 1;
            match self.create(&name) {
                Ok(file) => return Ok((name, file)),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Creates a file with the permissions of [TARGET-10]; until it is renamed the directory hides it.
    pub(super) fn create(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.directory, name, flags, Mode::from_raw_mode(0o666))
    }

    /// Renames within the staging directory.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        renameat(&self.directory, from, &self.directory, to)
    }

    /// Opens a file for reading and writing, if it is a regular one.
    pub(super) fn open_file(&self, name: &str) -> Result<(OwnedFd, Status), Errno> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        let status = Status::from(fstat(&file)?);
        if status.needs_file().is_err() { Err(Errno::INVAL) } else { Ok((file, status)) }
    }

    pub(super) fn status(&self, name: &str) -> Result<Status, Errno> {
        statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Status::from)
    }

    /// Removes a file; that it is missing is as good.
    pub(super) fn remove(&self, name: &str) -> Result<(), Errno> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

    /// Writes a small file whole or not at all; after a power cut it may be either, unless `durable`.
    pub(super) fn replace(&mut self, name: &str, content: &[u8], durable: bool) -> Result<(), Errno> {
        let (temporary, file) = self.create_temporary()?;
        let written = write_all_at(&file, content, 0)
            .and_then(|()| if durable { fsync(&file) } else { Ok(()) })
            .and_then(|()| self.rename(&temporary, name));
        if written.is_err() {
            self.discard(&temporary);
        }
        written
    }

    /// Reads a small file, of which no more than `limit` bytes are wanted.
    pub(super) fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, Errno> {
        read_small(self.directory.as_fd(), name, limit)
    }

    /// The names of all files in it.
    pub(super) fn names(&self) -> Result<Vec<String>, Errno> {
        let listed = openat(&self.directory, ".", directory_flags(), Mode::empty())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(listed)? {
            // What is not UTF-8 was not made here.
            if let Ok(name) = read_entry(entry)?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes a file of ours where nothing better can be done about a failure than to note it.
    pub(super) fn discard(&self, name: &str) {
        if let Err(errno) = self.remove(name) {
            tracing::warn!(%errno, name, "a staged file could not be removed");
        }
    }

    fn remove_temporaries(&mut self) -> Result<(), Errno> {
        for name in self.names()?.iter().filter(|name| name.starts_with(TEMPORARY)) {
            self.remove(name)?;
        }
        Ok(())
    }

    fn folds(&self) -> Result<bool, Errno> {
        drop(self.create(PROBE)?);
        let other = statat(&self.directory, PROBE.to_ascii_uppercase(), AtFlags::SYMLINK_NOFOLLOW);
        self.remove(PROBE)?;
        Ok(other.is_ok())
    }

    fn root_id(&mut self, root: BorrowedFd<'_>) -> Result<RootId, StoreError> {
        // What cannot be read now may be whole: another id would part clients from what they have staged.
        let kept = read_root_id(root, self.directory.as_fd());
        if let Some(id) = kept.map_err(|errno| StoreError::staging("reading the root id", errno))? {
            return Ok(id);
        }
        let mut bytes = [0; RootId::LEN];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::staging("drawing a root id", Errno::IO))?;
        let id = RootId::new(bytes);
        birthmark(root, self.directory.as_fd())
            .and_then(|birthmark| self.replace(ROOT_ID, format!("{id}\n{birthmark}\n").as_bytes(), true))
            .map_err(|errno| StoreError::staging("keeping the root id", errno))?;
        Ok(id)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Closing is not enough where a child process was just forked and has a copy still.
        if let Err(errno) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(%errno, "the lock could not be given back");
        }
    }
}

impl AsFd for Staging {
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
    let birthmark = birthmark(root, directory)?;
    let parsed = || {
        let (id, kept) = std::str::from_utf8(&content).ok()?.strip_suffix('\n')?.split_once('\n')?;
        (kept == birthmark).then(|| parse_hex(id).map(RootId::new))?
    };
    Ok(parsed())
}

/// What a copy of the tree cannot have: inodes, and the moment that the staging directory was made.
///
/// The number of the device is left out where that moment is known, because it may change when the
/// machine starts anew.
fn birthmark(root: BorrowedFd<'_>, directory: BorrowedFd<'_>) -> Result<String, Errno> {
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

/// The bytes that `N` pairs of hexadecimal digits stand for.
pub(super) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
