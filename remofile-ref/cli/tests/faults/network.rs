//! Peers that die, vanish, flood, replay and guess: the session is free in time, and others are served.

use remofile::transport::{LinkEvent, set_descriptor_limit};
use remofile::{ClientOptions, FileClient, FileServer};
use remofile_proto::cbor::Item;
use remofile_proto::{Code, Operation, Precondition, encode_request};
use remofile_testkit::peer::{Peer, header, path, random_session, text, token};
use remofile_testkit::process::{DEADLINE, Running, Server, content, make_file, remofile, resident_peak, run};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::skip::skip;
use remofile_testkit::this_test;
use remofile_testkit::unauthenticated::UnauthenticatedPeers;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: usize = 256 << 10;

/// More than this is too much for a server under attack.
const RESIDENT: u64 = 128 << 20;

/// What is promised of a server under any attack.
const RESIDENT_EVER: u64 = 256 << 20;

/// Another token than the server's.
const OTHER_TOKEN: &str = "9mZ7sWq4HnXe6RbKcV3tYp";

fn assert_little_memory(server: &Server) {
    match resident_peak(server.pid()) {
        Some(peak) => assert!(peak < RESIDENT, "{peak} bytes resident"),
        None => skip("/proc does not tell the resident size"),
    }
}

fn mkdir(at: &str) -> Operation {
    Operation::Mkdir { path: path(at) }
}

#[test]
fn a_client_that_is_killed_frees_the_session_within_its_lease() {
    let around = tempfile::tempdir().unwrap();
    let served = around.path().join("served");
    fs::create_dir(&served).unwrap();
    let source = make_file(&around.path().join("source"), 16 << 20, 1);
    let lease = Duration::from_secs(2);
    let mut server = FileServer::new(&served, token()).unwrap().lease(lease).bind("127.0.0.1:0").unwrap();
    let address = format!("127.0.0.1:{}", server.local_port().unwrap()).parse().unwrap();
    let stop = server.stop_handle();
    let serving = thread::spawn(move || server.run().unwrap());
    let relay = Relay::start(address, Cuts { hold_at: 6 << 20, ..Cuts::NONE });
    let command = |through: std::net::SocketAddr, wait: &str| {
        let mut command = remofile();
        command.args(["--wait", wait, "upload", source.to_str().unwrap(), "/"]);
        command.env("REMOFILE_SERVER", through.to_string()).env("REMOFILE_TOKEN", remofile_testkit::process::TOKEN);
        command
    };
    let upload = Running::start(&mut command(relay.address(), "0"));
    remofile_testkit::process::await_staged_bytes(&served, 4 << 20);
    upload.kill();
    let killed = Instant::now();
    let busy = run(&mut command(address, "0"));
    // On a machine that stood still for so long, the lease is over before it can be seen.
    assert!(busy.status.code() == Some(7) || killed.elapsed() > lease, "{busy:?}");
    // Waiting is enough, without --take.
    run(&mut command(address, "50")).success().says("resumed");
    assert!(fs::read(served.join("source")).unwrap() == content(16 << 20, 1), "the content differs");
    stop.stop();
    serving.join().unwrap();
}

#[test]
fn both_ends_of_a_connection_that_fell_silent_notice_by_heartbeat() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let address = server.address();
    let is_silent = Arc::new(AtomicBool::new(false));
    // Forwards in both directions, then forwards nothing more and keeps the connections open.
    let relaying = thread::spawn({
        let is_silent = Arc::clone(&is_silent);
        move || {
            let (near, _) = listener.accept().unwrap();
            let far = TcpStream::connect(address).unwrap();
            let pump = |mut from: TcpStream, mut to: TcpStream| {
                let is_silent = Arc::clone(&is_silent);
                from.set_read_timeout(Some(DEADLINE)).unwrap();
                thread::spawn(move || {
                    let mut buffer = vec![0; 1 << 16];
                    loop {
                        match from.read(&mut buffer) {
                            Ok(0) => return true,
                            Ok(_) if is_silent.load(Ordering::Relaxed) => {}
                            Ok(count) => to.write_all(&buffer[..count]).unwrap(),
                            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
                        }
                    }
                })
            };
            let up = pump(near.try_clone().unwrap(), far.try_clone().unwrap());
            let down = pump(far, near);
            (up.join().unwrap(), down.join().unwrap())
        }
    });
    let mut peer = Peer::open(&endpoint);
    assert_eq!(peer.ask(&mkdir("/before"), None).code, Code::Ok);
    is_silent.store(true, Ordering::Relaxed);
    peer.await_event(LinkEvent::Disconnected);
    let (client_hung_up, server_hung_up) = relaying.join().unwrap();
    assert!(client_hung_up && server_hung_up, "client {client_hung_up}, server {server_hung_up}");
}

