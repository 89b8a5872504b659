//! `cat` and `write`, `stat`, `hash` and `du`: what is read and written where it is.

use remofile_testkit::place::{Place, lines, text};
use remofile_testkit::process::{DEADLINE, Running, Server, content, run, run_with_input};
use remofile_testkit::skip::skip;
use remofile_testkit::terminal::on_a_terminal;
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn served(files: &[(&str, &str)]) -> (Place, Server) {
    let place = Place::new();
    for (name, content) in files {
        let path = place.served().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let server = Server::start(&place.served());
    (place, server)
}

fn object(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

// Reading.

#[test]
fn content_is_printed_one_file_after_the_other() {
    let (_place, server) = served(&[("a", "first\n"), ("b", "second"), ("x/c", "third")]);
    assert_eq!(server.run(&["cat", "/a", "b", "/x/*"]).stdout, "first\nsecondthird");
}

#[test]
fn a_part_is_printed_where_it_is_asked_for() {
    let (_place, server) = served(&[("a", "0123456789")]);
    for (args, expected) in [
        (&["--offset", "3"][..], "3456789"),
        (&["--length", "4"], "0123"),
        (&["--offset", "8", "--length", "9"], "89"),
        (&["--offset", "10"], ""),
        (&["--offset", "99", "--length", "1"], ""),
        (&["--length", "0"], ""),
    ] {
        assert_eq!(server.run(&[&["cat", "/a"], args].concat()).stdout, expected, "{args:?}");
    }
    run(&mut server.client(&["cat", "/a", "--offset", "-1"])).fails(2);
}

#[test]
fn a_large_file_passes_exactly_and_in_little_memory() {
    const SIZE: usize = 64 << 20;
    let (place, server) = served(&[]);
    fs::write(place.served().join("large"), content(SIZE, 1)).unwrap();
    let fetched = place.beside("fetched");
    let mut child =
        server.client(&["cat", "/large"]).stdin(Stdio::null()).stdout(File::create(&fetched).unwrap()).spawn().unwrap();
    let mut resident = None;
    let started = Instant::now();
    let status = loop {
        resident = remofile_testkit::process::resident_peak(child.id()).or(resident);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < DEADLINE, "the command does not end");
        thread::park_timeout(Duration::from_millis(2));
    };
    assert!(status.success());
    assert!(fs::read(fetched).unwrap() == content(SIZE, 1), "the content differs");
    match resident {
        Some(resident) => assert!(resident < 48 << 20, "{resident} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_not_mixed() {
    let (place, server) = served(&[]);
    let file = place.served().join("growing");
    fs::write(&file, content(32 << 20, 1)).unwrap();
    let mut command = server.client(&["cat", "/growing"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut first = [0; 1024];
    stdout.read_exact(&mut first).unwrap();
    // The reader stops, so that most of the file is not transferred yet.
    fs::write(&file, content(32 << 20, 2)).unwrap();
    let mut rest = first.to_vec();
    stdout.read_to_end(&mut rest).unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(24), "{said}");
    assert!(said.contains("'/growing'") && said.contains("changed while it was read"), "{said}");
    assert!(content(32 << 20, 1).starts_with(&rest), "bytes of another version");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (place, server) = served(&[]);
    fs::write(place.served().join("large"), content(16 << 20, 1)).unwrap();
    let mut child = server.client(&["cat", "/large"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_terminal_is_not_moved_by_content() {
    let (_place, server) = served(&[("evil", "a\tb\u{1b}[2Jc\nd")]);
    assert_eq!(on_a_terminal(&mut server.client(&["cat", "/evil"])), "a\tb\\u{1b}[2Jc\r\nd");
    assert!(on_a_terminal(&mut server.client(&["cat", "--raw", "/evil"])).contains("\u{1b}[2J"));
    assert!(server.run(&["cat", "/evil"]).stdout.contains("\u{1b}[2J"));
}

#[test]
fn what_is_no_file_is_not_printed() {
    let (_place, server) = served(&[("d/a", "x")]);
    run(&mut server.client(&["cat", "/d"])).fails(4).says("'/d'").says("hint:");
    let done = run(&mut server.client(&["cat", "/missing", "/d/a"])).fails(23).says("'/missing'");
    assert_eq!(done.stdout, "x");
}

// Writing.

#[test]
fn bytes_are_written_over_in_place() {
    let (place, server) = served(&[("a", "0123456789")]);
    let written = run_with_input(&mut server.client(&["write", "--offset", "3", "/a"]), b"abc").success();
    written.says("wrote 3 B to '/a' at offset 3");
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "012abc6789");
    run_with_input(&mut server.client(&["write", "a"]), b"XY").success();
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "XY2abc6789");
}

#[test]
fn a_gap_is_filled_with_zeros() {
    let (place, server) = served(&[("a", "01")]);
    run_with_input(&mut server.client(&["write", "--offset", "4", "/a"]), b"x").success();
    assert_eq!(fs::read(place.served().join("a")).unwrap(), b"01\0\0x");
}

#[test]
fn bytes_are_added_behind_the_end() {
    let (place, server) = served(&[("a", "one\n")]);
    run_with_input(&mut server.client(&["write", "--append", "/a"]), b"two\n").success();
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "one\ntwo\n");
    run(&mut server.client(&["write", "--append", "--offset", "1", "/a"])).fails(2);
}

#[test]
fn a_file_is_cut_off_behind_what_was_written_where_it_is_asked_for() {
    let (place, server) = served(&[("a", "0123456789")]);
    run_with_input(&mut server.client(&["write", "--truncate", "--offset", "2", "/a"]), b"ab").success();
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "01ab");
}

#[test]
fn a_file_that_is_missing_is_made_only_where_it_is_asked_for() {
    let (place, server) = served(&[("d/x", "")]);
    let refused = run_with_input(&mut server.client(&["write", "/a"]), b"x").fails(3);
    refused.says("'/a'").says("hint: use --create to create it");
    let done = run_with_input(&mut server.client(&["write", "--create", "--json", "/a"]), b"content").success();
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "content");
    let line = object(&done.stdout);
    assert_eq!((&line["schema"], &line["op"], &line["path"]), (&1.into(), &"write".into(), &"/a".into()));
    assert_eq!((&line["offset"], &line["bytes"], &line["size"]), (&0.into(), &7.into(), &7.into()));
    run_with_input(&mut server.client(&["write", "-c", "/d"]), b"x").fails(4);
}

#[test]
fn no_more_is_taken_than_is_asked_for() {
    let (place, server) = served(&[("a", "0123")]);
    run_with_input(&mut server.client(&["write", "--length", "2", "/a"]), b"abcd").success();
    assert_eq!(fs::read_to_string(place.served().join("a")).unwrap(), "ab23");
}

#[test]
fn a_stream_of_unknown_size_passes_in_little_memory() {
    const SIZE: usize = 160 << 20;
    let (place, server) = served(&[("a", "")]);
    let done = run_with_input(&mut server.client(&["write", "/a"]), &content(SIZE, 1)).success();
    assert!(fs::read(place.served().join("a")).unwrap() == content(SIZE, 1), "the content differs");
    match done.resident {
        // At most 16 MiB are under way, kept here and queued; a busy machine makes the path look as long as that.
        Some(resident) => assert!(resident < 80 << 20, "{resident} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}

#[test]
fn an_interrupted_write_says_how_far_it_is_certain() {
    let (place, server) = served(&[("a", "0123456789")]);
    let mut writing = Running::start_fed(&mut server.client(&["write", "--offset", "2", "/a"]));
    let mut stdin = writing.stdin();
    stdin.write_all(b"abc").unwrap();
    // What has come is written while more is awaited.
    let deadline = Instant::now() + DEADLINE;
    while fs::read(place.served().join("a")).unwrap() != b"01abc56789" {
        assert!(Instant::now() < deadline, "nothing is written");
        thread::park_timeout(Duration::from_millis(5));
    }
    writing.signal(Signal::INT);
    let done = writing.finish().fails(130);
    done.says("3 bytes were written to '/a', from offset 2 to 5");
    drop(stdin);
}

// Looking.

#[test]
fn all_that_is_known_of_an_entry_is_reported() {
    let (place, server) = served(&[("d/a b", "12345")]);
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_760_000_000, 123_456_789);
    File::options().write(true).open(place.served().join("d/a b")).unwrap().set_modified(time).unwrap();
    let done = server.run(&["stat", "/d/a b", "d"]);
    let rows: Vec<Vec<&str>> = lines(&done).iter().map(|line| line.split('\t').collect()).collect();
    assert_eq!((rows[0][0], rows[0][1], rows[0][2]), ("file", "5", "2025-10-09T08:53:20.123456789Z"));
    assert_eq!((rows[0][4], rows[1][0], rows[1][1], rows[1][3], rows[1][4]), ("/d/a b", "dir", "-", "-", "d"));
    let line = object(&server.run(&["stat", "--json", "/d/a b"]).stdout);
    assert_eq!((&line["path"], &line["size"], &line["etag"]), (&"/d/a b".into(), &5.into(), &rows[0][3].into()));
    let seen = on_a_terminal(server.client(&["stat", "/d/a b"]).env("NO_COLOR", "1"));
    assert!(seen.contains("5 bytes") && seen.contains("2025-10-09"), "{seen}");
    run(&mut server.client(&["stat", "/missing"])).fails(3).says("'/missing'");
}

#[test]
fn hashes_are_those_of_b3sum_and_either_checks_the_other() {
    let (place, server) = served(&[("a", "content"), ("x/b", "other"), ("x/back\\slash", "odd")]);
    let hash = blake3::hash(b"content");
    assert_eq!(server.run(&["hash", "/a"]).stdout, format!("{hash}  /a\n"));
    assert_eq!(lines(&server.run(&["hash", "x/b", "/a"])).len(), 2);
    let part = blake3::hash(b"nte");
    assert_eq!(server.run(&["hash", "--offset", "2", "--length", "3", "a"]).stdout, format!("{part}  a\n"));

    let sums = place.beside("sums");
    let all = server.run(&["hash", "**"]).stdout;
    assert!(all.lines().any(|line| line.starts_with('\\') && line.ends_with("  x/back\\\\slash")), "{all}");
    fs::write(&sums, &all).unwrap();
    let checked = server.run(&["hash", "--check", &text(&sums)]);
    assert_eq!(lines(&checked), ["a: OK", "x/b: OK", "x/back\\slash: OK"]);
    run_with_input(&mut server.client(&["hash", "--check", "-"]), all.as_bytes()).success();
    assert_eq!(server.run(&["hash", "-q", "--check", &text(&sums)]).stdout, "");

    fs::write(place.served().join("a"), "changed").unwrap();
    fs::remove_file(place.served().join("x/b")).unwrap();
    let checked = run(&mut server.client(&["hash", "--check", &text(&sums)])).fails(9);
    assert_eq!(lines(&checked)[0], "a: FAILED (checksum mismatch)");
    assert!(lines(&checked)[1].starts_with("x/b: FAILED ("));
    checked.says("checksum mismatch of 2 of 3 files");
    run_with_input(&mut server.client(&["hash", "--check", "-"]), b"nonsense\n").fails(2).says("line 1");
    run(&mut server.client(&["hash", "/x"])).fails(4).says("'/x'");
    let line = object(&server.run(&["hash", "--json", "/a"]).stdout);
    assert_eq!((&line["path"], &line["len"]), (&"/a".into(), &7.into()));
    assert_eq!(line["hash"], blake3::hash(b"changed").to_string());
}

#[test]
fn sizes_are_summed_up_from_below() {
    let (_place, server) = served(&[("a/b/c", "123"), ("a/b/d", "4567"), ("a/e", "89"), (".f", "1"), ("g", "22")]);
    assert_eq!(lines(&server.run(&["du"])), ["7\t/a/b", "9\t/a", "12\t/"]);
    assert_eq!(lines(&server.run(&["du", "-s", "/a", "g"])), ["9\t/a", "2\tg"]);
    assert_eq!(lines(&server.run(&["du", "-s", "/*"])), ["9\t/a", "2\t/g"]);
    assert_eq!(lines(&server.run(&["du", "-a", "a/b"])), ["3\ta/b/c", "4\ta/b/d", "7\ta/b"]);
    assert_eq!(lines(&server.run(&["du", "-sh", "/a"])), ["9 B\t/a"]);
    let line = object(&server.run(&["du", "-s", "--json"]).stdout);
    assert_eq!((&line["bytes"], &line["files"], &line["directories"]), (&12.into(), &5.into(), &3.into()));
    run(&mut server.client(&["du", "/missing", "/a"])).fails(23).says("'/missing'");
}
