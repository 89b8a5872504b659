//! Random trees, random edits on both sides, runs that are killed at random steps: nothing is lost, and they converge.

use super::{SyncFailpoint, World, changes};
use proptest::prelude::*;
use std::fs;

/// A change that a program makes on one side.
#[derive(Clone, Debug)]
enum Edit {
    Write(usize, usize),
    Remove(usize),
    Rename(usize, usize),
    MakeDirectory(usize),
}

const FILES: [&str; 9] = ["f0", "f1", "f2", "d0/f0", "d0/f1", "d0/d1/f0", "d0/d1/f1", "d2/f0", "d2/f1"];
const DIRECTORIES: [&str; 4] = ["d0", "d0/d1", "d2", "d3"];

fn edits(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Edit>> {
    let (file, content, directory) = (0..FILES.len(), 0..7usize, 0..DIRECTORIES.len());
    let edit = prop_oneof![
        4 => (file.clone(), content).prop_map(|(file, content)| Edit::Write(file, content)),
        2 => file.clone().prop_map(Edit::Remove),
        2 => (file.clone(), file).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => directory.prop_map(Edit::MakeDirectory),
    ];
    prop::collection::vec(edit, count)
}

/// Most of one size, so that only hashes tell them apart; one without bytes, and one that takes several requests.
fn content(index: usize) -> Vec<u8> {
    match index {
        0 => Vec::new(),
        1 => vec![b'L'; 300_000],
        _ => format!("content {index}").into_bytes(),
    }
}

fn apply(world: &World, side: &str, edits: &[Edit]) {
    let at = |path: &str| world.at(&format!("{side}/{path}"));
    let parent = |path: &str| fs::create_dir_all(at(path).parent().unwrap()).unwrap();
    for edit in edits {
        match edit {
            Edit::Write(file, index) => world.write(&format!("{side}/{}", FILES[*file]), content(*index)),
            Edit::Remove(file) => {
                let _ = fs::remove_file(at(FILES[*file]));
                // The last one takes its directory with it.
                let _ = fs::remove_dir(at(FILES[*file]).parent().unwrap()).map_err(|_| ());
            }
            Edit::Rename(from, to) if at(FILES[*from]).is_file() && from != to => {
                parent(FILES[*to]);
                fs::rename(at(FILES[*from]), at(FILES[*to])).unwrap();
            }
            Edit::Rename(..) => {}
            Edit::MakeDirectory(directory) => fs::create_dir_all(at(DIRECTORIES[*directory])).unwrap(),
        }
        fs::create_dir_all(world.at(side)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_that_are_killed_anywhere_lose_nothing_and_converge(
        base in edits(0..12),
        rounds in prop::collection::vec((edits(0..8), edits(0..8), prop::collection::vec(0..60u64, 0..3)), 1..3),
    ) {
        let world = World::new();
        apply(&world, "local", &base);
        world.sync_with(&world.options().allow_delete(true)).unwrap();
        for (locally, remotely, kills) in rounds {
            apply(&world, "local", &locally);
            apply(&world, "served", &remotely);
            let before = world.contents();
            for steps in kills {
                let mut options = world.options().allow_delete(true);
                options.failpoint = SyncFailpoint::after(steps);
                // It ends, or is killed.
                let _ = world.sync_with(&options);
                let lost: Vec<_> = before.difference(&world.contents()).cloned().collect();
                prop_assert!(lost.is_empty(), "lost after {steps} steps: {lost:?}");
            }
            let report = world.sync_with(&world.options().allow_delete(true)).unwrap();
            prop_assert_eq!(report.failed, 0, "{:?}", report.failures);
            prop_assert!(report.plan.problems.is_empty(), "{:?}", report.plan.problems);
            prop_assert_eq!(world.tree("local"), world.tree("served"));
            let lost: Vec<_> = before.difference(&world.contents()).cloned().collect();
            prop_assert!(lost.is_empty(), "lost in the end: {lost:?}");
            let next = world.sync_with(&world.options()).unwrap();
            prop_assert!(next.plan.is_empty(), "{:?}", changes(&next.plan));
        }
    }
}
