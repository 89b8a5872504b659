//! The face of the server: what it takes, where it listens, whom it lets in, and how it stops.

use remofile::transport::{Endpoint, EndpointError};
use remofile::{
    ClientError, ClientOptions, FileClient, FileServer, Precondition, RemotePath, ServeError, Store, StoreError, Token,
    TokenError, generate_keys, generate_token,
};
use remofile_proto::{Answer, Code, Operation, UploadId};
use remofile_testkit::lockstep::{DEADLINE, Lockstep, serve};
use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How soon a server has to end, whatever it is doing.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

/// A client of a server at `endpoint` makes a file and reads it back.
fn talks(endpoint: &str) {
    let directory = tempfile::tempdir().unwrap();
    let token = generate_token();
    let server = FileServer::new(&directory, &token).unwrap().bind(endpoint).unwrap();
    // The port is the system's choice, the host stays as it was written.
    let reached = match (endpoint.rsplit_once(":0"), server.local_port()) {
        (Some((host, _)), Some(port)) => format!("{host}:{port}"),
        _ => endpoint.to_owned(),
    };
    let serving = serve(server);
    let client = FileClient::new(&reached, &token).unwrap();
    client.put(&path("/file"), b"content".to_vec(), Precondition::Absent, None).unwrap();
    assert_eq!(client.read(&path("/file"), 0, 100, None).unwrap().0, b"content");
    client.bye();
    serving.stop();
}

#[test]
fn a_host_name_and_port_talk() {
    talks("localhost:0");
}

#[test]
fn an_ipv4_address_with_its_scheme_talks() {
    talks("tcp://127.0.0.1:0");
}

#[test]
fn an_ipv6_address_in_brackets_talks() {
    match std::net::TcpListener::bind("[::1]:0") {
        Ok(_) => talks("[::1]:0"),
        Err(error) => remofile_testkit::skip::skip(&format!("this machine has no ::1: {error}")),
    }
}

#[test]
fn a_unix_socket_talks() {
    let directory = tempfile::tempdir().unwrap();
    talks(&format!("ipc://{}", directory.path().join("socket").display()));
}

#[test]
fn a_token_is_taken_in_every_form() {
    let token: Token = generate_token();
    FileServer::new(".", &token).unwrap();
    FileServer::new(".", token.reveal()).unwrap();
    FileServer::new(".", token.reveal().to_owned()).unwrap();
    FileServer::new(".", token).unwrap();
}

#[test]
fn a_text_that_is_no_token_is_refused() {
    let error = FileServer::new(".", "password").unwrap_err();
    assert!(matches!(error, ServeError::BadToken(TokenError::Length(8))), "{error:?}");
}

#[test]
fn a_text_that_is_no_endpoint_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap();
    let error = server.run("localhost").unwrap_err();
    assert!(matches!(error, ServeError::BadEndpoint(EndpointError::NoPort(_))), "{error:?}");
}

#[test]
fn a_directory_that_is_not_there_is_refused() {
    let server = FileServer::new("/nowhere/to/be/found", generate_token()).unwrap();
    let error = server.run("127.0.0.1:0").unwrap_err();
    assert!(matches!(error, ServeError::Store(StoreError::Root { .. })), "{error:?}");
}

#[test]
fn run_serves_until_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", directory.path().join("socket").display());
    std::fs::create_dir(directory.path().join("served")).unwrap();
    let server = FileServer::new(directory.path().join("served"), "TTA3rMB8VtNYv25kdipkaJ").unwrap();
    let stop = server.stop_handle();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(&endpoint));
        let client = FileClient::new(&endpoint, "TTA3rMB8VtNYv25kdipkaJ").unwrap();
        client.mkdir(&path("/made")).unwrap();
        client.bye();
        stop.stop();
        serving.join().unwrap().unwrap();
    });
    assert!(directory.path().join("served/made").is_dir());
}

/// Its wait for messages lasts an hour: only an event can have ended it.
#[test]
fn a_stop_ends_the_wait_for_messages() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap().bind("127.0.0.1:0").unwrap();
    serve(server).stop();
}

#[test]
fn a_byte_of_a_signal_handler_ends_the_wait_for_messages() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap().bind("127.0.0.1:0").unwrap();
    let wake = server.stop_handle().as_fd().try_clone_to_owned().unwrap();
    let serving = serve(server);
    rustix::io::write(wake, b"x").unwrap();
    serving.await_end();
}

#[test]
fn a_stopped_server_stays_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap();
    server.stop_handle().stop();
    server.run("127.0.0.1:0").unwrap();
}

