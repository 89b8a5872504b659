//! Progress and cancelling: what is reported, and that the same call resumes a cancelled one.

use remofile::{
    Cancel, ClientError, ClientOptions, FileClient, Phase, Precondition, Progress, RemotePath, TransferStatus,
};
use remofile_testkit::scripted::{Fault, Scripted, content, options, token};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// More than may be on the way at once.
const SIZE: usize = 6 << 20;

/// So large that hashing its zeros takes minutes; it takes no room.
const SPARSE: u64 = 1 << 40;

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn sparse(at: &std::path::Path) {
    File::create(at).unwrap().set_len(SPARSE).unwrap();
}

/// A client that waits for anything, and what cancels it.
fn cancellable(server: &Scripted) -> (FileClient, Cancel) {
    let cancel = Cancel::new();
    let options = ClientOptions::new().cancel(cancel.clone());
    (options.connect(&server.endpoint, token()).unwrap(), cancel)
}

/// Cancels when `when` says so.
fn cancel_when(client: &FileClient, cancel: &Cancel, when: impl Fn(&Progress) -> bool + Send + 'static) {
    let cancel = cancel.clone();
    client.watch(move |progress| {
        if when(progress) {
            cancel.cancel();
        }
    });
}

fn watched(client: &FileClient) -> Receiver<Progress> {
    let (sender, reports) = channel();
    client.watch(move |progress| {
        let _ = sender.send(progress.clone());
    });
    reports
}

/// Phases in their order, each once.
fn phases(reports: &[Progress]) -> Vec<Phase> {
    let mut phases: Vec<Phase> = reports.iter().map(|progress| progress.phase).collect();
    phases.dedup();
    phases
}

fn is_cancelled<T: std::fmt::Debug>(result: Result<T, ClientError>) {
    assert!(matches!(result, Err(ClientError::Cancelled)), "{result:?}");
}

#[test]
fn a_cancelled_upload_is_continued_by_the_same_client() {
    let server = Scripted::start();
    fs::write(server.local("source"), content(SIZE, 1)).unwrap();
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, |progress| progress.phase == Phase::Transferring && progress.done > 1 << 20);
    let upload = |client: &FileClient| client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent);
    is_cancelled(upload(&client));
    assert!(!server.served("a").exists());
    cancel.reset();
    let reports = watched(&client);
    let done = upload(&client).unwrap();
    assert_eq!(done.status, TransferStatus::Resumed);
    assert!(fs::read(server.served("a")).unwrap() == content(SIZE, 1), "the content differs");
    let reports: Vec<Progress> = reports.try_iter().collect();
    let expected = [Phase::Hashing, Phase::Transferring, Phase::Committing, Phase::Flushing];
    assert_eq!(phases(&reports), expected);
    let transferring: Vec<&Progress> = reports.iter().filter(|reports| reports.phase == Phase::Transferring).collect();
    let (first, last) = (transferring[0], transferring[transferring.len() - 1]);
    assert_eq!(
        (first.done, first.total, first.resumed),
        (first.resumed, Some(SIZE as u64), SIZE as u64 - done.transferred)
    );
    assert_eq!((last.done, last.path.as_ref()), (SIZE as u64, Some(&path("/a"))));
    assert!(transferring.windows(2).all(|pair| pair[0].done <= pair[1].done), "it went back");
    client.bye();
}

#[test]
fn a_cancelled_download_is_continued_by_the_same_client() {
    let server = Scripted::start();
    fs::write(server.served("a"), content(SIZE, 1)).unwrap();
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, |progress| progress.phase == Phase::Transferring && progress.done > 1 << 20);
    is_cancelled(client.download_file(&path("/a"), &server.local("a"), false));
    assert!(!server.local("a").exists());
    cancel.reset();
    let reports = watched(&client);
    let done = client.download_file(&path("/a"), &server.local("a"), false).unwrap();
    assert_eq!(done.status, TransferStatus::Resumed);
    assert!(fs::read(server.local("a")).unwrap() == content(SIZE, 1), "the content differs");
    let reports: Vec<Progress> = reports.try_iter().collect();
    assert_eq!(phases(&reports), [Phase::Hashing, Phase::Transferring, Phase::Committing]);
    let first = reports.iter().find(|reports| reports.phase == Phase::Transferring).unwrap();
    assert_eq!((first.resumed, first.done), (SIZE as u64 - done.transferred, first.resumed));
    client.bye();
}

fn tree(top: &std::path::Path) {
    fs::create_dir_all(top.join("below")).unwrap();
    for index in 0..200 {
        fs::write(top.join(format!("below/{index}")), content(1_000, index)).unwrap();
    }
    fs::write(top.join("large"), content(1 << 20, 7)).unwrap();
}

fn same_tree(left: &std::path::Path, right: &std::path::Path) {
    for index in 0..200 {
        let name = format!("below/{index}");
        assert!(fs::read(left.join(&name)).unwrap() == fs::read(right.join(&name)).unwrap(), "{name} differs");
    }
    assert!(fs::read(left.join("large")).unwrap() == fs::read(right.join("large")).unwrap(), "large differs");
}

fn at_a_hundred(progress: &Progress) -> bool {
    progress.tree.is_some_and(|tree| tree.files >= 100)
}

fn all_is_reported(reports: &Receiver<Progress>) {
    let reports: Vec<Progress> = reports.try_iter().collect();
    assert_eq!(reports[0].phase, Phase::Counting);
    let last = reports.iter().rev().find_map(|reports| reports.tree).unwrap();
    assert_eq!((last.files, last.total_files), (201, 201));
    assert_eq!((last.bytes, last.total_bytes), (200_000 + (1 << 20), 200_000 + (1 << 20)));
    assert!(
        reports.iter().any(|reports| reports.path == Some(path("/tree/large")) && reports.phase == Phase::Transferring)
    );
}

