//! The server of one directory: its options, and the ways to serve it.

use super::handler::{Authentic, Handler, QueueLimits};
use super::socket_loop::{BoundServer, SocketServer};
use super::stop::Stop;
use super::stop::StopHandle;
use crate::{
    keys::random,
    protocol::server::{capabilities::announced_capabilities, session::ServerLimits},
    server::service::Service,
    storage::{Backend, ServedStore, Store, StoreError, StoreOptions},
    transport::{
        Bounds, Context, CurveKey, Endpoint, EndpointError, ServerPattern, ServerSecurity, ServerSocket, Socket,
        TransportError,
    },
};
use remofile_proto::{BootId, HelloReply, KeyPair, Keys, Names, Token, TokenError, limits};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A server of one directory, not listening yet.
///
/// ```no_run
/// use remofile::{FileServer, generate_token};
///
/// let token = generate_token();
/// println!("give this to the client: {}", token.reveal());
/// FileServer::new("shared", token)?.run("localhost:6768")?;
/// # Ok::<(), remofile::ServeError>(())
/// ```
///
/// serves until it is stopped. The steps one by one, on a free port and in a thread:
///
/// ```
/// use remofile::{FileClient, FileServer, generate_token};
///
/// # let directory = tempfile::tempdir()?;
/// let token = generate_token();
/// let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// let serving = std::thread::spawn(move || server.run());
///
/// let mut client = FileClient::new(&endpoint, &token)?;
/// client.mkdir(&"/photos".parse()?)?;
/// client.bye();
///
/// stop.stop();
/// serving.join().expect("the server does not panic")?;
/// assert!(directory.path().join("photos").is_dir());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`FileServer::on_socket`] serves on a socket of the embedding program, [`FileServer::open`] without any.
#[derive(Debug)]
pub struct FileServer {
    source: StoreSource,
    token: Token,
    keys: Option<KeyPair>,
    insecure: bool,
    pattern: ServerPattern,
    bounds: Bounds,
    lease: Duration,
    /// Its chunk follows `bounds`.
    store: StoreOptions,
    stop: Stop,
}

/// Opens what a server serves.
struct StoreSource(Box<dyn Fn(StoreOptions) -> OpenedStore + Send + Sync>);

type OpenedStore = Result<Box<dyn ServedStore>, StoreError>;

impl StoreSource {
    fn directory(path: PathBuf) -> Self {
        Self(Box::new(move |options| Ok(Box::new(Store::open(&path, options)?))))
    }

    fn backend(backend: impl Backend) -> Self {
        let backend = Mutex::new(Some(backend));
        Self(Box::new(move |options| {
            let backend = backend.lock().unwrap_or_else(PoisonError::into_inner).take();
            Ok(Box::new(Store::with_backend(backend.ok_or(StoreError::InUse)?, options)?))
        }))
    }
}

impl fmt::Debug for StoreSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSource")
    }
}

