//! What becomes of a call whose session is lost: a test for each row of the table in section 16 of the specification.

use remofile::{ClientError, FileClient, Precondition, RemotePath, TransferOptions, TransferStatus};
use remofile_proto::{Code, Kind, UploadId};
use remofile_testkit::scripted::{CHUNK, Fault, Scripted, content, options, token};
use std::fs;

/// How a session may be lost while a request is unanswered.
const LOSSES: [Fault; 4] =
    [Fault::LostThenRestart, Fault::UnansweredThenRestart, Fault::UnansweredThenTaken, Fault::Garbled];

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

/// Has `operation` lose its session in each way; each time `call` has to succeed and `check` to hold.
fn settles(
    operation: &'static str,
    prepare: impl Fn(&Scripted) + Sync,
    call: impl Fn(&FileClient) -> Result<(), ClientError> + Sync,
    check: impl Fn(&Scripted) + Sync,
) {
    std::thread::scope(|scope| {
        for fault in LOSSES {
            let (prepare, call, check) = (&prepare, &call, &check);
            let test = move || {
                let server = Scripted::start();
                prepare(&server);
                let client = server.client();
                server.plan(operation, 0, fault);
                match call(&client) {
                    Ok(()) => {}
                    // [ENV-22] A session is given up, and what was sent in it is resolved by the next call.
                    Err(ClientError::InDoubt { source: Some(source), .. }) if fault == Fault::Garbled => {
                        assert!(matches!(*source, ClientError::Protocol { .. }), "{source:?}");
                    }
                    Err(ClientError::Protocol { .. }) if fault == Fault::Garbled => call(&client).unwrap(),
                    Err(error) => panic!("{fault:?}: {error:?}"),
                }
                server.all_came_about();
                check(&server);
                client.bye();
            };
            scope.spawn(test);
        }
    });
}

#[test]
fn a_lost_mkdir_is_made_once() {
    settles(
        "mkdir",
        |_| {},
        |client| client.mkdir(&path("/a")).map(drop),
        |server| {
            assert!(server.served("a").is_dir());
        },
    );
}

#[test]
fn a_lost_mkdir_of_a_name_that_is_a_file_is_refused() {
    let server = Scripted::start();
    fs::write(server.served("a"), "here first").unwrap();
    let client = server.client();
    server.plan("mkdir", 0, Fault::LostThenRestart);
    assert!(client.mkdir(&path("/a")).unwrap_err().is_exists());
    server.all_came_about();
}

#[test]
fn a_lost_put_is_made_once() {
    let put = |client: &FileClient| {
        let entry = client.put(&path("/a"), b"content".to_vec(), Precondition::Absent, Some(1_000_000_000))?;
        assert_eq!((entry.kind, entry.size, entry.mtime_ns), (Kind::File, Some(7), Some(1_000_000_000)));
        Ok(())
    };
    settles("put", |_| {}, put, |server| assert_eq!(fs::read(server.served("a")).unwrap(), b"content"));
}

#[test]
fn a_lost_put_where_another_client_put_something_is_refused() {
    let server = Scripted::start();
    let client = server.client();
    server.plan_then("put", 0, Fault::UnansweredThenTaken, |served| fs::write(served.join("a"), "theirs").unwrap());
    let error = client.put(&path("/a"), b"ours".to_vec(), Precondition::Absent, None).unwrap_err();
    assert!(error.is_exists(), "{error:?}");
    assert_eq!(fs::read(server.served("a")).unwrap(), b"theirs");
}

#[test]
fn a_lost_write_is_written() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello world").unwrap();
    let write = |client: &FileClient| client.write(&path("/a"), 6, b"there".to_vec(), None).map(drop);
    settles("write", prepare, write, |server| assert_eq!(fs::read(server.served("a")).unwrap(), b"hello there"));
}

