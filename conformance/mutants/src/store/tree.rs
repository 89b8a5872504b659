//! The jail ([PATH-10] to [PATH-12]): every name is opened in the directory before it, and no link is followed.

mod mutated;

use super::Store;
use crate::{paths::Path, reply::Refusal, variants};
use remofile_proto::Code;
use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    fs::File,
    os::fd::{AsRawFd, OwnedFd},
};

/// A name in a directory that was found without leaving the served one.
pub(super) struct Place<'p> {
    pub(super) directory: OwnedFd,
    /// As the path spells it; `.` for the served directory itself.
    pub(super) asked: &'p str,
    /// The stored spelling, where it differs.
    stored: Option<String>,
}

/// Something that was found and looked at, and neither read nor written yet.
pub(super) struct Found {
    handle: OwnedFd,
    pub(super) stat: Stat,
}

/// Opens the served directory; it may be named through links.
pub(super) fn open_root(directory: &std::path::Path) -> Result<OwnedFd, Errno> {
    fs::open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

impl Store {
    /// The directory at a path.
    pub(super) fn directory(&self, names: &[&str]) -> Result<OwnedFd, Refusal> {
        let mut directory = fs::openat(&self.root, ".", HANDLE | OFlags::DIRECTORY, Mode::empty())?;
        for name in names {
            let stored = self.stored(&directory, name)?;
            let name = &stored.as_deref().unwrap_or(name);
            let opened = fs::openat(&directory, *name, HANDLE | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
            directory = self.mutated_step(&directory, name, opened)?;
            if self.behaviour.is_variant(&variants::PERMISSIONS) && fs::fstat(&directory)?.st_mode & 0o100 == 0 {
                return Err(Code::Denied.into());
            }
        }
        Ok(directory)
    }

    /// The place of a path: [PATH-13] for all names before the last.
    pub(super) fn place<'p>(&self, path: &'p Path) -> Result<Place<'p>, Refusal> {
        let (parents, asked) = path.split();
        let directory = self.directory(&parents)?;
        let stored = self.stored(&directory, asked)?;
        Ok(Place { directory, asked, stored })
    }

    /// The other spelling under which a name is stored, where names fold ([PATH-15]).
    fn stored(&self, directory: &OwnedFd, name: &str) -> Result<Option<String>, Refusal> {
        if !self.behaviour.folds() || fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok(None);
        }
        let listed = super::listing::open(directory, ".")?;
        let mut names = super::listing::names(&listed)?.into_iter().filter_map(|name| String::from_utf8(name).ok());
        Ok(names.find(|other| other.to_lowercase() == name.to_lowercase()))
    }

    /// The regular file at a path ([KIND-1]).
    pub(super) fn file(&self, path: &Path) -> Result<Found, Refusal> {
        let place = self.place(path)?;
        let found = place.find()?;
        match found.kind() {
            FileType::RegularFile => Ok(found),
            FileType::Directory => self.mutated_file(&place, found, Code::NotFile),
            _ => self.mutated_file(&place, found, Code::UnsupportedKind),
        }
    }
}

impl Place<'_> {
    /// The stored name.
    pub(super) fn name(&self) -> &str {
        self.stored.as_deref().unwrap_or(self.asked)
    }

    /// Whether what is there has another spelling than was asked for.
    pub(super) fn is_respelled(&self) -> bool {
        self.stored.is_some()
    }

    /// What is there.
    pub(super) fn look(&self) -> Result<Option<Stat>, Errno> {
        self.look_at(self.name())
    }

    /// What is there under that spelling.
    pub(super) fn look_at(&self, name: &str) -> Result<Option<Stat>, Errno> {
        match fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// What is there, or NOT_FOUND.
    pub(super) fn need(&self) -> Result<Stat, Refusal> {
        self.look()?.ok_or(Code::NotFound.into())
    }

    /// What is there, to be opened afterwards.
    pub(super) fn find(&self) -> Result<Found, Refusal> {
        self.find_by(OFlags::NOFOLLOW)
    }

    /// A mutation: what is there, or what the link leads to that is.
    pub(super) fn find_through(&self) -> Result<Found, Refusal> {
        self.find_by(OFlags::empty())
    }

    fn find_by(&self, flags: OFlags) -> Result<Found, Refusal> {
        let handle = fs::openat(&self.directory, self.name(), HANDLE | flags, Mode::empty())?;
        let stat = fs::fstat(&handle)?;
        Ok(Found { handle, stat })
    }
}

impl Found {
    pub(super) fn kind(&self) -> FileType {
        kind(&self.stat)
    }

    /// Opens just what was looked at, whatever has its name by now.
    pub(super) fn open(&self, flags: OFlags) -> Result<File, Errno> {
        Ok(fs::open(self.by_handle(), flags | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    /// Sets the modification time of just what was looked at; the present one without.
    pub(super) fn set_mtime(&self, mtime_ns: Option<i64>) -> Result<(), Errno> {
        fs::utimensat(CWD, self.by_handle(), &super::entry::times(mtime_ns), AtFlags::empty())
    }

    /// Its present state.
    pub(super) fn stat_again(&self) -> Result<Stat, Errno> {
        fs::fstat(&self.handle)
    }

    pub(super) fn by_handle(&self) -> String {
        format!("/proc/self/fd/{}", self.handle.as_raw_fd())
    }
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Flags that open a file to look at it.
pub(super) const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
