//! Disks that are full, read-only or closed, met by a real server: that request is refused, and the server lives.

use remofile::{Storage as _, StoreOptions};
use remofile_proto::cbor::Item;
use remofile_proto::{Answer, Code, Digest, Operation, Precondition, UploadId};
use remofile_testkit::peer::{Peer, bytes, path, text};
use remofile_testkit::process::{Server, TOKEN, content, make_file, remofile, run, staged_uploads};
use remofile_testkit::storage::{Mount, served, skip, unprivileged, up};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const CHUNK: usize = 256 << 10;
const FILM: UploadId = UploadId::new([7; 16]);

struct DiskPlace {
    around: tempfile::TempDir,
}

impl DiskPlace {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("served")).unwrap();
        Self { around }
    }

    fn served(&self) -> PathBuf {
        self.around.path().join("served")
    }

    fn file(&self, name: &str, size: usize) -> String {
        make_file(&self.around.path().join(name), size, 1).to_str().unwrap().to_owned()
    }
}

fn put(peer: &mut Peer, at: &str, content: &[u8]) -> Code {
    peer.say("put", &[("path", text(at)), ("pre", text("any"))], Some(content)).code
}

/// Begins the upload of `/film`: how much is staged, and its hash.
fn begin(peer: &mut Peer) -> (usize, Digest) {
    let begin = Operation::Begin { up: FILM, path: path("/film"), size: None };
    let Answer::Staged(staged) = peer.ask(&begin, None).answer(&begin) else { panic!("not begun") };
    (usize::try_from(staged.off).unwrap(), staged.hash)
}

fn append(peer: &mut Peer, off: usize, content: &[u8]) -> Code {
    peer.ask(&Operation::Append { up: FILM, off: off as u64 }, Some(content)).code
}

fn commit(peer: &mut Peer, content: &[u8]) -> Code {
    let (size, hash) = (content.len() as u64, digest(content));
    peer.ask(&Operation::Commit { up: FILM, size, hash, pre: Precondition::Any, mtime_ns: None }, None).code
}

fn digest(content: &[u8]) -> Digest {
    Digest::new(*blake3::hash(content).as_bytes())
}

