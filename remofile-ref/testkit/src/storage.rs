//! What the tests of the store share: a served directory in a temporary one, and short forms of operations.

pub use crate::skip::skip;
pub use crate::skip::skip_lacking;

use remofile::{ExecutionStatus, Outcome, Storage, Store, StoreOptions};
use remofile_proto::{
    Answer, Code, Digest, Entry, Etag, Listing, Operation, Precondition, Refusal, RemotePath, Staged, UploadId,
};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Makes this thread a user whom permissions bind; false, and skipped, where it cannot become one.
pub fn unprivileged() -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    let unprivileged = rustix::process::Uid::from_raw(65_534);
    match rustix::thread::set_thread_res_uid(unprivileged, unprivileged, unprivileged) {
        Ok(()) => true,
        Err(errno) => {
            skip(&format!("this thread cannot give up its rights: {errno}"));
            false
        }
    }
}

/// Where proptest keeps the cases that failed.
pub fn beside_the_source() -> Option<Box<dyn proptest::test_runner::FailurePersistence>> {
    Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource("regressions")))
}

/// A served directory with something around it that must stay unchanged.
pub struct Served {
    pub store: Store,
    mount: Option<Mount>,
    around: tempfile::TempDir,
    options: StoreOptions,
}

pub fn served() -> Served {
    served_with(StoreOptions::default())
}

pub fn served_with(options: StoreOptions) -> Served {
    served_around(tempfile::tempdir().unwrap(), options)
}

/// On no disk, where there is such a place: for what is done very often.
pub fn served_in_memory() -> Served {
    let around = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    served_around(around, StoreOptions::default())
}

fn served_around(around: tempfile::TempDir, options: StoreOptions) -> Served {
    std::fs::create_dir(around.path().join("root")).unwrap();
    let store = Store::open(&around.path().join("root"), options.clone()).unwrap();
    Served { store, mount: None, around, options }
}

pub fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

pub fn up(n: u8) -> UploadId {
    UploadId::new([n; 16])
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest::new(*blake3::hash(bytes).as_bytes())
}

/// Goes on until the operation is over; fails if that takes a minute.
pub fn finish(store: &mut impl Storage, operation: &Operation, payload: &[u8]) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut performed = store.perform(operation, payload);
    loop {
        match performed {
            ExecutionStatus::Done(outcome) => return outcome,
            ExecutionStatus::Working { done, total } => {
                assert!(done <= total || total == 0, "{done} of {total}");
                assert!(Instant::now() < deadline, "{operation:?} does not end");
                performed = store.proceed();
            }
        }
    }
}

impl Served {
    /// A path on the disk, relative to the served directory; `..` leads outside.
    pub fn disk(&self, relative: &str) -> PathBuf {
        self.outside("root").join(relative)
    }

