//! Sections 11.12 to 11.14: remove, move and copy.

use super::{
    Store,
    entry::{nanoseconds_of_mtime, size, times},
    tree::{Place, kind},
    writing::write_at,
};
use crate::{
    arguments::Arguments,
    mutations,
    paths::is_name,
    reply::{Answer, Refusal, Reply, field, text},
    worker::Progress,
};
use remofile_proto::Code;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, chmod, fstat, futimens, linkat, mkdirat, renameat, unlinkat},
    io::Errno,
};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

impl Store {
    pub(super) fn remove(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        if place.look()?.is_none() && self.behaviour.has(&mutations::moving::REMOVE_NOTHING) {
            return Ok(Reply::ok(Vec::new()));
        }
        let there = place.need()?;
        self.check_file_etag("remove", args, &there)?;
        let is_directory = kind(&there) == FileType::Directory;
        let is_link = kind(&there) == FileType::Symlink;
        if is_directory && self.behaviour.has(&mutations::moving::REMOVE_FILES_ALONE) {
            return Err(Code::NotFile.into());
        }
        if is_link && self.behaviour.has(&mutations::moving::REMOVE_NO_LINKS) {
            return Err(Code::UnsupportedKind.into());
        }
        if is_link && self.behaviour.has(&mutations::moving::REMOVE_LINKED) {
            fs::remove_file(fs::read_link(place.find_through()?.by_handle())?)?;
            return Ok(Reply::ok(Vec::new()));
        }
        if is_directory {
            self.clear(&place)?;
        }
        let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let removed = unlinkat(&place.directory, place.name(), flags);
        if removed.is_ok() && self.behaviour.has(&mutations::codes::RESULT_OF_NOTHING) {
            return Ok(Reply::ok(vec![field("path", text(args.path.as_str()))]));
        }
        match removed {
            Err(Errno::NOTEMPTY) if self.behaviour.has(&mutations::moving::NOT_EMPTY_IS_DENIED) => {
                Err(Code::Denied.into())
            }
            other => Ok(other.map(|()| Reply::ok(Vec::new()))?),
        }
    }

    /// Mutations: removes what is in a directory first, or what of it is not listed.
    fn clear(&self, place: &Place<'_>) -> Result<(), Refusal> {
        let directory = super::listing::open(&place.directory, place.name())?;
        let names = super::listing::names(&directory)?;
        let shown = |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(is_name);
        let clears = self.behaviour.any(&[
            (!names.is_empty(), &mutations::moving::REMOVE_ALL),
            (!names.is_empty() && !names.iter().any(shown), &mutations::moving::REMOVE_HIDDEN),
        ]);
        if clears {
            for name in names {
                let at = std::path::Path::new(&place.find()?.by_handle()).join(OsStr::from_bytes(&name));
                let is_directory = fs::symlink_metadata(&at)?.is_dir();
                if is_directory { fs::remove_dir_all(at)? } else { fs::remove_file(at)? }
            }
        }
        Ok(())
    }

    /// `move`
    pub(super) fn rename(&mut self, args: &Arguments) -> Answer {
        // The order refuses it, but for a mutation.
        if args.from == args.to {
            let there = self.place(&args.to)?.need()?;
            args.loop_found()?;
            return Ok(Reply::entry(self.entry(&there)));
        }
        self.look_at_the_target_first(args)?;
        let from = self.place(&args.from)?;
        let source = from.need()?;
        args.loop_found()?;
        self.check_file_etag("move", args, &source)?;
        match kind(&source) {
            FileType::Directory if self.behaviour.has(&mutations::moving::MOVE_FILES_ALONE) => {
                return Err(Code::NotFile.into());
            }
            FileType::RegularFile | FileType::Directory => {}
            _ if self.behaviour.has(&mutations::moving::MOVE_NO_LINKS) => return Err(Code::UnsupportedKind.into()),
            _ => {}
        }
        let to = self.place(&args.to)?;
        if self.is_same_place(&from, &to)? {
            return self.respell(&from, &to, &source);
        }
        let moved = Some(kind(&source));
        let is_file = moved == Some(FileType::RegularFile);
        let pre = self.mutated_pre("move", args, &to)?;
        let replaced = self.check_target(&to, &pre, moved)?;
        match &replaced {
            Some(replaced) if is_same(&source, replaced) => {
                if !self.behaviour.has(&mutations::moving::HARD_LINKS_STAY) {
                    remove_name(&from)?;
                }
            }
            Some(_) if is_file && self.behaviour.has(&mutations::moving::MOVE_WRITES) => {
                let mut written = to.find()?.open(OFlags::WRONLY | OFlags::TRUNC)?;
                std::io::copy(&mut from.find()?.open(OFlags::RDONLY)?, &mut written)?;
                futimens(&written, &times(Some(nanoseconds_of_mtime(&source))))?;
                remove_name(&from)?;
            }
            Some(_) if is_file => {
                // [DUR-1]
                self.sync(&from.find()?.open(OFlags::RDONLY)?)?;
                self.give_name((&from.directory, from.name()), &to, &pre, moved)?;
            }
            None if is_file && self.behaviour.has(&mutations::moving::MOVE_COPIES) => {
                linkat(&from.directory, from.name(), &to.directory, to.name(), AtFlags::empty())?;
            }
            _ => self.give_name((&from.directory, from.name()), &to, &pre, moved)?,
        }
        if is_file && self.behaviour.has(&mutations::moving::MOVE_IS_NEW) {
            to.find()?.set_mtime(None)?;
        }
        if let Some(replaced) = replaced.filter(|replaced| replaced.st_mode != source.st_mode)
            && self.behaviour.has(&mutations::targets::BITS_OF_THE_TARGET)
        {
            chmod(to.find()?.by_handle(), Mode::from_raw_mode(replaced.st_mode & 0o777))?;
        }
        Ok(Reply::entry(self.entry(&to.need()?)))
    }