#[test]
fn a_cancelled_upload_of_a_directory_is_continued() {
    let server = Scripted::start();
    tree(&server.local("tree"));
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, at_a_hundred);
    is_cancelled(client.upload_tree(&server.local("tree"), &path("/tree"), false));
    cancel.reset();
    let reports = watched(&client);
    let done = client.upload_tree(&server.local("tree"), &path("/tree"), false).unwrap();
    assert!(done.unchanged >= 100 && done.failed == 0, "{done:?}");
    same_tree(&server.local("tree"), &server.served("tree"));
    all_is_reported(&reports);
    client.bye();
}

#[test]
fn a_cancelled_download_of_a_directory_is_continued() {
    let server = Scripted::start();
    tree(&server.served("tree"));
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, at_a_hundred);
    is_cancelled(client.download_tree(&path("/tree"), &server.local("tree"), false));
    cancel.reset();
    let reports = watched(&client);
    let done = client.download_tree(&path("/tree"), &server.local("tree"), false).unwrap();
    assert!(done.unchanged >= 100 && done.failed == 0, "{done:?}");
    same_tree(&server.local("tree"), &server.served("tree"));
    all_is_reported(&reports);
    client.bye();
}

#[test]
fn what_the_server_works_on_is_reported_and_ends_when_it_is_cancelled() {
    let server = Scripted::start();
    sparse(&server.served("a"));
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, |progress| {
        assert_eq!((progress.phase, progress.total), (Phase::Serving { operation: "hash" }, Some(SPARSE)));
        assert_eq!(progress.path, Some(path("/a")));
        progress.done > 0
    });
    is_cancelled(client.hash(&path("/a")));
    cancel.reset();
    // It does not wait for the hash.
    assert_eq!(client.stat(&path("/a")).unwrap().size, Some(SPARSE));
    client.bye();
}

#[test]
fn hashing_a_local_file_can_be_cancelled() {
    let server = Scripted::start();
    sparse(&server.served("a"));
    sparse(&server.local("a"));
    let (client, cancel) = cancellable(&server);
    cancel_when(&client, &cancel, |progress| {
        assert_eq!((progress.phase, progress.total), (Phase::Hashing, Some(SPARSE)));
        progress.done > 1 << 20
    });
    is_cancelled(client.download_file(&path("/a"), &server.local("a"), false));
    client.bye();
}

#[test]
fn waiting_for_an_answer_can_be_cancelled_from_another_thread() {
    let server = Scripted::start();
    let (client, cancel) = cancellable(&server);
    let (sender, reports) = channel();
    server.plan_then("stat", 0, Fault::Silent, move |_| sender.send(()).unwrap());
    let canceller = std::thread::spawn(move || {
        reports.recv().unwrap();
        cancel.cancel();
    });
    is_cancelled(client.stat(&path("/a")));
    canceller.join().unwrap();
}

#[test]
fn connecting_can_be_cancelled() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let cancel = Cancel::after(Duration::from_millis(50));
    is_cancelled(ClientOptions::new().cancel(cancel).connect(silent.local_addr().unwrap(), token()));
}

#[test]
fn waiting_for_the_holder_can_be_cancelled() {
    let server = Scripted::start();
    let holder = server.client();
    let cancel = Cancel::after(Duration::from_millis(50));
    let options = options().wait(Duration::from_secs(600)).cancel(cancel);
    is_cancelled(options.connect(&server.endpoint, token()));
    holder.bye();
}

#[test]
fn a_limit_ends_a_call_whose_server_keeps_it_waiting() {
    let server = Scripted::start();
    sparse(&server.served("a"));
    let client = server.client();
    client.set_cancel(Cancel::after(Duration::from_millis(50)));
    is_cancelled(client.hash(&path("/a")));
    client.set_cancel(Cancel::new());
    client.stat(&path("/a")).unwrap();
    client.bye();
}

#[test]
fn a_cancelled_client_says_bye_all_the_same() {
    let server = Scripted::start();
    let (client, cancel) = cancellable(&server);
    cancel.cancel();
    client.bye();
    let started = Instant::now();
    server.client().bye();
    assert!(started.elapsed() < Duration::from_secs(20), "the session was not let go of");
}

#[test]
fn reading_a_remote_file_can_be_cancelled_and_goes_on() {
    let server = Scripted::start();
    fs::write(server.served("a"), content(SIZE, 1)).unwrap();
    let (client, cancel) = cancellable(&server);
    let mut file = client.open_file(&path("/a")).unwrap();
    let mut bytes = vec![0; 1_000_000];
    file.read_exact(&mut bytes).unwrap();
    cancel.cancel();
    let error = std::io::copy(&mut file, &mut bytes).unwrap_err();
    // Interrupted would be tried again for ever.
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(matches!(error.get_ref().unwrap().downcast_ref(), Some(ClientError::Cancelled)));
    cancel.reset();
    std::io::copy(&mut file, &mut bytes).unwrap();
    assert!(bytes == content(SIZE, 1), "the content differs");
}

#[test]
fn writing_a_remote_file_can_be_cancelled_and_loses_nothing() {
    let server = Scripted::start();
    let (client, cancel) = cancellable(&server);
    let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    file.write_all(&content(1_000_000, 1)).unwrap();
    cancel.cancel();
    let error = file.flush().unwrap_err();
    assert!(matches!(error.get_ref().unwrap().downcast_ref(), Some(ClientError::Cancelled)));
    cancel.reset();
    file.close().unwrap();
    assert!(fs::read(server.served("a")).unwrap() == content(1_000_000, 1), "the content differs");
    client.bye();
}
