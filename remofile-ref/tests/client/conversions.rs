//! First use of the client: a line to connect and transfer, and errors that a program can match.

use remofile::{ClientError, Endpoint, FileClient, PathError, Precondition, RemotePath, Token, generate_token};
use remofile_proto::Code;
use remofile_testkit::scripted::{Scripted, options, token};
use std::fs;
use std::io::ErrorKind;

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

#[test]
fn endpoint_and_token_are_texts_or_what_was_parsed() {
    let server = Scripted::start();
    let (endpoint, token): (Endpoint, Token) = (server.endpoint.clone(), token());
    let (endpoint_text, token_text) = (endpoint.to_string(), token.reveal().to_owned());
    FileClient::new(endpoint_text.as_str(), token_text.as_str()).unwrap().bye();
    FileClient::new(&endpoint_text, &token_text).unwrap().bye();
    FileClient::new(endpoint_text, token_text).unwrap().bye();
    FileClient::new(&endpoint, &token).unwrap().bye();
    FileClient::new(endpoint, token).unwrap().bye();
}

#[test]
fn what_is_no_endpoint_or_token_is_reported_apart() {
    let good = token();
    assert!(matches!(FileClient::new("localhost", &good), Err(ClientError::BadEndpoint(_))));
    assert!(matches!(FileClient::new("localhost:1", "secret"), Err(ClientError::BadToken(_))));
}

#[test]
fn a_file_goes_into_a_directory_under_its_own_name() {
    let server = Scripted::start();
    fs::write(server.local("ubuntu.iso"), "an image").unwrap();
    fs::create_dir(server.served("images")).unwrap();
    let client = server.client();
    let done = client.upload(server.local("ubuntu.iso"), "/").unwrap();
    assert_eq!((done.files, done.bytes, done.transferred), (1, 8, 8));
    client.upload(server.local("ubuntu.iso"), path("/images")).unwrap();
    assert_eq!(fs::read(server.served("ubuntu.iso")).unwrap(), b"an image");
    assert_eq!(fs::read(server.served("images/ubuntu.iso")).unwrap(), b"an image");
    assert_eq!(client.upload(server.local("ubuntu.iso"), "/").unwrap().unchanged, 1);
    client.bye();
}

#[test]
fn a_directory_goes_with_all_it_holds() {
    let server = Scripted::start();
    fs::create_dir_all(server.local("photos/2025")).unwrap();
    fs::write(server.local("photos/2025/a.jpg"), "a").unwrap();
    let client = server.client();
    let done = client.upload(server.local("photos"), "/").unwrap();
    assert_eq!((done.files, done.directories), (1, 2));
    fs::create_dir(server.local("back")).unwrap();
    client.download("/photos", server.local("back")).unwrap();
    assert_eq!(fs::read(server.local("back/photos/2025/a.jpg")).unwrap(), b"a");
    client.download("/photos/2025/a.jpg", server.local("named")).unwrap();
    assert_eq!(fs::read(server.local("named")).unwrap(), b"a");
    client.bye();
}

#[test]
fn items_that_fail_are_an_error() {
    let server = Scripted::start();
    fs::create_dir(server.local("tree")).unwrap();
    fs::create_dir(server.served("tree")).unwrap();
    fs::write(server.local("tree/a"), "ours").unwrap();
    fs::write(server.local("tree/b"), "fine").unwrap();
    fs::write(server.served("tree/a"), "theirs").unwrap();
    let client = server.client();
    let Err(ClientError::Incomplete(done)) = client.upload(server.local("tree"), "/") else { panic!("no error") };
    assert_eq!((done.failed, done.files), (1, 1));
    assert!(done.failures[0].1.is_exists());
    client.bye();
}

#[test]
fn an_upload_into_what_is_no_directory_sends_nothing() {
    let server = Scripted::start();
    fs::write(server.local("a"), "a").unwrap();
    fs::write(server.served("file"), "").unwrap();
    let client = server.client();
    assert_eq!(client.upload(server.local("a"), "/file").unwrap_err().code(), Some(Code::NotDir));
    assert!(client.upload(server.local("a"), "/missing").unwrap_err().is_not_found());
    let relative = client.upload(server.local("a"), "relative");
    assert!(matches!(relative, Err(ClientError::BadPath(PathError::Relative))), "{relative:?}");
    assert_eq!(server.executed("put"), 0);
    client.bye();
}

#[test]
fn what_exists_is_exists_both_ways() {
    let server = Scripted::start();
    fs::write(server.local("a"), "ours").unwrap();
    fs::write(server.served("a"), "theirs").unwrap();
    let client = server.client();
    assert!(client.upload(server.local("a"), "/").unwrap_err().is_exists());
    match client.download("/a", server.local("a")) {
        Err(error @ ClientError::Local { .. }) => {
            assert!(error.is_exists());
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::AlreadyExists);
        }
        other => panic!("{other:?}"),
    }
    client.bye();
}

#[test]
fn another_holder_is_busy_and_named() {
    let server = Scripted::start();
    let holder = options().name("anna@laptop").connect(&server.endpoint, token()).unwrap();
    match FileClient::new(&server.endpoint, token()) {
        Err(ClientError::Busy(busy)) => assert_eq!(busy.client, "anna@laptop"),
        other => panic!("{other:?}"),
    }
    holder.bye();
}

#[test]
fn another_token_is_refused() {
    let server = Scripted::start();
    let error = FileClient::new(&server.endpoint, generate_token()).unwrap_err();
    assert!(matches!(error, ClientError::TokenRefused { .. }), "{error:?}");
}

#[test]
fn a_name_that_is_taken_is_matched_by_its_code() {
    let server = Scripted::start();
    let client = server.client();
    client.put(&path("/a"), b"1".to_vec(), Precondition::Absent, None).unwrap();
    match client.put(&path("/a"), b"2".to_vec(), Precondition::Absent, None) {
        Err(ClientError::Refused { operation: "put", path, refusal }) => {
            assert_eq!((path.as_str(), refusal.code), ("/a", Code::Exists));
        }
        other => panic!("{other:?}"),
    }
    client.bye();
}
