//! The pid file, which the server locks, so that a stale one can be recognized.

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The time within which a server writes its number after it locks the file.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// The largest size of a pid file, in bytes.
const SIZE_MAX: u64 = 16;

/// A pid file that this process has locked; removed when dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

/// The state of a pid file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PidState {
    /// It does not exist.
    Absent,
    /// Its server is not running.
    Stale,
    /// Its server runs with this process id.
    Live(u32),
}

/// Why a pid file cannot be locked.
#[derive(Debug)]
pub(super) enum PidFileError {
    /// Another server has locked it.
    Locked(u32),
    /// It does not contain a number.
    NotPidFile,
    /// An error of the system.
    Io(io::Error),
}

impl PidFile {
    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Locks the file and writes the id of this process; a stale number is replaced.
    pub(super) fn lock(path: &Path) -> Result<Self, PidFileError> {
        let deadline = Instant::now() + WRITE_TIME;
        loop {
            let mut file = open(path, true).map_err(PidFileError::Io)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // The file was removed or replaced before the lock.
                Ok(()) if !is_at(path, &file) => continue,
                Ok(()) => {
                    if !holds_a_number(&mut file).map_err(PidFileError::Io)? {
                        return Err(PidFileError::NotPidFile);
                    }
                    write(&mut file).map_err(PidFileError::Io)?;
                    return Ok(Self { path: path.to_owned(), file });
                }
                Err(Errno::WOULDBLOCK) => match pid(&mut file) {
                    Some(pid) => return Err(PidFileError::Locked(pid)),
                    // Another process reads it, or has not written yet.
                    None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                    None => return Err(PidFileError::NotPidFile),
                },
                Err(errno) => return Err(PidFileError::Io(errno.into())),
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While it is locked, so that the file of another server is not removed.
        if is_at(&self.path, &self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot remove the pid file");
        }
    }
}

/// Reads the state of a pid file.
pub(super) fn state(path: &Path) -> io::Result<PidState> {
    let deadline = Instant::now() + WRITE_TIME;
    loop {
        let mut file = match open(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidState::Absent),
            other => other?,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(PidState::Stale),
            Err(Errno::WOULDBLOCK) => match pid(&mut file) {
                Some(pid) => return Ok(PidState::Live(pid)),
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                None => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a pid file")),
            },
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Removes a stale pid file.
pub(super) fn remove_stale(path: &Path) -> io::Result<()> {
    let mut file = match open(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let is_ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(path, &file);
    if is_ours && holds_a_number(&mut file)? { fs::remove_file(path) } else { Ok(()) }
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    // A FIFO must not block, and a symbolic link is not followed.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let file = OpenOptions::new().read(true).write(create).create(create).mode(0o644).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

fn is_at(path: &Path, file: &File) -> bool {
    let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((fs::symlink_metadata(path), file.metadata()), (Ok(there), Ok(here)) if same(&there, &here))
}

fn holds_a_number(file: &mut File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    Ok(length == 0 || (length < SIZE_MAX && pid(file).is_some()))
}

fn pid(file: &mut File) -> Option<u32> {
    file.rewind().ok()?;
    let mut text = String::new();
    file.take(SIZE_MAX).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

fn write(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_locked_file_is_live() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let held = PidFile::lock(&path).unwrap();
        assert_eq!(state(&path).unwrap(), PidState::Live(std::process::id()));
        assert!(matches!(PidFile::lock(&path), Err(PidFileError::Locked(pid)) if pid == std::process::id()));
        drop(held);
        assert_eq!(state(&path).unwrap(), PidState::Absent);
    }

    #[test]
    fn a_number_without_a_lock_is_stale_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, "1\n").unwrap();
        assert_eq!(state(&path).unwrap(), PidState::Stale);
        let _held = PidFile::lock(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn another_file_is_neither_overwritten_nor_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letter");
        for content in ["Dear Anna,\n", "12 34\n", "99999999999999999999\n"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(PidFile::lock(&path), Err(PidFileError::NotPidFile)));
            remove_stale(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join("pid"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(matches!(PidFile::lock(&path), Err(PidFileError::Io(_))));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
    }
}