#[test]
fn a_lost_write_of_a_version_that_it_may_have_changed_is_in_doubt() {
    let server = Scripted::start();
    fs::write(server.served("a"), "hello world").unwrap();
    let client = server.client();
    let etag = client.stat(&path("/a")).unwrap().etag;
    server.plan("write", 0, Fault::UnansweredThenRestart);
    let error = client.write(&path("/a"), 6, b"there".to_vec(), etag).unwrap_err();
    assert!(matches!(error, ClientError::InDoubt { operation: "write", ref path, .. } if path == "/a"), "{error:?}");
    server.all_came_about();
}

#[test]
fn a_lost_truncate_is_done() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello world").unwrap();
    let truncate = |client: &FileClient| client.truncate(&path("/a"), 5, None).map(drop);
    settles("truncate", prepare, truncate, |server| assert_eq!(fs::read(server.served("a")).unwrap(), b"hello"));
}

#[test]
fn a_lost_touch_is_done() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello").unwrap();
    let touch = |client: &FileClient| client.touch(&path("/a"), 2_000_000_000).map(drop);
    settles("touch", prepare, touch, |server| {
        let modified = fs::metadata(server.served("a")).unwrap().modified().unwrap();
        assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 2);
    });
}

#[test]
fn a_lost_remove_is_done_once() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello").unwrap();
    let remove = |client: &FileClient| client.remove(&path("/a"), None);
    settles("remove", prepare, remove, |server| assert!(!server.served("a").exists()));
}

#[test]
fn a_lost_move_is_done_once() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello").unwrap();
    let rename = |client: &FileClient| {
        let entry = client.rename(&path("/a"), &path("/b"), Precondition::Absent, None)?;
        assert_eq!(entry.size, Some(5));
        Ok(())
    };
    settles("move", prepare, rename, |server| {
        assert!(!server.served("a").exists());
        assert_eq!(fs::read(server.served("b")).unwrap(), b"hello");
    });
}

#[test]
fn a_lost_move_whose_target_is_gone_too_is_refused() {
    let server = Scripted::start();
    fs::write(server.served("a"), "hello").unwrap();
    let client = server.client();
    server.plan_then("move", 0, Fault::UnansweredThenTaken, |served| fs::remove_file(served.join("b")).unwrap());
    let error = client.rename(&path("/a"), &path("/b"), Precondition::Absent, None).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
}

#[test]
fn a_lost_copy_is_made_once() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), content(300_000, 1)).unwrap();
    let copy = |client: &FileClient| client.copy(&path("/a"), &path("/b"), Precondition::Absent, None).map(drop);
    settles("copy", prepare, copy, |server| {
        assert!(fs::read(server.served("b")).unwrap() == content(300_000, 1), "the copy differs");
    });
}

#[test]
fn a_lost_abort_is_done() {
    settles("abort", |_| {}, |client| client.abort(UploadId::new([1; 16])), |_| {});
}

#[test]
fn a_lost_flush_is_done() {
    settles("flush", |_| {}, FileClient::flush, |_| {});
}

#[test]
fn what_only_looks_is_asked_again() {
    let prepare = |server: &Scripted| fs::write(server.served("a"), "hello").unwrap();
    settles("stat", prepare, |client| client.stat(&path("/a")).map(drop), |_| {});
    let read = |client: &FileClient| {
        let (bytes, result) = client.read(&path("/a"), 1, 3, None)?;
        assert_eq!((&bytes[..], result.size), (&b"ell"[..], 5));
        Ok(())
    };
    settles("read", prepare, read, |_| {});
    let list = |client: &FileClient| {
        let names: Result<Vec<String>, ClientError> =
            client.list(&path("/"), false).map(|listed| Ok(listed?.name)).collect();
        assert_eq!(names?, ["a"]);
        Ok(())
    };
    settles("list", prepare, list, |_| {});
    let hash = |client: &FileClient| {
        assert_eq!(client.hash(&path("/a"))?.hash.as_bytes(), blake3::hash(b"hello").as_bytes());
        Ok(())
    };
    settles("hash", prepare, hash, |_| {});
    let uploads = |client: &FileClient| {
        assert_eq!(client.uploads()?, []);
        Ok(())
    };
    settles("uploads", |_| {}, uploads, |_| {});
}

