//! Mutations of targets.

use super::Store;
use crate::{
    Mutation,
    arguments::Pre,
    mutations::{entries, targets},
    reply::Refusal,
    store::{
        entry::{nanoseconds_of_mtime, times},
        staging::Staging,
        tree::{Place, kind},
    },
};
use remofile_proto::{Code, cbor::Item};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, futimens, unlinkat},
    io::Errno,
};
use std::{fs::File, io, thread, time::Duration};

/// How long a target is missing before its replacement gets its name.
const MISSING: Duration = Duration::from_millis(2);

impl Store {
    pub(super) fn mutated_look(&self, target: &Place<'_>, there: Option<Stat>) -> Option<Stat> {
        let is_broken_link = there.as_ref().map(kind) == Some(FileType::Symlink) && target.find_through().is_err();
        there.filter(|_| !(is_broken_link && self.behaviour.has(&targets::BROKEN_LINKS)))
    }

    /// Judges a target that is there in another spelling.
    pub(super) fn mutated_clash_of_target(
        &self,
        pre: &Pre,
        there: Option<Stat>,
        refusal: Refusal,
    ) -> Result<Option<Stat>, Refusal> {
        let is_absent = *pre == Pre::Absent;
        if !is_absent && self.behaviour.has(&targets::CLASH_IS_REPLACED) {
            return Ok(there);
        }
        let exists = self.behaviour.any(&[(true, &targets::CLASH_EXISTS), (is_absent, &targets::CLASH_AFTER_ABSENT)]);
        Err(if exists { Code::Exists.into() } else { refusal })
    }

    /// The code that refuses a target, if any.
    pub(super) fn mutated_judgement(
        &self,
        there: Option<&Stat>,
        pre: &Pre,
        moved: Option<FileType>,
        right: Option<Code>,
    ) -> Option<Code> {
        use Code::{Changed, Exists, NotDir, NotFile, NotFound, UnsupportedKind};
        let there = there.map(kind);
        let is_directory = there == Some(FileType::Directory);
        let is_moved = moved == Some(FileType::Directory);
        let is_etag = matches!(pre, Pre::Etag(_));
        let (is_any, is_right) = (*pre == Pre::Any, right.is_none());
        let is = |code| right == Some(code);
        let otherwise: [(bool, &'static Mutation, Option<Code>); 14] = [
            (is_etag && (is(NotFile) || is(UnsupportedKind)), &targets::ETAG_BEFORE_KIND, Some(Changed)),
            (is(Exists) && is_directory, &targets::KIND_BEFORE_ABSENT, Some(NotFile)),
            (is(NotFile) && is_directory && is_moved, &targets::EMPTY_REPLACED, None),
            (is(NotFile) && !is_directory, &targets::FILE_IS_IN_THE_WAY, Some(NotDir)),
            (is(UnsupportedKind), &targets::LINKS_ARE_REPLACED, None),
            (is(UnsupportedKind), &targets::LINK_IS_NOT_FILE, Some(NotFile)),
            (is(NotFile) && is_directory, &targets::DIRECTORY_EXISTS, Some(Exists)),
            (is(Changed) && there.is_some(), &targets::ANY_ETAG, None),
            (is(Changed) && there.is_none(), &targets::ETAG_MAKES, None),
            (is(Changed) && there.is_none(), &targets::ETAG_OF_NOTHING, Some(NotFound)),
            (is(Changed) && there.is_some(), &targets::EXISTS_FOR_ETAG, Some(Exists)),
            (is_right && is_any && there.is_none(), &targets::ANY_NEEDS_A_FILE, Some(NotFound)),
            (is_right && is_any && there.is_some(), &targets::ANY_REPLACES_NOTHING, Some(Exists)),
            (is_right && is_etag && there.is_some(), &targets::ETAG_REPLACES_NOTHING, Some(Changed)),
        ];
        let found = otherwise.iter().find(|(differs, mutation, _)| *differs && self.behaviour.has(mutation));
        found.map_or(right, |(_, _, code)| *code)
    }

    /// Whether a file keeps the permissions of the one that it replaces.
    pub(super) fn mutated_bits(&self) -> bool {
        !self.behaviour.has(&targets::BITS_ARE_LOST)
    }

    pub(super) fn mutated_bits_of_new(&self, file: &File) -> Result<(), Errno> {
        let is_private = self.behaviour.has(&targets::PRIVATE_FILES);
        if is_private { fchmod(file, Mode::RUSR | Mode::WUSR) } else { Ok(()) }
    }

    /// Writes over a file in place of replacing it; its entry.
    pub(super) fn mutated_replacement(
        &self,
        staging: &Staging,
        staged: &str,
        file: &File,
        target: &Place<'_>,
        replaced: Option<&Stat>,
    ) -> Result<Option<Item>, Refusal> {
        if replaced.is_none() || !self.behaviour.has(&targets::WRITTEN_IN_PLACE) {
            return Ok(None);
        }
        let mut written = target.find()?.open(OFlags::WRONLY | OFlags::TRUNC)?;
        io::copy(&mut staging.file(staged)?, &mut written)?;
        futimens(&written, &times(Some(nanoseconds_of_mtime(&fstat(file)?))))?;
        Ok(Some(self.entry(&target.need()?)))
    }

    pub(super) fn mutated_stat_of_new(&self, before: Stat, there: Stat) -> Stat {
        if self.behaviour.has(&entries::ENTRY_BEFORE_THE_NAME) { before } else { there }
    }

    pub(super) fn mutated_removal_of_replaced(&self, target: &Place<'_>, there: Option<&Stat>) -> Result<(), Errno> {
        if there.is_some() && self.behaviour.has(&targets::REMOVED_FIRST) {
            unlinkat(&target.directory, target.name(), AtFlags::empty())?;
            // As on a disk that is not in memory: another client has time to see it.
            thread::sleep(MISSING);
        }
        Ok(())
    }
}