#[test]
fn a_thousand_idle_connections_and_a_slow_one_block_no_client_and_are_closed() {
    const IDLE: usize = 1_000;
    match set_descriptor_limit(u64::MAX) {
        Ok(limit) if limit > 2 * IDLE as u64 => {}
        limit => return skip(&format!("there are too few descriptors: {limit:?}")),
    }
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    // One that says its greeting a byte at a time, so that it is never silent.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let dribbling = thread::spawn(move || {
        let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1];
        greeting.resize(64, 0);
        let started = Instant::now();
        for byte in greeting.iter().cycle() {
            if slow.write_all(&[*byte]).is_err()
                || matches!(slow.read(&mut []), Err(ref e) if e.kind() == ErrorKind::ConnectionReset)
            {
                return true;
            }
            if started.elapsed() > DEADLINE {
                return false;
            }
            thread::park_timeout(Duration::from_millis(200));
        }
        false
    });
    let client = FileClient::connect(&server.endpoint.parse().unwrap(), &token(), ClientOptions::new()).unwrap();
    for n in 0..20 {
        client.put(&path(&format!("/{n}")), vec![1; 1_000], Precondition::Absent, None).unwrap();
    }
    for mut connection in idle {
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut said = Vec::new();
        // What the server says of itself, and then the end.
        match connection.read_to_end(&mut said) {
            Ok(_) => assert!(said.len() <= 64, "{} bytes", said.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    assert!(dribbling.join().unwrap(), "the slow one is not hung up on");
    client.stat(&path("/0")).unwrap();
    assert_little_memory(&server);
}

#[test]
fn a_reader_that_takes_nothing_costs_little_memory() {
    let served = tempfile::tempdir().unwrap();
    fs::write(served.path().join("file"), content(CHUNK, 1)).unwrap();
    let server = Server::start(served.path());
    let mut greedy = Peer::open(&server.endpoint);
    // Half a gigabyte of unread replies.
    for seq in 1..=2_000 {
        let read = Operation::Read { path: path("/file"), off: 0, len: CHUNK as u64, etag: None };
        greedy.send(&[&encode_request(greedy.session, seq, &read)]);
    }
    greedy.send(&[&encode_request(greedy.session, 2_001, &mkdir("/last"))]);
    await_path(&served.path().join("last"));
    assert_little_memory(&server);
    let mut next = Peer::connect(&server.endpoint);
    assert_eq!(next.hello(Some(greedy.session)).code, Code::Ok);
}

/// The client that holds the session, and is served whatever others do.
struct Holder {
    client: FileClient,
    made: u32,
}

impl Holder {
    fn new(server: &Server) -> Self {
        let endpoint = server.endpoint.parse().unwrap();
        Self { client: FileClient::connect(&endpoint, &token(), ClientOptions::new()).unwrap(), made: 0 }
    }

    /// Files go up and come back.
    fn is_served(&mut self, server: &Server) {
        for _ in 0..10 {
            self.made += 1;
            let at = path(&format!("/{}", self.made));
            let bytes = content(CHUNK, u64::from(self.made));
            self.client.put(&at, bytes.clone(), Precondition::Absent, None).unwrap();
            assert!(self.client.read(&at, 0, CHUNK as u64, None).unwrap().0 == bytes, "{at}: the content differs");
        }
        match resident_peak(server.pid()) {
            Some(peak) => assert!(peak < RESIDENT_EVER, "{peak} bytes resident"),
            None => skip("/proc does not tell the resident size"),
        }
    }
}

/// A connection that says the greeting of CURVE, and then announces a frame of 8 GiB and sends what it can of it.
fn announce_8_gib(server: &Server) -> TcpStream {
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut said = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1];
    said.extend(b"CURVE");
    said.resize(64, 0);
    said.push(0x06);
    said.extend((8_u64 << 30).to_be_bytes());
    connection.write_all(&said).unwrap();
    let megabyte = vec![0x55; 1 << 20];
    // Until the server hangs up, or takes no more.
    while connection.write(&megabyte).is_ok_and(|count| count > 0) {}
    connection
}

#[test]
fn the_holder_is_served_in_little_memory_while_unauthenticated_peers_announce_frames_of_8_gib() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = Holder::new(&server);
    let _connections: Vec<TcpStream> = (0..32).map(|_| announce_8_gib(&server)).collect();
    holder.is_served(&server);
}

