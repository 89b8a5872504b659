//! Every command against a server that means harm: nothing moves a cursor, nothing grows without end, nothing panics.

use remofile::{Outcome, Success};
use remofile_proto::{
    Answer, Code, Digest, Entry, Etag, HashResult, Kind, ListedEntry, Listing, Operation, ReadResult, Refusal, Staged,
    UploadEntry, UploadId, Uploads,
};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::process::{DEADLINE, Done, TOKEN, remofile, resident_peak, run};
use remofile_testkit::skip::skip;
use remofile_testkit::terminal::on_a_terminal;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

/// More than this is too much for a client, whatever a server says.
const LITTLE: u64 = 64 << 20;

/// What clears a terminal, rings, changes colours and turns the direction of writing round.
const NASTY: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}\r\u{8}";

/// Every command that talks to a server, but upload and download.
const COMMANDS: [&[&str]; 22] = [
    &["list", "/"],
    &["list", "-l", "/"],
    &["list", "-a", "-r", "/"],
    &["list", "--tree", "/"],
    &["list", "/*"],
    &["stat", "/file"],
    &["hash", "/file"],
    &["du", "/"],
    &["cat", "/file"],
    &["cat", "--offset", "2", "--length", "5", "/file"],
    &["file", "/new"],
    &["directory", "/new"],
    &["directory", "-p", "/a/b/c"],
    &["remove", "/file"],
    &["remove", "-r", "/tree"],
    &["move", "/file", "/other"],
    &["copy", "/file", "/other"],
    &["write", "/file", "--offset", "1"],
    &["partials", "list"],
    &["partials", "clean"],
    &["ping"],
    &["info"],
];

fn etag() -> Etag {
    Etag::try_from(&b"etag"[..]).unwrap()
}

fn entry(kind: Kind, size: u64, mtime_ns: i64) -> Entry {
    let is_file = kind == Kind::File;
    let mtime_ns = matches!(kind, Kind::File | Kind::Dir).then_some(mtime_ns);
    Entry { kind, size: is_file.then_some(size), mtime_ns, etag: is_file.then(etag), racy: false }
}

fn answered(answer: Answer) -> Outcome {
    Ok(Success::of(answer))
}

fn listing(entries: Vec<ListedEntry>, more: bool) -> Outcome {
    answered(Answer::Listing(Listing { entries, more, skipped: u64::from(u32::MAX) }))
}

fn command(server: &FakeServer, args: &[&str]) -> Command {
    let mut command = remofile();
    command.args(["--timeout", "5"]);
    // `info` never waits.
    if !args.contains(&"info") {
        command.args(["--wait", "0"]);
    }
    command.args(args);
    command.env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN).env("NO_COLOR", "1");
    command
}

/// Whatever came of it, it ended by itself, and with a code of the table.
fn is_civil(args: &[&str], done: &Done) {
    let code = done.status.code();
    assert!(code.is_some_and(|code| (0..=11).contains(&code) || code == 23 || code == 24), "{args:?}: {done:?}");
    assert!(!done.stderr.contains("panicked"), "{args:?}: {done:?}");
    assert!(code == Some(0) || done.stderr.contains("remofile: error: "), "{args:?}: {done:?}");
    assert!(done.resident.is_none_or(|peak| peak < LITTLE), "{args:?}: {:?} bytes resident", done.resident);
}

fn is_harmless(args: &[&str], shown: &str) {
    let harmful = |c: char| (c.is_control() && !"\r\n\t".contains(c)) || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!shown.contains(harmful), "{args:?}: {shown:?}");
    // A terminal turns a line feed into both; a carriage return alone would go back over what stands there.
    assert!(!shown.replace("\r\n", "").contains('\r'), "{args:?}: {shown:?}");
}

/// All that a server can say with a name, a message or a word in it.
fn nasty(operation: &Operation) -> Outcome {
    let name = format!("x{}x", "\u{202e}\u{200f}");
    match operation {
        Operation::Stat { path } if path.as_str().len() > 1 && !path.as_str().contains("file") => {
            answered(Answer::Entry(entry(Kind::Dir, 0, 0)))
        }
        Operation::Stat { path } if path.as_str() == "/" => answered(Answer::Entry(entry(Kind::Dir, 0, 0))),
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 9, i64::MAX))),
        Operation::List { after: None, .. } => {
            let entry = entry(Kind::File, i64::MAX.cast_unsigned(), i64::MIN);
            listing(vec![ListedEntry { name, entry }], false)
        }
        Operation::List { .. } => listing(Vec::new(), false),
        _ => Err(Refusal::because(Code::Denied, format!("no{NASTY}no"))),
    }
}

