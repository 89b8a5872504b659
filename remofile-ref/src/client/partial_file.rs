//! The unfinished file of a download: hidden beside its target, found again by the same call, never longer than true.

use super::{ClientError, local_file::LocalFile};
use crate::fs::{
    calls,
    io::write_all_at,
    rename::rename_no_replace,
    stat::{self, stat_name},
    time,
};
use remofile_proto::{Etag, RemotePath, RootId};
use rustix::{
    fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
};

/// No metadata of a part is longer: a path and a few numbers.
const METADATA_MAX: u64 = 8_192;

/// How many hexadecimal digits are in the name of a part.
const DIGITS: usize = 32;

/// A name in an open directory: where a download goes, wherever symbolic links point meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct DownloadTarget {
    directory: Arc<OwnedFd>,
    name: OsString,
    shown: PathBuf,
}

/// Which bytes a part is the beginning of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) root: Option<RootId>,
    pub(super) path: RemotePath,
    pub(super) etag: Etag,
    pub(super) size: u64,
}

/// An unfinished file, locked against another download of the same.
#[derive(Debug)]
pub(super) struct PartialFile {
    target: DownloadTarget,
    names: PartialNames,
    file: File,
    len: u64,
}

/// Under which names the part and its metadata lie.
#[derive(Debug)]
pub(super) struct PartialNames {
    pub(super) part: String,
    metadata: String,
    new_metadata: String,
}

impl DownloadTarget {
    /// The target `local`, in its present directory.
    pub(super) fn of(local: &LocalPath) -> Result<Self, ClientError> {
        let failed = |error: io::Error| ClientError::local(local, error);
        let name = local
            .file_name()
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidInput, "has no file name")))?
            .to_owned();
        let directory = match local.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => LocalPath::new("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = calls::openat(CWD, directory, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        Ok(Self { directory: Arc::new(directory), name, shown: local.to_owned() })
    }

    /// A name in a directory that is open already; `shown` is what messages call it.
    pub(crate) fn within(directory: Arc<OwnedFd>, name: &str, shown: PathBuf) -> Self {
        Self { directory, name: name.into(), shown }
    }

    /// The directory that it is in.
    pub(super) fn directory(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.directory)
    }

    pub(super) fn failed(&self, error: impl Into<io::Error>) -> ClientError {
        ClientError::local(&self.shown, error.into())
    }

    /// What is there, not followed: its type and size.
    pub(super) fn look(&self) -> Result<Option<(FileType, u64)>, ClientError> {
        let found = stat_name(&self.directory, &self.name).map_err(|errno| self.failed(errno))?;
        Ok(found.map(|found| (stat::kind(&found), stat::size(&found))))
    }

    /// The modification time of what is there, in nanoseconds; none where nothing is.
    pub(super) fn mtime_ns(&self) -> Result<Option<i64>, ClientError> {
        let found = stat_name(&self.directory, &self.name).map_err(|errno| self.failed(errno))?;
        Ok(found.map(|found| time::clamp(stat::mtime_ns(&found))))
    }

    /// How many bytes an earlier download of `version` left, without touching them.
    pub(super) fn left_of(&self, version: &Version) -> u64 {
        let names = PartialNames::of(version, &self.name);
        if names.read_metadata(&self.directory).is_none_or(|metadata| metadata != metadata_of(version)) {
            return 0;
        }
        let found = stat_name(&self.directory, &names.part).ok().flatten();
        found.map(|found| stat::size(&found)).filter(|len| *len <= version.size).unwrap_or(0)
    }

    /// Removes the metadata of a download that was killed when its file had got its name already.
    pub(super) fn discard_metadata(&self, version: &Version) -> Result<(), ClientError> {
        let names = PartialNames::of(version, &self.name);
        match stat_name(&self.directory, &names.part) {
            Ok(None) => remove(&self.directory, &names.metadata).map_err(|errno| self.failed(errno)),
            // It belongs to another download, which may be running.
            Ok(Some(_)) => Ok(()),
            Err(errno) => Err(self.failed(errno)),
        }
    }

    pub(super) fn source(&self) -> Result<LocalFile, ClientError> {
        LocalFile::open_at(&self.directory, &self.name, &self.shown, false)
    }

    /// Writes a small file at once: under its name it is whole, or what was there before.
    pub(super) fn write_whole(
        &self,
        version: &Version,
        content: &[u8],
        mtime_ns: Option<i64>,
        overwrite: bool,
    ) -> Result<(), ClientError> {
        let names = PartialNames::of(version, &self.name);
        names.remove(&self.directory).map_err(|errno| self.failed(errno))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = calls::openat(&self.directory, &names.part, flags, Mode::from_raw_mode(0o666))
            .map_err(|errno| self.failed(errno))?;
        let file = File::from(fd);
        let written =
            write_all_at(&file, content, 0).map_err(io::Error::from).and_then(|()| set_mtime(&file, mtime_ns));
        if let Err(error) = written.and_then(|()| self.rename(&names.part, overwrite)) {
            // What failed is worth more than that its rest could not be removed.
            let _ = names.remove(&self.directory);
            return Err(self.failed(error));
        }
        Ok(())
    }

    fn rename(&self, part: &str, overwrite: bool) -> io::Result<()> {
        let directory = &self.directory;
        if overwrite {
            return Ok(calls::renameat(directory, part, directory, &self.name)?);
        }
        Ok(rename_no_replace(directory, part, directory, &self.name)?)
    }
}

