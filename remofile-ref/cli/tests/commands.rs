//! The `remofile` command as its users know it: real processes, exit codes, and the words that they read.

use remofile::{ClientOptions, FileClient};
use remofile_testkit::place::{Place, lines, text, through};
use remofile_testkit::process::{Running, Server, TOKEN, content, remofile, resident_peak, run};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::skip::skip;
use remofile_testkit::terminal::on_a_terminal;
use std::fs::{self};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

/// A refusal of the token or key may take so long [CURVE-7].
const REFUSAL: Duration = Duration::from_secs(5);

/// Another token than the server's.
const OTHER_TOKEN: &str = "9mZ7sWq4HnXe6RbKcV3tYp";

// What one does with it.

#[test]
fn a_file_is_uploaded_listed_downloaded_and_removed() {
    let place = Place::new();
    let server = Server::start(&place.served());
    assert_eq!(lines(&server.run(&["list", "/"])), [""; 0]);
    server.run(&["directory", "my-os-isos", "/"]);
    let iso = place.file("ubuntu-16.04.3-desktop-amd64.iso", 3_000_000);
    server.run(&["upload", &iso, "/my-os-isos"]);
    assert_eq!(lines(&server.run(&["list", "/"])), ["my-os-isos"]);
    assert_eq!(lines(&server.run(&["list", "/my-os-isos"])), ["ubuntu-16.04.3-desktop-amd64.iso"]);
    let fetched = place.beside("fetched.iso");
    server.run(&["download", "/my-os-isos/ubuntu-16.04.3-desktop-amd64.iso", &text(&fetched)]);
    assert!(fs::read(fetched).unwrap() == fs::read(iso).unwrap(), "the content differs");
    server.run(&["remove", "/my-os-isos/ubuntu-16.04.3-desktop-amd64.iso"]);
    assert_eq!(lines(&server.run(&["list", "/my-os-isos"])), [""; 0]);
    server.run(&["remove", "my-os-isos", "/"]);
    assert_eq!(lines(&server.run(&["list"])), [""; 0]);
}

#[test]
fn an_empty_file_is_made() {
    let place = Place::new();
    let server = Server::start(&place.served());
    server.run(&["file", "empty", "/"]);
    assert_eq!(fs::read(place.served().join("empty")).unwrap(), b"");
}

#[test]
fn the_same_file_again_is_unchanged() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 1_000_000);
    assert!(server.run(&["upload", &source]).says("new").status.success());
    assert!(server.run(&["upload", &source]).says("unchanged").status.success());
    let fetched = text(&place.beside("fetched"));
    server.run(&["download", "/source", &fetched]).says("new");
    server.run(&["download", "/source", &fetched]).says("unchanged");
}

#[test]
fn each_line_of_json_is_an_object() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = place.file("source", 300_000);
    let said = [
        server.run(&["--json", "directory", "inside", "/"]),
        server.run(&["--json", "file", "empty", "/inside"]),
        server.run(&["--json", "upload", &source, "/inside"]),
        server.run(&["--json", "list", "--recursive", "/"]),
        server.run(&["--json", "download", "/inside/source", &text(&place.beside("fetched"))]),
        run(remofile().args(["--json", "generate-token"])).success(),
        run(remofile().args(["--json", "generate-keys"])).success(),
    ];
    let objects: Vec<serde_json::Value> =
        said.iter().flat_map(lines).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.iter().all(|object| object["schema"] == 1));
    let listed: Vec<_> =
        objects.iter().filter_map(|object| Some((object["path"].as_str()?, object["kind"].as_str()?))).collect();
    assert_eq!(listed[2..], [("/inside", "dir"), ("/inside/empty", "file"), ("/inside/source", "file")]);
}

