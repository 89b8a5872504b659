//! Section 10.2: targets.

mod mutated;

use super::{
    Store,
    tree::{Place, kind},
};
use crate::{arguments::Pre, reply::Refusal};
use remofile_proto::{Code, cbor::Item};
use rustix::fs::{FileType, Mode, RenameFlags, Stat, fchmod, fstat, renameat_with};
use std::{fs::File, os::fd::AsFd};

impl Store {
    /// [TARGET-4] to [TARGET-7]; the file that will be replaced, if there is one.
    pub(super) fn check_target(
        &self,
        target: &Place<'_>,
        pre: &Pre,
        moved: Option<FileType>,
    ) -> Result<Option<Stat>, Refusal> {
        let there = self.mutated_look(target, target.look()?);
        // [TARGET-3]
        if there.is_some() && target.is_respelled() {
            return self.mutated_clash_of_target(pre, there, Code::NameClash.into());
        }
        match self.mutated_judgement(there.as_ref(), pre, moved, self.judge(there.as_ref(), pre, moved)) {
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
        // [TARGET-10]
        match &replaced {
            Some(replaced) if self.mutated_bits() => fchmod(file, Mode::from_raw_mode(replaced.st_mode & 0o777))?,
            Some(_) => {}
            None => self.mutated_bits_of_new(file)?,
        }
        // [DUR-1]
        if durable || replaced.is_some() {
            self.sync(file)?;
        }
        let staging = self.staging()?;
        if let Some(entry) = self.mutated_replacement(staging, staged, file, target, replaced.as_ref())? {
            return Ok(entry);
        }
        let before = fstat(file)?;
        self.give_name((&staging.directory, staged), target, pre, None)?;
        Ok(self.entry(&self.mutated_stat_of_new(before, target.need()?)))
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
        self.mutated_removal_of_replaced(target, there.as_ref())?;
        let replaces = *pre != Pre::Absent || there.is_some();
        let flags = if replaces { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        Ok(renameat_with(from.0, from.1, &target.directory, target.name(), flags)?)
    }
}
