//! Local directories that are uploaded: what is in them, in which order, and where links lead.

use crate::client::{ClientError, FileClient, SkipReason, TransferOptions};
use crate::fs::{
    calls,
    dir::sorted_entries,
    stat::{self, FileId},
};
use remofile_proto::limits;
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Path as LocalPath, PathBuf},
};

/// An open directory below a source.
pub(super) struct LocalDirectory {
    pub(super) fd: OwnedFd,
    /// What messages call it.
    pub(super) shown: PathBuf,
    /// Where it is below the source.
    pub(super) relative: PathBuf,
    identity: FileId,
}

/// What is found under a name.
pub(super) enum LocalEntry {
    File { size: u64 },
    Directory,
    Skipped(SkipReason),
}

impl LocalDirectory {
    /// A source, wherever links lead to it.
    pub(super) fn open(local: &LocalPath) -> Result<Self, ClientError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = calls::openat(CWD, local, flags, Mode::empty());
        fd.and_then(|fd| Self::of(fd, local.to_owned(), PathBuf::new()))
            .map_err(|errno| ClientError::local(local, errno.into()))
    }

    /// A directory in this one.
    pub(super) fn enter(&self, name: &OsStr, options: &TransferOptions) -> Result<Self, Errno> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if !options.follow_links {
            flags |= OFlags::NOFOLLOW;
        }
        let fd = calls::openat(&self.fd, name, flags, Mode::empty())?;
        Self::of(fd, self.shown.join(name), self.relative.join(name))
    }

    fn of(fd: OwnedFd, shown: PathBuf, relative: PathBuf) -> Result<Self, Errno> {
        let found = calls::fstat(&fd)?;
        Ok(Self { fd, shown, relative, identity: stat::file_id(&found) })
    }

    /// Identifies it: where links are followed, a directory may contain itself.
    pub(super) fn identity(&self) -> FileId {
        self.identity
    }

    /// Bytewise, so that a walk takes the same way each time.
    pub(super) fn sorted_names(&self) -> io::Result<Vec<OsString>> {
        let entries = sorted_entries(&self.fd)?;
        Ok(entries.into_iter().map(|(name, _)| OsString::from_vec(name.into_bytes())).collect())
    }

    /// What is under a name, as the options have it.
    pub(super) fn look(&self, name: &OsStr, options: &TransferOptions) -> Result<LocalEntry, Errno> {
        let mut found = calls::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_link = stat::kind(&found) == FileType::Symlink;
        if is_link && options.follow_links {
            found = calls::statat(&self.fd, name, AtFlags::empty())?;
        }
        let kind = stat::kind(&found);
        if options.excludes(&self.relative.join(name), kind == FileType::Directory) {
            return Ok(LocalEntry::Skipped(SkipReason::Excluded));
        }
        Ok(match kind {
            FileType::RegularFile => LocalEntry::File { size: stat::size(&found) },
            FileType::Directory => LocalEntry::Directory,
            FileType::Symlink => LocalEntry::Skipped(SkipReason::Link),
            _ => LocalEntry::Skipped(SkipReason::Special),
        })
    }
}

/// How many files a source holds, and their size in bytes; what cannot be read counts for nothing here.
pub(super) fn count_source(
    client: &mut FileClient,
    local: &LocalPath,
    options: &TransferOptions,
) -> Result<(u64, u64), ClientError> {
    match local.metadata() {
        Ok(found) if found.is_file() => Ok((1, found.len())),
        Ok(found) if found.is_dir() && options.recursive => match LocalDirectory::open(local) {
            Ok(directory) => count(client, &directory, options, &mut Vec::new()),
            Err(_) => Ok((0, 0)),
        },
        _ => Ok((0, 0)),
    }
}

fn count(
    client: &mut FileClient,
    directory: &LocalDirectory,
    options: &TransferOptions,
    above: &mut Vec<FileId>,
) -> Result<(u64, u64), ClientError> {
    let (mut files, mut bytes) = (0u64, 0u64);
    // What lies deeper has no path on the server.
    if above.contains(&directory.identity()) || above.len() > limits::DEPTH {
        return Ok((files, bytes));
    }
    above.push(directory.identity());
    for name in directory.sorted_names().unwrap_or_default() {
        client.keep_alive()?;
        match directory.look(&name, options) {
            Ok(LocalEntry::File { size }) => {
                files += 1;
                bytes = bytes.saturating_add(size);
            }
            Ok(LocalEntry::Directory) => {
                let Ok(below) = directory.enter(&name, options) else { continue };
                let below = count(client, &below, options, above)?;
                (files, bytes) = (files + below.0, bytes.saturating_add(below.1));
            }
            Ok(LocalEntry::Skipped(_)) | Err(_) => {}
        }
    }
    above.pop();
    Ok((files, bytes))
}