#[test]
fn a_generated_token_serves_and_connects() {
    let token = run(remofile().arg("generate-token")).success().stdout;
    let token = token.trim_end();
    assert_eq!(token.len(), 22);
    let place = Place::new();
    let mut command = remofile();
    command.env("REMOFILE_TOKEN", token).arg("run").arg(place.served()).arg("0");
    let server = Server::start_command(command);
    assert_eq!(server.exported("REMOFILE_TOKEN"), token);
    run(server.client(&["list"]).env("REMOFILE_TOKEN", token)).success();
}

#[test]
fn the_demo_proves_itself_and_leaves_nothing() {
    let place = Place::new();
    let temporary = place.beside("temporary");
    fs::create_dir(&temporary).unwrap();
    let done = run(remofile().args(["demo", &place.file("file", 2_000_000)]).env("TMPDIR", &temporary)).success();
    assert_eq!(
        lines(&done).last().unwrap(),
        &"2000000 bytes uploaded and downloaded over an encrypted connection: identical"
    );
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}

#[test]
fn a_pinned_key_is_needed_and_enough() {
    let place = Place::new();
    let keys = run(remofile().arg("generate-keys")).success().stdout;
    let file = place.beside("keys");
    fs::write(&file, &keys).unwrap();
    let server = Server::start_with(&place.served(), &["--secret-key-file", &text(&file)]);
    let public = server.exported("REMOFILE_PUBLIC_KEY");
    assert!(keys.contains(&format!("public {public}\n")));
    run(server.client(&["list"]).env("REMOFILE_PUBLIC_KEY", &public)).success();
    let refused = run(&mut server.client(&["list"])).fails(6).says("token or key rejected");
    assert!(refused.took < REFUSAL, "{:?}", refused.took);
}

#[test]
fn a_read_only_server_gives_and_takes_nothing() {
    let place = Place::new();
    fs::write(place.served().join("there"), "content").unwrap();
    let server = Server::start_with(&place.served(), &["--read-only"]);
    server.run(&["download", "/there", &text(&place.beside("fetched"))]);
    run(&mut server.client(&["file", "another", "/"])).fails(1).says("does not allow this");
    run(&mut server.client(&["remove", "/there"])).fails(1).says("does not allow this");
    assert_eq!(fs::read_dir(place.served()).unwrap().count(), 1);
}

// Which client is accepted, and how fast the others get a reply.

#[test]
fn a_wrong_token_is_refused_in_time() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let refused = run(server.client(&["list"]).env("REMOFILE_TOKEN", OTHER_TOKEN)).fails(6);
    assert!(refused.took < REFUSAL, "{:?}", refused.took);
    assert!(!refused.stderr.contains(OTHER_TOKEN));
    let refused = refused.says("token or key rejected").says("hint: compare REMOFILE_TOKEN");
    assert_eq!(refused.stdout, "");
    let (_, log, _) = server.terminate();
    assert!(!log.contains(TOKEN) && !log.contains(OTHER_TOKEN), "{log}");
}

#[test]
fn a_wrong_public_key_is_refused_in_time() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let keys = run(remofile().arg("generate-keys")).success().stdout;
    let other = keys.lines().find_map(|line| line.strip_prefix("public ")).unwrap();
    let refused = run(server.client(&["list"]).env("REMOFILE_PUBLIC_KEY", other)).fails(6);
    assert!(refused.took < REFUSAL, "{:?}", refused.took);
}

#[test]
fn no_encryption_is_only_by_name() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--insecure"]);
    assert!(server.announced.iter().any(|line| line.contains("NOT ENCRYPTED")));
    server.run(&["--insecure", "list"]);
    run(&mut server.client(&["list"])).fails(8).says("do not agree on security");
}

#[test]
fn an_encrypted_server_ignores_unencrypted_peers() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["--insecure", "list"])).fails(8).says("do not agree on security");
}

#[test]
fn a_closed_port_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("localhost:{port}");
    let failed = run(remofile().args(["list"]).env("REMOFILE_SERVER", &server).env("REMOFILE_TOKEN", TOKEN));
    let failed = failed.fails(5).says(&server).says("hint: check that the server runs");
    assert!(failed.took < Duration::from_secs(10), "{:?}", failed.took);
}

