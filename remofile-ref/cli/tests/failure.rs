//! How commands fail: every exit code, and every error with its words and its hint.

use remofile::{ClientOptions, ExecutionStatus, FileClient, Outcome, Storage, Store, StoreOptions, Success};
use remofile_proto::{Answer, Code, Entry, Kind, Listing, Operation, Refusal};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::place::Place;
use remofile_testkit::process::{DEADLINE, Running, Server, TOKEN, await_staged_bytes, remofile, run};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::scripted::{Fault, Scripted};
use remofile_testkit::skip::skip;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// A command that is asked to end does so within this.
const AT_ONCE: Duration = Duration::from_millis(1500);

fn client(endpoint: &str, args: &[&str]) -> Command {
    let mut command = remofile();
    command.args(args).env("REMOFILE_SERVER", endpoint).env("REMOFILE_TOKEN", TOKEN);
    command
}

/// A store behind an interceptor that may answer in its place.
struct Between<F> {
    store: Store,
    look: F,
}

impl<F: FnMut(&Operation) -> Option<Outcome>> Storage for Between<F> {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        match (self.look)(operation) {
            Some(outcome) => ExecutionStatus::Done(outcome),
            None => self.store.perform(operation, payload),
        }
    }

    fn proceed(&mut self) -> ExecutionStatus {
        self.store.proceed()
    }

    fn cancel(&mut self) {
        self.store.cancel();
    }
}

fn between(place: &Place, look: impl FnMut(&Operation) -> Option<Outcome> + Send + 'static) -> FakeServer {
    let store = Store::open(&place.served(), StoreOptions::default()).unwrap();
    FakeServer::over(Between { store, look })
}

/// Reads a line from a child's output, so that what it says has come about.
fn line(from: &mut impl std::io::Read) -> String {
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"\n") && from.read(&mut byte).unwrap() == 1 {
        said.push(byte[0]);
    }
    String::from_utf8(said).unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits for the end; gives the exit code and what is left of what it says.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the command does not end");
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

// What the server refuses.

#[test]
fn every_refusal_has_its_exit_code_its_words_and_its_hint() {
    let cases = [
        (Code::NotFound, 3, "there is no such file or directory", "the parent directory must exist"),
        (Code::Exists, 4, "something is already there", "use -u to accept an existing one"),
        (Code::NotFile, 4, "a directory stands where a file is needed", "it is a directory"),
        (Code::NotDir, 4, "something else stands where a directory is needed", ""),
        (Code::NotEmpty, 4, "the directory is not empty", "use -r to remove a directory and its contents"),
        (Code::BadName, 11, "the path has a name that is not allowed", ""),
        (Code::NameClash, 4, "the name is taken under another spelling", "the server has a name that differs only"),
        (Code::Changed, 24, "the file is not the one that was named", "another client changed it"),
        (Code::Denied, 1, "the server does not allow this", "the server may be read-only"),
        (Code::Loop, 1, "the target lies at or below the source", ""),
        (Code::UnsupportedKind, 4, "a link or special file is not followed", "symbolic links and special files"),
        (Code::Digest, 9, "the uploaded bytes have another hash", ""),
        (Code::TooLarge, 10, "the size is above the limit", ""),
        (Code::NoSpace, 10, "there is no space left", "free some space on the server"),
        (Code::Limit, 10, "a limit of the server is reached", ""),
        (Code::BadOp, 8, "this operation is not known here", ""),
        (Code::BadArgs, 8, "the arguments do not fit the operation", ""),
        (Code::Internal, 1, "the server failed", ""),
    ];
    let by_name = move |operation: &Operation| match operation {
        Operation::Mkdir { path } => {
            let name = path.as_str().trim_start_matches('/');
            let code = cases.iter().map(|case| case.0).find(|code| code.name() == name).unwrap();
            Err(Refusal::new(code))
        }
        _ => Err(Refusal::new(Code::NotFound)),
    };
    let server = FakeServer::answering(by_name);
    for (code, exit, text, hint) in cases {
        let failed = run(&mut client(&server.endpoint, &["directory", &format!("/{}", code.name())])).fails(exit);
        let said: Vec<_> = failed.stderr.lines().collect();
        let error = format!("remofile: error: cannot create directory '/{}': {text}", code.name());
        assert!(said[0].starts_with(&error), "{said:?}");
        match said.get(1) {
            Some(said) => assert!(!hint.is_empty() && said.starts_with(&format!("hint: {hint}")), "{code}: {said}"),
            None => assert_eq!(hint, "", "{code}"),
        }
    }
}

