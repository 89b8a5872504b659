//! A server over the real store that counts how often each operation is executed.
#![allow(unreachable_pub, clippy::unwrap_used, missing_docs)]

use crate::process::{DEADLINE, TOKEN};
use remofile::service::{Reaction, Service};
use remofile::session::Terms;
use remofile::transport::{Bounds, Context, CurveKey, Endpoint, Message, ServerPattern, ServerSecurity, ServerSocket};
use remofile::{Performed, Storage, Store, StoreOptions, Token};
use remofile_proto::{BootId, Keys, Names, Operation, SessionId, Welcome, limits};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path as LocalPath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// The real store, and how often each operation reached it.
struct Counting {
    store: Store,
    executed: BTreeMap<String, u32>,
}

impl Storage for Counting {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> Performed {
        if !is_computed(operation) {
            *self.executed.entry(text(operation)).or_default() += 1;
        }
        self.store.perform(operation, payload)
    }

    fn proceed(&mut self) -> Performed {
        self.store.proceed()
    }

    fn cancel(&mut self) {
        self.store.cancel();
    }
}

/// A server over the counting store, in a thread.
pub struct CountingServer {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    serving: thread::JoinHandle<BTreeMap<String, u32>>,
}

impl CountingServer {
    pub fn start(directory: &LocalPath, pattern: ServerPattern) -> Self {
        let store = Store::open(directory, StoreOptions { chunk: 65_536, ..StoreOptions::default() }).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = channel();
        let serving = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let keys = Keys::derive(&token());
                let bounds = Bounds { window: 32, chunk: 65_536, ..Bounds::default() };
                let security = ServerSecurity::Curve {
                    secret: CurveKey::new(*keys.server.secret()),
                    admitted: CurveKey::new(*keys.client.public()),
                };
                let endpoint = "127.0.0.1:0".parse().unwrap();
                let mut socket = ServerSocket::bind(&Context::new(), &endpoint, pattern, &security, &bounds).unwrap();
                let Endpoint::Tcp { port, .. } = socket.local_endpoint().unwrap() else { panic!("not TCP") };
                ready.send(port).unwrap();
                let storage = Counting { store, executed: BTreeMap::new() };
                let hello = keys.hello.clone();
                let service = Service::new(terms(&bounds), storage, move |session: &SessionId, auth: &[u8; 32]| {
                    hello.verify(*session, auth)
                });
                serve(&mut socket, service, &stop)
            }
        });
        let port = is_ready.recv_timeout(DEADLINE).unwrap();
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), stop, serving }
    }

    /// Ends it and tells how often each operation was executed.
    pub fn stop(self) -> BTreeMap<String, u32> {
        self.stop.store(true, Ordering::Relaxed);
        self.serving.join().unwrap()
    }
}

fn serve<A: Fn(&SessionId, &[u8; 32]) -> bool>(
    socket: &mut ServerSocket,
    mut service: Service<Counting, A>,
    stop: &AtomicBool,
) -> BTreeMap<String, u32> {
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(reply) = service.run_slice(started.elapsed()) {
            send(socket, reply);
        }
        if service.owes_reply() {
            continue;
        }
        let wait = if service.is_working() { Duration::ZERO } else { Duration::from_millis(20) };
        let Some(message) = socket.recv(wait).unwrap() else { continue };
        let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
        match service.handle(started.elapsed(), &frames) {
            Reaction::Reply(reply) => send(socket, reply),
            Reaction::Later => {}
            Reaction::NotOurs | Reaction::Silent => panic!("the client sent what is no request"),
        }
    }
    service.storage().executed.clone()
}

fn send(socket: &mut ServerSocket, frames: Vec<Vec<u8>>) {
    socket.send(frames.into_iter().map(Message::from).collect()).unwrap();
}

fn terms(bounds: &Bounds) -> Terms {
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
    Terms { welcome, uploads: limits::UPLOADS }
}

/// Whether a server may execute it again on a resend [SEQ-8].
pub fn is_computed(operation: &Operation) -> bool {
    matches!(operation, Operation::Read { .. })
}

/// What an operation is counted under.
pub fn text(operation: &Operation) -> String {
    format!("{operation:?}")
}

pub fn token() -> Token {
    TOKEN.parse().unwrap()
}
