//! The real server in a thread, which does to one request what a test asks for: loses it, its reply, or its session.

use remofile::transport::{Bounds, Context, CurveKey, Message, ServerPattern, ServerSecurity, ServerSocket};
use remofile::{ClientOptions, Endpoint, FileClient, FileServer, Frames, HandleOutcome, Handler, Token};
use remofile_proto::{Hello, Keys, Operation, Reply, SessionId, encode_request, envelope};
use std::path::{Path as LocalPath, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The largest payload of these servers: small files are large enough to be staged.
pub const CHUNK: u32 = 65_536;

const TOKEN: &str = "TTA3rMB8VtNYv25kdipkaJ";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// It is not executed, and all sessions end as by a restart.
    LostThenRestart,
    /// It is executed, and its reply is lost.
    Unanswered,
    /// It is executed, its reply is lost, and all sessions end.
    UnansweredThenRestart,
    /// It is executed, its reply is lost, and another client takes the session and leaves.
    UnansweredThenTaken,
    /// It is executed, its reply is lost, and another client takes the session and stays.
    UnansweredThenHeld,
    /// It is executed, and answered with bytes that are no reply.
    Garbled,
    /// It is executed, and nothing is answered any more, whatever comes.
    UnansweredThenSilent,
    /// Nothing is answered any more; it is not executed.
    Silent,
}

type Action = Box<dyn FnOnce(&LocalPath) + Send>;

/// A fault that waits for its request.
struct Plan {
    operation: &'static str,
    /// How many of these requests pass before.
    skip: usize,
    fault: Fault,
    /// Done with the directory after the request was executed, before anything else comes.
    then: Option<Action>,
}

#[derive(Default)]
struct Shared {
    plans: Mutex<Vec<Plan>>,
    /// Operations that were answered OK, by name; what is sent again counts again.
    executed: Mutex<Vec<String>>,
    restart: AtomicBool,
    stop: AtomicBool,
}

