//! LIST: pages of a directory or tree in one order, each entry that stays listed exactly once.
//!
//! The order is that of the relative paths as bytes with `/` as 00 [LIST-2]. No name has a byte below
//! 20, so that is the order of a walk: siblings by their bytes, and a directory is followed by what is in it.

use super::names::{NameReader, SortedNames};
use super::task::{Task, TaskState};
use super::{Store, TIME_SLICE, checked_path};
use crate::storage::Success;
use crate::storage::backend::{Backend, BackendDir};
use crate::storage::refusal::{failed, is_gone, is_reserved};
use remofile_proto::reply::PAGE_OVERHEAD;
use remofile_proto::{Answer, Code, Kind, ListedEntry, Listing, Refusal, RemotePath};
use std::io;
use std::time::{Duration, Instant};

/// Bytes of names kept for the next page; each directory gets five sixths of what those above it have left.
const BUDGET: usize = 48 << 20;
const LEAST_BUDGET: usize = 64 << 10;
/// How long a listing waits for its next page.
const PATIENCE: Duration = Duration::from_secs(60);

/// A walk through a directory or tree, from one page to the next.
#[derive(Debug)]
pub(super) struct TreeWalk<D> {
    path: RemotePath,
    tree: bool,
    /// From the listed directory down to the one whose names are being listed.
    frames: Vec<OpenLevel<D>>,
    /// SortedNames left out since the last entry.
    left_out: u64,
    /// The point in the last frame after which the walk continues, until the names there are read.
    sought: Vec<u8>,
    /// The last name of the page before.
    stopped_after: String,
    stopped_at: Instant,
}

#[derive(Debug)]
struct OpenLevel<D> {
    /// Relative to the listed directory, ending in `/`; empty for the listed directory itself.
    prefix: String,
    names: SortedNames,
    /// The next run of names, while it is being read.
    reading: Option<NameReader>,
    next: usize,
    /// Open while a page is made; between pages the names are enough.
    directory: Option<D>,
    budget: usize,
}

/// Whether a frame has a next name.
enum NextName {
    Ready,
    /// A run of names was completed just now.
    Finished,
    Unfinished,
    End,
}

/// What a listing says about a name.
enum NameOutcome {
    Entry(ListedEntry),
    /// Counted in `skipped`.
    LeftOut,
    /// Removed since the directory was read, or not visible to clients.
    Nothing,
    Failed(io::Error),
}

/// A LIST that runs: reading a large directory takes more than a slice.
#[derive(Debug)]
pub(super) struct List<D> {
    /// Absent when the page is complete and the walk waits for the next one.
    walk: Option<TreeWalk<D>>,
    listing: Listing,
    limit: u64,
    /// Bytes left in the page.
    space: usize,
}

impl<D: BackendDir> List<D> {
    pub(super) fn begin<B: Backend<Dir = D>>(
        store: &mut Store<B>,
        path: &RemotePath,
        after: Option<&str>,
        limit: Option<u64>,
        tree: bool,
    ) -> Result<Self, Refusal> {
        let after = after.unwrap_or_default();
        // Only the next page of the same listing continues with its names; any other reads the directory again.
        let kept = store.walk.take().filter(|walk| {
            let continues = walk.path == *path && walk.tree == tree && walk.stopped_after == after;
            continues && !after.is_empty() && !walk.is_stale()
        });
        // The directory has to be there for every page, not for the first alone.
        let top = store.backend.open_dir(path).map_err(failed("opening the directory"))?;
        let walk = match kept {
            Some(mut walk) => {
                if let Some(frame) = walk.frames.first_mut() {
                    frame.directory = Some(top);
                }
                walk
            }
            None => TreeWalk::begin(path, tree, top, after)?,
        };
        let space = usize::try_from(store.options.chunk).unwrap_or(usize::MAX).saturating_sub(PAGE_OVERHEAD);
        Ok(Self { walk: Some(walk), listing: Listing::default(), limit: limit.unwrap_or(u64::MAX), space })
    }

