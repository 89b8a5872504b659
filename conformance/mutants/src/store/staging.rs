//! The server's own directory below the served one: the lock, the root's id, and files before they are published.

use super::entry::times;
use crate::{behaviour::Behaviour, mutations, paths::STAGING};
use rustix::{
    fs::{self, AtFlags, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
};

/// The directory, locked.
pub(super) struct Staging {
    pub(super) directory: OwnedFd,
    pub(super) root_id: Option<[u8; 16]>,
    /// Held as long as the server lives.
    _lock: OwnedFd,
}

/// A file without a name that anybody would look for; it is gone when this is dropped, unless it was renamed.
pub(super) struct Temporary<'s> {
    directory: &'s OwnedFd,
    pub(super) name: &'static str,
    pub(super) file: File,
}

/// What is being written.
pub(super) const NEW: &str = "new";
/// A note that is being written.
const NEW_NOTE: &str = "new.note";

impl Staging {
    pub(super) fn open(root: &OwnedFd, path: &std::path::Path, behaviour: &Behaviour) -> Result<Self, Errno> {
        let directory = match behaviour.has(&mutations::uploads::STAGED_BESIDE) {
            true => beside(path)?,
            false => below(root)?,
        };
        let lock = create(&directory, "lock", OFlags::empty())?;
        match fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(_) if behaviour.has(&mutations::uploads::NO_LOCK) => {}
            locked => locked?,
        }
        let mut staging = Self { directory, root_id: None, _lock: lock };
        for left in [NEW, NEW_NOTE] {
            staging.discard(left)?;
        }
        staging.root_id = staging.read_or_draw_root_id(root).ok();
        Ok(staging)
    }

    /// A new file, with the permissions of [TARGET-10].
    pub(super) fn temporary(&self) -> Result<Temporary<'_>, Errno> {
        let file = create(&self.directory, NEW, OFlags::EXCL)?.into();
        Ok(Temporary { directory: &self.directory, name: NEW, file })
    }

    /// Makes one of the files.
    pub(super) fn new_file(&self, name: &str) -> Result<File, Errno> {
        Ok(create(&self.directory, name, OFlags::TRUNC)?.into())
    }

    /// Opens one of the files, and makes it where it is not there.
    pub(super) fn any_file(&self, name: &str) -> Result<File, Errno> {
        Ok(create(&self.directory, name, OFlags::empty())?.into())
    }

    /// Opens one of the files.
    pub(super) fn file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.directory, name, flags, Mode::empty())?.into())
    }

    /// The content of a small file, if there is one.
    pub(super) fn read_note(&self, name: &str) -> Result<Option<String>, Errno> {
        let mut note = String::new();
        match self.file(name) {
            Ok(file) => file.take(65_536).read_to_string(&mut note).map_err(|_| Errno::IO)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        Ok(Some(note))
    }

    /// Replaces a small file as a whole.
    pub(super) fn write_note(&self, name: &str, text: &str) -> Result<(), Errno> {
        let mut file = File::from(create(&self.directory, NEW_NOTE, OFlags::TRUNC)?);
        file.write_all(text.as_bytes()).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        self.rename(NEW_NOTE, name)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        fs::renameat(&self.directory, from, &self.directory, to)
    }

    /// Removes one of the files, if it is there.
    pub(super) fn discard(&self, name: &str) -> Result<(), Errno> {
        match fs::unlinkat(&self.directory, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }

    /// Notes in the modification time of a file that it was in use just now.
    pub(super) fn mark_used(&self, name: &str) -> Result<(), Errno> {
        fs::utimensat(&self.directory, name, &times(None), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// [HELLO-4] The id goes with the device and inode of the directory: a copy of it draws another.
    fn read_or_draw_root_id(&self, root: &OwnedFd) -> Result<[u8; 16], Errno> {
        let stat = fs::fstat(root)?;
        let place = format!("{} {}", stat.st_dev, stat.st_ino);
        if let Some(note) = self.read_note("root")?
            && let Some((id, noted)) = note.split_once(' ')
            && let Some(id) = from_hex(id)
            && noted == place
        {
            return Ok(id);
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Errno::IO)?;
        self.write_note("root", &format!("{} {place}", to_hex(&id)))?;
        Ok(id)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // What cannot be removed is removed at the next start.
        let _ = fs::unlinkat(self.directory, self.name, AtFlags::empty());
    }
}

/// Sixteen bytes as a file's name.
pub(super) fn to_hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn from_hex(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok())?.map(u128::to_be_bytes)
}

fn below(root: &OwnedFd) -> Result<OwnedFd, Errno> {
    match fs::mkdirat(root, STAGING, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    fs::openat(root, STAGING, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// A mutation: what is staged stands in a directory beside the served one.
fn beside(path: &std::path::Path) -> Result<OwnedFd, Errno> {
    let mut name = path.file_name().ok_or(Errno::INVAL)?.to_owned();
    name.push(".staging");
    let path = path.with_file_name(name);
    match fs::mkdir(&path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    super::tree::open_root(&path)
}

fn create(directory: impl AsFd, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name, flags, Mode::from_raw_mode(0o666))
}