/// An upload of four chunks and a little, which loses its session at the request after `skip` others of that name.
fn upload_settles(operation: &'static str, skip: usize) {
    const SIZE: usize = CHUNK as usize * 4 + 100;
    let prepare = |server: &Scripted| fs::write(server.local("source"), content(SIZE, 1)).unwrap();
    std::thread::scope(|scope| {
        for fault in [Fault::LostThenRestart, Fault::UnansweredThenRestart, Fault::UnansweredThenTaken] {
            scope.spawn(move || {
                let server = Scripted::start();
                prepare(&server);
                let client = server.client();
                server.plan(operation, skip, fault);
                let done = client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
                assert_eq!((done.status, done.bytes), (TransferStatus::New, SIZE as u64), "{fault:?}");
                assert!(fs::read(server.served("a")).unwrap() == content(SIZE, 1), "{fault:?}: the content differs");
                assert_eq!(server.staged(), Vec::<std::path::PathBuf>::new());
                assert!(server.executed("append") <= 5 + 4, "{fault:?}: {}", server.executed("append"));
                server.all_came_about();
            });
        }
    });
}

#[test]
fn an_upload_goes_on_after_a_lost_begin() {
    upload_settles("begin", 0);
}

#[test]
fn an_upload_goes_on_after_a_lost_append() {
    upload_settles("append", 2);
}

#[test]
fn an_upload_goes_on_after_a_lost_commit() {
    upload_settles("commit", 0);
}

#[test]
fn a_commit_that_was_executed_is_not_sent_again() {
    const SIZE: usize = CHUNK as usize * 3;
    let server = Scripted::start();
    fs::write(server.local("source"), content(SIZE, 1)).unwrap();
    let client = server.client();
    server.plan("commit", 0, Fault::UnansweredThenRestart);
    // [UP-8] Nor does it harm that looking is lost too.
    server.plan("hash", 0, Fault::LostThenRestart);
    client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
    assert_eq!((server.executed("append"), server.executed("commit"), server.executed("abort")), (3, 1, 1));
    server.all_came_about();
}

#[test]
fn a_commit_whose_file_was_removed_meanwhile_is_uploaded_again() {
    const SIZE: usize = CHUNK as usize * 3;
    let server = Scripted::start();
    fs::write(server.local("source"), content(SIZE, 1)).unwrap();
    let client = server.client();
    server.plan_then("commit", 0, Fault::UnansweredThenTaken, |served| fs::remove_file(served.join("a")).unwrap());
    client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
    assert!(fs::read(server.served("a")).unwrap() == content(SIZE, 1), "the content differs");
    assert_eq!(server.executed("commit"), 2);
}

#[test]
fn a_commit_of_unknown_outcome_is_in_doubt() {
    let server = Scripted::start();
    fs::write(server.local("source"), content(CHUNK as usize * 2, 1)).unwrap();
    let client =
        options().connect_timeout(std::time::Duration::from_secs(1)).connect(&server.endpoint, token()).unwrap();
    server.plan("commit", 0, Fault::UnansweredThenSilent);
    let error = client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap_err();
    let ClientError::InDoubt { operation: "upload", source: Some(source), .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, ClientError::TimedOut { .. }), "{source:?}");
}

#[test]
fn a_change_of_unknown_outcome_is_in_doubt() {
    let server = Scripted::start();
    let client =
        options().connect_timeout(std::time::Duration::from_secs(1)).connect(&server.endpoint, token()).unwrap();
    server.plan("mkdir", 0, Fault::UnansweredThenSilent);
    let error = client.mkdir(&path("/a")).unwrap_err();
    assert!(matches!(error, ClientError::InDoubt { operation: "mkdir", .. }), "{error:?}");
    assert!(server.served("a").is_dir());
}

#[test]
fn an_unanswered_look_is_not_in_doubt() {
    let server = Scripted::start();
    let client =
        options().connect_timeout(std::time::Duration::from_secs(1)).connect(&server.endpoint, token()).unwrap();
    server.plan("stat", 0, Fault::Silent);
    let error = client.stat(&path("/a")).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
}

