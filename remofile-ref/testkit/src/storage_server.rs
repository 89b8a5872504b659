//! A server over any storage: its socket, keys and session are right, and what is executed is the storage's.

use crate::process::{DEADLINE, TOKEN};
use remofile::Storage;
use remofile::protocol::server::session::ServerLimits;
use remofile::server::service::{HandleOutcome, Service};
use remofile::transport::{Bounds, Context, CurveKey, Endpoint, Message, ServerPattern, ServerSecurity, ServerSocket};
use remofile_proto::{BootId, Capabilities, HelloReply, Keys, Names, SessionId, Token, limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A server at work in a thread.
pub struct StorageServer<T> {
    pub port: u16,
    stop: Arc<AtomicBool>,
    serving: thread::JoinHandle<T>,
}

impl<T: Send + 'static> StorageServer<T> {
    /// Serves until it is stopped, and then asks the storage for what is to be known of it.
    pub fn start<S: Storage + Send + 'static>(
        storage: S,
        pattern: ServerPattern,
        bounds: Bounds,
        welcome: HelloReply,
        at_the_end: impl FnOnce(&S) -> T + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = channel();
        let serving = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let storage = serve(storage, pattern, &bounds, welcome, &ready, &stop);
                at_the_end(storage.storage())
            }
        });
        let port = is_ready.recv_timeout(DEADLINE).unwrap();
        Self { port, stop, serving }
    }

    /// Ends it; an error if it failed.
    pub fn stop(self) -> thread::Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        self.serving.join()
    }
}

/// What hello is answered within these bounds.
pub fn welcome(bounds: &Bounds) -> HelloReply {
    HelloReply {
        window: u64::from(bounds.window),
        chunk: u64::from(bounds.chunk),
        header: u64::from(bounds.header),
        lease_ms: limits::LEASE_MS,
        boot: BootId::new([1; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: false,
        caps: Capabilities::default(),
    }
}

fn serve<S: Storage>(
    storage: S,
    pattern: ServerPattern,
    bounds: &Bounds,
    welcome: HelloReply,
    ready: &Sender<u16>,
    stop: &AtomicBool,
) -> Service<S, impl Fn(&SessionId, &[u8; 32]) -> bool> {
    let token: Token = TOKEN.parse().unwrap();
    let keys = Keys::derive(&token);
    let security = ServerSecurity::Curve {
        secret: CurveKey::new(*keys.server.secret()),
        admitted: CurveKey::new(*keys.client.public()),
    };
    let endpoint = "127.0.0.1:0".parse().unwrap();
    let mut socket = ServerSocket::bind(&Context::new(), &endpoint, pattern, &security, bounds).unwrap();
    let Endpoint::Tcp { port, .. } = socket.local_endpoint().unwrap() else { panic!("not TCP") };
    ready.send(port).unwrap();
    let terms = ServerLimits { welcome, uploads: limits::UPLOADS };
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
        match service.handle(started.elapsed(), &frames) {
            HandleOutcome::Reply(reply) => send(&mut socket, reply),
            HandleOutcome::Later => {}
            HandleOutcome::NotOurs | HandleOutcome::Silent => panic!("the client sent what is no request"),
        }
    }
    service
}

fn send(socket: &mut ServerSocket, frames: Vec<Vec<u8>>) {
    socket.send(frames.into_iter().map(Message::from).collect()).unwrap();
}
