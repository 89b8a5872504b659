//! `upload` and `download`: where things go, what is replaced, what is planned, and what is said of each item.

use remofile_testkit::place::{Place, lines, text, through};
use remofile_testkit::process::{Done, Server, content, run};
use remofile_testkit::relay::{Cuts, Relay};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn objects(done: &Done) -> Vec<Value> {
    lines(done).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A directory of two small files, a large one, a hidden one, a link and an empty directory.
fn tree(place: &Place) -> String {
    let top = place.beside("tree");
    fs::create_dir_all(top.join("below/empty")).unwrap();
    for (name, size) in [("a", 10), ("below/b", 20), ("large", 1 << 20), (".hidden", 5)] {
        fs::write(top.join(name), content(size, size as u64)).unwrap();
    }
    symlink("a", top.join("link")).unwrap();
    text(&top)
}

// Where things go.

#[test]
fn several_sources_need_a_directory_and_the_last_is_said_to_be_it() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (one, two) = (place.file("one", 1), place.file("two", 2));
    let refused = run(&mut server.client(&["upload", &one, &two, "/none"])).fails(2);
    refused.says("which several sources need").says("hint: the last argument is the destination");
    let refused = run(server.client(&["upload", "one", "two"]).current_dir(place.beside("")));
    refused.fails(2).says("'two' is a local file").says("to upload both, use `… two /`");
    assert_eq!(fs::read_dir(place.served()).unwrap().filter(|entry| !is_staging(entry)).count(), 0);
    server.run(&["upload", &one, &two, "/"]);
    let refused = run(&mut server.client(&["download", "/one", "/two", &place.text("none")])).fails(2);
    refused.says("which several sources need").says("the last argument is the destination");
}

fn is_staging(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_name() == ".remofile"
}

#[test]
fn a_new_name_needs_its_directory() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 10);
    run(&mut server.client(&["upload", &source, "/no/name"])).fails(3).says("'/no'").says("directory -p");
    server.run(&["upload", &source, "/name"]);
    let refused = run(&mut server.client(&["download", "/name", &place.text("no/name")])).fails(3);
    refused.says("no such file or directory").says("the last argument is the destination");
}

#[test]
fn a_slash_at_the_end_means_nothing() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    server.run(&["directory", "into", "/"]);
    server.run(&["upload", "-r", &format!("{source}/"), "/into/"]);
    assert!(place.served().join("into/tree/below/empty").is_dir());
    fs::create_dir(place.beside("back")).unwrap();
    server.run(&["download", "-r", "/into/tree/", &format!("{}/", place.text("back"))]);
    assert_eq!(fs::read(place.beside("back/tree/.hidden")).unwrap(), content(5, 5));
}

#[test]
fn a_directory_without_r_is_refused_with_a_hint() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["upload", &tree(&place)])).fails(4).says("is a directory").says("hint: use -r");
    server.run(&["directory", "there", "/"]);
    run(&mut server.client(&["download", "/there", &place.text("")])).fails(4).says("hint: use -r");
}

#[test]
fn two_sources_do_not_share_a_target() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for directory in ["x", "y"] {
        fs::create_dir(place.beside(directory)).unwrap();
        fs::write(place.beside(directory).join("same"), directory).unwrap();
    }
    let args = ["upload", &place.text("x/same"), &place.text("y/same"), "/"];
    run(&mut server.client(&args)).fails(2).says("several sources have the target '/same'");
    assert!(!place.served().join("same").exists());
}

#[test]
fn a_pattern_downloads_what_it_matches() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for name in ["a.log", "b.log", "c.txt"] {
        fs::write(place.served().join(name), name).unwrap();
    }
    fs::create_dir(place.beside("logs")).unwrap();
    server.run(&["download", "/*.log", &place.text("logs")]);
    assert_eq!(fs::read_dir(place.beside("logs")).unwrap().count(), 2);
    run(&mut server.client(&["download", "/*.none", &place.text("logs")])).fails(3).says("no match");
    run(&mut server.client(&["download", "/*.log", &place.text("none")])).fails(2).says("several sources");
}

// What is replaced.

#[test]
fn update_keeps_only_what_is_newer() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 20);
    let there = place.served().join("source");
    for (seconds, replaced) in [(999, true), (1_000, true), (1_001, false)] {
        set_time(Path::new(&source), 1_000);
        fs::write(&there, "what was there").unwrap();
        set_time(&there, seconds);
        server.run(&["upload", "-u", &source, "/"]).says(if replaced { "new" } else { "the target is newer" });
        assert_eq!(fs::read(&there).unwrap() == content(20, 20), replaced, "{seconds}");
    }
    // And the other way.
    set_time(&there, 1_000);
    for (seconds, replaced) in [(999, true), (1_000, true), (1_001, false)] {
        fs::write(&source, "what was here").unwrap();
        set_time(Path::new(&source), seconds);
        server.run(&["download", "-u", "/source", &source]);
        assert_eq!(fs::read(&source).unwrap() == b"what was there", replaced, "{seconds}");
    }
}

