//! A server that lies: its names lead nowhere, its sizes reserve nothing, and its words cannot move a cursor.

use remofile::{Outcome, Success};
use remofile_proto::{
    Answer, Code, Digest, Entry, Etag, HashResult, Kind, ListedEntry, Listing, Operation, ReadResult, Refusal,
    UploadEntry, UploadId, Uploads,
};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::process::{DEADLINE, Done, TOKEN, remofile, resident_peak, run};
use remofile_testkit::skip::skip;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

/// More than this is too much for a client, whatever a server says.
const LITTLE: u64 = 64 << 20;

fn entry(kind: Kind, size: u64) -> Entry {
    let is_file = kind == Kind::File;
    let etag = is_file.then(|| Etag::try_from(&b"etag"[..]).unwrap());
    let mtime_ns = matches!(kind, Kind::File | Kind::Dir).then_some(0);
    Entry { kind, size: is_file.then_some(size), mtime_ns, etag, racy: false }
}

fn listed(name: &str, kind: Kind) -> ListedEntry {
    ListedEntry { name: name.to_owned(), entry: entry(kind, 4) }
}

fn answered(answer: Answer) -> Outcome {
    Ok(Success::of(answer))
}

fn listing(entries: Vec<ListedEntry>, more: bool) -> Outcome {
    answered(Answer::Listing(Listing { entries, more, skipped: 0 }))
}

/// What every file holds here.
fn read(len: u64, size: u64) -> Outcome {
    let answer = Answer::Read(ReadResult { etag: Etag::try_from(&b"etag"[..]).unwrap(), size });
    Ok(Success { answer, payload: Some(vec![b'e'; usize::try_from(len).unwrap()]) })
}

fn client(server: &FakeServer, args: &[&str]) -> Command {
    let mut command = remofile();
    command.args(args).env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN);
    command
}

/// Downloads a tree in which the server lists these entries, into a directory of its own; gives what came of it, and
/// all that is beside and in that directory now.
fn downloads(entries: &[(&str, Kind)]) -> (Done, Vec<String>) {
    let entries: Vec<_> = entries.iter().map(|(name, kind)| listed(name, *kind)).collect();
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::List { .. } => listing(entries.clone(), false),
        Operation::Read { len, .. } => read(*len, 4),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let around = tempfile::tempdir().unwrap();
    let into = around.path().join("jail/into");
    fs::create_dir_all(&into).unwrap();
    let done = run(&mut client(&server, &["download", "-r", "/tree", into.to_str().unwrap()]));
    let mut found = Vec::new();
    collect(around.path(), around.path(), &mut found);
    found.sort();
    (done, found)
}

fn collect(top: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        found.push(entry.path().strip_prefix(top).unwrap().to_str().unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            collect(top, &entry.path(), found);
        }
    }
}

#[test]
fn names_that_lead_out_of_a_download_are_refused_and_write_nothing() {
    let bad = [
        "..",
        ".",
        "../evil",
        "../../evil",
        "a/../../evil",
        "/evil",
        "//evil",
        "/tmp/evil",
        "a//b",
        "a/",
        "",
        "a/./b",
        "evil\0",
        "evil\n",
        "\u{1b}[2J",
        ".remofile",
        ".REMOFILE/lock",
    ];
    let long = "n".repeat(256);
    for name in bad.into_iter().chain([long.as_str()]) {
        for kind in [Kind::File, Kind::Dir] {
            let (done, found) = downloads(&[(name, kind)]);
            done.fails(8);
            assert!(
                found.iter().all(|path| ["jail", "jail/into", "jail/into/tree"].contains(&path.as_str())),
                "{found:?}"
            );
        }
    }
}

#[test]
fn a_file_below_a_directory_that_was_never_listed_is_refused() {
    for entries in [
        &[("a/b", Kind::File)][..],
        &[("a", Kind::File), ("a/b", Kind::File)],
        &[("a", Kind::Link), ("a/b", Kind::File)],
    ] {
        let (done, found) = downloads(entries);
        done.fails(8);
        assert!(!found.iter().any(|path| path.ends_with("a/b")), "{found:?}");
    }
}

#[test]
fn a_file_that_is_listed_twice_is_a_failure_and_stays_as_it_was() {
    let (done, found) = downloads(&[("a", Kind::File), ("a", Kind::Dir), ("b", Kind::File)]);
    assert!(!done.status.success());
    assert!(found.contains(&"jail/into/tree/a".to_owned()), "{found:?}");
}

