//! `--exclude`: what is left out, with the meaning of `.gitignore`, in both directions.

use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{Server, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FILES: [&str; 8] =
    ["a.tmp", "keep.tmp", "a.txt", "build/out", "src/build/out", "src/a.tmp", "src/main", ".git/config"];

fn tree(top: &Path) -> String {
    for name in FILES {
        fs::create_dir_all(top.join(name).parent().unwrap()).unwrap();
        fs::write(top.join(name), name).unwrap();
    }
    text(top)
}

/// The files below a directory.
fn files(top: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// What arrives where this is said, up and down alike.
fn arrives(flags: &[&str]) -> BTreeSet<String> {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place.beside("tree"));
    server.run(&[&["upload", "-r"], flags, &[&source, "/"]].concat());
    tree(&place.served().join("whole"));
    server.run(&[&["download", "-r"], flags, &["/whole", &place.text("back")]].concat());
    let up = files(&place.served().join("tree"));
    assert_eq!(up, files(&place.beside("back")));
    up
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_name_is_left_out_at_every_depth() {
    assert_eq!(
        arrives(&["--exclude", "*.tmp"]),
        set(&["a.txt", "build/out", "src/build/out", "src/main", ".git/config"])
    );
}

#[test]
fn a_slash_in_front_means_the_top_and_one_behind_a_directory() {
    let left = set(&["a.tmp", "keep.tmp", "a.txt", "src/build/out", "src/a.tmp", "src/main", ".git/config"]);
    assert_eq!(arrives(&["--exclude", "/build/"]), left);
}

#[test]
fn the_last_pattern_counts_and_can_take_back() {
    let kept = arrives(&["--exclude", "*.tmp", "--exclude", "!keep.tmp", "--exclude", ".git", "--exclude", "build"]);
    assert_eq!(kept, set(&["keep.tmp", "a.txt", "src/main"]));
}

#[test]
fn patterns_come_from_a_file_too() {
    let place = Place::new();
    let list = place.beside("patterns");
    fs::write(&list, "# what is built\nbuild/\n\n*.tmp\n").unwrap();
    assert_eq!(arrives(&["--exclude-from", &text(&list)]), set(&["a.txt", "src/main", ".git/config"]));
    let server = Server::start(&place.served());
    run(&mut server.client(&["upload", "--exclude-from", "/none", &text(&list)])).fails(3).says("patterns");
}

#[test]
fn what_is_left_out_is_counted_and_not_in_the_plan() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place.beside("tree"));
    let done = server.run(&["--json", "upload", "-r", "--exclude", "*.tmp", "--exclude", "build", &source, "/"]);
    let sum: serde_json::Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&sum["excluded"], &sum["files"]), (&5.into(), &3.into()));
    let told =
        server.run(&["--progress", "json", "upload", "-r", "--exclude", "*.tmp", "--exclude", "build", &source, "/"]);
    let last = told.stderr.lines().rfind(|line| line.contains("\"progress\"")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!((&last["files"], &last["total_files"]), (&3.into(), &3.into()));
}

#[test]
fn a_source_that_was_named_is_left_out_too() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (one, two) = (place.file("one.tmp", 1), place.file("two.txt", 2));
    server.run(&["upload", "--exclude", "*.tmp", &one, &two, "/"]);
    assert!(place.served().join("two.txt").exists() && !place.served().join("one.tmp").exists());
}

#[test]
fn what_is_no_pattern_is_wrong_usage() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["upload", "--exclude", "a{b", &place.file("a", 1)])).fails(2).says("invalid pattern");
}
