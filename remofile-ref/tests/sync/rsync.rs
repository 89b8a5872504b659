//! Pushes and pulls against an oracle: `rsync -rt --omit-dir-times --checksum --delete` makes the same of the same
//! trees.

use proptest::prelude::*;
use remofile::sync::SyncOptions;
use remofile::{FileClient, FileServer, RemotePath, StopHandle, generate_token};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path as LocalPath;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

/// What is under a name. Names are few, so that two trees often have the same ones.
#[derive(Clone, Debug)]
enum TreeNode {
    File { content: u8, size: u16, mtime_ns: u64 },
    Directory(BTreeMap<String, TreeNode>),
}

/// A tree for comparison: directories have no time.
type Seen = BTreeMap<String, Option<(Vec<u8>, SystemTime)>>;

fn tree() -> impl Strategy<Value = BTreeMap<String, TreeNode>> {
    let name = || "[ab]|c d|\\.e|\u{e4}|-f|g\\*";
    let times = prop_oneof![Just(1_500_000_000_000_000_000), 1_u64..2_000_000_000_000_000_000];
    let size = prop_oneof![0_u16..4, Just(9_000)];
    let file = (0_u8..3, size, times).prop_map(|(content, size, mtime_ns)| TreeNode::File { content, size, mtime_ns });
    let node = file.prop_recursive(3, 24, 4, move |inner| {
        prop::collection::btree_map(name(), inner, 0..4).prop_map(TreeNode::Directory)
    });
    prop::collection::btree_map(name(), node, 0..5)
}

fn make(top: &LocalPath, tree: &BTreeMap<String, TreeNode>) {
    fs::create_dir_all(top).unwrap();
    for (name, node) in tree {
        let path = top.join(name);
        match node {
            TreeNode::Directory(below) => make(&path, below),
            TreeNode::File { content, size, mtime_ns } => {
                fs::write(&path, vec![*content; usize::from(*size)]).unwrap();
                let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(*mtime_ns);
                fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            }
        }
    }
}

/// Removes all but what is never synchronised.
fn clear(top: &LocalPath) {
    for entry in fs::read_dir(top).unwrap().map(Result::unwrap) {
        if entry.file_name() == ".remofile-trash" || entry.file_name() == ".remofile" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            fs::remove_dir_all(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn seen(top: &LocalPath) -> Seen {
    let mut seen = Seen::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_name() == ".remofile-trash" || entry.file_name() == ".remofile" {
                continue;
            }
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                seen.insert(name, None);
                open.push(path);
            } else {
                let time = entry.metadata().unwrap().modified().unwrap();
                seen.insert(name, Some((fs::read(path).unwrap(), time)));
            }
        }
    }
    seen
}

fn rsync(from: &LocalPath, to: &LocalPath) {
    let mut command = Command::new("rsync");
    command.args(["-rt", "--omit-dir-times", "--checksum", "--delete"]);
    // What is never synchronised.
    command.args(["--exclude=/.remofile", "--exclude=/.remofile-trash"]);
    let with_slash = |path: &LocalPath| format!("{}/", path.display());
    let done = command.arg(with_slash(from)).arg(with_slash(to)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn has_rsync() -> bool {
    let found = Command::new("rsync").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        remofile_testkit::skip::skip("rsync is missing");
    }
    found.is_ok()
}

/// Runs `test` with a client of a server of this directory.
fn with_client<T>(served: &LocalPath, test: impl FnOnce(&mut FileClient) -> T) -> T {
    struct Stop(StopHandle);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let token = generate_token();
    let mut server = FileServer::new(served, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| server.run().unwrap());
        let _stop = Stop(stop);
        let mut client = FileClient::new(endpoint, token).unwrap();
        let result = test(&mut client);
        client.bye();
        result
    })
}

/// Which way content goes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Push,
    Pull,
}

/// Makes both trees, has one side made what the other is by both programs, and compares; twice, so that the second
/// mirror starts from a record of the first.
fn mirrors_alike(
    way: Way,
    source: &BTreeMap<String, TreeNode>,
    target: &BTreeMap<String, TreeNode>,
    later: &BTreeMap<String, TreeNode>,
) {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    make(&at("local"), if matches!(way, Way::Push) { source } else { target });
    make(&at("served"), if matches!(way, Way::Push) { target } else { source });
    make(&at("oracle"), target);
    let (from, to) = match way {
        Way::Push => (at("local"), at("served")),
        Way::Pull => (at("served"), at("local")),
    };
    let options = SyncOptions::new().delete(true).allow_delete(true).state_directory(at("state"));
    with_client(&at("served"), |client| {
        for round in [source, later] {
            clear(&from);
            make(&from, round);
            rsync(&from, &at("oracle"));
            let mut ignore = |_: &remofile::sync::SyncItem<'_>| {};
            let report = match way {
                Way::Push => client.synchronize_upload(&at("local"), &RemotePath::root(), &options, &mut ignore),
                Way::Pull => client.synchronize_download(&at("local"), &RemotePath::root(), &options, &mut ignore),
            };
            let report = report.unwrap();
            assert_eq!((report.failed, &report.plan.problems), (0, &Vec::new()), "{:?}", report.failures);
            assert_eq!(seen(&to), seen(&at("oracle")), "{way:?}");
            assert_eq!(seen(&from), seen(&at("oracle")), "the source of {way:?} is as it was");
        }
    });
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 48,
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

#[test]
fn a_push_makes_of_a_tree_what_rsync_makes_of_it() {
    if !has_rsync() {
        return;
    }
    proptest!(cases(), |(source in tree(), target in tree(), later in tree())| {
        mirrors_alike(Way::Push, &source, &target, &later);
    });
}

#[test]
fn a_pull_makes_of_a_tree_what_rsync_makes_of_it() {
    if !has_rsync() {
        return;
    }
    proptest!(cases(), |(source in tree(), target in tree(), later in tree())| {
        mirrors_alike(Way::Pull, &source, &target, &later);
    });
}
