//! `directory`, `file`, `remove`, `move` and `copy`.

use remofile_testkit::place::{Place, lines, through};
use remofile_testkit::process::{Server, content, run};
use remofile_testkit::relay::{Cuts, Relay, seed};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

fn served() -> (Place, Server) {
    let place = Place::new();
    let server = Server::start(&place.served());
    (place, server)
}

/// Paths below a directory, with the content of files.
fn held(top: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut held = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let relative = entry.path().strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                held.insert(relative, None);
            } else {
                held.insert(relative, Some(fs::read(entry.path()).unwrap()));
            }
        }
    }
    held
}

/// Two thousand small files in some directories, one large one, and an empty directory.
fn make_tree(top: &Path) {
    for directory in ["a/b", "c", "empty"] {
        fs::create_dir_all(top.join(directory)).unwrap();
    }
    for index in 0..2_000usize {
        let directory = ["", "a", "a/b", "c"][index % 4];
        fs::write(top.join(directory).join(format!("file {index}")), content(index % 90, index as u64)).unwrap();
    }
    fs::write(top.join("large"), content(6 << 20, 1)).unwrap();
    fs::write(top.join(".hidden"), "hidden").unwrap();
}

// Making.

#[test]
fn a_name_goes_into_a_directory_and_a_path_where_it_says() {
    let (place, server) = served();
    server.run(&["directory", "a", "/"]);
    server.run(&["mkdir", "b", "a/"]);
    server.run(&["folder", "/a/b/c/"]);
    server.run(&["file", "d", "/a/b/c"]);
    server.run(&["touch", "a/e"]);
    let paths: Vec<_> = held(&place.served().join("a")).into_keys().collect();
    assert_eq!(paths, ["b", "b/c", "b/c/d", "e"]);
}

#[test]
fn a_name_with_a_slash_is_none() {
    let (_place, server) = served();
    run(&mut server.client(&["directory", "a/b", "/"])).fails(2).says("invalid name 'a/b'").says("hint:");
    run(&mut server.client(&["file", "a/b", "/"])).fails(2);
    run(&mut server.client(&["directory", "..", "/"])).fails(11);
    run(&mut server.client(&["file", "/.remofile"])).fails(11);
}

#[test]
fn what_is_above_is_made_where_it_is_asked_for() {
    let (place, server) = served();
    run(&mut server.client(&["directory", "/a/b/c"])).fails(3);
    server.run(&["directory", "-p", "/a/b/c"]);
    server.run(&["directory", "-p", "/a/b/c"]);
    run(&mut server.client(&["file", "/x/y"])).fails(3);
    server.run(&["file", "-p", "/x/y"]);
    assert_eq!(held(&place.served().join("x"))["y"], Some(Vec::new()));
    run(&mut server.client(&["directory", "-p", "/x/y/z"])).fails(4);
}

#[test]
fn what_is_there_is_fine_only_where_it_is_said_and_of_the_kind() {
    let (place, server) = served();
    fs::create_dir(place.served().join("dir")).unwrap();
    fs::write(place.served().join("file"), "content").unwrap();
    for (command, same, other) in [("directory", "/dir", "/file"), ("file", "/file", "/dir")] {
        run(&mut server.client(&[command, same])).fails(4).says(same).says("hint: use -u");
        server.run(&[command, "-u", same]);
        run(&mut server.client(&[command, "-u", other])).fails(4);
    }
    assert_eq!(fs::read(place.served().join("file")).unwrap(), b"content");
}

#[test]
fn what_was_made_is_an_object() {
    let (_place, server) = served();
    let object = |args: &[&str]| serde_json::from_str::<serde_json::Value>(&server.run(args).stdout).unwrap();
    let made = object(&["--json", "directory", "/a"]);
    assert_eq!((&made["schema"], &made["path"], &made["kind"]), (&1.into(), &"/a".into(), &"dir".into()));
    assert_eq!(made["status"], "new");
    assert_eq!(object(&["directory", "-u", "/a", "--json"])["status"], "unchanged");
    assert_eq!(object(&["file", "f", "/a", "--json"])["size"], 0);
}

// Removing.

#[test]
fn two_arguments_are_a_name_in_a_directory_or_two_paths() {
    let (place, server) = served();
    for name in ["a", "b", "c", "d/a", "d/e"] {
        server.run(&["file", "-p", name]);
    }
    server.run(&["remove", "a", "/d"]);
    assert!(place.served().join("a").exists() && !place.served().join("d/a").exists());
    server.run(&["remove", "a", "b"]);
    server.run(&["rm", "/c", "/d/e"]);
    assert_eq!(lines(&server.run(&["list", "-r"])), ["d"]);
}

