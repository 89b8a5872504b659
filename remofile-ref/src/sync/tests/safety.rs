//! Guards stop a run before anything is done, conflicts included.

use super::World;
use crate::sync::{SafetyCheck, Side, SyncError};
use std::fs;

/// Two sides that are the same, with so many files.
fn with_files(count: usize) -> World {
    let world = World::new();
    for index in 0..count {
        world.write(&format!("local/d{}/f{index}", index % 3), format!("{index}"));
    }
    world.sync();
    world
}

#[track_caller]
fn expect_stopped(world: &World) -> SafetyCheck {
    let before = (super::all(&world.at("local")), super::all(&world.at("served")));
    match world.sync_with(&world.options()) {
        Err(SyncError::SafetyCheck(guard)) => {
            assert_eq!(before, (super::all(&world.at("local")), super::all(&world.at("served"))));
            guard
        }
        other => panic!("not stopped: {other:?}"),
    }
}

#[test]
fn an_emptied_side_stops_the_run_on_either_side() {
    for side in ["local", "served"] {
        let world = with_files(4);
        for directory in ["d0", "d1", "d2"] {
            world.remove(&format!("{side}/{directory}"));
        }
        let guard = expect_stopped(&world);
        assert!(matches!(guard, SafetyCheck::Emptied { held: 7, .. }), "{guard:?}");
        world.sync_with(&world.options().allow_delete(true)).unwrap();
        assert!(world.expect_equal().is_empty());
    }
}

#[test]
fn more_than_half_and_more_than_ten_stop_the_run() {
    let world = with_files(20);
    for index in 0..11 {
        world.remove(&format!("local/d{}/f{index}", index % 3));
    }
    let guard = expect_stopped(&world);
    assert_eq!(guard, SafetyCheck::Deletions { side: Side::Remote, removed: 11, held: 20 });
    world.sync_with(&world.options().allow_delete(true)).unwrap();
    assert_eq!(world.expect_equal().len(), 9 + 3);
}

#[test]
fn half_or_ten_do_not() {
    for (count, removed) in [(22, 11), (11, 10)] {
        let world = with_files(count);
        for index in 0..removed {
            world.remove(&format!("served/d{}/f{index}", index % 3));
        }
        world.sync();
        world.expect_equal();
    }
}

#[test]
fn a_side_that_is_gone_stops_the_run() {
    let world = with_files(2);
    fs::rename(world.at("local"), world.at("elsewhere")).unwrap();
    match world.sync_with(&world.options()) {
        Err(SyncError::SafetyCheck(guard)) => assert_eq!(guard, SafetyCheck::Vanished { side: Side::Local }),
        other => panic!("not stopped: {other:?}"),
    }
    assert!(!world.has("local"), "nothing was done");
}

#[test]
fn another_root_id_stops_the_run_even_where_there_are_conflicts() {
    let world = with_files(2);
    for entry in fs::read_dir(world.at("state")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (pair, rest) = name.split_once('-').unwrap();
        let ending = rest.split_once('.').unwrap().1;
        fs::rename(&path, path.with_file_name(format!("{pair}-00.{ending}"))).unwrap();
    }
    world.write("local/d0/f0", "mine");
    world.write("served/d0/f0", "theirs");
    assert_eq!(expect_stopped(&world), SafetyCheck::OtherRoot);
    let report = world.sync_with(&world.options().allow_delete(true)).unwrap();
    assert_eq!(report.conflicts, 1);
    world.expect_equal();
}
