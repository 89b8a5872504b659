//! Sections 11.12 to 11.14: remove, move and copy.

use super::{
    Store,
    entry::{etag, nanoseconds_of_mtime, size, times},
    reading::check_etag,
    tree::{Place, kind},
    writing::write_at,
};
use crate::{
    arguments::Arguments,
    faults,
    reply::{Answer, Refusal, Reply, field, text},
    worker::Progress,
};
use remofile_proto::Code;
use rustix::fs::{AtFlags, FileType, OFlags, Stat, fstat, futimens, unlinkat};

impl Store {
    pub(super) fn remove(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        let there = place.need()?;
        check_file_etag(args, &there)?;
        let is_directory = kind(&there) == FileType::Directory;
        let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        unlinkat(&place.directory, place.name, flags)?;
        if self.switches.has(&faults::codes::RESULT_OF_NOTHING) {
            return Ok(Reply::ok(vec![field("path", text(args.path.as_str()))]));
        }
        Ok(Reply::ok(Vec::new()))
    }

    /// `move`
    pub(super) fn rename(&mut self, args: &Arguments) -> Answer {
        let from = self.place(&args.from)?;
        let source = from.need()?;
        args.loop_found()?;
        check_file_etag(args, &source)?;
        let to = self.place(&args.to)?;
        let moved = Some(kind(&source));
        let replaced = self.check_target(&to, &args.pre, moved)?;
        match replaced {
            Some(replaced) if is_same(&source, &replaced) => remove_name(&from)?,
            Some(_) if kind(&source) == FileType::RegularFile => {
                // [DUR-1]
                self.sync(&from.find()?.open(OFlags::RDONLY)?)?;
                self.give_name((&from.directory, from.name), &to, &args.pre, moved)?;
            }
            _ => self.give_name((&from.directory, from.name), &to, &args.pre, moved)?,
        }
        Ok(Reply::entry(self.entry(&to.need()?)))
    }

    pub(super) fn copy(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let found = self.file(&args.from)?;
        args.loop_found()?;
        check_etag(args, &found.stat)?;
        let to = self.place(&args.to)?;
        self.check_target(&to, &args.pre, None)?;
        let source = found.open(OFlags::RDONLY)?;
        let before = fstat(&source)?;
        let temporary = self.staging()?.temporary()?;
        let mut off = 0;
        self.each_slice(&source, 0, size(&before), progress, |slice| {
            write_at(&temporary.file, slice, off)?;
            off += slice.len() as u64;
            Ok(())
        })?;
        // [COPY-3]
        if etag(&fstat(&source)?) != etag(&before) {
            return Err(Code::Changed.into());
        }
        if !self.switches.has(&faults::moving::COPY_IS_NEW) {
            futimens(&temporary.file, &times(Some(nanoseconds_of_mtime(&before))))?;
        }
        Ok(Reply::entry(self.publish(temporary.name, &temporary.file, &to, &args.pre, false)?))
    }
}

/// [OP-7] Of an operation that takes things of every kind.
fn check_file_etag(args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
    if args.etag.is_some() && kind(stat) != FileType::RegularFile {
        return Err(Code::Changed.into());
    }
    check_etag(args, stat)
}

/// [MOVE-3] Renaming one link of a file onto another does nothing.
fn remove_name(place: &Place<'_>) -> Result<(), Refusal> {
    Ok(unlinkat(&place.directory, place.name, AtFlags::empty())?)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
