//! Mutations of how connections begin: what stands before the socket reads each greeting first, and judges for itself.

use super::relay;
use crate::{Mutation, behaviour::Behaviour, mutations};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// The greeting of a ZMTP 3.1 peer up to its mechanism, which is how long libzmq waits before it says which one it has.
const SIGNATURE: [u8; 12] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];

/// Where the mechanism stands in a greeting, and how many bytes it has.
const MECHANISM: std::ops::Range<usize> = 12..32;

/// What a client that knows CURVE says first: a command of 200 bytes, and its name.
const HELLO: [u8; 8] = *b"\x04\xc8\x05HELLO";

/// How many bytes that command has with its head, and how many at its end are the box that proves its key.
const HELLO_LEN: usize = 202;
const BOX: usize = 80;

/// How long a client may take to say which mechanism it wants.
const SAYS_WITHIN: Duration = Duration::from_millis(500);

/// How long a client may take to close its connection before it counts as company: libzmq closes one some time after the
/// program did.
const CLOSES_WITHIN: Duration = Duration::from_millis(500);

/// The mutations that are of here.
const MUTATIONS: [&Mutation; 6] = [
    &mutations::keys::FALLS_BACK,
    &mutations::keys::ANY_MECHANISM,
    &mutations::keys::HELLO_UNOPENED,
    &mutations::keys::ONE_CONNECTION,
    &mutations::envelope::NONSENSE_ENDS_IT,
    &mutations::envelope::GREETS_IN_TURN,
];

/// Whether the selected mutation needs the interceptor.
pub(super) fn is_needed(behaviour: &Behaviour) -> bool {
    MUTATIONS.into_iter().any(|mutation| behaviour.selects(mutation))
}

/// What stands before the sockets.
#[derive(Clone)]
struct Interceptor {
    /// The socket with CURVE, and the one without.
    secured: String,
    insecure: String,
    behaviour: Behaviour,
    has_ended: Arc<AtomicBool>,
}

/// Listens at a port, 0 for a free one, for clients of the sockets at `secured` and `insecure`; gives the address.
pub(super) fn start(port: u16, secured: &str, insecure: &str, behaviour: Behaviour) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let [secured, insecure] = [secured, insecure].map(|at| at.trim_start_matches("tcp://").to_owned());
    let interceptor = Interceptor { secured, insecure, behaviour, has_ended: Arc::default() };
    thread::Builder::new().name("front".to_owned()).spawn(move || {
        let mut connected = Vec::new();
        for client in listener.incoming().flatten() {
            interceptor.accept(client, &mut connected);
        }
    })?;
    Ok(format!("tcp://{address}"))
}

impl Interceptor {
    /// Serves a connection; one that fails ends early.
    fn accept(&self, client: TcpStream, connected: &mut Vec<TcpStream>) {
        if self.has_ended.load(Relaxed) || self.is_one_too_many(&client, connected) {
            return;
        }
        if self.behaviour.selects(&mutations::envelope::GREETS_IN_TURN) {
            let _ = self.greet_patiently(client);
            return;
        }
        let front = self.clone();
        thread::spawn(move || front.greet(client));
    }

    /// A mutation: refuses a client while another one stays connected.
    fn is_one_too_many(&self, client: &TcpStream, connected: &mut Vec<TcpStream>) -> bool {
        if !self.behaviour.selects(&mutations::keys::ONE_CONNECTION) {
            return false;
        }
        let deadline = Instant::now() + CLOSES_WITHIN;
        while !connected.is_empty() && Instant::now() < deadline {
            wait_for_close(connected, deadline);
        }
        if !connected.is_empty() && self.behaviour.has(&mutations::keys::ONE_CONNECTION) {
            return true;
        }
        connected.extend(client.try_clone());
        false
    }

    /// Waits for the whole greeting, however long that takes.
    fn greet_patiently(&self, mut client: TcpStream) -> io::Result<()> {
        let (mut greeting, mut own) = ([0; relay::GREETING], [0; relay::GREETING]);
        let mut server = TcpStream::connect(&self.secured)?;
        server.write_all(&SIGNATURE)?;
        server.read_exact(&mut own)?;
        client.write_all(&own)?;
        let at_once = self.read_greeting(&mut client, &mut greeting)?;
        if at_once < greeting.len() && self.behaviour.has(&mutations::envelope::GREETS_IN_TURN) {
            client.read_exact(&mut greeting[at_once..])?;
        }
        server.write_all(&greeting[SIGNATURE.len()..])?;
        self.join(&client, &server)
    }

    /// Looks how a client begins, and connects it with the socket that is for it.
    fn greet(&self, mut client: TcpStream) -> io::Result<()> {
        let mut greeting = [0; relay::GREETING];
        client.write_all(&SIGNATURE)?;
        let came = self.read_greeting(&mut client, &mut greeting)?;
        let speaks = Speaks::of(&greeting[..came]);
        if speaks == Speaks::Nonsense && self.behaviour.has(&mutations::envelope::NONSENSE_ENDS_IT) {
            self.has_ended.store(true, Relaxed);
            return Ok(());
        }
        match speaks {
            Speaks::Old | Speaks::Nonsense if self.behaviour.has(&mutations::keys::ANY_MECHANISM) => {
                let mut server = TcpStream::connect(&self.insecure)?;
                server.write_all(&greeting[..came])?;
                self.join(&client, &server)
            }
            Speaks::Null if self.behaviour.has(&mutations::keys::FALLS_BACK) => {
                let server = self.connect(&self.insecure, &greeting)?;
                self.join(&client, &server)
            }
            Speaks::Null | Speaks::Another if self.behaviour.has(&mutations::keys::ANY_MECHANISM) => {
                let server = self.connect(&self.insecure, &null(greeting))?;
                self.join(&client, &server)
            }
            Speaks::Curve => self.await_hello(client, &greeting),
            _ => {
                let server = self.connect(&self.secured, &greeting[..came])?;
                self.join(&client, &server)
            }
        }
    }

