//! A proxy between a client and the server: a ROUTER in front, a DEALER behind, as message brokers have them.

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

/// A proxy that works in a thread of its own until it is dropped.
pub(crate) struct ZmqProxy {
    context: Context,
    endpoint: String,
    /// Whatever comes here ends the thread.
    stop: Socket,
    thread: Option<JoinHandle<()>>,
}

impl ZmqProxy {
    /// A proxy in front of the server.
    pub(crate) fn before_server(environment: &Environment) -> CaseResult<Self> {
        let target = environment.target.borrow();
        Self::before(&environment.context, &target.endpoint, target.credentials().as_ref()).map_err(cannot)
    }

    /// A proxy in front of this one.
    pub(crate) fn before_this(&self) -> CaseResult<Self> {
        Self::before(&self.context, &self.endpoint, None).map_err(cannot)
    }

    /// A client's connection to it.
    pub(crate) fn connection(&self, pattern: SocketKind) -> CaseResult<Connection> {
        Connection::open_with(&self.context, &self.endpoint, None, pattern).map_err(cannot)
    }

    fn before(context: &Context, endpoint: &str, credentials: Option<&Credentials>) -> Result<Self, zmq::Error> {
        let back = Connection::open_with(context, endpoint, credentials, SocketKind::Dealer)?;
        let front = context.socket(SocketType::ROUTER)?;
        front.set_linger(0)?;
        let endpoint = format!("inproc://hop-{}", hex(&random_id()));
        front.bind(&endpoint)?;
        let stopped_by = format!("inproc://hop-{}", hex(&random_id()));
        let (stopped, stop) = (context.socket(SocketType::PAIR)?, context.socket(SocketType::PAIR)?);
        stopped.bind(&stopped_by)?;
        stop.connect(&stopped_by)?;
        let thread = thread::spawn(move || forward(&front, back.socket(), &stopped));
        Ok(Self { context: context.clone(), endpoint, stop, thread: Some(thread) })
    }
}

impl Drop for ZmqProxy {
    fn drop(&mut self) {
        // A thread that has ended by itself is past being stopped.
        let _ = self.stop.send("", zmq::DONTWAIT);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Carries whole messages either way until it is stopped; a message for a client that is gone is dropped.
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
                    // What finds no room is lost, as it is on any way.
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
