//! The operations that end at once: one entry, one or two paths, no state.

use super::Store;
use super::staging::discard;
use super::target::{CompleteFile, MoveSource, code_of_root, commit_rename, decide, move_entry};
use crate::storage::backend::{Access, Backend, BackendFile, Location};
use crate::storage::refusal::{failed, failed_at_size};
use crate::storage::status::Status;
use crate::storage::{StoreOptions, Success};
use remofile_proto::{Answer, Code, Entry, Etag, Kind, Precondition, ReadResult, Refusal, RemotePath};
use std::io;

impl<B: Backend> Store<B> {
    pub(super) fn stat(&self, path: &RemotePath) -> Result<Entry, Refusal> {
        status(&self.backend, path).map(|status| status.entry())
    }

    /// Reads into memory that was never filled with zeros, and looks at the file before and after.
    pub(super) fn read(&self, path: &RemotePath, off: u64, len: u64, etag: Option<&Etag>) -> Result<Success, Refusal> {
        let (file, before) = open_file(&self.backend, path, Access::Read)?;
        before.matches(etag)?;
        let len = len.min(self.options.chunk);
        let mut bytes = Vec::new();
        let mut seen = before;
        loop {
            // [READ-4] of a file that grew meanwhile: continue to its new end.
            let wanted = len.min(seen.size.saturating_sub(off));
            let missing = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(bytes.len());
            let at = off.saturating_add(bytes.len() as u64);
            let read = file.read_at(&mut bytes, at, missing).map_err(failed("reading"))?;
            seen = file.status().map_err(failed("looking at the file"))?;
            if read == 0 || bytes.len() as u64 >= len.min(seen.size.saturating_sub(off)) {
                break;
            }
        }
        seen.matches(etag)?;
        let answer = Answer::Read(ReadResult { etag: seen.etag(), size: seen.size });
        Ok(Success { answer, payload: Some(bytes) })
    }

    pub(super) fn mkdir(&self, path: &RemotePath) -> Result<Entry, Refusal> {
        if path.is_root() {
            return Err(Refusal::new(Code::Exists));
        }
        match self.backend.mkdir(path) {
            Ok(()) => self.stat(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match decide(&self.backend, path, &Precondition::Absent, None) {
                    Err(refusal) => Err(refusal),
                    Ok(_) => Err(Refusal::new(Code::Exists)),
                }
            }
            Err(error) => Err(failed("making the directory")(error)),
        }
    }

    pub(super) fn put(
        &mut self,
        path: &RemotePath,
        pre: &Precondition,
        mtime_ns: Option<i64>,
        payload: &[u8],
    ) -> Result<Entry, Refusal> {
        if path.is_root() {
            return Err(Refusal::new(code_of_root(pre)));
        }
        let Self { backend, staging, options, .. } = self;
        // The target rules precede every failure from here on in the order of codes.
        let after_rules = |refusal: Refusal| decide(backend, path, pre, None).err().unwrap_or(refusal);
        options.refuse_size(payload.len() as u64).map_err(after_rules)?;
        let created = staging.create_temporary(backend);
        let (name, file) = created.map_err(|error| after_rules(failed("staging the file")(error)))?;
        let complete = CompleteFile { name: &name, file: &file, stable: false, mtime_ns };
        let committed = file
            .write_at(payload, 0)
            .map_err(|error| after_rules(failed("writing")(error)))
            .and_then(|()| commit_rename(backend, &complete, path, pre));
        if committed.is_err() {
            discard(backend, &name);
        }
        committed
    }

    pub(super) fn write(
        &self,
        path: &RemotePath,
        off: u64,
        etag: Option<&Etag>,
        payload: &[u8],
    ) -> Result<Entry, Refusal> {
        let (file, status) = self.open_for_change(path, etag)?;
        if payload.is_empty() {
            return Ok(status.entry());
        }
        self.options.refuse_size(off.saturating_add(payload.len() as u64))?;
        file.write_at(payload, off).map_err(failed_at_size("writing"))?;
        entry_of(&file)
    }

    pub(super) fn truncate(&self, path: &RemotePath, size: u64, etag: Option<&Etag>) -> Result<Entry, Refusal> {
        let (file, _) = self.open_for_change(path, etag)?;
        self.options.refuse_size(size)?;
        file.set_size(size).map_err(failed_at_size("truncating"))?;
        entry_of(&file)
    }

    pub(super) fn touch(&self, path: &RemotePath, mtime_ns: i64) -> Result<Entry, Refusal> {
        if matches!(status(&self.backend, path)?.kind, Kind::Link | Kind::Other) {
            return Err(Refusal::new(Code::UnsupportedKind));
        }
        self.backend.set_mtime(path, mtime_ns).map_err(failed("setting the time"))?;
        self.stat(path)
    }

    pub(super) fn remove(&self, path: &RemotePath, etag: Option<&Etag>) -> Result<(), Refusal> {
        if path.is_root() {
            return Err(Refusal::new(Code::Denied));
        }
        let status = status(&self.backend, path)?;
        status.matches(etag)?;
        match self.backend.remove(Location::Served(path), status.kind) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Refusal::new(Code::NotEmpty)),
            result => result.map_err(failed("removing")),
        }
    }

    pub(super) fn rename(
        &mut self,
        from: &RemotePath,
        to: &RemotePath,
        pre: &Precondition,
        etag: Option<&Etag>,
    ) -> Result<Entry, Refusal> {
        if to.is_at_or_below(from) || from.is_root() {
            return Err(Refusal::new(Code::Loop));
        }
        let status = status(&self.backend, from)?;
        status.matches(etag)?;
        move_entry(&self.backend, &MoveSource { path: from, status }, to, pre, &mut self.durability)
    }

    /// Opens a file that is about to be changed in place.
    fn open_for_change(&self, path: &RemotePath, etag: Option<&Etag>) -> Result<(B::File, Status), Refusal> {
        let (file, status) = open_file(&self.backend, path, Access::Write)?;
        status.matches(etag)?;
        // [WRITE-4], [TRUNC-2]: another name of it may lie outside the served directory.
        if status.links > 1 {
            return Err(Refusal::because(Code::Denied, "the file has more than one hard link"));
        }
        Ok((file, status))
    }
}

impl StoreOptions {
    pub(super) fn refuse_size(&self, size: u64) -> Result<(), Refusal> {
        match self.max_file_size {
            Some(limit) if size > limit => {
                Err(Refusal::because(Code::TooLarge, format!("files here have at most {limit} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// The status of an entry that exists.
pub(super) fn status<B: Backend>(backend: &B, path: &RemotePath) -> Result<Status, Refusal> {
    let found = backend.stat(Location::Served(path)).map_err(failed("looking at the entry"))?;
    found.ok_or_else(|| Refusal::new(Code::NotFound))
}

/// Opens a regular file; any other kind is refused.
pub(super) fn open_file<B: Backend>(
    backend: &B,
    path: &RemotePath,
    access: Access,
) -> Result<(B::File, Status), Refusal> {
    if path.is_root() {
        return Err(Refusal::new(Code::NotFile));
    }
    let (file, status) = backend.open(Location::Served(path), access).map_err(|error| {
        let needs_kind = !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
        let kind = if needs_kind { backend.stat(Location::Served(path)).ok().flatten() } else { None };
        let refused = kind.and_then(|status| status.needs_file().err());
        refused.unwrap_or_else(|| failed("opening the file")(error))
    })?;
    status.needs_file()?;
    Ok((file, status))
}

fn entry_of(file: &impl BackendFile) -> Result<Entry, Refusal> {
    file.status().map(|status| status.entry()).map_err(failed("looking at the file"))
}
