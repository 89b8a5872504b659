//! The examples do what they say.

#[path = "../examples/embed_client.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod embed_client;
#[path = "../examples/embed_server.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod embed_server;
#[path = "../examples/in_process.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod in_process;
#[path = "../examples/lockstep_req.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod lockstep_req;
#[path = "../examples/own_backend.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod own_backend;
#[path = "../examples/remote_zip.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod remote_zip;
#[path = "../examples/share_router.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod share_router;

use remofile::{ClientError, FileClient, FileServer, generate_token};
use remofile_proto::Code;

/// Runs `example` with the endpoint and token of a server, and gives what it printed.
fn against_a_server(example: impl FnOnce(&str, &str, &mut Vec<u8>)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let token = generate_token();
    let mut server = FileServer::new(&directory, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let (endpoint, stop) = (server.local_endpoint().to_string(), server.stop_handle());
    let serving = std::thread::spawn(move || server.run());
    let mut printed = Vec::new();
    example(&endpoint, token.reveal(), &mut printed);
    stop.stop();
    serving.join().unwrap().unwrap();
    String::from_utf8(printed).unwrap()
}

#[test]
fn a_handler_without_a_socket_puts_and_reads() {
    let mut printed = Vec::new();
    in_process::run(&mut printed).unwrap();
    assert_eq!(printed, b"/greeting.txt: hello\n");
}

#[test]
fn a_member_of_an_archive_comes_without_the_archive() {
    let mut printed = Vec::new();
    let (transferred, size) = remote_zip::run(&mut printed).unwrap();
    assert!(transferred < size / 8, "{transferred} of {size} bytes");
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.starts_with("member 20 of 40: 262144 bytes, as they were\n"), "{printed}");
}

#[test]
fn an_embedded_server_serves_and_stops() {
    let mut printed = Vec::new();
    embed_server::run(&mut printed).unwrap();
    assert!(printed.ends_with(b"a client left /greeting.txt: hello\nstopped\n"));
}

#[test]
fn an_embedded_client_puts_and_reads() {
    let printed = against_a_server(|endpoint, token, out| embed_client::run(endpoint, token, out).unwrap());
    assert!(printed.ends_with("has 3890 bytes\nbytes 20 to 22 are \"10\"\n"), "{printed}");
}

#[test]
fn a_router_is_shared() {
    let mut printed = Vec::new();
    share_router::run(&mut printed).unwrap();
    assert_eq!(printed, b"100 questions answered while 40 files were put\n");
}

#[test]
fn a_req_socket_and_the_codec_are_a_client() {
    let printed = against_a_server(|endpoint, token, out| lockstep_req::run(endpoint, token, out).unwrap());
    assert!(printed.starts_with("listed 0 entries of /\n"), "{printed}");
    assert!(printed.ends_with("read \"one request at a time\"\n"), "{printed}");
}

#[test]
fn a_backend_of_its_own_is_served() {
    let (token, local) = (generate_token(), tempfile::tempdir().unwrap());
    let mut server = own_backend::server(&token).unwrap().bind("127.0.0.1:0").unwrap();
    let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    let serving = std::thread::spawn(move || server.run());
    let client = FileClient::new(&endpoint, &token).unwrap();
    let copied = client.download("/", local.path()).unwrap();
    assert_eq!((copied.files, copied.failed), (2, 0));
    let refused = client.mkdir(&"/directory".parse().unwrap()).unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { refusal, .. } if refusal.code == Code::Denied), "{refused}");
    client.bye();
    stop.stop();
    serving.join().unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(local.path().join("hello.txt")).unwrap(), "Hello from a map.\n");
}
