//! Interrupted transfers: the same call goes on where the last one ended, whatever became of either side meanwhile.

use remofile::{
    Cancel, ClientError, Endpoint, FileClient, Phase, Precondition, RemotePath, TransferStatus, Transferred,
};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::scripted::{CHUNK, Fault, Scripted, content, options, token};
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

/// More than may be on the way at once, and an eighth.
const SIZE: usize = 8 << 20;

/// What a transfer may cost beside its content: handshake, hello, begin or stat, hash, commit, flush, and a header of
/// some 150 bytes for each chunk and its reply.
const OVERHEAD: u64 = 16_384 + (SIZE as u64 / CHUNK as u64) * 400;

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    let Endpoint::Tcp { host, port } = endpoint else { panic!("not TCP") };
    SocketAddr::new(host.parse().unwrap(), *port)
}

/// An upload that ended somewhere.
struct Place {
    server: Scripted,
}

impl Place {
    fn interrupted() -> Self {
        let place = Self { server: Scripted::start() };
        fs::write(place.source(), content(SIZE, 1)).unwrap();
        place.interrupt();
        place
    }

    fn source(&self) -> PathBuf {
        self.server.local("source")
    }

    /// Uploads until an eighth of it is there.
    fn interrupt(&self) {
        let cancel = Cancel::new();
        let client = options().cancel(cancel.clone()).connect(&self.server.endpoint, token()).unwrap();
        client.watch(move |progress| {
            if progress.phase == Phase::Transferring && progress.done >= SIZE as u64 / 8 {
                cancel.cancel();
            }
        });
        let result = client.upload_file(&self.source(), &path("/file"), Precondition::Absent);
        assert!(matches!(result, Err(ClientError::Cancelled)), "{result:?}");
        // Answered after all requests in flight.
        client.bye();
        assert!(!self.server.served("file").exists(), "a part under the final name");
        let staged = self.staged_len();
        assert!(staged >= SIZE as u64 / 8 && staged < SIZE as u64, "{staged} bytes are staged");
    }

    fn staged(&self) -> PathBuf {
        let mut staged = self.server.staged();
        assert_eq!(staged.len(), 1, "{staged:?}");
        staged.remove(0)
    }

    fn staged_len(&self) -> u64 {
        fs::metadata(self.staged()).unwrap().len()
    }

    fn upload(&self) -> Result<Transferred, ClientError> {
        let client = self.server.client();
        let done = client.upload_file(&self.source(), &path("/file"), Precondition::Absent);
        client.bye();
        done
    }

    /// Uploads, and expects the present source and nothing staged.
    fn completes(&self) -> Transferred {
        let done = self.upload().unwrap();
        assert!(fs::read(self.server.served("file")).unwrap() == fs::read(self.source()).unwrap(), "it differs");
        assert_eq!(self.server.staged(), Vec::<PathBuf>::new());
        done
    }

    fn starts_over(&self) {
        let done = self.completes();
        assert_eq!((done.status, done.transferred), (TransferStatus::New, done.bytes));
    }

    fn modified(&self) -> SystemTime {
        fs::metadata(self.source()).unwrap().modified().unwrap()
    }

    fn patch_source(&self, off: u64, bytes: &[u8]) {
        File::options().write(true).open(self.source()).unwrap().write_all_at(bytes, off).unwrap();
    }

    fn set_modified(&self, modified: SystemTime) {
        File::options().write(true).open(self.source()).unwrap().set_modified(modified).unwrap();
    }
}

/// With the server that staged it, and with the next one.
fn with_and_without_restart(test: impl Fn(&Place, &dyn Fn())) {
    for restarts in [false, true] {
        let place = Place::interrupted();
        let server = &place.server;
        test(&place, &|| {
            if restarts {
                server.restart();
            }
        });
    }
}

