//! `upload -` and `download … -`: streams of whatever size, without a temporary file.

use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{DEADLINE, Server, content, resident_peak, run, staged_uploads};
use remofile_testkit::skip::skip;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

fn piped(command: &mut Command, bytes: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who refuses does not read.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_stream_arrives_whole_whatever_its_size() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for size in [0, 1, 262_144, 262_145, 3_000_000] {
        let bytes = content(size, 7);
        let target = format!("/stream-{size}");
        let done = piped(&mut server.client(&["upload", "-", &target]), &bytes);
        assert!(done.status.success(), "{}", said(&done));
        assert!(said(&done).contains("new"), "{}", said(&done));
        assert!(fs::read(place.served().join(&target[1..])).unwrap() == bytes, "the content differs");
        let mut back = server.client(&["download", &target, "-"]);
        let back = back.output().unwrap();
        assert!(back.status.success() && back.stdout == bytes, "{}", said(&back));
    }
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_stream_has_no_name_but_what_it_is_given() {
    let place = Place::new();
    let server = Server::start(&place.served());
    server.run(&["directory", "into", "/"]);
    let refused = piped(&mut server.client(&["upload", "-", "/into"]), b"x");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("--name NAME"), "{}", said(&refused));
    let done = piped(&mut server.client(&["upload", "--name", "named", "-", "/into"]), b"x");
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(fs::read(place.served().join("into/named")).unwrap(), b"x");
    let refused = piped(&mut server.client(&["upload", "--name", "../up", "-", "/into"]), b"x");
    assert_eq!(refused.status.code(), Some(11), "{}", said(&refused));
    run(&mut server.client(&["upload", "--name", "x", "y", "/"])).fails(2);
    run(&mut server.client(&["upload", "-", "y", "/"])).fails(2).says("./-");
}

#[test]
fn a_stream_replaces_only_what_it_may() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::write(place.served().join("there"), "before").unwrap();
    let refused = piped(&mut server.client(&["upload", "-", "/there"]), b"after");
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert_eq!(fs::read(place.served().join("there")).unwrap(), b"before");
    let done = piped(&mut server.client(&["upload", "--overwrite", "-", "/there"]), b"after");
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(fs::read(place.served().join("there")).unwrap(), b"after");
}

#[test]
fn a_stream_is_an_object_in_json() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let done = piped(&mut server.client(&["--json", "upload", "-", "/stream"]), b"content");
    let object: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&object["path"], &object["bytes"], &object["sent"]), (&"/stream".into(), &7.into(), &7.into()));
    // What is downloaded has standard output for itself.
    let back = server.client(&["--json", "download", "/stream", "-"]).output().unwrap();
    assert_eq!(back.stdout, b"content");
    let object: serde_json::Value = serde_json::from_slice(&back.stderr).unwrap();
    assert_eq!((&object["path"], &object["bytes"]), (&"-".into(), &7.into()));
}

#[test]
fn several_sources_go_to_standard_output_in_order() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for name in ["b", "a"] {
        fs::write(place.served().join(name), name).unwrap();
    }
    let done = server.client(&["download", "/b", "/a", "/b", "-"]).output().unwrap();
    assert_eq!(done.stdout, b"bab");
    let done = server.client(&["download", "/a", "/none", "/b", "-"]).output().unwrap();
    assert_eq!((done.status.code(), &done.stdout[..]), (Some(23), &b"ab"[..]), "{}", said(&done));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::write(place.served().join("large"), content(8 << 20, 1)).unwrap();
    let mut download = server.client(&["download", "/large", "-"]);
    let mut child = download.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(said(&done), "");
    assert_eq!(&first[..], &content(8 << 20, 1)[..10]);
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    let place = Place::new();
    let server = Server::start(&place.served());
    // A directory can be opened, and not read.
    let directory = File::open(place.served()).unwrap();
    let failed = server.client(&["upload", "-", "/stream"]).stdin(directory).output().unwrap();
    assert_eq!(failed.status.code(), Some(4), "{}", said(&failed));
    assert!(!place.served().join("stream").exists());
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_large_stream_passes_in_little_memory_and_no_temporary_file() {
    const SIZE: usize = 160 << 20;
    let place = Place::new();
    let server = Server::start(&place.served());
    let temporary = place.beside("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut upload = server.client(&["upload", "-", "/stream"]);
    let mut child = upload.env("TMPDIR", text(&temporary)).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let block = content(1 << 20, 1);
    for _ in 0..SIZE >> 20 {
        stdin.write_all(&block).unwrap();
    }
    let peak = resident_peak(child.id());
    drop(stdin);
    let started = Instant::now();
    assert!(child.wait().unwrap().success() && started.elapsed() < DEADLINE);
    match peak {
        Some(peak) => assert!(peak < 80 << 20, "{peak} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
    assert_eq!(fs::metadata(place.served().join("stream")).unwrap().len(), SIZE as u64);
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}
