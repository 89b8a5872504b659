//! LIST: pages of a directory or tree in one order, each entry that stays listed exactly once.
//!
//! The order is that of the relative paths as bytes with `/` as 00 [LIST-2]. No name has a byte below
//! 20, so that is the order of a walk: siblings by their bytes, and behind a directory all that is in it.

use super::errno::failed;
use super::jail::{Jail, reserved};
use super::names::Names;
use super::staging;
use super::status::Status;
use super::{Store, checked_path};
use remofile_proto::reply::PAGE_OVERHEAD;
use remofile_proto::{Code, Kind, ListedEntry, Listing, Path, Refusal};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Bytes of names kept for the next page; nested directories get half of what is left, each.
const BUDGET: usize = 64 << 20;
const LEAST_BUDGET: usize = 256 << 10;
/// How long a listing waits for its next page.
const PATIENCE: Duration = Duration::from_secs(60);
/// A walk that stopped at the end of a page.
#[derive(Debug)]
pub(super) struct Walk {
    path: Path,
    tree: bool,
    /// From the listed directory down to the one whose names are being listed.
    frames: Vec<Frame>,
    /// Names left out since the last entry.
    left_out: u64,
    /// The name that the next page is asked to follow.
    stopped_behind: String,
    stopped_at: Instant,
}

#[derive(Debug)]
struct Frame {
    /// Relative to the listed directory, ending in `/`; empty for the listed directory itself.
    prefix: String,
    names: Names,
    next: usize,
    /// Open while a page is made; between pages the names are enough.
    directory: Option<OwnedFd>,
    budget: usize,
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

impl Store {
    pub(super) fn list(
        &mut self,
        path: &Path,
        after: Option<&str>,
        limit: Option<u64>,
        tree: bool,
    ) -> Result<Listing, Refusal> {
        let after = after.unwrap_or_default();
        // Only the very next page of the same listing goes on with its names: anything else looks anew.
        let kept = self.walk.take().filter(|walk| {
            let goes_on = walk.path == *path && walk.tree == tree && walk.stopped_behind == after;
            goes_on && !after.is_empty() && walk.stopped_at.elapsed() < PATIENCE
        });
        // The directory has to be there for every page, not for the first alone.
        let opened = if path.is_root() {
            self.jail.open_directory(self.jail.root(), "")
        } else {
            let place = self.jail.place(path, Code::NotDir)?;
            self.jail.open_directory(&place.directory, place.name)
        };
        let top = opened.map_err(failed("opening the directory"))?.ok_or_else(reserved)?;
        let mut walk = match kept {
            Some(mut walk) => {
                walk.frames[0].directory = Some(top);
                walk
            }
            None => Walk::begin(&self.jail, path, tree, top, after)?,
        };
        let listing = walk.page(&self.jail, limit.unwrap_or(u64::MAX), self.options.chunk)?;
        if let (true, Some(last)) = (listing.more, listing.entries.last()) {
            walk.pause(&last.name);
            self.walk = Some(walk);
        }
        Ok(listing)
    }
}

impl Walk {
    /// Stands before the first entry behind `after`.
    fn begin(jail: &Jail, path: &Path, tree: bool, top: OwnedFd, after: &str) -> Result<Self, Refusal> {
        let (stopped_behind, stopped_at) = (String::new(), Instant::now());
        let mut walk = Self { path: path.clone(), tree, frames: Vec::new(), left_out: 0, stopped_behind, stopped_at };
        // [LIST-2]: "/" counts as 00, and so no name can have either.
        let key: Vec<u8> = after.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect();
        let mut rest = Some(key.as_slice());
        let mut directory = Some((String::new(), top));
        while let Some((prefix, opened)) = directory.take() {
            let mut parts = rest.unwrap_or_default().splitn(2, |byte| *byte == 0);
            let first = parts.next().unwrap_or_default();
            let deeper = parts.next();
            walk.enter(prefix, opened, before(first)).map_err(failed("reading the directory"))?;
            let Some(frame) = walk.frames.last_mut() else { break };
            frame.next = frame.names.index_of(first);
            // The named entry itself lies at or before `after`; what is in it may lie behind.
            if !first.is_empty() && frame.names.name(frame.next) == Some(first) {
                if tree
                    && let Look::Entry(listed) = frame.look(jail, path)
                    && listed.entry.kind == Kind::Dir
                    && let Some(opened) = frame.open_child(jail, first).or_else(unless_denied)?
                {
                    directory = Some((format!("{}/", listed.name), opened));
                }
                frame.next += 1;
            }
            rest = deeper;
        }
        Ok(walk)
    }