#[test]
fn a_directory_is_downloaded_only_with_all_it_holds() {
    let place = Place::new();
    let server = Server::start(&place.served());
    server.run(&["directory", "/inside"]);
    let failed = run(&mut server.client(&["download", "/inside", &place.text("fetched")])).fails(4);
    failed.says("'/inside'").says("hint: use -r to download a directory and its contents");
}

#[test]
fn a_directory_that_an_upload_goes_into_must_exist() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 10);
    let failed = run(&mut server.client(&["upload", &source, "/missing/source"])).fails(3);
    failed.says("'/missing").says("hint: the parent directory must exist");
}

#[test]
fn a_flag_that_helps_is_named() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::create_dir(place.served().join("inside")).unwrap();
    fs::create_dir(place.beside("tree")).unwrap();
    fs::write(place.served().join("other"), "other").unwrap();
    fs::write(place.served().join("source"), "something else").unwrap();
    let source = place.file("source", 10);
    for (args, exit, hint) in [
        (&["upload", &source, "/"][..], 4, "use --overwrite to replace it"),
        (&["download", "/source", &source], 4, "use --overwrite to replace files"),
        (&["move", "/source", "/other"], 4, "use --overwrite to replace the target"),
        (&["upload", &place.text("tree"), "/new"], 4, "use -r to transfer a directory and its contents"),
        (&["copy", "/inside", "/new"], 4, "use -r to copy a directory and its contents"),
        (&["hash", "/inside"], 4, "use 'DIR/*', in quotes, for all files in a directory"),
        (&["list", "/no*"], 3, "`*` and `?` match within a name, but not a leading dot"),
        (&["directory", "/inside"], 4, "use -u to accept an existing one"),
        (&["directory", "/missing/new"], 3, "the parent directory must exist"),
    ] {
        run(&mut server.client(args)).fails(exit).says(&format!("hint: {hint}"));
    }
}

// What becomes of the connection.

