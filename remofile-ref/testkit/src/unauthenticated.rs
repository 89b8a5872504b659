//! Unauthenticated peers that use up the connections of a server on this machine.

use crate::own_process::{self, OwnProcess};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// TCP alone would wait a second, and twice as long each time, before it asks again for a connection that was not accepted.
const RETRY_AFTER: Duration = Duration::from_millis(250);

const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the process prints once it has made all its connections.
const READY: &str = "the peers connect";

/// A process that keeps connections open on which it sends nothing; killed when dropped.
pub struct UnauthenticatedPeers(#[expect(dead_code, reason = "dropping it ends the process")] OwnProcess);

impl UnauthenticatedPeers {
    /// Starts a test again as the process; it has to call [`connect_if_asked`](Self::connect_if_asked) first.
    pub fn start(test: &str, port: u16, count: usize) -> Self {
        let mut process = own_process::start(test, "peers", &format!("{port} {count}"));
        let ready = BufReader::new(process.stdout()).lines().map(Result::unwrap).any(|line| line.ends_with(READY));
        assert!(ready, "the peers do not start");
        Self(process)
    }

    /// In the process that [`start`](Self::start) started, connects until that process is killed; elsewhere does nothing.
    pub fn connect_if_asked() {
        if let Some(asked) = own_process::asked("peers") {
            let (port, count) = asked.split_once(' ').unwrap();
            connect(port.parse().unwrap(), count.parse().unwrap());
        }
    }
}

struct Connection {
    socket: Socket,
    /// When it was asked for; none once it is accepted.
    pending_since: Option<Instant>,
}

impl Connection {
    fn new(address: &SockAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        // The result arrives as an event.
        let _ = socket.connect(address);
        Self { socket, pending_since: Some(Instant::now()) }
    }

    fn is_late(&self) -> bool {
        self.pending_since.is_some_and(|since| since.elapsed() > RETRY_AFTER)
    }

    fn is_closed(&mut self) -> bool {
        !matches!(self.socket.read(&mut [0; 100]), Ok(1..))
    }
}

/// Keeps so many connections open or pending: a connection that the server closes is replaced at once.
fn connect(port: u16, count: usize) -> ! {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let address = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut connections: Vec<Connection> = (0..count).map(|_| Connection::new(&address)).collect();
    println!("{READY}");
    loop {
        let mut polled: Vec<PollFd<'_>> = connections
            .iter()
            .map(|connection| match connection.pending_since {
                Some(_) => PollFd::new(&connection.socket, PollFlags::IN | PollFlags::OUT),
                None => PollFd::new(&connection.socket, PollFlags::IN),
            })
            .collect();
        poll(&mut polled, Some(&LOOK_EVERY)).unwrap();
        let events: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        for (connection, events) in connections.iter_mut().zip(events) {
            if events == PollFlags::OUT {
                connection.pending_since = None;
            } else if (!events.is_empty() && connection.is_closed()) || connection.is_late() {
                *connection = Connection::new(&address);
            }
        }
    }
}
