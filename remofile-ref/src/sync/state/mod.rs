//! The saved state: the entries that both sides had when they were last synchronised, stored so that a crash loses no
//! data.

mod format;

use super::{SyncError, input::SavedEntry, input::order};
use crate::fs::calls;
pub(super) use format::Entries;
use format::{StateJournal, Update};
use remofile_proto::{RemotePath, RootId};
use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path as LocalPath, PathBuf},
};

/// A journal that is longer than this, and than a quarter of its snapshot, becomes part of a new snapshot; in bytes.
const JOURNAL_MAX: u64 = 256 << 10;

/// The files of the saved state of two roots.
#[derive(Clone, Debug)]
pub(super) struct StateFiles {
    directory: PathBuf,
    /// The same for all servers: the local root and the remote path.
    pair: String,
    root: String,
}

/// The saved state of two roots. [`SavedState::open`] returns its entries, to be compared with both sides.
#[derive(Debug)]
pub(super) struct SavedState {
    files: StateFiles,
    /// `None` in a dry run, which writes nothing.
    open: Option<OpenJournal>,
    generation: u64,
    journal: StateJournal,
    /// In bytes.
    snapshot_len: u64,
    was_damaged: bool,
}

#[derive(Debug)]
struct OpenJournal {
    /// Locked while it is open.
    _lock: File,
    journal: File,
}

impl StateFiles {
    /// In `directory`, for the absolute path of a local root, and a directory of the server with this root id.
    pub(super) fn new(directory: PathBuf, local: &LocalPath, remote: &RemotePath, root: Option<RootId>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("remofile/1 sync archive");
        hasher.update(local.as_os_str().as_bytes()).update(&[0]).update(remote.as_str().as_bytes());
        let pair = hasher.finalize().to_hex()[..32].to_owned();
        let root = root.map_or_else(|| "none".to_owned(), |root| root.to_string());
        Self { directory, pair, root }
    }

    /// Whether these roots were synchronised before, but only while the server served another directory.
    pub(super) fn is_of_another_root(&self) -> Result<bool, SyncError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(SyncError::State { path: self.directory.clone(), source }),
        };
        let (ours, mut is_there, mut is_other) = (self.name("archive"), false, false);
        for entry in entries {
            let name = entry.map_err(|source| self.failed(source))?.file_name();
            let Some(name) = name.to_str() else { continue };
            is_there |= name == ours;
            is_other |= name.starts_with(&self.pair) && name.ends_with(".archive");
        }
        Ok(is_other && !is_there)
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}-{}.{suffix}", self.pair, self.root)
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.directory.join(self.name(suffix))
    }

    fn failed(&self, source: io::Error) -> SyncError {
        SyncError::State { path: self.path("archive"), source }
    }

    fn read(&self, suffix: &str) -> Result<Option<Vec<u8>>, SyncError> {
        match fs::read(self.path(suffix)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SyncError::State { path: self.path(suffix), source }),
        }
    }

    fn lock(&self) -> Result<File, SyncError> {
        fs::create_dir_all(&self.directory)
            .map_err(|source| SyncError::State { path: self.directory.clone(), source })?;
        let path = self.path("lock");
        let failed = |source| SyncError::State { path: path.clone(), source };
        let lock = File::options().create(true).write(true).truncate(false).open(&path).map_err(failed)?;
        match calls::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // A file system without locks.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOLCK) => Ok(lock),
            Err(Errno::WOULDBLOCK) => Err(SyncError::Locked { path }),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Replaces a file atomically and durably.
    fn replace(&self, suffix: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path("new");
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.path(suffix))?;
        sync_directory(&self.directory)
    }
}