#[test]
fn a_change_while_another_client_holds_the_session_is_in_doubt() {
    let server = Scripted::start();
    let client = server.client();
    server.plan("mkdir", 0, Fault::UnansweredThenHeld);
    let error = client.mkdir(&path("/a")).unwrap_err();
    let ClientError::InDoubt { operation: "mkdir", source: Some(source), .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, ClientError::Busy(_)), "{source:?}");
}

#[test]
fn a_change_that_came_too_late_is_busy_and_not_in_doubt() {
    let server = Scripted::start();
    let client = server.client();
    client.mkdir(&path("/a")).unwrap();
    // The session is lost before the second one is sent, which is refused at its only sending.
    let other = options().take(true).connect(&server.endpoint, token()).unwrap();
    let error = client.mkdir(&path("/b")).unwrap_err();
    assert_eq!(error.code(), Some(Code::Busy), "{error:?}");
    assert!(!server.served("b").exists());
    other.bye();
    client.mkdir(&path("/b")).unwrap();
}

#[test]
fn a_small_upload_whose_put_is_lost_is_there_once() {
    let prepare = |server: &Scripted| fs::write(server.local("source"), "small").unwrap();
    for fault in LOSSES {
        let server = Scripted::start();
        prepare(&server);
        let client = server.client();
        server.plan("put", 0, fault);
        let result = client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent);
        if fault == Fault::Garbled {
            assert!(matches!(result, Err(ClientError::InDoubt { operation: "put", .. })), "{result:?}");
            let again = client.upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
            assert_eq!(again.status, TransferStatus::Unchanged);
        } else {
            result.unwrap();
        }
        assert_eq!(fs::read(server.served("a")).unwrap(), b"small");
    }
}

#[test]
fn a_directory_goes_up_whole_whatever_is_lost() {
    for (operation, skip, fault) in [
        ("put", 3, Fault::LostThenRestart),
        ("put", 3, Fault::UnansweredThenRestart),
        ("put", 0, Fault::UnansweredThenTaken),
        ("mkdir", 1, Fault::UnansweredThenRestart),
        ("flush", 0, Fault::UnansweredThenRestart),
    ] {
        let server = Scripted::start();
        fs::create_dir_all(server.local("tree/below")).unwrap();
        for index in 0..8 {
            fs::write(server.local(&format!("tree/below/{index}")), content(1_000 + index, index as u64)).unwrap();
        }
        let client = server.client();
        server.plan(operation, skip, fault);
        let done = client.upload_tree(&server.local("tree"), &path("/tree"), false).unwrap();
        assert_eq!((done.files, done.failed, done.directories), (8, 0, 2), "{operation} {fault:?}: {done:?}");
        for index in 0..8 {
            let there = fs::read(server.served(&format!("tree/below/{index}"))).unwrap();
            assert!(there == content(1_000 + index, index as u64), "{operation} {fault:?}: {index} differs");
        }
        server.all_came_about();
    }
}

/// The server is started again before the flush, and this is what was done to its directory in between.
fn restarted_before_the_flush(server: &Scripted, loss: impl FnOnce(&std::path::Path) + Send + 'static) {
    server.plan_then("flush", 0, Fault::LostThenRestart, loss);
}

#[test]
fn a_file_that_is_gone_before_it_was_flushed_is_uploaded_again() {
    for size in [1_000, 3 * CHUNK as usize] {
        let server = Scripted::start();
        fs::write(server.local("source"), content(size, 1)).unwrap();
        restarted_before_the_flush(&server, |served| fs::remove_file(served.join("a")).unwrap());
        let done = server.client().upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
        assert_eq!((done.status, done.bytes), (TransferStatus::New, size as u64));
        assert!(fs::read(server.served("a")).unwrap() == content(size, 1));
        // The second flush covers what the first one could not.
        assert_eq!(server.executed("flush"), 2);
        server.all_came_about();
    }
}

#[test]
fn a_file_that_outlived_the_server_is_not_uploaded_again() {
    let server = Scripted::start();
    fs::write(server.local("source"), content(1_000, 1)).unwrap();
    restarted_before_the_flush(&server, |_| {});
    server.client().upload_file(&server.local("source"), &path("/a"), Precondition::Absent).unwrap();
    assert_eq!((server.executed("put"), server.executed("hash")), (1, 1));
    server.all_came_about();
}