#[test]
fn the_holder_is_served_in_little_memory_while_others_flood_beyond_the_window() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = Holder::new(&server);
    let stop = Arc::new(AtomicBool::new(false));
    // Who has the token, but not the session, sends chunks in the name of one that never was, and reads no answer.
    let flooding: Vec<_> = (0..4)
        .map(|_| {
            let (stop, endpoint) = (Arc::clone(&stop), server.endpoint.clone());
            thread::spawn(move || {
                let mut flood = Peer::connect(&endpoint);
                let (chunk, session) = (vec![7; CHUNK], random_session());
                let operation = Operation::Put { path: path("/flood"), pre: Precondition::Any, mtime_ns: None };
                for seq in 1.. {
                    if stop.load(Ordering::Relaxed)
                        || !flood.send_if_room(&[&encode_request(session, seq, &operation), &chunk])
                    {
                        return;
                    }
                }
            })
        })
        .collect();
    holder.is_served(&server);
    stop.store(true, Ordering::Relaxed);
    flooding.into_iter().for_each(|flood| flood.join().unwrap());
    holder.is_served(&server);
}

#[test]
fn the_holder_is_served_in_little_memory_among_a_thousand_idle_and_a_hundred_slow_connections() {
    match set_descriptor_limit(u64::MAX) {
        Ok(limit) if limit > 2_400 => {}
        limit => return skip(&format!("there are too few descriptors: {limit:?}")),
    }
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = Holder::new(&server);
    let _idle: Vec<TcpStream> = (0..1_000).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for byte in [0xff, 0, 0, 0] {
        // Those that were hung up on meanwhile are of no more interest.
        slow.retain_mut(|connection| connection.write_all(&[byte]).is_ok());
        holder.is_served(&server);
    }
}

#[test]
fn the_holder_is_served_in_little_memory_while_unauthenticated_peers_hold_every_descriptor_that_they_get() {
    const LIMIT: u64 = 600;
    UnauthenticatedPeers::connect_if_asked();
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = Holder::new(&server);
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    if let Err(errno) = prlimit(pid, Resource::Nofile, Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) }) {
        return skip(&format!("prlimit: {errno}"));
    }
    let _peers = UnauthenticatedPeers::start(&this_test!(), server.address().port(), 700);
    let open = || fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() as u64;
    // A quarter is not for unauthenticated peers, who come and go: half are theirs for sure.
    let deadline = Instant::now() + DEADLINE;
    while open() < LIMIT / 2 {
        assert!(Instant::now() < deadline, "the unauthenticated peers get {} descriptors", open());
        thread::park_timeout(Duration::from_millis(20));
    }
    for _ in 0..5 {
        holder.is_served(&server);
        assert!(open() < LIMIT, "every descriptor is taken");
    }
}

#[test]
fn a_whole_window_of_replies_waits_for_a_client_that_is_busy() {
    let served = tempfile::tempdir().unwrap();
    let bytes = content(CHUNK, 1);
    fs::write(served.path().join("file"), &bytes).unwrap();
    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    for seq in 1..=63 {
        let read = Operation::Read { path: path("/file"), off: 0, len: CHUNK as u64, etag: None };
        peer.send(&[&encode_request(peer.session, seq, &read)]);
    }
    peer.send(&[&encode_request(peer.session, 64, &mkdir("/last"))]);
    // All are executed before the first reply is taken.
    await_path(&served.path().join("last"));
    for seq in 1..=63 {
        let told = peer.receive();
        assert_eq!((told.seq, told.code), (seq, Code::Ok));
        assert!(told.payload() == Some(&bytes), "the content differs");
    }
    assert_eq!(peer.receive().seq, 64);
}

