//! Mutations of mkdir, put, write, truncate and touch.

use super::{Found, Store, size, times, write_at};
use crate::{
    Mutation,
    arguments::Arguments,
    mutations::{control, entries, paths, targets, writing},
    paths::Path,
    reply::{Answer, Refusal, Reply},
    store::{
        entry::nanoseconds_of_mtime,
        tree::{Place, kind},
    },
};
use remofile_proto::Code;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, ftruncate, futimens, mkdirat, openat, unlinkat},
    io::Errno,
};
use std::{fs::File, os::unix::fs::FileExt, thread, time::Duration};

/// How long a new file stays visible before it is complete.
const HALF_WRITTEN: Duration = Duration::from_millis(5);

impl Store {
    pub(super) fn mutated_parents(&self, op: &str, path: &Path) -> Result<(), Refusal> {
        let makes = if op == "mkdir" { &writing::MKDIR_MAKES_PARENTS } else { &paths::PARENTS_ARE_MADE };
        self.make_parents(path, makes)
    }

    /// Makes the missing directories on the way to a path.
    pub(in crate::store) fn make_parents(&self, path: &Path, makes: &'static Mutation) -> Result<(), Refusal> {
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

    pub(super) fn mutated_mkdir(&self, args: &Arguments, place: &Place<'_>) -> Result<Option<Answer>, Refusal> {
        let there = place.look()?.as_ref().map(kind);
        if args.path.is_root() && self.behaviour.has(&writing::MKDIR_OF_THE_ROOT) {
            return Err(Code::Denied.into());
        }
        if there == Some(FileType::RegularFile) && self.behaviour.has(&writing::MKDIR_ON_A_FILE) {
            return Err(Code::NotDir.into());
        }
        if there == Some(FileType::Directory) && self.behaviour.has(&writing::MKDIR_AGAIN) {
            return Ok(Some(Ok(Reply::entry(self.entry(&place.need()?)))));
        }
        Ok(None)
    }

    /// Whether another spelling of a directory is a clash.
    pub(super) fn mutated_clash(&self) -> bool {
        !self.behaviour.has(&writing::MKDIR_CLASH_EXISTS)
    }

    pub(super) fn mutated_mode(&self, mode: u32) -> u32 {
        if self.behaviour.has(&targets::PRIVATE_DIRECTORIES) { 0o700 } else { mode }
    }

    pub(super) fn mutated_payload(&self, payload: &[u8]) -> Result<(), Refusal> {
        let is_refused = payload.is_empty() && self.behaviour.has(&writing::NOTHING_IS_NO_FILE);
        if is_refused { Err(Code::BadArgs.into()) } else { Ok(()) }
    }

    /// The refusal of a put, after what it does nevertheless.
    pub(super) fn mutated_refusal_of_put(
        &self,
        place: &Place<'_>,
        payload: &[u8],
        refusal: Refusal,
    ) -> Result<Refusal, Refusal> {
        if let Ok(found) = place.find()
            && self.behaviour.has(&control::REFUSED_AND_DONE)
        {
            found.open(OFlags::WRONLY).and_then(|file| write_at(&file, payload, 0))?;
        }
        if refusal.code == Code::Changed && self.behaviour.has(&targets::MOVED_FIRST) {
            unlinkat(&place.directory, place.name(), AtFlags::empty())?;
        }
        Ok(refusal)
    }

    /// Writes a new file under its final name.
    pub(super) fn mutated_new_file(
        &self,
        args: &Arguments,
        payload: &[u8],
        place: &Place<'_>,
        there: Option<&Stat>,
    ) -> Option<Answer> {
        let in_place = there.is_none() && self.behaviour.has(&writing::PUT_IN_PLACE);
        in_place.then(|| self.put_in_place(args, payload, place))
    }

    fn put_in_place(&self, args: &Arguments, payload: &[u8], place: &Place<'_>) -> Answer {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?.into();
        for (at, part) in payload.chunks(4_096).enumerate() {
            write_at(&file, part, 4_096 * at as u64)?;
            if at == 1 {
                // As on a disk that is not in memory: another client has time to see it.
                thread::sleep(HALF_WRITTEN);
            }
        }
        futimens(&file, &times(args.mtime_ns))?;
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    pub(super) fn mutated_content_of_put(
        &self,
        file: &File,
        payload: &[u8],
        place: &Place<'_>,
        there: Option<&Stat>,
    ) -> Result<(), Refusal> {
        if let Some(there) = there
            && size(there) > payload.len() as u64
            && self.behaviour.has(&writing::PUT_KEEPS_THE_TAIL)
        {
            let mut tail = vec![0; usize::try_from(size(there)).unwrap_or(0) - payload.len()];
            place.find()?.open(OFlags::RDONLY)?.read_exact_at(&mut tail, payload.len() as u64)?;
            write_at(file, &tail, payload.len() as u64)?;
        }
        Ok(())
    }

    pub(super) fn mutated_time_of_put(&self, mtime_ns: Option<i64>, replaced: Option<&Stat>) -> Option<i64> {
        match (mtime_ns, replaced) {
            (Some(_), _) if self.behaviour.has(&writing::PUT_IGNORES_TIME) => None,
            (Some(..0), _) if self.behaviour.has(&writing::PUT_TIME_IS_POSITIVE) => Some(0),
            (None, Some(replaced)) if self.behaviour.has(&writing::PUT_KEEPS_TIME) => {
                Some(nanoseconds_of_mtime(replaced))
            }
            _ => mtime_ns,
        }
    }

    /// Makes the file that is to be changed, where there is nothing.
    pub(super) fn mutated_creation(&self, op: &str, args: &Arguments) -> Result<(), Refusal> {
        let creates = match op {
            "write" => &writing::WRITE_CREATES,
            "truncate" => &writing::TRUNCATE_CREATES,
            _ => &writing::TOUCH_CREATES,
        };
        let place = self.place(&args.path)?;
        if place.look()?.is_none() && self.behaviour.has(creates) {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            openat(&place.directory, place.name(), flags, Mode::from_raw_mode(0o666))?;
        }
        Ok(())
    }

    pub(super) fn mutated_order_of_write(&self, args: &Arguments, payload: &[u8]) -> Result<(), Refusal> {
        if args.etag.is_some() && self.behaviour.has(&targets::WRITTEN_FIRST) {
            write_at(&self.file(&args.path)?.open(OFlags::WRONLY)?, payload, args.off)?;
        }
        Ok(())
    }

    pub(super) fn mutated_write_of_nothing(&self, args: &Arguments, found: &Found) -> Result<(), Refusal> {
        if args.off > size(&found.stat) && self.behaviour.has(&writing::NOTHING_GROWS) {
            ftruncate(found.open(OFlags::WRONLY)?, args.off)?;
        }
        if self.behaviour.has(&writing::NOTHING_TOUCHES) {
            futimens(found.open(OFlags::WRONLY)?, &times(None))?;
        }
        Ok(())
    }

    pub(super) fn mutated_offset(&self, off: u64, size: u64) -> Result<u64, Refusal> {
        if off > size && self.behaviour.has(&writing::HOLES_ARE_REFUSED) {
            return Err(Code::BadArgs.into());
        }
        let goes_to_the_end =
            self.behaviour.any(&[(off > size, &writing::NO_HOLES), (off < size, &writing::WRITE_APPENDS)]);
        Ok(if goes_to_the_end { size } else { off })
    }

    pub(super) fn mutated_end_of_write(&self, file: &File, end: u64, size: u64) -> Result<(), Errno> {
        if end < size && self.behaviour.has(&writing::WRITE_CUTS) { ftruncate(file, end) } else { Ok(()) }
    }

    pub(super) fn mutated_order_of_truncate(&self, args: &Arguments, wanted: u64) -> Result<(), Refusal> {
        if args.etag.is_some() && self.behaviour.has(&targets::CUT_FIRST) {
            ftruncate(self.file(&args.path)?.open(OFlags::WRONLY)?, wanted)?;
        }
        Ok(())
    }

    /// The size to truncate to, if any.
    pub(super) fn mutated_truncation(&self, wanted: u64, size: u64) -> Option<u64> {
        if wanted > size && self.behaviour.has(&writing::TRUNCATE_DOES_NOT_GROW) {
            return None;
        }
        let empties = wanted > 0 && self.behaviour.has(&writing::TRUNCATE_TO_NOTHING);
        Some(if empties { 0 } else { wanted })
    }

    pub(super) fn mutated_touchable(&self, found: &Found, is_touchable: bool) -> Result<bool, Refusal> {
        match kind(&found.stat) {
            FileType::Directory if self.behaviour.has(&writing::TOUCH_FILES_ALONE) => Err(Code::NotFile.into()),
            FileType::Symlink if self.behaviour.has(&writing::TOUCH_OF_LINKS) => Ok(true),
            _ => Ok(is_touchable),
        }
    }

    pub(super) fn mutated_time_of_touch(&self, asked: i64) -> Option<i64> {
        match asked {
            _ if self.behaviour.has(&writing::TOUCH_IS_NOW) => None,
            ..0 if self.behaviour.has(&writing::TOUCH_TIME_IS_POSITIVE) => Some(0),
            _ if asked % 1_000_000 != 0 && self.behaviour.has(&writing::TOUCH_MILLISECONDS) => {
                Some(asked / 1_000_000 * 1_000_000)
            }
            _ => Some(asked),
        }
    }

    pub(super) fn mutated_stat(&self, found: &Found, now: Stat) -> Stat {
        let has_changed = self.etag(&now) != self.etag(&found.stat);
        if has_changed && self.behaviour.has(&entries::ENTRY_BEFORE) { found.stat } else { now }
    }

    /// Whether a file with several names is refused.
    pub(super) fn mutated_check_of_links(&self, op: &str) -> bool {
        !self.behaviour.has(match op {
            "write" => &writing::WRITE_THROUGH_LINKS,
            _ => &writing::TRUNCATE_THROUGH_LINKS,
        })
    }
}
