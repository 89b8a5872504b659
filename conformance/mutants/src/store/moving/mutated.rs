//! Mutations of remove, move and copy.

use super::{Store, remove_name};
use crate::{
    arguments::Arguments,
    mutations::{codes, moving, targets},
    paths::is_name,
    reply::{Answer, Fields, Refusal, Reply, field, text},
    store::{
        entry::{nanoseconds_of_mtime, times},
        listing,
        tree::{Place, kind},
    },
};
use remofile_proto::{Code, cbor::Item};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, chmod, futimens, linkat, mkdirat},
    io::Errno,
};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

impl Store {
    pub(super) fn mutated_removal_of_nothing(&self, place: &Place<'_>) -> Result<Option<Answer>, Refusal> {
        let is_ok = place.look()?.is_none() && self.behaviour.has(&moving::REMOVE_NOTHING);
        Ok(is_ok.then(|| Ok(Reply::ok(Fields::new()))))
    }

    pub(super) fn mutated_removal(&self, place: &Place<'_>, there: &Stat) -> Result<Option<Answer>, Refusal> {
        match kind(there) {
            FileType::Directory if self.behaviour.has(&moving::REMOVE_FILES_ALONE) => Err(Code::NotFile.into()),
            FileType::Directory => self.clear(place).map(|()| None),
            FileType::Symlink if self.behaviour.has(&moving::REMOVE_NO_LINKS) => Err(Code::UnsupportedKind.into()),
            FileType::Symlink if self.behaviour.has(&moving::REMOVE_LINKED) => {
                fs::remove_file(fs::read_link(place.find_through()?.by_handle())?)?;
                Ok(Some(Ok(Reply::ok(Fields::new()))))
            }
            _ => Ok(None),
        }
    }

    /// Removes the content of a directory, or what of it is not listed.
    fn clear(&self, place: &Place<'_>) -> Result<(), Refusal> {
        let directory = listing::open(&place.directory, place.name())?;
        let names = listing::names(&directory)?;
        let shown = |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(is_name);
        let clears = self.behaviour.any(&[
            (!names.is_empty(), &moving::REMOVE_ALL),
            (!names.is_empty() && !names.iter().any(shown), &moving::REMOVE_HIDDEN),
        ]);
        if clears {
            for name in names {
                let at = Path::new(&place.find()?.by_handle()).join(OsStr::from_bytes(&name));
                let is_directory = fs::symlink_metadata(&at)?.is_dir();
                if is_directory { fs::remove_dir_all(at)? } else { fs::remove_file(at)? }
            }
        }
        Ok(())
    }

    pub(super) fn mutated_removed(&self, removed: Result<(), Errno>) -> Result<(), Refusal> {
        match removed {
            Err(Errno::NOTEMPTY) if self.behaviour.has(&moving::NOT_EMPTY_IS_DENIED) => Err(Code::Denied.into()),
            removed => Ok(removed?),
        }
    }

    pub(super) fn mutated_result_of_remove(&self, args: &Arguments, mut result: Fields) -> Fields {
        if self.behaviour.has(&codes::RESULT_OF_NOTHING) {
            result.push(field("path", text(args.path.as_str())));
        }
        result
    }

    /// Does what the order of checks refuses: moves or copies something to itself, or checks the target first.
    pub(super) fn mutated_move_to_itself(&self, args: &Arguments) -> Result<Option<Answer>, Refusal> {
        if args.from == args.to {
            let there = self.place(&args.to)?.need()?;
            args.loop_found()?;
            return Ok(Some(Ok(Reply::entry(self.entry(&there)))));
        }
        let source = self.place(&args.from).and_then(|from| from.need());
        if source.is_err() && self.behaviour.has(&moving::TARGET_BEFORE_SOURCE) {
            self.check_target(&self.place(&args.to)?, &args.pre, None)?;
        }
        Ok(None)
    }

