//! Patterns of remote paths.

use remofile::Success;
use remofile_proto::{Answer, Code, Entry, Kind, ListedEntry, Listing, Operation, Refusal};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::place::{Place, lines};
use remofile_testkit::process::{Server, TOKEN, remofile, run};
use std::fs;
use std::sync::{Arc, Mutex};

fn served(names: &[&str]) -> (Place, Server) {
    let place = Place::new();
    for name in names {
        let path = place.served().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let server = Server::start(&place.served());
    (place, server)
}

#[test]
fn what_matches_is_listed_by_its_path() {
    let (_place, server) = served(&["a.jpg", "b.txt", "x/c.jpg", "x/y/d.jpg"]);
    assert_eq!(lines(&server.run(&["list", "/*.jpg"])), ["/a.jpg"]);
    assert_eq!(lines(&server.run(&["list", "*/*.jpg"])), ["x/c.jpg"]);
    assert_eq!(lines(&server.run(&["list", "/**/*.jpg"])), ["/a.jpg", "/x/c.jpg", "/x/y/d.jpg"]);
    assert_eq!(lines(&server.run(&["list", "/x/**"])), ["/x/c.jpg", "/x/y", "/x/y/d.jpg"]);
    assert_eq!(lines(&server.run(&["list", "/?.[a-j]*"])), ["/a.jpg"]);
    assert_eq!(lines(&server.run(&["list", "/*/y/d.jpg"])), ["/x/y/d.jpg"]);
}

#[test]
fn a_directory_that_matches_is_listed_itself_or_with_what_is_below() {
    let (_place, server) = served(&["x/c", "x/y/d"]);
    assert_eq!(lines(&server.run(&["list", "/*"])), ["/x"]);
    assert_eq!(lines(&server.run(&["list", "-r", "/*"])), ["/x/c", "/x/y", "/x/y/d"]);
}

#[test]
fn a_dot_in_front_is_matched_by_a_dot_or_with_all() {
    let (_place, server) = served(&[".a", "b", ".x/c"]);
    assert_eq!(lines(&server.run(&["list", "/*"])), ["/b"]);
    assert_eq!(lines(&server.run(&["list", "/.*"])), ["/.a", "/.x"]);
    assert_eq!(lines(&server.run(&["list", "-a", "/*"])), ["/.a", "/.x", "/b"]);
    assert_eq!(lines(&server.run(&["list", "-a", "/**/c"])), ["/.x/c"]);
}

#[test]
fn a_path_that_exists_wins_over_the_pattern() {
    let (_place, server) = served(&["[ab]", "a", "b", "*"]);
    assert_eq!(lines(&server.run(&["list", "/[ab]"])), ["/[ab]"]);
    server.run(&["remove", "/*"]);
    assert_eq!(lines(&server.run(&["list"])), ["[ab]", "a", "b"]);
    server.run(&["remove", "/[ab]"]);
    assert_eq!(lines(&server.run(&["list", "/[ab]"])), ["/a", "/b"]);
}

#[test]
fn a_backslash_takes_the_next_character_literally() {
    let (_place, server) = served(&["a*b", "axb"]);
    assert_eq!(lines(&server.run(&["list", "/a\\*?"])), ["/a*b"]);
}

#[test]
fn no_match_has_its_own_message() {
    let (_place, server) = served(&["a"]);
    for command in ["list", "stat", "hash", "cat", "du", "remove"] {
        let done = run(&mut server.client(&[command, "/x*"])).fails(3);
        assert!(done.says("no match for '/x*'").says("hint: `*` and `?` match within a name").stdout.is_empty());
    }
    run(&mut server.client(&["copy", "/missing/*", "/"])).fails(3).says("no match for '/missing/*'");
    run(&mut server.client(&["list", "/a/*"])).fails(3);
    server.run(&["remove", "-f", "/x*"]);
}

#[test]
fn a_pattern_that_could_not_match_is_an_invalid_path() {
    let (_place, server) = served(&[]);
    for pattern in ["/../*", "/*/../a", "/a//*", "/.remofile/*"] {
        run(&mut server.client(&["list", pattern])).fails(11).says("invalid path");
    }
}

#[test]
fn only_what_is_below_the_names_in_front_is_listed_by_the_server() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let server = FakeServer::answering({
        let asked = Arc::clone(&asked);
        move |operation| {
            let entry = Entry { kind: Kind::Other, size: None, mtime_ns: None, etag: None, racy: false };
            match operation {
                Operation::List { path, tree, .. } => {
                    asked.lock().unwrap().push((path.to_string(), *tree));
                    let entries = vec![ListedEntry { name: "c.jpg".to_owned(), entry }];
                    Ok(Success::of(Answer::Listing(Listing { entries, more: false, skipped: 0 })))
                }
                _ => Err(Refusal::new(Code::NotFound)),
            }
        }
    });
    let listed = |pattern: &str| {
        let mut command = remofile();
        command.args(["list", pattern]).env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN);
        let done = run(&mut command).success();
        (done.stdout, std::mem::take(&mut *asked.lock().unwrap()))
    };
    assert_eq!(listed("/a/b/*.jpg"), ("/a/b/c.jpg\n".to_owned(), vec![("/a/b".to_owned(), false)]));
    assert_eq!(listed("/a/b/**/*.jpg"), ("/a/b/c.jpg\n".to_owned(), vec![("/a/b".to_owned(), true)]));
}
