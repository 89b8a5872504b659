//! What is left: conflicts and how they are settled, and what cannot be synchronised.

use super::{Pair, steps, trashed, tree};
use remofile_testkit::place::text;
use remofile_testkit::process::{Done, run};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// `a.txt` was changed on both sides, `b.txt` on none.
fn in_conflict() -> Pair {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    pair.here("a.txt", "from here");
    pair.there("a.txt", "from there");
    pair.sync(&[]).fails(26).says("a.txt: changed on both sides").says("1 conflict left").says("remofile sync resolve");
    pair
}

/// The conflict copies on both sides.
fn copies(pair: &Pair) -> Vec<String> {
    pair.both().into_keys().filter(|path| path.contains(".conflict-")).collect()
}

fn resolve(pair: &Pair, take: &str, glob: &str) -> Done {
    run(&mut pair.command(&["resolve", "--take", take, &text(&pair.local("")), "/", glob]))
}

fn status(pair: &Pair) -> Command {
    pair.command(&["status", &text(&pair.local("")), "/"])
}

#[test]
fn a_conflict_keeps_both_versions_on_both_sides() {
    let pair = in_conflict();
    let copies = copies(&pair);
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].starts_with("a.conflict-20") && copies[0].ends_with(".txt"), "{copies:?}");
    let both = pair.both();
    assert_eq!((both["a.txt"].as_str(), both[&copies[0]].as_str()), ("from there", "from here"));
}

#[test]
fn equal_changes_are_no_conflict() {
    let pair = Pair::with(&["a.txt"]);
    pair.here("a.txt", "the same");
    pair.there("a.txt", "the same");
    pair.sync(&[]).success();
    assert_eq!(pair.both().len(), 1);
}

#[test]
fn a_conflict_is_left_until_it_is_settled_and_nothing_is_done_meanwhile() {
    let pair = in_conflict();
    let done = pair.sync(&[]).fails(26).says("a.txt: still in conflict with a.conflict-");
    assert!(done.stderr.contains("3 unchanged"), "{}", done.stderr);
    assert_eq!(steps(&pair.json(&[])), []);
    assert_eq!(copies(&pair).len(), 1);
}

#[test]
fn status_tells_conflicts_and_what_is_to_be_done() {
    let pair = in_conflict();
    pair.here("new.txt", "new");
    let before = (tree(&pair.local("")), tree(&pair.served("")));
    let told = run(&mut status(&pair)).fails(26);
    assert!(told.stdout.contains("conflict") && told.stdout.contains(" a.txt (a.conflict-"), "{}", told.stdout);
    assert!(told.stdout.lines().last().unwrap().ends_with("(1 file to upload, 3 B, 3 unchanged)"), "{}", told.stdout);
    assert_eq!(before, (tree(&pair.local("")), tree(&pair.served(""))));
    let json = run(status(&pair).arg("--json"));
    assert!(
        json.stdout.contains("\"status\":\"conflict\"") && json.stdout.contains("\"uploaded\":1"),
        "{}",
        json.stdout
    );
    let calm = Pair::with(&["a.txt"]);
    let told = run(&mut status(&calm)).success();
    assert!(told.stdout.ends_with("<-> / (1 unchanged)\n"), "{}", told.stdout);
}

#[test]
fn the_local_version_can_be_taken() {
    let pair = in_conflict();
    resolve(&pair, "local", "a.txt").success().says("1 conflict resolved");
    let both = pair.both();
    assert_eq!((both.len(), both["a.txt"].as_str()), (2, "from here"));
    assert!(
        trashed(&pair.local("")).values().any(|content| content == "from there"),
        "what is not taken is in the trash"
    );
    pair.sync(&[]).success();
}

#[test]
fn the_remote_version_can_be_taken() {
    let pair = in_conflict();
    resolve(&pair, "remote", "*.txt").success();
    let both = pair.both();
    assert_eq!((both.len(), both["a.txt"].as_str()), (2, "from there"));
    assert!(trashed(&pair.local("")).values().any(|content| content == "from here"));
    pair.sync(&[]).success();
}

