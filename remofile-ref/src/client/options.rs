//! How a client connects and how long it waits.

use super::Cancel;
use std::time::Duration;

/// How a client connects and how long it waits.
///
/// ```
/// use remofile::{Cancel, ClientOptions, FileServer, generate_token};
/// use std::time::Duration;
///
/// # let directory = tempfile::tempdir()?;
/// # let token = generate_token();
/// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| server.run());
/// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientOptions::new()
///     .name("backup of anna")
///     .timeout(Duration::from_secs(60))
///     .connect_timeout(Duration::from_secs(30))
///     .wait_for_lease()
///     .cancel(Cancel::after(Duration::from_secs(3_600)))
///     .connect(endpoint, token)?;
/// client.bye();
/// # Ok(())
/// # })();
/// # stop.stop();
/// # result
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub(super) wait: Wait,
    pub(super) name: String,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) take: bool,
    pub(super) insecure: bool,
    pub(super) lockstep: bool,
    pub(super) server_key: Option<[u8; 32]>,
    pub(super) lease_ms: Option<u64>,
    pub(super) cancel: Cancel,
}

/// How long a client waits while another one holds the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    For(Duration),
    /// The lease of the other client and a little: one that has died has lost the session by then.
    Lease,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            wait: Wait::For(Duration::ZERO),
            name: default_name(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            take: false,
            insecure: false,
            lockstep: false,
            server_key: None,
            lease_ms: None,
            cancel: Cancel::new(),
        }
    }
}

impl ClientOptions {
    /// 10 s to connect, 30 s without an answer, keys from the token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that other clients see while this client holds the session; cut off at 128 bytes.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = cut_off(name, remofile_proto::limits::CLIENT);
        self
    }

    /// How long a call waits without hearing anything, 30 s by default; also the bound on connecting, if that is
    /// shorter.
    ///
    /// A session that is lost is opened again, up to three times without an answer in between: a call to a server that
    /// died fails after about the time to connect beyond this one, and four times both at the worst. A server that is
    /// heard keeps a call going; [`Cancel::after`] bounds that too.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.connect_timeout = self.connect_timeout.min(timeout);
        self
    }

    /// How long connecting may take, and every hello, 10 s by default; to be set after [`ClientOptions::timeout`].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What ends calls from elsewhere, that which connects included.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// How long to wait while another client holds the session; without it not at all.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Wait::For(wait);
        self
    }

    /// Waits until a holder that is not heard any more has lost its lease: about as long as that lease.
    #[must_use]
    pub fn wait_for_lease(mut self) -> Self {
        self.wait = Wait::Lease;
        self
    }

    /// Takes the session over from the client that holds it [SES-6].
    #[must_use]
    pub fn take(mut self, take: bool) -> Self {
        self.take = take;
        self
    }

    /// The public key of a server that has a pair of its own, in place of the derived one.
    #[must_use]
    pub fn server_key(mut self, key: [u8; 32]) -> Self {
        self.server_key = Some(key);
        self
    }

    /// No encryption and no proof of who the server is [CURVE-4].
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// One request at a time over a REQ socket, as the simplest of clients does it.
    #[must_use]
    pub fn lockstep(mut self, lockstep: bool) -> Self {
        self.lockstep = lockstep;
        self
    }

    /// The lease to ask for, in milliseconds; the server grants 1,000 up to its own [SES-12].
    #[must_use]
    pub fn lease_ms(mut self, lease_ms: u64) -> Self {
        self.lease_ms = Some(lease_ms);
        self
    }
}

fn default_name() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "remofile".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    cut_off(&format!("{user}@{host}"), remofile_proto::limits::CLIENT)
}

fn cut_off(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}
