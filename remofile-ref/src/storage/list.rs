//! LIST: pages of a directory or tree in one order, each entry that stays listed exactly once.
//!
//! The order is that of the relative paths as bytes with `/` as 00 [LIST-2]. No name has a byte below
//! 20, so that is the order of a walk: siblings by their bytes, and behind a directory all that is in it.

use super::errno::failed;
use super::jail::{Jail, reserved};
use super::job::{Job, Step};
use super::names::{Names, Reading};
use super::staging;
use super::status::Status;
use super::{SLICE, Store, checked_path};
use crate::fs::calls::statat;
use crate::storage::Success;
use remofile_proto::reply::PAGE_OVERHEAD;
use remofile_proto::{Answer, Code, Kind, ListedEntry, Listing, Refusal, RemotePath};
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Bytes of names kept for the next page; each directory gets five sixths of what those above it have left.
const BUDGET: usize = 48 << 20;
const LEAST_BUDGET: usize = 64 << 10;
/// How long a listing waits for its next page.
const PATIENCE: Duration = Duration::from_secs(60);

/// A walk through a directory or tree, from one page to the next.
#[derive(Debug)]
pub(super) struct Walk {
    path: RemotePath,
    tree: bool,
    /// From the listed directory down to the one whose names are being listed.
    frames: Vec<Frame>,
    /// Names left out since the last entry.
    left_out: u64,
    /// The point in the last frame behind which the walk goes on, until the names there are read.
    sought: Vec<u8>,
    /// The name that the next page is asked to follow.
    stopped_behind: String,
    stopped_at: Instant,
}

#[derive(Debug)]
struct Frame {
    /// Relative to the listed directory, ending in `/`; empty for the listed directory itself.
    prefix: String,
    names: Names,
    /// The next run of names, while it is being read.
    reading: Option<Reading>,
    next: usize,
    /// Open while a page is made; between pages the names are enough.
    directory: Option<OwnedFd>,
    budget: usize,
}

/// Whether a frame has a next name.
enum Read {
    Ready,
    /// A run of names was completed just now.
    Finished,
    Unfinished,
    Nothing,
}

/// What became of a name.
enum Look {
    Entry(ListedEntry),
    /// Counted in `skipped`.
    LeftOut,
    /// Gone since the directory was read, or not to be mentioned.
    Nothing,
    Failed(Errno),
}

/// A LIST under way: reading a large directory takes more than a slice.
#[derive(Debug)]
pub(super) struct List {
    /// Gone when the page is complete and the walk waits for the next one.
    walk: Option<Walk>,
    listing: Listing,
    limit: u64,
    /// Bytes left in the page.
    space: usize,
}

impl List {
    pub(super) fn begin(
        store: &mut Store,
        path: &RemotePath,
        after: Option<&str>,
        limit: Option<u64>,
        tree: bool,
    ) -> Result<Self, Refusal> {
        let after = after.unwrap_or_default();
        // Only the very next page of the same listing goes on with its names: anything else looks anew.
        let kept = store.walk.take().filter(|walk| {
            let goes_on = walk.path == *path && walk.tree == tree && walk.stopped_behind == after;
            goes_on && !after.is_empty() && !walk.is_stale()
        });
        // The directory has to be there for every page, not for the first alone.
        let opened = if path.is_root() {
            store.jail.open_directory(store.jail.root(), "")
        } else {
            let place = store.jail.place(path, Code::NotDir)?;
            store.jail.open_directory(&place.directory, place.name)
        };
        let top = opened.map_err(failed("opening the directory"))?.ok_or_else(reserved)?;
        let walk = match kept {
            Some(mut walk) => {
                if let Some(frame) = walk.frames.first_mut() {
                    frame.directory = Some(top);
                }
                walk
            }
            None => Walk::begin(path, tree, top, after)?,
        };
        let space = usize::try_from(store.options.chunk).unwrap_or(usize::MAX).saturating_sub(PAGE_OVERHEAD);
        Ok(Self { walk: Some(walk), listing: Listing::default(), limit: limit.unwrap_or(u64::MAX), space })
    }