/// Why a server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The text is no token [KEY-1]; nothing was opened.
    #[error("the token is not valid")]
    BadToken(#[from] TokenError),
    /// The text is no endpoint; nothing was opened.
    #[error("the endpoint is not valid")]
    BadEndpoint(#[from] EndpointError),
    /// The directory cannot be served.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket cannot be opened, or is of no use any more.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl FileServer {
    /// A server of `directory` for those who have `token`, which is a [`Token`] or text: encrypted, with keys derived
    /// from the token. The directory is opened by [`FileServer::run`] and its like.
    ///
    /// # Errors
    /// [`ServeError::BadToken`] for a text that is none; [`ServeError::Transport`] where the process has no descriptor
    /// left.
    pub fn new<T>(directory: impl AsRef<Path>, token: T) -> Result<Self, ServeError>
    where
        T: TryInto<Token>,
        TokenError: From<T::Error>,
    {
        Self::of(StoreSource::directory(directory.as_ref().to_owned()), token.try_into().map_err(TokenError::from)?)
    }

    /// A server of what `backend` keeps, in place of a directory. It can be opened once; after that
    /// [`StoreError::InUse`].
    ///
    /// ```
    /// use remofile::{FileServer, generate_token, storage::Memory};
    ///
    /// let server = FileServer::with_backend(Memory::new(), generate_token())?.bind("127.0.0.1:0")?;
    /// # Ok::<(), remofile::ServeError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`FileServer::new`].
    pub fn with_backend<T>(backend: impl Backend, token: T) -> Result<Self, ServeError>
    where
        T: TryInto<Token>,
        TokenError: From<T::Error>,
    {
        Self::of(StoreSource::backend(backend), token.try_into().map_err(TokenError::from)?)
    }

    fn of(source: StoreSource, token: Token) -> Result<Self, ServeError> {
        let no_channel = |source| TransportError::System { what: "open a channel for the stop", source };
        Ok(Self {
            source,
            token,
            keys: None,
            insecure: false,
            pattern: ServerPattern::Router,
            bounds: Bounds::default(),
            lease: Duration::from_millis(limits::LEASE_MS),
            store: StoreOptions::default(),
            stop: Stop::new().map_err(no_channel)?,
        })
    }

    /// Refuses every change with DENIED. Nothing is created in the directory either, and several servers may serve it.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.store.read_only = read_only;
        self
    }

    /// The largest file in bytes; without it what the file system takes.
    #[must_use]
    pub fn max_file_size(mut self, bytes: Option<u64>) -> Self {
        self.store.max_file_size = bytes;
        self
    }

    /// How many uploads may be staged at once, 64 at least, which is also the default. Beyond that the one that was
    /// left alone the longest goes [BEGIN-6].
    #[must_use]
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.store.max_uploads = uploads.max(limits::UPLOADS);
        self
    }

    /// How long a staged upload may be left alone before it is discarded, when a server starts; 7 days at least, which
    /// is also the default [UP-3].
    #[must_use]
    pub fn upload_expiry(mut self, age: Duration) -> Self {
        self.store.upload_expiry = age.max(Duration::from_millis(limits::UPLOAD_AGE_MS));
        self
    }

    /// How many requests a client may have unanswered, 1 to 1,024; 64 by default. With the chunk it bounds what is
    /// queued: twice as many messages in each direction.
    #[must_use]
    pub fn window(mut self, requests: u16) -> Self {
        self.bounds.window = requests.clamp(1, 1_024);
        self
    }

    /// The largest payload in bytes, 65,536 to 1,048,576; 262,144 by default.
    #[must_use]
    pub fn chunk(mut self, bytes: u32) -> Self {
        self.bounds.chunk = bytes.clamp(65_536, 1_048_576);
        self.store.chunk = u64::from(self.bounds.chunk);
        self
    }

    /// The largest header of a request in bytes, 16,384 to 65,536, which is also the default.
    #[must_use]
    pub fn header(mut self, bytes: u32) -> Self {
        self.bounds.header = bytes.clamp(16_384, 65_536);
        self
    }

    /// Window, chunk and header in one.
    #[must_use]
    pub fn bounds(self, bounds: Bounds) -> Self {
        self.window(bounds.window).chunk(bounds.chunk).header(bounds.header)
    }

    /// The longest lease, 1 s at least; 30 s by default. A client that dies blocks others for this long.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(limits::LEASE_MIN_MS));
        self
    }

    /// ROUTER, or REP for one request at a time.
    #[must_use]
    pub fn pattern(mut self, pattern: ServerPattern) -> Self {
        self.pattern = pattern;
        self
    }

    /// A key pair of the server's own in place of the derived one, as [`generate_keys`](crate::generate_keys) makes it:
    /// clients pin its public key with [`ClientOptions::server_key`](crate::ClientOptions::server_key), so that
    /// knowledge of the token alone does not suffice to impersonate the server.
    #[must_use]
    pub fn key_pair(mut self, keys: KeyPair) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Disables encryption and ZAP: every peer that can reach the socket can send requests, and only `auth` protects
    /// the session [CURVE-1].
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Stops every server made from this one, including one that [`FileServer::run`] runs.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.handle()
    }

    /// Listens and serves until it is stopped; the endpoint is text such as `localhost:6768`, `[::1]:6768` or
    /// `ipc:///run/files.sock`, or an [`Endpoint`].
    ///
    /// # Errors
    /// Those of [`FileServer::bind`] and [`BoundServer::run`].
    pub fn run<E>(&self, endpoint: E) -> Result<(), ServeError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
    {
        self.bind(endpoint)?.run()
    }

    /// Opens the directory and listens; port 0 lets the system choose, see [`BoundServer::local_endpoint`].
    ///
    /// # Errors
    /// [`ServeError::BadEndpoint`]; [`ServeError::Store`] where the directory is served already or cannot be;
    /// [`ServeError::Transport`] where the endpoint is taken or libzmq lacks CURVE
    /// ([`TransportError::NoCurve`]).
    pub fn bind<E>(&self, endpoint: E) -> Result<BoundServer, ServeError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(EndpointError::from)?;
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
        let socket = ServerSocket::bind(&Context::new(), &endpoint, self.pattern, &security, &self.bounds)?;
        let endpoint = socket.local_endpoint()?;
        tracing::info!(%endpoint, read_only = self.store.read_only, "listening");
        Ok(BoundServer::new(SocketServer::new(socket, handler, self.stop.shared())?, endpoint))
    }

    /// Opens the directory and serves on a socket that the embedding program made, secured, and bound or connected:
    /// ROUTER, REP, DEALER or PAIR, over tcp, ipc or inproc. Key pair, pattern and [`FileServer::insecure`] are of no
    /// effect; on a socket without CURVE `auth` alone guards the session, and everything travels in clear.
    ///
    /// What the program has to set before it binds, the sizes being those of this server: `ZMQ_MAXMSGSIZE` to
    /// [`Bounds::frame_max`] or more, or unauthenticated peers can send frames of any size; `ZMQ_SNDHWM` to the window
    /// or more, which is checked, and `ZMQ_RCVHWM` likewise; `ZMQ_LINGER` to 0, unless closing may wait for peers that
    /// do not read.
    ///
    /// # Errors
    /// [`ServeError::Store`] where the directory is served already or cannot be; [`TransportError::SocketType`] for a
    /// socket of another kind; [`TransportError::SendQueue`] where replies would be dropped;
    /// [`TransportError::NoCurve`].
    pub fn on_socket(&self, socket: Socket) -> Result<SocketServer, ServeError> {
        let socket = ServerSocket::adopt(socket, self.bounds.window)?;
        SocketServer::new(socket, self.open()?, self.stop.shared())
    }

    /// Opens the directory without a socket. Key pair, pattern, [`FileServer::insecure`] and the stop are of no effect.
    ///
    /// # Errors
    /// [`ServeError::Store`] where the directory is served already or cannot be.
    pub fn open(&self) -> Result<Handler, ServeError> {
        let store = (self.source.0)(self.store.clone())?;
        let limits = ServerLimits {
            welcome: HelloReply {
                window: u64::from(self.bounds.window),
                chunk: u64::from(self.bounds.chunk),
                header: u64::from(self.bounds.header),
                lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(limits::INTEGER),
                boot: BootId::new(random()),
                root: store.root_id(),
                names: Names::Posix,
                folds: store.folds(),
                ro: store.read_only(),
                caps: announced_capabilities(),
            },
            uploads: self.store.max_uploads,
        };
        let hello = Keys::derive(&self.token).hello.clone();
        let authentic: Authentic = Box::new(move |session, auth| hello.verify(*session, auth));
        Ok(Handler::new(Service::new(limits, store, authentic), QueueLimits::of(&self.bounds)))
    }
}
