//! One session used by several handles, open files and threads at once, against the real server.

use remofile::{
    Cancel, ClientError, ClientOptions, FileClient, FileServer, PartialDownload, Precondition, RemoteFile,
    RemoteListing, RemotePath, StopHandle, TransferOptions, generate_token, sync,
};
use std::{
    fs,
    io::{Read as _, Seek as _, Write},
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

/// A wait that is longer has failed.
const DEADLINE: Duration = Duration::from_secs(60);

struct Stop(StopHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Runs `test` with a way to connect to a server, and the directory that it serves.
fn with_server(test: impl FnOnce(&dyn Fn() -> Result<FileClient, ClientError>, &Path)) {
    let served = tempfile::tempdir().unwrap();
    let token = generate_token();
    let mut server = FileServer::new(&served, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| server.run().unwrap());
        let _stop = Stop(stop);
        test(&|| FileClient::connect(&endpoint, &token, ClientOptions::new()), served.path());
    });
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

#[test]
fn public_types_may_be_sent_to_other_threads() {
    fn send<T: Send + 'static>() {}
    fn share<T: Send + Sync + Clone + 'static>() {}
    share::<FileClient>();
    share::<Cancel>();
    send::<RemoteFile>();
    send::<RemoteListing>();
    send::<PartialDownload>();
    send::<ClientOptions>();
    send::<TransferOptions>();
    send::<ClientError>();
    send::<sync::SyncOptions>();
    send::<sync::SyncError>();
    send::<sync::SyncReport>();
    send::<sync::trash::LocalTrash>();
    send::<sync::trash::RemoteTrash>();
    send::<FileServer>();
}

#[test]
fn eight_threads_write_and_read_files_over_one_session() {
    with_server(|connect, served| {
        let client = connect().unwrap();
        thread::scope(|scope| {
            for number in 0..8u8 {
                let client = client.clone();
                scope.spawn(move || {
                    let mut file = client.create_file(&path(&format!("/{number}")), Precondition::Absent).unwrap();
                    let content = vec![number + 1; 3 * MIB + usize::from(number)];
                    file.write_all(&content).unwrap();
                    file.rewind().unwrap();
                    let mut back = Vec::new();
                    file.read_to_end(&mut back).unwrap();
                    assert!(back == content, "file {number}");
                    file.close().unwrap();
                });
            }
        });
        client.bye();
        for number in 0..8u8 {
            let content = fs::read(served.join(number.to_string())).unwrap();
            assert!(content == vec![number + 1; 3 * MIB + usize::from(number)], "file {number}");
        }
    });
}

#[test]
fn several_files_are_open_at_once_in_one_thread() {
    with_server(|connect, served| {
        fs::write(served.join("from"), vec![7; 2 * MIB]).unwrap();
        let client = connect().unwrap();
        let mut from = client.open_file(&path("/from")).unwrap();
        let mut to = client.create_file(&path("/to"), Precondition::Absent).unwrap();
        assert_eq!(std::io::copy(&mut from, &mut to).unwrap(), 2 * MIB as u64);
        to.close().unwrap();
        assert!(fs::read(served.join("to")).unwrap() == vec![7; 2 * MIB]);
    });
}

/// A sink that says when it has the first bytes.
struct Sink<'a> {
    began: &'a Barrier,
    bytes: usize,
}

impl Write for Sink<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        if self.bytes == 0 {
            self.began.wait();
        }
        self.bytes += buf.len();
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn short_calls_are_answered_during_a_long_download() {
    with_server(|connect, served| {
        let size = 256 * MIB;
        fs::File::create(served.join("large")).unwrap().set_len(size as u64).unwrap();
        for number in 0..50 {
            fs::write(served.join(number.to_string()), b"").unwrap();
        }
        let client = connect().unwrap();
        let (began, is_done) = (Barrier::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            let (downloading, began, is_done) = (client.clone(), &began, &is_done);
            scope.spawn(move || {
                let mut sink = Sink { began, bytes: 0 };
                downloading.download_to(&path("/large"), &mut sink, &TransferOptions::new()).unwrap();
                assert_eq!(sink.bytes, size);
                is_done.store(true, Ordering::SeqCst);
            });
            began.wait();
            assert_eq!(client.stat(&path("/large")).unwrap().size, Some(size as u64));
            assert_eq!(client.list(&RemotePath::root(), false).map(Result::unwrap).count(), 51);
            assert!(!is_done.load(Ordering::SeqCst), "the short calls waited for the download");
        });
    });
}

#[test]
fn the_last_handle_releases_the_session() {
    with_server(|connect, _| {
        let client = connect().unwrap();
        let file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
        let clone = client.clone();
        client.bye();
        assert!(matches!(connect(), Err(ClientError::Busy(_))), "a clone and a file are in use");
        clone.stat(&path("/a")).unwrap();
        drop(clone);
        assert!(matches!(connect(), Err(ClientError::Busy(_))), "a file is in use");
        drop(file);
        // Its bye is not waited for.
        let deadline = Instant::now() + DEADLINE;
        let next = loop {
            match connect() {
                Err(ClientError::Busy(_)) if Instant::now() < deadline => thread::yield_now(),
                next => break next,
            }
        };
        next.unwrap().bye();
    });
}

#[test]
fn a_cancel_ends_the_calls_of_its_handle_alone() {
    with_server(|connect, _| {
        let client = connect().unwrap();
        let clone = client.clone();
        let cancel = Cancel::new();
        clone.set_cancel(cancel.clone());
        cancel.cancel();
        assert!(matches!(clone.stat(&RemotePath::root()), Err(ClientError::Cancelled)));
        client.stat(&RemotePath::root()).unwrap();
        cancel.reset();
        clone.stat(&RemotePath::root()).unwrap();
    });
}