    /// Works for one slice; true when the page is complete.
    fn advance(&mut self, jail: &Jail) -> Result<bool, Refusal> {
        let until = Instant::now() + SLICE;
        let Self { walk, listing, limit, space } = self;
        let Some(walk) = walk else { return Ok(true) };
        while let Some(frame) = walk.frames.last_mut() {
            if !frame.reopen(jail, &walk.path)? {
                walk.frames.pop();
                continue;
            }
            match frame.read(until)? {
                Read::Unfinished => return Ok(false),
                Read::Finished => walk.seek(jail)?,
                Read::Nothing => drop(walk.frames.pop()),
                Read::Ready => match frame.look(jail, &walk.path) {
                    Look::Nothing => frame.next += 1,
                    Look::Failed(errno) => return Err(failed("looking at an entry")(errno)),
                    Look::LeftOut => {
                        frame.next += 1;
                        walk.left_out += 1;
                    }
                    Look::Entry(listed) => {
                        let cost = listed.encoded_len();
                        let is_full = listing.entries.len() as u64 >= *limit || cost > *space;
                        if is_full && !listing.entries.is_empty() {
                            listing.more = true;
                            return Ok(true);
                        }
                        // [LIST-12]: names left out count on the page of the entry that follows them.
                        listing.skipped += std::mem::take(&mut walk.left_out);
                        *space = space.saturating_sub(cost);
                        frame.next += 1;
                        if walk.tree && listed.entry.kind == Kind::Dir {
                            walk.enter(jail, &listed.name)?;
                        }
                        listing.entries.push(listed);
                    }
                },
            }
            if Instant::now() >= until {
                return Ok(false);
            }
        }
        listing.skipped += walk.left_out;
        Ok(true)
    }
}

impl Job for List {
    fn step(&mut self, store: &mut Store) -> Step {
        match self.advance(&store.jail) {
            Ok(false) => Step::More { done: self.listing.entries.len() as u64, total: 0 },
            Ok(true) => {
                let listing = std::mem::take(&mut self.listing);
                if let (true, Some(last)) = (listing.more, listing.entries.last()) {
                    store.walk = self.walk.take().map(|walk| walk.paused(&last.name));
                }
                Step::Done(Ok(Success::of(Answer::Listing(listing))))
            }
            Err(refusal) => Step::Done(Err(refusal)),
        }
    }

    fn abandon(&mut self, _store: &mut Store) {}
}

impl Walk {
    /// Stands in the listed directory, whose names are still to be read.
    fn begin(path: &RemotePath, tree: bool, top: OwnedFd, after: &str) -> Result<Self, Refusal> {
        // [LIST-2]: "/" counts as 00, and so no name can have either.
        let key: Vec<u8> = after.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect();
        let (stopped_behind, stopped_at) = (String::new(), Instant::now());
        let (frames, left_out, sought) = (Vec::new(), 0, Vec::new());
        let mut walk = Self { path: path.clone(), tree, frames, left_out, sought, stopped_behind, stopped_at };
        walk.push(String::new(), top, key)?;
        Ok(walk)
    }