#[test]
fn a_web_server_is_distinguished_from_a_remofile_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let web = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = [0; 10];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
    });
    let failed = run(remofile().args(["list"]).env("REMOFILE_SERVER", &server).env("REMOFILE_TOKEN", TOKEN));
    web.join().unwrap();
    let failed = failed.fails(8).says("is not a Remofile server").says("hint: check the port that");
    assert!(failed.took < Duration::from_secs(12), "{:?}", failed.took);
}

#[test]
fn the_owner_of_the_session_is_named_and_can_be_replaced() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let endpoint = server.endpoint.parse().unwrap();
    let options = ClientOptions::new().name("alice@desk");
    let holder = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
    run(&mut server.client(&["--wait", "0", "list"])).fails(7).says("alice@desk").says("--take");
    server.run(&["--take", "list"]);
    assert!(holder.ping().is_err(), "the session was not taken");
}

#[test]
fn a_command_waits_until_the_lease_of_a_silent_holder_ends() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let endpoint = server.endpoint.parse().unwrap();
    let options = ClientOptions::new().name("alice@desk").lease_ms(1_000);
    let _silent = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
    server.run(&["list"]).says("alice@desk");
}

// What is refused, and with which words.

#[test]
fn what_is_not_there_is_not_found() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["list", "/missing"])).fails(3).says("/missing");
    run(&mut server.client(&["remove", "/missing"])).fails(3);
    run(&mut server.client(&["download", "/missing", &text(&place.beside("fetched"))])).fails(3);
    run(&mut server.client(&["upload", &text(&place.beside("missing"))])).fails(3);
    assert!(!place.beside("fetched").exists());
}

#[test]
fn what_is_there_already_stays_unless_asked() {
    let place = Place::new();
    let server = Server::start(&place.served());
    server.run(&["directory", "inside", "/"]);
    run(&mut server.client(&["directory", "inside", "/"])).fails(4).says("/inside").says("hint:");
    server.run(&["directory", "-u", "inside", "/"]);
    let (old, new) = (place.file("old", 10), place.file("new", 20));
    server.run(&["upload", &old, "/file"]);
    run(&mut server.client(&["upload", &new, "/file"])).fails(4).says("hint: use --overwrite");
    assert_eq!(fs::read(place.served().join("file")).unwrap(), fs::read(&old).unwrap());
    run(&mut server.client(&["download", "/file", &new])).fails(4).says("hint: use --overwrite");
    assert_eq!(fs::read(&new).unwrap(), content(20, 20));
    server.run(&["upload", "--overwrite", &new, "/file"]);
    assert_eq!(fs::read(place.served().join("file")).unwrap(), fs::read(&new).unwrap());
}

#[test]
fn an_invalid_name_is_distinguished_from_wrong_usage() {
    let place = Place::new();
    let server = Server::start(&place.served());
    run(&mut server.client(&["directory", "/../up"])).fails(11).says("invalid path");
    run(&mut server.client(&["list", "/.remofile"])).fails(11);
    run(&mut server.client(&["list", "--no-such-flag"])).fails(2);
    run(&mut server.client(&["remove", "/"])).fails(2).says("cannot remove '/'");
    run(remofile().arg("list").env("REMOFILE_SERVER", &server.endpoint)).fails(2).says("no token specified");
    run(remofile().arg("list").env("REMOFILE_TOKEN", TOKEN)).fails(2).says("no server specified");
}

#[test]
fn a_token_that_is_none_is_not_repeated() {
    let planted = "Sesame-open-2026";
    let mut command = remofile();
    command.arg("list").env("REMOFILE_SERVER", "localhost:1").env("REMOFILE_TOKEN", planted);
    let failed = run(&mut command).fails(2).says("invalid token");
    assert!(!failed.stderr.contains(planted), "{}", failed.stderr);
    let helped = run(remofile().args(["list", "--help"]).env("REMOFILE_TOKEN", planted)).success();
    assert!(!helped.stdout.contains(planted));
}

