//! Files in memory as a backend: for tests, and for what need not outlive the process.

use super::backend::{Access, Backend, BackendDir, BackendFile, BackendInfo, Location};
use super::status::Status;
use crate::fs::time::{clamp, now_ns};
use remofile_proto::{Kind, RemotePath, RootId};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// InodeData is kept in blocks, so that a gap needs no memory.
const BLOCK: usize = 64 << 10;
/// The largest file.
const LARGEST: u64 = 1 << 44;

/// Files and directories in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<EntryTable>>);

/// EntryTable by their paths; the root is implied. No key begins with another and `/` unless that is a directory.
#[derive(Debug, Default)]
struct EntryTable {
    served: BTreeMap<String, Inode>,
    staged: BTreeMap<String, Inode>,
    root: Inode,
}

/// A file or directory, shared by its name and its open files.
type Inode = Arc<Mutex<InodeData>>;

#[derive(Debug)]
struct InodeData {
    id: u64,
    kind: Kind,
    size: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
    permissions: u32,
    mtime_ns: i64,
    ctime_ns: i64,
}

/// An open file of a [`Memory`] backend.
#[derive(Debug)]
pub struct MemoryFile(Inode);

/// An open directory of a [`Memory`] backend.
#[derive(Debug)]
pub struct MemoryDir {
    memory: Memory,
    path: RemotePath,
}

impl Memory {
    /// An empty root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tree(&self) -> MutexGuard<'_, EntryTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    type File = MemoryFile;
    type Dir = MemoryDir;

    fn info(&self) -> BackendInfo {
        // Another process has other files: the root has the name of this one.
        let mut bytes = [0; RootId::LEN];
        bytes[..8].copy_from_slice(&lock(&self.tree().root).id.to_be_bytes());
        bytes[8..].copy_from_slice(&process_start().to_be_bytes());
        BackendInfo { root_id: Some(RootId::new(bytes)), ..BackendInfo::default() }
    }

    fn stat(&self, at: Location<'_>) -> io::Result<Option<Status>> {
        Ok(self.tree().find(at)?.map(status))
    }

    fn open(&self, at: Location<'_>, access: Access) -> io::Result<(MemoryFile, Status)> {
        let mut tree = self.tree();
        let file = match (tree.find(at)?, at, access) {
            (Some(_), _, Access::Create) => return Err(ErrorKind::AlreadyExists.into()),
            (None, Location::Staged(name), Access::Create) => {
                let file = InodeData::new(Kind::File);
                tree.staged.insert(name.to_owned(), Arc::clone(&file));
                file
            }
            (None, ..) => return Err(ErrorKind::NotFound.into()),
            (Some(found), ..) if lock(found).kind == Kind::Dir => return Err(ErrorKind::IsADirectory.into()),
            (Some(found), ..) => Arc::clone(found),
        };
        let status = status(&file);
        Ok((MemoryFile(file), status))
    }

