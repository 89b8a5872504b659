//! Mutations of the way to a file.

use super::{Found, HANDLE, Place, Store, kind};
use crate::{
    mutations::{paths, targets},
    reply::Refusal,
};
use remofile_proto::Code;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};
use std::os::fd::OwnedFd;

impl Store {
    /// The next directory on the way.
    pub(super) fn mutated_step(
        &self,
        directory: &OwnedFd,
        name: &str,
        opened: Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Refusal> {
        let has = |mutation| self.behaviour.has(mutation);
        let is_link =
            || statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| kind(&stat) == FileType::Symlink);
        match opened {
            Err(Errno::NOTDIR) if is_link() && has(&paths::LINKS_ARE_FOLLOWED) => {
                Ok(openat(directory, name, HANDLE | OFlags::DIRECTORY, Mode::empty())?)
            }
            Err(Errno::NOTDIR) if is_link() && has(&paths::LINK_ON_THE_WAY) => Err(Code::UnsupportedKind.into()),
            Err(Errno::NOTDIR) if has(&paths::FILE_ON_THE_WAY) => Err(Code::NotFound.into()),
            Err(Errno::NOENT) if has(&paths::NOTHING_ON_THE_WAY) => Err(Code::NotDir.into()),
            opened => Ok(opened?),
        }
    }

    /// Judges what is no regular file.
    pub(super) fn mutated_file(&self, place: &Place<'_>, found: Found, code: Code) -> Result<Found, Refusal> {
        let has = |mutation| self.behaviour.has(mutation);
        match found.kind() {
            FileType::Directory if has(&targets::DIRECTORIES_ARE_OF_NO_KIND) => Err(Code::UnsupportedKind.into()),
            FileType::Directory => Err(code.into()),
            FileType::Symlink if has(&paths::LAST_LINK) => Ok(place.find_through()?),
            FileType::Fifo if has(&paths::FIFOS_ARE_READ) => Ok(found),
            _ if has(&targets::LINKS_ARE_NO_FILES) => Err(Code::NotFile.into()),
            _ => Err(code.into()),
        }
    }
}
