//! The local file that an upload reads: what identifies it, its bytes, and whether it changed meanwhile.

use super::ClientError;
use crate::fs::{self, calls};
use remofile_proto::{Digest, RemotePath, RootId, UploadId};
use rustix::fs::{Mode, OFlags};
use std::{
    ffi::OsStr,
    fs::{File, Metadata, OpenOptions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
};

/// How much is read at once where bytes are only hashed.
const HASH_BLOCK: usize = 1 << 18;

/// An open regular file and what it was when it was opened.
#[derive(Debug)]
pub(crate) struct LocalFile {
    path: PathBuf,
    file: Arc<File>,
    opened_as: FileIdentity,
}

/// What it was when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
}

impl LocalFile {
    /// Opens a regular file; a FIFO or device is refused without being waited for.
    pub(super) fn open(path: &LocalPath) -> Result<Self, ClientError> {
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)
            .map_err(|error| ClientError::local(path, error))?;
        Self::of(file, path.to_owned())
    }

    /// Opens a name in a directory, and what a symbolic link there points to only where that is asked for; `shown` is
    /// what messages call it.
    pub(crate) fn open_at(
        directory: &OwnedFd,
        name: &OsStr,
        shown: &LocalPath,
        follows: bool,
    ) -> Result<Self, ClientError> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if !follows {
            flags |= OFlags::NOFOLLOW;
        }
        let fd = calls::openat(directory, name, flags, Mode::empty())
            .map_err(|errno| ClientError::local(shown, errno.into()))?;
        Self::of(File::from(fd), shown.to_owned())
    }

    /// A file that is open already.
    pub(super) fn of(file: File, path: PathBuf) -> Result<Self, ClientError> {
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Err(ClientError::local(path, error)),
        };
        if metadata.is_dir() {
            return Err(ClientError::local(path, io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
        }
        if !metadata.is_file() {
            return Err(ClientError::local(path, io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")));
        }
        Ok(Self { path, file: Arc::new(file), opened_as: FileIdentity::of(&metadata) })
    }

    pub(super) fn path(&self) -> &LocalPath {
        &self.path
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// What it was when it was opened.
    pub(crate) fn opened_as(&self) -> &FileIdentity {
        &self.opened_as
    }

    /// The size in bytes when it was opened.
    pub(super) fn size(&self) -> u64 {
        self.opened_as.size
    }

    pub(super) fn mtime_ns(&self) -> i64 {
        self.opened_as.mtime_ns
    }

    /// Exactly `len` bytes at `off`; fewer means that the file shrank.
    pub(crate) fn read(&self, off: u64, len: usize) -> Result<Vec<u8>, ClientError> {
        let bytes = read_at(&self.file, off, len).map_err(|error| ClientError::local(&self.path, error))?;
        if bytes.len() == len { Ok(bytes) } else { Err(self.changed()) }
    }

    /// A hasher that has seen the first `len` bytes; `meanwhile` is called after each block, since it may take long.
    pub(super) fn hash_prefix(
        &self,
        len: u64,
        mut meanwhile: impl FnMut(u64) -> Result<(), ClientError>,
    ) -> Result<blake3::Hasher, ClientError> {
        let mut hasher = blake3::Hasher::new();
        let mut off = 0;
        while off < len {
            let block = usize::try_from(len - off).map_or(HASH_BLOCK, |rest| rest.min(HASH_BLOCK));
            hasher.update(&self.read(off, block)?);
            off += block as u64;
            meanwhile(block as u64)?;
        }
        Ok(hasher)
    }

    /// The hash of a small file.
    pub(super) fn hash(&self) -> Result<Digest, ClientError> {
        Ok(Digest::new(*self.hash_prefix(self.size(), |_| Ok(()))?.finalize().as_bytes()))
    }

    /// [UP-6] Refuses when the file is no longer what it was when it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), ClientError> {
        let metadata = self.file.metadata().map_err(|error| ClientError::local(&self.path, error))?;
        if FileIdentity::of(&metadata) == self.opened_as { Ok(()) } else { Err(self.changed()) }
    }

    /// [UP-7] The id under which a client without any state finds its upload again.
    pub(super) fn upload_id(&self, root: Option<RootId>, target: &RemotePath) -> UploadId {
        let mut hasher = blake3::Hasher::new_derive_key("remofile/1 upload id");
        hasher.update(root.unwrap_or(RootId::new([0; RootId::LEN])).as_bytes());
        let FileIdentity { device, inode, size, mtime_ns, ctime_ns: _ } = self.opened_as;
        for number in [device, inode, size, mtime_ns.cast_unsigned()] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(target.as_str().as_bytes());
        let mut id = [0; UploadId::LEN];
        hasher.finalize_xof().fill(&mut id);
        UploadId::new(id)
    }

    pub(crate) fn changed(&self) -> ClientError {
        ClientError::SourceChanged { path: self.path.display().to_string() }
    }
}

impl FileIdentity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads up to `len` bytes at `off` without filling the buffer with zeros first; fewer only at the end of the file.
pub(super) fn read_at(file: &File, off: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::io::read_at(file, &mut bytes, off, len)?;
    Ok(bytes)
}

/// Seconds and nanoseconds as nanoseconds; times beyond the years 1677 to 2262 are clipped to those.
pub(super) fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
