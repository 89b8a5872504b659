//! Downloads and synchronisation while calls of the client fail; the server is in another thread, where none does.

use super::{Failpoint, Fault, MISSING, WITHOUT_LINKS};
use crate::sync::SyncOptions;
use crate::{FileClient, FileServer, RemotePath, StopHandle, generate_token};
use rustix::io::Errno;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

/// A served directory `served`, a local one, and a client.
struct Fixture {
    around: tempfile::TempDir,
    client: FileClient,
    stop: StopHandle,
    serving: Option<JoinHandle<()>>,
}

/// The served files.
const FILES: [(&str, usize); 3] = [("small", 100), ("below/empty", 0), ("large", 600_000)];

fn content(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

impl Fixture {
    fn new() -> Self {
        let around = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        fs::create_dir_all(around.path().join("served/below")).unwrap();
        for (name, len) in FILES {
            fs::write(around.path().join("served").join(name), content(len)).unwrap();
        }
        let token = generate_token();
        let mut server = FileServer::new(around.path().join("served"), &token).unwrap().bind("127.0.0.1:0").unwrap();
        let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
        let serving = std::thread::spawn(move || server.run().unwrap());
        let client = FileClient::new(&endpoint, &token).unwrap();
        Self { around, client, stop, serving: Some(serving) }
    }

    /// An empty local directory.
    fn local(&self) -> PathBuf {
        let local = self.around.path().join("local");
        for directory in [&local, &self.around.path().join("state")] {
            if directory.exists() {
                fs::remove_dir_all(directory).unwrap();
            }
        }
        fs::create_dir(&local).unwrap();
        local
    }

    fn run(&mut self, way: Way, local: &Path) -> Result<(), String> {
        let root = RemotePath::root();
        match way {
            Way::File => {
                let remote = root.join("large").unwrap();
                let done = self.client.download_file(&remote, &local.join("large"), false);
                done.map(drop).map_err(|error| error.to_string())
            }
            Way::Tree => {
                let done = self.client.download_tree(&root, local, true);
                let done = done.map_err(|error| error.to_string())?;
                if done.failed == 0 { Ok(()) } else { Err(format!("{} items failed", done.failed)) }
            }
            Way::Sync => {
                let options = SyncOptions::new()
                    .state_directory(self.around.path().join("state"))
                    .host_name("here")
                    .trash_kept_for(Duration::from_secs(1 << 40));
                let done = self.client.synchronize_download(local, &root, &options, &mut |_| {});
                let done = done.map_err(|error| error.to_string())?;
                if done.failed == 0 && done.plan.problems.is_empty() { Ok(()) } else { Err("items failed".to_owned()) }
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    File,
    Tree,
    Sync,
}

impl Way {
    fn files(self) -> &'static [(&'static str, usize)] {
        if self == Self::File { &FILES[2..] } else { &FILES }
    }
}

/// A file exists whole or not at all; with `all` it exists.
fn assert_whole(way: Way, local: &Path, all: bool) {
    for (name, len) in way.files() {
        match fs::read(local.join(name)) {
            Ok(found) => assert!(found == content(*len), "{way:?}: {name} has {} bytes", found.len()),
            Err(error) => assert!(!all, "{way:?}: {name}: {error}"),
        }
    }
}

/// The names of unfinished files in a directory.
fn unfinished(local: &Path) -> Vec<String> {
    let names = fs::read_dir(local).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".remofile-") && name != ".remofile-trash").collect()
}

#[test]
fn downloads_and_sync_make_their_names_without_links() {
    let mut fixture = Fixture::new();
    for way in [Way::File, Way::Tree, Way::Sync] {
        for errno in MISSING {
            let local = fixture.local();
            let failpoint = Failpoint::new(Fault::all_of(WITHOUT_LINKS, errno));
            assert_eq!(fixture.run(way, &local), Ok(()), "{way:?} {errno}");
            drop(failpoint);
            assert_whole(way, &local, true);
            assert_eq!(unfinished(&local), Vec::<String>::new(), "{way:?} {errno}");
        }
    }
}

#[test]
fn a_download_replaces_no_existing_file_without_links() {
    let mut fixture = Fixture::new();
    let local = fixture.local();
    fs::write(local.join("large"), "mine").unwrap();
    let _failpoint = Failpoint::new(Fault::all_of(WITHOUT_LINKS, Errno::OPNOTSUPP));
    assert!(fixture.run(Way::File, &local).is_err());
    assert_eq!(fs::read(local.join("large")).unwrap(), b"mine");
}

/// The n-th call fails, for every n until none is left; returns how many calls that were.
fn every_call(fixture: &mut Fixture, way: Way, errno: Errno, persists: bool) -> u64 {
    for nth in 1.. {
        let local = fixture.local();
        let failpoint = Failpoint::new(Fault { errno, nth, persists, only: &[] });
        let result = fixture.run(way, &local);
        let failed = failpoint.failed();
        assert!(!failpoint.believed_a_second_sync(), "{way:?} {nth}: a file was synced again after a failure");
        drop(failpoint);
        assert_whole(way, &local, result.is_ok());
        if failed.is_empty() {
            assert_eq!(result, Ok(()), "{way:?} {nth}");
            return nth - 1;
        }
        assert_eq!(fixture.run(way, &local), Ok(()), "{way:?} {nth}: {failed:?} failed before");
        assert_whole(way, &local, true);
        assert_eq!(unfinished(&local), Vec::<String>::new(), "{way:?} {nth}: {failed:?} failed before");
    }
    unreachable!("a transfer ends")
}

#[test]
fn each_call_that_fails_leaves_downloads_and_sync_whole() {
    let mut fixture = Fixture::new();
    for way in [Way::File, Way::Tree, Way::Sync] {
        for errno in [Errno::IO, Errno::NOSPC] {
            for persists in [false, true] {
                let calls = every_call(&mut fixture, way, errno, persists);
                println!("{way:?} {errno}: {calls} calls failed");
                assert!(calls > 10, "{calls} calls are too few");
            }
        }
    }
}
