//! `partials`: what transfers that broke off have left.

use remofile_testkit::place::{Place, lines, text, through};
use remofile_testkit::process::{
    DEADLINE, Running, Server, await_staged_bytes, content, remofile, run, staged_uploads,
};
use remofile_testkit::relay::{Cuts, Relay};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A server with an upload of 16 MiB to `/deep/film` that broke off, and whose client is gone.
fn with_broken_upload() -> (Place, Server) {
    let place = Place::new();
    fs::create_dir(place.served().join("deep")).unwrap();
    let server = Server::start(&place.served());
    let source = place.file("source", 16 << 20);
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["upload", &source, "/deep/film"]));
    await_staged_bytes(&place.served(), 2 << 20);
    upload.kill();
    (place, server)
}

fn parts(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(".part")).collect()
}

/// A download of 16 MiB into this directory that broke off.
fn break_a_download(place: &Place, server: &Server, into: &Path) {
    fs::create_dir_all(into).unwrap();
    fs::write(place.served().join("film"), content(16 << 20, 1)).unwrap();
    // The client stops asking when its requests come no further; so that some are answered, it is killed in between.
    let download = Running::start(&mut server.client(&["download", "/film", &text(into)]));
    let deadline = Instant::now() + DEADLINE;
    while parts(into).first().is_none_or(|part| fs::metadata(part).map_or(0, |found| found.len()) == 0) {
        assert!(Instant::now() < deadline, "the download does not begin");
        thread::park_timeout(Duration::from_micros(200));
    }
    download.kill();
}

#[test]
fn nothing_is_left_of_nothing() {
    let place = Place::new();
    let server = Server::start(&place.served());
    assert_eq!(server.run(&["partials", "list"]).stdout, "");
    assert_eq!(server.run(&["partials", "clean"]).stdout, "");
}

#[test]
fn a_broken_upload_is_listed_and_discarded() {
    let (place, server) = with_broken_upload();
    let listed = server.run(&["--take", "partials", "list"]);
    let fields: Vec<&str> = listed.stdout.trim_end().split('\t').collect();
    assert!(fields[0].parse::<u64>().unwrap() >= 2 << 20, "{fields:?}");
    assert_eq!((fields[1], fields[3]), ("16777216", "/deep/film"));
    assert!(fields[2].parse::<u64>().is_ok(), "{fields:?}");
    let line: serde_json::Value = serde_json::from_str(&server.run(&["partials", "list", "--json"]).stdout).unwrap();
    assert_eq!((&line["schema"], &line["path"], &line["size"]), (&1.into(), &"/deep/film".into(), &(16 << 20).into()));
    assert!(line["up"].is_string() && line["off"].is_u64() && line["age_ms"].is_u64(), "{line}");

    assert_eq!(lines(&server.run(&["partials", "clean", "-n"])), ["/deep/film"]);
    assert_eq!(server.run(&["partials", "clean", "--older-than", "1h"]).stdout, "");
    assert_ne!(staged_uploads(&place.served()), 0);
    assert_eq!(lines(&server.run(&["partials", "clean"])), ["/deep/film"]);
    assert_eq!(staged_uploads(&place.served()), 0);
    assert_eq!(server.run(&["partials", "list"]).stdout, "");
}

#[test]
fn only_what_is_named_is_discarded() {
    let (place, server) = with_broken_upload();
    run(&mut server.client(&["--take", "partials", "clean", "/deep/other"]))
        .fails(3)
        .says("no match for '/deep/other'");
    run(&mut server.client(&["partials", "clean", "/*.iso"])).fails(3);
    assert_eq!(lines(&server.run(&["partials", "list", "/deep"])), lines(&server.run(&["partials", "list", "/*/f*"])));
    assert_ne!(staged_uploads(&place.served()), 0);
    server.run(&["partials", "clean", "/deep"]);
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn an_age_without_a_unit_is_wrong_usage() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["partials", "clean", "--older-than", "7"])).fails(2).says("7d");
    run(&mut server.client(&["partials"])).fails(2);
}

#[test]
fn a_broken_download_is_listed_and_discarded_without_a_server() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (top, into) = (place.beside("here"), place.beside("here/deep"));
    break_a_download(&place, &server, &into);
    drop(server);
    fs::write(into.join(".remofile-not-hex.part"), "not ours").unwrap();
    let local = |args: &[&str]| {
        let local = text(&top);
        run(remofile().arg("partials").args(args).args(["--local", &local])).success()
    };
    let listed = local(&["list"]);
    let fields: Vec<&str> = listed.stdout.trim_end().split('\t').collect();
    assert_eq!(fields[1], "16777216");
    assert!(Path::new(fields[3]).starts_with(&into), "{fields:?}");
    let line: serde_json::Value = serde_json::from_str(&local(&["list", "--json"]).stdout).unwrap();
    assert_eq!((&line["path"], &line["local"]), (&"/film".into(), &fields[3].into()));

    assert_eq!(local(&["clean", "--older-than", "1d"]).stdout, "");
    let old = SystemTime::now() - Duration::from_secs(2 * 86_400);
    fs::File::options().write(true).open(fields[3]).unwrap().set_modified(old).unwrap();
    assert_eq!(lines(&local(&["clean", "-n", "--older-than", "1d"])), [fields[3]]);
    assert_eq!(lines(&local(&["clean", "--older-than", "1d"])), [fields[3]]);
    let left: Vec<_> = fs::read_dir(&into).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".remofile-not-hex.part"]);
    let missing = text(&place.beside("missing"));
    run(remofile().args(["partials", "list", "--local", &missing])).fails(3).says("missing");
}

#[test]
fn what_is_at_work_is_not_discarded() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let into = place.beside("here");
    break_a_download(&place, &server, &into);
    // Another process holds the lock of a running download.
    let part = parts(&into).remove(0);
    let file = fs::File::open(&part).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    run(remofile().args(["partials", "clean", "--local", &text(&into)])).fails(1).says("is being downloaded");
    assert!(part.exists());
}
