//! The server under test: one that runs already, or one that the suite starts, kills and restarts.

mod process;

use crate::{
    engine::{
        environment::random_id,
        error::{CaseError, CaseResult},
    },
    mutation,
    wire::{
        code::NO_SESSION,
        connection::{Connection, Security, ServerTarget, SocketKind},
        request::ping,
    },
};
use process::Process;
use remofile_proto::Token;
use std::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use zmq::Context;

/// The poll interval for conditions without an event: a port that opens, a process group that ends.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How the server is run.
#[derive(Debug, Default)]
pub(crate) enum Server {
    /// A server that the suite can neither stop nor start.
    #[default]
    Foreign,
    /// A server that the user's command restarts.
    Restartable(Restartable),
    /// A server that the suite started.
    Spawned(Spawned),
}

/// A server with a command that restarts it on the same directory and address.
#[derive(Debug)]
pub(crate) struct Restartable {
    command: String,
    probe: Probe,
}

/// A server that the suite started, on a temporary directory.
#[derive(Debug)]
pub(crate) struct Spawned {
    command: String,
    probe: Probe,
    directory: TempDir,
    process: Process,
    port: u16,
    /// How long it took to start.
    took: Duration,
}

/// What a second server on the same directory did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// It ended, as required [UP-9].
    Ended,
    /// It serves.
    Serves,
    /// Neither, within several times the start time of the first one.
    Hangs,
}

impl Server {
    /// Starts a server by a command line of `sh` in which `{root}`, `{port}` and `{token}` stand for the directory to
    /// serve, the TCP port of 127.0.0.1 to listen on, and the token. Each is put in as one quoted word, so that the
    /// line needs no quotes around them. The server runs in a process group of its own, which ends with the suite
    /// in any case. Returns an error when it does not answer before `timeout` has passed.
    pub(crate) fn spawn(
        context: &Context,
        command: &str,
        token: Token,
        security: Security,
        timeout: Duration,
    ) -> Result<Self, String> {
        let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
        let directory =
            TempDir::with_prefix("conformance-").map_err(|error| failed("no temporary directory", error))?;
        std::fs::create_dir(directory.path().join("served")).map_err(|error| failed("no directory to serve", error))?;
        let port = free_port().map_err(|error| failed("no free port", error))?;
        let target = ServerTarget { endpoint: format!("tcp://127.0.0.1:{port}"), security, token };
        let probe = Probe { context: context.clone(), target, timeout };
        let began = Instant::now();
        let mut process = start(command, &probe.target.token, directory.path(), port, "log")?;
        probe.ready(|| process.ended()).map_err(|why| why.text("the server", &process))?;
        let took = began.elapsed();
        let command = command.to_owned();
        Ok(Self::Spawned(Spawned { command, probe, directory, process, port, took }))
    }

    /// A server that runs already, and a command line of `sh` that restarts it and returns when the
    /// old one has ended.
    pub(crate) fn restartable(context: &Context, command: &str, target: ServerTarget, timeout: Duration) -> Self {
        let probe = Probe { context: context.clone(), target, timeout };
        Self::Restartable(Restartable { command: command.to_owned(), probe })
    }

    /// The address, if the suite started it.
    pub(crate) fn target(&self) -> Option<ServerTarget> {
        match self {
            Self::Spawned(spawned) => Some(spawned.probe.target.clone()),
            Self::Foreign | Self::Restartable(_) => None,
        }
    }

    /// The served directory, if the suite started it.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        match self {
            Self::Spawned(spawned) => Some(spawned.directory.path().join("served")),
            Self::Foreign | Self::Restartable(_) => None,
        }
    }

    /// Whether it can be killed.
    pub(crate) fn can_kill(&self) -> bool {
        matches!(self, Self::Spawned(_))
    }

    /// Whether it can be restarted.
    pub(crate) fn can_restart(&self) -> bool {
        !matches!(self, Self::Foreign)
    }

    /// Restarts it, after SIGKILL if the suite started it.
    pub(crate) fn kill_and_restart(&mut self) -> CaseResult {
        match self {
            _ if mutation::active!(RestartSkipped) => Ok(()),
            Self::Spawned(_) => {
                self.kill()?;
                self.start()
            }
            Self::Foreign | Self::Restartable(_) => self.restart(),
        }
    }

    /// Restarts it, after SIGTERM if the suite started it.
    pub(crate) fn restart(&mut self) -> CaseResult {
        match self {
            _ if mutation::active!(RestartSkipped) => Ok(()),
            Self::Foreign => Err(CaseError::Harness("the suite did not start the server".into())),
            Self::Restartable(server) => server.restart(),
            Self::Spawned(server) => {
                server.process.terminate(server.probe.timeout).map_err(CaseError::Harness)?;
                self.start()
            }
        }
    }

    /// Kills it; returns when it is gone.
    pub(crate) fn kill(&mut self) -> CaseResult {
        self.spawned()?.process.kill().map_err(CaseError::Harness)
    }

    /// Starts it again on the same directory and port; returns when it answers.
    pub(crate) fn start(&mut self) -> CaseResult {
        let server = self.spawned()?;
        let token = &server.probe.target.token;
        server.process =
            start(&server.command, token, server.directory.path(), server.port, "log").map_err(CaseError::Harness)?;
        let process = &mut server.process;
        server.probe.ready(|| process.ended()).map_err(|why| CaseError::Silent(why.text("the server", process)))
    }

    /// Starts another server on the same directory and another port, and kills it; returns what it did.
    pub(crate) fn second(&mut self) -> CaseResult<Second> {
        let server = self.spawned()?;
        let port = free_port().map_err(|error| CaseError::Harness(format!("no free port: {error}")))?;
        let mut target = server.probe.target.clone();
        target.endpoint = format!("tcp://127.0.0.1:{port}");
        let timeout = Duration::from_secs(5).max(server.took * 5);
        let probe = Probe { context: server.probe.context.clone(), target, timeout };
        let token = &probe.target.token;
        let mut process =
            start(&server.command, token, server.directory.path(), port, "second").map_err(CaseError::Harness)?;
        let became = match probe.ready(|| process.ended()) {
            Ok(()) => Second::Serves,
            Err(Unready::Ended) => Second::Ended,
            Err(Unready::Silent(_)) => Second::Hangs,
        };
        process.kill().map_err(CaseError::Harness)?;
        Ok(became)
    }

    fn spawned(&mut self) -> CaseResult<&mut Spawned> {
        match self {
            Self::Spawned(spawned) => Ok(spawned),
            Self::Foreign | Self::Restartable(_) => {
                Err(CaseError::Harness("the case does not say that it needs --spawn".into()))
            }
        }
    }
}