    /// A path on the disk beside the served directory.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    pub fn file(&self, relative: &str, content: &[u8]) {
        std::fs::write(self.disk(relative), content).unwrap();
    }

    pub fn dir(&self, relative: &str) {
        std::fs::create_dir_all(self.disk(relative)).unwrap();
    }

    pub fn link(&self, to: &str, relative: &str) {
        std::os::unix::fs::symlink(to, self.disk(relative)).unwrap();
    }

    pub fn content(&self, relative: &str) -> Vec<u8> {
        std::fs::read(self.disk(relative)).unwrap()
    }

    pub fn is_there(&self, relative: &str) -> bool {
        self.disk(relative).symlink_metadata().is_ok()
    }

    /// The same on a tmpfs of its own, if one can be mounted here; `size=2m`, for example.
    pub fn on_tmpfs(self, options: &str) -> Option<Self> {
        let mount = Mount::tmpfs(&self.disk(""), options)?;
        Some(Self { mount: Some(mount), ..self }.reopened())
    }

    /// Ends this store and opens the directory again, as another process would.
    pub fn reopened(self) -> Self {
        let options = self.options.clone();
        self.reopened_with(options)
    }

    pub fn reopened_with(self, options: StoreOptions) -> Self {
        let Self { store, mount, around, .. } = self;
        drop(store);
        let store = Store::open(&around.path().join("root"), options.clone()).unwrap();
        Self { store, mount, around, options }
    }

    pub fn outcome(&mut self, operation: &Operation, payload: &[u8]) -> Outcome {
        finish(&mut self.store, operation, payload)
    }

    pub fn answer(&mut self, operation: &Operation, payload: &[u8]) -> Result<Answer, Refusal> {
        self.outcome(operation, payload).map(|success| success.answer)
    }

    pub fn code(&mut self, operation: &Operation, payload: &[u8]) -> Code {
        self.answer(operation, payload).map_or_else(|refusal| refusal.code, |_| Code::Ok)
    }

    fn entry(&mut self, operation: &Operation, payload: &[u8]) -> Result<Entry, Code> {
        match self.answer(operation, payload) {
            Ok(Answer::Entry(entry)) => Ok(entry),
            Ok(other) => panic!("not an entry: {other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    pub fn stat(&mut self, at: &str) -> Result<Entry, Code> {
        self.entry(&Operation::Stat { path: path(at) }, &[])
    }

    pub fn etag(&mut self, at: &str) -> Etag {
        self.stat(at).unwrap().etag.unwrap()
    }

    pub fn mkdir(&mut self, at: &str) -> Result<Entry, Code> {
        self.entry(&Operation::Mkdir { path: path(at) }, &[])
    }

    pub fn put(&mut self, at: &str, pre: Precondition, content: &[u8]) -> Result<Entry, Code> {
        self.put_at(at, pre, None, content)
    }

    pub fn put_at(&mut self, at: &str, pre: Precondition, mtime_ns: Option<i64>, bytes: &[u8]) -> Result<Entry, Code> {
        self.entry(&Operation::Put { path: path(at), pre, mtime_ns }, bytes)
    }

    pub fn write(&mut self, at: &str, off: u64, etag: Option<Etag>, bytes: &[u8]) -> Result<Entry, Code> {
        self.entry(&Operation::Write { path: path(at), off, etag }, bytes)
    }

    pub fn truncate(&mut self, at: &str, size: u64) -> Result<Entry, Code> {
        self.entry(&Operation::Truncate { path: path(at), size, etag: None }, &[])
    }

    pub fn touch(&mut self, at: &str, mtime_ns: i64) -> Result<Entry, Code> {
        self.entry(&Operation::Touch { path: path(at), mtime_ns }, &[])
    }

    pub fn remove(&mut self, at: &str) -> Code {
        self.code(&Operation::Remove { path: path(at), etag: None }, &[])
    }

    pub fn rename(&mut self, from: &str, to: &str, pre: Precondition) -> Result<Entry, Code> {
        self.entry(&Operation::Move { from: path(from), to: path(to), pre, etag: None }, &[])
    }

    pub fn copy(&mut self, from: &str, to: &str, pre: Precondition) -> Result<Entry, Code> {
        self.entry(&Operation::Copy { from: path(from), to: path(to), pre, etag: None }, &[])
    }

    /// The bytes of a range, with the etag and size that came with them.
    pub fn read(&mut self, at: &str, off: u64, len: u64, etag: Option<Etag>) -> Result<(Vec<u8>, Etag, u64), Code> {
        match self.outcome(&Operation::Read { path: path(at), off, len, etag }, &[]) {
            Ok(success) => match success.answer {
                Answer::Read(result) => Ok((success.payload.unwrap(), result.etag, result.size)),
                other => panic!("not what was read: {other:?}"),
            },
            Err(refusal) => Err(refusal.code),
        }
    }

    /// Hash and length of a range.
    pub fn hash(&mut self, at: &str, off: u64, len: Option<u64>) -> Result<(Digest, u64), Code> {
        match self.answer(&Operation::Hash { path: path(at), off, len }, &[]) {
            Ok(Answer::Hash(result)) => Ok((result.hash, result.len)),
            Ok(other) => panic!("not a hash: {other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    pub fn list(&mut self, at: &str, after: &str, limit: Option<u64>, tree: bool) -> Result<Listing, Code> {
        let after = (!after.is_empty()).then(|| after.to_owned());
        match self.answer(&Operation::List { path: path(at), after, limit, tree }, &[]) {
            Ok(Answer::Listing(listing)) => Ok(listing),
            Ok(other) => panic!("not a listing: {other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    /// All names in pages of `limit`, and how many were left out.
    pub fn list_all(&mut self, at: &str, limit: Option<u64>, tree: bool) -> (Vec<String>, u64) {
        let (mut names, mut skipped, mut after) = (Vec::new(), 0, String::new());
        loop {
            let page = self.list(at, &after, limit, tree).unwrap();
            skipped += page.skipped;
            names.extend(page.entries.into_iter().map(|listed| listed.name));
            if !page.more {
                return (names, skipped);
            }
            after = names.last().cloned().unwrap();
        }
    }

    pub fn begin(&mut self, id: u8, at: &str, size: Option<u64>) -> Result<Staged, Code> {
        match self.answer(&Operation::Begin { up: up(id), path: path(at), size }, &[]) {
            Ok(Answer::Staged(staged)) => Ok(staged),
            Ok(other) => panic!("not a staged upload: {other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    pub fn append(&mut self, id: u8, off: u64, bytes: &[u8]) -> Result<u64, Code> {
        match self.answer(&Operation::Append { up: up(id), off }, bytes) {
            Ok(Answer::Offset(off)) => Ok(off),
            Ok(other) => panic!("not an offset: {other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    /// Commits what is expected to be staged.
    pub fn commit(&mut self, id: u8, content: &[u8], pre: Precondition) -> Result<Entry, Code> {
        let (size, hash) = (content.len() as u64, digest(content));
        self.entry(&Operation::Commit { up: up(id), size, hash, pre, mtime_ns: None }, &[])
    }

    pub fn abort(&mut self, id: u8) -> Code {
        self.code(&Operation::Abort { up: up(id) }, &[])
    }

    pub fn uploads(&mut self) -> Vec<(u8, String, u64, Option<u64>)> {
        match self.answer(&Operation::Uploads { after: None }, &[]) {
            Ok(Answer::Uploads(page)) => page
                .uploads
                .into_iter()
                .map(|one| (one.up.as_bytes()[0], one.path.as_str().to_owned(), one.off, one.size))
                .collect(),
            other => panic!("not uploads: {other:?}"),
        }
    }
}

/// A file system that is unmounted when this is dropped.
pub struct Mount(PathBuf);

impl Mount {
    pub fn tmpfs(at: &std::path::Path, options: &str) -> Option<Self> {
        Self::with(&["-t", "tmpfs", "-o", options, "tmpfs"], at)
    }

    /// An ext4 in a file, mounted so that nothing reaches the disk earlier than it has to.
    pub fn ext4(at: &std::path::Path, image: &std::path::Path) -> Option<Self> {
        if !image.exists() {
            std::fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
            run(std::process::Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))?;
        }
        Self::with(&["-t", "ext4", "-o", "loop,noauto_da_alloc", image.to_str()?], at)
    }

    /// An xfs in a file.
    pub fn xfs(at: &std::path::Path, image: &std::path::Path) -> Option<Self> {
        if !image.exists() {
            // The smallest that mkfs makes.
            std::fs::File::create(image).unwrap().set_len(300 << 20).unwrap();
            run(std::process::Command::new("mkfs.xfs").args(["-q", "-f"]).arg(image))?;
        }
        // Copies of one image have one id, which would be refused.
        Self::with(&["-t", "xfs", "-o", "loop,nouuid", image.to_str()?], at)
    }

    fn with(arguments: &[&str], at: &std::path::Path) -> Option<Self> {
        run(std::process::Command::new("mount").args(arguments).arg(at))?;
        Some(Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because a store may have it open still.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Runs a command that the test needs; skips where it is missing or fails.
pub fn run(command: &mut std::process::Command) -> Option<()> {
    let reason = match command.output() {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    skip(&format!("{}: {reason}", command.get_program().display()));
    None
}