    /// Looks at the first command of a client that said CURVE.
    fn await_hello(&self, mut client: TcpStream, greeting: &[u8; relay::GREETING]) -> io::Result<()> {
        let mut server = self.connect(&self.secured, greeting)?;
        let mut rest = [0; relay::GREETING - SIGNATURE.len()];
        server.read_exact(&mut rest)?;
        client.write_all(&rest)?;
        let mut first = vec![0; 2];
        client.read_exact(&mut first)?;
        if first[1] == 0 && self.behaviour.has(&mutations::envelope::NONSENSE_ENDS_IT) {
            self.has_ended.store(true, Relaxed);
            return Ok(());
        }
        if first == HELLO[..2] {
            first.resize(HELLO_LEN, 0);
            client.read_exact(&mut first[2..])?;
        }
        let is_hello = first.starts_with(&HELLO);
        if is_hello && first.ends_with(&[0; BOX]) && self.behaviour.has(&mutations::keys::HELLO_UNOPENED) {
            client.write_all(&[&b"\x04\xa8\x07WELCOME"[..], &[0; 160]].concat())?;
            return io::copy(&mut client, &mut io::sink()).map(drop);
        }
        if !is_hello && self.behaviour.has(&mutations::keys::ANY_MECHANISM) {
            server = self.connect(&self.insecure, &null(*greeting))?;
        }
        server.write_all(&first)?;
        self.join(&client, &server)
    }

    /// Reads what arrives of a greeting within its time, and nothing after it.
    fn read_greeting(&self, client: &mut TcpStream, greeting: &mut [u8; relay::GREETING]) -> io::Result<usize> {
        let mut came = 0;
        client.set_read_timeout(Some(SAYS_WITHIN))?;
        while came < greeting.len() && Speaks::of(&greeting[..came]) == Speaks::Half {
            match client.read(&mut greeting[came..]) {
                Ok(0) | Err(_) => break,
                Ok(more) => came += more,
            }
        }
        client.set_read_timeout(None)?;
        Ok(came)
    }

    /// Greets one of the sockets as the client did, and takes off what the client has been sent already.
    fn connect(&self, to: &str, greeting: &[u8]) -> io::Result<TcpStream> {
        let mut server = TcpStream::connect(to)?;
        server.write_all(greeting)?;
        // Half a greeting is answered by half of one.
        if greeting.len() >= SIGNATURE.len() {
            server.read_exact(&mut [0; SIGNATURE.len()])?;
        }
        Ok(server)
    }

    fn join(&self, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
        if self.has_ended.load(Relaxed) {
            return Ok(());
        }
        relay::join(client, server)
    }
}

/// Waits until one of the clients closes its connection, and removes those that did.
fn wait_for_close(connected: &mut Vec<TcpStream>, deadline: Instant) {
    let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
    let mut polled: Vec<PollFd<'_>> = connected.iter().map(|client| PollFd::new(client, PollFlags::RDHUP)).collect();
    // After an interruption the caller waits again.
    let _ = poll(&mut polled, left.as_ref());
    let is_open: Vec<bool> = polled.iter().map(|client| client.revents().is_empty()).collect();
    let mut is_open = is_open.into_iter();
    connected.retain(|_| is_open.next().unwrap_or(true));
}

/// What a client says that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Curve,
    Null,
    Another,
    /// ZMTP 1 or 2.
    Old,
    /// Not all of a greeting.
    Half,
    Nonsense,
}

impl Speaks {
    fn of(greeting: &[u8]) -> Self {
        match greeting {
            [] | [1] => Self::Half,
            [0xff, rest @ ..] => match (rest.get(8), rest.get(9)) {
                (Some(flags), _) if flags & 1 == 0 => Self::Nonsense,
                (_, Some(0..=2)) => Self::Old,
                _ if greeting.len() < relay::GREETING => Self::Half,
                _ => match greeting[MECHANISM].trim_ascii_end() {
                    name if name.starts_with(b"CURVE\0") => Self::Curve,
                    name if name.starts_with(b"NULL\0") => Self::Null,
                    [b'A'..=b'Z', ..] => Self::Another,
                    _ => Self::Nonsense,
                },
            },
            [1, 0, ..] => Self::Old,
            _ => Self::Nonsense,
        }
    }
}

/// The same greeting of a client that knows no mechanism.
fn null(mut greeting: [u8; relay::GREETING]) -> [u8; relay::GREETING] {
    greeting[MECHANISM].fill(0);
    greeting[MECHANISM][..4].copy_from_slice(b"NULL");
    greeting
}
