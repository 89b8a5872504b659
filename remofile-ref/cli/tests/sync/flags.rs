//! Plans, filters, what is printed, and what is refused.

use super::{Pair, steps, summary, tree};
use remofile_testkit::process::{remofile, run};
use std::fs;

/// A pair in which there is one of everything to do.
fn busy() -> Pair {
    let pair = Pair::with(&["edited.txt", "theirs.txt", "gone.txt", "moved.txt", "both.txt", "same/1", "same/2"]);
    pair.here("edited.txt", "edited");
    pair.there("theirs.txt", "edited there");
    fs::remove_file(pair.local("gone.txt")).unwrap();
    fs::rename(pair.local("moved.txt"), pair.local("renamed.txt")).unwrap();
    pair.here("new/a.txt", "new");
    pair.there("newer/b.txt", "new there");
    pair.here("both.txt", "edited here");
    pair.there("both.txt", "edited there too");
    pair
}

#[test]
fn the_plan_that_is_printed_is_the_one_that_is_executed() {
    let pair = busy();
    let planned = pair.json(&["-n"]);
    assert!(planned.iter().filter(|object| object["action"].is_string()).all(|object| object["status"] == "planned"));
    let done = pair.json(&[]);
    // The copy of a conflict has the second of the run in its name.
    let without_stamp = |printed: &[serde_json::Value]| {
        let copies = |path: &String| path.split(".conflict-").next().unwrap().to_owned();
        let mut steps: Vec<_> = steps(printed).iter().map(|(action, path)| (action.clone(), copies(path))).collect();
        steps.sort();
        steps
    };
    assert_eq!(without_stamp(&planned), without_stamp(&done));
    for action in ["upload", "download", "remove-remote", "move-remote", "make-remote-directory", "conflict"] {
        assert!(without_stamp(&done).iter().any(|(name, _)| name == action), "{action}: {done:?}");
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let pair = busy();
    let (here, there) = (tree(&pair.local("")), tree(&pair.served("")));
    let plan = pair.sync(&["-n"]).fails(26).says("dry run: ").says("to upload").stdout;
    assert!(plan.lines().any(|line| line.starts_with("upload ") && line.ends_with(" edited.txt")), "{plan}");
    assert!(plan.lines().any(|line| line.starts_with("move-remote ") && line.ends_with(" moved.txt -> renamed.txt")));
    assert_eq!((here, there), (tree(&pair.local("")), tree(&pair.served(""))));
    assert_eq!(plan.lines().count(), pair.sync(&["-n"]).fails(26).stdout.lines().count(), "it can be said again");
}

#[test]
fn each_step_is_reported_where_that_is_wanted() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    assert!(pair.sync(&["-v"]).success().stderr.starts_with("upload a.txt (1 B)\n"));
    pair.here("b.txt", "b");
    let quiet = pair.sync(&["-q"]).success();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn json_has_each_step_and_a_summary() {
    let pair = Pair::new();
    pair.here("a.txt", "abc");
    let printed = pair.json(&[]);
    assert_eq!(printed.len(), 2, "{printed:?}");
    let step = &printed[0];
    assert_eq!((&step["schema"], &step["op"], &step["path"]), (&1.into(), &"sync".into(), &"a.txt".into()));
    assert_eq!((&step["action"], &step["status"], &step["bytes"]), (&"upload".into(), &"done".into(), &3.into()));
    assert_eq!((&summary(&printed)["uploaded"], &summary(&printed)["mode"]), (&1.into(), &"both".into()));
}

#[test]
fn what_is_excluded_is_touched_on_neither_side() {
    let pair = Pair::new();
    for path in ["a.tmp", "d/b.tmp", "a.txt", "cache/x"] {
        pair.here(path, "here");
    }
    for path in ["c.tmp", "cache/y"] {
        pair.there(path, "there");
    }
    fs::write(pair.place.beside("patterns"), "# not these\ncache/\n").unwrap();
    let from = pair.place.text("patterns");
    pair.sync(&["--push", "--delete", "--exclude", "*.tmp", "--exclude-from", &from]).success();
    assert_eq!(
        tree(&pair.served("")).keys().map(String::as_str).collect::<Vec<_>>(),
        ["a.txt", "c.tmp", "cache/", "cache/y", "d/"]
    );
    pair.sync(&["--exclude", "*.tmp", "--exclude-from", &from]).success();
    assert!(!pair.local("c.tmp").exists() && !pair.served("a.tmp").exists());
}

#[test]
fn a_file_of_patterns_counts_from_where_it_is() {
    let pair = Pair::new();
    pair.here(".remofileignore", "*.log\n!keep.log\n/build/\n");
    pair.here("d/.remofileignore", "secret.txt\n");
    for path in ["a.log", "keep.log", "build/x", "d/build/x", "d/secret.txt", "secret.txt", "d/a.log"] {
        pair.here(path, path);
    }
    pair.sync(&[]).success();
    let there = tree(&pair.served(""));
    let files: Vec<_> = there.keys().filter(|path| !path.ends_with('/')).map(String::as_str).collect();
    assert_eq!(files, [".remofileignore", "d/.remofileignore", "d/build/x", "keep.log", "secret.txt"]);
    assert_eq!(super::steps(&pair.json(&[])), []);
}

#[test]
fn a_pull_goes_by_the_patterns_of_the_server() {
    let pair = Pair::new();
    pair.there(".remofileignore", "*.log\n");
    pair.there("a.log", "a");
    pair.there("a.txt", "a");
    pair.sync(&["--pull"]).success();
    assert_eq!(tree(&pair.local("")).keys().map(String::as_str).collect::<Vec<_>>(), [".remofileignore", "a.txt"]);
}

#[test]
fn what_is_no_pattern_is_refused_before_anything_is_done() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    pair.sync(&["--exclude", "a{b"]).fails(2).says("--exclude 'a{b': invalid pattern").says("hint: use the syntax of");
    pair.here(".remofileignore", "a{b\n");
    pair.sync(&[]).fails(2).says(".remofileignore 'a{b': invalid pattern");
    assert_eq!(tree(&pair.served("")).len(), 0);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let pair = Pair::new();
    pair.sync(&["--delete"]).fails(2).says("--delete requires --push or --pull").says("hint: without them");
    pair.sync(&["--push", "--pull"]).fails(2).says("cannot be used with");
    pair.sync(&["-n", "--watch"]).fails(2).says("cannot be used with");
    run(&mut pair.command(&["--push", "status", "here", "/"])).fails(2).says("must follow the subcommand");
    run(&mut pair.command(&["here", "status", "here", "/"]))
        .fails(2)
        .says("LOCAL and REMOTE, or a subcommand, are required");
    run(remofile().args(["sync", "here"])).fails(2).says("<REMOTE>");
    run(&mut pair.command(&["here", "/../x"])).fails(11).says("invalid path");
}

#[test]
fn a_directory_that_is_not_there_is_made_on_either_side() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    let (local, other) = (pair.place.text("local"), pair.place.text("other"));
    run(&mut pair.command(&[&local, "/new"])).success();
    run(&mut pair.command(&[&other, "/new"])).success();
    assert_eq!(fs::read(pair.place.beside("other/a.txt")).unwrap(), b"a");
}