fn await_path(path: &Path) {
    let deadline = Instant::now() + DEADLINE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} does not come", path.display());
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn messages_that_are_none_are_refused_or_met_with_silence_and_cost_nothing() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    let session = peer.session;
    let good = header(session, 1, "stat", &[("path", text("/"))]);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let start = &good[..23];
    // Arrays in arrays, and an array and a string that announce 2^62 elements and bytes.
    let nested = [start, b"\x01\x64stat", &vec![0x81; 60_000]].concat();
    let announced = [start, b"\x01\x64stat\x9b\x40\0\0\0\0\0\0\0"].concat();
    let string = [start, b"\x01\x7b\x40\0\0\0\0\0\0\0"].concat();
    let empties = [start, b"\x01\x64stat\xa1\x61x\x99\xff\xfe", &vec![0x60; 60_000]].concat();
    let trailing = [good.as_slice(), b"\0"].concat();
    let long = [start, b"\x01\x64stat\xa1\x61x\x5a\0\x01\0\0", &vec![0; 65_536]].concat();
    for body in [
        vec![start],
        vec![&nested],
        vec![&announced],
        vec![&string],
        vec![&empties],
        vec![&trailing],
        vec![&long],
        vec![&good, &b""[..]],
        vec![&good, &good, &good],
        vec![&good[..good.len() - 1]],
    ] {
        peer.send(&body);
        assert_eq!(peer.receive().code, Code::BadMessage, "{:02x?}", &body[0][..body[0].len().min(40)]);
    }
    for digit in [b'0', b'2', b'9'] {
        peer.send(&[&with(5, digit)]);
        let told = peer.receive();
        assert_eq!((told.code, told.seq), (Code::Version, 0));
    }
    let garbage = content(1_000, 1);
    let reply = encode_reply_like(&good);
    let silent: [&[&[u8]]; 8] =
        [&[b""], &[b"", b""], &[&garbage], &[b"\x85"], &[&good[..22]], &[&with(1, 0x65)], &[&with(5, b'x')], &[&reply]];
    for body in silent {
        peer.send(body);
    }
    // Without a delimiter; and a crowd of frames.
    peer.send_raw(&[&good]);
    peer.send_raw(&[&b"x"[..]; 500]);
    // None of these is answered: the next reply is that to the next request, whose number is still the first.
    assert_eq!(peer.ask(&Operation::Stat { path: path("/") }, None).code, Code::Ok);
    assert_eq!(peer.next, 2);
    assert_little_memory(&server);
}

/// The header with a code in place of the operation, as a reply has it.
fn encode_reply_like(request: &[u8]) -> Vec<u8> {
    [&request[..23], b"\x01\0\xa0"].concat()
}

#[test]
fn a_recorded_session_that_is_replayed_has_no_second_effect() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut peer = Peer::connect(&server.endpoint);
    let session = peer.session;
    let put = |seq, content: &'static [u8]| {
        let pre = Precondition::Any;
        let operation = Operation::Put { path: path("/file"), pre, mtime_ns: None };
        vec![encode_request(session, seq, &operation), content.to_vec()]
    };
    let remove = Operation::Remove { path: path("/file"), etag: None };
    let recorded = [
        vec![peer.hello_header(session, None)],
        put(1, b"one"),
        vec![encode_request(session, 2, &remove)],
        put(3, b"three"),
        vec![encode_request(session, 0, &Operation::Bye)],
    ];
    let replay = |peer: &mut Peer| -> Vec<Code> {
        let replayed = recorded.iter().map(|message| {
            peer.send(&message.iter().map(Vec::as_slice).collect::<Vec<_>>());
            peer.receive().code
        });
        replayed.collect()
    };
    assert_eq!(replay(&mut peer), [Code::Ok; 5]);
    fs::write(served.path().join("file"), "later").unwrap();
    let mut eavesdropper = Peer::connect(&server.endpoint);
    // Remembered replies are no effect, and hello does not open the session again.
    let codes = replay(&mut eavesdropper);
    assert_eq!((codes[0], codes[4]), (Code::NoSession, Code::Ok));
    let mut another = Peer::open(&server.endpoint);
    assert_eq!(replay(&mut eavesdropper), [Code::NoSession; 5]);
    assert_eq!(fs::read(served.path().join("file")).unwrap(), b"later");
    assert_eq!(another.unnumbered(&Operation::Ping).code, Code::Ok);
}