#[test]
fn a_server_that_falls_silent_is_a_time_out() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let mut command = server.client(&["--timeout", "0.5", "ping", "-c", "4000000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(line(&mut stdout).starts_with("answer from"));
    let pid = Pid::from_raw(server.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    // A full pipe would keep it from waiting.
    while stdout.read_line(&mut String::new()).unwrap() > 0 {}
    let (code, said) = ended(child);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("error: cannot ping: no answer within 500 ms"), "{said}");
    assert!(said.contains("hint: use --timeout SECONDS to wait longer"), "{said}");
}

#[test]
fn a_session_that_was_taken_over_is_lost() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let mut command = server.client(&["ping", "-c", "4000000000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(line(&mut stdout).starts_with("answer from"));
    let taking = Running::start(&mut server.client(&["--take", "list"]));
    while stdout.read_line(&mut String::new()).unwrap() > 0 {}
    taking.finish().success();
    let (code, said) = ended(child);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("error: the session was lost: another client took it over"), "{said}");
    assert!(said.contains("hint: run the same command again; transferred data is kept"), "{said}");
}

#[test]
fn a_change_whose_answer_was_lost_is_in_doubt() {
    let (arrive, arrived) = channel();
    let (leave, left) = channel::<()>();
    let server = FakeServer::answering(move |operation| {
        if matches!(operation, Operation::Mkdir { .. }) {
            arrive.send(()).unwrap();
            left.recv_timeout(DEADLINE).unwrap();
        }
        Err(Refusal::new(Code::NotFound))
    });
    let relay = Relay::start(server.endpoint.parse().unwrap(), Cuts::NONE);
    let making = Running::start(&mut client(&relay.address().to_string(), &["--timeout", "1", "directory", "/new"]));
    arrived.recv_timeout(DEADLINE).unwrap();
    drop(relay);
    leave.send(()).unwrap();
    let failed = making
        .finish()
        .fails(5)
        .says("error: connection lost during mkdir of '/new': the server may or may not have completed it");
    failed.says("hint: check with `remofile list` before you run it again");
}

#[test]
fn a_change_that_no_flush_can_answer_for_is_reported() {
    let server = Scripted::start();
    server.plan("flush", 0, Fault::LostThenRestart);
    let failed = run(&mut client(&server.endpoint.to_string(), &["directory", "/new"]))
        .fails(5)
        .says("error: the server restarted before it flushed all changes to disk");
    failed.says("hint: check with `remofile list` before you run it again");
    server.all_came_about();
}

#[test]
fn a_server_that_breaks_the_protocol_is_reported() {
    let directory = Entry { kind: Kind::Dir, size: None, mtime_ns: Some(0), etag: None, racy: false };
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => Ok(Success::of(Answer::Entry(directory.clone()))),
        Operation::List { .. } => {
            Ok(Success::of(Answer::Listing(Listing { entries: Vec::new(), more: true, skipped: 0 })))
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    run(&mut client(&server.endpoint, &["list"])).fails(8).says("error: the server broke the protocol: an empty page");
}

#[test]
fn a_machine_without_descriptors_is_reported() {
    // Which of these limits is met in opening the socket is libzmq's business; some of them it does not survive.
    let limited = |limit: u32| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={limit}")).arg(remofile().get_program()).args(["--timeout", "1", "list"]);
        command
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env("REMOFILE_SERVER", "127.0.0.1:1")
            .env("REMOFILE_TOKEN", TOKEN);
        command.output()
    };
    let done: Vec<_> = (5..=9).filter_map(|limit| limited(limit).ok()).collect();
    if done.is_empty() {
        return skip("prlimit is missing");
    }
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let told = done.iter().find(|output| said(output).contains("error: no connection could be opened: "));
    let told = told.unwrap_or_else(|| panic!("{:?}", done.iter().map(said).collect::<Vec<_>>()));
    assert_eq!(told.status.code(), Some(1));
}

// What becomes of the content.

#[test]
fn a_source_that_changes_is_distinguished_from_other_failures() {
    let place = Place::new();
    let source = place.file("source", 1_000_000);
    let server = between(&place, {
        let source = source.clone();
        move |operation| {
            if matches!(operation, Operation::Append { off: 0, .. }) {
                File::options().append(true).open(&source).unwrap().write_all(b"more").unwrap();
            }
            None
        }
    });
    let failed = run(&mut client(&server.endpoint, &["upload", &source, "/file"])).fails(24);
    failed.says("error: '").says("': file changed while it was read").says("hint: run the same command again when");
    assert!(!place.served().join("file").exists());
}

#[test]
fn content_that_arrives_otherwise_is_not_kept() {
    let place = Place::new();
    let source = place.file("source", 1_000_000);
    let server = between(&place, |operation| match operation {
        Operation::Commit { .. } => Some(Err(Refusal::new(Code::Digest))),
        _ => None,
    });
    let failed = run(&mut client(&server.endpoint, &["upload", &source, "/file"])).fails(9);
    failed.says("error: cannot verify '").says("hint: run the same command again; no corrupt file was stored");
    assert!(!place.served().join("file").exists());
}

#[test]
fn an_item_of_a_directory_that_fails_is_named_and_the_others_arrive() {
    let place = Place::new();
    fs::create_dir(place.beside("tree")).unwrap();
    for name in ["a", "bad", "c"] {
        fs::write(place.beside("tree").join(name), name).unwrap();
    }
    let server = between(&place, |operation| match operation {
        Operation::Put { path, .. } | Operation::Begin { path, .. } if path.as_str().ends_with("/bad") => {
            Some(Err(Refusal::new(Code::Denied)))
        }
        _ => None,
    });
    let failed = run(&mut client(&server.endpoint, &["upload", "-r", &place.text("tree"), "/"])).fails(23);
    failed.says("bad'").says("the server does not allow this").says("1 of 3 ");
    assert!(place.served().join("tree/a").exists() && place.served().join("tree/c").exists());
}

#[test]
fn several_items_that_fail_are_each_named_and_summed_up() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::write(place.served().join("there"), "").unwrap();
    let failed = run(&mut server.client(&["remove", "/a", "/there", "/b"])).fails(23);
    let said: Vec<_> = failed.stderr.lines().filter(|line| line.starts_with("remofile: error: ")).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].contains("'/a'") && said[1].contains("'/b'"), "{said:?}");
    assert_eq!(said[2], "remofile: error: 2 of 3 items failed");
    assert!(!place.served().join("there").exists());
}

