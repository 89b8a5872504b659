//! The operations that are done at once: one entry, one or two places, no state.

use super::Store;
use super::errno::{failed, failed_at_size};
use super::jail::Place;
use super::status::Status;
use super::target::{Complete, Moved, code_of_root, install, judge, rename};
use crate::fs::calls::{fstat, ftruncate, futimens, mkdirat, unlinkat, utimensat};
use crate::fs::io::{read_at, write_all_at};
use crate::fs::time::modified_at;
use crate::storage::Success;
use remofile_proto::{Answer, Code, Entry, Etag, Kind, Precondition, ReadResult, Refusal, RemotePath};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

impl Store {
    pub(super) fn stat(&self, path: &RemotePath) -> Result<Entry, Refusal> {
        self.jail.status(path).map(|status| status.entry())
    }

    /// Reads into memory that was never filled with zeros, and looks at the file before and after.
    pub(super) fn read(&self, path: &RemotePath, off: u64, len: u64, etag: Option<&Etag>) -> Result<Success, Refusal> {
        let (file, before) = self.jail.place(path, Code::NotFile)?.open_file(OFlags::RDONLY)?;
        before.matches(etag)?;
        let len = len.min(self.options.chunk);
        let mut bytes = Vec::new();
        let mut seen = before;
        loop {
            // [READ-4] of a file that grew meanwhile: go on to its new end.
            let wanted = len.min(seen.size.saturating_sub(off));
            let read = read_up_to(&file, &mut bytes, off, wanted).map_err(failed("reading"))?;
            seen = fstat(&file).map(Status::from).map_err(failed("looking at the file"))?;
            if read == 0 || bytes.len() as u64 >= len.min(seen.size.saturating_sub(off)) {
                break;
            }
        }
        seen.matches(etag)?;
        let answer = Answer::Read(ReadResult { etag: seen.etag(), size: seen.size });
        Ok(Success { answer, payload: Some(bytes) })
    }

    pub(super) fn mkdir(&self, path: &RemotePath) -> Result<Entry, Refusal> {
        let place = self.jail.place(path, Code::Exists)?;
        match mkdirat(&place.directory, place.name, Mode::from_raw_mode(0o777)) {
            Ok(()) => place.status().map(|status| status.entry()),
            Err(Errno::EXIST) => match judge(&place, &Precondition::Absent, None) {
                Err(refusal) => Err(refusal),
                Ok(_) => Err(Refusal::new(Code::Exists)),
            },
            Err(errno) => Err(failed("making the directory")(errno)),
        }
    }

    pub(super) fn put(
        &mut self,
        path: &RemotePath,
        pre: &Precondition,
        mtime_ns: Option<i64>,
        payload: &[u8],
    ) -> Result<Entry, Refusal> {
        let Self { jail, staging, options, .. } = self;
        let staging = staging.as_mut().ok_or_else(|| Refusal::new(Code::Denied))?;
        let place = jail.place(path, code_of_root(pre))?;
        // Whatever fails from here on comes after the target rules in the order of codes.
        let behind_the_rules = |refusal: Refusal| judge(&place, pre, None).err().unwrap_or(refusal);
        options.refuse_size(payload.len() as u64).map_err(behind_the_rules)?;
        let created = staging.create_temporary();
        let (name, file) = created.map_err(|errno| behind_the_rules(failed("staging the file")(errno)))?;
        let complete = Complete { staging: staging.as_fd(), name: &name, file: file.as_fd(), stable: false, mtime_ns };
        let installed = write_all_at(&file, payload, 0)
            .map_err(|errno| behind_the_rules(failed("writing")(errno)))
            .and_then(|()| install(&complete, &place, pre));
        if installed.is_err() {
            staging.discard(&name);
        }
        installed
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
        write_all_at(&file, payload, off).map_err(failed_at_size("writing"))?;
        entry_of(&file)
    }

    pub(super) fn truncate(&self, path: &RemotePath, size: u64, etag: Option<&Etag>) -> Result<Entry, Refusal> {
        let (file, _) = self.open_for_change(path, etag)?;
        self.options.refuse_size(size)?;
        ftruncate(&file, size).map_err(failed_at_size("truncating"))?;
        entry_of(&file)
    }

    pub(super) fn touch(&self, path: &RemotePath, mtime_ns: i64) -> Result<Entry, Refusal> {
        let touching = failed("setting the time");
        if path.is_root() {
            futimens(self.jail.root(), &modified_at(mtime_ns)).map_err(touching)?;
            return self.stat(path);
        }
        let place = self.jail.place(path, Code::NotFile)?;
        if matches!(place.status()?.kind, Kind::Link | Kind::Other) {
            return Err(Refusal::new(Code::UnsupportedKind));
        }
        utimensat(&place.directory, place.name, &modified_at(mtime_ns), AtFlags::SYMLINK_NOFOLLOW).map_err(touching)?;
        place.status().map(|status| status.entry())
    }

    pub(super) fn remove(&self, path: &RemotePath, etag: Option<&Etag>) -> Result<(), Refusal> {
        let place = self.jail.place(path, Code::Denied)?;
        let status = place.status()?;
        status.matches(etag)?;
        let flags = if status.kind == Kind::Dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(&place.directory, place.name, flags) {
            Err(Errno::EXIST) => Err(Refusal::new(Code::NotEmpty)),
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
        if to.is_at_or_below(from) {
            return Err(Refusal::new(Code::Loop));
        }
        let source = self.jail.place(from, Code::Loop)?;
        let status = source.status()?;
        status.matches(etag)?;
        let target: Place<'_> = self.jail.place(to, code_of_root(pre))?;
        rename(&Moved { place: &source, status }, &target, pre, &mut self.durability)
    }

    /// Opens a file that is about to be changed in place.
    fn open_for_change(&self, path: &RemotePath, etag: Option<&Etag>) -> Result<(OwnedFd, Status), Refusal> {
        let (file, status) = self.jail.place(path, Code::NotFile)?.open_file(OFlags::WRONLY)?;
        status.matches(etag)?;
        // [WRITE-4], [TRUNC-2]: another name of it may lie outside the served directory.
        if status.links > 1 {
            return Err(Refusal::because(Code::Denied, "the file has more than one hard link"));
        }
        Ok((file, status))
    }
}

fn entry_of(file: &OwnedFd) -> Result<Entry, Refusal> {
    fstat(file).map(|stat| Status::from(stat).entry()).map_err(failed("looking at the file"))
}

/// Reads on from what `bytes` holds of the range at `off`, until it holds `wanted` bytes or the file ends.
fn read_up_to(file: &OwnedFd, bytes: &mut Vec<u8>, off: u64, wanted: u64) -> Result<usize, Errno> {
    let missing = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(bytes.len());
    let at = off + bytes.len() as u64;
    read_at(file, bytes, at, missing)
}
