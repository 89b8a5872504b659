//! Remote files and faults: errors of writes in flight, lost replies, lost sessions, connections that are cut.

use remofile::{ClientError, Endpoint, FileClient, Precondition, RemoteFile, RemotePath};
use remofile_testkit::relay::{Cuts, Random, Relay, seed};
use remofile_testkit::scripted::{CHUNK, Fault, Scripted, content, options, token};
use std::fs;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

fn inner(error: &io::Error) -> &ClientError {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

fn is_in_doubt(error: &io::Error) -> bool {
    matches!(inner(error), ClientError::InDoubt { operation: "write", .. })
}

/// A remote file whose next writes fail, for it is gone.
fn with_failing_writes(test: impl FnOnce(&Scripted, RemoteFile)) {
    let server = Scripted::start();
    let client = server.client();
    let file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    fs::remove_file(server.served("a")).unwrap();
    test(&server, file);
}

// An error of a later write is not lost.

#[test]
fn a_later_write_reports_it() {
    with_failing_writes(|_, mut file| {
        let chunk = content(CHUNK as usize, 1);
        let error =
            (0..1_000).find_map(|_| file.write_all(&chunk).err()).expect("more was written than may be on the way");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn flush_reports_it() {
    with_failing_writes(|_, mut file| {
        file.write_all(b"abc").unwrap();
        assert_eq!(file.flush().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn seek_reports_it() {
    with_failing_writes(|_, mut file| {
        let chunk = content(CHUNK as usize, 1);
        let seek = |file: &mut RemoteFile| file.stream_position();
        for _ in 0..1_000 {
            file.write_all(&chunk).unwrap();
            if let Err(error) = seek(&mut file) {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                return;
            }
        }
        panic!("more was written than may be on the way");
    });
}

#[test]
fn a_read_behind_it_reports_it() {
    with_failing_writes(|_, mut file| {
        file.write_all(b"abc").unwrap();
        file.rewind().unwrap();
        assert_eq!(file.read(&mut [0; 3]).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn set_len_behind_it_reports_it() {
    with_failing_writes(|_, mut file| {
        file.write_all(b"abc").unwrap();
        assert!(file.set_len(1).unwrap_err().is_not_found());
    });
}

#[test]
fn close_reports_it() {
    with_failing_writes(|_, mut file| {
        file.write_all(b"abc").unwrap();
        assert!(file.close().unwrap_err().is_not_found());
    });
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn dropping_logs_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        with_failing_writes(|_, mut file| {
            file.write_all(b"abc").unwrap();
            drop(file);
        });
    });
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("WARN") && logged.contains("not all that was written got there"), "{logged}");
    assert!(logged.contains("there is no such file"), "not why: {logged}");
}

#[test]
fn an_error_that_was_reported_is_not_reported_again() {
    with_failing_writes(|server, mut file| {
        file.write_all(b"abc").unwrap();
        file.flush().unwrap_err();
        fs::write(server.served("a"), "back again").unwrap();
        file.rewind().unwrap();
        file.write_all(b"BACK").unwrap();
        file.close().unwrap();
        assert_eq!(fs::read(server.served("a")).unwrap(), b"BACK again");
    });
}

// Lost replies and sessions.

/// Writes ten chunks, of which the one after `skip` others meets `fault`.
fn writes_arrive(skip: usize, fault: Fault) {
    let server = Scripted::start();
    let client = server.client();
    let bytes = content(CHUNK as usize * 10, 1);
    let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    server.plan("write", skip, fault);
    file.write_all(&bytes).unwrap();
    file.close().unwrap();
    assert!(fs::read(server.served("a")).unwrap() == bytes, "{skip} {fault:?}: the content differs");
    server.all_came_about();
}

#[test]
fn writes_whose_reply_is_lost_arrive() {
    writes_arrive(0, Fault::Unanswered);
    writes_arrive(5, Fault::Unanswered);
    writes_arrive(9, Fault::Unanswered);
}

#[test]
fn writes_of_a_session_that_is_lost_are_sent_again_in_order() {
    for fault in [Fault::LostThenRestart, Fault::UnansweredThenRestart, Fault::UnansweredThenTaken] {
        writes_arrive(0, fault);
        writes_arrive(5, fault);
        writes_arrive(9, fault);
    }
}

#[test]
fn writes_overlapping_in_a_session_that_is_lost_end_in_their_order() {
    let server = Scripted::start();
    let client = server.client();
    let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    server.plan("write", 3, Fault::UnansweredThenRestart);
    for round in 0..8u8 {
        file.write_at(&[round; 1_000], u64::from(round) * 500).unwrap();
    }
    file.close().unwrap();
    let expected: Vec<u8> = (0..8u8).flat_map(|round| vec![round; if round == 7 { 1_000 } else { 500 }]).collect();
    assert!(fs::read(server.served("a")).unwrap() == expected, "a write went over a later one");
}

#[test]
fn a_write_behind_which_others_were_answered_is_in_doubt() {
    let server = Scripted::start();
    let client = server.client();
    let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    // The first stays unanswered, the second is answered, and the first is lost when it is sent again.
    server.plan("write", 0, Fault::Unanswered);
    server.plan("write", 1, Fault::LostThenRestart);
    file.write_at(&[1; 1_000], 0).unwrap();
    file.write_at(&[2; 1_000], 500).unwrap();
    let error = file.flush().unwrap_err();
    assert!(is_in_doubt(&error), "{error:?}");
    server.all_came_about();
    // The uncertain write was reported, and the file stays usable.
    file.write_at(&[3; 1_000], 0).unwrap();
    // The second was acknowledged by the server that ended [DUR-6].
    let error = file.flush().unwrap_err();
    assert!(matches!(inner(&error), ClientError::NotFlushed), "{error:?}");
    file.flush().unwrap();
    file.close().unwrap();
    assert_eq!(fs::read(server.served("a")).unwrap()[..1_000], [3; 1_000]);
}

#[test]
fn a_doubt_is_reported_though_no_session_can_be_opened() {
    let server = Scripted::start();
    let client = options().connect_timeout(Duration::from_secs(1)).connect(&server.endpoint, token()).unwrap();
    let mut file = client.create_file(&path("/a"), Precondition::Absent).unwrap();
    server.plan("write", 0, Fault::Unanswered);
    server.plan("write", 1, Fault::UnansweredThenHeld);
    file.write_at(&[1; 1_000], 0).unwrap();
    file.write_at(&[2; 1_000], 500).unwrap();
    let first = file.flush().unwrap_err();
    assert!(matches!(inner(&first), ClientError::Busy(_)), "{first:?}");
    let second = file.close().unwrap_err();
    assert!(matches!(second, ClientError::InDoubt { operation: "write", .. }), "{second:?}");
}

#[test]
fn reads_go_on_in_a_new_session() {
    for fault in [Fault::Unanswered, Fault::LostThenRestart, Fault::UnansweredThenRestart, Fault::UnansweredThenTaken] {
        let server = Scripted::start();
        let bytes = content(CHUNK as usize * 10 + 5, 1);
        fs::write(server.served("a"), &bytes).unwrap();
        let client = server.client();
        server.plan("read", 3, fault);
        let mut back = Vec::new();
        client.open_file(&path("/a")).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == bytes, "{fault:?}: the content differs");
        server.all_came_about();
    }
}

// Anything, at random.

#[test]
fn under_cuts_and_restarts_every_byte_is_right_or_in_doubt() {
    let seed = seed();
    let server = Scripted::start();
    let Endpoint::Tcp { host, port } = &server.endpoint else { panic!("not TCP") };
    let address = SocketAddr::new(host.parse().unwrap(), *port);
    let cuts = Cuts { seed, at_most: 12, bytes: 600_000, ..Cuts::NONE };
    let relay = Relay::start(address, cuts);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(seed);
            for _ in 0..12 {
                std::thread::park_timeout(Duration::from_millis(100 + random.below(200)));
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                server.restart();
            }
        });
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _over = Over(&is_over);
        let mut client = options().timeout(Duration::from_secs(3)).connect_timeout(Duration::from_secs(20));
        client = client.lease_ms(1_000).wait(Duration::from_secs(5));
        let client = client.connect(relay.address(), token()).unwrap();
        let mut random = Random(seed ^ 1);
        let mut doubts = 0;
        for round in 0..12 {
            doubts += usize::from(!one_file(&client, &server, &format!("file{round}"), &mut random));
        }
        eprintln!("{} cuts, {doubts} of 12 files in doubt or given up", relay.cuts());
        assert!(doubts < 12, "no file was finished");
        client.bye();
    });
}

/// Random reads and writes of one file; false when it was reported to be in doubt, or given up.
fn one_file(client: &FileClient, server: &Scripted, name: &str, random: &mut Random) -> bool {
    let result = (|| -> io::Result<Vec<u8>> {
        let mut model: Vec<u8> = Vec::new();
        let mut file = client.create_file(&path(&format!("/{name}")), Precondition::Absent)?;
        for step in 0..20u64 {
            let (off, len) = (random.below(400_000), random.below(150_000) as usize + 1);
            if random.below(3) > 0 {
                let bytes = content(len, step);
                file.seek(SeekFrom::Start(off))?;
                file.write_all(&bytes)?;
                let end = off as usize + len;
                model.resize(model.len().max(end), 0);
                model[off as usize..end].copy_from_slice(&bytes);
            } else {
                file.seek(SeekFrom::Start(off))?;
                let mut read = Vec::new();
                io::Read::by_ref(&mut file).take(len as u64).read_to_end(&mut read)?;
                let from = model.len().min(off as usize);
                assert!(read == model[from..model.len().min(from + len)], "{name}, step {step}: other bytes at {off}");
            }
        }
        // A server that was started again cannot answer for what it was before; the bytes are there.
        match file.flush() {
            Err(error) if matches!(inner(&error), ClientError::NotFlushed) => {}
            result => result?,
        }
        match file.close() {
            Err(ClientError::NotFlushed) => {}
            result => result?,
        }
        Ok(model)
    })();
    match result {
        Ok(model) => {
            assert!(fs::read(server.served(name)).unwrap() == model, "{name} differs");
            true
        }
        Err(error) => {
            // A read that meets one restart after the other gives up, and says so.
            let is_reported = matches!(inner(&error), ClientError::InDoubt { .. } | ClientError::SessionLost { .. });
            assert!(is_reported, "{name}: {error:?}");
            false
        }
    }
}
