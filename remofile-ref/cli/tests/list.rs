//! `list`: what is there, in the forms that people and scripts want it in.

use remofile::Success;
use remofile_proto::{Answer, Entry, Kind, ListedEntry, Listing, Operation};
use remofile_testkit::fake::FakeServer;
use remofile_testkit::place::{Place, lines};
use remofile_testkit::process::{Done, Server, TOKEN, remofile, run};
use remofile_testkit::skip::skip;
use remofile_testkit::terminal::on_a_terminal;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

/// A server on a directory with some of everything.
fn served() -> (Place, Server) {
    let place = Place::new();
    let top = place.served();
    fs::create_dir_all(top.join("photos/2025")).unwrap();
    fs::create_dir(top.join("empty")).unwrap();
    for (name, size) in [("notes.txt", 11), ("photos/a.jpg", 3_000), ("photos/2025/b.jpg", 70), ("disk.img", 2 << 20)] {
        fs::write(top.join(name), vec![b'x'; size]).unwrap();
    }
    for name in [".hidden", "photos/.thumbs"] {
        fs::write(top.join(name), "").unwrap();
    }
    let server = Server::start(&top);
    (place, server)
}

fn objects(done: &Done) -> Vec<serde_json::Value> {
    lines(done).into_iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_pipe_gets_one_name_a_line() {
    let (_place, server) = served();
    assert_eq!(lines(&server.run(&["list"])), ["disk.img", "empty", "notes.txt", "photos"]);
    assert_eq!(lines(&server.run(&["ls", "/photos/"])), ["2025", "a.jpg"]);
    assert_eq!(lines(&server.run(&["list", "photos"])), ["2025", "a.jpg"]);
}

#[test]
fn everything_below_is_listed_by_its_path() {
    let (_place, server) = served();
    let all = ["disk.img", "empty", "notes.txt", "photos", "photos/2025", "photos/2025/b.jpg", "photos/a.jpg"];
    assert_eq!(lines(&server.run(&["list", "-r"])), all);
}

#[test]
fn hidden_names_are_listed_when_asked_for() {
    let (_place, server) = served();
    assert_eq!(lines(&server.run(&["list", "-a"])), [".hidden", "disk.img", "empty", "notes.txt", "photos"]);
    assert_eq!(lines(&server.run(&["list", "-a", "/photos"])), [".thumbs", "2025", "a.jpg"]);
}

#[test]
fn long_lines_in_a_pipe_are_exact() {
    let (place, server) = served();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000);
    File::options().write(true).open(place.served().join("disk.img")).unwrap().set_modified(time).unwrap();
    let done = server.run(&["list", "-l"]);
    let fields: Vec<Vec<&str>> = lines(&done).iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(fields[0], ["file", "2097152", "2025-10-09T08:53:20Z", "disk.img"]);
    assert_eq!((fields[1][0], fields[1][1], fields[1][3]), ("dir", "-", "empty"));
}

#[test]
fn nul_ends_each_path_where_it_is_asked_for() {
    let (_place, server) = served();
    assert_eq!(server.run(&["list", "-0"]).stdout, "disk.img\0empty\0notes.txt\0photos\0");
}

#[test]
fn several_directories_are_distinguished_by_their_paths() {
    let (_place, server) = served();
    let done = server.run(&["list", "/photos", "empty", "photos/2025", "/notes.txt"]);
    assert_eq!(lines(&done), ["/photos/2025", "/photos/a.jpg", "photos/2025/b.jpg", "/notes.txt"]);
}

#[test]
fn a_directory_itself_is_listed_where_it_is_asked_for() {
    let (_place, server) = served();
    assert_eq!(lines(&server.run(&["list", "-d", "/photos"])), ["/photos"]);
}

#[test]
fn a_path_that_is_missing_does_not_hide_the_others() {
    let (_place, server) = served();
    let done = run(&mut server.client(&["list", "/missing", "/photos"])).fails(23);
    let done = done.says("cannot access '/missing'").says("1 of 2 items failed");
    assert_eq!(lines(&done), ["/photos/2025", "/photos/a.jpg"]);
    run(&mut server.client(&["list", "/missing"])).fails(3).says("'/missing'");
}

