//! Section 10.2: targets.

use super::{
    Store,
    entry::etag,
    tree::{Place, kind},
};
use crate::{arguments::Pre, faults, reply::Refusal};
use remofile_proto::{Code, cbor::Item};
use rustix::fs::{FileType, Mode, RenameFlags, Stat, fchmod, renameat_with};
use std::{fs::File, os::fd::AsFd};

impl Store {
    /// [TARGET-4] to [TARGET-7]; the file that will be replaced, if there is one.
    pub(super) fn check_target(
        &self,
        target: &Place<'_>,
        pre: &Pre,
        moved: Option<FileType>,
    ) -> Result<Option<Stat>, Refusal> {
        let there = target.look()?;
        if *pre == Pre::Absent && there.is_some() {
            let is_file = there.as_ref().map(kind) == Some(FileType::RegularFile);
            let overwrites = moved == Some(FileType::RegularFile) && is_file;
            if !overwrites || !self.switches.has(&faults::targets::MOVE_REPLACES) {
                return Err(Code::Exists.into());
            }
        }
        if let Some(there) = &there {
            match kind(there) {
                FileType::Directory => return Err(Code::NotFile.into()),
                _ if moved == Some(FileType::Directory) => return Err(Code::NotFile.into()),
                FileType::RegularFile => {}
                _ => return Err(Code::UnsupportedKind.into()),
            }
        }
        match pre {
            Pre::Etag(wanted) if there.as_ref().map(etag).as_ref() != Some(wanted) => Err(Code::Changed.into()),
            _ => Ok(there),
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
        if let Some(replaced) = &replaced {
            fchmod(file, Mode::from_raw_mode(replaced.st_mode & 0o777))?;
        }
        // [DUR-1]
        if durable || replaced.is_some() {
            self.sync(file)?;
        }
        let staging = self.staging()?;
        self.give_name((&staging.directory, staged), target, pre, None)?;
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
        let replaces = *pre != Pre::Absent || there.is_some();
        let flags = if replaces { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        Ok(renameat_with(from.0, from.1, &target.directory, target.name, flags)?)
    }
}
