//! The table of what becomes of a file, conflicts and renames.

use super::{World, changes};
use crate::sync::{
    compare::{HashRequests, hash_requests},
    input::{LocalFileState, Node, RemoteFileState, ScannedEntry, SyncInput},
    state::{SavedState, StateFiles},
};
use remofile_proto::RemotePath;
use std::{fs, time::SystemTime};

/// Two sides that are the same, with one file.
fn synchronised() -> World {
    let world = World::new();
    world.write("local/a.txt", "base");
    world.write("local/other", "other");
    world.sync();
    world
}

#[test]
fn what_is_new_goes_to_the_other_side() {
    let world = World::new();
    world.write("local/d/up", "up");
    world.write("served/e/down", "down");
    fs::create_dir(world.at("local/empty")).unwrap();
    let report = world.sync();
    assert_eq!((report.uploaded, report.downloaded, report.directories), (1, 1, 3));
    assert_eq!(world.expect_equal().len(), 5);
    world.expect_rest();
}

#[test]
fn an_edit_goes_to_the_other_side_and_what_it_replaces_to_the_trash() {
    let world = synchronised();
    world.write("local/a.txt", "up");
    assert_eq!(changes(&world.sync().plan), ["upload a.txt"]);
    assert_eq!(world.read("served/a.txt"), "up");
    world.write("served/a.txt", "down");
    assert_eq!(changes(&world.sync().plan), ["download a.txt"]);
    assert_eq!(world.read("local/a.txt"), "down");
    let contents = world.contents();
    assert!(contents.contains(&b"base"[..]) && contents.contains(&b"up"[..]));
    world.expect_rest();
}

#[test]
fn a_deletion_goes_to_the_other_side_and_the_file_to_its_trash() {
    let world = synchronised();
    world.remove("local/a.txt");
    world.remove("served/other");
    world.write("local/third", "third");
    assert_eq!(changes(&world.sync().plan), ["upload third", "remove-remote a.txt", "remove-local other"]);
    assert_eq!(world.expect_equal().len(), 1);
    assert!(world.contents().contains(&b"base"[..]) && world.contents().contains(&b"other"[..]));
    world.expect_rest();
}

#[test]
fn a_directory_goes_with_all_that_it_holds() {
    let world = World::new();
    for name in ["d/e/f", "d/g", "keep"] {
        world.write(&format!("local/{name}"), name);
    }
    world.sync();
    world.remove("served/d");
    world.sync();
    assert_eq!(world.expect_equal().into_keys().collect::<Vec<_>>(), ["keep"]);
    world.expect_rest();
}

#[test]
fn an_edit_beats_a_deletion() {
    let world = World::new();
    for name in ["up/x", "down/x"] {
        world.write(&format!("local/{name}"), "base");
    }
    world.sync();
    world.write("local/up/x", "edited");
    world.remove("served/up");
    world.write("served/down/x", "edited");
    world.remove("local/down");
    world.sync();
    assert_eq!((world.read("served/up/x"), world.read("local/down/x")), ("edited".into(), "edited".into()));
    world.expect_equal();
    world.expect_rest();
}

#[test]
fn what_both_have_deleted_is_forgotten() {
    let world = synchronised();
    world.remove("local/a.txt");
    world.remove("served/a.txt");
    assert!(world.sync().plan.is_empty());
    world.write("local/a.txt", "base");
    assert_eq!(changes(&world.sync().plan), ["upload a.txt"]);
}

#[test]
fn the_same_edit_on_both_sides_is_no_conflict() {
    let world = synchronised();
    world.write("local/a.txt", "same");
    world.write("served/a.txt", "same");
    assert!(world.sync().plan.is_empty());
    world.remove("local/a.txt");
    assert_eq!(changes(&world.sync().plan), ["remove-remote a.txt"]);
}

#[test]
fn a_conflict_keeps_both_and_the_server_keeps_the_name() {
    let world = synchronised();
    world.write("local/a.txt", "mine");
    world.write("served/a.txt", "theirs");
    let report = world.sync();
    assert_eq!(report.conflicts, 1);
    assert!(report.has_conflicts());
    let tree = world.expect_equal();
    assert_eq!(tree["a.txt"].as_deref(), Some(&b"theirs"[..]));
    assert_eq!(tree["a.conflict-20251123T013423Z-here.txt"].as_deref(), Some(&b"mine"[..]));
    let next = world.sync();
    assert!(next.plan.is_empty());
    assert_eq!(next.plan.conflict_copies, ["a.conflict-20251123T013423Z-here.txt"]);
}

#[test]
fn a_conflict_about_a_copy_does_not_nest_names() {
    let world = World::new();
    let copy = "a.conflict-20200101T000000Z-there.txt";
    world.write(&format!("local/{copy}"), "mine");
    world.write(&format!("served/{copy}"), "theirs");
    world.sync();
    let tree = world.expect_equal();
    assert_eq!(tree.keys().collect::<Vec<_>>(), [copy, "a.conflict-20251123T013422Z-here.txt"]);
}