#[test]
fn update_keeps_what_is_newer_in_a_tree_by_a_nanosecond() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    server.run(&["upload", "-r", &source, "/"]);
    for (name, later) in [("a", 0), ("below/b", 1), ("large", 1)] {
        let local = fs::metadata(place.beside("tree").join(name)).unwrap().modified().unwrap();
        let there = place.served().join("tree").join(name);
        fs::write(&there, "another").unwrap();
        let file = fs::File::options().write(true).open(&there).unwrap();
        file.set_modified(local + Duration::from_nanos(later)).unwrap();
    }
    let done = objects(&server.run(&["--json", "upload", "-r", "-u", &source, "/"]));
    assert_eq!((&done.last().unwrap()["newer"], &done.last().unwrap()["files"]), (&2.into(), &1.into()));
    assert_eq!(fs::read(place.served().join("tree/a")).unwrap(), content(10, 10));
    assert_eq!(fs::read(place.served().join("tree/large")).unwrap(), b"another");
}

#[test]
fn overwrite_and_update_exclude_each_other() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["upload", "-u", "--overwrite", "x"])).fails(2);
}

// Links.

#[test]
fn links_are_followed_only_where_that_is_asked_for() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    fs::create_dir(place.beside("elsewhere")).unwrap();
    fs::write(place.beside("elsewhere/file"), "elsewhere").unwrap();
    symlink(place.beside("elsewhere"), place.beside("tree/linked")).unwrap();
    server.run(&["upload", "-r", &source, "/skipped"]).says("2 skipped");
    assert!(!place.served().join("skipped/linked").exists());
    server.run(&["upload", "-r", "-L", &source, "/followed"]).says("0 skipped");
    assert_eq!(fs::read(place.served().join("followed/linked/file")).unwrap(), b"elsewhere");
    assert_eq!(fs::read(place.served().join("followed/link")).unwrap(), content(10, 10));
}

#[test]
fn a_link_to_where_it_lies_is_a_failure_and_has_an_end() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    symlink("..", place.beside("tree/below/round")).unwrap();
    let done = run(&mut server.client(&["--progress", "lines", "upload", "-r", "-L", &source, "/"])).fails(23);
    done.says("round").says("a link to a directory that it lies in");
    assert_eq!(fs::read(place.served().join("tree/below/b")).unwrap(), content(20, 20));
}

// The plan.

#[test]
fn a_plan_of_an_upload_is_what_is_done_and_changes_nothing() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    fs::create_dir(place.served().join("tree")).unwrap();
    fs::write(place.served().join("tree/a"), content(10, 10)).unwrap();
    fs::write(place.served().join("tree/.hidden"), "older").unwrap();
    let before = fs::metadata(place.served()).unwrap().modified().unwrap();
    let planned = server.run(&["upload", "-n", "-r", "--overwrite", &source, "/"]);
    let mut seen: Vec<&str> = lines(&planned).iter().map(|line| line.split(' ').next().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["directory", "directory", "new", "new", "replace", "skip", "unchanged"]);
    assert_eq!(fs::metadata(place.served()).unwrap().modified().unwrap(), before);
    assert!(!place.served().join("tree/large").exists());
    let plan = objects(&server.run(&["--json", "upload", "-n", "-r", "--overwrite", &source, "/"]));
    let total = plan.last().unwrap();
    let done = objects(&server.run(&["--json", "upload", "-r", "--overwrite", &source, "/"]));
    let all = done.last().unwrap();
    for key in ["files", "unchanged", "directories", "skipped", "failed", "bytes", "sent"] {
        assert_eq!(total[key], all[key], "{key}");
    }
}

#[test]
fn a_plan_of_a_download_is_what_is_done_and_changes_nothing() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::create_dir_all(place.served().join("tree/below")).unwrap();
    fs::write(place.served().join("tree/below/new"), content(1 << 20, 1)).unwrap();
    fs::write(place.served().join("tree/old"), "new").unwrap();
    let back = place.beside("back");
    let planned = server.run(&["download", "-n", "-r", "/tree", &text(&back)]);
    let seen: Vec<&str> = lines(&planned).iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(seen, ["directory", "directory", "new", "new"]);
    assert!(!back.exists());
    fs::create_dir_all(back.join("tree")).unwrap();
    fs::write(back.join("tree/old"), "old").unwrap();
    let refused = run(&mut server.client(&["download", "-n", "-r", "/tree", &text(&back)])).fails(23);
    refused.says("already exists");
    let plan = objects(&server.run(&["--json", "download", "-n", "-r", "--overwrite", "/tree", &text(&back)]));
    let actions: Vec<&str> = plan.iter().filter_map(|object| object["plan"].as_str()).collect();
    assert_eq!(actions, ["directory", "new", "replace"]);
    assert_eq!(fs::read(back.join("tree/old")).unwrap(), b"old");
}

