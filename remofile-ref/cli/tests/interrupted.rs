//! Ctrl-C and SIGTERM: the end at once, a line that says how to continue, and the same command that does.

use remofile::{Outcome, Success};
use remofile_proto::{Answer, Entry, Kind, ListedEntry, Listing, Operation, Refusal};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::place::{Place, text, through};
use remofile_testkit::process::{Running, Server, TOKEN, await_staged_bytes, content, remofile, run, staged_uploads};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::session::Session;
use remofile_testkit::skip::skip;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The time that a command may take to end after a signal.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The machine does other things beside; what is measured is that nothing is waited for.
const BUSY_MACHINE: u32 = 3;

const SIZE: usize = 16 << 20;

/// Uploads through a relay that lets 6 MiB pass and no more, as silent as a server that is stopped.
fn half_an_upload(place: &Place, server: &Server) -> (Relay, Command) {
    let source = place.file("source", SIZE);
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let command = through(&relay, &["upload", &source, "/"]);
    (relay, command)
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

fn interrupt_when_half_is_there(place: &Place, command: &mut Command, sent: Signal) -> (Option<i32>, String, Duration) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_staged_bytes(&place.served(), 4 << 20);
    let started = std::time::Instant::now();
    signal(child.id(), sent);
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap(), started.elapsed())
}

fn ends_and_continues(sent: Signal, code: i32, word: &str) {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (relay, mut command) = half_an_upload(&place, &server);
    let (status, said, took) = interrupt_when_half_is_there(&place, &mut command, sent);
    assert_eq!(status, Some(code), "{said}");
    assert!(took < AT_ONCE * BUSY_MACHINE, "{took:?}");
    assert!(said.contains(word), "{said}");
    assert!(said.contains("hint: run the same command again to resume (") && said.contains(" of 16.0 MiB"), "{said}");
    drop(relay);
    let again = server.run(&["--take", "--json", "upload", &place.text("source"), "/"]);
    let line: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(line["status"], "resumed");
    assert!(line["sent"].as_u64().unwrap() <= (12 << 20), "{line}");
    assert!(fs::read(place.served().join("source")).unwrap() == content(SIZE, SIZE as u64), "the content differs");
}

#[test]
fn an_interrupted_upload_says_how_to_continue_and_does() {
    ends_and_continues(Signal::INT, 130, "interrupted");
}

#[test]
fn a_terminated_upload_says_how_to_continue_and_does() {
    ends_and_continues(Signal::TERM, 143, "terminated");
}

#[test]
fn signals_that_come_together_are_one() {
    for _ in 0..5 {
        let place = Place::new();
        let server = Server::start(&place.served());
        let (_relay, mut command) = half_an_upload(&place, &server);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        await_staged_bytes(&place.served(), 4 << 20);
        // As timeout does: to the command, and to the group that it is in.
        signal(child.id(), Signal::INT);
        std::thread::park_timeout(Duration::from_millis(1));
        signal(child.id(), Signal::INT);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(130), "{said}");
        assert!(said.contains("hint: run the same command again to resume ("), "{said}");
    }
}

#[test]
fn control_c_on_a_terminal_ends_an_upload_and_leaves_no_bar() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", SIZE);
    let command = server.client(&["upload", "--bwlimit", "500K", &source, "/"]);
    let Some(mut session) = Session::start(&command) else { return skip("there is no setsid") };
    session.await_text(" of 16.0 MiB");
    await_staged_bytes(&place.served(), 1 << 20);
    session.press(&[0x03]);
    let (status, seen, took) = session.finish();
    assert_eq!(status.code(), Some(130), "{seen}");
    assert!(took < AT_ONCE * BUSY_MACHINE, "{took:?}");
    let left = remofile_testkit::session::left_on_screen(&seen);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].ends_with("remofile: error: interrupted") || left[0].contains("interrupted"), "{left:?}");
    assert!(left[1].contains("run the same command again to resume ("), "{left:?}");
    // The session was closed: the next client does not wait for its lease.
    let again = server.run(&["--wait", "0", "upload", &source, "/"]).says("resumed");
    assert!(again.status.success());
}

