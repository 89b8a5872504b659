//! The staging area of a backend: temporary files, and small files that are replaced whole.

use crate::storage::backend::{Access, Backend, BackendFile, Location};
use remofile_proto::Kind;
use std::io;

/// The names of files begin so that live no longer than one operation.
const TEMPORARY: &str = "tmp-";

/// Chooses the names of temporary files.
#[derive(Debug, Default)]
pub(super) struct Staging {
    next_temporary: u64,
}

impl Staging {
    /// Removes the temporary files that an earlier process left.
    pub(super) fn open<B: Backend>(backend: &B) -> io::Result<Self> {
        for name in backend.staged_names()?.iter().filter(|name| name.starts_with(TEMPORARY)) {
            remove(backend, name)?;
        }
        Ok(Self::default())
    }

    /// Creates a file that the next [`Staging::open`] removes if it still exists.
    pub(super) fn create_temporary<B: Backend>(&mut self, backend: &B) -> io::Result<(String, B::File)> {
        loop {
            let name = format!("{TEMPORARY}{}", self.next_temporary);
            self.next_temporary += 1;
            match backend.open(Location::Staged(&name), Access::Create) {
                Ok((file, _)) => return Ok((name, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a small file whole or not at all; a power cut may lose it.
    pub(super) fn replace<B: Backend>(&mut self, backend: &B, name: &str, content: &[u8]) -> io::Result<()> {
        let (temporary, file) = self.create_temporary(backend)?;
        let written = file.write_at(content, 0).and_then(|()| rename(backend, &temporary, name));
        if written.is_err() {
            discard(backend, &temporary);
        }
        written
    }
}

/// Removes a file, and logs a failure.
pub(super) fn discard<B: Backend>(backend: &B, name: &str) {
    if let Err(error) = remove(backend, name) {
        tracing::warn!(%error, name, "cannot remove a staged file");
    }
}

/// Renames within the staging area, and replaces.
pub(super) fn rename<B: Backend>(backend: &B, from: &str, to: &str) -> io::Result<()> {
    backend.rename(Location::Staged(from), Location::Staged(to), true)
}

/// Removes a file; a file that is missing is no error.
pub(super) fn remove<B: Backend>(backend: &B, name: &str) -> io::Result<()> {
    match backend.remove(Location::Staged(name), Kind::File) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Reads at most `limit` bytes of a small file.
pub(super) fn read<B: Backend>(backend: &B, name: &str, limit: usize) -> io::Result<Vec<u8>> {
    let (file, _) = backend.open(Location::Staged(name), Access::Read)?;
    let mut content = Vec::new();
    file.read_at(&mut content, 0, limit)?;
    Ok(content)
}