    fn page(&mut self, jail: &Jail, limit: u64, chunk: u64) -> Result<Listing, Refusal> {
        let mut listing = Listing::default();
        let mut space = usize::try_from(chunk).unwrap_or(usize::MAX).saturating_sub(PAGE_OVERHEAD);
        while let Some(frame) = self.frames.last_mut() {
            if !frame.reopen(jail, &self.path)? || !frame.refill()? {
                self.frames.pop();
                continue;
            }
            match frame.look(jail, &self.path) {
                Look::Nothing => frame.next += 1,
                Look::Failed(errno) => return Err(failed("looking at an entry")(errno)),
                Look::LeftOut => {
                    frame.next += 1;
                    self.left_out += 1;
                }
                Look::Entry(listed) => {
                    let cost = listed.encoded_len();
                    let is_full = listing.entries.len() as u64 >= limit || cost > space;
                    if is_full && !listing.entries.is_empty() {
                        listing.more = true;
                        return Ok(listing);
                    }
                    // [LIST-12]: names left out count on the page of the entry that follows them.
                    listing.skipped += std::mem::take(&mut self.left_out);
                    space = space.saturating_sub(cost);
                    frame.next += 1;
                    if self.tree && listed.entry.kind == Kind::Dir {
                        let child = listed.name.rsplit('/').next().unwrap_or_default().as_bytes();
                        match frame.open_child(jail, child) {
                            Ok(Some(opened)) => {
                                let prefix = format!("{}/", listed.name);
                                self.enter(prefix, opened, &[]).map_err(failed("reading the directory"))?;
                            }
                            Ok(None) => {}
                            // It is there and is listed; that what is in it is missing must show.
                            Err(refusal) if refusal.code == Code::Denied => self.left_out += 1,
                            Err(refusal) => return Err(refusal),
                        }
                    }
                    listing.entries.push(listed);
                }
            }
        }
        listing.skipped += self.left_out;
        Ok(listing)
    }

    fn enter(&mut self, prefix: String, directory: OwnedFd, after: &[u8]) -> Result<(), Errno> {
        let spent: usize = self.frames.iter().map(|frame| frame.names.weight()).sum();
        let budget = (BUDGET.saturating_sub(spent) / 2).max(LEAST_BUDGET);
        let names = Names::read(&directory, after, budget)?;
        self.frames.push(Frame { prefix, names, next: 0, directory: Some(directory), budget });
        Ok(())
    }

    fn pause(&mut self, last: &str) {
        for frame in &mut self.frames {
            frame.directory = None;
        }
        self.stopped_behind = last.to_owned();
        self.stopped_at = Instant::now();
    }
}

impl Frame {
    /// Opens the directory again that a pause has closed; false when it is gone.
    fn reopen(&mut self, jail: &Jail, path: &Path) -> Result<bool, Refusal> {
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

    /// Makes sure that there is a next name; false when there is none.
    fn refill(&mut self) -> Result<bool, Refusal> {
        if self.names.name(self.next).is_some() {
            return Ok(true);
        }
        let (false, Some(last), Some(directory)) = (self.names.is_complete(), self.names.last(), &self.directory)
        else {
            return Ok(false);
        };
        let last = last.to_vec();
        self.names = Names::read(directory, &last, self.budget).map_err(failed("reading the directory"))?;
        self.next = 0;
        Ok(self.names.name(0).is_some())
    }

    fn look(&self, jail: &Jail, path: &Path) -> Look {
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

fn unless_denied(refusal: Refusal) -> Result<Option<OwnedFd>, Refusal> {
    if refusal.code == Code::Denied { Ok(None) } else { Err(refusal) }
}

fn below(path: &Path) -> &str {
    &path.as_str()[1..]
}

fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}
