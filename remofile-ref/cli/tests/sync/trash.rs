//! `sync trash`: what is there, how it comes back, and when it goes for good.

use super::{Pair, trashed};
use remofile_testkit::place::text;
use remofile_testkit::process::{Done, run};
use std::fs;

/// Each side has lost a file: `here.txt` was removed there, `there.txt` here.
fn after_deletions() -> Pair {
    let pair = Pair::with(&["d/here.txt", "there.txt", "c.txt"]);
    fs::remove_file(pair.served("d/here.txt")).unwrap();
    fs::remove_file(pair.local("there.txt")).unwrap();
    pair.sync(&[]).success();
    pair
}

fn trash(pair: &Pair, command: &str, args: &[&str]) -> Done {
    let local = text(&pair.local(""));
    let all: Vec<&str> = ["trash", command, &local, "/"].into_iter().chain(args.iter().copied()).collect();
    run(&mut pair.command(&all))
}

#[test]
fn a_trash_is_synchronised_nowhere() {
    let pair = after_deletions();
    assert_eq!(super::steps(&pair.json(&[])), []);
    assert_eq!((trashed(&pair.local("")).len(), trashed(&pair.served("")).len()), (1, 1));
}

#[test]
fn both_sides_are_listed_with_what_they_have_lost() {
    let pair = after_deletions();
    let listed = trash(&pair, "list", &[]).success().stdout;
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    let mut lost: Vec<_> = rows.iter().map(|row| (row[0], row[2], row[3])).collect();
    lost.sort_unstable();
    assert_eq!(lost, [("local", "10", "d/here.txt"), ("remote", "9", "there.txt")]);
    assert_eq!(trash(&pair, "list", &["--on", "local"]).success().stdout.lines().count(), 1);
    let json = trash(&pair, "list", &["--json", "--on", "remote"]).success().stdout;
    let object: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&object["side"], &object["path"], &object["bytes"]),
        (&"remote".into(), &"there.txt".into(), &9.into())
    );
    let all = run(&mut pair.command(&["trash", "list"])).success().stdout;
    assert!(all.starts_with("remote\t") && all.ends_with("\tthere.txt\n"), "{all}");
}

#[test]
fn what_comes_back_gets_to_the_other_side_again() {
    let pair = after_deletions();
    assert_eq!(trash(&pair, "restore", &["-n", "**"]).success().stdout.lines().count(), 2);
    trash(&pair, "restore", &["here.txt"]).success().says("d/here.txt: restored on the local side");
    trash(&pair, "restore", &["/there.txt"]).success().says("there.txt: restored on the remote side");
    pair.sync(&[]).success();
    let both = pair.both();
    assert_eq!((both["d/here.txt"].as_str(), both["there.txt"].as_str()), ("d/here.txt", "there.txt"));
    assert!(!pair.local(".remofile-trash").exists() && !pair.served(".remofile-trash").exists());
}

#[test]
fn nothing_is_replaced_by_what_comes_back() {
    let pair = after_deletions();
    pair.here("d/here.txt", "another");
    trash(&pair, "restore", &["here.txt"])
        .fails(4)
        .says("file exists on the local side")
        .says("hint: rename the existing file");
    assert_eq!(fs::read(pair.local("d/here.txt")).unwrap(), b"another");
    trash(&pair, "restore", &["nothing"]).fails(3).says("no file in the trash matches 'nothing'");
}

#[test]
fn only_what_is_old_goes_for_good() {
    let pair = after_deletions();
    trash(&pair, "clean", &[]).success().says("0 files discarded");
    assert_eq!(trash(&pair, "clean", &["-n", "--all"]).success().stdout.lines().count(), 2);
    assert_eq!(trash(&pair, "list", &[]).success().stdout.lines().count(), 2);
    trash(&pair, "clean", &["--all"]).success().says("2 files discarded");
    assert_eq!(trash(&pair, "list", &[]).success().stdout, "");
}

#[test]
fn a_run_cleans_what_is_older_than_thirty_days() {
    let pair = after_deletions();
    for top in [pair.local(""), pair.served("")] {
        let old = top.join(".remofile-trash/20200101T000000Z");
        fs::create_dir_all(&old).unwrap();
        fs::write(old.join("old.txt"), "old").unwrap();
    }
    pair.here("new.txt", "new");
    pair.sync(&[]).success();
    for top in [pair.local(""), pair.served("")] {
        assert_eq!(trashed(&top).len(), 1, "{trashed:?}", trashed = trashed(&top));
    }
}

#[test]
fn a_pair_below_the_served_directory_sees_its_own_part_of_the_trash() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    pair.here("b.txt", "b");
    let local = text(&pair.local(""));
    run(&mut pair.command(&[&local, "/docs"])).success();
    fs::remove_file(pair.local("a.txt")).unwrap();
    run(&mut pair.command(&[&local, "/docs"])).success();
    assert_eq!(trashed(&pair.served("")), [("docs/a.txt".to_owned(), "a".to_owned())].into());
    let listed = run(&mut pair.command(&["trash", "list", &local, "/docs"])).success().stdout;
    assert!(listed.ends_with("\ta.txt\n"), "{listed}");
    run(&mut pair.command(&["trash", "restore", &local, "/docs", "a.txt"])).success();
    assert!(pair.served("docs/a.txt").exists());
}