#[test]
fn a_stop_ends_a_long_hash() {
    let directory = tempfile::tempdir().unwrap();
    // Hours of hashing, and no byte on the disk.
    File::create(directory.path().join("huge")).unwrap().set_len(1 << 42).unwrap();
    let token = generate_token();
    let server = FileServer::new(&directory, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let mut client = Lockstep::connect(server.local_endpoint(), &token);
    let serving = serve(server);
    client.hello().unwrap();
    // PENDING: it is at work.
    assert_eq!(client.ask(&Operation::Hash { path: path("/huge"), off: 0, len: None }, None), Err(Code::Pending));
    let told = Instant::now();
    serving.stop();
    assert!(told.elapsed() < STOPPED_WITHIN, "{:?}", told.elapsed());
}

#[test]
fn what_is_staged_outlives_a_stop() {
    let directory = tempfile::tempdir().unwrap();
    let token = generate_token();
    let up = UploadId::new([7; 16]);
    let begin = Operation::Begin { up, path: path("/file"), size: None };
    let staged = |append: bool| {
        let server = FileServer::new(&directory, &token).unwrap().bind("127.0.0.1:0").unwrap();
        let mut client = Lockstep::connect(server.local_endpoint(), &token);
        let serving = serve(server);
        client.hello().unwrap();
        let Ok(Answer::Staged(staged)) = client.ask(&begin, None) else { panic!("not begun") };
        if append {
            client.ask(&Operation::Append { up, off: 0 }, Some(b"half of it")).unwrap();
        }
        serving.stop();
        staged.off
    };
    assert_eq!((staged(true), staged(false)), (0, 10));
}

#[test]
fn a_directory_is_free_when_its_server_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap();
    let bound = server.bind("127.0.0.1:0").unwrap();
    assert!(matches!(server.bind("127.0.0.1:0"), Err(ServeError::Store(StoreError::InUse))));
    drop(bound);
    Store::open(directory.path(), remofile::StoreOptions::default()).unwrap();
}

#[test]
fn hello_announces_what_was_set() {
    let directory = tempfile::tempdir().unwrap();
    let token = generate_token();
    let server = FileServer::new(&directory, &token).unwrap().read_only(true);
    let server =
        server.window(5).chunk(70_000).header(20_000).lease(Duration::from_secs(7)).bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let serving = serve(server);
    let client = FileClient::new(&endpoint, &token).unwrap();
    let welcome = client.welcome();
    assert_eq!((welcome.window, welcome.chunk, welcome.header, welcome.lease_ms), (5, 70_000, 20_000, 7_000));
    assert!(welcome.ro);
    assert_eq!(client.mkdir(&path("/made")).unwrap_err().code(), Some(Code::Denied));
    client.bye();
    serving.stop();
}

#[test]
fn limitsoutside_their_ranges_are_brought_into_them() {
    let directory = tempfile::tempdir().unwrap();
    let token = generate_token();
    let server = FileServer::new(&directory, &token).unwrap();
    let server = server.window(0).chunk(1).header(u32::MAX).lease(Duration::ZERO).bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let serving = serve(server);
    let client = FileClient::new(&endpoint, &token).unwrap();
    let welcome = client.welcome();
    assert_eq!((welcome.window, welcome.chunk, welcome.header, welcome.lease_ms), (1, 65_536, 65_536, 1_000));
    client.bye();
    serving.stop();
}

#[test]
fn a_key_of_the_servers_own_is_pinned_beside_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let (token, keys) = (generate_token(), generate_keys());
    let server = FileServer::new(&directory, &token).unwrap().key_pair(keys.clone()).bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let serving = serve(server);
    let pinned = ClientOptions::new().server_key(*keys.public());
    pinned.clone().connect(&endpoint, &token).unwrap().bye();
    let another = ClientOptions::new().server_key(*generate_keys().public());
    for (options, token) in
        [(ClientOptions::new(), token.clone()), (another, token.clone()), (pinned, generate_token())]
    {
        let error = options.connect(&endpoint, &token).unwrap_err();
        assert!(matches!(error, ClientError::TokenRefused { .. }), "{error:?}");
    }
    serving.stop();
}

#[test]
fn no_security_is_for_both_ends_to_ask_for() {
    for (server_insecure, client_insecure) in [(true, false), (false, true), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let token = generate_token();
        let server = FileServer::new(&directory, &token).unwrap().insecure(server_insecure);
        let server = server.bind("127.0.0.1:0").unwrap();
        let endpoint: Endpoint = server.local_endpoint().clone();
        let serving = serve(server);
        let options = ClientOptions::new().timeout(DEADLINE).insecure(client_insecure);
        match options.connect(&endpoint, &token) {
            Ok(client) => {
                assert!(server_insecure && client_insecure);
                client.bye();
            }
            Err(error) => {
                assert!(!(server_insecure && client_insecure), "{error:?}");
                assert!(matches!(error, ClientError::NotRemofile { .. }), "{error:?}");
            }
        }
        serving.stop();
    }
}

#[test]
fn without_security_the_token_still_guards_the_session() {
    let directory = tempfile::tempdir().unwrap();
    let server = FileServer::new(&directory, generate_token()).unwrap().insecure(true).bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let serving = serve(server);
    let error = ClientOptions::new().insecure(true).connect(&endpoint, generate_token()).unwrap_err();
    assert!(matches!(error, ClientError::TokenRefused { .. }), "{error:?}");
    serving.stop();
}
