//! The notifications to a service manager, over a socket of the test.

use remofile_testkit::place::Place;
use remofile_testkit::process::{DEADLINE, Server, TOKEN, remofile};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

fn serving(place: &Place, socket: &str) -> Command {
    let mut command = remofile();
    command.arg("run").arg(place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN).env("NOTIFY_SOCKET", socket);
    command
}

fn told(manager: &UnixDatagram) -> String {
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap()
}

#[test]
fn a_manager_is_reported_of_readiness_and_of_the_end() {
    let place = Place::new();
    let socket = place.beside("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let server = Server::start_command(serving(&place, socket.to_str().unwrap()));
    let ready = told(&manager);
    let pid = format!("MAINPID={}", server.pid());
    assert!(ready.lines().any(|line| line == "READY=1") && ready.lines().any(|line| line == pid), "{ready}");
    assert!(ready.lines().any(|line| line.starts_with("STATUS=serving ")), "{ready}");
    assert!(server.terminate().0.success());
    assert!(told(&manager).starts_with("STOPPING=1"));
}

#[test]
fn an_abstract_socket_is_as_good() {
    let place = Place::new();
    let name = format!("remofile-test-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let _server = Server::start_command(serving(&place, &format!("@{name}")));
    assert!(told(&manager).starts_with("READY=1"));
}

#[test]
fn a_watchdog_hears_from_the_loop_again_and_again() {
    let place = Place::new();
    let socket = place.beside("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let mut command = serving(&place, socket.to_str().unwrap());
    command.env("WATCHDOG_USEC", "200000");
    let server = Server::start_command(command);
    assert!(told(&manager).starts_with("READY=1"));
    for _ in 0..5 {
        assert_eq!(told(&manager), "WATCHDOG=1");
    }
    server.run(&["list"]);
    assert!(server.terminate().0.success());
}

#[test]
fn a_watchdog_of_another_process_hears_nothing() {
    let place = Place::new();
    let socket = place.beside("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let mut command = serving(&place, socket.to_str().unwrap());
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let server = Server::start_command(command);
    assert!(told(&manager).starts_with("READY=1"));
    server.run(&["list"]);
    assert!(server.terminate().0.success());
    assert!(told(&manager).starts_with("STOPPING=1"));
}

#[test]
fn a_manager_that_is_gone_or_nonsense_does_not_keep_a_server_from_serving() {
    for socket in ["/nonexistent/notify", "nonsense", "@no-socket-of-this-name"] {
        let place = Place::new();
        let server = Server::start_command(serving(&place, socket));
        server.run(&["list"]);
        let (status, log, _) = server.terminate();
        assert!(status.success() && log.contains("cannot notify the service manager"), "{log}");
    }
}

#[test]
fn nothing_is_reported_before_a_server_is_ready() {
    let place = Place::new();
    let socket = place.beside("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let _holder = Server::start(&place.served());
    let refused = remofile_testkit::process::run(&mut serving(&place, socket.to_str().unwrap()));
    refused.fails(7);
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut [0; 64]).is_err());
}
