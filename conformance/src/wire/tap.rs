//! A TCP relay into which bytes can be slipped on their way to the server.

use crate::engine::error::{Checked, Stop};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Instant,
};

/// A relay for one connection; it ends with that, and when it is dropped.
pub(crate) struct Tap {
    /// Where a client connects to.
    pub(crate) endpoint: String,
    /// The way to the server, once a client has come.
    server: Receiver<TcpStream>,
    /// A message when the server has closed the connection.
    closed: Receiver<()>,
    held: Option<TcpStream>,
}

impl Tap {
    /// A relay in front of `host:port`.
    pub(crate) fn before(address: &str) -> Checked<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(cannot)?;
        let endpoint = format!("tcp://{}", listener.local_addr().map_err(cannot)?);
        let (server, server_there) = mpsc::channel();
        let (closed, closed_there) = mpsc::channel();
        let address = address.to_owned();
        // A client that never comes leaves the thread waiting for one; the suite's own always comes.
        thread::spawn(move || {
            let joined = listener.accept().and_then(|(client, _)| join(client, &address, &server));
            if let Ok((client, server)) = joined {
                relay(client, server, &closed);
            }
        });
        Ok(Self { endpoint, server: server_there, closed: closed_there, held: None })
    }

    /// Sends bytes to the server as if they came from the client, which has to be silent meanwhile.
    pub(crate) fn slip_in(&mut self, bytes: &[u8], deadline: Instant) -> Checked {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut server =
            self.server.recv_timeout(left).map_err(|_| Stop::Harness("no client came to the relay".into()))?;
        server.write_all(bytes).map_err(cannot)?;
        self.held = Some(server);
        Ok(())
    }

    /// Whether the server closes the connection before the deadline.
    pub(crate) fn is_closed(&self, deadline: Instant) -> bool {
        self.closed.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(server) = &self.held {
            // It may be closed already.
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

fn join(client: TcpStream, address: &str, there: &Sender<TcpStream>) -> io::Result<(TcpStream, TcpStream)> {
    let server = TcpStream::connect(address)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    // Nobody asks for it where the case has ended.
    let _ = there.send(server.try_clone()?);
    Ok((client, server))
}

/// Carries bytes both ways until either side ends.
fn relay(client: TcpStream, server: TcpStream, closed: &Sender<()>) {
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
    let up = thread::spawn(move || carry(from_client, to_server));
    carry(server, client);
    let _ = closed.send(());
    let _ = up.join();
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Both ends, so that the thread for the other way ends too.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn cannot(error: io::Error) -> Stop {
    Stop::Harness(format!("a relay cannot work: {error}"))
}
