//! Section 11.4: list, a page at a time.

use super::{
    Store,
    tree::{Place, kind},
};
use crate::{
    arguments::Arguments,
    behaviour::Behaviour,
    mutations,
    paths::{self, Path, STAGING},
    reply::{Answer, Fields, Refusal, Reply, bytes, field, integer, text},
    variants,
    worker::Progress,
};
use remofile_proto::{Code, cbor::Item};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat},
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
    /// Names left out after the last entry so far: they count if another entry follows, or the listing ends.
    left_out: u64,
    progress: &'p Progress,
    seen: u64,
}

impl Store {
    pub(super) fn list(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let place = self.place(&args.path)?;
        let there = place.need()?;
        match kind(&there) {
            FileType::Directory => {}
            FileType::RegularFile if self.behaviour.has(&mutations::listing::FILES_LIST_THEMSELVES) => {
                let mut entry = self.entry_fields(&there);
                entry.push(field("name", text(place.name())));
                return Ok(page(vec![Item::Map(entry)], false, 0));
            }
            FileType::RegularFile if self.behaviour.has(&mutations::targets::FILES_ARE_NO_FILES) => {
                return Err(Code::NotFile.into());
            }
            FileType::Symlink if self.behaviour.has(&mutations::targets::LISTED_LINKS) => {
                return Err(Code::UnsupportedKind.into());
            }
            FileType::Symlink if self.behaviour.has(&mutations::listing::LINKS_ARE_LISTED_THROUGH) => {}
            _ => return Err(Code::NotDir.into()),
        }
        let own = self.page_limit();
        let ignored = args.limit < Some(own) && self.behaviour.has(&mutations::listing::LIMIT_IGNORED);
        let asked = args.limit.filter(|limit| *limit > 0 && !ignored);
        let mut limit = asked.unwrap_or(own).min(own);
        if asked.is_some() && self.behaviour.has(&mutations::listing::ONE_MORE) {
            limit += 1;
        }
        let mut page = Page {
            listed: &args.path,
            tree: args.tree,
            after: sort_key(&self.after(args, &place)?),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            room: usize::try_from(self.limits.chunk).unwrap_or(usize::MAX) - OVERHEAD,
            entries: Vec::new(),
            skipped: 0,
            left_out: 0,
            progress,
            seen: 0,
        };
        let directory = match self.open_to_list(&place.directory, place.name()) {
            // The order refuses a link, but for a mutation.
            Err(Errno::NOTDIR | Errno::LOOP) if kind(&there) == FileType::Symlink => {
                open_through(&place.directory, place.name())?
            }
            opened => opened?,
        };
        let more = self.fill(&mut page, &directory, &[])?.is_break();
        if !more {
            page.skipped += page.left_out;
        }
        let is_full = page.entries.len() == page.limit;
        let judged_otherwise = self.behaviour.any(&[
            (!more && is_full, &mutations::listing::FULL_IS_MORE),
            (!more && page.entries.is_empty() && !args.after.is_empty(), &mutations::listing::EMPTY_PAGE_WITH_MORE),
            (more, &mutations::listing::NEVER_MORE),
        ]);
        page.skipped += u64::from(more && self.behaviour.has(&mutations::listing::THE_REST_IS_SKIPPED));
        Ok(self::page(page.entries, more != judged_otherwise, self.told_skipped(page.skipped, args, &directory)?))
    }

    /// Opens a directory to see what is in it, unless it is not to be read.
    fn open_to_list(&self, directory: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
        let opened = open(directory, name)?;
        if self.behaviour.is_variant(&variants::PERMISSIONS) && fstat(&opened)?.st_mode & 0o400 == 0 {
            return Err(Errno::ACCESS);
        }
        Ok(opened)
    }

    /// How much the server likes to have on its next page.
    pub(super) fn page_limit(&self) -> u64 {
        if !self.behaviour.is_variant(&variants::PAGES_OF_FEW) {
            return self.limits.page;
        }
        let turn = self.pages.get();
        self.pages.set(turn.wrapping_add(1));
        1 + turn % self.limits.page
    }

