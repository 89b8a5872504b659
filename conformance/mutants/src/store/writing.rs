//! Sections 11.7 to 11.11: mkdir, put, write, truncate and touch.

mod mutated;

use super::{
    Store,
    entry::{size, times},
    tree::{Found, kind},
};
use crate::{
    arguments::Arguments,
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
        self.mutated_parents("mkdir", &args.path)?;
        let place = self.place(&args.path)?;
        if let Some(answer) = self.mutated_mkdir(args, &place)? {
            return answer;
        }
        // [MKDIR-2]
        if place.is_respelled() && self.mutated_clash() {
            return Err(Code::NameClash.into());
        }
        // [TARGET-10]
        let mode = Mode::from_raw_mode(self.mutated_mode(0o777));
        mkdirat(&place.directory, place.name(), mode)?;
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    pub(super) fn put(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        self.mutated_payload(payload)?;
        self.mutated_parents("put", &args.path)?;
        let place = self.place(&args.path)?;
        let pre = self.mutated_pre("put", args, &place)?;
        let there = match self.check_target(&place, &pre, None) {
            Ok(there) => there,
            Err(refusal) => return Err(self.mutated_refusal_of_put(&place, payload, refusal)?),
        };
        if let Some(answer) = self.mutated_new_file(args, payload, &place, there.as_ref()) {
            return answer;
        }
        let temporary = self.staging()?.temporary()?;
        write_at(&temporary.file, payload, 0)?;
        self.mutated_content_of_put(&temporary.file, payload, &place, there.as_ref())?;
        // [PUT-2]
        let mtime_ns = self.mutated_time_of_put(args.mtime_ns, there.as_ref());
        futimens(&temporary.file, &times(mtime_ns.map(|ns| self.nearest(ns))))?;
        Ok(Reply::entry(self.publish(temporary.name, &temporary.file, &place, &pre, false)?))
    }

    pub(super) fn write(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        self.mutated_creation("write", args)?;
        self.mutated_order_of_write(args, payload)?;
        let found = self.file_to_change("write", args)?;
        // [WRITE-3]
        if payload.is_empty() {
            self.mutated_write_of_nothing(args, &found)?;
        } else {
            let file = found.open(OFlags::WRONLY)?;
            // [WRITE-1], [WRITE-2]
            let off = self.mutated_offset(args.off, size(&found.stat))?;
            write_at(&file, payload, off)?;
            self.mutated_end_of_write(&file, off + payload.len() as u64, size(&found.stat))?;
        }
        self.changed(&found)
    }

    pub(super) fn truncate(&mut self, args: &Arguments) -> Answer {
        self.mutated_creation("truncate", args)?;
        let wanted = args.size.unwrap_or(0);
        self.mutated_order_of_truncate(args, wanted)?;
        let found = self.file_to_change("truncate", args)?;
        if let Some(wanted) = self.mutated_truncation(wanted, size(&found.stat)) {
            ftruncate(found.open(OFlags::WRONLY)?, wanted)?;
        }
        self.changed(&found)
    }

    pub(super) fn touch(&mut self, args: &Arguments) -> Answer {
        self.mutated_creation("touch", args)?;
        let found = self.place(&args.path)?.find()?;
        let is_touchable = matches!(kind(&found.stat), FileType::RegularFile | FileType::Directory);
        if !self.mutated_touchable(&found, is_touchable)? {
            return Err(Code::UnsupportedKind.into());
        }
        let mtime_ns = self.mutated_time_of_touch(args.mtime_ns.unwrap_or(0));
        found.set_mtime(mtime_ns.map(|ns| self.nearest(ns)))?;
        self.changed(&found)
    }

    /// The entry of what was changed ([ENTRY-5]).
    fn changed(&self, found: &Found) -> Answer {
        Ok(Reply::entry(self.entry(&self.mutated_stat(found, found.stat_again()?))))
    }

    /// The file that is changed in place; [WRITE-4], [TRUNC-2].
    fn file_to_change(&self, op: &str, args: &Arguments) -> Result<Found, Refusal> {
        let found = self.file(&args.path)?;
        self.check_etag(op, args, &found.stat)?;
        if found.stat.st_nlink > 1 && self.mutated_check_of_links(op) {
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