    /// [TARGET-2] The target is the source itself: it gets its name in the new spelling.
    fn respell(&self, from: &Place<'_>, to: &Place<'_>, source: &Stat) -> Answer {
        let is_directory = kind(source) == FileType::Directory;
        match &self.behaviour {
            behaviour if behaviour.has(&mutations::targets::RESPELLED_CLASHES) => return Err(Code::NameClash.into()),
            behaviour if is_directory && behaviour.has(&mutations::targets::RESPELLED_FILES_ALONE) => {
                return Err(Code::NotFile.into());
            }
            behaviour if behaviour.has(&mutations::targets::RESPELLED_STAYS) => {}
            behaviour if !is_directory && behaviour.has(&mutations::targets::RESPELLED_IS_REMOVED) => {
                remove_name(from)?;
                return Ok(Reply::entry(self.entry(source)));
            }
            _ => renameat(&from.directory, from.name(), &to.directory, to.asked)?,
        }
        let there = to.look_at(to.asked)?.or(to.look()?).ok_or(Code::NotFound)?;
        Ok(Reply::entry(self.entry(&there)))
    }

    /// Whether two paths lead to one name: where names fold they may be spelled in two ways.
    fn is_same_place(&self, from: &Place<'_>, to: &Place<'_>) -> Result<bool, Refusal> {
        let one_directory = || Ok::<_, Errno>(is_same(&fstat(&from.directory)?, &fstat(&to.directory)?));
        Ok(from.name() == to.name() && self.behaviour.folds() && one_directory()?)
    }

    pub(super) fn copy(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        // The order refuses it, but for a mutation.
        if args.from == args.to {
            let there = self.place(&args.to)?.need()?;
            args.loop_found()?;
            return Ok(Reply::entry(self.entry(&there)));
        }
        self.look_at_the_target_first(args)?;
        let from = self.place(&args.from)?;
        if from.look()?.as_ref().map(kind) == Some(FileType::Directory)
            && self.behaviour.has(&mutations::moving::COPY_OF_DIRECTORIES)
        {
            let to = self.place(&args.to)?;
            mkdirat(&to.directory, to.name(), Mode::from_raw_mode(0o777))?;
            return Ok(Reply::entry(self.entry(&to.need()?)));
        }
        let found = self.file(&args.from)?;
        args.loop_found()?;
        self.check_etag("copy", args, &found.stat)?;
        let to = self.place(&args.to)?;
        let pre = self.mutated_pre("copy", args, &to)?;
        let replaced = self.check_target(&to, &pre, None)?;
        if replaced.is_none() && self.behaviour.has(&mutations::moving::COPY_LINKS) {
            linkat(&from.directory, from.name(), &to.directory, to.name(), AtFlags::empty())?;
            return Ok(Reply::entry(self.entry(&to.need()?)));
        }
        let source = found.open(OFlags::RDONLY)?;
        let before = fstat(&source)?;
        let slice = self.limits.slice as u64;
        let cut = size(&before) > slice && self.behaviour.has(&mutations::moving::COPY_OF_A_SLICE);
        let len = if cut { slice } else { size(&before) };
        let temporary = self.staging()?.temporary()?;
        let mut off = 0;
        self.each_slice(&source, 0, len, progress, |slice| {
            write_at(&temporary.file, slice, off)?;
            off += slice.len() as u64;
            Ok(())
        })?;
        // [COPY-3]
        let changed = self.etag(&fstat(&source)?) != self.etag(&before);
        if changed && !self.behaviour.has(&mutations::moving::COPY_IS_NOT_HELD) {
            return Err(Code::Changed.into());
        }
        if !self.behaviour.has(&mutations::moving::COPY_IS_NEW) {
            futimens(&temporary.file, &times(Some(nanoseconds_of_mtime(&before))))?;
        }
        let item = self.publish(temporary.name, &temporary.file, &to, &pre, false)?;
        if self.behaviour.has(&mutations::targets::BITS_OF_THE_SOURCE) {
            chmod(to.find()?.by_handle(), Mode::from_raw_mode(before.st_mode & 0o777))?;
            return Ok(Reply::entry(self.entry(&to.need()?)));
        }
        Ok(Reply::entry(item))
    }

    /// A mutation: checks the target before the source is known to be there.
    fn look_at_the_target_first(&self, args: &Arguments) -> Result<(), Refusal> {
        let source = self.place(&args.from).and_then(|from| from.need());
        if source.is_err() && self.behaviour.has(&mutations::moving::TARGET_BEFORE_SOURCE) {
            self.check_target(&self.place(&args.to)?, &args.pre, None)?;
        }
        Ok(())
    }

    /// [OP-7] Of an operation that takes things of every kind.
    fn check_file_etag(&self, op: &str, args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
        let is_file = kind(stat) == FileType::RegularFile;
        if args.etag.is_some() && !is_file && !self.behaviour.has(&mutations::moving::NO_FILE_UNGUARDED) {
            return Err(Code::Changed.into());
        }
        if is_file { self.check_etag(op, args, stat) } else { Ok(()) }
    }
}

/// [MOVE-3] Renaming one link of a file onto another does nothing.
fn remove_name(place: &Place<'_>) -> Result<(), Refusal> {
    Ok(unlinkat(&place.directory, place.name(), AtFlags::empty())?)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