    /// The name after which a page begins ([LIST-3], [LIST-4]).
    fn after(&self, args: &Arguments, place: &Place<'_>) -> Result<Vec<u8>, Refusal> {
        let after = std::str::from_utf8(&args.after).unwrap_or_default();
        let is_bad = !after.is_empty() && !after.split('/').all(paths::is_name);
        if is_bad && self.behaviour.has(&mutations::listing::AFTER_IS_A_NAME) {
            return Err(Code::BadName.into());
        }
        if after.len() > 255 && self.behaviour.has(&mutations::listing::AFTER_IS_SHORT) {
            return Err(Code::BadArgs.into());
        }
        let named =
            open(&place.directory, place.name()).map(|directory| statat(directory, after, AtFlags::SYMLINK_NOFOLLOW));
        let is_gone = !after.is_empty() && !matches!(named, Ok(Ok(_)));
        if is_gone && self.behaviour.has(&mutations::listing::AFTER_HAS_TO_BE_THERE) {
            return Ok(Vec::new());
        }
        Ok(args.after.clone())
    }

    /// [LIST-12]
    fn told_skipped(&self, skipped: u64, args: &Arguments, directory: &OwnedFd) -> Result<u64, Refusal> {
        if skipped > 0 && self.behaviour.has(&mutations::listing::NOTHING_SKIPPED) {
            return Ok(0);
        }
        let is_page = args.limit.is_some() || !args.after.is_empty();
        if is_page && self.behaviour.has(&mutations::listing::ALL_SKIPPED) {
            let shown = |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(paths::is_name);
            return Ok(names(directory)?.iter().filter(|name| !shown(name)).count() as u64);
        }
        Ok(skipped)
    }

