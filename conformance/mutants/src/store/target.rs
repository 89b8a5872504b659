//! Section 10.2: targets.

use super::{
    Store,
    entry::{nanoseconds_of_mtime, times},
    tree::{Place, kind},
};
use crate::{Mutation, arguments::Pre, mutations, reply::Refusal};
use remofile_proto::{Code, cbor::Item};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fchmod, fstat, futimens, renameat_with, unlinkat,
};
use std::{fs::File, io, os::fd::AsFd};

impl Store {
    /// [TARGET-4] to [TARGET-7]; the file that will be replaced, if there is one.
    pub(super) fn check_target(
        &self,
        target: &Place<'_>,
        pre: &Pre,
        moved: Option<FileType>,
    ) -> Result<Option<Stat>, Refusal> {
        let mut there = target.look()?;
        let is_broken_link = there.as_ref().map(kind) == Some(FileType::Symlink) && target.find_through().is_err();
        if is_broken_link && self.behaviour.has(&mutations::targets::BROKEN_LINKS) {
            there = None;
        }
        // [TARGET-3]
        if there.is_some() && target.is_respelled() {
            let replaced = *pre != Pre::Absent && self.behaviour.has(&mutations::targets::CLASH_IS_REPLACED);
            let code = match &self.behaviour {
                behaviour if behaviour.has(&mutations::targets::CLASH_EXISTS) => Code::Exists,
                behaviour if *pre == Pre::Absent && behaviour.has(&mutations::targets::CLASH_AFTER_ABSENT) => {
                    Code::Exists
                }
                _ => Code::NameClash,
            };
            return if replaced { Ok(there) } else { Err(code.into()) };
        }
        match self.misjudge(there.as_ref(), pre, moved, self.judge(there.as_ref(), pre, moved)) {
            Some(code) => Err(code.into()),
            None => Ok(there),
        }
    }

    /// [TARGET-4] to [TARGET-7], in their order ([TARGET-1]).
    fn judge(&self, there: Option<&Stat>, pre: &Pre, moved: Option<FileType>) -> Option<Code> {
        if *pre == Pre::Absent && there.is_some() {
            return Some(Code::Exists);
        }
        match there.map(kind) {
            Some(FileType::Directory) => return Some(Code::NotFile),
            Some(_) if moved == Some(FileType::Directory) => return Some(Code::NotFile),
            Some(FileType::RegularFile) | None => {}
            Some(_) => return Some(Code::UnsupportedKind),
        }
        match pre {
            Pre::Etag(wanted) if there.map(|there| self.etag(there)).as_ref() != Some(wanted) => Some(Code::Changed),
            _ => None,
        }
    }

    /// A mutation may see in another way what the target rules came to.
    fn misjudge(&self, there: Option<&Stat>, pre: &Pre, moved: Option<FileType>, right: Option<Code>) -> Option<Code> {
        use Code::{Changed, Exists, NotDir, NotFile, NotFound, UnsupportedKind};
        let there = there.map(kind);
        let is_directory = there == Some(FileType::Directory);
        let is_moved = moved == Some(FileType::Directory);
        let is_etag = matches!(pre, Pre::Etag(_));
        let (is_any, is_right) = (*pre == Pre::Any, right.is_none());
        let is = |code| right == Some(code);
        let otherwise: [(bool, &'static Mutation, Option<Code>); 14] = [
            (is_etag && (is(NotFile) || is(UnsupportedKind)), &mutations::targets::ETAG_BEFORE_KIND, Some(Changed)),
            (is(Exists) && is_directory, &mutations::targets::KIND_BEFORE_ABSENT, Some(NotFile)),
            (is(NotFile) && is_directory && is_moved, &mutations::targets::EMPTY_REPLACED, None),
            (is(NotFile) && !is_directory, &mutations::targets::FILE_IS_IN_THE_WAY, Some(NotDir)),
            (is(UnsupportedKind), &mutations::targets::LINKS_ARE_REPLACED, None),
            (is(UnsupportedKind), &mutations::targets::LINK_IS_NOT_FILE, Some(NotFile)),
            (is(NotFile) && is_directory, &mutations::targets::DIRECTORY_EXISTS, Some(Exists)),
            (is(Changed) && there.is_some(), &mutations::targets::ANY_ETAG, None),
            (is(Changed) && there.is_none(), &mutations::targets::ETAG_MAKES, None),
            (is(Changed) && there.is_none(), &mutations::targets::ETAG_OF_NOTHING, Some(NotFound)),
            (is(Changed) && there.is_some(), &mutations::targets::EXISTS_FOR_ETAG, Some(Exists)),
            (is_right && is_any && there.is_none(), &mutations::targets::ANY_NEEDS_A_FILE, Some(NotFound)),
            (is_right && is_any && there.is_some(), &mutations::targets::ANY_REPLACES_NOTHING, Some(Exists)),
            (is_right && is_etag && there.is_some(), &mutations::targets::ETAG_REPLACES_NOTHING, Some(Changed)),
        ];
        let found = otherwise.iter().find(|(differs, mutation, _)| *differs && self.behaviour.has(mutation));
        found.map_or(right, |(_, _, code)| *code)
    }

    /// Gives a staged file its name, by the target rules and atomically ([TARGET-8]); its entry there.
    pub(super) fn publish(
        &self,
        staged: &str,
        file: &File,
        target: &Place<'_>,
        pre: &Pre,
        durable: bool,
    ) -> Result<Item, Refusal> {
        let replaced = self.check_target(target, pre, None)?;
        match &replaced {
            Some(_) if self.behaviour.has(&mutations::targets::BITS_ARE_LOST) => {}
            Some(replaced) => fchmod(file, Mode::from_raw_mode(replaced.st_mode & 0o777))?,
            None if self.behaviour.has(&mutations::targets::PRIVATE_FILES) => fchmod(file, Mode::RUSR | Mode::WUSR)?,
            None => {}
        }
        // [DUR-1]
        if durable || replaced.is_some() {
            self.sync(file)?;
        }
        let staging = self.staging()?;
        if replaced.is_some() && self.behaviour.has(&mutations::targets::WRITTEN_IN_PLACE) {
            let mut written = target.find()?.open(OFlags::WRONLY | OFlags::TRUNC)?;
            io::copy(&mut staging.file(staged)?, &mut written)?;
            futimens(&written, &times(Some(nanoseconds_of_mtime(&fstat(file)?))))?;
            return Ok(self.entry(&target.need()?));
        }
        let before = fstat(file)?;
        self.give_name((&staging.directory, staged), target, pre, None)?;
        if self.behaviour.has(&mutations::entries::ENTRY_BEFORE_THE_NAME) {
            return Ok(self.entry(&before));
        }
        Ok(self.entry(&target.need()?))
    }

    /// Renames after a last look at the target; [TARGET-9].
    pub(super) fn give_name(
        &self,
        from: (impl AsFd, &str),
        target: &Place<'_>,
        pre: &Pre,
        moved: Option<FileType>,
    ) -> Result<(), Refusal> {
        let there = self.check_target(target, pre, moved)?;
        if there.is_some() && self.behaviour.has(&mutations::targets::REMOVED_FIRST) {
            unlinkat(&target.directory, target.name(), AtFlags::empty())?;
        }
        let replaces = *pre != Pre::Absent || there.is_some();
        let flags = if replaces { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        Ok(renameat_with(from.0, from.1, &target.directory, target.name(), flags)?)
    }
}
