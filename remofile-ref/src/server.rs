//! The server: one loop that joins socket, session and store.

use crate::{
    keys::random,
    service::{Frames, Reaction, Service},
    session::Terms,
    store::{Store, StoreError, StoreOptions},
    transport::{
        Bounds, Context, CurveKey, Endpoint, Message, ServerPattern, ServerSecurity, ServerSocket, TransportError,
    },
};
use remofile_proto::{BootId, KeyPair, Keys, Names, SessionId, Token, Welcome, limits};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long the loop waits for a message before it looks whether it is to stop.
const STOP_CHECK: Duration = Duration::from_millis(200);

/// A server of one directory, not listening yet.
///
/// ```no_run
/// use remofile::{FileServer, generate_token};
/// use std::sync::atomic::AtomicBool;
///
/// let token = generate_token();
/// let mut server = FileServer::new("shared", token).bind(&"127.0.0.1:0".parse()?)?;
/// println!("listening on {}", server.local_endpoint());
/// let stop = AtomicBool::new(false); // set it from a signal handler or another thread
/// server.run(&stop)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileServer {
    directory: PathBuf,
    token: Token,
    keys: Option<KeyPair>,
    read_only: bool,
    insecure: bool,
    pattern: ServerPattern,
    max_file_size: Option<u64>,
    bounds: Bounds,
    lease: Duration,
}

/// Whether hello's `auth` fits the token.
type Authentic = Box<dyn Fn(&SessionId, &[u8; 32]) -> bool + Send>;

/// A server that listens.
pub struct BoundServer {
    socket: ServerSocket,
    handler: Handler,
    endpoint: Endpoint,
}

/// A server without a socket: the embedding program receives and sends.
///
/// Each message goes to [`Handler::handle`]; while [`Handler::is_working`], [`Handler::run_slice`] is called again
/// and again, and nothing is received while [`Handler::owes_reply`].
pub struct Handler {
    service: Service<Store, Authentic>,
    started: Instant,
}

/// Why a server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The directory cannot be served.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket cannot be opened, or is of no use any more.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl FileServer {
    /// A server of `directory` for those who have `token`: encrypted, with keys derived from the token.
    #[must_use]
    pub fn new(directory: impl AsRef<Path>, token: Token) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            token,
            keys: None,
            read_only: false,
            insecure: false,
            pattern: ServerPattern::Router,
            max_file_size: None,
            bounds: Bounds::default(),
            lease: Duration::from_millis(limits::LEASE_MS),
        }
    }

    /// Refuses every change with DENIED.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// The largest file in bytes; without it what the file system takes.
    #[must_use]
    pub fn max_file_size(mut self, bytes: Option<u64>) -> Self {
        self.max_file_size = bytes;
        self
    }

    /// A key pair of the server's own, whose public key clients pin, in place of the derived one.
    #[must_use]
    pub fn key_pair(mut self, keys: KeyPair) -> Self {
        self.keys = Some(keys);
        self
    }

    /// No encryption, no ZAP: whoever reaches the socket is heard, and `auth` alone guards the session [CURVE-1].
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// ROUTER, or REP for one request at a time.
    #[must_use]
    pub fn pattern(mut self, pattern: ServerPattern) -> Self {
        self.pattern = pattern;
        self
    }

    /// Window, chunk and header as hello announces them; brought into the ranges of [HELLO-2].
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = Bounds {
            window: bounds.window.clamp(1, 1_024),
            chunk: bounds.chunk.clamp(65_536, 1_048_576),
            header: bounds.header.clamp(16_384, 65_536),
        };
        self
    }

    /// The longest lease, 1 s at least; 30 s by default.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(limits::LEASE_MIN_MS));
        self
    }

    /// Opens the directory and listens.
    ///
    /// # Errors
    /// The directory is served already, or cannot be; the endpoint is taken; libzmq lacks CURVE.
    pub fn bind(&self, endpoint: &Endpoint) -> Result<BoundServer, ServeError> {
        crate::transport::require_curve()?;
        let handler = self.open()?;
        let keys = Keys::derive(&self.token);
        let security = if self.insecure {
            ServerSecurity::Null
        } else {
            let own = self.keys.as_ref().unwrap_or(&keys.server);
            ServerSecurity::Curve {
                secret: CurveKey::new(*own.secret()),
                admitted: CurveKey::new(*keys.client.public()),
            }
        };
        let socket = ServerSocket::bind(&Context::new(), endpoint, self.pattern, &security, &self.bounds)?;
        let endpoint = socket.local_endpoint()?;
        tracing::info!(%endpoint, read_only = self.read_only, "listening");
        Ok(BoundServer { socket, handler, endpoint })
    }

    /// Opens the directory without a socket. Nothing is encrypted here, and `auth` alone guards the session
    /// [CURVE-1]: what carries the messages is the embedding program's to secure. Key pair, pattern and
    /// [`FileServer::insecure`] are of no effect.
    ///
    /// # Errors
    /// The directory is served already, or cannot be.
    pub fn open(&self) -> Result<Handler, ServeError> {
        let options = StoreOptions {
            chunk: u64::from(self.bounds.chunk),
            read_only: self.read_only,
            max_file_size: self.max_file_size,
            ..StoreOptions::default()
        };
        let store = Store::open(&self.directory, options)?;
        let terms = Terms {
            welcome: Welcome {
                window: u64::from(self.bounds.window),
                chunk: u64::from(self.bounds.chunk),
                header: u64::from(self.bounds.header),
                lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(limits::INTEGER),
                boot: BootId::new(random()),
                root: store.root_id(),
                names: Names::Posix,
                folds: store.folds(),
                ro: self.read_only,
                caps: Vec::new(),
            },
            uploads: limits::UPLOADS,
        };
        let hello = Keys::derive(&self.token).hello.clone();
        let authentic: Authentic = Box::new(move |session, auth| hello.verify(*session, auth));
        Ok(Handler { service: Service::new(terms, store, authentic), started: Instant::now() })
    }
}

