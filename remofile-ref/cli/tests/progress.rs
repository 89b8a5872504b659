//! Progress that tells the truth: totals that were counted, on a terminal alone, and nothing left of it.

use remofile_testkit::place::{Place, text, through};
use remofile_testkit::process::{Running, Server, await_staged_bytes, content};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::session::{Session, left_on_screen};
use remofile_testkit::skip::skip;
use serde_json::Value;
use std::fs;

fn told(stderr: &str) -> Vec<Value> {
    stderr.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Files of 4 KiB in a directory.
fn small_files(place: &Place, count: u64) -> String {
    let top = place.beside("tree");
    fs::create_dir(&top).unwrap();
    for index in 0..count {
        fs::write(top.join(format!("{index:04}")), content(4096, index)).unwrap();
    }
    text(&top)
}

#[test]
fn the_total_is_known_before_the_first_byte_and_reached_at_the_end() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = small_files(&place, 300);
    for args in [["upload", "-r", &source, "/"], ["download", "-r", "/tree", &place.text("back")]] {
        let done = server.run(&[&["--progress", "json"], &args[..]].concat());
        let told = told(&done.stderr);
        assert!(told.iter().all(|told| told["schema"] == 1));
        let counted = told.iter().filter(|told| told["progress"] != "counting");
        assert!(counted.into_iter().all(|told| told["total"] == 300 * 4096 && told["total_files"] == 300), "{told:?}");
        let last = told.last().unwrap();
        assert_eq!((&last["done"], &last["files"]), (&(300 * 4096).into(), &300.into()));
        assert!(told.is_sorted_by_key(|told| told["done"].as_u64().unwrap()), "{told:?}");
    }
}

#[test]
fn bytes_that_were_there_are_shown_and_not_counted_as_moved() {
    const SIZE: u64 = 16 << 20;
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 16 << 20);
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["upload", &source, "/"]));
    await_staged_bytes(&place.served(), 4 << 20);
    upload.kill();
    let done = server.run(&["--take", "--progress", "json", "upload", &source, "/"]);
    let told = told(&done.stderr);
    let last = told.last().unwrap();
    assert_eq!(last["done"], SIZE);
    assert!(last["moved"].as_u64().unwrap() <= SIZE - (4 << 20), "{last}");
}

#[test]
fn a_pipe_gets_no_progress_that_it_did_not_ask_for() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 3_000_000);
    let done = server.run(&["upload", &source, "/"]);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    let lines = server.run(&["--progress", "lines", "download", "/source", &place.text("back")]);
    assert!(lines.stderr.contains("% "), "{}", lines.stderr);
}

#[test]
fn the_bar_leaves_nothing_behind() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 3 << 20);
    let upload = server.client(&["upload", "--bwlimit", "6M", &source, "/"]);
    let Some(session) = Session::start(&upload) else { return skip("there is no setsid") };
    session.resize(100);
    session.await_text(" of 3.0 MiB");
    session.resize(40);
    let (status, seen, _) = session.finish();
    assert!(status.success(), "{seen}");
    assert_eq!(left_on_screen(&seen).len(), 1, "{seen:?}");
    assert!(left_on_screen(&seen)[0].ends_with("-> /source (3.0 MiB, new)"), "{seen:?}");
}

#[test]
fn lines_of_files_and_the_bar_do_not_disturb_each_other() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = small_files(&place, 200);
    let upload = server.client(&["-v", "upload", "-r", "--bwlimit", "2M", &source, "/"]);
    let Some(session) = Session::start(&upload) else { return skip("there is no setsid") };
    session.resize(200);
    let (status, seen, _) = session.finish();
    assert!(status.success(), "{seen}");
    let left = left_on_screen(&seen);
    let files: Vec<_> = left.iter().filter(|line| line.ends_with("(4.0 KiB, new)")).collect();
    assert_eq!((files.len(), left.len()), (200, 201), "{left:?}");
}

#[test]
fn the_bar_is_drawn_no_more_often_than_one_can_see() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = small_files(&place, 1_000);
    let upload = server.client(&["upload", "-r", "--bwlimit", "2M", &source, "/"]);
    let Some(session) = Session::start(&upload) else { return skip("there is no setsid") };
    session.resize(100);
    let started = std::time::Instant::now();
    let (status, seen, _) = session.finish();
    let took = started.elapsed().as_secs_f64();
    assert!(status.success(), "{seen}");
    let drawn = seen.matches(" of 3.9 MiB").count();
    // By the time that it took, whatever the machine did meanwhile: 15 a second, and a few at the ends.
    #[allow(clippy::cast_precision_loss)]
    let drawn = drawn as f64;
    assert!(drawn >= 2.0 && drawn <= 16.0 * took + 4.0, "{drawn} in {took} s");
}

#[test]
fn names_of_the_server_cannot_move_the_cursor() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::create_dir(place.served().join("tree")).unwrap();
    for index in 0..3 {
        fs::write(place.served().join(format!("tree/\u{202e}gpj.{index}")), content(1 << 20, index)).unwrap();
    }
    let download = server.client(&["-v", "download", "-r", "--bwlimit", "6M", "/tree", &place.text("back")]);
    let Some(session) = Session::start(&download) else { return skip("there is no setsid") };
    session.resize(100);
    let (status, seen, _) = session.finish();
    assert!(status.success(), "{seen}");
    assert!(seen.contains("\\u{202e}gpj") && !seen.contains('\u{202e}'), "{seen:?}");
}