#[test]
fn the_order_is_as_asked_for() {
    let (place, server) = served();
    let set = |name: &str, seconds| {
        let file = File::open(place.served().join(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    for (name, seconds) in [("disk.img", 3), ("empty", 1), ("notes.txt", 4), ("photos", 2)] {
        set(name, seconds);
    }
    assert_eq!(lines(&server.run(&["list", "--sort", "size"]))[..2], ["disk.img", "notes.txt"]);
    assert_eq!(lines(&server.run(&["list", "--sort", "time"])), ["notes.txt", "disk.img", "photos", "empty"]);
    assert_eq!(lines(&server.run(&["list", "--sort", "extension"])), ["empty", "photos", "disk.img", "notes.txt"]);
    assert_eq!(lines(&server.run(&["list", "--reverse"])), ["photos", "notes.txt", "empty", "disk.img"]);
    run(&mut server.client(&["list", "--sort", "colour"])).fails(2);
}

#[test]
fn a_tree_is_drawn() {
    let (_place, server) = served();
    let drawn =
        "/\n├── disk.img\n├── empty\n├── notes.txt\n└── photos\n    ├── 2025\n    │   └── b.jpg\n    └── a.jpg\n";
    assert_eq!(server.run(&["list", "--tree"]).stdout, drawn);
    assert_eq!(server.run(&["list", "--tree", "photos/2025"]).stdout, "photos/2025\n└── b.jpg\n");
}

#[test]
fn an_object_a_line_has_the_names_of_the_specification() {
    let (_place, server) = served();
    let objects = objects(&server.run(&["list", "--json", "-r", "/photos"]));
    let paths: Vec<_> = objects.iter().map(|object| object["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/photos/2025", "/photos/2025/b.jpg", "/photos/a.jpg"]);
    let file = &objects[1];
    assert_eq!((&file["schema"], &file["name"], &file["kind"]), (&1.into(), &"2025/b.jpg".into(), &"file".into()));
    assert_eq!(file["size"], 70);
    assert!(file["mtime_ns"].is_i64() && file["etag"].is_string(), "{file}");
    assert!(objects[0].get("size").is_none() && objects[0].get("etag").is_none(), "{}", objects[0]);
}

// On a terminal.

#[test]
fn a_terminal_gets_columns_and_colours() {
    let (_place, server) = served();
    let seen = on_a_terminal(server.client(&["list"]).env_remove("NO_COLOR").env("TERM", "xterm"));
    assert_eq!(seen.lines().count(), 1, "{seen:?}");
    assert!(seen.contains("\u{1b}[") && seen.contains("photos/"), "{seen:?}");
}

#[test]
fn a_terminal_without_colours_gets_none() {
    let (_place, server) = served();
    let seen = on_a_terminal(server.client(&["list"]).env("NO_COLOR", "1").env("TERM", "xterm"));
    assert_eq!(seen, "disk.img  empty/  notes.txt  photos/\r\n");
}

#[test]
fn a_terminal_gets_rounded_sizes_and_the_time_of_the_place() {
    let (place, server) = served();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000);
    File::options().write(true).open(place.served().join("disk.img")).unwrap().set_modified(time).unwrap();
    let mut command = server.client(&["list", "-l", "/disk.img"]);
    let seen = on_a_terminal(command.env("NO_COLOR", "1").env("TERM", "xterm").env("TZ", "UTC-2"));
    assert_eq!(seen, "file      2.0 MiB 2025-10-09 10:53 /disk.img\r\n");
}

#[test]
fn several_directories_have_headings_on_a_terminal() {
    let (_place, server) = served();
    let mut command = server.client(&["list", "/photos", "/empty", "photos/2025"]);
    let seen = on_a_terminal(command.env("NO_COLOR", "1").env("TERM", "xterm"));
    assert_eq!(seen.replace("\r\n", "\n"), "/photos:\n2025/  a.jpg\n\n/empty:\n\nphotos/2025:\nb.jpg\n");
}

// Whatever the server has.

#[test]
fn a_directory_of_any_size_passes_in_little_memory() {
    const ENTRIES: u64 = 300_000;
    const PAGE: u64 = 2_000;
    const LITTLE: u64 = 32 << 20;
    let server = FakeServer::answering(|operation| {
        let entry = |kind| Entry { kind, size: None, mtime_ns: Some(0), etag: None, racy: false };
        Ok(Success::of(match operation {
            Operation::List { after, .. } => {
                let first = after.as_ref().map_or(0, |name| name[5..].parse::<u64>().unwrap() + 1);
                let end = ENTRIES.min(first + PAGE);
                let name = |number| format!("name-{number:012}");
                let entries = (first..end).map(|number| ListedEntry { name: name(number), entry: entry(Kind::Dir) });
                Answer::Listing(Listing { entries: entries.collect(), more: end < ENTRIES, skipped: 0 })
            }
            _ => Answer::Entry(entry(Kind::Dir)),
        }))
    });
    let mut command = remofile();
    command.args(["list", "/"]).env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN);
    let done = run(&mut command).success();
    assert_eq!(done.stdout.lines().count() as u64, ENTRIES);
    match done.resident {
        Some(resident) => assert!(resident < LITTLE, "{resident} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}
