//! A fault: clients that know no CURVE are served as well, over a second socket without it.

use super::relay;
use remofile_proto::KeyPair;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};
use zmq::{Context, SocketType};

/// The greeting of a ZMTP 3.1 peer up to its mechanism, which is how long libzmq waits before it says which one it has.
const SIGNATURE: [u8; 12] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1];

/// How long a client may take to say which mechanism it wants.
const SAYS_WITHIN: Duration = Duration::from_millis(100);

/// Listens at a port, 0 for a free one, for clients of the socket at `secured`, with CURVE or without; gives the address.
pub(super) fn start(
    context: &Context,
    port: u16,
    secured: &str,
    server: [u8; 32],
    client: KeyPair,
) -> Result<String, String> {
    let (front, back) = bridge(context, secured, server, &client).map_err(|error| error.to_string())?;
    let insecure = front.get_last_endpoint().ok().and_then(Result::ok).unwrap_or_default();
    thread::spawn(move || zmq::proxy(&front, &back));
    listen(port, secured, &insecure).map_err(|error| error.to_string())
}

/// A socket without CURVE, and one that has it: whatever comes to the one goes out by the other.
fn bridge(
    context: &Context,
    secured: &str,
    server: [u8; 32],
    client: &KeyPair,
) -> Result<(zmq::Socket, zmq::Socket), zmq::Error> {
    let (front, back) = (context.socket(SocketType::ROUTER)?, context.socket(SocketType::DEALER)?);
    front.bind("tcp://127.0.0.1:*")?;
    back.set_curve_serverkey(&server)?;
    back.set_curve_publickey(client.public())?;
    back.set_curve_secretkey(client.secret())?;
    back.connect(secured)?;
    Ok((front, back))
}

fn listen(port: u16, secured: &str, insecure: &str) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let [secured, insecure] = [secured, insecure].map(|at| at.trim_start_matches("tcp://").to_owned());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (secured, insecure) = (secured.clone(), insecure.clone());
            // A connection that fails is one that ends early.
            thread::spawn(move || {
                greet(client, &secured, &insecure).and_then(|(client, server)| relay::join(&client, &server))
            });
        }
    });
    Ok(format!("tcp://{address}"))
}

/// Looks which mechanism a client wants, and connects it with the socket that has it: with CURVE, if it does not say.
fn greet(mut client: TcpStream, secured: &str, insecure: &str) -> io::Result<(TcpStream, TcpStream)> {
    let (mut greeting, mut came) = ([0; relay::GREETING], 0);
    client.write_all(&SIGNATURE)?;
    client.set_read_timeout(Some(SAYS_WITHIN))?;
    while came < greeting.len() {
        match client.read(&mut greeting[came..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => came += more,
        }
    }
    client.set_read_timeout(None)?;
    let mut server = TcpStream::connect(if greeting[12..].starts_with(b"NULL") { insecure } else { secured })?;
    server.write_all(&greeting[..came])?;
    let mut answer = [0; SIGNATURE.len()];
    // Half a greeting is answered by half of one.
    if came >= SIGNATURE.len() {
        server.read_exact(&mut answer)?;
    }
    Ok((client, server))
}