#[test]
fn an_interrupted_download_is_continued_by_the_same_command() {
    let place = Place::new();
    fs::write(place.served().join("source"), content(SIZE, 1)).unwrap();
    let server = Server::start(&place.served());
    let target = place.text("target");
    let args = ["download", "--bwlimit", "500K", "--progress", "json", "/source", &target];
    let child = server.client(&args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let part = || {
        let names = fs::read_dir(place.beside("")).unwrap().map(|entry| entry.unwrap().path());
        names
            .filter(|path| text(path).ends_with(".part"))
            .map(|path| fs::metadata(path).map_or(0, |found| found.len()))
            .max()
    };
    let deadline = std::time::Instant::now() + remofile_testkit::process::DEADLINE;
    while part().is_none_or(|len| len < 1 << 20) {
        assert!(std::time::Instant::now() < deadline, "nothing comes");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    signal(child.id(), Signal::INT);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains("run the same command again to resume ("), "{said}");
    assert!(!place.beside("target").exists());
    server.run(&["--wait", "0", "download", "/source", &target]).says("resumed");
    assert!(fs::read(place.beside("target")).unwrap() == content(SIZE, 1), "the content differs");
}

#[test]
fn a_tree_goes_on_where_it_was_interrupted() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::create_dir(place.beside("tree")).unwrap();
    for index in 0..200 {
        fs::write(place.beside("tree").join(format!("{index:03}")), content(40_000, index)).unwrap();
    }
    let args = ["upload", "-r", "--bwlimit", "500K", "--progress", "lines", &place.text("tree"), "/"];
    let child = server.client(&args).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = std::time::Instant::now() + remofile_testkit::process::DEADLINE;
    while !place.served().join("tree/020").exists() {
        assert!(std::time::Instant::now() < deadline, "nothing arrives");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    signal(child.id(), Signal::INT);
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains(" of 7.6 MiB transferred"), "{said}");
    let again = server.run(&["--wait", "0", "--json", "upload", "-r", &place.text("tree"), "/"]);
    let sum: serde_json::Value = serde_json::from_str(again.stdout.lines().last().unwrap()).unwrap();
    assert!(sum["unchanged"].as_u64().unwrap() >= 20, "{sum}");
    assert_eq!(sum["failed"], 0);
}

#[test]
fn an_interrupted_stream_leaves_nothing_and_says_so() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let mut child = server
        .client(&["upload", "-", "/stream"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &content(1 << 20, 1)).unwrap();
    await_staged_bytes(&place.served(), 1 << 19);
    // The reader waits for more, which does not come.
    signal(child.id(), Signal::INT);
    let done = child.wait_with_output().unwrap();
    drop(stdin);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{said}");
    assert!(said.contains("a stream cannot be resumed"), "{said}");
    assert_eq!(staged_uploads(&place.served()), 0);
    assert!(!place.served().join("stream").exists());
    run(&mut server.client(&["--wait", "0", "list"])).success();
}

#[test]
fn hashing_and_counting_are_interrupted_too() {
    let place = Place::new();
    let server = Server::start(&place.served());
    // Of one size, so that contents are compared, and too large for that to be over soon.
    for path in [place.beside("sparse"), place.served().join("sparse")] {
        fs::File::create(path).unwrap().set_len(200 << 30).unwrap();
    }
    let source = place.text("sparse");
    let upload = server.client(&["--progress", "json", "upload", &source, "/"]).stderr(Stdio::piped()).spawn();
    let mut upload = upload.unwrap();
    await_line(&mut upload, |line| line.contains("\"serving\"") || line.contains("\"hashing\""));
    ends_at_once(upload);

    let (asked, was_asked) = channel();
    let server = FakeServer::answering(move |operation| match operation {
        Operation::List { after, .. } => {
            let _ = asked.send(());
            endless_page(after.as_deref())
        }
        Operation::Stat { .. } => Ok(Success::of(Answer::Entry(entry(Kind::Dir)))),
        _ => Err(Refusal::new(remofile_proto::Code::BadOp)),
    });
    let mut command = remofile();
    command.env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN);
    command.args(["--progress", "lines", "download", "-r", "/", &place.text("endless")]);
    let download = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..20 {
        was_asked.recv_timeout(remofile_testkit::process::DEADLINE).unwrap();
    }
    ends_at_once(download);
}

fn ends_at_once(mut child: std::process::Child) {
    let started = std::time::Instant::now();
    signal(child.id(), Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(started.elapsed() < AT_ONCE * BUSY_MACHINE, "{:?}", started.elapsed());
}

/// Reads what a process says until a line is like this; the rest goes unread.
fn await_line(child: &mut std::process::Child, is_it: impl Fn(&str) -> bool) {
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let mut seen = Vec::new();
    for line in lines.map(Result::unwrap) {
        if is_it(&line) {
            return;
        }
        seen.push(line);
    }
    panic!("it ended with {seen:?}");
}

fn entry(kind: Kind) -> Entry {
    Entry { kind, size: None, mtime_ns: (kind == Kind::Dir).then_some(0), etag: None, racy: false }
}

fn endless_page(after: Option<&str>) -> Outcome {
    let from: u64 = after.map_or(0, |after| after[1..].parse::<u64>().unwrap() + 1);
    let entries =
        (from..from + 500).map(|n| ListedEntry { name: format!("n{n:0>20}"), entry: entry(Kind::Link) }).collect();
    Ok(Success::of(Answer::Listing(Listing { entries, more: true, skipped: 0 })))
}

#[test]
fn waiting_for_who_holds_the_session_is_interrupted_too() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let endpoint = server.endpoint.parse().unwrap();
    let _holder =
        remofile::FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), remofile::ClientOptions::new()).unwrap();
    let mut waiting = server.client(&["--wait", "600", "upload", &place.file("a", 1), "/"]);
    let mut waiting = waiting.stderr(Stdio::piped()).spawn().unwrap();
    await_line(&mut waiting, |line| line.contains("holds the session"));
    ends_at_once(waiting);
}

#[test]
fn a_command_that_ends_by_itself_says_nothing_of_signals() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let done = Running::start(&mut server.client(&["upload", &place.file("a", 1), "/"])).finish().success();
    assert!(!done.stderr.contains("hint"), "{}", done.stderr);
}
