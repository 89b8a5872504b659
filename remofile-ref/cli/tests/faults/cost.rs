//! What many entries cost, counted and not timed: as many calls and requests an entry, however many there are.

use remofile::{ExecutionStatus, Outcome, RemotePath, Storage, Store, StoreOptions};
use remofile_proto::{Answer, Operation};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::process::{remofile, run};
use remofile_testkit::skip::skip;
use remofile_testkit::this_test;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Names the served directory to the inner run of a test.
const INNER: &str = "REMOFILE_TEST_INNER";

/// Entries on one page of a listing.
const PAGE: u64 = 50;

fn finish(store: &mut Store, operation: &Operation) -> Outcome {
    let mut performed = store.perform(operation, &[]);
    loop {
        match performed {
            ExecutionStatus::Done(outcome) => return outcome,
            ExecutionStatus::Working { .. } => performed = store.proceed(),
        }
    }
}

/// Lists the tree in small pages; the inner part of the test below.
fn list_all(root: &std::path::Path) -> usize {
    let mut store = Store::open(root, StoreOptions { read_only: true, ..StoreOptions::default() }).unwrap();
    let (mut count, mut after) = (0, None);
    loop {
        let path = RemotePath::parse("/").unwrap();
        let list = Operation::List { path, after: after.take(), limit: Some(PAGE), tree: true };
        let Answer::Listing(page) = finish(&mut store, &list).unwrap().answer else { panic!("no listing") };
        count += page.entries.len();
        match page.entries.last() {
            Some(last) if page.more => after = Some(last.name.clone()),
            _ => return count,
        }
    }
}

/// How many system calls of a kind it takes to list this many entries: `wide` in one directory, else ten in each.
fn calls(test: &str, count: usize, wide: bool) -> Option<BTreeMap<String, u64>> {
    let around = tempfile::tempdir().unwrap();
    let (root, trace) = (around.path().join("root"), around.path().join("trace"));
    for n in 0..count {
        let directory = if wide { root.clone() } else { root.join(format!("{}", n / 10)) };
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("name-{n:010}")), "").unwrap();
    }
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=getdents64,lseek,newfstatat,statx,fstat,openat,openat2", "-o"]).arg(&trace);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    match command.env(INNER, &root).stdout(Stdio::null()).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => {
            skip(&format!("strace: {error}"));
            return None;
        }
    }
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        if let Some((before, _)) = line.split_once('(') {
            let name = before.rsplit(' ').next().unwrap();
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    Some(calls)
}

#[test]
fn a_listing_takes_as_many_calls_an_entry_however_many_there_are() {
    if let Some(root) = std::env::var_os(INNER) {
        assert!(list_all(root.as_ref()) > 0);
        return;
    }
    let test = this_test!();
    for wide in [true, false] {
        let (Some(few), Some(many)) = (calls(&test, 500, wide), calls(&test, 2_000, wide)) else { return };
        assert!(many["getdents64"] > 0 && many.values().sum::<u64>() >= 2_000, "{many:?}");
        for (name, count) in &many {
            let bound = 4 * few.get(name).copied().unwrap_or(0) + 20;
            assert!(*count <= bound, "{name}: {count} for four times as much as {few:?}");
        }
    }
}

/// The real store, and how often each operation reached it.
struct Counted {
    store: Store,
    count: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Storage for Counted {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        *self.count.lock().unwrap().entry(operation.name()).or_default() += 1;
        self.store.perform(operation, payload)
    }

    fn proceed(&mut self) -> ExecutionStatus {
        self.store.proceed()
    }

    fn cancel(&mut self) {
        self.store.cancel();
    }
}

/// The operations that a tree of this many files takes upwards, downwards and to be removed.
fn operations(files: usize) -> [BTreeMap<&'static str, usize>; 3] {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    fs::create_dir(at("served")).unwrap();
    for n in 0..files {
        let directory = at("tree").join(format!("{}", n / 20));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{n}")), "content").unwrap();
    }
    let count = Arc::new(Mutex::new(BTreeMap::new()));
    let store = Store::open(&at("served"), StoreOptions::default()).unwrap();
    let server = FakeServer::over(Counted { store, count: Arc::clone(&count) });
    let text = |name: &str| at(name).to_str().unwrap().to_owned();
    let commands = [vec!["upload", "-r"], vec!["download", "-r", "/up"], vec!["remove", "-r", "/up"]];
    let operands = [vec![text("tree"), "/up".to_owned()], vec![text("down")], vec![]];
    let mut counted = commands.iter().zip(operands).map(|(command, operands)| {
        let mut client = remofile();
        client.args(command).args(operands);
        client.env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", remofile_testkit::process::TOKEN);
        run(&mut client).success();
        std::mem::take(&mut *count.lock().unwrap())
    });
    [(); 3].map(|()| counted.next().unwrap())
}

#[test]
fn a_tree_takes_one_request_a_file() {
    for files in [100, 400] {
        let directories = files / 20 + 1;
        let [up, down, removed] = operations(files);
        let total = |counted: &BTreeMap<&'static str, usize>| counted.values().sum::<usize>();
        assert_eq!((up["put"], up["mkdir"], up["flush"]), (files, directories, 1));
        assert!(total(&up) <= files + directories + 5, "{up:?}");
        assert_eq!(down["read"], files);
        assert!(total(&down) <= files + 5, "{down:?}");
        assert_eq!(removed["remove"], files + directories);
        assert!(total(&removed) <= files + directories + 5, "{removed:?}");
    }
}
