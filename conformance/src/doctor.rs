//! Finds out, step by step, why a server cannot be reached.

mod greeting;
mod handshake;

use crate::{
    engine::{client::Client, environment::Environment, error::CaseError, journal::Journal},
    exit::{Exit, Failure},
    wire::{
        code::{AUTH, BUSY, NO_SESSION, OK, VERSION},
        connection::{Connection, Security},
        reply::Reply,
        request::{bye, ping},
        zmtp::Greeting,
    },
};
use handshake::DoctorHandshake;
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    rc::Rc,
    time::{Duration, Instant},
};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoctorStep {
    pub(crate) name: &'static str,
    /// What was found.
    pub(crate) found: Result<String, Failure>,
}

/// What was tried, in order; the last step may have failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) steps: Vec<DoctorStep>,
    /// The rest of the lease, when another client holds the session.
    pub(crate) busy: Option<Duration>,
    /// Whether the server answered `hello` with OK.
    pub(crate) opened: bool,
}

/// Goes through all steps until one fails.
pub(crate) fn diagnose(environment: &Rc<Environment>) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    // A failure is the last step.
    let _ = diagnosis.go_on(environment);
    diagnosis
}

impl Diagnosis {
    /// The step that failed.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.steps.last().and_then(|step| step.found.as_ref().err())
    }

    fn go_on(&mut self, environment: &Rc<Environment>) -> Option<()> {
        let target = environment.target.borrow().clone();
        let timeout = environment.timeouts.get().reply;
        let addresses = self.note("name", resolve(target.address()), |addresses| {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            format!("resolves to {}", shown.join(", "))
        })?;
        let stream = self.note("TCP", connect(&addresses, timeout), |stream| match stream.peer_addr() {
            Ok(address) => format!("connected to {address}"),
            Err(_) => "connected".into(),
        })?;
        let greeting = self.note("greeting", greeting::exchange(stream, timeout), |greeting| {
            format!("ZMTP {}.{}", greeting.version.0, greeting.version.1)
        })?;
        self.note("mechanism", mechanism(&greeting, target.security), |mechanism| match mechanism.as_str() {
            "CURVE" => "CURVE, as required".into(),
            other => format!("{other}, as requested by --insecure"),
        })?;
        let connection = self.note("handshake", shake_hands(environment), |_| match target.security {
            Security::Insecure => "done, without encryption".into(),
            _ => "done: the server has the expected key and accepts the client key of the token".into(),
        })?;
        let mut client = Client::new("doctor", environment, &Journal::shared(), connection.socket_kind()).ok()?;
        client.replace_connection(connection);
        let said = self.hello(&mut client);
        self.note("hello", said, |said| said.clone())?;
        self.note("ping", pinged(&mut client), |took| format!("answered in {:.1} ms", took.as_secs_f64() * 1_000.0))
            .map(drop)
    }

    fn note<T>(&mut self, name: &'static str, found: Result<T, Failure>, show: impl Fn(&T) -> String) -> Option<T> {
        let (found, value) = match found {
            Ok(value) => (Ok(show(&value)), Some(value)),
            Err(failure) => (Err(failure), None),
        };
        self.steps.push(DoctorStep { name, found });
        value
    }

    fn hello(&mut self, client: &mut Client) -> Result<String, Failure> {
        let hello = client.hello_request();
        let reply = client.call(hello).map_err(|error| unanswered(client, &error))?;
        match reply.code {
            OK => {
                self.opened = true;
                let hello_reply = client.opened(&reply).map_err(|error| {
                    Failure::new(Exit::NotConformant, format!("hello was answered OK, but {}", error.text()))
                        .hint("conformance explain HELLO-2 shows its keys")
                })?;
                Ok(format!(
                    "OK: window {}, chunk {}, header {}, lease {} ms, names {:?}{}",
                    hello_reply.window,
                    hello_reply.chunk,
                    hello_reply.header,
                    hello_reply.lease_ms,
                    hello_reply.names,
                    if hello_reply.ro { ", read-only" } else { "" }
                ))
            }
            BUSY => {
                let (failure, rest) = busy(&reply);
                self.busy = Some(rest);
                Err(failure)
            }
            AUTH => Err(Failure::new(Exit::Refused, "the token was refused: hello was answered AUTH")
                .hint("the token is not the server's, or the server computes `auth` differently: see conformance explain KEY-7")),
            code => Err(Failure::new(Exit::Unreachable, format!("hello was answered {code}, {}", reply.result))
                .hint("conformance explain SES-3 shows how hello is checked")),
        }
    }
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>, Failure> {
    let hint = "check the host name, or use its IP address";
    let found = address.to_socket_addrs().map_err(|error| {
        Failure::new(Exit::Unreachable, format!("the name in {address} cannot be resolved: {error}")).hint(hint)
    })?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(Failure::new(Exit::Unreachable, format!("the name in {address} has no address")).hint(hint));
    }
    Ok(found)
}

fn connect(addresses: &[SocketAddr], timeout: Duration) -> Result<TcpStream, Failure> {
    let mut failure = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = failure.or(Some(unconnected(*address, &error, timeout))),
        }
    }
    Err(failure.unwrap_or_else(|| Failure::new(Exit::Unreachable, "no address to connect to")))
}

