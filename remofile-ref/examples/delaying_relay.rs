//! Passes TCP connections on, and delays all that passes: a long way on one machine.
//!
//!     cargo run --release --example delaying_relay -- HOST:PORT ROUND_TRIP_MS
//!
//! Prints where it listens, on loopback, and runs until it is killed. Half the round trip is spent on each way; the rate
//! is not limited, and up to 64 MiB are on their way in each direction.

use std::{
    env,
    error::Error,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// The most that is read at once.
const PIECE: usize = 64 << 10;

/// The most pieces on their way.
const PIECES: usize = 1024;

/// Bytes, and when they have arrived; the end is empty.
type Piece = (Instant, Vec<u8>);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, round_trip] = &arguments[..] else { return Err("say HOST:PORT ROUND_TRIP_MS".into()) };
    let delay = Duration::from_micros(round_trip.parse::<u64>()? * 500);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    for client in listener.incoming() {
        let client = client?;
        let Ok(server) = TcpStream::connect(server) else { continue };
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        pass(client.try_clone()?, server.try_clone()?, delay);
        pass(server, client, delay);
    }
    Ok(())
}

fn pass(from: TcpStream, to: TcpStream, delay: Duration) {
    let (sender, receiver) = sync_channel(PIECES);
    thread::spawn(move || read(from, &sender, delay));
    thread::spawn(move || write(to, &receiver));
}

fn read(mut from: TcpStream, pieces: &SyncSender<Piece>, delay: Duration) {
    loop {
        let mut piece = vec![0; PIECE];
        let length = from.read(&mut piece).unwrap_or(0);
        piece.truncate(length);
        if pieces.send((Instant::now() + delay, piece)).is_err() || length == 0 {
            return;
        }
    }
}

fn write(mut to: TcpStream, pieces: &Receiver<Piece>) {
    while let Ok((due, piece)) = pieces.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