#[test]
fn words_of_a_server_cannot_move_the_cursor_in_any_command() {
    for args in COMMANDS {
        let refusing = FakeServer::answering(|_| Err(Refusal::because(Code::Denied, format!("no{NASTY}no"))));
        is_harmless(args, &on_a_terminal(&mut command(&refusing, args)));
        let naming = FakeServer::answering(nasty);
        is_harmless(args, &on_a_terminal(&mut command(&naming, args)));
    }
}

#[test]
fn capabilities_of_a_server_cannot_move_the_cursor() {
    for args in [&["info"][..], &["ping"], &["list"]] {
        let change = |welcome: &mut remofile_proto::HelloReply| {
            welcome.caps = [format!("x-{NASTY}"), "y".repeat(10_000)].into_iter().collect();
        };
        let server = FakeServer::welcoming(change, |operation| match operation {
            Operation::List { .. } => listing(Vec::new(), false),
            _ => answered(Answer::Empty),
        });
        is_harmless(args, &on_a_terminal(&mut command(&server, args)));
    }
}

#[test]
fn refusals_of_every_range_end_every_command() {
    for args in COMMANDS {
        for code in [Code::NotFound, Code::Exists, Code::BadName, Code::Limit, Code::BadMessage, Code::Internal] {
            let server = FakeServer::answering(move |_| Err(Refusal::new(code)));
            is_civil(args, &run(&mut command(&server, args)));
        }
    }
}

#[test]
fn answers_to_another_question_end_every_command() {
    type Wrong = fn() -> Answer;
    let wrongs: [Wrong; 6] = [
        || Answer::Empty,
        || Answer::Entry(entry(Kind::Other, 0, 0)),
        || Answer::Listing(Listing { entries: Vec::new(), more: true, skipped: 0 }),
        || Answer::Hash(HashResult { hash: Digest::new([0; 32]), len: i64::MAX.cast_unsigned(), etag: etag() }),
        || Answer::Staged(Staged { off: i64::MAX.cast_unsigned(), hash: Digest::new([0; 32]) }),
        || Answer::Offset(i64::MAX.cast_unsigned()),
    ];
    for args in COMMANDS {
        for wrong in wrongs {
            let server = FakeServer::answering(move |_| answered(wrong()));
            is_civil(args, &run(&mut command(&server, args)));
        }
    }
}

#[test]
fn the_largest_and_smallest_numbers_are_shown_and_summed() {
    const HUGE: u64 = i64::MAX.cast_unsigned();
    for args in COMMANDS {
        let server = FakeServer::answering(|operation| match operation {
            Operation::Stat { path } if path.as_str().contains("file") => {
                answered(Answer::Entry(entry(Kind::File, HUGE, i64::MIN)))
            }
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0, i64::MAX))),
            Operation::List { after: None, .. } => {
                let named =
                    |name: &str| ListedEntry { name: name.to_owned(), entry: entry(Kind::File, HUGE, i64::MIN) };
                listing(["a", "b", "c"].map(named).into(), false)
            }
            Operation::List { .. } => listing(Vec::new(), false),
            Operation::Hash { .. } => {
                answered(Answer::Hash(HashResult { hash: Digest::new([0xff; 32]), len: HUGE, etag: etag() }))
            }
            Operation::Read { .. } => {
                let answer = Answer::Read(ReadResult { etag: etag(), size: HUGE });
                Ok(Success { answer, payload: Some(Vec::new()) })
            }
            Operation::Uploads { .. } => {
                let up = UploadId::new([7; 16]);
                let path = "/x".parse().unwrap();
                let uploads = vec![UploadEntry { up, path, off: HUGE, size: Some(HUGE), age_ms: HUGE }];
                answered(Answer::Uploads(Uploads { uploads, more: false }))
            }
            Operation::Remove { .. } | Operation::Abort { .. } | Operation::Flush => answered(Answer::Empty),
            _ => answered(Answer::Entry(entry(Kind::File, HUGE, i64::MAX))),
        });
        is_civil(args, &run(&mut command(&server, args)));
        is_civil(args, &run(command(&server, args).arg("--json")));
    }
}

/// Entries on a page of a listing that has no end.
const PAGE: u64 = 500;