    /// Adds what is in a directory, `prefix` being its path below the listed one; breaks when the page is full.
    fn fill(&mut self, page: &mut Page<'_>, directory: &OwnedFd, prefix: &[u8]) -> Result<ControlFlow<()>, Refusal> {
        for name in self.names_in_order(directory)? {
            page.seen += 1;
            page.progress.step(page.seen, 0)?;
            if self.is_hidden(page, &name, prefix) {
                continue;
            }
            let relative = [prefix, &name].concat();
            let key = sort_key(&relative);
            if key < page.after && !page.has_more_below(&key) {
                continue;
            }
            let Some(shown) = self.shown(page, &name, &relative) else {
                page.left_out += u64::from(key > page.after);
                if let Ok(inside) = open(directory, &name)
                    && self.behaviour.has(&mutations::listing::SKIPPED_INSIDE)
                {
                    page.left_out += names(&inside)?.len() as u64;
                }
                continue;
            };
            let shown = &shown[..];
            let Some(fields) = self.fields(directory, &name)? else { continue };
            let is_directory = fields.contains(&field("kind", text("dir")));
            // A mutation enters it.
            let is_link = page.tree && fields.contains(&field("kind", text("link")));
            if is_link
                && let Ok(below) = open_through(directory, &name)
                && self.behaviour.has(&mutations::listing::TREES_ENTER_LINKS)
            {
                let _ = page.add(shown, fields.clone(), &self.behaviour);
                let prefix = [&relative[..], b"/"].concat();
                if self.fill(page, &below, &prefix)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            let is_behind =
                key > page.after || (key == page.after && self.behaviour.has(&mutations::listing::AFTER_IS_INCLUDED));
            if is_behind && page.add(shown, fields, &self.behaviour).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if key == page.after
                && page.tree
                && is_directory
                && self.behaviour.has(&mutations::listing::AFTER_SKIPS_WHAT_IS_IN_IT)
            {
                continue;
            }
            if page.tree && is_directory {
                match self.open_to_list(directory, &name) {
                    Ok(below) => {
                        let prefix = [&relative[..], b"/"].concat();
                        if self.fill(page, &below, &prefix)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    // [LIST-13]
                    Err(Errno::ACCESS | Errno::PERM)
                        if self.behaviour.has(&mutations::listing::UNREADABLE_IS_DENIED) =>
                    {
                        return Err(Code::Denied.into());
                    }
                    Err(Errno::ACCESS | Errno::PERM)
                        if self.behaviour.has(&mutations::listing::UNREADABLE_IS_NOT_COUNTED) => {}
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
            Ok(stat) => {
                let mut fields = self.entry_fields(&stat);
                if kind(&stat) == FileType::RegularFile && self.behaviour.has(&mutations::entries::LISTED_ETAGS) {
                    fields.retain(|(key, _)| key != "etag");
                    fields.push(field("etag", bytes(&self.etag(&stat)[..8])));
                }
                Ok(Some(fields))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Store {
    /// What is in a directory, in the order of listings ([LIST-2]).
    fn names_in_order(&mut self, directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Refusal> {
        let mut names = names(directory)?;
        let lower = |name: &Vec<u8>| String::from_utf8_lossy(name).to_lowercase();
        if !names.is_sorted_by_key(lower) && self.behaviour.has(&mutations::listing::ORDER_WITHOUT_CASE) {
            names.sort_by_key(lower);
        }
        if names.len() > 1 && self.behaviour.has(&mutations::listing::ORDER_OF_THE_SYSTEM) {
            names.sort_by_key(|name| blake3::hash(name).as_bytes().to_owned());
        }
        if self.behaviour.has(&mutations::listing::KEPT_LISTINGS) {
            let stat = fstat(directory)?;
            return Ok(self.history.listings.entry((stat.st_dev, stat.st_ino)).or_insert(names).clone());
        }
        Ok(names)
    }

    /// [LIST-11]
    fn is_hidden(&self, page: &Page<'_>, name: &[u8], prefix: &[u8]) -> bool {
        let at_the_top = prefix.is_empty() && page.listed.is_root();
        let hidden = name == STAGING.as_bytes() && at_the_top;
        let reserved = name.eq_ignore_ascii_case(STAGING.as_bytes());
        let judged_otherwise = self.behaviour.any(&[
            (hidden, &mutations::listing::STAGING_IS_LISTED),
            (hidden, &mutations::listing::STAGING_IS_COUNTED),
            (reserved && !hidden, &mutations::listing::RESERVED_IS_NOT_COUNTED),
        ]);
        hidden != judged_otherwise
    }

    /// The listed name of an entry; nothing where it is left out ([LIST-10]).
    fn shown(&self, page: &Page<'_>, name: &[u8], relative: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(relative).ok();
        let is_name = std::str::from_utf8(name).is_ok_and(paths::is_name);
        let shown = text.filter(|text| is_name && page.listed.below(text).is_some());
        if let Some(shown) = shown {
            let below = page.tree && !page.listed.is_root();
            let whole = below && self.behaviour.has(&mutations::listing::TREES_LIST_PATHS);
            return Some(if whole {
                format!("{}/{shown}", page.listed.as_str().trim_start_matches('/'))
            } else {
                shown.into()
            });
        }
        let controls = name.iter().any(u8::is_ascii_control);
        let is_shown = self.behaviour.any(&[
            (text.is_none(), &mutations::listing::BAD_NAMES_ARE_MENDED),
            (text.is_some() && controls, &mutations::listing::CONTROLS_ARE_LISTED),
            (is_name, &mutations::listing::DEEP_IS_LISTED),
            (name == STAGING.as_bytes(), &mutations::listing::STAGING_IS_LISTED),
        ]);
        is_shown.then(|| String::from_utf8_lossy(relative).into_owned())
    }
}

impl Page<'_> {
    /// Whether the directory has entries that sort after `after`, though it does not itself.
    fn has_more_below(&self, directory: &[u8]) -> bool {
        let inside = [directory, b"\0"].concat();
        self.tree && self.after.starts_with(&inside)
    }

    /// Adds an entry, unless the page is full.
    fn add(&mut self, name: &str, mut fields: Fields, behaviour: &Behaviour) -> ControlFlow<()> {
        fields.push(field("name", text(name)));
        let entry = Item::Map(fields);
        let len = entry.encode().map_or(usize::MAX, |encoded| encoded.len());
        let by_count = len > self.room
            && (behaviour.has(&mutations::limits::LONG_REPLIES) || behaviour.has(&mutations::listing::PAGES_BY_COUNT));
        if self.entries.len() >= self.limit || (len > self.room && !by_count) {
            return ControlFlow::Break(());
        }
        self.room = self.room.saturating_sub(len);
        self.entries.push(entry);
        self.skipped += std::mem::take(&mut self.left_out);
        ControlFlow::Continue(())
    }
}

/// The result of `list`.
fn page(entries: Vec<Item>, more: bool, skipped: u64) -> Reply {
    Reply::ok(vec![
        field("entries", Item::Array(entries)),
        field("more", Item::Bool(more)),
        field("skipped", integer(skipped)),
    ])
}

/// [LIST-2] `/` counts as 00.
fn sort_key(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

pub(super) fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
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
pub(super) fn open(directory: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty())
}

/// Mutations: as [`open`], through a link.
fn open_through(directory: &OwnedFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(directory, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
