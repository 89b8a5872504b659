//! Mirrors in one direction.

use super::{World, changes};
use std::{
    fs,
    time::{Duration, SystemTime},
};

fn set_mtime(world: &World, path: &str, seconds: u64) {
    let file = fs::File::options().write(true).open(world.at(path)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789)).unwrap();
}

#[test]
fn a_push_makes_the_server_what_is_here_and_removes_nothing() {
    let world = World::new();
    world.write("local/a", "mine");
    world.write("served/a", "theirs");
    world.write("served/d/extra", "extra");
    let report = world.push(&world.options());
    assert_eq!(changes(&report.plan), ["upload a"]);
    assert_eq!(world.read("served/a"), "mine");
    assert!(world.has("served/d/extra"));
    assert!(!world.has("local/d"));
    assert!(world.contents().contains(&b"theirs"[..]));
}

#[test]
fn with_delete_what_is_extra_goes_to_the_trash() {
    let world = World::new();
    world.write("local/a", "mine");
    world.write("served/d/e/extra", "extra");
    world.push(&world.options().delete(true));
    assert_eq!(world.expect_equal().len(), 1);
    assert!(world.contents().contains(&b"extra"[..]));
    assert!(world.push(&world.options().delete(true)).plan.is_empty());
}

#[test]
fn a_pull_is_the_mirror_image() {
    let world = World::new();
    world.write("served/d/a", "theirs");
    world.write("local/extra/x", "extra");
    world.write("local/d/a", "mine");
    let report = world.pull(&world.options().delete(true));
    assert_eq!(changes(&report.plan), ["download d/a", "remove-local extra/x", "remove-local extra"]);
    world.expect_equal();
    assert_eq!(world.read("local/d/a"), "theirs");
    assert!(world.contents().contains(&b"mine"[..]));
    assert!(world.pull(&world.options().delete(true)).plan.is_empty());
}

#[test]
fn times_are_mirrored_without_the_content() {
    let world = World::new();
    for side in ["local", "served"] {
        world.write(&format!("{side}/a"), "same");
        world.write(&format!("{side}/b"), "same too");
    }
    set_mtime(&world, "local/a", 1_000_000_000);
    set_mtime(&world, "served/b", 1_100_000_000);
    let report = world.push(&world.options());
    assert_eq!(report.transferred, 0);
    assert_eq!(world.mtime("served/a"), (1_000_000_000, 123_456_789));
    assert_eq!(world.mtime("served/b"), world.mtime("local/b"));
    assert!(world.push(&world.options()).plan.is_empty());
    set_mtime(&world, "served/a", 1_200_000_000);
    world.pull(&world.options());
    assert_eq!(world.mtime("local/a"), (1_200_000_000, 123_456_789));
}

#[test]
fn a_file_takes_the_place_of_a_directory_and_the_reverse_where_deleting_is_allowed() {
    let world = World::new();
    world.write("local/a", "file");
    world.write("local/b/inner", "inner");
    world.write("served/a/deep/x", "x");
    world.write("served/a/y", "y");
    world.write("served/b", "was a file");
    let refused = world.push(&world.options());
    assert_eq!(refused.plan.problems.len(), 2);
    assert!(refused.has_conflicts() && refused.plan.is_empty());
    let report = world.push(&world.options().delete(true));
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    world.expect_equal();
    for lost in ["x", "y", "was a file"] {
        assert!(world.contents().contains(lost.as_bytes()), "{lost}");
    }
}

#[test]
fn what_is_excluded_is_neither_sent_nor_removed() {
    let world = World::new();
    world.write("local/a", "a");
    world.write("local/x.tmp", "mine");
    world.write("served/d/x.tmp", "theirs");
    let options = world.options().delete(true).exclude(|path, _| path.extension().is_some_and(|e| e == "tmp"));
    world.push(&options);
    assert!(world.has("served/d/x.tmp") && !world.has("served/x.tmp"));
}