#[test]
fn the_served_directory_is_never_removed() {
    let (place, server) = served();
    fs::write(place.served().join("kept"), "").unwrap();
    for args in [&["remove", "/"][..], &["remove", "-rf", ""], &["remove", "kept", "/", "-r", "/kept"]] {
        run(&mut server.client(args)).fails(2).says("cannot remove '/'");
    }
    assert!(place.served().join("kept").exists());
    run(&mut server.client(&["remove", "-r", "/..", "/"])).fails(11);
    run(&mut server.client(&["remove"])).fails(2);
}

#[test]
fn a_tree_goes_with_all_it_holds() {
    let (place, server) = served();
    make_tree(&place.served().join("tree"));
    symlink("/", place.served().join("tree/a/link")).unwrap();
    run(&mut server.client(&["remove", "/tree"])).fails(4).says("hint: use -r");
    let done = server.run(&["remove", "-r", "-v", "/tree"]);
    assert_eq!(done.stderr.lines().count(), 2_000 + 3 + 5);
    assert!(done.stderr.ends_with("removed '/tree'\n"));
    assert!(held(&place.served()).keys().all(|path| path.starts_with(".remofile")));
}

#[test]
fn a_trial_tells_what_would_go_and_keeps_it() {
    let (place, server) = served();
    for name in ["x/a", "x/y/b", "z"] {
        server.run(&["file", "-p", name]);
    }
    let before = held(&place.served());
    let done = server.run(&["remove", "-n", "-r", "/x", "/z"]);
    assert_eq!(lines(&done), ["/x/a", "/x/y/b", "/x/y", "/x", "/z"]);
    run(&mut server.client(&["remove", "-n", "/x"])).fails(4).says("not empty");
    run(&mut server.client(&["remove", "-n", "/missing"])).fails(3);
    assert_eq!(held(&place.served()), before);
}

#[test]
fn what_cannot_go_does_not_save_the_others() {
    let (place, server) = served();
    make_tree(&place.served().join("tree"));
    // A name that the protocol does not have is not listed, and keeps its directories.
    fs::write(place.served().join("tree/a/b/break\n"), "").unwrap();
    let done = run(&mut server.client(&["remove", "-r", "/tree"])).fails(23);
    done.says("cannot remove '/tree/a/b': the directory is not empty").says("items failed");
    let left: Vec<_> = held(&place.served().join("tree")).into_keys().collect();
    assert_eq!(left, ["a", "a/b", "a/b/break\n"]);
    let done = run(&mut server.client(&["remove", "/missing", "/tree/a", "-r", "/none"])).fails(23);
    done.says("'/missing'").says("'/tree/a/b'").says("'/none'");
}

#[test]
fn what_is_missing_is_fine_where_it_is_said() {
    let (_place, server) = served();
    run(&mut server.client(&["remove", "/missing"])).fails(3).says("/missing");
    server.run(&["remove", "-f", "/missing"]);
    server.run(&["remove", "-rf", "/missing", "/none/at/all"]);
}

#[test]
fn what_patterns_match_goes_once_and_nothing_hidden() {
    let (_place, server) = served();
    for name in ["a.iso", "b.iso", ".c.iso", "d.txt", "x/e.iso"] {
        server.run(&["file", "-p", name]);
    }
    server.run(&["remove", "/*.iso", "/a*", "/**/*.iso", "/d.txt", "/d.txt"]);
    assert_eq!(lines(&server.run(&["list", "-r", "-a"])), [".c.iso", "x"]);
    server.run(&["remove", "-r", "/**"]);
    assert_eq!(lines(&server.run(&["list", "-a"])), [".c.iso"]);
}

// Moving and copying.

#[test]
fn a_file_moves_to_a_name_or_into_a_directory() {
    let (place, server) = served();
    fs::write(place.served().join("a"), "content").unwrap();
    server.run(&["directory", "/d"]);
    server.run(&["move", "/a", "/b"]);
    server.run(&["mv", "b", "d/"]);
    assert_eq!(fs::read(place.served().join("d/b")).unwrap(), b"content");
    server.run(&["move", "/d", "/e"]);
    assert_eq!(lines(&server.run(&["list", "-r"])), ["e", "e/b"]);
}

#[test]
fn several_sources_need_a_directory() {
    let (_place, server) = served();
    for name in ["a", "b", "c"] {
        server.run(&["file", name]);
    }
    for command in ["move", "copy"] {
        let done = run(&mut server.client(&[command, "a", "b", "c"])).fails(2);
        done.says("'/c': not a directory").says("hint: the last argument is the destination");
        run(&mut server.client(&[command, "a"])).fails(2);
    }
    server.run(&["directory", "/d"]);
    server.run(&["copy", "/a", "/b", "/d"]);
    server.run(&["move", "/[a-c]", "/d", "--overwrite"]);
    assert_eq!(lines(&server.run(&["list", "-r"])), ["d", "d/a", "d/b", "d/c"]);
}

