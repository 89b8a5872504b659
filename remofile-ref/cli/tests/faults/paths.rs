//! Paths and files that should not be there, met by a real server: each request is answered, and nothing is outside.

use remofile_proto::cbor::Item;
use remofile_proto::{Answer, Code, Kind, Operation, limits};
use remofile_testkit::peer::{Peer, bytes, path, text};
use remofile_testkit::process::{Server, resident_peak, staged_uploads};
use remofile_testkit::skip::skip;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A request: its operation, arguments and payload.
type Request = (&'static str, Vec<(&'static str, Item)>, Option<&'static [u8]>);

/// A server whose directory has an outside beside it, and a peer that holds the session.
struct World {
    around: tempfile::TempDir,
    server: Server,
    peer: Peer,
}

impl World {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        for directory in ["served/inside", "outside"] {
            fs::create_dir_all(around.path().join(directory)).unwrap();
        }
        for file in ["served/victim", "served/inside/secret", "outside/secret"] {
            fs::write(around.path().join(file), "as it was").unwrap();
        }
        let server = Server::start(&around.path().join("served"));
        let peer = Peer::open(&server.endpoint);
        Self { around, server, peer }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    fn code(&mut self, (operation, args, payload): &Request) -> Code {
        self.peer.say(operation, args, *payload).code
    }

    /// Stages a file for `at` and commits it.
    fn upload(&mut self, at: &str) -> Code {
        let begun = self.peer.say("begin", &[("up", bytes::<16>(7)), ("path", text(at))], None).code;
        if begun != Code::Ok {
            return begun;
        }
        let appended = self.peer.say("append", &[("up", bytes::<16>(7)), ("off", Item::Int(0))], Some(b"evil"));
        assert_eq!(appended.code, Code::Ok);
        let hash = Item::Bytes(blake3::hash(b"evil").as_bytes().to_vec());
        let commit = [("up", bytes::<16>(7)), ("size", Item::Int(4)), ("hash", hash), ("pre", text("any"))];
        let committed = self.peer.say("commit", &commit, None).code;
        assert_eq!(self.peer.say("abort", &[("up", bytes::<16>(7))], None).code, Code::Ok);
        committed
    }

