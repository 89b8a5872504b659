//! The pid file: locked as long as its server lives, so that a number that was left behind is told from a live one.

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

/// How long a file may be locked without a number in it: its server is just about to write it.
const SETTLING: Duration = Duration::from_secs(1);

/// More than any pid has, and less than any file worth keeping.
const LONGEST: u64 = 16;

/// A pid file that this process holds; removed when dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

/// What a pid file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PidState {
    /// There is none.
    Absent,
    /// Its server is gone.
    Stale,
    /// Its server lives and has this process id.
    Live(u32),
}

/// Why a pid file cannot be taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// A live server has it.
    By(u32),
    /// It holds something else than a number.
    NoPidFile,
    /// The system says no.
    Io(io::Error),
}

impl PidFile {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes this process's id; a number that a dead server left is replaced.
    pub(super) fn take(path: &Path) -> Result<Self, Taken> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let mut file = open(path, true).map_err(Taken::Io)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Removed, or replaced, between opening and locking: the lock is worth nothing.
                Ok(()) if !is_at(path, &file) => continue,
                Ok(()) => {
                    if !holds_a_number(&mut file).map_err(Taken::Io)? {
                        return Err(Taken::NoPidFile);
                    }
                    write(&mut file).map_err(Taken::Io)?;
                    return Ok(Self { path: path.to_owned(), file });
                }
                Err(Errno::WOULDBLOCK) => match pid(&mut file) {
                    Some(pid) => return Err(Taken::By(pid)),
                    // Somebody just looks, or has not written yet.
                    None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                    None => return Err(Taken::NoPidFile),
                },
                Err(errno) => return Err(Taken::Io(errno.into())),
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While it is locked, so that nobody who has locked it since loses his.
        if is_at(&self.path, &self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "the pid file could not be removed");
        }
    }
}

/// Looks at a pid file.
pub(super) fn state(path: &Path) -> io::Result<PidState> {
    let deadline = Instant::now() + SETTLING;
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
                None => return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no process id")),
            },
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Removes a pid file whose server is gone; one that was taken meanwhile stays.
pub(super) fn remove_stale(path: &Path) -> io::Result<()> {
    let mut file = match open(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let is_ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(path, &file);
    if is_ours && holds_a_number(&mut file)? { fs::remove_file(path) } else { Ok(()) }
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    // A FIFO must not hold this up, nor a link lead elsewhere.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let file = OpenOptions::new().read(true).write(create).create(create).mode(0o644).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

fn is_at(path: &Path, file: &File) -> bool {
    let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((fs::symlink_metadata(path), file.metadata()), (Ok(there), Ok(here)) if same(&there, &here))
}

fn holds_a_number(file: &mut File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    Ok(length == 0 || (length < LONGEST && pid(file).is_some()))
}

fn pid(file: &mut File) -> Option<u32> {
    file.rewind().ok()?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
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
    fn a_file_that_is_held_is_live_and_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let held = PidFile::take(&path).unwrap();
        assert_eq!(state(&path).unwrap(), PidState::Live(std::process::id()));
        assert!(matches!(PidFile::take(&path), Err(Taken::By(pid)) if pid == std::process::id()));
        drop(held);
        assert_eq!(state(&path).unwrap(), PidState::Absent);
    }

    #[test]
    fn a_number_that_nobody_locks_is_stale_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, "1\n").unwrap();
        assert_eq!(state(&path).unwrap(), PidState::Stale);
        let _held = PidFile::take(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_file_of_something_else_is_neither_overwritten_nor_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letter");
        for content in ["Dear Anna,\n", "12 34\n", "99999999999999999999\n"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(PidFile::take(&path), Err(Taken::NoPidFile)));
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
        assert!(matches!(PidFile::take(&path), Err(Taken::Io(_))));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
    }
}