/// A server at work; it ends when it is dropped.
pub struct Scripted {
    pub endpoint: Endpoint,
    pub around: tempfile::TempDir,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

impl Scripted {
    pub fn start() -> Self {
        let around = tempfile::tempdir().unwrap();
        std::fs::create_dir(around.path().join("served")).unwrap();
        let directory = around.path().join("served");
        let shared = Arc::new(Shared::default());
        let (ready, is_ready) = channel();
        let serving = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let keys = Keys::derive(&token());
                let security = ServerSecurity::Curve {
                    secret: CurveKey::new(*keys.server.secret()),
                    admitted: CurveKey::new(*keys.client.public()),
                };
                let local = "127.0.0.1:0".parse().unwrap();
                let socket =
                    ServerSocket::bind(&Context::new(), &local, ServerPattern::Router, &security, &bounds()).unwrap();
                ready.send(socket.local_endpoint().unwrap()).unwrap();
                let handler = Some(open(&directory));
                Serving { socket, handler, directory, shared, is_silent: false }.run();
            }
        });
        let endpoint = is_ready.recv_timeout(Duration::from_secs(60)).unwrap();
        Self { endpoint, around, shared, serving: Some(serving) }
    }

    /// Applies this to the request of that name after `skip` others.
    pub fn plan(&self, operation: &'static str, skip: usize, fault: Fault) {
        self.plan_then(operation, skip, fault, |_| {});
    }

    /// Likewise; when it has been executed, `then` gets the served directory.
    pub fn plan_then(
        &self,
        operation: &'static str,
        skip: usize,
        fault: Fault,
        then: impl FnOnce(&LocalPath) + Send + 'static,
    ) {
        self.shared.plans.lock().unwrap().push(Plan { operation, skip, fault, then: Some(Box::new(then)) });
    }

    /// All sessions end, as when the process is started again.
    pub fn restart(&self) {
        self.shared.restart.store(true, Ordering::Relaxed);
        while self.shared.restart.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// How often an operation was answered OK, or would have been.
    pub fn executed(&self, operation: &str) -> usize {
        self.shared.executed.lock().unwrap().iter().filter(|name| *name == operation).count()
    }

    /// Fails where something that was planned has not come about.
    pub fn all_came_about(&self) {
        let left: Vec<_> = self.shared.plans.lock().unwrap().iter().map(|plan| (plan.operation, plan.fault)).collect();
        assert_eq!(left, [], "planned, and not come about");
    }

    pub fn served(&self, name: &str) -> PathBuf {
        self.around.path().join("served").join(name)
    }

    pub fn local(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    pub fn client(&self) -> FileClient {
        options().connect(&self.endpoint, token()).unwrap()
    }

    /// The names of what is staged, without descriptions.
    pub fn staged(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.served(".remofile")).unwrap().map(|entry| entry.unwrap().path());
        let is_data = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("up-") && !name.contains('.') && name.len() == 35
        };
        entries.filter(is_data).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(serving) = self.serving.take() {
            let ended = serving.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// Silence is noticed soon; what takes long is not a question of time.
pub fn options() -> ClientOptions {
    ClientOptions::new().timeout(Duration::from_millis(600)).connect_timeout(Duration::from_secs(10))
}

pub fn token() -> Token {
    TOKEN.parse().unwrap()
}

/// Bytes that do not repeat, the same for each seed.
pub fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

struct Serving {
    socket: ServerSocket,
    handler: Option<Handler>,
    directory: PathBuf,
    shared: Arc<Shared>,
    is_silent: bool,
}

impl Serving {
    fn run(&mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            if self.shared.restart.load(Ordering::Relaxed) {
                self.restart();
                self.shared.restart.store(false, Ordering::Relaxed);
            }
            let Some(message) = self.socket.recv(Duration::from_millis(10)).unwrap() else { continue };
            let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
            let received = envelope::receive(&frames, 65_536);
            let envelope::Message::Request(request) = received.message else { panic!("the client sent no request") };
            let (session, name) = (request.header.session, request.header.op.to_owned());
            let plan = if self.is_silent { None } else { self.due(&name) };
            let fault = plan.as_ref().map_or(Fault::None, |plan| plan.fault);
            if self.is_silent {
                continue;
            }
            let is_executed = !matches!(fault, Fault::LostThenRestart | Fault::Silent);
            let reply = if is_executed { self.execute(&frames, &name) } else { None };
            if let Some(then) = plan.and_then(|plan| plan.then) {
                then(&self.directory);
            }
            self.befall(fault, session, reply);
        }
    }

    fn befall(&mut self, fault: Fault, session: SessionId, reply: Option<Frames>) {
        match fault {
            Fault::None => self.send(reply),
            Fault::Unanswered => {}
            Fault::LostThenRestart | Fault::UnansweredThenRestart => self.restart(),
            Fault::UnansweredThenTaken => {
                let other = self.take(session);
                self.exchange(encode_request(other, 0, &Operation::Bye));
            }
            Fault::UnansweredThenHeld => {
                self.take(session);
            }
            Fault::Garbled => {
                let mut reply = reply.unwrap();
                reply.last_mut().unwrap().push(0);
                self.send(Some(reply));
            }
            Fault::Silent | Fault::UnansweredThenSilent => self.is_silent = true,
        }
    }

    /// The plan that this request is part of.
    fn due(&self, name: &str) -> Option<Plan> {
        let mut plans = self.shared.plans.lock().unwrap();
        let index = plans.iter().position(|plan| plan.operation == name)?;
        if plans[index].skip > 0 {
            plans[index].skip -= 1;
            return None;
        }
        Some(plans.remove(index))
    }

    fn execute(&mut self, frames: &[&[u8]], name: &str) -> Option<Frames> {
        let handler = self.handler.as_mut().unwrap();
        let reply = match handler.handle(frames) {
            HandleOutcome::Reply(reply) => Some(reply),
            HandleOutcome::Later => loop {
                if let Some(reply) = handler.run_slice() {
                    break Some(reply);
                }
            },
            HandleOutcome::NotOurs | HandleOutcome::Silent => None,
        };
        // Behind the routing frames and the delimiter.
        let header = |reply: &Frames| reply.iter().position(Vec::is_empty).unwrap() + 1;
        if reply.as_ref().is_some_and(|reply| Reply::decode(&reply[header(reply)..]).unwrap().code == 0) {
            self.shared.executed.lock().unwrap().push(name.to_owned());
        }
        reply
    }

    fn restart(&mut self) {
        // The lock goes with the old one.
        self.handler = None;
        self.handler = Some(open(&self.directory));
    }

    /// Another client's hello, in the name of which the session is taken.
    fn take(&mut self, session: SessionId) -> SessionId {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        let other = SessionId::new(id);
        let auth = Keys::derive(&token()).hello.auth(other);
        let hello = Hello { auth, client: "another".to_owned(), take: Some(session), lease_ms: None };
        self.exchange(encode_request(other, 0, &Operation::Hello(hello)));
        other
    }

    fn exchange(&mut self, header: Vec<u8>) {
        let frames = [Vec::new(), header];
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert!(self.execute(&frames, "of another client").is_some());
    }

    fn send(&mut self, reply: Option<Frames>) {
        if let Some(reply) = reply {
            self.socket.send(reply.into_iter().map(Message::from).collect()).unwrap();
        }
    }
}

fn bounds() -> Bounds {
    Bounds { chunk: CHUNK, ..Bounds::default() }
}

fn open(directory: &LocalPath) -> Handler {
    FileServer::new(directory, token()).unwrap().chunk(CHUNK).open().unwrap()
}
