//! Endpoints: what a person writes, and the addresses that libzmq is given for it.

use super::TransportError;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;

/// The longest path of a Unix socket in bytes: `sun_path` less its NUL.
const IPC_PATH_MAX: usize = 107;

/// Where a server listens and a client connects: `host:port`, `[address]:port`, `tcp://…`, `ipc://PATH`,
/// `inproc://NAME`.
///
/// ```
/// use remofile::transport::Endpoint;
/// let endpoint: Endpoint = "[::1]:6768".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:6768");
/// # Ok::<(), remofile::transport::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP. The host is a name, an address without brackets, or `*` for every interface of a server.
    Tcp {
        /// Name or address.
        host: String,
        /// 0 to 65,535; 0 lets a server choose, and is nothing to connect to.
        port: u16,
    },
    /// A Unix socket with this path, 1 to 107 bytes.
    Ipc(String),
    /// A name within one context, for programs that embed both ends.
    Inproc(String),
}

/// Why a text is no endpoint, or an endpoint does not fit the use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not `tcp`, `ipc` or `inproc`.
    #[error("{0}:// is not spoken; use tcp://, ipc:// or inproc://")]
    Scheme(String),
    /// No host before the port.
    #[error("{0:?} names no host")]
    NoHost(String),
    /// No `:port` at the end.
    #[error("{0:?} names no port; write host:port")]
    NoPort(String),
    /// The port is not a number from 0 to 65,535.
    #[error("{0:?} is not a port from 0 to 65535")]
    Port(String),
    /// Several colons and no brackets.
    #[error("{0:?} looks like an IPv6 address; write it in brackets, as in [::1]:6768")]
    Brackets(String),
    /// The host has characters that no name or address has.
    #[error("{0:?} is not a host name or address")]
    Host(String),
    /// The path or name is empty, too long, or has a control character.
    #[error("{0:?} is not the path of a Unix socket (1 to 107 bytes) or an inproc name")]
    Name(String),
    /// Port 0 or host `*` to connect to.
    #[error("{0} is where a server can listen, not where a client can connect")]
    NotConnectable(Endpoint),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text.split_once("://") {
            None => tcp(text),
            Some(("tcp", rest)) => tcp(rest),
            Some(("ipc", path)) if (1..=IPC_PATH_MAX).contains(&path.len()) && is_plain(path) => {
                Ok(Self::Ipc(path.to_owned()))
            }
            Some(("inproc", name)) if (1..=255).contains(&name.len()) && is_plain(name) => {
                Ok(Self::Inproc(name.to_owned()))
            }
            Some(("ipc" | "inproc", rest)) => Err(EndpointError::Name(rest.to_owned())),
            Some((scheme, _)) => Err(EndpointError::Scheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Ipc(path) => write!(f, "ipc://{path}"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

impl Endpoint {
    /// Binds by `bind`, which is called with the address that libzmq is to listen on.
    ///
    /// The address is tried by the standard library first, because crate zmq panics where libzmq reports an error
    /// number that the crate does not know.
    pub(super) fn bind_with(&self, bind: impl Fn(&str) -> Result<(), zmq::Error>) -> Result<(), TransportError> {
        let cannot = |source| TransportError::Bind { endpoint: self.clone(), source };
        let address = self.bind_address().map_err(cannot)?;
        bind(&address).map_err(|error| cannot(io::Error::from(error)))
    }

    /// The addresses that libzmq is to connect to, one after another: a name may have several.
    pub(super) fn connect_addresses(&self) -> Result<Vec<String>, TransportError> {
        let Self::Tcp { host, port } = self else { return Ok(vec![self.to_string()]) };
        if host == "*" || *port == 0 {
            return Err(EndpointError::NotConnectable(self.clone()).into());
        }
        let addresses =
            resolve(host, *port).map_err(|source| TransportError::Connect { endpoint: self.clone(), source })?;
        Ok(addresses.into_iter().map(|address| format!("tcp://{address}")).collect())
    }

    fn bind_address(&self) -> io::Result<String> {
        match self {
            Self::Tcp { host, .. } if host == "*" => Ok(self.to_string()),
            Self::Tcp { host, port } => {
                let mut refusal = io::Error::from(io::ErrorKind::NotFound);
                for address in resolve(host, *port)? {
                    match TcpListener::bind(address) {
                        Ok(_) => return Ok(format!("tcp://{address}")),
                        Err(error) => refusal = error,
                    }
                }
                Err(refusal)
            }
            Self::Ipc(path) => free_ipc_path(Path::new(path)).map(|()| self.to_string()),
            Self::Inproc(_) => Ok(self.to_string()),
        }
    }
}

fn tcp(text: &str) -> Result<Endpoint, EndpointError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or_else(|| EndpointError::Host(text.to_owned()))?;
            let address = host.split_once('%').map_or(host, |(address, _zone)| address);
            if address.parse::<Ipv6Addr>().is_err() || !is_plain(host) {
                return Err(EndpointError::Host(host.to_owned()));
            }
            (host, behind.strip_prefix(':').ok_or_else(|| EndpointError::NoPort(text.to_owned()))?)
        }
        None => {
            let (host, port) = text.rsplit_once(':').ok_or_else(|| EndpointError::NoPort(text.to_owned()))?;
            if host.contains(':') {
                return Err(EndpointError::Brackets(text.to_owned()));
            }
            if host.is_empty() {
                return Err(EndpointError::NoHost(text.to_owned()));
            }
            let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
            if host != "*" && !is_name {
                return Err(EndpointError::Host(host.to_owned()));
            }
            (host, port)
        }
    };
    if port.is_empty() {
        return Err(EndpointError::NoPort(text.to_owned()));
    }
    let digits_only = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits_only => Ok(Endpoint::Tcp { host: host.to_owned(), port }),
        _ => Err(EndpointError::Port(port.to_owned())),
    }
}

