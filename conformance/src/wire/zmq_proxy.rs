//! A ZeroMQ proxy, as in a message broker: a ROUTER towards the client and a DEALER towards the server.

use crate::{
    engine::{
        environment::{Environment, random_id},
        error::{CaseError, CaseResult},
    },
    wire::{
        cbor::hex,
        connection::{Connection, Credentials, SocketKind},
    },
};
use std::thread::{self, JoinHandle};
use zmq::{Context, POLLIN, Socket, SocketType};

/// A proxy with its own thread, which ends when it is dropped.
pub(crate) struct ZmqProxy {
    context: Context,
    endpoint: String,
    /// Any message here ends the thread.
    stop: Socket,
    thread: Option<JoinHandle<()>>,
}

impl ZmqProxy {
    /// Starts a proxy to the server.
    pub(crate) fn before_server(environment: &Environment) -> CaseResult<Self> {
        let target = environment.target.borrow();
        Self::before(&environment.context, &target.endpoint, target.credentials().as_ref()).map_err(cannot)
    }

    /// Starts a proxy to this one.
    pub(crate) fn before_this(&self) -> CaseResult<Self> {
        Self::before(&self.context, &self.endpoint, None).map_err(cannot)
    }

    /// Connects a client to it.
    pub(crate) fn connection(&self, pattern: SocketKind) -> CaseResult<Connection> {
        Connection::open_with(&self.context, &self.endpoint, None, pattern).map_err(cannot)
    }

    fn before(context: &Context, endpoint: &str, credentials: Option<&Credentials>) -> Result<Self, zmq::Error> {
        let back = Connection::open_with(context, endpoint, credentials, SocketKind::Dealer)?;
        let front = context.socket(SocketType::ROUTER)?;
        front.set_linger(0)?;
        let endpoint = format!("inproc://proxy-{}", hex(&random_id()));
        front.bind(&endpoint)?;
        let stopped_by = format!("inproc://proxy-{}", hex(&random_id()));
        let (stopped, stop) = (context.socket(SocketType::PAIR)?, context.socket(SocketType::PAIR)?);
        stopped.bind(&stopped_by)?;
        stop.connect(&stopped_by)?;
        let thread = thread::spawn(move || forward(&front, back.socket(), &stopped));
        Ok(Self { context: context.clone(), endpoint, stop, thread: Some(thread) })
    }
}

impl Drop for ZmqProxy {
    fn drop(&mut self) {
        // The thread may have ended already.
        let _ = self.stop.send("", zmq::DONTWAIT);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Forwards messages in both directions until it is stopped; a message for a disconnected client is dropped.
fn forward(front: &Socket, back: &Socket, stopped: &Socket) {
    loop {
        let mut items = [front.as_poll_item(POLLIN), back.as_poll_item(POLLIN), stopped.as_poll_item(POLLIN)];
        match zmq::poll(&mut items, -1) {
            Ok(_) | Err(zmq::Error::EINTR) => {}
            Err(_) => return,
        }
        if items[2].is_readable() {
            return;
        }
        for (from, to) in [(front, back), (back, front)] {
            while let Ok(message) = from.recv_multipart(zmq::DONTWAIT) {
                match to.send_multipart(message, zmq::DONTWAIT) {
                    // A message that does not fit the queue is lost, as on any network.
                    Ok(()) | Err(zmq::Error::EAGAIN) => {}
                    Err(_) => return,
                }
            }
        }
    }
}

fn cannot(error: zmq::Error) -> CaseError {
    CaseError::Harness(format!("a proxy cannot work: {error}"))
}