#[test]
fn what_is_there_is_replaced_only_where_it_is_said() {
    let (place, server) = served();
    let at = |name: &str| place.served().join(name);
    fs::write(at("new"), "new").unwrap();
    fs::write(at("old"), "old").unwrap();
    for command in ["copy", "move"] {
        let done = run(&mut server.client(&[command, "/new", "/old"])).fails(4);
        done.says("'/new' to '/old'").says("hint: use --overwrite");
        assert_eq!(fs::read(at("old")).unwrap(), b"old");
    }
    server.run(&["copy", "--overwrite", "/new", "/old"]);
    assert_eq!(fs::read(at("old")).unwrap(), b"new");
    fs::write(at("new"), "newer").unwrap();
    server.run(&["move", "--overwrite", "/new", "/old"]);
    assert_eq!(fs::read(at("old")).unwrap(), b"newer");
    assert!(!at("new").exists());
    run(&mut server.client(&["move", "/missing", "/x"])).fails(3).says("'/missing'");
}

#[test]
fn a_copy_has_the_content_and_the_time_and_is_unchanged_the_next_time() {
    let (place, server) = served();
    fs::write(place.served().join("a"), content(300_000, 1)).unwrap();
    server.run(&["copy", "/a", "/b"]);
    let [a, b] = ["a", "b"].map(|name| fs::metadata(place.served().join(name)).unwrap());
    assert_eq!((a.mtime(), a.mtime_nsec()), (b.mtime(), b.mtime_nsec()));
    assert!(fs::read(place.served().join("b")).unwrap() == content(300_000, 1));
    let again = server.run(&["copy", "--json", "/a", "/b"]);
    let line: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&line["schema"], &line["path"], &line["status"]), (&1.into(), &"/b".into(), &"unchanged".into()));
}

#[test]
fn a_tree_is_copied_on_the_server_and_continued() {
    let (place, server) = served();
    make_tree(&place.served().join("tree"));
    symlink("large", place.served().join("tree/link")).unwrap();
    run(&mut server.client(&["copy", "/tree", "/copied"])).fails(4).says("hint: use -r to copy");
    let counts = |args: &[&str]| serde_json::from_str::<serde_json::Value>(&server.run(args).stdout).unwrap();
    let first = counts(&["copy", "-r", "--json", "/tree", "/copied"]);
    assert_eq!((&first["files"], &first["directories"], &first["skipped"]), (&2_002.into(), &5.into(), &1.into()));
    let mut expected = held(&place.served().join("tree"));
    expected.remove("link");
    assert!(held(&place.served().join("copied")) == expected, "the copy differs");
    fs::remove_file(place.served().join("copied/large")).unwrap();
    let second = counts(&["copy", "-r", "--json", "/tree/", "/copied"]);
    // The destination is a directory now, and the tree goes into it.
    assert_eq!((&second["path"], &second["files"]), (&"/copied/tree".into(), &2_002.into()));
    fs::remove_file(place.served().join("copied/tree/large")).unwrap();
    fs::write(place.served().join("copied/tree/c/file 3"), "another").unwrap();
    let third = run(&mut server.client(&["copy", "-r", "--json", "/tree", "/copied"])).fails(23);
    let third = third.says("'/copied/tree/c/file 3': something is already there");
    let line: serde_json::Value = serde_json::from_str(&third.stdout).unwrap();
    assert_eq!((&line["files"], &line["unchanged"], &line["failed"]), (&1.into(), &2_000.into(), &1.into()));
    server.run(&["copy", "-r", "--overwrite", "/tree", "/copied"]);
    assert!(held(&place.served().join("copied/tree")) == expected, "the copy differs");
}

#[test]
fn nothing_goes_into_itself() {
    let (_place, server) = served();
    server.run(&["directory", "-p", "/a/b"]);
    for args in [&["move", "/a", "/a/b"][..], &["copy", "-r", "/a", "/a/b"], &["move", "/a", "/a"]] {
        run(&mut server.client(args)).fails(1).says("at or below the source");
    }
}

#[test]
fn trees_are_copied_and_removed_over_a_connection_that_breaks() {
    let (place, server) = served();
    make_tree(&place.served().join("tree"));
    let relay = Relay::start(server.address(), Cuts { seed: seed(), at_most: 4, bytes: 60_000, ..Cuts::NONE });
    run(&mut through(&relay, &["copy", "-r", "/tree", "/copied"])).success();
    assert!(held(&place.served().join("copied")) == held(&place.served().join("tree")), "the copy differs");
    assert!(relay.cuts() > 0, "nothing was cut");
    let relay = Relay::start(server.address(), Cuts { seed: seed(), at_most: 4, bytes: 60_000, ..Cuts::NONE });
    run(&mut through(&relay, &["remove", "-r", "/tree", "/copied"])).success();
    assert!(relay.cuts() > 0, "nothing was cut");
    assert_eq!(lines(&server.run(&["list", "-a"])), [""; 0]);
}