#[test]
fn without_a_saved_state_both_are_merged_and_nothing_is_deleted() {
    let world = synchronised();
    fs::remove_dir_all(world.at("state")).unwrap();
    world.remove("served/a.txt");
    world.write("local/other", "mine");
    let report = world.sync();
    assert_eq!((report.conflicts, report.removed), (1, 0));
    assert_eq!(world.expect_equal().len(), 3);
}

#[test]
fn a_damaged_saved_state_is_ignored() {
    let world = synchronised();
    for entry in fs::read_dir(world.at("state")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(byte) = bytes.get_mut(40) {
            *byte ^= 1;
        }
        fs::write(path, bytes).unwrap();
    }
    world.remove("served/a.txt");
    assert_eq!(changes(&world.sync().plan), ["upload a.txt"]);
    world.expect_rest();
}

#[test]
fn a_rename_is_a_move_on_the_other_side() {
    let world = World::new();
    world.write("local/a/one", "first content");
    world.write("local/two", "other content");
    world.sync();
    fs::create_dir(world.at("local/b")).unwrap();
    fs::rename(world.at("local/a/one"), world.at("local/b/uno")).unwrap();
    fs::rename(world.at("served/two"), world.at("served/due")).unwrap();
    let report = world.sync();
    assert_eq!((report.moved, report.transferred), (2, 0), "{:?}", changes(&report.plan));
    assert!(world.has("served/b/uno") && world.has("local/due"));
    world.expect_equal();
    world.expect_rest();
}

#[test]
fn an_edit_that_restores_size_and_time_is_seen() {
    let world = synchronised();
    let before = world.at("local/a.txt").metadata().unwrap().modified().unwrap();
    world.write("local/a.txt", "BASE");
    fs::File::options().write(true).open(world.at("local/a.txt")).unwrap().set_modified(before).unwrap();
    assert_eq!(changes(&world.sync().plan), ["upload a.txt"]);
}

#[test]
fn a_time_that_changes_alone_moves_nothing() {
    let world = synchronised();
    for file in ["local/a.txt", "served/other"] {
        let file = fs::File::options().write(true).open(world.at(file)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    world.expect_rest();
}

#[test]
fn large_files_go_both_ways_and_are_replaced_through_the_trash() {
    let world = World::new();
    let content = |seed: u8| vec![seed; 700_000];
    world.write("local/up", content(1));
    world.write("served/down", content(2));
    world.sync();
    world.expect_equal();
    world.write("local/up", content(3));
    world.write("served/down", content(4));
    world.sync();
    world.expect_equal();
    let contents = world.contents();
    assert!((1..=4).all(|seed| contents.contains(&content(seed))));
    world.expect_rest();
}

#[test]
fn a_dry_run_shows_what_the_run_does_and_does_nothing() {
    let world = synchronised();
    world.write("local/a.txt", "mine");
    world.write("served/a.txt", "theirs");
    world.write("served/d/new", "new");
    world.remove("local/other");
    let options = world.options();
    let before = (world.tree("local"), world.tree("served"));
    let mut told = 0;
    let client = world.client();
    let dry = client
        .synchronize(&world.at("local"), &RemotePath::root(), &options.clone().dry_run(true), &mut |_| told += 1)
        .unwrap();
    client.bye();
    assert_eq!(before, (world.tree("local"), world.tree("served")));
    let done = world.sync_with(&options).unwrap();
    assert_eq!(dry.plan.actions, done.plan.actions);
    assert_eq!(told, dry.plan.changes().count());
    world.expect_equal();
}

#[test]
fn an_unchanged_file_costs_no_read_and_no_request() {
    let world = synchronised();
    // Once more, when no file counts as recently modified any more.
    let fresh = SystemTime::now() + std::time::Duration::from_millis(30);
    while SystemTime::now() < fresh {
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    world.sync();
    let mut client = world.client();
    let remote_scan = client.scan_remote(&RemotePath::root(), &world.options()).unwrap().unwrap();
    let files = StateFiles::new(
        world.at("state"),
        &fs::canonicalize(world.at("local")).unwrap(),
        &RemotePath::root(),
        client.welcome().root,
    );
    client.bye();
    let (_, saved) = SavedState::open(files, true).unwrap();
    assert_eq!(saved.len(), 2);
    let local: Vec<ScannedEntry<LocalFileState>> = saved
        .iter()
        .map(|(path, _)| {
            let stat = rustix::fs::stat(world.at(&format!("local/{path}"))).unwrap();
            let version = crate::sync::LocalVersion::from(&stat);
            ScannedEntry {
                path: path.clone(),
                node: Node::File(LocalFileState { version, is_recently_modified: false, hash: None }),
            }
        })
        .collect();
    let mut input = SyncInput { local, remote: remote_scan.items, saved };
    assert_eq!(hash_requests(&input), HashRequests::default());
    // What may have changed under its etag is asked for.
    if let Node::File(RemoteFileState { is_racy, .. }) = &mut input.remote[0].node {
        *is_racy = true;
    }
    assert_eq!(hash_requests(&input).remote, ["a.txt"]);
}
