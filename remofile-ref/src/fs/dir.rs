//! Reads the names in directories.

use super::calls::read_entry;
use rustix::fd::AsFd;
use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::io::Errno;
use std::time::Instant;

/// How many bytes one read of a directory may bring.
const READ_BYTES: usize = 64 << 10;

/// A directory that is read from its start, for a bounded time at once.
#[derive(Debug)]
pub(crate) struct DirReader(Vec<u8>);

impl DirReader {
    /// Rewinds the directory.
    pub(crate) fn begin(directory: impl AsFd) -> Result<Self, Errno> {
        seek(directory, SeekFrom::Start(0))?;
        Ok(Self(Vec::with_capacity(READ_BYTES)))
    }

    /// Calls `each` with names, without `.` and `..`, until `deadline`; true at the end of the directory.
    pub(crate) fn read(
        &mut self,
        directory: impl AsFd,
        deadline: Option<Instant>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, Errno> {
        let mut entries = RawDir::new(directory, self.0.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = read_entry(entry)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(name);
            }
            // The kernel does not return again what it has returned.
            if entries.is_buffer_empty() && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(feature = "transport")]
mod entries {
    use super::read_entry;
    use rustix::fd::AsFd;
    use rustix::fs::{Dir, FileType};
    use rustix::io::Errno;
    use std::ffi::CString;

    /// All entries of a directory without `.` and `..`, sorted by the bytes of their names.
    ///
    /// The kind is [`FileType::Unknown`] where the file system does not report it.
    pub(crate) fn sorted_entries(directory: impl AsFd) -> Result<Vec<(CString, FileType)>, Errno> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(directory)? {
            match read_entry(entry) {
                Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Ok(entry) => entries.push((entry.file_name().to_owned(), entry.file_type())),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }
}

#[cfg(feature = "transport")]
pub(crate) use entries::sorted_entries;