    fn assert_nothing_changed(&mut self) {
        for file in ["served/victim", "served/inside/secret", "outside/secret"] {
            assert_eq!(fs::read(self.at(file)).unwrap(), b"as it was", "{file}");
        }
        assert_eq!(names(&self.at("outside")), ["secret"]);
        assert_eq!(names(&self.at("served/inside")), ["secret"]);
        assert_eq!(staged_uploads(&self.at("served")), 0);
        assert_eq!(self.peer.unnumbered(&Operation::Ping).code, Code::Ok, "the session goes on");
    }
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every request that names a path, with `at` in each place where one stands; but for begin and commit.
fn requests(at: &str) -> Vec<Request> {
    let path = || ("path", text(at));
    let any = || ("pre", text("any"));
    let off = || ("off", Item::Int(0));
    vec![
        ("stat", vec![path()], None),
        ("list", vec![path()], None),
        ("list", vec![path(), ("tree", Item::Bool(true))], None),
        ("read", vec![path(), off(), ("len", Item::Int(100))], None),
        ("hash", vec![path()], None),
        ("mkdir", vec![path()], None),
        ("put", vec![path(), any()], Some(b"evil")),
        ("write", vec![path(), off()], Some(b"evil")),
        ("truncate", vec![path(), ("size", Item::Int(0))], None),
        ("touch", vec![path(), ("mtime_ns", Item::Int(0))], None),
        ("remove", vec![path()], None),
        ("move", vec![("from", text(at)), ("to", text("/moved")), any()], None),
        ("move", vec![("from", text("/victim")), ("to", text(at)), any()], None),
        ("copy", vec![("from", text(at)), ("to", text("/copied")), any()], None),
        ("copy", vec![("from", text("/victim")), ("to", text(at)), any()], None),
    ]
}

#[test]
fn a_path_that_is_none_is_refused_by_every_operation() {
    let mut world = World::new();
    let outside = world.at("outside/secret").to_str().unwrap().to_owned();
    let bad = [
        "",
        "..",
        "/..",
        "/../outside/secret",
        "/inside/../../outside/secret",
        "/inside/..",
        "/inside/",
        "inside",
        "//",
        "/inside//secret",
        "/./inside",
        "/inside/.",
        "/a\0b",
        "/a\nb",
        "/\u{1b}[2J",
        "/\u{7f}",
        "/\u{85}",
        "/.remofile",
        "/.ReMoFiLe/lock",
        "/inside/.remofile",
    ];
    for at in bad {
        for request in requests(at) {
            assert_eq!(world.code(&request), Code::BadName, "{at:?} {request:?}");
        }
        assert_eq!(world.upload(at), Code::BadName, "{at:?}");
    }
    // A path of the machine is a path below the served directory, and nothing is there.
    assert_eq!(world.peer.say("stat", &[("path", text(&outside))], None).code, Code::NotFound);
    world.assert_nothing_changed();
}

#[test]
fn names_paths_and_depths_beyond_their_limits_are_distinguished() {
    let mut world = World::new();
    let long_name = format!("/{}", "n".repeat(limits::NAME + 1));
    let long_path = format!("/{}", [&"p".repeat(200); 21].map(String::as_str).join("/"));
    let deep_path = "/d".repeat(limits::DEPTH + 1);
    assert!(long_path.len() > limits::PATH && long_path.matches('/').count() < limits::DEPTH);
    for (at, code) in [(long_name, Code::BadName), (long_path, Code::Limit), (deep_path, Code::Limit)] {
        for request in requests(&at) {
            assert_eq!(world.code(&request), code, "{request:?}");
        }
        assert_eq!(world.upload(&at), code);
    }
    // At the limits themselves nothing is wrong but that nothing is there.
    for at in [format!("/{}", "n".repeat(limits::NAME)), "/d".repeat(limits::DEPTH)] {
        assert_eq!(world.peer.say("stat", &[("path", text(&at))], None).code, Code::NotFound);
    }
    world.assert_nothing_changed();
}

#[test]
fn a_link_in_the_middle_is_no_directory_for_every_operation() {
    let mut world = World::new();
    for (link, target) in [("out", "../outside"), ("in", "inside"), ("root", "/"), ("self", ".")] {
        symlink(target, world.at("served").join(link)).unwrap();
        for below in ["secret", "new"] {
            let at = format!("/{link}/{below}");
            for request in requests(&at) {
                assert_eq!(world.code(&request), Code::NotDir, "{request:?}");
            }
            assert_eq!(world.upload(&at), Code::NotDir, "{at}");
        }
    }
    world.assert_nothing_changed();
}

#[test]
fn a_link_at_the_end_is_a_name_for_every_operation() {
    let mut world = World::new();
    for (link, target) in [("out", "../outside/secret"), ("in", "victim"), ("broken", "nothing"), ("dir", "../outside")]
    {
        let at = format!("/{link}");
        for request in requests(&at) {
            symlink(target, world.at("served").join(link)).ok();
            let (operation, args, _) = &request;
            let names_it_as_source = args[0] == ("from", text(&at));
            let expected = match *operation {
                "stat" | "remove" => Code::Ok,
                "move" if names_it_as_source => Code::Ok,
                "list" => Code::NotDir,
                "mkdir" => Code::Exists,
                _ => Code::UnsupportedKind,
            };
            assert_eq!(world.code(&request), expected, "{request:?}");
            let _ = fs::remove_file(world.at("served/moved"));
        }
        symlink(target, world.at("served").join(link)).ok();
        assert_eq!(world.upload(&at), Code::UnsupportedKind);
    }
    world.assert_nothing_changed();
}

#[test]
fn special_files_are_never_opened_by_any_operation() {
    let mut world = World::new();
    mknodat(CWD, world.at("served/fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(world.at("served/socket")).unwrap();
    let mut special = vec!["/fifo", "/socket"];
    // A device that would block for ever, or swallow what is written.
    match mknodat(CWD, world.at("served/tty"), FileType::CharacterDevice, Mode::RWXU, rustix::fs::makedev(5, 0)) {
        Ok(()) => special.push("/tty"),
        Err(errno) => skip(&format!("mknod: {errno}")),
    }
    for at in special {
        let entry = world.peer.ask(&Operation::Stat { path: path(at) }, None);
        let Answer::Entry(entry) = entry.answer(&Operation::Stat { path: path(at) }) else { panic!("no entry") };
        assert_eq!((entry.kind, entry.size, entry.etag), (Kind::Other, None, None));
        for request in requests(at) {
            let (operation, args, _) = &request;
            let expected = match *operation {
                "stat" | "remove" => continue,
                "move" if args[0] == ("from", text(at)) => continue,
                "list" => Code::NotDir,
                "mkdir" => Code::Exists,
                _ => Code::UnsupportedKind,
            };
            // An answer in time is proof that nothing was opened: the other end of the FIFO never comes.
            assert_eq!(world.code(&request), expected, "{request:?}");
        }
        assert_eq!(world.upload(at), Code::UnsupportedKind);
        let moved = format!("{at}-moved");
        let rename = [("from", text(at)), ("to", text(&moved))];
        assert_eq!(world.peer.say("move", &rename, None).code, Code::Ok);
        assert_eq!(world.peer.say("remove", &[("path", text(&moved))], None).code, Code::Ok);
    }
    world.assert_nothing_changed();
}

#[test]
fn uploads_and_truncations_race_with_a_link_and_never_land_outside() {
    let mut world = World::new();
    fs::create_dir(world.at("served/swap")).unwrap();
    fs::write(world.at("served/swap/secret"), "inside").unwrap();
    symlink("../outside", world.at("served/other")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let racer = thread::spawn({
        let (one, other, stop) = (world.at("served/swap"), world.at("served/other"), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        }
    });
    let (mut landed, mut refused) = (0, 0);
    for round in 0.. {
        for code in [
            world.upload("/swap/secret"),
            world.upload("/swap/new"),
            world.peer.say("truncate", &[("path", text("/swap/secret")), ("size", Item::Int(3))], None).code,
        ] {
            match code {
                Code::Ok => landed += 1,
                Code::NotDir | Code::NotFound => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        // A race that is never lost and never won shows nothing.
        if round >= 300 && landed > 0 && refused > 0 {
            break;
        }
        assert!(round < 100_000, "no race: {landed} {refused}");
    }
    stop.store(true, Ordering::Relaxed);
    racer.join().unwrap();
    world.assert_nothing_changed();
}

#[test]
fn a_served_directory_that_is_renamed_while_it_is_served_stays_the_served_one() {
    let mut world = World::new();
    fs::rename(world.at("served"), world.at("renamed")).unwrap();
    fs::create_dir(world.at("served")).unwrap();
    fs::write(world.at("served/victim"), "another").unwrap();
    let read = [("path", text("/victim")), ("off", Item::Int(0)), ("len", Item::Int(100))];
    assert_eq!(world.peer.say("read", &read, None).payload(), Some(&b"as it was"[..]));
    assert_eq!(world.upload("/new"), Code::Ok);
    assert_eq!(fs::read(world.at("renamed/new")).unwrap(), b"evil");
    assert_eq!(names(&world.at("served")), ["victim"]);
}

#[test]
fn a_hard_link_to_an_outside_file_is_replaced_by_every_way_to_replace_and_the_outside_stays() {
    let mut world = World::new();
    let hard = world.at("served/hard");
    for way in ["put", "copy", "move", "upload", "write", "truncate"] {
        let _ = fs::remove_file(&hard);
        fs::hard_link(world.at("outside/secret"), &hard).unwrap();
        fs::write(world.at("served/source"), "evil").unwrap();
        let by_rename = [("from", text("/source")), ("to", text("/hard")), ("pre", text("any"))];
        let path = ("path", text("/hard"));
        let (code, expected) = match way {
            "put" => (world.peer.say("put", &[path, ("pre", text("any"))], Some(b"evil")).code, Code::Ok),
            "upload" => (world.upload("/hard"), Code::Ok),
            "write" => (world.peer.say("write", &[path, ("off", Item::Int(0))], Some(b"evil")).code, Code::Denied),
            "truncate" => (world.peer.say("truncate", &[path, ("size", Item::Int(0))], None).code, Code::Denied),
            by_name => (world.peer.say(by_name, &by_rename, None).code, Code::Ok),
        };
        assert_eq!(code, expected, "{way}");
        let content: &[u8] = if expected == Code::Ok { b"evil" } else { b"as it was" };
        assert_eq!(fs::read(&hard).unwrap(), content, "{way}");
        world.assert_nothing_changed();
    }
}

#[test]
fn offsets_and_sizes_at_the_end_of_the_numbers_reserve_nothing() {
    const END: i64 = i64::MAX;
    let mut world = World::new();
    let path = || ("path", text("/victim"));
    let far = || ("off", Item::Int(END));
    let read = world.peer.say("read", &[path(), far(), ("len", Item::Int(0))], None);
    assert_eq!((read.code, read.payload()), (Code::Ok, Some(&b""[..])));
    let hash = world.peer.say("hash", &[path(), ("len", Item::Int(END))], None);
    assert_eq!((hash.code, hash.integer("len")), (Code::Ok, Some(9)));
    for (operation, args, payload) in [
        ("read", vec![path(), far(), ("len", Item::Int(1))], None),
        ("hash", vec![path(), far(), ("len", Item::Int(1))], None),
        ("write", vec![path(), far()], Some(&b"x"[..])),
        ("append", vec![("up", bytes::<16>(1)), far()], Some(&b"x"[..])),
        ("truncate", vec![path(), ("size", Item::Int(-1))], None),
    ] {
        assert_eq!(world.peer.say(operation, &args, payload).code, Code::BadArgs, "{operation}");
    }
    let write = [path(), ("off", Item::Int(END - 1))];
    assert_eq!(world.peer.say("write", &write, Some(b"x")).code, Code::TooLarge);
    assert_eq!(world.peer.say("truncate", &[path(), ("size", Item::Int(END))], None).code, Code::TooLarge);
    let begin = [("up", bytes::<16>(1)), ("path", text("/new")), ("size", Item::Int(END))];
    let begun = world.peer.say("begin", &begin, None).code;
    assert!(matches!(begun, Code::Ok | Code::NoSpace), "{begun:?}");
    world.peer.say("abort", &[("up", bytes::<16>(1))], None);
    // A file of 2^40 bytes without content is read at its end, and costs nothing.
    world.peer.say("put", &[("path", text("/sparse"))], Some(b""));
    assert_eq!(
        world.peer.say("truncate", &[("path", text("/sparse")), ("size", Item::Int(1 << 40))], None).code,
        Code::Ok
    );
    let read = [("path", text("/sparse")), ("off", Item::Int((1 << 40) - 10)), ("len", Item::Int(100))];
    assert_eq!(world.peer.say("read", &read, None).payload(), Some(&[0; 10][..]));
    assert!(fs::metadata(world.at("served/sparse")).unwrap().blocks() < 100);
    match resident_peak(world.server.pid()) {
        Some(peak) => assert!(peak < 64 << 20, "{peak} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
    world.assert_nothing_changed();
}

#[test]
fn bits_that_lend_rights_are_not_transferred() {
    let mut world = World::new();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let lending = |path: &PathBuf| fs::set_permissions(path, fs::Permissions::from_mode(0o6755)).unwrap();
    let (tool, set) = (world.at("tool"), world.at("served/set"));
    for file in [&tool, &set] {
        fs::write(file, "tool").unwrap();
        lending(file);
    }
    // A file that is replaced keeps its permissions, and no more than them.
    assert_eq!(world.peer.say("put", &[("path", text("/set")), ("pre", text("any"))], Some(b"evil")).code, Code::Ok);
    assert_eq!(mode(world.at("served/set")), 0o755);
    lending(&set);
    assert_eq!(world.upload("/set"), Code::Ok);
    assert_eq!(mode(world.at("served/set")), 0o755);
    // Nor do they travel with a copy, up or down.
    lending(&set);
    assert_eq!(world.peer.say("copy", &[("from", text("/set")), ("to", text("/copy"))], None).code, Code::Ok);
    assert_eq!(world.peer.unnumbered(&Operation::Bye).code, Code::Ok);
    world.server.run(&["upload", tool.to_str().unwrap(), "/tool"]);
    world.server.run(&["download", "/set", world.at("fetched").to_str().unwrap()]);
    for file in ["served/copy", "served/tool", "fetched"] {
        assert_eq!(mode(world.at(file)) & 0o7000, 0, "{file}");
    }
}