#[test]
fn a_directory_is_served_once() {
    let place = Place::new();
    let _server = Server::start(&place.served());
    let second = run(remofile().arg("run").arg(place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN));
    second.fails(7).says("another server is serving it");
}

#[test]
fn names_cannot_move_the_cursor_of_a_terminal() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::write(place.served().join("\u{202e}gpj.exe"), "").unwrap();
    fs::write(place.served().join("clear\u{1b}[2J"), "").unwrap();
    let seen = on_a_terminal(&mut server.client(&["list"]));
    assert!(seen.contains("\\u{202e}gpj.exe"), "{seen:?}");
    assert!(!seen.contains('\u{202e}') && !seen.contains("\u{1b}[2J"), "{seen:?}");
    assert!(seen.contains("'/': 1 invalid name omitted"), "{seen:?}");
    // A script gets the exact bytes.
    assert_eq!(lines(&server.run(&["list"])), ["\u{202e}gpj.exe"]);
    let refused = run(&mut server.client(&["list", "/\u{1b}[2J"])).fails(11);
    assert!(!refused.stderr.contains('\u{1b}'), "{:?}", refused.stderr);
    let refused = run(&mut server.client(&["list", "/\u{202e}missing"])).fails(3);
    assert!(!refused.stderr.contains('\u{202e}'), "{:?}", refused.stderr);
}

// What survives the end of a process.

#[test]
fn a_terminated_server_keeps_what_is_staged() {
    let place = Place::new();
    let source = place.file("source", 16 << 20);
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["--timeout", "1", "upload", &source, "/"]));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    let (status, log, took) = server.terminate();
    assert!(status.success(), "{status}: {log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(remofile_testkit::process::staged_bytes(&place.served()) >= 4 << 20);
    upload.finish().fails(5);
    assert!(!place.served().join("source").exists());

    let server = Server::start(&place.served());
    server.run(&["upload", &source, "/"]).says("resumed");
    assert!(fs::read(place.served().join("source")).unwrap() == fs::read(&source).unwrap(), "the content differs");
    assert_eq!(remofile_testkit::process::staged_uploads(&place.served()), 0);
}

#[test]
fn a_killed_upload_is_resumed_by_the_same_command() {
    let place = Place::new();
    let source = place.file("source", 16 << 20);
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["upload", &source, "/"]));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    upload.kill();
    assert!(!place.served().join("source").exists());
    // The dead client holds the session until its lease ends, or until another client takes it over.
    run(&mut server.client(&["--wait", "0", "upload", &source, "/"])).fails(7).says("--take");
    let again = server.run(&["--take", "--json", "upload", &source, "/"]);
    let line: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&line["status"], &line["bytes"]), (&"resumed".into(), &(16 << 20).into()));
    assert!(line["sent"].as_u64().unwrap() < 16 << 20, "{line}");
    assert!(fs::read(place.served().join("source")).unwrap() == fs::read(&source).unwrap(), "the content differs");
}

#[test]
fn large_files_pass_in_little_memory() {
    const SIZE: usize = 64 << 20;
    const LITTLE: u64 = 64 << 20;
    let place = Place::new();
    let source = place.file("source", SIZE);
    let fetched = place.beside("fetched");
    let server = Server::start(&place.served());
    let up = server.run(&["upload", &source, "/"]);
    assert!(fs::read(place.served().join("source")).unwrap() == content(SIZE, SIZE as u64), "the content differs");
    let down = server.run(&["download", "/source", &text(&fetched)]);
    assert!(fs::read(&fetched).unwrap() == content(SIZE, SIZE as u64), "the content differs");
    let peaks = [("upload", up.resident), ("download", down.resident), ("server", resident_peak(server.pid()))];
    for (process, peak) in peaks {
        match peak {
            Some(peak) => assert!(peak < LITTLE, "{process}: {peak} bytes resident"),
            None => skip(&format!("/proc does not tell the resident size of the {process}")),
        }
    }
}