    /// Goes to the first name behind the point that is sought, now that the names there are known.
    fn seek(&mut self, jail: &Jail) -> Result<(), Refusal> {
        let key = std::mem::take(&mut self.sought);
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let (first, deeper) = split(&key);
        frame.next = frame.names.index_of(first);
        if first.is_empty() || frame.names.name(frame.next) != Some(first) {
            return Ok(());
        }
        // The named entry itself lies at or before the point; what is in it may lie behind.
        let look = frame.look(jail, &self.path);
        let opened = frame.open_child(jail, first);
        frame.next += 1;
        match look {
            Look::Entry(listed) if self.tree && listed.entry.kind == Kind::Dir => match opened {
                Ok(Some(directory)) => self.push(format!("{}/", listed.name), directory, deeper.to_vec()),
                Err(refusal) if refusal.code != Code::Denied => Err(refusal),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Goes on in a directory that was just listed, if it is there still.
    fn enter(&mut self, jail: &Jail, relative: &str) -> Result<(), Refusal> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let name = relative.rsplit('/').next().unwrap_or_default();
        match frame.open_child(jail, name.as_bytes()) {
            Ok(Some(directory)) => self.push(format!("{relative}/"), directory, Vec::new()),
            Ok(None) => Ok(()),
            // It is there and is listed; that what is in it is missing must show.
            Err(refusal) if refusal.code == Code::Denied => {
                self.left_out += 1;
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn push(&mut self, prefix: String, directory: OwnedFd, sought: Vec<u8>) -> Result<(), Refusal> {
        let spent: usize = self.frames.iter().map(|frame| frame.names.weight()).sum();
        let budget = (BUDGET.saturating_sub(spent) / 6 * 5).max(LEAST_BUDGET);
        let reading = Reading::begin(&directory, before(split(&sought).0), budget);
        let reading = Some(reading.map_err(failed("reading the directory"))?);
        let (names, next, directory) = (Names::default(), 0, Some(directory));
        self.frames.push(Frame { prefix, names, reading, next, directory, budget });
        self.sought = sought;
        Ok(())
    }

    /// Whether nobody asked for the next page for so long that its names are not worth their memory.
    pub(super) fn is_stale(&self) -> bool {
        self.stopped_at.elapsed() >= PATIENCE
    }

    fn paused(mut self, last: &str) -> Self {
        for frame in &mut self.frames {
            frame.directory = None;
        }
        self.stopped_behind = last.to_owned();
        self.stopped_at = Instant::now();
        self
    }
}

impl Frame {
    /// Opens the directory again that a pause has closed; false when it is gone.
    fn reopen(&mut self, jail: &Jail, path: &RemotePath) -> Result<bool, Refusal> {
        if self.directory.is_none() {
            let full = match (below(path), self.prefix.trim_end_matches('/')) {
                (top, "") => top.to_owned(),
                ("", prefix) => prefix.to_owned(),
                (top, prefix) => format!("{top}/{prefix}"),
            };
            match jail.open_directory(jail.root(), &full) {
                Ok(Some(directory)) => self.directory = Some(directory),
                Ok(None) => return Ok(false),
                Err(errno) if is_gone(errno) => return Ok(false),
                Err(errno) => return Err(failed("opening a directory again")(errno)),
            }
        }
        Ok(true)
    }

    /// Makes sure that there is a next name, if there is one.
    fn read(&mut self, until: Instant) -> Result<Read, Refusal> {
        let reading_failed = failed("reading the directory");
        let Some(directory) = &self.directory else { return Ok(Read::Nothing) };
        if let Some(mut reading) = self.reading.take() {
            if !reading.advance(directory, until).map_err(&reading_failed)? {
                self.reading = Some(reading);
                return Ok(Read::Unfinished);
            }
            (self.names, self.next) = (reading.finish(), 0);
            return Ok(Read::Finished);
        }
        if self.names.name(self.next).is_some() {
            return Ok(Read::Ready);
        }
        if self.names.is_complete() {
            return Ok(Read::Nothing);
        }
        let names = std::mem::take(&mut self.names);
        self.reading = Some(Reading::begin_behind(names, directory, self.budget).map_err(reading_failed)?);
        Ok(Read::Unfinished)
    }

    fn look(&self, jail: &Jail, path: &RemotePath) -> Look {
        let (Some(raw), Some(directory)) = (self.names.name(self.next), &self.directory) else { return Look::Nothing };
        if path.is_root() && self.prefix.is_empty() && raw == staging::DIRECTORY.as_bytes() {
            return Look::Nothing;
        }
        let Ok(name) = std::str::from_utf8(raw) else { return Look::LeftOut };
        let relative = format!("{}{name}", self.prefix);
        let top = if path.is_root() { "" } else { path.as_str() };
        if checked_path(&format!("{top}/{relative}")).is_none() {
            return Look::LeftOut;
        }
        match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Status::from) {
            Ok(status) if jail.is_staging(status.identity) => Look::Nothing,
            Ok(status) => Look::Entry(ListedEntry { name: relative, entry: status.entry() }),
            Err(errno) if is_gone(errno) => Look::Nothing,
            // A directory that may be read and not searched.
            Err(Errno::ACCESS) => Look::LeftOut,
            Err(errno) => Look::Failed(errno),
        }
    }

    /// Opens a directory in this one; nothing where it is gone, or is no directory any more.
    fn open_child(&self, jail: &Jail, name: &[u8]) -> Result<Option<OwnedFd>, Refusal> {
        let (Some(directory), Ok(name)) = (&self.directory, std::str::from_utf8(name)) else { return Ok(None) };
        match jail.open_directory(directory, name) {
            Ok(opened) => Ok(opened),
            Err(errno) if is_gone(errno) => Ok(None),
            Err(errno) => Err(failed("opening a directory")(errno)),
        }
    }
}

/// A point that `name` itself lies behind.
fn before(name: &[u8]) -> &[u8] {
    name.split_last().map_or(&[], |(_, shorter)| shorter)
}

/// The first name of a point in the order, and the point in that directory.
fn split(key: &[u8]) -> (&[u8], &[u8]) {
    match key.iter().position(|byte| *byte == 0) {
        Some(end) => (&key[..end], &key[end + 1..]),
        None => (key, &[]),
    }
}

fn below(path: &RemotePath) -> &str {
    &path.as_str()[1..]
}

fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
