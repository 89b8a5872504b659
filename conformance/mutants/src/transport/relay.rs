//! A TCP relay between clients and the socket, for legal variants and mutations of connections.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// How bytes are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayMode {
    /// As they come.
    Plain,
    /// In small pieces.
    Trickle,
    /// Until the connection is closed, between any two frames.
    Cut,
}

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    /// Whether a frame that goes this way is the last, and not one that goes up.
    Down {
        last: bool,
    },
}

/// Bytes that both ends send before their first frame.
pub(super) const GREETING: usize = 64;
/// The flags of a frame: its length has eight bytes; it is a command, as those of the handshake are.
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The least frames of messages that come back before a connection is closed, and how far their numbers go beyond: every
/// place of a message has its turn, and each connection gets something done.
const LEAST: u64 = 16;
const SPREAD: u64 = 61;

/// The largest piece of a trickle in bytes, and the pause after each.
const PIECE: usize = 8_192;
const PAUSE: Duration = Duration::from_micros(200);

/// Listens at a port, 0 for a free one, for clients of the socket at `target`; gives the address.
pub(super) fn start(port: u16, target: &str, mode: RelayMode) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let target = target.trim_start_matches("tcp://").to_owned();
    thread::Builder::new().name("relay".to_owned()).spawn(move || {
        for (number, client) in (0..).zip(listener.incoming()) {
            // A connection that fails is one that ends early.
            let _ = client.and_then(|client| connect(&client, &target, mode, number));
        }
    })?;
    Ok(format!("tcp://{address}"))
}

/// Hands on both ways, each in a thread of its own, until either side is through.
fn connect(client: &TcpStream, target: &str, mode: RelayMode, number: u64) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    join_by(client, &server, mode, number)
}

/// Forwards both ways as it comes.
pub(super) fn join(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    join_by(client, server, RelayMode::Plain, 0)
}

fn join_by(client: &TcpStream, server: &TcpStream, mode: RelayMode, number: u64) -> io::Result<()> {
    let left = Arc::new(AtomicU64::new(LEAST + number.wrapping_mul(23) % SPREAD));
    // Of two connections one loses a reply, and the other a request.
    let (up, down) = (Direction::Up, Direction::Down { last: number.is_multiple_of(2) });
    for (from, to, way) in [(client, server, up), (server, client, down)] {
        to.set_nodelay(true)?;
        let (mut from, mut to, left) = (from.try_clone()?, to.try_clone()?, Arc::clone(&left));
        thread::Builder::new().spawn(move || {
            // However it ends, this is the end of the connection.
            let _ = match mode {
                RelayMode::Plain => io::copy(&mut from, &mut to).map(drop),
                RelayMode::Trickle => trickle(&mut from, &mut to),
                RelayMode::Cut => pass_frames(&mut from, &mut to, way, &left),
            };
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        })?;
    }
    Ok(())
}

fn trickle(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    for turn in 1_usize.. {
        // Anything from one byte on, and far from the sizes of frames.
        let size = turn.wrapping_mul(5_003) % PIECE + 1;
        let came = from.read(&mut buffer[..size])?;
        if came == 0 {
            break;
        }
        to.write_all(&buffer[..came])?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Passes frame by frame until none is `left` of those that come back, and as its way says.
fn pass_frames(from: &mut impl Read, to: &mut impl Write, way: Direction, left: &AtomicU64) -> io::Result<()> {
    pass(from, to, GREETING as u64)?;
    loop {
        let mut head = [0; 9];
        from.read_exact(&mut head[..2])?;
        let long = head[0] & LONG != 0;
        let (len, size) = if long {
            from.read_exact(&mut head[2..])?;
            (u64::from_be_bytes(std::array::from_fn(|at| head[at + 1])), 9)
        } else {
            (head[1].into(), 2)
        };
        let is_message = head[0] & COMMAND == 0;
        let is_over = is_message
            && match way {
                Direction::Up => left.load(Relaxed) == 0,
                Direction::Down { last } => {
                    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() && last
                }
            };
        if is_over {
            return Ok(());
        }
        to.write_all(&head[..size])?;
        pass(from, to, len)?;
    }
}

/// Passes so many bytes.
fn pass(from: &mut impl Read, to: &mut impl Write, len: u64) -> io::Result<()> {
    match io::copy(&mut from.take(len), to)? {
        passed if passed == len => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