#[test]
fn a_size_without_content_reserves_nothing() {
    for size in [1 << 40, i64::MAX.cast_unsigned()] {
        let server = FakeServer::answering(move |operation| match operation {
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, size))),
            Operation::Read { .. } => read(0, size),
            _ => Err(Refusal::new(Code::BadOp)),
        });
        let around = tempfile::tempdir().unwrap();
        let into = around.path().join("file");
        let done = run(&mut client(&server, &["download", "/file", into.to_str().unwrap()])).fails(8);
        assert!(!into.exists());
        assert!(done.resident.is_none_or(|peak| peak < LITTLE), "{:?} bytes resident", done.resident);
        let held: u64 =
            fs::read_dir(around.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(held < 4_096, "{held} bytes on the disk");
    }
}

#[test]
fn more_bytes_than_were_asked_for_are_refused() {
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 4))),
        Operation::Read { len, .. } => read(len + 1, 4),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let around = tempfile::tempdir().unwrap();
    let into = around.path().join("file");
    run(&mut client(&server, &["download", "/file", into.to_str().unwrap()])).fails(8);
    assert!(!into.exists());
}

#[test]
fn another_content_than_the_hash_says_is_not_taken_for_unchanged() {
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 4))),
        Operation::Hash { .. } => answered(Answer::Hash(HashResult {
            hash: Digest::new([0; 32]),
            len: 4,
            etag: Etag::try_from(&b"etag"[..]).unwrap(),
        })),
        Operation::Read { len, .. } => read(*len, 4),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let around = tempfile::tempdir().unwrap();
    let into = around.path().join("file");
    fs::write(&into, "mine").unwrap();
    run(&mut client(&server, &["download", "/file", into.to_str().unwrap()])).fails(4);
    assert_eq!(fs::read(&into).unwrap(), b"mine");
}

#[test]
fn a_listing_that_does_not_go_on_is_given_up() {
    for entries in [vec![], vec![listed("a", Kind::File)], vec![listed("b", Kind::File), listed("a", Kind::File)]] {
        let server = FakeServer::answering(move |operation| match operation {
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
            Operation::List { .. } => listing(entries.clone(), true),
            _ => Err(Refusal::new(Code::BadOp)),
        });
        run(&mut client(&server, &["list", "/"])).fails(8);
        run(&mut client(&server, &["remove", "-r", "/tree"])).fails(8);
    }
}

/// Entries on a page of a listing that has no end.
const PAGE: u64 = 500;

/// A page of a listing that has no end.
fn endless_page(after: Option<&str>, kind: Kind, digits: usize) -> Outcome {
    let from: u64 = after.map_or(0, |after| after.trim_start_matches('n').parse::<u64>().unwrap() + 1);
    listing((from..from + PAGE).map(|n| listed(&format!("n{n:0>digits$}"), kind)).collect(), true)
}