impl PartialFile {
    /// Opens the part of `version`, with what an earlier download left of it; what is left of anything else is
    /// discarded.
    pub(super) fn open(target: &DownloadTarget, version: &Version) -> Result<Self, ClientError> {
        let names = PartialNames::of(version, &target.name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = calls::openat(&target.directory, &names.part, flags, Mode::from_raw_mode(0o666))
            .map_err(|errno| target.failed(errno))?;
        let file = File::from(fd);
        let busy = || target.failed(io::Error::new(io::ErrorKind::WouldBlock, "is being downloaded already"));
        match calls::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(busy()),
            // A file system without locks: the hash of the beginning is compared anyway.
            Err(Errno::OPNOTSUPP | Errno::NOLCK) => {}
            Err(errno) => return Err(target.failed(errno)),
        }
        let ours = calls::fstat(&file).map_err(|errno| target.failed(errno))?;
        if stat::kind(&ours) != FileType::RegularFile {
            return Err(target.failed(io::Error::new(io::ErrorKind::InvalidData, "its part is not a regular file")));
        }
        // Between opening and locking, the process that held the lock may have finished.
        match stat_name(&target.directory, &names.part) {
            Ok(Some(named)) if stat::file_id(&named) == stat::file_id(&ours) && ours.st_nlink == 1 => {}
            Ok(_) => return Err(busy()),
            Err(errno) => return Err(target.failed(errno)),
        }
        let len = stat::size(&ours);
        let mut part = Self { target: target.clone(), names, file, len };
        let metadata = metadata_of(version);
        if len > version.size || part.names.read_metadata(&target.directory).is_none_or(|found| found != metadata) {
            part.restart()?;
            part.write_metadata(&metadata).map_err(|error| part.target.failed(error))?;
        }
        Ok(part)
    }

    /// How many bytes are there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The present file, to be hashed.
    pub(super) fn source(&self) -> Result<LocalFile, ClientError> {
        let file = self.file.try_clone().map_err(|error| self.target.failed(error))?;
        LocalFile::of(file, self.target.shown.clone())
    }

    /// Throws away what is there.
    pub(super) fn restart(&mut self) -> Result<(), ClientError> {
        calls::ftruncate(&self.file, 0).map_err(|errno| self.target.failed(errno))?;
        self.len = 0;
        Ok(())
    }

    /// Adds to the end: never a hole, so that the length is right.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        write_all_at(&self.file, bytes, self.len).map_err(|errno| self.target.failed(errno))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes it durable, and visible under the target's name.
    pub(super) fn finish(self, mtime_ns: Option<i64>, overwrite: bool) -> Result<(), ClientError> {
        let target = &self.target;
        let done = || {
            set_mtime(&self.file, mtime_ns)?;
            calls::fsync(&self.file)?;
            target.rename(&self.names.part, overwrite)?;
            calls::fsync(target.directory.as_fd())?;
            Ok(remove(&target.directory, &self.names.metadata)?)
        };
        done().map_err(|error: io::Error| target.failed(error))
    }

    /// Old or new, never half of one.
    fn write_metadata(&self, metadata: &str) -> io::Result<()> {
        let directory = &self.target.directory;
        remove(directory, &self.names.new_metadata)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = calls::openat(directory, &self.names.new_metadata, flags, Mode::from_raw_mode(0o666))?;
        write_all_at(&fd, metadata.as_bytes(), 0)?;
        calls::fsync(&fd)?;
        Ok(calls::renameat(directory, &self.names.new_metadata, directory, &self.names.metadata)?)
    }
}

impl PartialNames {
    /// The same for every attempt at one remote file under one local name.
    fn of(version: &Version, local: &OsStr) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("remofile/1 part name");
        hasher.update(version.root.unwrap_or(RootId::new([0; RootId::LEN])).as_bytes());
        hasher.update(version.path.as_str().as_bytes());
        hasher.update(&[0]);
        hasher.update(local.as_encoded_bytes());
        Self::with_base(&format!(".remofile-{}", &hasher.finalize().to_hex()[..DIGITS]))
    }

    /// Those of a part that is called `name`, if a part is called so.
    pub(super) fn of_part(name: &str) -> Option<Self> {
        let base = name.strip_suffix(".part")?;
        let digits = base.strip_prefix(".remofile-")?;
        let is_hex = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        (digits.len() == DIGITS && is_hex).then(|| Self::with_base(base))
    }

    fn with_base(base: &str) -> Self {
        Self { part: format!("{base}.part"), metadata: format!("{base}.record"), new_metadata: format!("{base}.new") }
    }

    /// What is recorded of the part, if that can be read.
    pub(super) fn read_metadata(&self, directory: &OwnedFd) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = calls::openat(directory, &self.metadata, flags, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(fd).take(METADATA_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    pub(super) fn remove(&self, directory: &OwnedFd) -> rustix::io::Result<()> {
        [&self.part, &self.new_metadata, &self.metadata].into_iter().try_for_each(|name| remove(directory, name))
    }
}

fn remove(directory: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    match calls::unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// What a part is of, as text; a path has no line breaks.
fn metadata_of(version: &Version) -> String {
    let root = version.root.map_or_else(String::new, |root| root.to_string());
    let Version { path, etag, size, .. } = version;
    format!("remofile part 1\npath {path}\nroot {root}\netag {etag}\nsize {size}\n")
}

pub(crate) fn set_mtime(file: &File, mtime_ns: Option<i64>) -> io::Result<()> {
    mtime_ns.map_or(Ok(()), |mtime_ns| Ok(calls::futimens(file, &time::modified_at(mtime_ns))?))
}
