//! Entries that cannot be synchronised, or that change meanwhile, are reported, and the others are synchronised.

use super::World;
use crate::sync::{ProblemReason, Side};
use remofile_proto::RemotePath;
use std::{fs, os::unix::fs::symlink};

#[test]
fn a_file_against_a_directory_is_reported_and_left_alone() {
    let world = World::new();
    world.write("local/x", "file");
    world.write("served/x/inner", "inner");
    world.write("local/rest", "rest");
    let report = world.sync();
    assert_eq!(report.plan.problems.len(), 1);
    assert_eq!(report.plan.problems[0].why, ProblemReason::FileAgainstDirectory { directory: Side::Remote });
    assert!(report.has_conflicts());
    assert_eq!((world.read("local/x"), world.read("served/x/inner")), ("file".into(), "inner".into()));
    assert_eq!(world.read("served/rest"), "rest");
}

#[test]
fn name_collisions_are_reported_and_never_merged() {
    let world = World::new();
    world.write("local/README", "upper");
    world.write("served/readme", "lower");
    world.write("local/e\u{301}", "decomposed");
    world.write("served/\u{e9}", "composed");
    world.write("local/Dir/x", "x");
    world.write("served/dir/y", "y");
    world.write("local/rest", "rest");
    let report = world.sync();
    let name_collisions: Vec<_> = report.plan.problems.iter().map(|problem| &*problem.path).collect();
    assert_eq!(name_collisions, ["Dir", "README", "dir", "e\u{301}", "readme", "\u{e9}"]);
    assert!(report.is_incomplete());
    assert_eq!(world.read("served/rest"), "rest");
    assert!(!world.has("served/README") && !world.has("local/readme") && !world.has("local/dir"));
    world.sync_with(&world.options().allow_name_collisions(true)).unwrap();
    world.expect_equal();
}

#[test]
fn a_name_whose_case_changes_is_renamed() {
    let world = World::new();
    world.write("local/README", "text");
    world.sync();
    fs::rename(world.at("local/README"), world.at("local/readme")).unwrap();
    let report = world.sync();
    assert_eq!((report.moved, report.plan.problems.len()), (1, 0));
    world.expect_equal();
}

#[test]
fn links_are_reported_and_what_was_there_is_not_removed_for_them() {
    let world = World::new();
    world.write("local/a", "content");
    world.write("local/rest", "rest");
    world.sync();
    world.remove("local/a");
    symlink("/etc/passwd", world.at("local/a")).unwrap();
    let report = world.sync();
    assert_eq!(report.plan.problems[0].why, ProblemReason::Link(Side::Local));
    assert_eq!(world.read("served/a"), "content");
}

#[test]
fn a_directory_that_holds_what_is_left_out_stays() {
    let world = World::new();
    world.write("local/d/x", "x");
    world.write("local/rest", "rest");
    world.sync();
    symlink("x", world.at("local/d/link")).unwrap();
    world.remove("served/d");
    let report = world.sync();
    assert_eq!(report.failed, 0);
    assert!(world.has("local/d/link") && !world.has("local/d/x") && world.has("served/d"));
}

#[test]
fn neither_trash_is_synchronised() {
    let world = World::new();
    for content in ["one", "two", "three"] {
        world.write("local/a", content);
        world.write("served/b", content);
        world.sync();
    }
    assert!(world.has("local/.remofile-trash") && world.has("served/.remofile-trash"));
    assert_eq!(world.expect_equal().len(), 2);
    let trashed = |side: &str| super::all(&world.at(side)).into_values().flatten().count();
    assert_eq!((trashed("local/.remofile-trash"), trashed("served/.remofile-trash")), (2, 2));
}

#[test]
fn a_file_that_changes_between_plan_and_download_stays() {
    let world = World::new();
    world.write("local/a", "base");
    world.write("local/b", "base too");
    world.sync();
    for name in ["a", "b"] {
        world.write(&format!("served/{name}"), "theirs");
    }
    let local = world.at("local");
    let client = world.client();
    let report = client
        .synchronize(&local, &RemotePath::root(), &world.options(), &mut |_| {
            // As soon as the first one is there.
            fs::write(world.at("local/b"), "mine, meanwhile").unwrap();
        })
        .unwrap();
    client.bye();
    assert_eq!((report.downloaded, report.failed), (1, 1), "{:?}", report.failures);
    assert_eq!(world.read("local/b"), "mine, meanwhile");
    let next = world.sync();
    assert_eq!(next.conflicts, 1);
    let tree = world.expect_equal();
    assert_eq!(tree["b"].as_deref(), Some(&b"theirs"[..]));
    assert!(tree.values().flatten().any(|content| content == b"mine, meanwhile"));
}

#[test]
fn a_part_of_the_server_is_synchronised_by_itself() {
    let world = World::new();
    fs::create_dir(world.at("served/photos")).unwrap();
    world.write("served/outside", "outside");
    world.write("local/a", "a");
    let remote = RemotePath::parse("/photos").unwrap();
    for content in ["first", "second"] {
        world.write("local/a", content);
        let client = world.client();
        client.synchronize(&world.at("local"), &remote, &world.options(), &mut |_| {}).unwrap();
        client.bye();
    }
    assert_eq!(world.read("served/photos/a"), "second");
    assert!(world.has("served/.remofile-trash") && !world.has("served/photos/.remofile-trash"));
    assert!(!world.has("local/outside"));
}