    fn open_dir(&self, path: &RemotePath) -> io::Result<MemoryDir> {
        let tree = self.tree();
        let found = tree.find(Location::Served(path))?.ok_or(ErrorKind::NotFound)?;
        if lock(found).kind != Kind::Dir {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(MemoryDir { memory: self.clone(), path: path.clone() })
    }

    fn mkdir(&self, path: &RemotePath) -> io::Result<()> {
        let mut tree = self.tree();
        if tree.find(Location::Served(path))?.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        tree.served.insert(path.as_str().to_owned(), InodeData::new(Kind::Dir));
        tree.note_change_of(path);
        Ok(())
    }

    fn remove(&self, at: Location<'_>, kind: Kind) -> io::Result<()> {
        let mut tree = self.tree();
        let found = lock(tree.find(at)?.ok_or(ErrorKind::NotFound)?).kind;
        match at {
            Location::Staged(name) => drop(tree.staged.remove(name)),
            Location::Served(path) => {
                match (found, kind) {
                    (Kind::Dir, Kind::Dir) if tree.below(path).next().is_some() => {
                        return Err(ErrorKind::DirectoryNotEmpty.into());
                    }
                    (Kind::Dir, Kind::Dir) | (Kind::File, Kind::File) => {}
                    (Kind::Dir, _) => return Err(ErrorKind::IsADirectory.into()),
                    _ => return Err(ErrorKind::NotADirectory.into()),
                }
                tree.served.remove(path.as_str());
                tree.note_change_of(path);
            }
        }
        Ok(())
    }

    fn rename(&self, from: Location<'_>, to: Location<'_>, replace: bool) -> io::Result<()> {
        let mut tree = self.tree();
        let source = Arc::clone(tree.find(from)?.ok_or(ErrorKind::NotFound)?);
        let is_directory = lock(&source).kind == Kind::Dir;
        if let (Location::Served(from), Location::Served(to)) = (from, to)
            && from != to
            && to.is_at_or_below(from)
        {
            return Err(ErrorKind::InvalidInput.into());
        }
        if let Some(target) = tree.find(to)? {
            match (lock(target).kind, is_directory) {
                _ if !replace => return Err(ErrorKind::AlreadyExists.into()),
                (Kind::Dir, _) => return Err(ErrorKind::IsADirectory.into()),
                (_, true) => return Err(ErrorKind::NotADirectory.into()),
                _ => {}
            }
        }
        let below: Vec<_> = match (from, to) {
            (Location::Served(from), Location::Served(_)) => tree.below(from).map(|(path, _)| path.clone()).collect(),
            _ => Vec::new(),
        };
        match from {
            Location::Served(path) => {
                tree.served.remove(path.as_str());
                tree.note_change_of(path);
            }
            Location::Staged(name) => drop(tree.staged.remove(name)),
        }
        lock(&source).ctime_ns = tick();
        match to {
            Location::Served(path) => {
                tree.served.insert(path.as_str().to_owned(), source);
                tree.note_change_of(path);
            }
            Location::Staged(name) => drop(tree.staged.insert(name.to_owned(), source)),
        }
        if let (Location::Served(from), Location::Served(to)) = (from, to) {
            for path in below {
                let renamed = format!("{}{}", to.as_str(), &path[from.as_str().len()..]);
                if let Some(inode) = tree.served.remove(&path) {
                    tree.served.insert(renamed, inode);
                }
            }
        }
        Ok(())
    }

    fn set_mtime(&self, path: &RemotePath, mtime_ns: i64) -> io::Result<()> {
        let tree = self.tree();
        let mut found = lock(tree.find(Location::Served(path))?.ok_or(ErrorKind::NotFound)?);
        (found.mtime_ns, found.ctime_ns) = (mtime_ns, tick());
        Ok(())
    }

    fn staged_names(&self) -> io::Result<Vec<String>> {
        Ok(self.tree().staged.keys().cloned().collect())
    }
}

impl EntryTable {
    fn find(&self, at: Location<'_>) -> io::Result<Option<&Inode>> {
        let path = match at {
            Location::Staged(name) => return Ok(self.staged.get(name)),
            Location::Served(path) if path.is_root() => return Ok(Some(&self.root)),
            Location::Served(path) => path.as_str(),
        };
        for (end, _) in path.match_indices('/').skip(1) {
            match self.served.get(&path[..end]) {
                None => return Err(ErrorKind::NotFound.into()),
                Some(above) if lock(above).kind != Kind::Dir => return Err(ErrorKind::NotADirectory.into()),
                Some(_) => {}
            }
        }
        Ok(self.served.get(path))
    }

    /// All entries below a directory.
    fn below(&self, path: &RemotePath) -> impl Iterator<Item = (&String, &Inode)> {
        let prefix = format!("{}/", path.as_str().trim_end_matches('/'));
        self.served.range(prefix.clone()..).take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// A name in the directory of `path` was made or removed.
    fn note_change_of(&self, path: &RemotePath) {
        let parent = path.split_last().map_or("/", |(parent, _)| parent);
        let parent = if parent == "/" { Some(&self.root) } else { self.served.get(parent) };
        if let Some(parent) = parent {
            lock(parent).modified();
        }
    }
}

impl Default for InodeData {
    fn default() -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let now = tick();
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            kind: Kind::Dir,
            size: 0,
            blocks: BTreeMap::new(),
            permissions: 0o666,
            mtime_ns: now,
            ctime_ns: now,
        }
    }
}

impl InodeData {
    fn new(kind: Kind) -> Inode {
        Arc::new(Mutex::new(Self { kind, ..Self::default() }))
    }