/// Free of control characters: NUL would end the C string that libzmq is given.
fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    if addresses.is_empty() { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(addresses) }
}

/// libzmq removes the file at the path before it binds: only a socket without a listener may be removed.
fn free_ipc_path(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(io::Error::from(io::ErrorKind::AddrInUse)),
        Ok(_) => Ok(()),
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;
    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;
    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;
    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: address.ip().to_string(), port: address.port() }
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}

impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Endpoint>().unwrap().to_string()
    }

    fn refusal(text: &str) -> EndpointError {
        text.parse::<Endpoint>().unwrap_err()
    }

    #[test]
    fn host_and_port_is_tcp() {
        assert_eq!(shown("files.example:6768"), "tcp://files.example:6768");
    }

    #[test]
    fn every_form_survives_being_shown_and_parsed() {
        for text in ["tcp://127.0.0.1:1", "tcp://[fe80::1%3]:65535", "tcp://*:0", "ipc:///run/rmf.sock", "inproc://a b"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_refused() {
        assert_eq!(refusal("::1:6768"), EndpointError::Brackets("::1:6768".into()));
    }

    #[test]
    fn a_missing_port_is_refused() {
        for text in ["localhost", "localhost:", "[::1]", "tcp://[::1]:"] {
            assert!(matches!(refusal(text), EndpointError::NoPort(_)), "{text}");
        }
    }

    #[test]
    fn a_port_out_of_range_is_refused() {
        for text in ["a:65536", "a:+1", "a:-1", "a:http", "a:1/x"] {
            assert!(matches!(refusal(text), EndpointError::Port(_)), "{text}");
        }
    }

    #[test]
    fn a_host_with_strange_characters_is_refused() {
        for text in ["a\0b:1", "a b:1", "[x]:1", "[::1:1", "user@host:1"] {
            assert!(matches!(refusal(text), EndpointError::Host(_)), "{text}");
        }
    }

    #[test]
    fn a_missing_host_is_refused() {
        assert_eq!(refusal(":6768"), EndpointError::NoHost(":6768".into()));
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        assert_eq!(refusal("https://x:1"), EndpointError::Scheme("https".into()));
    }

    #[test]
    fn a_socket_path_too_long_or_with_nul_is_refused() {
        for text in [format!("ipc://{}", "x".repeat(108)), "ipc://".into(), "ipc://a\0b".into(), "inproc://".into()] {
            assert!(matches!(refusal(&text), EndpointError::Name(_)), "{text}");
        }
    }

    #[test]
    fn a_file_at_the_socket_path_is_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(free_ipc_path(file.path()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(file.path().exists());
    }
}