impl SavedState {
    /// Opens it, for writing unless `is_dry`, and returns its entries. A missing or damaged one is empty.
    ///
    /// # Errors
    /// [`SyncError::Locked`] while another run has it; [`SyncError::State`].
    pub(super) fn open(files: StateFiles, is_dry: bool) -> Result<(Self, Entries), SyncError> {
        let lock = if is_dry { None } else { Some(files.lock()?) };
        let snapshot = files.read("archive")?;
        let snapshot_len = snapshot.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let read = snapshot.map(|bytes| format::read_snapshot(&bytes));
        let mut was_damaged = matches!(read, Some(Err(_)));
        let (generation, mut entries) = read.and_then(Result::ok).unwrap_or_default();
        let bytes = files.read("journal")?.unwrap_or_default();
        let journal = match format::read_journal(&bytes, generation) {
            Ok(journal) if !was_damaged => journal,
            _ => {
                was_damaged = true;
                entries.clear();
                StateJournal::none(generation)
            }
        };
        drop(bytes);
        let mut saved_state = Self { files, open: None, generation, journal, snapshot_len, was_damaged };
        if was_damaged {
            tracing::warn!(state = %saved_state.files.path("archive").display(), "the saved state is damaged and is ignored");
        }
        entries = merged(entries, std::mem::take(&mut saved_state.journal.updates));
        if let Some(lock) = lock {
            saved_state.open_journal(lock, &entries)?;
        }
        Ok((saved_state, entries))
    }

    /// Records updates on stable storage.
    pub(super) fn append(&mut self, updates: &[Update]) -> Result<(), SyncError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if updates.is_empty() {
            return Ok(());
        }
        let updates = updates.iter().map(|(path, saved)| (&**path, saved.as_ref()));
        let (bytes, chain) = format::batch(&self.journal.chain, updates);
        let written = open.journal.write_all(&bytes).and_then(|()| open.journal.sync_data());
        written.map_err(|source| self.files.failed(source))?;
        self.journal.chain = chain;
        self.journal.len += bytes.len();
        Ok(())
    }

    /// Merges a long journal into a new snapshot.
    pub(super) fn close(mut self) -> Result<(), SyncError> {
        let len = self.journal.len as u64;
        if self.open.is_none() || len <= JOURNAL_MAX || len <= self.snapshot_len / 4 {
            return Ok(());
        }
        let snapshot = self.files.read("archive")?.unwrap_or_default();
        let bytes = self.files.read("journal")?.unwrap_or_default();
        let damaged = |_| self.files.failed(io::Error::new(io::ErrorKind::InvalidData, "changed meanwhile"));
        let (_, entries) = format::read_snapshot(&snapshot).map_err(damaged)?;
        let journal = format::read_journal(&bytes, self.generation).map_err(damaged)?;
        drop((snapshot, bytes));
        let entries = merged(entries, journal.updates);
        self.begin_generation(self.generation + 1, &entries).map_err(|source| self.files.failed(source))
    }

    /// Opens the journal after its last complete batch.
    fn open_journal(&mut self, lock: File, entries: &Entries) -> Result<(), SyncError> {
        let path = self.files.path("journal");
        let is_new = self.snapshot_len == 0 || self.was_damaged;
        if is_new || self.journal.len < format::JOURNAL_HEADER {
            let begun = if is_new { self.begin_generation(self.generation + 1, entries) } else { self.begin_journal() };
            begun.map_err(|source| self.files.failed(source))?;
        }
        let failed = |source| SyncError::State { path: path.clone(), source };
        let mut journal = File::options().write(true).open(&path).map_err(failed)?;
        let len = self.journal.len as u64;
        let opened = journal.set_len(len).and_then(|()| journal.seek(SeekFrom::Start(len)));
        opened.map_err(failed)?;
        self.open = Some(OpenJournal { _lock: lock, journal });
        Ok(())
    }

    /// A snapshot with an empty journal. A journal of an earlier generation that a crash left is not read.
    fn begin_generation(&mut self, generation: u64, entries: &Entries) -> io::Result<()> {
        let entries = entries.iter().map(|(path, saved)| (&**path, saved));
        self.files.replace("archive", &format::snapshot(generation, entries))?;
        self.generation = generation;
        self.begin_journal()
    }

    fn begin_journal(&mut self) -> io::Result<()> {
        let header = format::journal_header(self.generation);
        self.files.replace("journal", &header)?;
        self.journal = StateJournal { updates: Vec::new(), len: header.len(), chain: format::first_chain(&header) };
        Ok(())
    }
}

/// Entries with later updates, in order.
fn merged(mut entries: Entries, updates: Vec<Update>) -> Entries {
    if updates.is_empty() {
        return entries;
    }
    let mut last: HashMap<Box<str>, Option<SavedEntry>> = updates.into_iter().collect();
    entries.retain_mut(|(path, saved)| match last.remove(path) {
        Some(Some(now)) => {
            *saved = now;
            true
        }
        Some(None) => false,
        None => true,
    });
    entries.extend(last.into_iter().filter_map(|(path, saved)| Some((path, saved?))));
    entries.sort_by(|(one, _), (other, _)| order(one, other));
    entries
}

