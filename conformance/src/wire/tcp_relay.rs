//! A TCP relay that passes, delays, holds, discards and injects bytes between a client and the server, and cuts connections.
//!
//! The bytes are encrypted: the relay counts them and does not interpret them.

use crate::{
    engine::error::{CaseError, CaseResult, not_applicable},
    wire::connection::ServerTarget,
};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// The most bytes of one read.
const PIECE: usize = 16 * 1_024;
/// The most pieces that wait for the delay, per connection and direction.
const PIECES: usize = 64;
/// How long connecting to the server may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowDirection {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What happens to bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Treatment {
    #[default]
    Pass,
    /// They are held until the treatment changes.
    Hold,
    /// They are discarded.
    Discard,
}

/// A relay on its own port, which ends when it is dropped.
pub(crate) struct TcpRelay {
    address: SocketAddr,
    shared: Arc<RelayShared>,
}

#[derive(Default)]
struct RelayShared {
    state: Mutex<State>,
    /// Notified on every change of the state.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ways: [Flow; 2],
    delay: Duration,
    /// The open connections, each with a number and both its ends.
    connections: Vec<(u64, [TcpStream; 2])>,
    /// The number of the next connection.
    next: u64,
    over: bool,
}

#[derive(Default)]
struct Flow {
    treatment: Treatment,
    /// Bytes received, passed or not.
    came: u64,
    /// Bytes that may pass before the connections are cut.
    left: Option<u64>,
}

impl TcpRelay {
    /// A relay to the server.
    pub(crate) fn to(target: &ServerTarget) -> CaseResult<Self> {
        let Some(address) = target.endpoint.strip_prefix("tcp://") else {
            return not_applicable(format!("{} is not a TCP address, so no relay can be used", target.endpoint));
        };
        let harness = |error: io::Error| CaseError::Harness(format!("no relay could be set up: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(harness)?;
        let relay = Self { address: listener.local_addr().map_err(harness)?, shared: Arc::default() };
        let (shared, server) = (Arc::clone(&relay.shared), address.to_owned());
        thread::spawn(move || accept(&listener, &server, &shared));
        Ok(relay)
    }

    /// The server's address through this relay.
    pub(crate) fn target(&self, target: &ServerTarget) -> ServerTarget {
        ServerTarget { endpoint: format!("tcp://{}", self.address), ..target.clone() }
    }

    /// Passes all bytes, also those held so far.
    pub(crate) fn pass(&self) {
        self.treat(FlowDirection::Up, Treatment::Pass);
        self.treat(FlowDirection::Down, Treatment::Pass);
    }

    /// Holds bytes of that direction until [`TcpRelay::pass`] or a cut.
    pub(crate) fn hold(&self, way: FlowDirection) {
        self.treat(way, Treatment::Hold);
    }

    /// Discards bytes of that direction until [`TcpRelay::pass`]. The connection is unusable afterwards.
    pub(crate) fn discard(&self, way: FlowDirection) {
        self.treat(way, Treatment::Discard);
    }

    /// Delays all bytes.
    pub(crate) fn delay(&self, by: Duration) {
        self.shared.lock().delay = by;
    }

    /// Cuts every connection; new ones are accepted.
    pub(crate) fn cut(&self) {
        self.shared.lock().cut();
        self.shared.changed.notify_all();
    }

    /// Passes a number of further bytes that way and then cuts the connections, also within a message.
    pub(crate) fn cut_after(&self, way: FlowDirection, bytes: u64) {
        self.shared.lock().ways[way as usize].left = Some(bytes);
        self.shared.changed.notify_all();
    }

    /// Sends bytes to the server as if they came from the client, which must be silent meanwhile.
    pub(crate) fn inject(&self, bytes: &[u8]) -> CaseResult {
        let state = self.shared.lock();
        let (_, [_, server]) = state
            .connections
            .first()
            .ok_or_else(|| CaseError::Harness("no connection goes through the relay".into()))?;
        let mut server = server;
        server.write_all(bytes).map_err(|error| CaseError::Harness(format!("the relay cannot send: {error}")))
    }

    /// How many bytes that way the relay has received, passed or not.
    pub(crate) fn bytes_received(&self, way: FlowDirection) -> u64 {
        self.shared.lock().ways[way as usize].came
    }

    /// Waits until the relay has received `in_all` bytes that way; returns false at the deadline.
    pub(crate) fn await_bytes(&self, way: FlowDirection, in_all: u64, deadline: Instant) -> bool {
        self.await_state(deadline, |state| state.ways[way as usize].came >= in_all)
    }

    /// Waits until no connection is open; returns false at the deadline.
    pub(crate) fn await_cut(&self, deadline: Instant) -> bool {
        self.await_state(deadline, |state| state.connections.is_empty())
    }

    fn await_state(&self, deadline: Instant, holds: impl Fn(&State) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), left, |state| !holds(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        holds(&state)
    }

    fn treat(&self, way: FlowDirection, treatment: Treatment) {
        self.shared.lock().ways[way as usize].treatment = treatment;
        self.shared.changed.notify_all();
    }
}

impl Drop for TcpRelay {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.over = true;
            state.cut();
        }
        self.shared.changed.notify_all();
        // Wakes the accepting thread. If it has ended already, the connection fails.
        let _ = TcpStream::connect(self.address);
    }
}