#[test]
fn a_full_local_disk_is_a_limit() {
    let place = Place::new();
    let disk = place.beside("disk");
    fs::create_dir(&disk).unwrap();
    let Some(_mount) = Mount::tmpfs(&disk, "size=1m") else { return };
    fs::write(place.served().join("large"), vec![1; 4 << 20]).unwrap();
    let server = Server::start(&place.served());
    let failed = run(&mut server.client(&["download", "/large", disk.to_str().unwrap()])).fails(10);
    failed.says("no space left on device").says("hint: free some space, and run the same command again");
}

/// A file system that is unmounted when this is dropped.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn tmpfs(at: &'a Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        skip("nothing can be mounted here");
        None
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

// Names.

#[test]
fn an_invalid_path_is_shown_harmlessly_and_with_what_is_valid() {
    let failed = run(&mut client("localhost:1", &["list", "/a/../Müller\u{1b}"])).fails(11);
    failed.says("error: invalid path '/a/../Müller\\u{1b}': ").says("hint: use /NAME/NAME…, without");
}

#[test]
fn a_name_on_the_server_is_shown_unchanged() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["list", "/Müller 字"]))
        .fails(3)
        .says("error: cannot access '/Müller 字': there is no such");
}

// Signals.

/// A command that waits for a session that another client holds.
fn waiting(server: &Server) -> (FileClient, Child) {
    let options = ClientOptions::new().name("alice@desk");
    let holder = FileClient::connect(&server.endpoint.parse().unwrap(), &TOKEN.parse().unwrap(), options).unwrap();
    let mut child = server.client(&["list"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(line(child.stderr.as_mut().unwrap()).contains("waiting until"));
    (holder, child)
}

fn ends_by(kill: Signal, code: i32, word: &str) {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (_holder, child) = waiting(&server);
    let started = Instant::now();
    signal(&child, kill);
    let (ended, said) = ended(child);
    assert_eq!(ended, Some(code), "{said}");
    assert_eq!(said, format!("remofile: error: {word}\n"));
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

#[test]
fn an_interrupt_ends_a_command_at_once() {
    ends_by(Signal::INT, 130, "interrupted");
}

#[test]
fn a_termination_ends_a_command_at_once() {
    ends_by(Signal::TERM, 143, "terminated");
}

#[test]
fn a_transfer_that_is_stopped_says_how_to_continue() {
    let place = Place::new();
    let source = place.file("source", 16 << 20);
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let mut command = client(&relay.address().to_string(), &["upload", &source, "/"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    await_staged_bytes(&place.served(), 4 << 20);
    signal(&child, Signal::INT);
    let (code, said) = ended(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("remofile: error: interrupted\nhint: run the same command again to resume ("), "{said}");
    run(&mut server.client(&["upload", &source, "/"])).success();
    assert_eq!(fs::read(place.served().join("source")).unwrap(), fs::read(&source).unwrap());
}

/// A command that is stuck in what nothing can cancel: it waits for a program that waits for us.
fn stuck() -> Child {
    let mut command = remofile();
    command.args(["list", "--server", "localhost:1", "--token-command", "echo stuck >&2; cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(line(child.stderr.as_mut().unwrap()), "stuck\n");
    child
}

#[test]
fn a_second_interrupt_ends_even_a_command_that_is_stuck() {
    let mut child = stuck();
    let (started, stdin) = (Instant::now(), child.stdin.take());
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < AT_ONCE, "the command does not end");
        signal(&child, Signal::INT);
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
}

#[test]
fn a_command_that_is_stuck_ends_soon_after_the_first_termination() {
    let mut child = stuck();
    let stdin = child.stdin.take();
    signal(&child, Signal::TERM);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < DEADLINE, "the command does not end");
        std::thread::park_timeout(Duration::from_millis(2));
    }
    assert_eq!(child.wait().unwrap().code(), Some(143));
    drop(stdin);
}