    /// Works for one time slice; true when the page is complete.
    fn advance<B: Backend<Dir = D>>(&mut self, backend: &B) -> Result<bool, Refusal> {
        let deadline = Instant::now() + TIME_SLICE;
        let Self { walk, listing, limit, space } = self;
        let Some(walk) = walk else { return Ok(true) };
        while let Some(frame) = walk.frames.last_mut() {
            if !frame.reopen(backend, &walk.path)? {
                walk.frames.pop();
                continue;
            }
            match frame.read(deadline)? {
                NextName::Unfinished => return Ok(false),
                NextName::Finished => walk.seek()?,
                NextName::End => drop(walk.frames.pop()),
                NextName::Ready => match frame.look(&walk.path) {
                    NameOutcome::Nothing => frame.next += 1,
                    NameOutcome::Failed(error) => return Err(failed("looking at an entry")(error)),
                    NameOutcome::LeftOut => {
                        frame.next += 1;
                        walk.left_out += 1;
                    }
                    NameOutcome::Entry(listed) => {
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
                            walk.enter(&listed.name)?;
                        }
                        listing.entries.push(listed);
                    }
                },
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
        listing.skipped += walk.left_out;
        Ok(true)
    }
}

impl<B: Backend> Task<B> for List<B::Dir> {
    fn step(&mut self, store: &mut Store<B>) -> TaskState {
        match self.advance(&store.backend) {
            Ok(false) => TaskState::More { done: self.listing.entries.len() as u64, total: 0 },
            Ok(true) => {
                let listing = std::mem::take(&mut self.listing);
                if let (true, Some(last)) = (listing.more, listing.entries.last()) {
                    store.walk = self.walk.take().map(|walk| walk.paused(&last.name));
                }
                TaskState::Done(Ok(Success::of(Answer::Listing(listing))))
            }
            Err(refusal) => TaskState::Done(Err(refusal)),
        }
    }

    fn abandon(&mut self, _store: &mut Store<B>) {}
}

impl<D: BackendDir> TreeWalk<D> {
    /// Stands in the listed directory, whose names are still to be read.
    fn begin(path: &RemotePath, tree: bool, top: D, after: &str) -> Result<Self, Refusal> {
        // [LIST-2]: "/" counts as 00, and so no name can have either.
        let key: Vec<u8> = after.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect();
        let (stopped_after, stopped_at) = (String::new(), Instant::now());
        let (frames, left_out, sought) = (Vec::new(), 0, Vec::new());
        let mut walk = Self { path: path.clone(), tree, frames, left_out, sought, stopped_after, stopped_at };
        walk.push(String::new(), top, key)?;
        Ok(walk)
    }