#[test]
fn a_plan_knows_what_will_be_continued() {
    let place = Place::new();
    let source = place.file("source", 16 << 20);
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = remofile_testkit::process::Running::start(&mut through(&relay, &["upload", &source, "/"]));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    upload.kill();
    let plan = objects(&server.run(&["--take", "--json", "upload", "-n", &source, "/"]));
    assert_eq!((&plan[0]["plan"], &plan[0]["bytes"]), (&"resume".into(), &(16 << 20).into()));
    assert!(plan[0]["sent"].as_u64().unwrap() <= 12 << 20, "{plan:?}");
}

// What is said.

#[test]
fn a_tree_is_reported_file_by_file_in_json_and_summed_up() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    let up = objects(&server.run(&["--json", "upload", "-r", &source, "/"]));
    let down = objects(&server.run(&["--json", "download", "-r", "/tree", &place.text("back")]));
    for (done, operation, path) in [(&up, "upload", "/tree/below/b"), (&down, "download", "below/b")] {
        assert!(done.iter().all(|object| object["schema"] == 1 && object["op"] == operation));
        let one = done.iter().find(|object| object["path"].as_str().unwrap().ends_with(path)).unwrap();
        assert_eq!((&one["status"], &one["bytes"], &one["sent"]), (&"new".into(), &20.into(), &20.into()));
        let sum = done.last().unwrap();
        assert_eq!((&sum["summary"], &sum["files"], &sum["bytes"]), (&true.into(), &4.into(), &1_048_611.into()));
    }
    assert_eq!(up.iter().filter(|object| object["status"] == "skipped").count(), 1);
}

#[test]
fn a_failed_item_is_an_object_too_and_named_on_standard_error() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    fs::create_dir(place.served().join("tree")).unwrap();
    fs::write(place.served().join("tree/a"), "another").unwrap();
    let done = run(&mut server.client(&["--json", "upload", "-r", &source, "/"])).fails(23).says("/tree/a");
    let failed: Vec<_> = objects(&done).into_iter().filter(|object| object["status"] == "failed").collect();
    assert_eq!((failed.len(), &failed[0]["path"], &failed[0]["code"]), (1, &"/tree/a".into(), &4.into()));
    done.says("hint: use --overwrite").says("1 of 4 items failed");
}

#[test]
fn all_that_failed_is_named_at_the_end_where_other_lines_came_between() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    fs::create_dir(place.served().join("tree")).unwrap();
    fs::write(place.served().join("tree/a"), "another").unwrap();
    let done = run(&mut server.client(&["-v", "upload", "-r", &source, "/"])).fails(23);
    let (_, end) = done.stderr.split_once("1 item failed:").unwrap();
    assert!(end.contains("/tree/a"), "{end}");
}

#[test]
fn hundreds_of_failures_are_all_named() {
    const FILES: usize = 300;
    let place = Place::new();
    let server = Server::start(&place.served());
    for (top, words) in [(place.beside("many"), "here"), (place.served().join("many"), "there, and longer")] {
        fs::create_dir(&top).unwrap();
        for index in 0..FILES {
            fs::write(top.join(format!("file-{index:03}")), words).unwrap();
        }
    }
    let done = run(&mut server.client(&["upload", "-r", &place.text("many"), "/"])).fails(23);
    for index in 0..FILES {
        assert!(done.stderr.contains(&format!("/many/file-{index:03}'")), "{index}");
    }
    done.says("300 of 300 items failed");
}

#[test]
fn standard_output_is_for_data_alone() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = tree(&place);
    assert_eq!(server.run(&["-v", "--progress", "lines", "upload", "-r", &source, "/"]).stdout, "");
    assert_eq!(server.run(&["-v", "download", "-r", "/tree", &place.text("back")]).stdout, "");
    let quiet = server.run(&["-q", "upload", "-r", &source, "/"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn a_rate_is_kept() {
    // A ratio of two runs on this machine, not a time: twice the rate takes half as long.
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 1 << 20);
    let seconds = |args: &[&str]| server.run(args).took.as_secs_f64();
    let slow = seconds(&["upload", "--bwlimit", "512K", &source, "/slow"]);
    let fast = seconds(&["upload", "--bwlimit", "2M", &source, "/fast"]);
    assert!(slow / fast > 2.0, "{slow} s at a quarter of the rate of {fast} s");
    let slow = seconds(&["download", "--bwlimit", "512K", "/slow", &place.text("slow")]);
    let fast = seconds(&["download", "--bwlimit", "2M", "/slow", &place.text("fast")]);
    assert!(slow / fast > 2.0, "{slow} s at a quarter of the rate of {fast} s");
    run(&mut server.client(&["upload", "--bwlimit", "fast", &source])).fails(2);
}