    fn modified(&mut self) {
        let now = tick();
        (self.mtime_ns, self.ctime_ns) = (now, now);
    }
}

impl BackendFile for MemoryFile {
    fn status(&self) -> io::Result<Status> {
        Ok(status(&self.0))
    }

    fn read_at(&self, bytes: &mut Vec<u8>, off: u64, len: usize) -> io::Result<usize> {
        let content = lock(&self.0);
        let end = content.size.min(off.saturating_add(len as u64));
        let begin = bytes.len();
        let mut at = off;
        while at < end {
            let (block, within) = position(at);
            let count = usize_of(end - at).min(BLOCK - within);
            match content.blocks.get(&block) {
                Some(block) => bytes.extend_from_slice(&block[within..within + count]),
                None => bytes.resize(bytes.len() + count, 0),
            }
            at += count as u64;
        }
        Ok(bytes.len() - begin)
    }

    fn write_at(&self, mut bytes: &[u8], off: u64) -> io::Result<()> {
        let mut content = lock(&self.0);
        let end = off.checked_add(bytes.len() as u64).filter(|end| *end <= LARGEST).ok_or(ErrorKind::FileTooLarge)?;
        let mut at = off;
        while !bytes.is_empty() {
            let (block, within) = position(at);
            let count = bytes.len().min(BLOCK - within);
            let block = content.blocks.entry(block).or_insert_with(|| vec![0; BLOCK].into_boxed_slice());
            block[within..within + count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            at += count as u64;
        }
        content.size = content.size.max(end);
        content.modified();
        Ok(())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        if size > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut content = lock(&self.0);
        let (block, within) = position(size);
        content.blocks.split_off(&(block + 1));
        if let Some(last) = content.blocks.get_mut(&block) {
            last[within..].fill(0);
        }
        content.size = size;
        content.modified();
        Ok(())
    }

    fn set_mtime(&self, mtime_ns: Option<i64>) -> io::Result<()> {
        let mut content = lock(&self.0);
        let now = tick();
        (content.mtime_ns, content.ctime_ns) = (mtime_ns.unwrap_or(now), now);
        Ok(())
    }

    fn set_permissions(&self, permissions: u32) -> io::Result<()> {
        lock(&self.0).permissions = permissions;
        Ok(())
    }
}

impl BackendDir for MemoryDir {
    fn rewind(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read(&mut self, _deadline: Instant, each: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        let start = self.path.as_str().trim_end_matches('/').len() + 1;
        for (path, _) in self.memory.tree().below(&self.path) {
            let name = &path[start..];
            if !name.contains('/') {
                each(name.as_bytes());
            }
        }
        Ok(true)
    }

    fn stat(&self, name: &str) -> io::Result<Option<Status>> {
        self.memory.stat(Location::Served(&self.child(name)?))
    }

    fn open_dir(&self, name: &str) -> io::Result<Self> {
        self.memory.open_dir(&self.child(name)?)
    }
}

impl MemoryDir {
    fn child(&self, name: &str) -> io::Result<RemotePath> {
        self.path.join(name).map_err(|error| io::Error::new(ErrorKind::InvalidFilename, error))
    }
}

fn lock(inode: &Inode) -> MutexGuard<'_, InodeData> {
    inode.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(inode: &Inode) -> Status {
    let content = lock(inode);
    Status::new(content.kind, content.id)
        .with_size(content.size)
        .with_times(content.mtime_ns, content.ctime_ns)
        .with_permissions(content.permissions)
}

/// The block of an offset, and the offset in it.
fn position(off: u64) -> (u64, usize) {
    (off / BLOCK as u64, usize_of(off % BLOCK as u64))
}

fn usize_of(bounded: u64) -> usize {
    usize::try_from(bounded).unwrap_or(usize::MAX)
}

/// The present, and later at each call, so that every change gets another etag.
fn tick() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = clamp(now_ns());
    let later = |last: i64| Some(now.max(last + 1));
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).map_or(now, |last| now.max(last + 1))
}

fn process_start() -> u64 {
    static START: AtomicU64 = AtomicU64::new(0);
    let now = clamp(now_ns()).unsigned_abs();
    START.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|start| start, |_| now)
}