    /// Goes to the first name after the point that is sought, now that the names there are known.
    fn seek(&mut self) -> Result<(), Refusal> {
        let key = std::mem::take(&mut self.sought);
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let (first, deeper) = split(&key);
        frame.next = frame.names.index_of(first);
        if first.is_empty() || frame.names.name(frame.next) != Some(first) {
            return Ok(());
        }
        // The named entry itself lies at or before the point; what is in it may lie after it.
        let look = frame.look(&self.path);
        let opened = frame.open_child(first);
        frame.next += 1;
        match look {
            NameOutcome::Entry(listed) if self.tree && listed.entry.kind == Kind::Dir => match opened {
                Ok(Some(directory)) => self.push(format!("{}/", listed.name), directory, deeper.to_vec()),
                Err(refusal) if refusal.code != Code::Denied => Err(refusal),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Continues in a directory that was just listed, if it still exists.
    fn enter(&mut self, relative: &str) -> Result<(), Refusal> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let name = relative.rsplit('/').next().unwrap_or_default();
        match frame.open_child(name.as_bytes()) {
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

    fn push(&mut self, prefix: String, mut directory: D, sought: Vec<u8>) -> Result<(), Refusal> {
        let spent: usize = self.frames.iter().map(|frame| frame.names.weight()).sum();
        let budget = (BUDGET.saturating_sub(spent) / 6 * 5).max(LEAST_BUDGET);
        let reading = NameReader::begin(&mut directory, before(split(&sought).0), budget);
        let reading = Some(reading.map_err(failed("reading the directory"))?);
        let (names, next, directory) = (SortedNames::default(), 0, Some(directory));
        self.frames.push(OpenLevel { prefix, names, reading, next, directory, budget });
        self.sought = sought;
        Ok(())
    }

    /// Whether the next page was not asked for in so long that its names are not worth their memory.
    pub(super) fn is_stale(&self) -> bool {
        self.stopped_at.elapsed() >= PATIENCE
    }

    fn paused(mut self, last: &str) -> Self {
        for frame in &mut self.frames {
            frame.directory = None;
        }
        self.stopped_after = last.to_owned();
        self.stopped_at = Instant::now();
        self
    }
}

impl<D: BackendDir> OpenLevel<D> {
    /// Opens the directory again that a pause has closed; false where it no longer exists.
    fn reopen<B: Backend<Dir = D>>(&mut self, backend: &B, path: &RemotePath) -> Result<bool, Refusal> {
        if self.directory.is_none() {
            let full = match (below(path), self.prefix.trim_end_matches('/')) {
                (top, "") => top.to_owned(),
                ("", prefix) => prefix.to_owned(),
                (top, prefix) => format!("{top}/{prefix}"),
            };
            let Some(full) = checked_path(&format!("/{full}")) else { return Ok(false) };
            match backend.open_dir(&full) {
                Ok(directory) => self.directory = Some(directory),
                Err(error) if is_gone(&error) || is_reserved(&error) => return Ok(false),
                Err(error) => return Err(failed("opening a directory again")(error)),
            }
        }
        Ok(true)
    }

    /// Makes sure that there is a next name, if there is one.
    fn read(&mut self, deadline: Instant) -> Result<NextName, Refusal> {
        let reading_failed = failed("reading the directory");
        let Some(directory) = &mut self.directory else { return Ok(NextName::End) };
        if let Some(mut reading) = self.reading.take() {
            if !reading.advance(directory, deadline).map_err(&reading_failed)? {
                self.reading = Some(reading);
                return Ok(NextName::Unfinished);
            }
            (self.names, self.next) = (reading.finish(), 0);
            return Ok(NextName::Finished);
        }
        if self.names.name(self.next).is_some() {
            return Ok(NextName::Ready);
        }
        if self.names.is_complete() {
            return Ok(NextName::End);
        }
        let names = std::mem::take(&mut self.names);
        self.reading = Some(NameReader::begin_after(names, directory, self.budget).map_err(reading_failed)?);
        Ok(NextName::Unfinished)
    }

    fn look(&self, path: &RemotePath) -> NameOutcome {
        let (Some(raw), Some(directory)) = (self.names.name(self.next), &self.directory) else {
            return NameOutcome::Nothing;
        };
        if path.is_root() && self.prefix.is_empty() && raw == RemotePath::STAGING.as_bytes() {
            return NameOutcome::Nothing;
        }
        let Ok(name) = std::str::from_utf8(raw) else { return NameOutcome::LeftOut };
        let relative = format!("{}{name}", self.prefix);
        let top = if path.is_root() { "" } else { path.as_str() };
        if checked_path(&format!("{top}/{relative}")).is_none() {
            return NameOutcome::LeftOut;
        }
        match directory.stat(name) {
            Ok(None) => NameOutcome::Nothing,
            Ok(Some(status)) => NameOutcome::Entry(ListedEntry { name: relative, entry: status.entry() }),
            Err(error) if is_gone(&error) => NameOutcome::Nothing,
            // A directory that may be read and not searched.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => NameOutcome::LeftOut,
            Err(error) => NameOutcome::Failed(error),
        }
    }

    /// Opens a directory in this one; nothing where it no longer exists, or is no directory.
    fn open_child(&self, name: &[u8]) -> Result<Option<D>, Refusal> {
        let (Some(directory), Ok(name)) = (&self.directory, std::str::from_utf8(name)) else { return Ok(None) };
        match directory.open_dir(name) {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if is_gone(&error) || is_reserved(&error) => Ok(None),
            Err(error) => Err(failed("opening a directory")(error)),
        }
    }
}

/// A point that `name` follows.
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
