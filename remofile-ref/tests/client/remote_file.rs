//! Files on the server as `Read`, `Write` and `Seek`, over loopback against the real server.

use remofile::{
    ClientError, ClientOptions, FileClient, FileServer, Precondition, RemotePath, StopHandle, generate_token,
};
use remofile_proto::{Code, UploadId};
use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::thread;

/// Runs `test` with a client of a server of an empty directory.
fn with_client(test: impl FnOnce(&FileClient, &std::path::Path)) {
    with_clients(|connect, served| {
        let client = connect(ClientOptions::new());
        test(&client, served);
        client.bye();
    });
}

/// Like [`with_client`], for those that need more than one.
fn with_clients(test: impl FnOnce(&dyn Fn(ClientOptions) -> FileClient, &std::path::Path)) {
    struct Stop(StopHandle);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let served = tempfile::tempdir().unwrap();
    let token = generate_token();
    let mut server = FileServer::new(&served, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| server.run().unwrap());
        let _stop = Stop(stop);
        test(&|options| FileClient::connect(&endpoint, &token, options).unwrap(), served.path());
    });
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn content(size: usize) -> Vec<u8> {
    let mut random = Random(7);
    (0..size).map(|_| random.below(256) as u8).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn random_access_behaves_as_bytes_in_memory_do() {
    with_client(|client, served| {
        let mut model: Vec<u8> = Vec::new();
        let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
        let mut random = Random(42);
        for step in 0..400u64 {
            let off = random.below(3 << 20);
            let len = random.below(300_000) as usize;
            match random.below(10) {
                0..4 => {
                    let bytes = vec![step as u8 | 1; len];
                    file.seek(SeekFrom::Start(off)).unwrap();
                    file.write_all(&bytes).unwrap();
                    let end = off as usize + len;
                    if len > 0 && model.len() < end {
                        model.resize(end, 0);
                    }
                    if len > 0 {
                        model[off as usize..end].copy_from_slice(&bytes);
                    }
                }
                4 => {
                    file.set_len(off).unwrap();
                    model.resize(off as usize, 0);
                }
                _ => {
                    file.seek(SeekFrom::Start(off)).unwrap();
                    let mut read = Vec::new();
                    Read::by_ref(&mut file).take(len as u64).read_to_end(&mut read).unwrap();
                    let from = model.len().min(off as usize);
                    let expected = &model[from..model.len().min(from + len)];
                    assert!(read == expected, "step {step}: {} bytes at {off}, not those of the model", read.len());
                }
            }
            assert_eq!(file.size(), model.len() as u64, "step {step}");
        }
        file.close().unwrap();
        assert!(fs::read(served.join("a")).unwrap() == model, "the file differs from the model");
    });
}

#[test]
fn copies_in_and_out_arrive_whole() {
    with_client(|client, served| {
        let bytes = content((9 << 20) + 123);
        let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
        std::io::copy(&mut &bytes[..], &mut file).unwrap();
        file.flush().unwrap();
        assert!(fs::read(served.join("a")).unwrap() == bytes);
        file.rewind().unwrap();
        let mut back = Vec::new();
        std::io::copy(&mut file, &mut back).unwrap();
        assert!(back == bytes);
    });
}

#[test]
fn dropping_sends_what_was_written() {
    with_client(|client, served| {
        client.create_file(&path("/a"), Precondition::Absent).unwrap().write_all(b"abc").unwrap();
        assert_eq!(client.stat(&path("/a")).unwrap().size, Some(3));
        assert_eq!(fs::read(served.join("a")).unwrap(), b"abc");
    });
}

#[test]
fn flush_reports_an_error_behind_the_window() {
    with_client(|client, served| {
        let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
        fs::remove_file(served.join("a")).unwrap();
        file.write_all(b"abc").unwrap();
        let error = file.flush().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.get_ref().unwrap().downcast_ref::<ClientError>().unwrap().is_not_found());
    });
}

#[test]
fn close_reports_an_error_behind_the_window() {
    with_client(|client, served| {
        let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
        fs::remove_file(served.join("a")).unwrap();
        file.write_all(b"abc").unwrap();
        assert!(file.close().unwrap_err().is_not_found());
        assert!(client.stat(&path("/a")).unwrap_err().is_not_found());
    });
}

#[test]
fn what_was_read_ahead_is_not_given_after_a_write() {
    with_client(|client, served| {
        fs::write(served.join("a"), content(3 << 20)).unwrap();
        let mut file = client.open_file(&path("/a")).unwrap();
        let mut half = vec![0; 1 << 20];
        file.read_exact(&mut half).unwrap();
        file.write_at(b"new", 2 << 20).unwrap();
        file.seek(SeekFrom::Start(2 << 20)).unwrap();
        let mut three = [0; 3];
        file.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"new");
    });
}

#[test]
fn a_file_that_changes_under_its_reader_is_refused() {
    with_client(|client, served| {
        fs::write(served.join("a"), content(8 << 20)).unwrap();
        let mut file = client.open_file(&path("/a")).unwrap();
        file.read_exact(&mut [0; 10]).unwrap();
        fs::write(served.join("a"), b"another").unwrap();
        file.seek(SeekFrom::Start(7 << 20)).unwrap();
        let error = file.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let inner = error.get_ref().unwrap().downcast_ref::<ClientError>().unwrap();
        assert_eq!(inner.code(), Some(Code::Changed));
    });
}

#[test]
fn calls_that_change_in_place_do_what_they_say() {
    with_client(|client, served| {
        client.put(&path("/a"), b"hello world".to_vec(), Precondition::Absent, None).unwrap();
        client.copy(&path("/a"), &path("/b"), Precondition::Absent, None).unwrap();
        client.write(&path("/b"), 6, b"there".to_vec(), None).unwrap();
        client.truncate(&path("/b"), 9, None).unwrap();
        client.rename(&path("/b"), &path("/c"), Precondition::Absent, None).unwrap();
        assert_eq!(fs::read(served.join("c")).unwrap(), b"hello the");
        assert!(!served.join("b").exists());
        assert_eq!(client.read(&path("/c"), 6, 100, None).unwrap().0, b"the");
        let hash = client.hash_range(&path("/c"), 6, Some(2)).unwrap();
        assert_eq!(hash.hash.as_bytes(), blake3::hash(b"th").as_bytes());
        assert!(client.copy(&path("/a"), &path("/c"), Precondition::Absent, None).unwrap_err().is_exists());
        assert_eq!(client.uploads().unwrap(), []);
        client.abort(UploadId::new([1; 16])).unwrap();
    });
}

#[test]
fn reads_and_writes_go_on_in_a_new_session() {
    with_clients(|connect, served| {
        let bytes = content(2 << 20);
        fs::write(served.join("a"), &bytes).unwrap();
        let client = connect(ClientOptions::new());
        let mut file = client.open_file(&path("/a")).unwrap();
        let mut half = vec![0; 1 << 20];
        file.read_exact(&mut half).unwrap();
        connect(ClientOptions::new().take(true)).bye();
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert!([half, rest].concat() == bytes);
        file.rewind().unwrap();
        file.write_all(b"new").unwrap();
        connect(ClientOptions::new().take(true)).bye();
        file.close().unwrap();
        assert_eq!(&fs::read(served.join("a")).unwrap()[..3], b"new");
    });
}