fn endless_page(after: Option<&str>, kind: Kind) -> Outcome {
    let from: u64 = after.map_or(0, |after| after.trim_start_matches('n').parse::<u64>().unwrap() + 1);
    let name = |n: u64| ListedEntry { name: format!("n{n:0>100}"), entry: entry(kind, 4, 0) };
    listing((from..from + PAGE).map(name).collect(), true)
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
fn trees_without_end_are_walked_in_little_memory() {
    for args in
        [&["du", "/tree"][..], &["list", "-r", "/tree"], &["list", "-l", "/tree"], &["remove", "-r", "-n", "/tree"]]
    {
        let (reached, has_reached) = channel();
        let server = FakeServer::answering(move |operation| match operation {
            Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0, 0))),
            Operation::List { after, .. } => {
                let _ = reached.send(after.as_ref().map_or(0, |after| after[1..].parse::<u64>().unwrap()));
                endless_page(after.as_deref(), Kind::File)
            }
            Operation::Remove { .. } | Operation::Flush => answered(Answer::Empty),
            _ => Err(Refusal::new(Code::BadOp)),
        });
        let mut child = Child(
            command(&server, args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap(),
        );
        let mut said = child.0.stdout.take().unwrap();
        let reading = std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        while has_reached.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{args:?} stands still")) < 100_000 {}
        let peak = resident_peak(child.0.id());
        drop(child);
        reading.join().unwrap().unwrap();
        match peak {
            Some(peak) => assert!(peak < LITTLE, "{args:?}: {peak} bytes resident"),
            None => skip("/proc does not tell the resident size"),
        }
    }
}

#[test]
fn uploads_without_end_are_listed_in_little_memory() {
    let (reached, has_reached) = channel();
    let server = FakeServer::answering(move |operation| match operation {
        Operation::Uploads { after } => {
            let number = |up: &UploadId| u128::from_be_bytes(*up.as_bytes());
            let from = after.as_ref().map_or(0, number) + 1;
            let _ = reached.send(from);
            let path = format!("/{}", "x".repeat(250));
            let upload = |n: u128| {
                let up = UploadId::new(n.to_be_bytes());
                UploadEntry { up, path: path.parse().unwrap(), off: 1, size: None, age_ms: 1 }
            };
            answered(Answer::Uploads(Uploads { uploads: (from..from + 500).map(upload).collect(), more: true }))
        }
        _ => answered(Answer::Empty),
    });
    let mut child =
        Child(command(&server, &["partials", "list"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut said = child.0.stdout.take().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    // It may give up a listing that is longer than any server's limit; what it holds is bounded in any case.
    while has_reached.recv_timeout(DEADLINE).is_ok_and(|from| from < 100_000) {}
    let peak = resident_peak(child.0.id());
    drop(child);
    reading.join().unwrap().unwrap();
    assert!(peak.is_none_or(|peak| peak < LITTLE), "{peak:?} bytes resident");
}

#[test]
fn content_without_end_passes_through_cat_in_little_memory() {
    const ENOUGH: u64 = 256 << 20;
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, i64::MAX.cast_unsigned(), 0))),
        Operation::Read { len, .. } => {
            let answer = Answer::Read(ReadResult { etag: etag(), size: i64::MAX.cast_unsigned() });
            Ok(Success { answer, payload: Some(vec![0; usize::try_from(*len).unwrap()]) })
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let mut child =
        Child(command(&server, &["cat", "/file"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut said = child.0.stdout.take().unwrap().take(ENOUGH);
    assert_eq!(std::io::copy(&mut said, &mut std::io::sink()).unwrap(), ENOUGH);
    match resident_peak(child.0.id()) {
        Some(peak) => assert!(peak < LITTLE, "{peak} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}

#[test]
fn a_file_that_ends_before_its_size_is_not_taken_for_whole() {
    let server = FakeServer::answering(|operation| match operation {
        Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::File, 1 << 40, 0))),
        Operation::Read { .. } => {
            let answer = Answer::Read(ReadResult { etag: etag(), size: 1 << 40 });
            Ok(Success { answer, payload: Some(Vec::new()) })
        }
        _ => Err(Refusal::new(Code::BadOp)),
    });
    let done = run(&mut command(&server, &["cat", "/file"]));
    assert_ne!(done.status.code(), Some(0), "{done:?}");
    is_civil(&["cat"], &done);
}

#[test]
fn names_that_are_none_are_refused_by_every_command_that_lists() {
    for name in ["..", "a/../../b", "/etc", "a\u{1b}[2J", "a\nb", "", ".remofile"] {
        for args in [&["list", "/"][..], &["list", "-r", "/"], &["du", "/tree"], &["remove", "-r", "/tree"]] {
            let listed = ListedEntry { name: name.to_owned(), entry: entry(Kind::File, 4, 0) };
            let server = FakeServer::answering(move |operation| match operation {
                Operation::Stat { .. } => answered(Answer::Entry(entry(Kind::Dir, 0, 0))),
                Operation::List { .. } => listing(vec![listed.clone()], false),
                Operation::Remove { .. } | Operation::Flush => answered(Answer::Empty),
                _ => Err(Refusal::new(Code::BadOp)),
            });
            run(&mut command(&server, args)).fails(8);
        }
    }
}
