//! Content that changes under a transfer, and times that no clock shows: what arrives is whole and of one version.

use remofile_testkit::place::{Place, through};
use remofile_testkit::process::{DEADLINE, Running, Server, content, make_file, run, staged_uploads};
use remofile_testkit::relay::{Cuts, Relay};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SIZE: usize = 16 << 20;

/// Changes one byte, and leaves size and modification time as they were.
fn flip(file: &Path, at: u64) {
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let opened = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    opened.read_exact_at(&mut byte, at).unwrap();
    opened.write_all_at(&[!byte[0]], at).unwrap();
    opened.set_modified(modified).unwrap();
}

/// The file of the one upload that is staged.
fn part(served: &Path) -> PathBuf {
    let names = fs::read_dir(served.join(".remofile")).unwrap().map(|entry| entry.unwrap().path());
    let is_part = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("up-");
    names.filter(is_part).find(|path| path.extension().is_none()).unwrap()
}

/// An upload that was killed with some megabytes staged.
fn killed_upload(place: &Place, server: &Server) {
    let source = make_file(&place.beside("source"), SIZE, 1).to_str().unwrap().to_owned();
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["upload", &source, "/file"]));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    upload.kill();
}

#[test]
fn a_source_that_changes_while_it_is_uploaded_is_not_committed() {
    let place = Place::new();
    let source = make_file(&place.beside("source"), SIZE, 1);
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let upload = Running::start(&mut through(&relay, &["upload", &place.text("source"), "/file"]));
    remofile_testkit::process::await_staged_bytes(&place.served(), 4 << 20);
    let opened = File::options().write(true).open(&source).unwrap();
    opened.write_all_at(b"changed", 15 << 20).unwrap();
    opened.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    relay.release();
    upload.finish().fails(24).says("changed");
    assert!(!place.served().join("file").exists(), "a mix was committed");
}

#[test]
fn a_source_that_changes_between_attempts_is_uploaded_with_its_new_content() {
    let place = Place::new();
    let server = Server::start(&place.served());
    killed_upload(&place, &server);
    flip(&place.beside("source"), 1_000);
    server.run(&["--take", "upload", &place.text("source"), "/file"]);
    assert!(fs::read(place.served().join("file")).unwrap() == fs::read(place.beside("source")).unwrap());
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_bit_that_flips_in_a_part_while_the_server_is_down_does_not_arrive() {
    let place = Place::new();
    let server = Server::start(&place.served());
    killed_upload(&place, &server);
    drop(server);
    flip(&part(&place.served()), 1_000);
    let server = Server::start(&place.served());
    server.run(&["upload", &place.text("source"), "/file"]);
    assert!(fs::read(place.served().join("file")).unwrap() == content(SIZE, 1), "the content differs");
    assert_eq!(staged_uploads(&place.served()), 0);
}

#[test]
fn a_file_that_changes_while_it_is_downloaded_arrives_in_one_version() {
    let place = Place::new();
    let file = make_file(&place.served().join("file"), SIZE, 1);
    let server = Server::start(&place.served());
    // A read takes some two hundred bytes of a request.
    let relay = Relay::start(server.address(), Cuts { hold_at: 6_000, ..Cuts::NONE });
    fs::create_dir(place.beside("into")).unwrap();
    let download = Running::start(&mut through(&relay, &["download", "/file", &place.text("into/file")]));
    let deadline = Instant::now() + DEADLINE;
    let fetched = || -> u64 {
        let parts = fs::read_dir(place.beside("into")).unwrap().map(Result::unwrap);
        parts.filter_map(|entry| Some(entry.metadata().ok()?.len())).max().unwrap_or(0)
    };
    while fetched() < 1 << 20 {
        assert!(Instant::now() < deadline, "nothing is downloaded");
        thread::park_timeout(Duration::from_millis(2));
    }
    let opened = File::options().write(true).open(&file).unwrap();
    opened.write_all_at(&content(SIZE, 2), 0).unwrap();
    relay.release();
    download.finish().success();
    assert!(fs::read(place.beside("into/file")).unwrap() == content(SIZE, 2), "a mix arrived");
}

#[test]
fn an_edit_of_the_same_size_and_time_is_not_taken_for_unchanged() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let source = make_file(&place.beside("source"), 1_000, 1);
    let text = place.text("source");
    server.run(&["upload", &text, "/file"]);
    server.run(&["upload", &text, "/file"]).says("unchanged");
    flip(&source, 500);
    run(&mut server.client(&["upload", &text, "/file"])).fails(4);
    run(&mut server.client(&["download", "/file", &text])).fails(4);
    server.run(&["upload", "--overwrite", &text, "/file"]);
    assert_eq!(fs::read(place.served().join("file")).unwrap(), fs::read(&source).unwrap());
    flip(&source, 500);
    server.run(&["download", "--overwrite", "/file", &text]);
    assert_eq!(fs::read(place.served().join("file")).unwrap(), fs::read(&source).unwrap());
}

#[test]
fn times_before_1970_and_far_ahead_go_up_and_down() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let times = [
        UNIX_EPOCH - Duration::new(1_000_000_000, 123_456_789),
        UNIX_EPOCH - Duration::from_nanos(1),
        UNIX_EPOCH,
        UNIX_EPOCH + Duration::from_secs(7_000_000_000) + Duration::from_nanos(987_654_321),
    ];
    for (n, time) in times.into_iter().enumerate() {
        let (source, remote, back) = (format!("source-{n}"), format!("/{n}"), format!("back-{n}"));
        let file = make_file(&place.beside(&source), 10, 1);
        File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        let kept = fs::metadata(&file).unwrap().modified().unwrap();
        server.run(&["upload", &place.text(&source), &remote]);
        server.run(&["download", &remote, &place.text(&back)]);
        assert_eq!(fs::metadata(place.beside(&back)).unwrap().modified().unwrap(), kept, "{time:?}");
    }
    let listed = server.run(&["list", "-l"]).stdout;
    assert!(listed.contains("1938-") && listed.contains("2191-"), "{listed}");
    // A time beyond 64 bits of nanoseconds is reported as the nearest one.
    let file = make_file(&place.beside("beyond"), 10, 1);
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(UNIX_EPOCH + Duration::from_secs(13_000_000_000))
        .unwrap();
    server.run(&["upload", &place.text("beyond"), "/beyond"]);
    server.run(&["list", "-l", "/beyond"]);
    server.run(&["download", "/beyond", &place.text("beyond-back")]);
    assert_eq!(fs::read(place.beside("beyond-back")).unwrap(), content(10, 1));
}

#[test]
fn the_wall_clock_is_asked_for_the_age_of_files_alone() {
    // Leases, time-outs and heartbeats take a time that only goes forward, whatever the wall clock does. What compares
    // directories judges by the wall clock how fresh a time stamp is, and names copies and the trash by it.
    let of_files = ["src/sync", "cli/src/commands/sync"].map(|below| library().join(below));
    let asks = |path: &Path| fs::read_to_string(path).unwrap().contains("SystemTime::now");
    let (mut found, mut open) = (Vec::new(), vec![library().join("src"), library().join("cli/src")]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true if of_files.contains(&entry.path()) => {}
                true => open.push(entry.path()),
                false if asks(&entry.path()) => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.sort();
    // The age of the part of an interrupted download, and the present time in the resolution of file systems.
    let files = ["src/client/partial_downloads.rs", "src/fs/time.rs"];
    assert_eq!(found, files.map(|file| library().join(file)));
}

/// The directory of the library's package, which has the command's in it.
fn library() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