fn nothing_verified_is_sent_again(restarts: bool) {
    let place = Place::interrupted();
    let staged = place.staged_len();
    if restarts {
        place.server.restart();
    }
    let relay = Relay::start(address(&place.server.endpoint), Cuts::NONE);
    let client = options().connect(relay.address(), token()).unwrap();
    let done = client.upload_file(&place.source(), &path("/file"), Precondition::Absent).unwrap();
    client.bye();
    let left = SIZE as u64 - staged;
    assert_eq!(done, Transferred { status: TransferStatus::Resumed, bytes: SIZE as u64, transferred: left });
    assert!(relay.carried() >= left && relay.carried() <= left + OVERHEAD, "{} for {left}", relay.carried());
    assert!(fs::read(place.server.served("file")).unwrap() == content(SIZE, 1), "it differs");
}

#[test]
fn nothing_verified_goes_up_again() {
    nothing_verified_is_sent_again(false);
}

#[test]
fn nothing_verified_goes_up_again_to_the_next_process() {
    nothing_verified_is_sent_again(true);
}

#[test]
fn a_source_that_changed_between_attempts_starts_over() {
    with_and_without_restart(|place, restart| {
        fs::write(place.source(), content(SIZE + 1, 2)).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_source_that_changed_at_the_same_size_and_time_starts_over() {
    with_and_without_restart(|place, restart| {
        let modified = place.modified();
        place.patch_source(1_000, b"changed");
        place.set_modified(modified);
        restart();
        place.starts_over();
    });
}

#[test]
fn a_source_that_changed_behind_what_is_staged_goes_on_with_its_new_bytes() {
    let place = Place::interrupted();
    let (modified, staged) = (place.modified(), place.staged_len());
    place.patch_source(SIZE as u64 - 100, b"changed");
    place.set_modified(modified);
    let done = place.completes();
    assert_eq!((done.status, done.transferred), (TransferStatus::Resumed, SIZE as u64 - staged));
}

#[test]
fn a_source_that_shrank_between_attempts_starts_over() {
    with_and_without_restart(|place, restart| {
        let modified = place.modified();
        File::options().write(true).open(place.source()).unwrap().set_len(300_000).unwrap();
        place.set_modified(modified);
        restart();
        place.starts_over();
    });
}

#[test]
fn a_part_of_something_else_starts_over() {
    with_and_without_restart(|place, restart| {
        fs::rename(place.source(), place.server.local("other")).unwrap();
        fs::write(place.source(), content(SIZE, 2)).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn garbage_in_the_staged_file_starts_over() {
    with_and_without_restart(|place, restart| {
        let staged = File::options().write(true).open(place.staged()).unwrap();
        staged.write_all_at(b"garbage", 10_000).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_garbage_tail_of_the_staged_file_starts_over() {
    with_and_without_restart(|place, restart| {
        File::options().append(true).open(place.staged()).unwrap().write_all(&[7; 5_000]).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_staged_file_that_became_longer_than_the_source_starts_over() {
    with_and_without_restart(|place, restart| {
        File::options().write(true).open(place.staged()).unwrap().set_len(SIZE as u64 + 10_000).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_tail_of_zeros_in_the_staged_file_starts_over() {
    with_and_without_restart(|place, restart| {
        let staged = place.staged_len();
        File::options().write(true).open(place.staged()).unwrap().write_all_at(&[0; 8_192], staged - 8_192).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_staged_file_that_lost_its_end_goes_on_from_there() {
    with_and_without_restart(|place, restart| {
        File::options().write(true).open(place.staged()).unwrap().set_len(700_001).unwrap();
        restart();
        let done = place.completes();
        assert_eq!((done.status, done.transferred), (TransferStatus::Resumed, SIZE as u64 - 700_001));
    });
}

#[test]
fn a_staged_file_that_is_gone_starts_over() {
    with_and_without_restart(|place, restart| {
        fs::remove_file(place.staged()).unwrap();
        restart();
        place.starts_over();
    });
}

#[test]
fn a_description_in_pieces_starts_over() {
    let place = Place::interrupted();
    let mut about = place.staged().into_os_string();
    about.push(".about");
    fs::write(about, "remofile upl").unwrap();
    place.server.restart();
    place.starts_over();
}

#[test]
fn a_file_that_was_removed_and_is_uploaded_again_arrives_again() {
    let place = Place::interrupted();
    place.completes();
    fs::remove_file(place.server.served("file")).unwrap();
    place.starts_over();
    assert_eq!(place.upload().unwrap().status, TransferStatus::Unchanged);
}

/// Has something done to the source when half of it is on its way.
fn source_changes_during_the_attempt(change: impl FnMut(&PathBuf) + Send + 'static) {
    let place = Place { server: Scripted::start() };
    fs::write(place.source(), content(SIZE, 1)).unwrap();
    let client = place.server.client();
    let (mut change, mut is_done, source) = (change, false, place.source());
    client.watch(move |progress| {
        if !is_done && progress.phase == Phase::Transferring && progress.done >= SIZE as u64 / 2 {
            is_done = true;
            change(&source);
        }
    });
    let result = client.upload_file(&place.source(), &path("/file"), Precondition::Absent);
    assert!(matches!(result, Err(ClientError::SourceChanged { .. })), "{result:?}");
    assert!(!place.server.served("file").exists(), "it was committed");
    client.bye();
    place.completes();
}

#[test]
fn a_source_that_changes_during_the_attempt_is_not_committed() {
    source_changes_during_the_attempt(|source| {
        File::options().write(true).open(source).unwrap().write_all_at(b"changed", 10).unwrap();
    });
}

#[test]
fn a_source_that_changes_at_the_same_size_and_time_during_the_attempt_is_not_committed() {
    source_changes_during_the_attempt(|source| {
        let modified = fs::metadata(source).unwrap().modified().unwrap();
        let file = File::options().write(true).open(source).unwrap();
        file.write_all_at(b"changed", 10).unwrap();
        file.set_modified(modified).unwrap();
    });
}

#[test]
fn a_source_that_shrinks_during_the_attempt_is_not_committed() {
    source_changes_during_the_attempt(|source| {
        File::options().write(true).open(source).unwrap().set_len(1_000_000).unwrap();
    });
}

// Downwards.

struct Fetch {
    server: Scripted,
}

impl Fetch {
    fn interrupted() -> Self {
        let fetch = Self::new();
        let cancel = Cancel::new();
        let client = options().cancel(cancel.clone()).connect(&fetch.server.endpoint, token()).unwrap();
        client.watch(move |progress| {
            if progress.phase == Phase::Transferring && progress.done >= SIZE as u64 / 2 {
                cancel.cancel();
            }
        });
        let result = client.download_file(&path("/file"), &fetch.target(), false);
        assert!(matches!(result, Err(ClientError::Cancelled)), "{result:?}");
        client.bye();
        fetch
    }

    fn new() -> Self {
        let server = Scripted::start();
        fs::write(server.served("file"), content(SIZE, 1)).unwrap();
        fs::create_dir(server.local("local")).unwrap();
        Self { server }
    }

    fn target(&self) -> PathBuf {
        self.server.local("local/file")
    }

    fn beside_target(&self, ending: &str) -> PathBuf {
        let mut names = fs::read_dir(self.server.local("local")).unwrap().map(|entry| entry.unwrap().path());
        names.find(|name| name.to_str().unwrap().ends_with(ending)).unwrap()
    }

    fn download(&self, client: &FileClient) -> Result<Transferred, ClientError> {
        client.download_file(&path("/file"), &self.target(), false)
    }

    fn completes(&self) -> Transferred {
        let client = self.server.client();
        let done = self.download(&client).unwrap();
        client.bye();
        assert!(fs::read(self.target()).unwrap() == fs::read(self.server.served("file")).unwrap(), "it differs");
        assert_eq!(fs::read_dir(self.server.local("local")).unwrap().count(), 1, "something is left beside it");
        done
    }

    fn starts_over(&self) {
        let done = self.completes();
        assert_eq!((done.status, done.transferred), (TransferStatus::New, done.bytes));
    }
}

#[test]
fn nothing_verified_comes_down_again() {
    let fetch = Fetch::interrupted();
    let left = SIZE as u64 - fs::metadata(fetch.beside_target(".part")).unwrap().len();
    fetch.server.restart();
    let relay = Relay::start(address(&fetch.server.endpoint), Cuts::NONE);
    let client = options().connect(relay.address(), token()).unwrap();
    let done = fetch.download(&client).unwrap();
    client.bye();
    assert_eq!(done, Transferred { status: TransferStatus::Resumed, bytes: SIZE as u64, transferred: left });
    assert!(relay.carried() >= left && relay.carried() <= left + OVERHEAD, "{} for {left}", relay.carried());
    assert!(fs::read(fetch.target()).unwrap() == content(SIZE, 1), "it differs");
}

#[test]
fn garbage_in_place_of_the_part_starts_over() {
    let fetch = Fetch::interrupted();
    let part = fetch.beside_target(".part");
    let len = fs::metadata(&part).unwrap().len() as usize;
    fs::write(part, content(len, 9)).unwrap();
    fetch.starts_over();
}

#[test]
fn a_tail_of_zeros_in_the_part_starts_over() {
    let fetch = Fetch::interrupted();
    let part = File::options().write(true).open(fetch.beside_target(".part")).unwrap();
    let len = part.metadata().unwrap().len();
    part.write_all_at(&[0; 8_192], len - 8_192).unwrap();
    fetch.starts_over();
}

#[test]
fn a_corrupt_record_starts_over() {
    let fetch = Fetch::interrupted();
    fs::write(fetch.beside_target(".record"), [0xff; 100]).unwrap();
    fetch.starts_over();
}

#[test]
fn a_record_of_another_path_starts_over() {
    let fetch = Fetch::interrupted();
    let record = fetch.beside_target(".record");
    let text = fs::read_to_string(&record).unwrap().replace("path /file\n", "path /other\n");
    assert!(text.contains("/other"), "{text}");
    fs::write(record, text).unwrap();
    fetch.starts_over();
}

#[test]
fn a_file_that_changed_at_the_same_size_between_attempts_starts_over() {
    let fetch = Fetch::interrupted();
    fs::write(fetch.server.served("file"), content(SIZE, 2)).unwrap();
    fetch.starts_over();
}

#[test]
fn a_file_that_is_gone_between_attempts_is_not_found_and_the_part_is_kept() {
    let fetch = Fetch::interrupted();
    fs::rename(fetch.server.served("file"), fetch.server.served("elsewhere")).unwrap();
    let client = fetch.server.client();
    assert!(fetch.download(&client).unwrap_err().is_not_found());
    client.bye();
    fs::rename(fetch.server.served("elsewhere"), fetch.server.served("file")).unwrap();
    assert!(fs::metadata(fetch.beside_target(".part")).unwrap().len() > 0);
    fetch.completes();
}

#[test]
fn a_file_that_changes_during_the_attempt_comes_down_with_its_new_content() {
    for size in [SIZE, 100_000] {
        let fetch = Fetch::new();
        fetch.server.plan_then("read", 20, Fault::None, move |served| {
            fs::write(served.join("file"), content(size, 3)).unwrap();
        });
        assert_eq!(fetch.completes().bytes, size as u64);
        fetch.server.all_came_about();
    }
}

#[test]
fn a_file_that_is_removed_during_the_attempt_is_not_found() {
    let fetch = Fetch::new();
    fetch.server.plan_then("read", 20, Fault::None, |served| fs::remove_file(served.join("file")).unwrap());
    let client = fetch.server.client();
    assert!(fetch.download(&client).unwrap_err().is_not_found());
    assert!(!fetch.target().exists(), "a part under the final name");
}

#[test]
fn a_download_goes_on_in_a_new_session() {
    for fault in [Fault::LostThenRestart, Fault::UnansweredThenRestart, Fault::UnansweredThenTaken] {
        let fetch = Fetch::new();
        fetch.server.plan("read", 20, fault);
        fetch.completes();
        fetch.server.all_came_about();
    }
}
