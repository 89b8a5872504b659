//! What a server logs: who came, what was done, what was refused; in text and in JSON, to a terminal's stream or a file.

use remofile::{ClientOptions, FileClient};
use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{DEADLINE, Server, TOKEN, remofile, run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const OTHER_TOKEN: &str = "9mZ7sWq4HnXe6RbKcV3tYp";

/// Ends the server and gives its events.
fn events(server: Server) -> Vec<Value> {
    let (status, log, _) = server.terminate();
    assert!(status.success(), "{log}");
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

fn logging(place: &Place) -> Server {
    Server::start_with(&place.served(), &["--log-format", "json"])
}

/// The events of the journal with this message.
fn told<'a>(events: &'a [Value], message: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["target"] == "remofile::access_log" && event["message"] == message).collect()
}

fn done<'a>(events: &'a [Value], op: &str) -> Vec<&'a Value> {
    told(events, "done").into_iter().filter(|event| event["op"] == op).collect()
}

#[test]
fn who_came_and_went_is_reported() {
    let place = Place::new();
    let server = logging(&place);
    let endpoint = server.endpoint.parse().unwrap();
    let options = ClientOptions::new().name("alice@desk");
    let _alice = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
    run(&mut server.client(&["--wait", "0", "list"])).fails(7);
    server.run(&["--take", "list"]);
    let events = events(server);
    let opened = told(&events, "session opened");
    assert_eq!(opened[0]["client"], "alice@desk");
    assert_eq!(opened[0]["address"], "127.0.0.1");
    assert_eq!(opened[0]["session"].as_str().unwrap().len(), 8);
    let ended = told(&events, "session ended");
    assert_eq!((&ended[0]["client"], &ended[0]["reason"]), (&"alice@desk".into(), &"taken over".into()));
    assert_eq!(ended.last().unwrap()["reason"], "bye");
    let busy = told(&events, "refused");
    assert_eq!((&busy[0]["code"], &busy[0]["holder"]), (&"BUSY".into(), &"alice@desk".into()));
}

#[test]
fn an_expired_lease_is_logged_when_the_next_client_connects() {
    let place = Place::new();
    let server = logging(&place);
    let endpoint = server.endpoint.parse().unwrap();
    let options = ClientOptions::new().name("alice@desk").lease_ms(1_000);
    let _silent = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
    server.run(&["list"]);
    let events = events(server);
    assert_eq!(told(&events, "session ended")[0]["reason"], "lease expired");
}

#[test]
fn what_was_done_is_reported_with_path_and_bytes() {
    let place = Place::new();
    let server = logging(&place);
    server.run(&["directory", "inside", "/"]);
    server.run(&["upload", &place.file("large", 3_000_000), "/inside"]);
    server.run(&["download", "/inside/large", &place.text("fetched")]);
    server.run(&["remove", "/inside/large"]);
    let events = events(server);
    assert_eq!(done(&events, "mkdir")[0]["path"], "/inside");
    let commit = done(&events, "commit");
    assert_eq!((&commit[0]["path"], &commit[0]["bytes"]), (&"/inside/large".into(), &3_000_000.into()));
    assert!(commit[0]["took_us"].as_u64().unwrap() > 0);
    let read = done(&events, "read");
    assert_eq!(read.len(), 1, "one line for all reads of a file: {read:?}");
    assert_eq!((&read[0]["path"], &read[0]["bytes"]), (&"/inside/large".into(), &3_000_000.into()));
    assert_eq!(done(&events, "remove")[0]["path"], "/inside/large");
    assert!(done(&events, "append").is_empty() && done(&events, "stat").is_empty());
}

#[test]
fn every_request_is_logged_at_level_debug() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--log-format", "json", "--log-level", "debug"]);
    server.run(&["upload", &place.file("large", 3_000_000), "/"]);
    let events = events(server);
    let bytes: u64 = done(&events, "append").iter().map(|event| event["bytes"].as_u64().unwrap()).sum();
    assert_eq!(bytes, 3_000_000);
}

#[test]
fn an_upload_that_stays_unfinished_is_reported() {
    let place = Place::new();
    let server = logging(&place);
    let relay = remofile_testkit::relay::Relay::start(
        server.address(),
        remofile_testkit::relay::Cuts { hold_at: 6 << 20, ..remofile_testkit::relay::Cuts::NONE },
    );
    let source = place.file("source", 16 << 20);
    let upload = remofile_testkit::process::Running::start(&mut remofile_testkit::place::through(
        &relay,
        &["upload", &source, "/"],
    ));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    upload.kill();
    server.run(&["--take", "list"]);
    let events = events(server);
    let left = told(&events, "left unfinished");
    assert_eq!(left[0]["path"], "/source");
    assert!(left[0]["bytes"].as_u64().unwrap() >= 4 << 20);
}

