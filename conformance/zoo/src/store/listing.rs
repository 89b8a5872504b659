//! Section 11.4: list, a page at a time.

use super::Store;
use crate::{
    arguments::Arguments,
    faults,
    paths::{self, Path, STAGING},
    reply::{Answer, Fields, Refusal, Reply, field, integer, text},
    switches::Switches,
    worker::Progress,
};
use remofile_proto::{Code, cbor::Item};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};
use std::{ops::ControlFlow, os::fd::OwnedFd};

/// What the header of a page has beside its entries, in bytes at most.
const OVERHEAD: usize = 100;

/// A page that is being filled.
struct Page<'p> {
    listed: &'p Path,
    tree: bool,
    /// In listing order, and so is every name that is compared with it ([LIST-2]).
    after: Vec<u8>,
    limit: usize,
    /// Bytes that are left for entries.
    room: usize,
    entries: Vec<Item>,
    skipped: u64,
    /// Names left out behind the last entry so far: they count if another entry follows, or nothing does.
    left_out: u64,
    progress: &'p Progress,
    seen: u64,
}

impl Store {
    pub(super) fn list(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let place = self.place(&args.path)?;
        if super::tree::kind(&place.need()?) != FileType::Directory {
            return Err(Code::NotDir.into());
        }
        let limit = args.limit.unwrap_or(self.limits.page).min(self.limits.page);
        let mut page = Page {
            listed: &args.path,
            tree: args.tree,
            after: sort_key(&args.after),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            room: usize::try_from(self.limits.chunk).unwrap_or(usize::MAX) - OVERHEAD,
            entries: Vec::new(),
            skipped: 0,
            left_out: 0,
            progress,
            seen: 0,
        };
        let directory = open(&place.directory, place.name)?;
        let more = self.fill(&mut page, &directory, &[])?.is_break();
        if !more {
            page.skipped += page.left_out;
        }
        Ok(Reply::ok(vec![
            field("entries", Item::Array(page.entries)),
            field("more", Item::Bool(more)),
            field("skipped", integer(page.skipped)),
        ]))
    }

    /// Adds what is in a directory, `prefix` being its path below the listed one; breaks when the page is full.
    fn fill(&self, page: &mut Page<'_>, directory: &OwnedFd, prefix: &[u8]) -> Result<ControlFlow<()>, Refusal> {
        for name in names(directory)? {
            page.seen += 1;
            page.progress.step(page.seen, 0)?;
            // [LIST-11]
            if name == STAGING.as_bytes() && prefix.is_empty() && page.listed.is_root() {
                continue;
            }
            let relative = [prefix, &name].concat();
            let key = sort_key(&relative);
            if key < page.after && !page.has_more_below(&key) {
                continue;
            }
            let Some(shown) = page.shown(&name, &relative) else {
                page.left_out += u64::from(key > page.after);
                continue;
            };
            let Some(fields) = self.fields(directory, &name)? else { continue };
            let is_directory = fields.contains(&field("kind", text("dir")));
            let is_behind =
                key > page.after || (key == page.after && self.switches.has(&faults::listing::AFTER_IS_INCLUDED));
            if is_behind && page.add(shown, fields, &self.switches).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if page.tree && is_directory {
                match open(directory, &name) {
                    Ok(below) => {
                        let prefix = [&relative[..], b"/"].concat();
                        if self.fill(page, &below, &prefix)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    // [LIST-13]
                    Err(Errno::ACCESS | Errno::PERM) => page.skipped += u64::from(is_behind),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The entry of a name, unless it is gone.
    fn fields(&self, directory: &OwnedFd, name: &[u8]) -> Result<Option<Fields>, Refusal> {
        match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(self.entry_fields(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Page<'_> {
    /// Whether some of what is in a directory sorts behind `after`, though itself does not.
    fn has_more_below(&self, directory: &[u8]) -> bool {
        let inside = [directory, b"\0"].concat();
        self.tree && self.after.starts_with(&inside)
    }

    /// The name of an entry as it is listed; nothing where it is left out ([LIST-10]).
    fn shown<'n>(&self, name: &[u8], relative: &'n [u8]) -> Option<&'n str> {
        let is_name = std::str::from_utf8(name).is_ok_and(paths::is_name);
        let relative = std::str::from_utf8(relative).ok()?;
        self.listed.below(relative).filter(|_| is_name).map(|_| relative)
    }

    /// Adds an entry, unless the page is full.
    fn add(&mut self, name: &str, mut fields: Fields, switches: &Switches) -> ControlFlow<()> {
        fields.push(field("name", text(name)));
        let entry = Item::Map(fields);
        let len = entry.encode().map_or(usize::MAX, |encoded| encoded.len());
        let too_long = len > self.room && !switches.has(&faults::limits::LONG_REPLIES);
        if self.entries.len() >= self.limit || too_long {
            return ControlFlow::Break(());
        }
        self.room = self.room.saturating_sub(len);
        self.entries.push(entry);
        self.skipped += std::mem::take(&mut self.left_out);
        ControlFlow::Continue(())
    }
}

/// [LIST-2] `/` counts as 00.
fn sort_key(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Opens a directory to see what is in it.
fn open(directory: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}