#[test]
fn an_upload_that_fills_the_disk_goes_on_when_there_is_room() {
    let place = DiskPlace::new();
    let Some(_mount) = Mount::tmpfs(&place.served(), "size=4m") else { return };
    fs::write(place.served().join("film"), "old film").unwrap();
    fs::write(place.served().join("filler"), vec![1; 2 << 20]).unwrap();
    let server = Server::start(&place.served());
    let mut peer = Peer::open(&server.endpoint);
    let film = content(3 << 20, 1);
    let mut off = begin(&mut peer).0;
    let refused = loop {
        match append(&mut peer, off, &film[off..off + CHUNK]) {
            Code::Ok => off += CHUNK,
            refused => break refused,
        }
    };
    assert_eq!(refused, Code::NoSpace);
    // Told the truth about what is staged; the old file is whole, and the session is of use.
    assert_eq!(begin(&mut peer), (off, digest(&film[..off])));
    assert!(off > 0 && off < 2 << 20, "{off}");
    assert_eq!(fs::read(place.served().join("film")).unwrap(), b"old film");
    assert_eq!(put(&mut peer, "/small", &vec![1; CHUNK]), Code::NoSpace);
    assert_eq!(peer.say("remove", &[("path", text("/filler"))], None).code, Code::Ok);
    while off < film.len() {
        assert_eq!(append(&mut peer, off, &film[off..off + CHUNK]), Code::Ok);
        off += CHUNK;
    }
    assert_eq!(commit(&mut peer, &film), Code::Ok);
    assert!(fs::read(place.served().join("film")).unwrap() == film, "the content differs");
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_command_says_that_the_disk_is_full() {
    let place = DiskPlace::new();
    let Some(_mount) = Mount::tmpfs(&place.served(), "size=4m") else { return };
    let server = Server::start(&place.served());
    run(&mut server.client(&["upload", &place.file("large", 8 << 20), "/"])).fails(10).says("large");
    let (one, other) = (place.file("one", 3 << 20), place.file("other", 2 << 20));
    server.run(&["upload", &one, "/"]);
    run(&mut server.client(&["upload", "--overwrite", &other, "/one"])).fails(10);
    assert!(fs::read(place.served().join("one")).unwrap() == fs::read(&one).unwrap(), "the old file is gone");
    server.run(&["remove", "/one"]);
    server.run(&["upload", &other, "/one"]);
}

#[test]
fn a_file_system_without_inodes_refuses_what_is_new_and_serves_what_is_there() {
    let place = DiskPlace::new();
    let Some(_mount) = Mount::tmpfs(&place.served(), "nr_inodes=12") else { return };
    let server = Server::start(&place.served());
    let mut peer = Peer::open(&server.endpoint);
    let made = (0..20).map(|n| put(&mut peer, &format!("/{n}"), b"x")).collect::<Vec<_>>();
    assert!(made.starts_with(&[Code::Ok]) && made.ends_with(&[Code::NoSpace]), "{made:?}");
    assert_eq!(peer.say("mkdir", &[("path", text("/dir"))], None).code, Code::NoSpace);
    assert_eq!(peer.say("begin", &[("up", bytes::<16>(7)), ("path", text("/film"))], None).code, Code::NoSpace);
    assert_eq!(put(&mut peer, "/0", b"y"), Code::NoSpace);
    assert_eq!(fs::read(place.served().join("0")).unwrap(), b"x");
    assert_eq!(peer.say("write", &[("path", text("/0")), ("off", Item::Int(0))], Some(b"y")).code, Code::Ok);
    for gone in ["/1", "/2"] {
        assert_eq!(peer.say("remove", &[("path", text(gone))], None).code, Code::Ok);
    }
    assert_eq!(put(&mut peer, "/0", b"z"), Code::Ok);
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_disk_that_turns_read_only_denies_changes_and_is_read_on() {
    let place = DiskPlace::new();
    let image = place.around.path().join("image");
    let Some(_mount) = Mount::ext4(&place.served(), &image) else { return };
    let server = Server::start(&place.served());
    let mut peer = Peer::open(&server.endpoint);
    assert_eq!(put(&mut peer, "/file", b"content"), Code::Ok);
    assert_eq!(begin(&mut peer).0, 0);
    assert_eq!(append(&mut peer, 0, b"staged"), Code::Ok);
    assert_eq!(peer.ask(&Operation::Flush, None).code, Code::Ok);
    // As the kernel does it where it finds the file system broken: files stay open, and nothing is written.
    if remofile_testkit::storage::run(Command::new("mount").args(["-o", "remount,abort"]).arg(place.served())).is_none()
    {
        return;
    }
    let file = || ("path", text("/file"));
    for (operation, args, payload) in [
        ("put", vec![("path", text("/new"))], Some(&b"x"[..])),
        ("write", vec![file(), ("off", Item::Int(0))], Some(b"x")),
        ("truncate", vec![file(), ("size", Item::Int(0))], None),
        ("touch", vec![file(), ("mtime_ns", Item::Int(0))], None),
        ("remove", vec![file()], None),
        ("mkdir", vec![("path", text("/dir"))], None),
        ("move", vec![("from", text("/file")), ("to", text("/moved"))], None),
        ("copy", vec![("from", text("/file")), ("to", text("/copied"))], None),
        ("begin", vec![("up", bytes::<16>(8)), ("path", text("/other"))], None),
    ] {
        assert_eq!(peer.say(operation, &args, payload).code, Code::Denied, "{operation}");
    }
    let code = commit(&mut peer, b"staged");
    assert!(code != Code::Ok, "committed to a disk that takes nothing");
    let read = [file(), ("off", Item::Int(0)), ("len", Item::Int(100))];
    assert_eq!(peer.say("read", &read, None).payload(), Some(&b"content"[..]));
    assert_eq!(peer.unnumbered(&Operation::Bye).code, Code::Ok);
    // A new server says why it does not start, and one that changes nothing does.
    drop(server);
    let start = run(remofile().arg("run").arg(place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN));
    start.fails(1).says("read-only file system");
    let server = Server::start_with(&place.served(), &["--read-only"]);
    assert!(server.run(&["list"]).stdout.contains("file"));
}

#[test]
fn what_the_servers_user_may_not_do_is_denied_and_the_server_lives() {
    let place = DiskPlace::new();
    let closed = place.served().join("closed");
    fs::create_dir(&closed).unwrap();
    for (name, mode) in [("unreadable", 0o200), ("fixed", 0o444)] {
        fs::write(place.served().join(name), name).unwrap();
        fs::set_permissions(place.served().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        if remofile_testkit::storage::run(Command::new("setpriv").args(["--reuid=65534", "true"])).is_none() {
            return;
        }
        for inside in ["", "closed", "unreadable", "fixed"] {
            std::os::unix::fs::chown(place.served().join(inside), Some(65_534), Some(65_534)).unwrap();
        }
        fs::set_permissions(place.around.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(remofile().get_program());
    } else {
        command = remofile();
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    command.arg("run").arg(place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN);
    let server = Server::start_command(command);
    let mut peer = Peer::open(&server.endpoint);
    let file = |name: &str| ("path", text(name));
    for (operation, args, payload) in [
        ("read", vec![file("/unreadable"), ("off", Item::Int(0)), ("len", Item::Int(1))], None),
        ("hash", vec![file("/unreadable")], None),
        ("copy", vec![("from", text("/unreadable")), ("to", text("/copy"))], None),
        ("write", vec![file("/fixed"), ("off", Item::Int(0))], Some(&b"x"[..])),
        ("list", vec![file("/closed")], None),
        ("stat", vec![file("/closed/in")], None),
        ("put", vec![file("/closed/in")], Some(b"x")),
        ("mkdir", vec![file("/closed/in")], None),
        ("move", vec![("from", text("/fixed")), ("to", text("/closed/in"))], None),
    ] {
        assert_eq!(peer.say(operation, &args, payload).code, Code::Denied, "{operation}");
    }
    assert_eq!(put(&mut peer, "/new", b"x"), Code::Ok);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_server_without_descriptors_refuses_that_request_and_lives() {
    let place = DiskPlace::new();
    fs::create_dir(place.served().join("dir")).unwrap();
    let server = Server::start(&place.served());
    let mut peer = Peer::open(&server.endpoint);
    assert_eq!(put(&mut peer, "/dir/file", b"old"), Code::Ok);
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    let limit = |current: Option<u64>| prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum: Some(1_024) });
    if let Err(errno) = limit(Some(1_024)) {
        return skip(&format!("prlimit: {errno}"));
    }
    // The next descriptor would be the lowest that is free.
    let is_open = |fd: &u64| fs::symlink_metadata(format!("/proc/{}/fd/{fd}", server.pid())).is_ok();
    limit((0..).find(|fd| !is_open(fd))).unwrap();
    let file = || ("path", text("/dir/file"));
    for (operation, args, payload) in [
        ("put", vec![file(), ("pre", text("any"))], Some(&b"new"[..])),
        ("read", vec![file(), ("off", Item::Int(0)), ("len", Item::Int(3))], None),
        ("list", vec![("path", text("/"))], None),
        ("hash", vec![file()], None),
        ("begin", vec![("up", bytes::<16>(7)), ("path", text("/film"))], None),
        ("flush", vec![], None),
    ] {
        let code = peer.say(operation, &args, payload).code;
        // A flush may need no descriptor.
        assert!(code == Code::Internal || operation == "flush", "{operation}: {code:?}");
    }
    assert_eq!(peer.unnumbered(&Operation::Ping).code, Code::Ok);
    limit(Some(1_024)).unwrap();
    assert_eq!(fs::read(place.served().join("dir/file")).unwrap(), b"old");
    assert_eq!(put(&mut peer, "/dir/file", b"new"), Code::Ok);
    assert_eq!(fs::read(place.served().join("dir/file")).unwrap(), b"new");
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn untouched_uploads_expire_and_one_that_grows_does_not() {
    let mut served = remofile_testkit::storage::served_with(StoreOptions {
        upload_expiry: Duration::from_secs(3),
        ..Default::default()
    });
    for id in [1, 2] {
        served.begin(id, &format!("/{id}"), None).unwrap();
    }
    let deadline = Instant::now() + remofile_testkit::process::DEADLINE;
    let mut off = 0;
    while served.uploads().iter().any(|upload| upload.0 == 2) {
        assert!(Instant::now() < deadline, "it does not expire");
        off = served.append(1, off, b"more").expect("the live one stays");
        // What has expired goes when another upload begins.
        served.begin(3, "/3", None).unwrap();
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(served.append(1, off, b""), Ok(off));
}

#[test]
fn an_upload_that_cannot_be_read_for_a_while_is_not_discarded() {
    if !unprivileged() {
        return;
    }
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    served.append(1, 0, b"staged").unwrap();
    let about = served.disk(&format!(".remofile/up-{}.about", up(1)));
    let data = served.disk(&format!(".remofile/up-{}", up(1)));
    for closed in [&about, &data] {
        let mode = |mode| fs::set_permissions(closed, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        served = served.reopened();
        mode(0o600);
        served.store.cancel();
        assert!(about.exists() && data.exists(), "discarded for {}", closed.display());
    }
    let mut served = served.reopened();
    assert_eq!(served.begin(1, "/film", None).unwrap().off, 6);
}