#[test]
fn what_is_missing_of_a_directory_before_it_was_flushed_is_uploaded_again() {
    let server = Scripted::start();
    fs::create_dir_all(server.local("tree/below")).unwrap();
    for index in 0..8 {
        fs::write(server.local(&format!("tree/below/{index}")), content(1_000 + index, index as u64)).unwrap();
    }
    restarted_before_the_flush(&server, |served| {
        fs::remove_file(served.join("tree/below/3")).unwrap();
        fs::remove_file(served.join("tree/below/4")).unwrap();
    });
    let done = server.client().upload_tree(&server.local("tree"), &path("/tree"), false).unwrap();
    assert_eq!((done.files, done.unchanged, done.failed, done.directories), (8, 0, 0, 2), "{done:?}");
    for index in 0..8 {
        let there = fs::read(server.served(&format!("tree/below/{index}"))).unwrap();
        assert!(there == content(1_000 + index, index as u64), "{index} differs");
    }
    assert_eq!(server.executed("put"), 10);
    server.all_came_about();
}

#[test]
fn what_cannot_be_made_again_before_it_was_flushed_is_named() {
    let server = Scripted::start();
    fs::create_dir(server.local("tree")).unwrap();
    fs::write(server.local("tree/a"), "whole").unwrap();
    // Short, as a power cut may leave it, and not distinguishable from another file.
    restarted_before_the_flush(&server, |served| fs::write(served.join("tree/a"), "").unwrap());
    let done = server.client().upload_tree(&server.local("tree"), &path("/tree"), false).unwrap();
    assert_eq!(done.failed, 1, "{done:?}");
    assert!(done.failures[0].1.is_exists(), "{done:?}");
}

#[test]
fn a_stream_that_is_gone_before_it_was_flushed_is_reported() {
    for is_lost in [false, true] {
        let server = Scripted::start();
        restarted_before_the_flush(&server, move |served| {
            if is_lost {
                fs::remove_file(served.join("a")).unwrap();
            }
        });
        let bytes = content(3 * CHUNK as usize, 1);
        let result = server.client().upload_from(&mut &bytes[..], &path("/a"), &TransferOptions::new());
        match is_lost {
            false => assert_eq!(result.unwrap().bytes, bytes.len() as u64),
            true => assert!(matches!(result, Err(ClientError::NotFlushed)), "{result:?}"),
        }
        server.all_came_about();
    }
}

#[test]
fn a_flush_does_not_answer_for_what_an_earlier_server_acknowledged() {
    let server = Scripted::start();
    let client = server.client();
    client.mkdir(&path("/a")).unwrap();
    server.restart();
    assert!(matches!(client.flush(), Err(ClientError::NotFlushed)));
    // It was reported, and is for the caller to resolve.
    client.flush().unwrap();
    client.mkdir(&path("/b")).unwrap();
    client.flush().unwrap();
    server.restart();
    client.stat(&path("/b")).unwrap();
    client.flush().unwrap();
}

#[test]
fn a_directory_comes_down_whole_whatever_is_lost() {
    for (operation, skip) in [("read", 3), ("list", 0), ("stat", 0)] {
        let server = Scripted::start();
        fs::create_dir(server.served("tree")).unwrap();
        for index in 0..8 {
            fs::write(server.served(&format!("tree/{index}")), content(1_000 + index, index as u64)).unwrap();
        }
        let client = server.client();
        server.plan(operation, skip, Fault::UnansweredThenRestart);
        let done = client.download_tree(&path("/tree"), &server.local("tree"), false).unwrap();
        assert_eq!((done.files, done.failed), (8, 0), "{operation}: {done:?}");
        for index in 0..8 {
            let there = fs::read(server.local(&format!("tree/{index}"))).unwrap();
            assert!(there == content(1_000 + index, index as u64), "{operation}: {index} differs");
        }
        server.all_came_about();
    }
}