impl Restartable {
    fn restart(&self) -> CaseResult {
        let failed = |error| CaseError::Harness(format!("cannot run {:?}: {error}", self.command));
        let shell = Command::new("sh").arg("-c").arg(&self.command).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut shell = shell.map_err(failed)?;
        let deadline = Instant::now() + self.probe.timeout;
        let status = loop {
            match shell.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    // Its children may include the user's server, so only the shell is killed.
                    shell.kill().and_then(|()| shell.wait()).map_err(failed)?;
                    return Err(CaseError::Harness(format!("{:?} did not return", self.command)));
                }
                None => thread::sleep(LOOK_EVERY),
            }
        };
        if !status.success() {
            return Err(CaseError::Harness(format!("{:?} ended with {status}", self.command)));
        }
        self.probe.ready(|| false).map_err(|_| CaseError::Silent("the server does not answer after its restart".into()))
    }
}

/// Finds out whether a server serves.
struct Probe {
    context: Context,
    target: ServerTarget,
    timeout: Duration,
}

/// Why a server is not ready.
enum Unready {
    Ended,
    /// It did not answer within this time.
    Silent(Duration),
}

impl Probe {
    /// Waits until the server answers a `ping` without a session, which changes nothing [SES-19].
    fn ready(&self, mut ended: impl FnMut() -> bool) -> Result<(), Unready> {
        let deadline = Instant::now() + self.timeout;
        let frames = ping().frames(random_id(), 0);
        let mut connection: Option<Connection> = None;
        while Instant::now() < deadline {
            if ended() {
                return Err(Unready::Ended);
            }
            match &connection {
                // libzmq waits long before it tries a closed port again.
                None if !self.listens() => thread::sleep(LOOK_EVERY),
                None => {
                    let fresh = Connection::open(&self.context, &self.target, SocketKind::Dealer);
                    connection = fresh.ok().filter(|fresh| fresh.send(&frames).is_ok());
                }
                Some(open) => {
                    let look = deadline.min(Instant::now() + LOOK_EVERY * 20);
                    if open.receive(look).is_ok_and(|message| message.is_some_and(|message| answers(open, message))) {
                        return Ok(());
                    }
                }
            }
        }
        Err(Unready::Silent(self.timeout))
    }

    fn listens(&self) -> bool {
        let addresses = self.target.address().to_socket_addrs().into_iter().flatten();
        addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, LOOK_EVERY * 100).is_ok())
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("endpoint", &self.target.endpoint).finish_non_exhaustive()
    }
}

impl Unready {
    fn text(&self, who: &str, process: &Process) -> String {
        let what = match self {
            Unready::Ended => format!("{who} ended before it answered"),
            Unready::Silent(waited) => format!("{who} did not answer within {} s", waited.as_secs()),
        };
        match process.end_of_log() {
            words if words.is_empty() => format!("{what}; it wrote nothing"),
            words => format!("{what}; it wrote: {words}"),
        }
    }
}

fn answers(connection: &Connection, message: Vec<Vec<u8>>) -> bool {
    let Some((_, frames)) = connection.split(message) else { return false };
    let header = frames.first().and_then(|header| crate::wire::cbor::read(header).ok());
    let code = header.as_ref().and_then(|header| header.array()?.get(3)?.uint());
    code == Some(NO_SESSION.0)
}

fn start(command: &str, token: &Token, directory: &Path, port: u16, log: &str) -> Result<Process, String> {
    let root = directory.join("served");
    let root = root.to_str().ok_or("the temporary directory's name is not UTF-8")?;
    let line = command
        .replace("{root}", &quoted(root))
        .replace("{port}", &port.to_string())
        .replace("{token}", &quoted(token.reveal()));
    Process::start(&line, directory.join(log), token)
}

/// Quotes any text as one word for `sh`.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A port without a listener, below the range of ephemeral ports, so that no outgoing connection takes it while the
/// server restarts.
fn free_port() -> std::io::Result<u16> {
    let mut refused = None;
    for choice in random_id().chunks_exact(2) {
        let port = 16_384 + u16::from_le_bytes([choice[0], choice[1]]) % 16_384;
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}