fn sync_directory(directory: &LocalPath) -> io::Result<()> {
    let directory = calls::openat(CWD, directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(calls::fsync(directory)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Kept(tempfile::TempDir);

    impl Kept {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn files_of(&self, root: u8) -> StateFiles {
            let remote = RemotePath::parse("/photos").unwrap();
            StateFiles::new(self.0.path().to_owned(), LocalPath::new("/home/a"), &remote, Some(RootId::new([root; 16])))
        }

        fn open(&self) -> (SavedState, Vec<String>) {
            let (saved_state, entries) = SavedState::open(self.files_of(1), false).unwrap();
            (saved_state, entries.into_iter().map(|(path, _)| path.into()).collect())
        }

        fn paths(&self) -> Vec<String> {
            self.open().1
        }
    }

    fn there(path: &str) -> Update {
        (path.into(), Some(SavedEntry::Directory))
    }

    #[test]
    fn what_was_appended_is_there_in_order_and_what_was_dropped_is_not() {
        let kept = Kept::new();
        let (mut saved_state, found) = kept.open();
        assert!(found.is_empty());
        saved_state.append(&[there("b"), there("a!"), there("a")]).unwrap();
        saved_state.append(&[there("a/x"), ("b".into(), None)]).unwrap();
        saved_state.close().unwrap();
        assert_eq!(kept.paths(), ["a", "a/x", "a!"]);
    }

    #[test]
    fn what_was_appended_survives_a_run_that_is_killed() {
        let kept = Kept::new();
        let (mut saved_state, _) = kept.open();
        saved_state.append(&[there("a")]).unwrap();
        drop(saved_state);
        let (mut saved_state, _) = kept.open();
        saved_state.append(&[there("b")]).unwrap();
        drop(saved_state);
        assert_eq!(kept.paths(), ["a", "b"]);
    }

    #[test]
    fn a_long_journal_becomes_a_snapshot() {
        let kept = Kept::new();
        let (mut saved_state, _) = kept.open();
        let many: Vec<_> = (0..20_000).map(|n| there(&format!("directory-{n:05}"))).collect();
        saved_state.append(&many).unwrap();
        saved_state.close().unwrap();
        let journal = fs::metadata(kept.files_of(1).path("journal")).unwrap().len();
        assert_eq!(journal, format::JOURNAL_HEADER as u64);
        assert_eq!(kept.paths().len(), 20_000);
    }

    #[test]
    fn a_damaged_snapshot_is_ignored_and_replaced() {
        let kept = Kept::new();
        let (mut saved_state, _) = kept.open();
        saved_state.append(&[there("a")]).unwrap();
        drop(saved_state);
        let path = kept.files_of(1).path("archive");
        let mut bytes = fs::read(&path).unwrap();
        bytes[30] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (mut saved_state, found) = kept.open();
        assert!(found.is_empty());
        saved_state.append(&[there("b")]).unwrap();
        drop(saved_state);
        assert_eq!(kept.paths(), ["b"]);
    }

    #[test]
    fn two_runs_do_not_have_it_at_once() {
        let kept = Kept::new();
        let (saved_state, _) = kept.open();
        assert!(matches!(SavedState::open(kept.files_of(1), false), Err(SyncError::Locked { .. })));
        drop(saved_state);
        kept.open();
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let kept = Kept::new();
        let files = StateFiles { directory: kept.0.path().join("none"), ..kept.files_of(1) };
        let (mut saved_state, _) = SavedState::open(files, true).unwrap();
        saved_state.append(&[there("a")]).unwrap();
        saved_state.close().unwrap();
        assert!(!kept.0.path().join("none").exists());
    }

    #[test]
    fn another_root_of_the_same_pair_is_noticed_until_it_has_an_archive() {
        let kept = Kept::new();
        assert!(!kept.files_of(2).is_of_another_root().unwrap());
        kept.open();
        assert!(!kept.files_of(1).is_of_another_root().unwrap());
        assert!(kept.files_of(2).is_of_another_root().unwrap());
        SavedState::open(kept.files_of(2), false).unwrap();
        assert!(!kept.files_of(2).is_of_another_root().unwrap());
    }
}