fn unconnected(address: SocketAddr, error: &std::io::Error, timeout: Duration) -> Failure {
    let (what, hint) = match error.kind() {
        ErrorKind::ConnectionRefused => (
            format!("nothing listens at {address}: the connection was refused"),
            "start the server, and check the port and the address that it binds to",
        ),
        ErrorKind::TimedOut => (
            format!("no answer from {address} within {} s", timeout.as_secs()),
            "check the address; a firewall may drop packets",
        ),
        _ => (format!("no connection to {address}: {error}"), "check the network, and the address"),
    };
    Failure::new(Exit::Unreachable, what).hint(hint)
}

fn mechanism(greeting: &Greeting, security: Security) -> Result<String, Failure> {
    let wanted = if security == Security::Insecure { "NULL" } else { "CURVE" };
    let found = &greeting.mechanism;
    if found == wanted {
        return Ok(found.clone());
    }
    let hint = match found.as_str() {
        "NULL" => "a server must use CURVE [CURVE-1]; give --insecure for a server that runs without it",
        "CURVE" => "omit --insecure: the server uses CURVE",
        _ => "Remofile uses CURVE",
    };
    Err(Failure::new(Exit::Unreachable, format!("the server uses the ZMTP mechanism {found}, not {wanted}")).hint(hint))
}

fn shake_hands(environment: &Environment) -> Result<Connection, Failure> {
    let target = environment.target.borrow().clone();
    let timeout = environment.timeouts.get().reply;
    let pinned = matches!(target.security, Security::Pinned(_));
    let failed = |exit, what: &str, hint: &str| Err(Failure::new(exit, what).hint(hint));
    match handshake::attempt(&environment.context, &target, timeout) {
        Err(error) => Err(Failure::new(Exit::OwnFault, format!("cannot open a socket: {error}"))),
        Ok(DoctorHandshake::Done(connection)) => Ok(connection),
        Ok(DoctorHandshake::Refused(status)) => failed(
            Exit::Refused,
            &format!("the client's key was refused with status {status}: the token is not the server's"),
            "check REMOFILE_TOKEN; [KEY-5] derives the key from it, as the vectors keys-*.json show byte by byte",
        ),
        Ok(DoctorHandshake::Broken) if pinned => failed(
            Exit::Refused,
            "the CURVE handshake fails without a reason: the server has another key than --server-key",
            "check the key; without --server-key the suite expects the key that the token gives",
        ),
        Ok(DoctorHandshake::Broken) => failed(
            Exit::Refused,
            "the CURVE handshake fails without a reason: the server's key is not the one that this token gives",
            "check REMOFILE_TOKEN; a server with a key pair of its own needs --server-key",
        ),
        Ok(DoctorHandshake::Protocol) => failed(
            Exit::Unreachable,
            "the ZMTP handshake fails: the server breaks the protocol of its mechanism",
            "check the server's ZeroMQ library and proxies on the path",
        ),
        Ok(DoctorHandshake::Silent) => failed(
            Exit::Unreachable,
            "the server greets, but does not finish the ZMTP handshake",
            "it may hang, or its ZAP handler may not run [CURVE-3]; --timeout waits longer",
        ),
    }
}

fn unanswered(client: &mut Client, error: &CaseError) -> Failure {
    let version = client.take_unasked().iter().any(|reply| reply.code == VERSION);
    if version {
        return Failure::new(Exit::Unreachable, "hello was answered VERSION: the server speaks another version")
            .hint("this suite checks version 1, magic \"rmf1\"");
    }
    match error {
        CaseError::Silent(what) => Failure::new(Exit::Unreachable, format!("the server does not answer hello: {what}"))
            .hint(
                "it hangs, does not recognise hello as a Remofile message (conformance explain ENV-14), or is not a Remofile server",
            ),
        other => {
            Failure::new(Exit::Unreachable, format!("this is not a Remofile server, or a broken one: {}", other.text()))
                .hint("conformance decode FRAME explains a message")
        }
    }
}

/// The holder of the session and the rest of its lease.
fn busy(reply: &Reply) -> (Failure, Duration) {
    let client = reply.text("client").unwrap_or("another client");
    let idle = reply.uint("idle_ms").unwrap_or_default();
    let lease = reply.uint("lease_ms").unwrap_or_default();
    let rest = Duration::from_millis(lease.saturating_sub(idle));
    let what = format!(
        "the server is busy: {client:?} holds its session, idle for {:.1} s of a lease of {:.0} s",
        Duration::from_millis(idle).as_secs_f64(),
        Duration::from_millis(lease).as_secs_f64()
    );
    let hint = format!("end that client, or wait for it with --wait {}", (lease / 1_000).saturating_add(1));
    (Failure::new(Exit::Unreachable, what).hint(hint), rest)
}

fn pinged(client: &mut Client) -> Result<Duration, Failure> {
    let sent = Instant::now();
    let reply = client.call(ping()).map_err(|error| {
        Failure::new(Exit::NotConformant, format!("a ping in the open session fails: {}", error.text()))
    })?;
    let took = sent.elapsed();
    if !reply.is_ok() {
        return Err(Failure::new(
            Exit::NotConformant,
            format!("a ping in the open session was answered {}", reply.code),
        )
        .hint("see conformance explain SES-19"));
    }
    // The session must not block the next client.
    match client.call(bye()) {
        Ok(reply) if reply.is_ok() || reply.code == NO_SESSION => {
            client.environment.last_session.set(None);
            Ok(took)
        }
        Ok(reply) => Err(Failure::new(Exit::NotConformant, format!("bye was answered {}", reply.code))),
        Err(error) => Err(Failure::new(Exit::NotConformant, format!("bye fails: {}", error.text()))),
    }
}
