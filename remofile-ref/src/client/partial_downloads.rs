//! What unfinished downloads have left in local directories.

use super::{ClientError, partial_file};
use crate::fs::{
    calls,
    stat::{self, stat_name},
};
use remofile_proto::RemotePath;
use rustix::{
    fs::{CWD, FileType, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// An unfinished download, as [`FileClient::download_file`](super::FileClient::download_file) left it.
#[derive(Debug)]
#[non_exhaustive]
pub struct PartialDownload {
    /// The hidden file that it is in.
    pub file: PathBuf,
    /// The file on the server that it is the beginning of; none where its metadata is missing or not readable.
    pub remote: Option<RemotePath>,
    /// How many bytes are there.
    pub bytes: u64,
    /// Of how many bytes, where its metadata says so.
    pub size: Option<u64>,
    /// How long ago it grew last, by the system clock.
    pub age: Duration,
    directory: Arc<OwnedFd>,
    names: partial_file::PartialNames,
}

/// All unfinished downloads in the directory `top` and below it; symbolic links are not followed. A directory below
/// that cannot be read is skipped and reported to `unreadable`.
///
/// # Errors
/// [`ClientError::Local`] where `top` cannot be read.
pub fn partial_downloads(
    top: &LocalPath,
    mut unreadable: impl FnMut(ClientError),
) -> Result<Vec<PartialDownload>, ClientError> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    look_into(top, &mut found, &mut open)?;
    while let Some(directory) = open.pop() {
        look_into(&directory, &mut found, &mut open).unwrap_or_else(&mut unreadable);
    }
    found.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(found)
}

impl PartialDownload {
    /// Removes it, and what is recorded of it.
    ///
    /// # Errors
    /// [`ClientError::Local`], of kind `WouldBlock` while a download is at work on it.
    pub fn remove(&self) -> Result<(), ClientError> {
        let failed = |error: io::Error| ClientError::local(&self.file, error);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match calls::openat(&self.directory, &self.names.part, flags, Mode::empty()) {
            Ok(part) => match calls::flock(&part, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => Err(failed(io::Error::new(io::ErrorKind::WouldBlock, "is being downloaded"))),
                // The lock is held until both are gone; a file system without locks has none to hold.
                _ => self.names.remove(&self.directory).map_err(|errno| failed(errno.into())),
            },
            Err(Errno::NOENT) => self.names.remove(&self.directory).map_err(|errno| failed(errno.into())),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

fn look_into(
    directory: &LocalPath,
    found: &mut Vec<PartialDownload>,
    open: &mut Vec<PathBuf>,
) -> Result<(), ClientError> {
    let failed = |error: io::Error| ClientError::local(directory, error);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptor =
        Arc::new(calls::openat(CWD, directory, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            open.push(entry.path());
        } else if kind.is_file()
            && let Some(names) = entry.file_name().to_str().and_then(partial_file::PartialNames::of_part)
            && let Some(part) = look_at(entry.path(), &descriptor, names).map_err(failed)?
        {
            found.push(part);
        }
    }
    Ok(())
}

fn look_at(
    file: PathBuf,
    directory: &Arc<OwnedFd>,
    names: partial_file::PartialNames,
) -> io::Result<Option<PartialDownload>> {
    let found = stat_name(directory, &names.part)?.filter(|found| stat::kind(found) == FileType::RegularFile);
    // Its download may have ended meanwhile.
    let Some(status) = found else { return Ok(None) };
    let metadata = names.read_metadata(directory).unwrap_or_default();
    let field = |name: &str| metadata.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(status.st_mtime).unwrap_or_default());
    Ok(Some(PartialDownload {
        file,
        remote: field("path").and_then(|path| RemotePath::parse(path).ok()),
        bytes: u64::try_from(status.st_size).unwrap_or_default(),
        size: field("size").and_then(|size| size.parse().ok()),
        age: SystemTime::now().duration_since(modified).unwrap_or_default(),
        directory: Arc::clone(directory),
        names,
    }))
}