    pub(super) fn mutated_kind_of_source(&self, source: &Stat) -> Result<(), Refusal> {
        match kind(source) {
            FileType::RegularFile => Ok(()),
            FileType::Directory if self.behaviour.has(&moving::MOVE_FILES_ALONE) => Err(Code::NotFile.into()),
            FileType::Directory => Ok(()),
            _ if self.behaviour.has(&moving::MOVE_NO_LINKS) => Err(Code::UnsupportedKind.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn mutated_hard_link(&self, from: &Place<'_>) -> Result<(), Refusal> {
        if self.behaviour.has(&moving::HARD_LINKS_STAY) { Ok(()) } else { remove_name(from) }
    }

    /// Moves a file in another way than by renaming it; whether it did.
    pub(super) fn mutated_move(
        &self,
        from: &Place<'_>,
        to: &Place<'_>,
        source: &Stat,
        replaced: Option<&Stat>,
    ) -> Result<bool, Refusal> {
        if replaced.is_some() && self.behaviour.has(&moving::MOVE_WRITES) {
            let mut written = to.find()?.open(OFlags::WRONLY | OFlags::TRUNC)?;
            std::io::copy(&mut from.find()?.open(OFlags::RDONLY)?, &mut written)?;
            futimens(&written, &times(Some(nanoseconds_of_mtime(source))))?;
            remove_name(from)?;
            return Ok(true);
        }
        let copies = replaced.is_none() && self.behaviour.has(&moving::MOVE_COPIES);
        if copies {
            linkat(&from.directory, from.name(), &to.directory, to.name(), AtFlags::empty())?;
        }
        Ok(copies)
    }

    /// What is done after a move.
    pub(super) fn mutated_moved(&self, to: &Place<'_>, source: &Stat, replaced: Option<&Stat>) -> Result<(), Refusal> {
        if kind(source) == FileType::RegularFile && self.behaviour.has(&moving::MOVE_IS_NEW) {
            to.find()?.set_mtime(None)?;
        }
        if let Some(replaced) = replaced.filter(|replaced| replaced.st_mode != source.st_mode)
            && self.behaviour.has(&targets::BITS_OF_THE_TARGET)
        {
            chmod(to.find()?.by_handle(), Mode::from_raw_mode(replaced.st_mode & 0o777))?;
        }
        Ok(())
    }

    pub(super) fn mutated_respelling(
        &self,
        from: &Place<'_>,
        to: &Place<'_>,
        source: &Stat,
    ) -> Result<Option<Answer>, Refusal> {
        let has = |mutation| self.behaviour.has(mutation);
        match kind(source) {
            _ if has(&targets::RESPELLED_CLASHES) => Err(Code::NameClash.into()),
            FileType::Directory if has(&targets::RESPELLED_FILES_ALONE) => Err(Code::NotFile.into()),
            _ if has(&targets::RESPELLED_STAYS) => Ok(Some(self.respelled(to))),
            kind if kind != FileType::Directory && has(&targets::RESPELLED_IS_REMOVED) => {
                remove_name(from)?;
                Ok(Some(Ok(Reply::entry(self.entry(source)))))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn mutated_copy_of_directory(
        &self,
        args: &Arguments,
        from: &Place<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        let is_directory = from.look()?.as_ref().map(kind) == Some(FileType::Directory);
        if !is_directory || !self.behaviour.has(&moving::COPY_OF_DIRECTORIES) {
            return Ok(None);
        }
        let to = self.place(&args.to)?;
        mkdirat(&to.directory, to.name(), Mode::from_raw_mode(0o777))?;
        Ok(Some(Ok(Reply::entry(self.entry(&to.need()?)))))
    }

    /// Makes a hard link in place of a copy.
    pub(super) fn mutated_copy(
        &self,
        from: &Place<'_>,
        to: &Place<'_>,
        replaced: Option<&Stat>,
    ) -> Result<Option<Answer>, Refusal> {
        if replaced.is_some() || !self.behaviour.has(&moving::COPY_LINKS) {
            return Ok(None);
        }
        linkat(&from.directory, from.name(), &to.directory, to.name(), AtFlags::empty())?;
        Ok(Some(Ok(Reply::entry(self.entry(&to.need()?)))))
    }

    pub(super) fn mutated_length_of_copy(&self, len: u64) -> u64 {
        let slice = self.limits.slice as u64;
        if len > slice && self.behaviour.has(&moving::COPY_OF_A_SLICE) { slice } else { len }
    }

    /// Whether a source that changed is refused.
    pub(super) fn mutated_check_of_change(&self) -> bool {
        !self.behaviour.has(&moving::COPY_IS_NOT_HELD)
    }

    pub(super) fn mutated_time_of_copy(&self, mtime_ns: i64) -> Option<i64> {
        (!self.behaviour.has(&moving::COPY_IS_NEW)).then_some(mtime_ns)
    }

    pub(super) fn mutated_copied(&self, to: &Place<'_>, source: &Stat, entry: Item) -> Result<Item, Refusal> {
        if !self.behaviour.has(&targets::BITS_OF_THE_SOURCE) {
            return Ok(entry);
        }
        chmod(to.find()?.by_handle(), Mode::from_raw_mode(source.st_mode & 0o777))?;
        Ok(self.entry(&to.need()?))
    }

    /// Whether an etag for something that is no file is refused.
    pub(super) fn mutated_guard_of_others(&self) -> bool {
        !self.behaviour.has(&moving::NO_FILE_UNGUARDED)
    }
}