#[test]
fn a_listing_without_end_passes_in_little_memory() {
    const ENTRIES: u64 = 300_000;
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::List { after, .. } => endless_page(after.as_deref(), Kind::File, 100),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let mut listing = client(&server, &["list", "/"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = listing.stdout.take().unwrap().take(ENTRIES * 102);
    assert_eq!(std::io::copy(&mut said, &mut std::io::sink()).unwrap(), ENTRIES * 102);
    let peak = resident_peak(listing.id());
    listing.kill().unwrap();
    listing.wait().unwrap();
    match peak {
        Some(peak) => assert!(peak < LITTLE, "{peak} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}

#[test]
fn a_tree_without_end_is_downloaded_in_little_memory() {
    let (reached, has_reached) = channel();
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::List { after, .. } => {
            let _ = reached.send(after.as_ref().map_or(0, |after| after[1..].parse::<u64>().unwrap()));
            endless_page(after.as_deref(), Kind::Link, 250)
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let around = tempfile::tempdir().unwrap();
    let mut download = client(&server, &["download", "-r", "/tree"]);
    let mut download = Child(download.current_dir(around.path()).stderr(Stdio::null()).spawn().unwrap());
    while has_reached.recv_timeout(DEADLINE).unwrap() < 100_000 {}
    let peak = resident_peak(download.0.id());
    assert!(download.0.try_wait().unwrap().is_none(), "it ended");
    assert!(peak.is_none_or(|peak| peak < LITTLE / 2), "{peak:?} bytes resident");
}

#[test]
fn a_link_that_is_planted_while_a_tree_comes_leads_nothing_away() {
    let around = tempfile::tempdir().unwrap();
    let (jail, outside) = (around.path().join("jail"), around.path().join("outside"));
    fs::create_dir(&jail).unwrap();
    fs::create_dir(&outside).unwrap();
    let (planted, elsewhere) = (jail.clone(), outside.clone());
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        // The second page is asked for when the directory of the first is there.
        Operation::List { after: None, .. } => listing(vec![listed("d", Kind::Dir)], true),
        Operation::List { .. } => {
            fs::rename(planted.join("d"), planted.join("moved")).unwrap();
            std::os::unix::fs::symlink(&elsewhere, planted.join("d")).unwrap();
            listing(vec![listed("d/file", Kind::File), listed("e", Kind::File)], false)
        }
        Operation::Read { len, .. } => read(*len, 4),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let into = jail.to_str().unwrap();
    run(&mut client(&server, &["download", "-r", "/", into])).success();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(fs::read(jail.join("moved/file")).unwrap(), b"eeee");
}

#[test]
fn names_from_a_pattern_lead_nowhere_else() {
    for name in ["..", "../evil", "/evil", "a/b", "evil\0"] {
        let server = FakeServer::answering(move |operation| match operation {
            Operation::Stat { path } if path.is_root() => answered(Answer::Entry(entry(Kind::Dir, 0))),
            // An existing path of this literal name is not a pattern.
            Operation::Stat { path } if path.as_str() == "/*" => Err(Refusal::new(Code::NotFound)),
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 4))),
            Operation::List { .. } => listing(vec![listed(name, Kind::File)], false),
            Operation::Read { len, .. } => read(*len, 4),
            _ => Err(Refusal::new(Code::BadOp)),
        });
        let around = tempfile::tempdir().unwrap();
        let into = around.path().join("jail/into");
        fs::create_dir_all(&into).unwrap();
        let done = run(&mut client(&server, &["download", "/*", into.to_str().unwrap()]));
        assert!(!done.status.success(), "{name:?}: {done:?}");
        let mut found = Vec::new();
        collect(around.path(), around.path(), &mut found);
        assert_eq!(found.len(), 2, "{name:?}: {found:?}");
    }
}

#[test]
fn a_pattern_without_end_is_refused_in_little_memory() {
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { path } if path.is_root() => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::Stat { .. } => Err(Refusal::new(Code::NotFound)),
        Operation::List { after, .. } => endless_page(after.as_deref(), Kind::File, 100),
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let around = tempfile::tempdir().unwrap();
    let done = run(&mut client(&server, &["download", "/n*", around.path().to_str().unwrap()])).fails(2);
    assert!(done.resident.is_none_or(|peak| peak < LITTLE), "{:?} bytes resident", done.resident);
    done.says("matches more than");
}

#[test]
fn staged_uploads_without_end_are_refused_in_little_memory() {
    let mut next = 0u128;
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::Uploads { .. } => {
            let uploads = (next..next + 200).map(|number| UploadEntry {
                up: UploadId::new(number.to_be_bytes()),
                path: format!("/{}", "n".repeat(200)).parse().unwrap(),
                off: 0,
                size: None,
                age_ms: 0,
            });
            let uploads = uploads.collect();
            next += 200;
            answered(Answer::Uploads(Uploads { uploads, more: true }))
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let done = run(&mut client(&server, &["upload", "-n", "Cargo.toml", "/"])).fails(8);
    assert!(done.resident.is_none_or(|peak| peak < LITTLE), "{:?} bytes resident", done.resident);
}

#[test]
fn a_stream_of_another_length_than_was_said_is_refused() {
    for more in [-1i64, 1] {
        let server = FakeServer::answering(move |operation| match operation {
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 4))),
            Operation::Read { len, .. } => read(len.saturating_add_signed(more), 4),
            _ => Err(Refusal::new(Code::BadOp)),
        });
        let done = run(&mut client(&server, &["download", "/file", "-"])).fails(8);
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn a_tree_without_end_is_removed_page_by_page() {
    let (reached, has_reached) = channel();
    let mut removed = 0;
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0))),
        Operation::List { after, .. } => {
            let _ = reached.send(removed);
            endless_page(after.as_deref(), Kind::Link, 250)
        }
        Operation::Remove { .. } => {
            removed += 1;
            answered(Answer::Empty)
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let _remove = Child(client(&server, &["remove", "-r", "/tree"]).stderr(Stdio::null()).spawn().unwrap());
    for page in 0..5 {
        assert_eq!(has_reached.recv_timeout(DEADLINE).unwrap(), page * PAGE);
    }
}

/// A process that is killed when the test is over.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn words_of_a_server_cannot_move_the_cursor() {
    const CLEAR: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}";
    let server = FakeServer::answering(|_| Err(Refusal::because(Code::Denied, format!("no{CLEAR}no"))));
    for args in [&["list", "/"][..], &["directory", "/new"], &["remove", "/old"], &["download", "/file"]] {
        let done = run(&mut client(&server, args)).fails(1);
        let control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!done.stderr.contains(control), "{:?}", done.stderr);
        assert!(done.stderr.contains("no"), "{:?}", done.stderr);
    }
}