#[test]
fn what_was_refused_is_reported_with_code_and_reason() {
    let place = Place::new();
    let server = logging(&place);
    fs::write(place.served().join("file"), "").unwrap();
    run(&mut server.client(&["directory", "file", "/"])).fails(4);
    let events = events(server);
    let refused = told(&events, "refused");
    let mkdir = refused.iter().find(|event| event["op"] == "mkdir").unwrap();
    assert_eq!((&mkdir["code"], &mkdir["path"]), (&"EXISTS".into(), &"/file".into()));
    assert!(!mkdir["why"].as_str().unwrap().is_empty());
}

#[test]
fn wrong_tokens_are_reported_at_a_bounded_rate_and_never_shown() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for _ in 0..3 {
        run(server.client(&["list"]).env("REMOFILE_TOKEN", OTHER_TOKEN)).fails(6);
    }
    server.run(&["list"]);
    let (_, log, took) = server.terminate();
    let refusals = log.lines().filter(|line| line.contains("refused") || line.contains("handshakes failed")).count();
    assert!((1..=15).contains(&refusals), "{took:?}: {log}");
    assert!(!log.contains(OTHER_TOKEN) && !log.contains(TOKEN), "{log}");
}

#[test]
fn neither_names_of_files_nor_of_clients_can_forge_a_line() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let endpoint = server.endpoint.parse().unwrap();
    let options = ClientOptions::new().name("eve\n2026-01-01 INFO forged\u{1b}[2J");
    let eve = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
    eve.mkdir(&"/\u{202e}forged\u{2028}".parse().unwrap()).unwrap();
    eve.bye();
    let (_, log, _) = server.terminate();
    let control = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2028}');
    assert!(!log.contains(control), "{log:?}");
    assert!(log.lines().all(|line| !line.starts_with("2026-01-01")), "{log}");
    assert!(log.contains("forged"), "{log}");
}

#[test]
fn content_is_nowhere_in_the_log() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--log-level", "trace"]);
    let secret = "the content of a file is not logged";
    let source = place.beside("source");
    fs::write(&source, secret).unwrap();
    server.run(&["upload", &text(&source), "/"]);
    server.run(&["download", "/source", &place.text("fetched")]);
    let (_, log, _) = server.terminate();
    assert!(log.contains("/source") && !log.contains(secret) && !log.contains(TOKEN), "{log}");
}

#[test]
fn many_refusals_take_few_lines() {
    let place = Place::new();
    let server = logging(&place);
    let endpoint = server.endpoint.parse().unwrap();
    let client = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), ClientOptions::new()).unwrap();
    let started = Instant::now();
    for n in 0..500 {
        client.stat(&format!("/missing-{n}").parse().unwrap()).unwrap_err();
    }
    let seconds = started.elapsed().as_secs() + 2;
    client.bye();
    let events = events(server);
    let lines = told(&events, "refused").len() as u64;
    assert!(lines >= 20 && lines <= 20 * seconds, "{lines} lines in {seconds} s");
}

#[test]
fn a_log_file_is_opened_again_on_sighup() {
    let place = Place::new();
    let (log, old) = (place.beside("log"), place.beside("log.1"));
    let server = Server::start_with(&place.served(), &["--log-file", &text(&log)]);
    server.run(&["directory", "first", "/"]);
    fs::rename(&log, &old).unwrap();
    kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), Signal::HUP).unwrap();
    await_content(&log, "log file reopened");
    server.run(&["directory", "second", "/"]);
    let (status, said, _) = server.terminate();
    assert!(status.success());
    assert_eq!(said, "", "nothing is left for standard error");
    let (before, after) = (fs::read_to_string(old).unwrap(), fs::read_to_string(log).unwrap());
    assert!(before.contains("/first") && !before.contains("/second"), "{before}");
    assert!(after.contains("/second") && after.contains("stopped"), "{after}");
}

#[test]
fn a_level_that_is_none_is_wrong_usage() {
    let place = Place::new();
    let serve = |flags: &[&str], variable: &str| {
        let mut command = remofile();
        command.arg("run").arg(place.served()).arg("0").args(flags);
        command.env("REMOFILE_TOKEN", TOKEN).env("REMOFILE_LOG", variable);
        run(&mut command).fails(2)
    };
    serve(&["--log-level", "loud=very"], "").says("--log-level").says("hint: use error, warn");
    serve(&[], "loud=very").says("REMOFILE_LOG");
    serve(&["--log-format", "xml"], "").says("--log-format");
}

#[test]
fn a_log_file_that_cannot_be_opened_keeps_a_server_from_starting() {
    let place = Place::new();
    let file = place.file("file", 1);
    let mut command = remofile();
    command.arg("run").arg(place.served()).args(["0", "--log-file", &format!("{file}/log")]);
    let done = run(command.env("REMOFILE_TOKEN", TOKEN)).fails(4).says("log file");
    assert_eq!(done.stdout, "");
}

fn await_content(file: &Path, wanted: &str) {
    let deadline = Instant::now() + DEADLINE;
    while !fs::read_to_string(file).unwrap_or_default().contains(wanted) {
        assert!(Instant::now() < deadline, "'{wanted}' does not come");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
