//! Servers in threads that end in time, and a client that sees every reply as it comes: PENDING too.

use remofile::transport::Endpoint;
use remofile::{BoundServer, ServeError, SocketServer, StopHandle, Token};
use remofile_proto::{Answer, Code, Hello, Keys, Operation, Reply, ReplyError, SessionId, encode_request};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// No step of a test takes longer, however busy the machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A server that runs in a thread; `T` comes back from it.
pub struct Serving<T = ()> {
    stop: StopHandle,
    ended: Receiver<(Result<(), ServeError>, T)>,
}

pub fn serve(mut server: BoundServer) -> Serving {
    Serving::start(server.stop_handle(), move || (server.run(), ()))
}

pub fn serve_on_socket(mut server: SocketServer) -> Serving<SocketServer> {
    Serving::start(server.stop_handle(), move || (server.run(), server))
}

impl<T: Send + 'static> Serving<T> {
    pub fn start(stop: StopHandle, run: impl FnOnce() -> (Result<(), ServeError>, T) + Send + 'static) -> Self {
        let (sender, ended) = channel();
        thread::spawn(move || sender.send(run()));
        Self { stop, ended }
    }

    /// Stops it, and waits for its end.
    pub fn stop(self) -> T {
        self.stop.stop();
        self.await_end()
    }

    pub fn await_end(self) -> T {
        let (result, server) = self.ended.recv_timeout(DEADLINE).expect("the server ends in time, without a panic");
        result.unwrap();
        server
    }
}

/// One request at a time over a REQ socket, each answered or a failed test.
pub struct Lockstep {
    socket: zmq::Socket,
    token: Token,
    session: SessionId,
    next: u64,
}

impl Lockstep {
    pub fn connect(endpoint: &Endpoint, token: &Token) -> Self {
        let keys = Keys::derive(token);
        let socket = zmq::Context::new().socket(zmq::REQ).unwrap();
        socket.set_curve_serverkey(keys.server.public()).unwrap();
        socket.set_curve_publickey(keys.client.public()).unwrap();
        socket.set_curve_secretkey(keys.client.secret()).unwrap();
        socket.connect(&endpoint.to_string()).unwrap();
        Self::over(socket, token)
    }

    /// Over a REQ socket that is connected.
    pub fn over(socket: zmq::Socket, token: &Token) -> Self {
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(i32::try_from(DEADLINE.as_millis()).unwrap()).unwrap();
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        Self { socket, token: token.clone(), session: SessionId::new(id), next: 0 }
    }

    pub fn hello(&mut self) -> Result<Answer, Code> {
        let auth = Keys::derive(&self.token).hello.auth(self.session);
        let hello = Hello { auth, client: "lockstep".to_owned(), take: None, lease_ms: None };
        self.ask(&Operation::Hello(hello), None)
    }

    /// Asks with the next number, which PENDING does not change.
    pub fn ask(&mut self, operation: &Operation, payload: Option<&[u8]>) -> Result<Answer, Code> {
        self.send(operation, payload);
        let answer = self.receive(operation);
        if answer != Err(Code::Pending) {
            self.next += 1;
        }
        answer
    }

    pub fn send(&self, operation: &Operation, payload: Option<&[u8]>) {
        let header = encode_request(self.session, self.next, operation);
        self.socket.send_multipart([&header[..]].into_iter().chain(payload), 0).unwrap();
    }

    pub fn receive(&self, operation: &Operation) -> Result<Answer, Code> {
        let frames = self.socket.recv_multipart(0).unwrap();
        Reply::decode(&frames).unwrap().into_answer(operation).map_err(|error| match error {
            ReplyError::Refused(refusal) => refusal.code,
            other => panic!("{other:?}"),
        })
    }

    /// Whether a reply is there.
    pub fn is_answered(&self) -> bool {
        self.socket.poll(zmq::POLLIN, 0).unwrap() > 0
    }
}