impl RelayShared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut(&mut self) {
        self.ways.iter_mut().for_each(|flow| flow.left = None);
        self.connections.drain(..).for_each(|(_, ends)| close(&ends));
    }

    fn cut_one(&mut self, connection: u64) {
        let found = self.connections.iter().position(|(number, _)| *number == connection);
        if let Some(index) = found {
            close(&self.connections.swap_remove(index).1);
        }
    }

    fn has(&self, connection: u64) -> bool {
        self.connections.iter().any(|(number, _)| *number == connection)
    }
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // The end may be closed already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, server: &str, shared: &Arc<RelayShared>) {
    for client in listener.incoming() {
        if shared.lock().over {
            return;
        }
        // A client whose server cannot be reached sees its connection closed.
        let Ok(client) = client else { continue };
        let Ok(upstream) = connect(server) else { continue };
        if join(client, upstream, shared).is_err() {
            continue;
        }
    }
}

fn connect(server: &str) -> io::Result<TcpStream> {
    use std::net::ToSocketAddrs;
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Passes bytes between two ends, with a reading and a writing thread for each direction.
fn join(client: TcpStream, server: TcpStream, shared: &Arc<RelayShared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [client.try_clone()?, server.try_clone()?];
    let ways = [(FlowDirection::Up, client.try_clone()?, server.try_clone()?), (FlowDirection::Down, server, client)];
    let connection = {
        let mut state = shared.lock();
        state.next += 1;
        let number = state.next;
        state.connections.push((number, ends));
        number
    };
    for (way, from, to) in ways {
        let (give, take) = sync_channel(PIECES);
        let (taking, giving) = (Arc::clone(shared), Arc::clone(shared));
        thread::spawn(move || read_pieces(from, way, &give, &taking));
        thread::spawn(move || {
            write_pieces(to, way, &take, &giving, connection);
            // The end of one direction ends the other.
            giving.lock().cut_one(connection);
            giving.changed.notify_all();
        });
    }
    Ok(())
}

fn read_pieces(mut from: TcpStream, way: FlowDirection, give: &SyncSender<(Instant, Vec<u8>)>, shared: &RelayShared) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        shared.lock().ways[way as usize].came += length as u64;
        shared.changed.notify_all();
        if give.send((Instant::now(), piece[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn write_pieces(
    mut to: TcpStream,
    way: FlowDirection,
    take: &Receiver<(Instant, Vec<u8>)>,
    shared: &RelayShared,
    connection: u64,
) {
    for (came, piece) in take {
        let due = came + shared.lock().delay;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let Some((length, last)) = passing(piece.len(), way, shared, connection) else { return };
        if to.write_all(&piece[..length]).is_err() || last {
            return;
        }
    }
}

/// Waits while bytes are held; returns how much of a piece may pass and whether it is the last, or `None` when the
/// connection has been cut.
fn passing(length: usize, way: FlowDirection, shared: &RelayShared, connection: u64) -> Option<(usize, bool)> {
    let withheld = |state: &mut State| state.has(connection) && state.ways[way as usize].treatment == Treatment::Hold;
    let mut state = shared.changed.wait_while(shared.lock(), withheld).unwrap_or_else(PoisonError::into_inner);
    if !state.has(connection) {
        return None;
    }
    let flow = &mut state.ways[way as usize];
    if flow.treatment == Treatment::Discard {
        return Some((0, false));
    }
    let Some(left) = flow.left else { return Some((length, false)) };
    let passes = usize::try_from(left).unwrap_or(usize::MAX).min(length);
    let rest = left - passes as u64;
    flow.left = (rest > 0).then_some(rest);
    Some((passes, rest == 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::wire::connection::Security;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// A relay, and both ends of a connection through it.
    fn connected() -> (TcpRelay, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = relay_to(&listener);
        let (client, server) = connect_through(&relay, &listener);
        (relay, client, server)
    }

    fn relay_to(listener: &TcpListener) -> TcpRelay {
        let target = ServerTarget {
            endpoint: format!("tcp://{}", listener.local_addr().unwrap()),
            security: Security::Insecure,
            token: "TTA3rMB8VtNYv25kdipkaJ".parse().unwrap(),
        };
        TcpRelay::to(&target).unwrap()
    }

    fn connect_through(relay: &TcpRelay, listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(relay.address).unwrap();
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(DEADLINE)).unwrap();
        }
        (client, server)
    }

    fn rest(mut end: TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = end.read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn bytes_pass_in_both_directions() {
        let (_relay, mut client, mut server) = connected();
        client.write_all(b"up").unwrap();
        server.write_all(b"down").unwrap();
        let (mut up, mut down) = ([0; 2], [0; 4]);
        server.read_exact(&mut up).unwrap();
        client.read_exact(&mut down).unwrap();
        assert_eq!((&up, &down), (b"up", b"down"));
    }

    #[test]
    fn a_cut_closes_both_ends() {
        let (relay, client, server) = connected();
        relay.cut();
        assert!(relay.await_cut(Instant::now() + DEADLINE));
        assert_eq!((rest(client), rest(server)), (vec![], vec![]));
    }

    #[test]
    fn a_cut_after_bytes_lets_exactly_so_many_pass() {
        let (relay, mut client, server) = connected();
        relay.cut_after(FlowDirection::Up, 3);
        client.write_all(b"abcdef").unwrap();
        assert!(relay.await_cut(Instant::now() + DEADLINE));
        assert_eq!(rest(server), b"abc");
    }

    #[test]
    fn held_bytes_are_counted_and_pass_later() {
        let (relay, mut client, mut server) = connected();
        relay.hold(FlowDirection::Up);
        client.write_all(b"late").unwrap();
        assert!(relay.await_bytes(FlowDirection::Up, 4, Instant::now() + DEADLINE));
        server.set_nonblocking(true).unwrap();
        assert_eq!(server.read(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        server.set_nonblocking(false).unwrap();
        relay.pass();
        let mut late = [0; 4];
        server.read_exact(&mut late).unwrap();
        assert_eq!(&late, b"late");
    }

    #[test]
    fn discarded_bytes_never_arrive() {
        let (relay, mut client, server) = connected();
        relay.discard(FlowDirection::Up);
        client.write_all(b"gone").unwrap();
        assert!(relay.await_bytes(FlowDirection::Up, 4, Instant::now() + DEADLINE));
        relay.cut();
        assert_eq!(rest(server), b"");
    }

    #[test]
    fn the_end_of_one_connection_leaves_the_others() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = relay_to(&listener);
        let (client, server) = connect_through(&relay, &listener);
        let (mut second, mut upstream) = connect_through(&relay, &listener);
        drop(client);
        assert_eq!(rest(server), b"");
        second.write_all(b"x").unwrap();
        upstream.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn injected_bytes_reach_the_server() {
        let (relay, mut client, mut server) = connected();
        client.write_all(b"a").unwrap();
        server.read_exact(&mut [0]).unwrap();
        relay.inject(b"injected").unwrap();
        let mut bytes = [0; 8];
        server.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"injected");
    }

    #[test]
    fn a_connection_that_the_server_closes_is_gone() {
        let (relay, _client, server) = connected();
        drop(server);
        assert!(relay.await_cut(Instant::now() + DEADLINE));
    }

    #[test]
    fn a_delay_is_kept() {
        let (relay, mut client, mut server) = connected();
        let delay = Duration::from_millis(50);
        relay.delay(delay);
        let sent = Instant::now();
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        assert!(sent.elapsed() >= delay);
    }
}
