//! Sections 11.7 to 11.11: mkdir, put, write, truncate and touch.

use super::{
    Store,
    entry::times,
    reading::check_etag,
    tree::{Found, kind},
};
use crate::{
    arguments::Arguments,
    faults,
    reply::{Answer, Refusal, Reply},
};
use remofile_proto::Code;
use rustix::{
    fs::{FileType, Mode, OFlags, fstat, ftruncate, futimens, mkdirat},
    io::{Errno, pwrite},
};
use std::fs::File;

impl Store {
    pub(super) fn mkdir(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        // [TARGET-10]
        mkdirat(&place.directory, place.name, Mode::from_raw_mode(0o777))?;
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    pub(super) fn put(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        if payload.is_empty() && self.switches.has(&faults::writing::NOTHING_IS_NO_FILE) {
            return Err(Code::BadArgs.into());
        }
        let place = self.place(&args.path)?;
        if let Err(refusal) = self.check_target(&place, &args.pre, None) {
            if let Ok(found) = place.find()
                && self.switches.has(&faults::control::REFUSED_AND_DONE)
            {
                found.open(OFlags::WRONLY).and_then(|file| write_at(&file, payload, 0))?;
            }
            return Err(refusal);
        }
        let temporary = self.staging()?.temporary()?;
        write_at(&temporary.file, payload, 0)?;
        // [PUT-2]
        futimens(&temporary.file, &times(args.mtime_ns))?;
        Ok(Reply::entry(self.publish(temporary.name, &temporary.file, &place, &args.pre, false)?))
    }

    pub(super) fn write(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        let found = self.file_to_change(args)?;
        // [WRITE-3]
        if !payload.is_empty() {
            write_at(&found.open(OFlags::WRONLY)?, payload, args.off)?;
        }
        Ok(Reply::entry(self.entry(&found.stat_again()?)))
    }

    pub(super) fn truncate(&mut self, args: &Arguments) -> Answer {
        let found = self.file_to_change(args)?;
        ftruncate(found.open(OFlags::WRONLY)?, args.size.unwrap_or(0))?;
        Ok(Reply::entry(self.entry(&found.stat_again()?)))
    }

    pub(super) fn touch(&mut self, args: &Arguments) -> Answer {
        let found = self.place(&args.path)?.find()?;
        if !matches!(kind(&found.stat), FileType::RegularFile | FileType::Directory) {
            return Err(Code::UnsupportedKind.into());
        }
        found.set_mtime(args.mtime_ns.unwrap_or(0))?;
        Ok(Reply::entry(self.entry(&found.stat_again()?)))
    }

    /// The file that is changed in place; [WRITE-4], [TRUNC-2].
    fn file_to_change(&self, args: &Arguments) -> Result<Found, Refusal> {
        let found = self.file(&args.path)?;
        check_etag(args, &found.stat)?;
        if found.stat.st_nlink > 1 {
            return Err(Code::Denied.into());
        }
        Ok(found)
    }
}

/// Writes all of the bytes at an offset.
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut off: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pwrite(file, bytes, off) {
            Ok(written) => {
                bytes = &bytes[written..];
                off += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// How many bytes a file has.
pub(super) fn length(file: &File) -> Result<u64, Errno> {
    Ok(super::entry::size(&fstat(file)?))
}
