//! A raw libzmq stream with CURVE, DEALER to ROUTER over loopback: the ceiling that transfers are measured against.
//!
//! ```console
//! $ cargo run --release --example raw_stream -- 262144 4096
//! bytes 1073741824 seconds 1.312 MB/s 818.4
//! $ cargo run --release --example raw_stream -- 262144 4096 null
//! ```
//!
//! Arguments: chunk in bytes, how many of them, `curve` (default) or `null`. The sender is a process of its own with the
//! options of Remofile's client, the receiver has those of its server; nothing else is done to the bytes.

use remofile::transport::{
    Bounds, ClientSecurity, ClientSocket, ClientSocketOptions, Context, CurveKey, Endpoint, LinkEvent, Message,
    SendOutcome, ServerPattern, ServerSecurity, ServerSocket, Wake,
};
use std::env;
use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long either end waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages in flight: 256 KiB times 16 saturate loopback, and more do no harm.
const WINDOW: u16 = 64;

const USAGE: &str = "usage: raw_stream CHUNK COUNT [curve|null]";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["send", endpoint, chunk, count, security] => {
            send(&endpoint.parse()?, chunk.parse()?, count.parse()?, security)
        }
        [chunk, count] => receive(chunk.parse()?, count.parse()?, "curve"),
        [chunk, count, security @ ("curve" | "null")] => receive(chunk.parse()?, count.parse()?, security),
        _ => Err(USAGE.into()),
    }
}

/// Starts the sender, takes what it sends, and prints how long that took from the first message on.
fn receive(chunk: u32, count: u64, security: &str) -> Outcome<()> {
    let (server, _) = keys(security);
    let endpoint = "127.0.0.1:0".parse()?;
    let mut socket = ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &server, &bounds(chunk))?;
    let mut sender = Sender::start(&socket.local_endpoint()?, chunk, count, security)?;

    // The first message starts the clock: connecting and the handshake are not what is measured.
    let first = next(&mut socket)?;
    let start = Instant::now();
    let mut bytes = 0;
    for _ in 0..count {
        let message = next(&mut socket)?;
        bytes += message.last().map_or(0, |payload| payload.len() as u64);
    }
    let seconds = start.elapsed().as_secs_f64();
    // The sender keeps its socket until it hears that all has come.
    socket.send(first)?;
    sender.finish()?;
    if bytes != u64::from(chunk) * count {
        return Err(format!("{bytes} bytes came").into());
    }
    println!("bytes {bytes} seconds {seconds:.3} MB/s {:.1}", bytes as f64 / 1e6 / seconds);
    Ok(())
}

fn next(socket: &mut ServerSocket) -> Outcome<Vec<Message>> {
    socket.recv(PATIENCE)?.ok_or_else(|| "the sender fell silent".into())
}

fn send(endpoint: &Endpoint, chunk: u32, count: u64, security: &str) -> Outcome<()> {
    let (_, client) = keys(security);
    let options = ClientSocketOptions { bounds: bounds(chunk), ..ClientSocketOptions::default() };
    let mut socket = ClientSocket::connect(&Context::new(), endpoint, &client, &options)?;
    while socket.poll(PATIENCE)? != Wake::Event(LinkEvent::HandshakeSucceeded) {}
    queue(&mut socket, vec![Message::new(), Message::from("begin")])?;
    for _ in 0..count {
        // A new buffer each time, as a file would be read into one.
        queue(&mut socket, vec![Message::new(), Message::from(vec![0x5a; chunk as usize])])?;
    }
    let deadline = Instant::now() + PATIENCE;
    while socket.recv()?.is_none() {
        if Instant::now() > deadline {
            return Err("the receiver fell silent".into());
        }
        socket.poll(PATIENCE)?;
    }
    Ok(())
}

/// Hands a message over, and waits while the queue is full.
fn queue(socket: &mut ClientSocket, frames: Vec<Message>) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut frames = frames;
    while let SendOutcome::Full(back) = socket.send(frames)? {
        if Instant::now() > deadline {
            return Err("the receiver fell silent".into());
        }
        frames = back;
        socket.wait_for_room(PATIENCE)?;
    }
    Ok(())
}

fn bounds(chunk: u32) -> Bounds {
    Bounds { window: WINDOW, chunk, ..Bounds::default() }
}

/// Fixed keys: both processes know them, and what is measured is no secret.
fn keys(security: &str) -> (ServerSecurity, ClientSecurity) {
    if security == "null" {
        return (ServerSecurity::Null, ClientSecurity::Null);
    }
    let token = remofile_proto::Token::parse("TTA3rMB8VtNYv25kdipkaJ").expect("the token of the specification is one");
    let keys = remofile_proto::Keys::derive(&token);
    let server = ServerSecurity::Curve {
        secret: CurveKey::new(*keys.server.secret()),
        admitted: CurveKey::new(*keys.client.public()),
    };
    let client = ClientSecurity::Curve {
        server: CurveKey::new(*keys.server.public()),
        public: CurveKey::new(*keys.client.public()),
        secret: CurveKey::new(*keys.client.secret()),
    };
    (server, client)
}

/// The sending process; ended if it is not waited for.
struct Sender(Child);

impl Sender {
    fn start(endpoint: &Endpoint, chunk: u32, count: u64, security: &str) -> Outcome<Self> {
        let arguments =
            ["send".to_owned(), endpoint.to_string(), chunk.to_string(), count.to_string(), security.to_owned()];
        Ok(Self(Command::new(env::current_exe()?).args(arguments).spawn()?))
    }

    fn finish(&mut self) -> Outcome<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the sender ended with {status}").into()) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
