//! Sections 11.12 to 11.14: remove, move and copy.

mod mutated;

use super::{
    Store,
    entry::{nanoseconds_of_mtime, size, times},
    tree::{Place, kind},
    writing::write_at,
};
use crate::{
    arguments::Arguments,
    reply::{Answer, Fields, Refusal, Reply},
    worker::Progress,
};
use remofile_proto::Code;
use rustix::{
    fs::{AtFlags, FileType, OFlags, Stat, fstat, futimens, renameat, unlinkat},
    io::Errno,
};

impl Store {
    pub(super) fn remove(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        if let Some(answer) = self.mutated_removal_of_nothing(&place)? {
            return answer;
        }
        let there = place.need()?;
        self.check_file_etag("remove", args, &there)?;
        let is_directory = kind(&there) == FileType::Directory;
        if let Some(answer) = self.mutated_removal(&place, &there)? {
            return answer;
        }
        let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let removed = unlinkat(&place.directory, place.name(), flags);
        self.mutated_removed(removed)?;
        Ok(Reply::ok(self.mutated_result_of_remove(args, Fields::new())))
    }

    /// `move`
    pub(super) fn rename(&mut self, args: &Arguments) -> Answer {
        if let Some(answer) = self.mutated_move_to_itself(args)? {
            return answer;
        }
        let from = self.place(&args.from)?;
        let source = from.need()?;
        args.loop_found()?;
        self.check_file_etag("move", args, &source)?;
        self.mutated_kind_of_source(&source)?;
        let to = self.place(&args.to)?;
        if self.is_same_place(&from, &to)? {
            return self.respell(&from, &to, &source);
        }
        let moved = Some(kind(&source));
        let is_file = moved == Some(FileType::RegularFile);
        let pre = self.mutated_pre("move", args, &to)?;
        let replaced = self.check_target(&to, &pre, moved)?;
        match &replaced {
            // [MOVE-3] Renaming one link of a file onto another does nothing.
            Some(replaced) if is_same(&source, replaced) => self.mutated_hard_link(&from)?,
            replaced if is_file && self.mutated_move(&from, &to, &source, replaced.as_ref())? => {}
            replaced => {
                if replaced.is_some() && is_file {
                    // [DUR-1]
                    self.sync(&from.find()?.open(OFlags::RDONLY)?)?;
                }
                self.give_name((&from.directory, from.name()), &to, &pre, moved)?;
            }
        }
        self.mutated_moved(&to, &source, replaced.as_ref())?;
        Ok(Reply::entry(self.entry(&to.need()?)))
    }

    /// [TARGET-2] The target is the source itself: it gets its name in the new spelling.
    fn respell(&self, from: &Place<'_>, to: &Place<'_>, source: &Stat) -> Answer {
        if let Some(answer) = self.mutated_respelling(from, to, source)? {
            return answer;
        }
        renameat(&from.directory, from.name(), &to.directory, to.asked)?;
        self.respelled(to)
    }

    fn respelled(&self, to: &Place<'_>) -> Answer {
        let there = to.look_at(to.asked)?.or(to.look()?).ok_or(Code::NotFound)?;
        Ok(Reply::entry(self.entry(&there)))
    }

    /// Whether two paths lead to one name: where names fold they may be spelled in two ways.
    fn is_same_place(&self, from: &Place<'_>, to: &Place<'_>) -> Result<bool, Refusal> {
        let one_directory = || Ok::<_, Errno>(is_same(&fstat(&from.directory)?, &fstat(&to.directory)?));
        Ok(from.name() == to.name() && self.behaviour.folds() && one_directory()?)
    }

    pub(super) fn copy(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        if let Some(answer) = self.mutated_move_to_itself(args)? {
            return answer;
        }
        let from = self.place(&args.from)?;
        if let Some(answer) = self.mutated_copy_of_directory(args, &from)? {
            return answer;
        }
        let found = self.file(&args.from)?;
        args.loop_found()?;
        self.check_etag("copy", args, &found.stat)?;
        let to = self.place(&args.to)?;
        let pre = self.mutated_pre("copy", args, &to)?;
        let replaced = self.check_target(&to, &pre, None)?;
        if let Some(answer) = self.mutated_copy(&from, &to, replaced.as_ref())? {
            return answer;
        }
        let source = found.open(OFlags::RDONLY)?;
        let before = fstat(&source)?;
        let temporary = self.staging()?.temporary()?;
        let mut off = 0;
        let len = self.mutated_length_of_copy(size(&before));
        self.each_slice(&source, 0, len, progress, |slice| {
            write_at(&temporary.file, slice, off)?;
            off += slice.len() as u64;
            Ok(())
        })?;
        // [COPY-3]
        let has_changed = self.etag(&fstat(&source)?) != self.etag(&before);
        if has_changed && self.mutated_check_of_change() {
            return Err(Code::Changed.into());
        }
        if let Some(mtime_ns) = self.mutated_time_of_copy(nanoseconds_of_mtime(&before)) {
            futimens(&temporary.file, &times(Some(mtime_ns)))?;
        }
        let entry = self.publish(temporary.name, &temporary.file, &to, &pre, false)?;
        Ok(Reply::entry(self.mutated_copied(&to, &before, entry)?))
    }

    /// [OP-7] Of an operation that takes things of every kind.
    fn check_file_etag(&self, op: &str, args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
        let is_file = kind(stat) == FileType::RegularFile;
        if args.etag.is_some() && !is_file && self.mutated_guard_of_others() {
            return Err(Code::Changed.into());
        }
        if is_file { self.check_etag(op, args, stat) } else { Ok(()) }
    }
}

fn remove_name(place: &Place<'_>) -> Result<(), Refusal> {
    Ok(unlinkat(&place.directory, place.name(), AtFlags::empty())?)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
