//! A server whose descriptors are used up by unauthenticated peers.

use remofile::transport::{
    Bounds, ClientSecurity, ClientSocket, ClientSocketOptions, Context, CurveKey, Endpoint, LinkEvent, Message,
    ServerPattern, ServerSecurity, ServerSocket, Wake,
};
use remofile_testkit::own_process::alone;
use remofile_testkit::this_test;
use remofile_testkit::unauthenticated::UnauthenticatedPeers;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// No step of a test takes longer, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Descriptors that are left to the process; a quarter of the limit is kept for others than unauthenticated peers.
const SPARE: u64 = 60;

/// How long it is watched whether a core is kept busy.
const WATCHED: Duration = Duration::from_secs(3);

/// How many descriptors are open; `None` when there is none left to look with.
fn descriptors() -> Option<u64> {
    std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64)
}

/// What all threads of this process have used.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap())
}

fn await_handshake(client: &mut ClientSocket) {
    while client.poll(DEADLINE).unwrap() != Wake::Event(LinkEvent::HandshakeSucceeded) {}
}

fn round_trip(server: &mut ServerSocket, client: &mut ClientSocket) {
    client.send(vec![Message::new(), "header".into()]).unwrap();
    let request = server.recv(DEADLINE).unwrap().expect("the request comes");
    server.send(request).unwrap();
    assert_eq!(client.poll(DEADLINE).unwrap(), Wake::Readable);
    assert!(client.recv().unwrap().is_some());
}

#[test]
fn a_client_is_served_while_unauthenticated_peers_use_up_the_descriptors_and_others_are_when_they_are_gone() {
    UnauthenticatedPeers::connect_if_asked();
    let test = this_test!();
    alone(&test, || serve_while_peers_use_up_the_descriptors(&test));
}

fn serve_while_peers_use_up_the_descriptors(test: &str) {
    let (own, others) = (zmq::CurveKeyPair::new().unwrap(), zmq::CurveKeyPair::new().unwrap());
    let security =
        ServerSecurity::Curve { secret: CurveKey::new(own.secret_key), admitted: CurveKey::new(others.public_key) };
    let of_client = ClientSecurity::Curve {
        server: CurveKey::new(own.public_key),
        public: CurveKey::new(others.public_key),
        secret: CurveKey::new(others.secret_key),
    };
    let endpoint = "127.0.0.1:0".parse().unwrap();
    let bounds = Bounds::default();
    let mut server = ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &security, &bounds).unwrap();
    let endpoint = server.local_endpoint().unwrap();
    let connect =
        || ClientSocket::connect(&Context::new(), &endpoint, &of_client, &ClientSocketOptions::default()).unwrap();
    let mut client = connect();
    await_handshake(&mut client);

    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = Some(descriptors().unwrap() + SPARE);
    setrlimit(Resource::Nofile, limit).unwrap();
    let Endpoint::Tcp { port, .. } = &endpoint else { panic!("not TCP") };
    let peers = UnauthenticatedPeers::start(test, *port, 200);
    let kept = limit.current.unwrap() / 4;
    let deadline = Instant::now() + DEADLINE;
    while descriptors().is_some_and(|open| open + kept + 2 < limit.current.unwrap()) {
        assert!(Instant::now() < deadline, "the unauthenticated peers do not use the descriptors up");
        std::thread::yield_now();
    }
    for _ in 0..100 {
        round_trip(&mut server, &mut client);
    }
    // A connection that waits to be accepted keeps no core busy.
    let (busy, started) = (processor_time(), Instant::now());
    while started.elapsed() < WATCHED {
        assert!(server.recv(WATCHED.saturating_sub(started.elapsed())).unwrap().is_none());
    }
    let busy = processor_time() - busy;
    assert!(busy < started.elapsed() / 3, "{busy:?} of {:?} were spent on unauthenticated peers", started.elapsed());
    round_trip(&mut server, &mut client);

    drop(peers);
    limit.current = before;
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut another = connect();
    await_handshake(&mut another);
    round_trip(&mut server, &mut another);
}