#[test]
fn requests_that_come_twice_late_or_in_another_order_have_one_effect() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    let made = |peer: &Peer, seq: u64| encode_request(peer.session, seq, &mkdir(&format!("/{seq}")));
    let expected = [
        (2, Code::Seq),
        (1, Code::Ok),
        (1, Code::Ok),
        (3, Code::Seq),
        (2, Code::Ok),
        (1, Code::Ok),
        (3, Code::Ok),
        (2, Code::Ok),
        (3, Code::Ok),
        (5, Code::Seq),
    ];
    for (seq, code) in expected {
        peer.send(&[&made(&peer, seq)]);
        assert_eq!(peer.receive().code, code, "{seq}");
    }
    // The same number with another content is distinguished from a resend.
    peer.send(&[&encode_request(peer.session, 3, &mkdir("/other"))]);
    assert_eq!(peer.receive().code, Code::SeqReused);
    let count = fs::read_dir(served.path()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != ".remofile");
    assert_eq!(count.count(), 3);
}

#[test]
fn requests_that_waited_for_a_server_that_was_down_are_refused() {
    let served = tempfile::tempdir().unwrap();
    let mut server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    assert_eq!(peer.ask(&mkdir("/before"), None).code, Code::Ok);
    server.kill();
    peer.await_event(LinkEvent::Disconnected);
    // libzmq keeps them and delivers them to the next server on that port.
    for seq in 2..=4 {
        let header = encode_request(peer.session, seq, &mkdir(&format!("/late-{seq}")));
        peer.send(&[&header]);
    }
    let port = server.address().port().to_string();
    let mut command = remofile();
    command.arg("run").arg(served.path()).arg(&port).env("REMOFILE_TOKEN", remofile_testkit::process::TOKEN);
    let _restarted = Server::start_command(command);
    peer.await_event(LinkEvent::HandshakeSucceeded);
    let header = encode_request(peer.session, 5, &mkdir("/late-5"));
    peer.send(&[&header]);
    loop {
        let told = peer.receive();
        assert_eq!(told.code, Code::NoSession);
        if told.seq == 5 {
            break;
        }
    }
    let late = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_str().unwrap().contains("late");
    assert!(!fs::read_dir(served.path()).unwrap().any(late));
}

#[test]
fn wrong_tokens_fill_no_log_and_show_no_token() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let started = Instant::now();
    let guesses: Vec<Running> = (0..6)
        .map(|_| Running::start(server.client(&["--timeout", "5", "list"]).env("REMOFILE_TOKEN", OTHER_TOKEN)))
        .collect();
    for guess in guesses {
        guess.finish().fails(6);
    }
    server.run(&["list"]);
    let took = started.elapsed().as_secs();
    let (_, log, _) = server.terminate();
    let lines = log.lines().filter(|line| line.contains("handshake") || line.contains("refused")).count() as u64;
    assert!(lines >= 1, "nothing is logged: {log}");
    assert!(lines <= 2 * (took + 2), "{lines} lines in {took} s: {log}");
    assert!(!log.contains(remofile_testkit::process::TOKEN) && !log.contains(OTHER_TOKEN), "{log}");
}

#[test]
fn the_name_of_a_holder_cannot_move_the_cursor_of_another() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let options = ClientOptions::new().name("alice\u{1b}[2J\u{9b}31m\u{202e}\n@desk");
    let _holder = FileClient::connect(&server.endpoint.parse().unwrap(), &token(), options).unwrap();
    for args in [&["--wait", "0", "list"][..], &["--wait", "0", "--json", "list"]] {
        let busy = run(&mut server.client(args)).fails(7).says("alice");
        let said = busy.stderr + &busy.stdout;
        assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn an_unauthenticated_peer_does_not_learn_the_owner_of_the_session() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let _holder = Peer::open(&server.endpoint);
    let mut peer = Peer::connect(&server.endpoint);
    let session = random_session();
    let auth = Item::Bytes(vec![0; 32]);
    peer.send(&[&header(session, 0, "hello", &[("auth", auth), ("client", text("unauthenticated peer"))])]);
    let told = peer.receive();
    assert_eq!((told.code, told.integer("idle_ms")), (Code::Auth, None));
}