#[test]
fn the_newer_version_can_be_taken() {
    for newer in ["from here", "from there"] {
        let pair = in_conflict();
        let copy = copies(&pair).remove(0);
        let (old, new) = if newer == "from here" { ("a.txt", copy.as_str()) } else { (copy.as_str(), "a.txt") };
        for (path, seconds) in [(old, 1_000_000_000), (new, 1_500_000_000)] {
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::options().write(true).open(pair.local(path)).unwrap().set_modified(time).unwrap();
        }
        resolve(&pair, "newer", "a.txt").success();
        let both = pair.both();
        assert_eq!((both.len(), both["a.txt"].as_str()), (2, newer));
    }
}

#[test]
fn both_versions_can_be_kept_as_files_of_their_own() {
    let pair = in_conflict();
    resolve(&pair, "both", "a.txt").success();
    let both = pair.both();
    assert_eq!((both.len(), copies(&pair).len()), (3, 0));
    assert!(both.values().any(|content| content == "from here") && both["a.txt"] == "from there");
    pair.sync(&[]).success();
}

#[test]
fn what_is_not_named_stays_in_conflict() {
    let pair = in_conflict();
    pair.here("b.txt", "b from here");
    pair.there("b.txt", "b from there");
    pair.sync(&[]).fails(26);
    resolve(&pair, "remote", "b.txt").success();
    assert_eq!(copies(&pair).len(), 1);
    resolve(&pair, "remote", "c.txt").fails(3).says("no conflict matches 'c.txt'").says("hint: `remofile sync status");
    resolve(&pair, "session", "a.txt").fails(2).says("invalid value 'session'");
    let planned = run(&mut pair.command(&["resolve", "-n", "--take", "local", &text(&pair.local("")), "/", "**"]));
    assert!(planned.success().stdout.contains("take     a.txt <- a.conflict-"));
    assert_eq!(copies(&pair).len(), 1);
}

#[test]
fn a_file_against_a_directory_is_left_and_the_rest_goes_on() {
    let pair = Pair::new();
    pair.here("x", "a file");
    pair.there("x/y", "in a directory");
    pair.here("z", "z");
    pair.sync(&[]).fails(26).says("x: not synchronized: ").says("hint: rename the file");
    assert!(pair.local("x").is_file() && pair.served("x/y").is_file() && pair.served("z").is_file());
}

#[test]
fn links_and_special_files_are_left_and_the_rest_goes_on() {
    let pair = Pair::new();
    symlink("/etc/hostname", pair.local("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, pair.local("fifo"), 0o600.into()).unwrap();
    pair.here("z", "z");
    let told =
        pair.sync(&[]).fails(23).says("link: not synchronized: a symbolic link").says("fifo: not synchronized: ");
    assert!(
        told.stderr.contains("2 paths not synchronized") && told.stderr.contains("hint: use --exclude PATTERN"),
        "{}",
        told.stderr
    );
    assert_eq!(tree(&pair.served("")).len(), 1);
    pair.sync(&["--exclude", "link", "--exclude", "fifo"]).success();
    let printed = pair.json(&[]);
    let left: Vec<_> =
        printed.iter().filter(|object| object["status"] == "left").map(|object| &object["reason"]).collect();
    assert_eq!(left, ["special", "link"]);
}

#[test]
fn twins_in_case_are_left_and_told() {
    let pair = Pair::new();
    pair.here("Name.txt", "one");
    pair.here("name.txt", "two");
    pair.here("z", "z");
    pair.sync(&[]).fails(23).says("only in case or normalisation");
    assert!(pair.served("z").is_file());
}

#[test]
fn names_that_the_protocol_does_not_allow_are_left_and_shown_harmlessly() {
    let pair = Pair::new();
    pair.here("a\u{1b}[2Jb", "x");
    pair.here("z", "z");
    let told = pair.sync(&[]).fails(23);
    assert!(!told.stderr.contains('\u{1b}') && told.stderr.contains("not synchronized"), "{:?}", told.stderr);
    assert_eq!(tree(&pair.served("")).len(), 1);
}
