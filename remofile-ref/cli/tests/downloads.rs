//! Downloads that broke off: continued by the same call where what is there is a beginning, and else begun again.

use remofile::{ClientError, ClientOptions, FileClient, RemotePath, TransferStatus, Transferred};
use remofile_testkit::process::{DEADLINE, Running, Server, TOKEN, content, make_file, remofile};
use remofile_testkit::relay::{Cuts, Relay};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

const SIZE: usize = 16 << 20;

/// Enough requests pass for some megabytes, and not for all.
const HELD: Cuts = Cuts { hold_at: 6_000, ..Cuts::NONE };

/// A server with `/file`, and a directory to download into.
struct DownloadPlace {
    around: tempfile::TempDir,
    server: Server,
}

impl DownloadPlace {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("served")).unwrap();
        fs::create_dir(around.path().join("local")).unwrap();
        make_file(&around.path().join("served/file"), SIZE, 1);
        let server = Server::start(&around.path().join("served"));
        Self { around, server }
    }

    /// One with a download that broke off; and the length of what it left.
    fn broken_off() -> (Self, u64) {
        let place = Self::new();
        let relay = Relay::start(place.server.address(), HELD);
        let options = ClientOptions::new().timeout(Duration::from_millis(500));
        let endpoint = relay.address().to_string().parse().unwrap();
        let client = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
        client.download_file(&path("/file"), &place.target(), false).unwrap_err();
        assert!(!place.target().exists(), "a part under the final name");
        let len = fs::metadata(place.part()).unwrap().len();
        assert!(len > 0 && len < SIZE as u64, "{len} bytes");
        (place, len)
    }

    fn served(&self) -> PathBuf {
        self.around.path().join("served/file")
    }

    fn target(&self) -> PathBuf {
        self.around.path().join("local/file")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.around.path().join("local")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn beside_target(&self, ending: &str) -> Option<PathBuf> {
        let name = self.names().into_iter().find(|name| name.ends_with(ending))?;
        Some(self.around.path().join("local").join(name))
    }

    fn part(&self) -> PathBuf {
        self.beside_target(".part").unwrap()
    }

    fn download(&self) -> Result<Transferred, ClientError> {
        let endpoint = self.server.endpoint.parse().unwrap();
        let options = ClientOptions::new().take(true);
        let client = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
        let done = client.download_file(&path("/file"), &self.target(), false);
        client.bye();
        done
    }

    /// Downloads, and expects the whole file and nothing beside it.
    fn completes(&self) -> Transferred {
        let done = self.download().unwrap();
        assert!(fs::read(self.target()).unwrap() == fs::read(self.served()).unwrap(), "the content differs");
        assert_eq!(self.names(), ["file"]);
        done
    }

    fn starts_over(&self) {
        let done = self.completes();
        assert_eq!((done.status, done.transferred), (TransferStatus::New, done.bytes));
    }

    fn await_part(&self, bytes: u64) {
        let deadline = Instant::now() + DEADLINE;
        let len = || self.beside_target(".part").and_then(|part| fs::metadata(part).ok()).map_or(0, |part| part.len());
        while len() < bytes {
            assert!(Instant::now() < deadline, "{} of {bytes} bytes", len());
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

#[test]
fn what_is_there_is_not_received_again() {
    let (place, len) = DownloadPlace::broken_off();
    let done = place.completes();
    let expected = Transferred { status: TransferStatus::Resumed, bytes: SIZE as u64, transferred: SIZE as u64 - len };
    assert_eq!(done, expected);
}

#[test]
fn a_killed_download_is_resumed_by_the_same_command() {
    let place = DownloadPlace::new();
    let relay = Relay::start(place.server.address(), HELD);
    let target = place.target();
    let args = ["--take", "--json", "download", "/file", target.to_str().unwrap()];
    let mut command = remofile();
    command.args(args).env("REMOFILE_SERVER", relay.address().to_string()).env("REMOFILE_TOKEN", TOKEN);
    let download = Running::start(&mut command);
    place.await_part(1 << 20);
    download.kill();
    assert!(!target.exists());
    let again = place.server.run(&args);
    let line: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&line["status"], &line["bytes"]), (&"resumed".into(), &SIZE.into()));
    assert!(line["sent"].as_u64().unwrap() <= (SIZE - (1 << 20)) as u64, "{line}");
    assert!(fs::read(&target).unwrap() == content(SIZE, 1), "the content differs");
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_download_outlives_the_server_process() {
    let mut place = DownloadPlace::new();
    let relay = Relay::start(place.server.address(), HELD);
    let endpoint = relay.address().to_string().parse().unwrap();
    let target = place.target();
    let download = thread::spawn(move || {
        let options = ClientOptions::new().timeout(Duration::from_secs(20));
        let client = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), options).unwrap();
        client.download_file(&path("/file"), &target, false)
    });
    place.await_part(1 << 20);
    place.server.kill();
    let around = place.around.path().to_owned();
    let restarted = Server::start(&around.join("served"));
    relay.release();
    relay.retarget(restarted.address());
    let done = download.join().unwrap().unwrap();
    // What was on the way to the dead server's client is asked for again, and nothing else.
    assert!(done.transferred < (SIZE + (5 << 20)) as u64, "{done:?}");
    assert!(fs::read(place.target()).unwrap() == content(SIZE, 1), "the content differs");
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_part_that_was_cut_short_is_continued_from_there() {
    let (place, _) = DownloadPlace::broken_off();
    File::options().write(true).open(place.part()).unwrap().set_len(700_001).unwrap();
    let done = place.completes();
    assert_eq!((done.status, done.transferred), (TransferStatus::Resumed, SIZE as u64 - 700_001));
}

#[test]
fn a_part_with_garbage_at_its_end_is_not_continued() {
    let (place, _) = DownloadPlace::broken_off();
    File::options().append(true).open(place.part()).unwrap().write_all(&[0; 4096]).unwrap();
    place.starts_over();
}

#[test]
fn a_part_longer_than_the_file_is_not_continued() {
    let (place, _) = DownloadPlace::broken_off();
    File::options().write(true).open(place.part()).unwrap().set_len(SIZE as u64 + 1).unwrap();
    place.starts_over();
}

#[test]
fn a_part_of_a_file_that_changed_is_not_continued() {
    let (place, _) = DownloadPlace::broken_off();
    make_file(&place.served(), SIZE, 2);
    place.starts_over();
}

#[test]
fn a_part_of_a_file_that_shrank_is_not_continued() {
    let (place, _) = DownloadPlace::broken_off();
    make_file(&place.served(), 100_000, 1);
    place.starts_over();
}

#[test]
fn a_part_without_its_record_is_not_continued() {
    let (place, _) = DownloadPlace::broken_off();
    fs::remove_file(place.beside_target(".record").unwrap()).unwrap();
    place.starts_over();
}

#[test]
fn a_part_that_is_whole_is_only_compared() {
    let (place, _) = DownloadPlace::broken_off();
    fs::write(place.part(), content(SIZE, 1)).unwrap();
    let done = place.completes();
    assert_eq!((done.status, done.transferred), (TransferStatus::Resumed, 0));
}

#[test]
fn a_link_in_place_of_the_part_is_not_followed() {
    let (place, _) = DownloadPlace::broken_off();
    let victim = place.around.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let part = place.part();
    fs::remove_file(&part).unwrap();
    std::os::unix::fs::symlink(&victim, &part).unwrap();
    assert!(matches!(place.download(), Err(ClientError::Local { .. })));
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(!place.target().exists());
}

#[test]
fn another_download_of_the_same_is_left_alone() {
    let (place, len) = DownloadPlace::broken_off();
    let part = File::open(place.part()).unwrap();
    part.lock().unwrap();
    assert!(matches!(place.download(), Err(ClientError::Local { .. })));
    assert_eq!(part.metadata().unwrap().len(), len);
    drop(part);
    assert_eq!(place.completes().status, TransferStatus::Resumed);
}
