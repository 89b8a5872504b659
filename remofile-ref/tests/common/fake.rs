//! A server over a store of the test's own: the session is right, and what is answered is the test's.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use crate::process::{DEADLINE, TOKEN};
use remofile::service::{Reaction, Service};
use remofile::session::Terms;
use remofile::transport::{Bounds, Context, CurveKey, Endpoint, Message, ServerPattern, ServerSecurity, ServerSocket};
use remofile::{Outcome, Performed, Storage};
use remofile_proto::{BootId, Keys, Names, Operation, SessionId, Token, Welcome, limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A server at work in a thread that ends when this is dropped.
pub struct FakeServer {
    pub endpoint: String,
    stop: Arc<AtomicBool>,
    serving: Option<thread::JoinHandle<()>>,
}

struct Script<F>(F);

impl<F: FnMut(&Operation) -> Outcome> Storage for Script<F> {
    fn perform(&mut self, operation: &Operation, _payload: &[u8]) -> Performed {
        Performed::Done((self.0)(operation))
    }

    fn proceed(&mut self) -> Performed {
        unreachable!("everything is done at once")
    }

    fn cancel(&mut self) {}
}

impl FakeServer {
    /// Answers every operation that is numbered by what the test makes up.
    pub fn answering(answer: impl FnMut(&Operation) -> Outcome + Send + 'static) -> Self {
        Self::over(Script(answer))
    }

    /// Executes on this storage.
    pub fn over(storage: impl Storage + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = channel();
        let serving = thread::spawn({
            let stop = Arc::clone(&stop);
            move || serve(storage, &ready, &stop)
        });
        let port: u16 = is_ready.recv_timeout(DEADLINE).unwrap();
        Self { endpoint: format!("127.0.0.1:{port}"), stop, serving: Some(serving) }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(serving) = self.serving.take()
            && serving.join().is_err()
            && !thread::panicking()
        {
            panic!("the server failed");
        }
    }
}

fn serve<S: Storage>(storage: S, ready: &Sender<u16>, stop: &AtomicBool) {
    let token: Token = TOKEN.parse().unwrap();
    let keys = Keys::derive(&token);
    let bounds = Bounds::default();
    let security = ServerSecurity::Curve {
        secret: CurveKey::new(*keys.server.secret()),
        admitted: CurveKey::new(*keys.client.public()),
    };
    let endpoint = "127.0.0.1:0".parse().unwrap();
    let mut socket = ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &security, &bounds).unwrap();
    let Endpoint::Tcp { port, .. } = socket.local_endpoint().unwrap() else { panic!("not TCP") };
    ready.send(port).unwrap();
    let welcome = Welcome {
        window: u64::from(bounds.window),
        chunk: u64::from(bounds.chunk),
        header: u64::from(bounds.header),
        lease_ms: limits::LEASE_MS,
        boot: BootId::new([1; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: false,
        caps: Vec::new(),
    };
    let terms = Terms { welcome, uploads: limits::UPLOADS };
    let hello = keys.hello.clone();
    let mut service =
        Service::new(terms, storage, move |session: &SessionId, auth: &[u8; 32]| hello.verify(*session, auth));
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(reply) = service.run_slice(started.elapsed()) {
            send(&mut socket, reply);
        }
        if service.owes_reply() {
            continue;
        }
        let wait = if service.is_working() { Duration::ZERO } else { Duration::from_millis(20) };
        let Some(message) = socket.recv(wait).unwrap() else { continue };
        let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
        if let Reaction::Reply(reply) = service.handle(started.elapsed(), &frames) {
            send(&mut socket, reply);
        }
    }
}

fn send(socket: &mut ServerSocket, frames: Vec<Vec<u8>>) {
    socket.send(frames.into_iter().map(Message::from).collect()).unwrap();
}
