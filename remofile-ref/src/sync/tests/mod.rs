//! Runs against a real server: what they do, what they leave alone, and that a kill at any step loses nothing.
#![allow(clippy::unwrap_used)]

mod cases;
mod one_way;
mod property;
mod safety;
mod unsupported;

use super::{Change, Plan, SyncError, SyncOptions, SyncReport, failpoint::SyncFailpoint};
use crate::{Cancel, ClientOptions, Endpoint, FileClient, FileServer, StopHandle, Token, generate_token};
use remofile_proto::RemotePath;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path as LocalPath, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

/// A server with its directory, a local directory, and a directory for saved state.
struct World {
    around: tempfile::TempDir,
    token: Token,
    endpoint: Endpoint,
    stop: StopHandle,
    serving: Option<JoinHandle<()>>,
    runs: AtomicU64,
}

/// All that a directory holds: directories, and files by their content.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

impl World {
    fn new() -> Self {
        // Where there is memory for it, nothing waits for a disk.
        let memory = LocalPath::new("/dev/shm");
        let around = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for name in ["local", "served"] {
            fs::create_dir(around.path().join(name)).unwrap();
        }
        let token = generate_token();
        let mut server = FileServer::new(around.path().join("served"), &token).unwrap().bind("127.0.0.1:0").unwrap();
        let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
        let serving = std::thread::spawn(move || server.run().unwrap());
        Self { around, token, endpoint, stop, serving: Some(serving), runs: AtomicU64::new(0) }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.around.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn remove(&self, path: &str) {
        let path = self.at(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn mtime(&self, path: &str) -> (i64, i64) {
        let metadata = self.at(path).metadata().unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    }

    /// Options whose clock is a second later in every run, so that runs differ in what they name.
    fn options(&self) -> SyncOptions {
        let second = 1_763_861_662 + self.runs.fetch_add(1, Ordering::Relaxed);
        SyncOptions::new()
            .state_directory(self.at("state"))
            .host_name("here")
            .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(second))
            .trash_kept_for(Duration::from_secs(1 << 40))
    }

    fn client(&self) -> FileClient {
        let options = ClientOptions::new().cancel(Cancel::after(Duration::from_secs(120)));
        options.connect(&self.endpoint, &self.token).unwrap()
    }

    fn sync_with(&self, options: &SyncOptions) -> Result<SyncReport, SyncError> {
        let client = self.client();
        let result = client.synchronize(&self.at("local"), &RemotePath::root(), options, &mut |_| {});
        client.bye();
        result
    }

    /// Both directions; nothing may fail.
    fn sync(&self) -> SyncReport {
        let report = self.sync_with(&self.options()).unwrap();
        assert_eq!(report.failed, 0, "{:?}", report.failures);
        report
    }

    fn push(&self, options: &SyncOptions) -> SyncReport {
        let client = self.client();
        let report = client.synchronize_upload(&self.at("local"), &RemotePath::root(), options, &mut |_| {}).unwrap();
        client.bye();
        report
    }

    fn pull(&self, options: &SyncOptions) -> SyncReport {
        let client = self.client();
        let report = client.synchronize_download(&self.at("local"), &RemotePath::root(), options, &mut |_| {}).unwrap();
        client.bye();
        report
    }

    /// What is synchronised of a side.
    fn tree(&self, side: &str) -> Tree {
        let mut tree = all(&self.at(side));
        tree.retain(|path, _| !path.starts_with(".remofile"));
        tree
    }

    /// All contents that are anywhere on both sides, in trashes too.
    fn contents(&self) -> BTreeSet<Vec<u8>> {
        [all(&self.at("local")), all(&self.at("served"))]
            .into_iter()
            .flat_map(BTreeMap::into_values)
            .flatten()
            .collect()
    }

    #[track_caller]
    fn expect_equal(&self) -> Tree {
        let (local, served) = (self.tree("local"), self.tree("served"));
        assert_eq!(local, served);
        local
    }

    /// Nothing is left to do.
    #[track_caller]
    fn expect_rest(&self) {
        let report = self.sync();
        assert!(report.plan.is_empty(), "{:?}", changes(&report.plan));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn all(top: &LocalPath) -> Tree {
    let (mut tree, mut open) = (Tree::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                tree.insert(name, None);
                open.push(path);
            } else if kind.is_file() {
                tree.insert(name, Some(fs::read(path).unwrap()));
            }
        }
    }
    tree
}

/// What a plan changes, in words.
fn changes(plan: &Plan) -> Vec<String> {
    plan.changes()
        .map(|action| match &action.change {
            Change::KeepBoth { copy } => format!("conflict {} {copy}", action.path),
            Change::Move { from, .. } => format!("{} {from} {}", action.change.name(), action.path),
            change => format!("{} {}", change.name(), action.path),
        })
        .collect()
}