impl BoundServer {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The port that it listens on, over TCP.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        match self.endpoint {
            Endpoint::Tcp { port, .. } => Some(port),
            _ => None,
        }
    }

    /// Serves until `stop` is set, which is noticed within a quarter of a second or after the request in hand.
    /// Everything staged is kept.
    ///
    /// # Errors
    /// The socket failed, or its ZAP handler ended [CURVE-3].
    pub fn run(&mut self, stop: &AtomicBool) -> Result<(), ServeError> {
        while !stop.load(Ordering::Relaxed) {
            self.turn()?;
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// One turn of the loop: a slice of a long operation, and at most one message.
    fn turn(&mut self) -> Result<(), ServeError> {
        if self.handler.is_working() {
            if let Some(reply) = self.handler.run_slice() {
                self.send(reply)?;
            }
            // While a reply is owed, libzmq queues what comes, for half a second at most [SEQ-10].
            if self.handler.owes_reply() {
                return Ok(());
            }
        }
        let wait = if self.handler.is_working() { Duration::ZERO } else { STOP_CHECK };
        let Some(message) = self.socket.recv(wait)? else { return Ok(()) };
        let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
        let reaction = self.handler.handle(&frames);
        match reaction {
            Reaction::Reply(reply) => self.send(reply),
            Reaction::Later => Ok(()),
            // [ENV-19] A REP socket cannot go on without having sent.
            Reaction::NotOurs | Reaction::Silent if self.socket.must_answer() => {
                self.send(vec![Vec::new(), Vec::new()])
            }
            Reaction::NotOurs | Reaction::Silent => Ok(()),
        }
    }

    fn send(&mut self, frames: Vec<Vec<u8>>) -> Result<(), ServeError> {
        Ok(self.socket.send(frames.into_iter().map(Message::from).collect())?)
    }
}

impl Handler {
    /// Takes a received message, all its frames as a ROUTER, REP or DEALER passes them raw: routing frames and
    /// the empty delimiter too. [`Reaction::Reply`] has the same ones in front.
    pub fn handle<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Reaction {
        let holder = self.service.holder();
        let reaction = self.service.handle(self.started.elapsed(), frames);
        self.service.work_ended(self.started.elapsed());
        if self.service.holder() != holder {
            tracing::info!(session = ?self.service.holder(), "the session has a new holder");
        }
        reaction
    }

    /// Does the next slice of the operation that runs; gives the reply that is now due, if any.
    #[must_use = "a reply that is not sent is owed to a client"]
    pub fn run_slice(&mut self) -> Option<Frames> {
        let reply = self.service.run_slice(self.started.elapsed());
        self.service.work_ended(self.started.elapsed());
        reply
    }

    /// Whether [`Handler::run_slice`] has something to do.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.service.is_working()
    }

    /// Whether a reply is still to come out of [`Handler::run_slice`], for at most about 500 ms.
    #[must_use]
    pub fn owes_reply(&self) -> bool {
        self.service.owes_reply()
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler").field("working", &self.is_working()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundServer").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
