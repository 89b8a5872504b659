//! What stops a run before anything is done.

use super::{Pair, tree};
use remofile_testkit::process::Server;
use std::fs;

/// So many files, named by their numbers.
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:02}.txt")).collect()
}

fn with_numbered(count: usize) -> Pair {
    let files = numbered(count);
    Pair::with(&files.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_side_that_was_emptied_stops_the_run() {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    for file in ["a.txt", "b.txt"] {
        fs::remove_file(pair.local(file)).unwrap();
    }
    pair.sync(&[]).fails(25).says("cannot synchronize").says("is empty").says("hint: check the path");
    pair.sync(&["-n"]).fails(25);
    assert_eq!(tree(&pair.served("")).len(), 2);
    pair.sync(&["--allow-delete"]).success();
    assert_eq!(pair.both().len(), 0);
}

#[test]
fn a_server_that_was_emptied_stops_the_run() {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    for file in ["a.txt", "b.txt"] {
        fs::remove_file(pair.served(file)).unwrap();
    }
    pair.sync(&[]).fails(25).says("the remote directory is empty");
    assert_eq!(tree(&pair.local("")).len(), 2);
}

#[test]
fn a_side_that_is_gone_stops_the_run() {
    let pair = Pair::with(&["a.txt"]);
    fs::rename(pair.local(""), pair.place.beside("elsewhere")).unwrap();
    pair.sync(&[]).fails(25).says("the local directory is gone").says("hint: check the path");
    assert!(pair.served("a.txt").exists() && !pair.local("").exists());
}

#[test]
fn another_served_directory_stops_the_run() {
    let mut pair = Pair::with(&["a.txt"]);
    let other = pair.place.beside("other");
    fs::create_dir(&other).unwrap();
    pair.server = Server::start(&other);
    pair.sync(&[]).fails(25).says("another directory").says("hint: check that this is the right server");
    assert!(pair.local("a.txt").exists() && !other.join("a.txt").exists());
}

#[test]
fn more_than_half_and_more_than_ten_deletions_stop_the_run() {
    let pair = with_numbered(20);
    for file in &numbered(20)[..11] {
        fs::remove_file(pair.local(file)).unwrap();
    }
    pair.sync(&[]).fails(25).says("11 of 20").says("hint: -n --allow-delete prints the plan");
    assert_eq!(tree(&pair.served("")).len(), 20);
    pair.sync(&["--allow-delete"]).success();
    assert_eq!(pair.both().len(), 9);
}

#[test]
fn ten_deletions_or_half_of_all_are_none_too_many() {
    let ten = with_numbered(11);
    for file in &numbered(11)[..10] {
        fs::remove_file(ten.local(file)).unwrap();
    }
    ten.sync(&[]).success();
    let half = with_numbered(24);
    for file in &numbered(24)[..12] {
        fs::remove_file(half.local(file)).unwrap();
    }
    half.sync(&[]).success();
    assert_eq!((ten.both().len(), half.both().len()), (1, 12));
}

#[test]
fn a_mirror_that_would_lose_most_is_stopped_too() {
    let pair = with_numbered(20);
    for file in &numbered(20)[..11] {
        fs::remove_file(pair.local(file)).unwrap();
    }
    pair.sync(&["--push", "--delete"]).fails(25);
    assert_eq!(tree(&pair.served("")).len(), 20);
}
