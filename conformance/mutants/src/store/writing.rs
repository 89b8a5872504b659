//! Sections 11.7 to 11.11: mkdir, put, write, truncate and touch.

use super::{
    Store,
    entry::{nanoseconds_of_mtime, size, times},
    tree::{Found, Place, kind},
};
use crate::{
    Mutation,
    arguments::Arguments,
    mutations,
    paths::Path,
    reply::{Answer, Refusal, Reply},
};
use remofile_proto::Code;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, ftruncate, futimens, mkdirat, openat, unlinkat},
    io::{Errno, pwrite},
};
use std::{fs::File, os::unix::fs::FileExt, thread, time::Duration};

impl Store {
    pub(super) fn mkdir(&mut self, args: &Arguments) -> Answer {
        self.make_parents(&args.path, &mutations::writing::MKDIR_MAKES_PARENTS)?;
        let place = self.place(&args.path)?;
        let there = place.look()?.as_ref().map(kind);
        let is_directory = there == Some(FileType::Directory);
        if args.path.is_root() && self.behaviour.has(&mutations::writing::MKDIR_OF_THE_ROOT) {
            return Err(Code::Denied.into());
        }
        if there == Some(FileType::RegularFile) && self.behaviour.has(&mutations::writing::MKDIR_ON_A_FILE) {
            return Err(Code::NotDir.into());
        }
        if is_directory && self.behaviour.has(&mutations::writing::MKDIR_AGAIN) {
            return Ok(Reply::entry(self.entry(&place.need()?)));
        }
        // [MKDIR-2]
        if place.is_respelled() && !self.behaviour.has(&mutations::writing::MKDIR_CLASH_EXISTS) {
            return Err(Code::NameClash.into());
        }
        // [TARGET-10]
        let mode = if self.behaviour.has(&mutations::targets::PRIVATE_DIRECTORIES) { 0o700 } else { 0o777 };
        mkdirat(&place.directory, place.name(), Mode::from_raw_mode(mode))?;
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    /// Mutations: makes what directories are missing on the way to a path.
    pub(super) fn make_parents(&self, path: &Path, makes: &'static Mutation) -> Result<(), Refusal> {
        if self.place(path).is_ok() || !self.behaviour.has(makes) {
            return Ok(());
        }
        let (parents, _) = path.split();
        for depth in 1..=parents.len() {
            let (name, before) = parents[..depth].split_last().expect("there is a name at each depth");
            match mkdirat(self.directory(before)?, *name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    pub(super) fn put(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        if payload.is_empty() && self.behaviour.has(&mutations::writing::NOTHING_IS_NO_FILE) {
            return Err(Code::BadArgs.into());
        }
        self.make_parents(&args.path, &mutations::paths::PARENTS_ARE_MADE)?;
        let place = self.place(&args.path)?;
        let pre = self.pre(args, &place, &mutations::targets::PUT_REPLACES)?;
        let there = self.check_target(&place, &pre, None).or_else(|refusal| {
            if let Ok(found) = place.find()
                && self.behaviour.has(&mutations::control::REFUSED_AND_DONE)
            {
                found.open(OFlags::WRONLY).and_then(|file| write_at(&file, payload, 0))?;
            }
            if refusal.code == Code::Changed && self.behaviour.has(&mutations::targets::MOVED_FIRST) {
                unlinkat(&place.directory, place.name(), AtFlags::empty())?;
            }
            Err(refusal)
        })?;
        if there.is_none() && self.behaviour.has(&mutations::writing::PUT_IN_PLACE) {
            return self.put_in_place(&place, args, payload);
        }
        let temporary = self.staging()?.temporary()?;
        write_at(&temporary.file, payload, 0)?;
        if let Some(there) = &there
            && size(there) > payload.len() as u64
            && self.behaviour.has(&mutations::writing::PUT_KEEPS_THE_TAIL)
        {
            let mut tail = vec![0; usize::try_from(size(there)).unwrap_or(0) - payload.len()];
            place.find()?.open(OFlags::RDONLY)?.read_exact_at(&mut tail, payload.len() as u64)?;
            write_at(&temporary.file, &tail, payload.len() as u64)?;
        }
        // [PUT-2]
        futimens(&temporary.file, &times(self.time_of_put(args.mtime_ns, there.as_ref()).map(|ns| self.nearest(ns))))?;
        Ok(Reply::entry(self.publish(temporary.name, &temporary.file, &place, &pre, false)?))
    }

    /// A mutation: writes a new file under its final name.
    fn put_in_place(&self, place: &Place<'_>, args: &Arguments, payload: &[u8]) -> Answer {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?.into();
        for (at, part) in payload.chunks(4_096).enumerate() {
            write_at(&file, part, 4_096 * at as u64)?;
            if at == 1 {
                // As a disk takes it that is not in memory: who looks is to see it.
                thread::sleep(Duration::from_millis(5));
            }
        }
        futimens(&file, &times(args.mtime_ns))?;
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    /// [PUT-2]
    fn time_of_put(&self, mtime_ns: Option<i64>, replaced: Option<&Stat>) -> Option<i64> {
        match (mtime_ns, replaced) {
            (Some(_), _) if self.behaviour.has(&mutations::writing::PUT_IGNORES_TIME) => None,
            (Some(..0), _) if self.behaviour.has(&mutations::writing::PUT_TIME_IS_POSITIVE) => Some(0),
            (None, Some(replaced)) if self.behaviour.has(&mutations::writing::PUT_KEEPS_TIME) => {
                Some(nanoseconds_of_mtime(replaced))
            }
            _ => mtime_ns,
        }
    }

    pub(super) fn write(&mut self, args: &Arguments, payload: &[u8]) -> Answer {
        self.create_missing(args, &mutations::writing::WRITE_CREATES)?;
        let written_first = args.etag.is_some() && self.behaviour.has(&mutations::targets::WRITTEN_FIRST);
        if written_first {
            write_at(&self.file(&args.path)?.open(OFlags::WRONLY)?, payload, args.off)?;
        }
        let found = self.file_to_change("write", args, &mutations::writing::WRITE_THROUGH_LINKS)?;
        // [WRITE-3]
        if payload.is_empty() {
            if args.off > size(&found.stat) && self.behaviour.has(&mutations::writing::NOTHING_GROWS) {
                ftruncate(found.open(OFlags::WRONLY)?, args.off)?;
            }
            if self.behaviour.has(&mutations::writing::NOTHING_TOUCHES) {
                futimens(found.open(OFlags::WRONLY)?, &times(None))?;
            }
        } else {
            let file = found.open(OFlags::WRONLY)?;
            let off = self.place_of_write(args.off, size(&found.stat))?;
            write_at(&file, payload, off)?;
            if off + (payload.len() as u64) < size(&found.stat) && self.behaviour.has(&mutations::writing::WRITE_CUTS) {
                ftruncate(&file, off + payload.len() as u64)?;
            }
        }
        self.changed(&found)
    }

    /// Where a payload goes: to its offset ([WRITE-1], [WRITE-2]).
    fn place_of_write(&self, off: u64, size: u64) -> Result<u64, Refusal> {
        if off > size && self.behaviour.has(&mutations::writing::HOLES_ARE_REFUSED) {
            return Err(Code::BadArgs.into());
        }
        let at_the_end = self
            .behaviour
            .any(&[(off > size, &mutations::writing::NO_HOLES), (off < size, &mutations::writing::WRITE_APPENDS)]);
        Ok(if at_the_end { size } else { off })
    }

    pub(super) fn truncate(&mut self, args: &Arguments) -> Answer {
        self.create_missing(args, &mutations::writing::TRUNCATE_CREATES)?;
        let wanted = args.size.unwrap_or(0);
        if args.etag.is_some() && self.behaviour.has(&mutations::targets::CUT_FIRST) {
            ftruncate(self.file(&args.path)?.open(OFlags::WRONLY)?, wanted)?;
        }
        let found = self.file_to_change("truncate", args, &mutations::writing::TRUNCATE_THROUGH_LINKS)?;
        let stays = wanted > size(&found.stat) && self.behaviour.has(&mutations::writing::TRUNCATE_DOES_NOT_GROW);
        if !stays {
            let empties = wanted > 0 && self.behaviour.has(&mutations::writing::TRUNCATE_TO_NOTHING);
            ftruncate(found.open(OFlags::WRONLY)?, if empties { 0 } else { wanted })?;
        }
        self.changed(&found)
    }

    pub(super) fn touch(&mut self, args: &Arguments) -> Answer {
        self.create_missing(args, &mutations::writing::TOUCH_CREATES)?;
        let found = self.place(&args.path)?.find()?;
        match kind(&found.stat) {
            FileType::Directory if self.behaviour.has(&mutations::writing::TOUCH_FILES_ALONE) => {
                return Err(Code::NotFile.into());
            }
            FileType::RegularFile | FileType::Directory => {}
            FileType::Symlink if self.behaviour.has(&mutations::writing::TOUCH_OF_LINKS) => {}
            _ => return Err(Code::UnsupportedKind.into()),
        }
        let asked = args.mtime_ns.unwrap_or(0);
        let set = match asked {
            _ if self.behaviour.has(&mutations::writing::TOUCH_IS_NOW) => None,
            ..0 if self.behaviour.has(&mutations::writing::TOUCH_TIME_IS_POSITIVE) => Some(0),
            _ if asked % 1_000_000 != 0 && self.behaviour.has(&mutations::writing::TOUCH_MILLISECONDS) => {
                Some(asked / 1_000_000 * 1_000_000)
            }
            _ => Some(asked),
        };
        found.set_mtime(set.map(|ns| self.nearest(ns)))?;
        self.changed(&found)
    }

    /// The entry of what was changed ([ENTRY-5]).
    fn changed(&self, found: &Found) -> Answer {
        let now = found.stat_again()?;
        if self.etag(&now) != self.etag(&found.stat) && self.behaviour.has(&mutations::entries::ENTRY_BEFORE) {
            return Ok(Reply::entry(self.entry(&found.stat)));
        }
        Ok(Reply::entry(self.entry(&now)))
    }

    /// Mutations: makes the file that is to be changed, where there is nothing.
    fn create_missing(&self, args: &Arguments, creates: &'static Mutation) -> Result<(), Refusal> {
        let place = self.place(&args.path)?;
        if place.look()?.is_none() && self.behaviour.has(creates) {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?;
        }
        Ok(())
    }

    /// The file that is changed in place; [WRITE-4], [TRUNC-2].
    fn file_to_change(&self, op: &str, args: &Arguments, through_links: &'static Mutation) -> Result<Found, Refusal> {
        let found = self.file(&args.path)?;
        self.check_etag(op, args, &found.stat)?;
        if found.stat.st_nlink > 1 && !self.behaviour.has(through_links) {
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
