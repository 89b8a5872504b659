//! What is known of a connection, and where from: flags, environment, profile, the rest of the configuration file.

use super::{
    args::ConnectionArgs,
    config::Config,
    connection::{DEFAULT_PORT, parse_token},
    failure::{Failure, plain},
    output::escaped,
};
use remofile::transport::{Endpoint, EndpointError};
use remofile_proto::{Token, z85};
use std::{
    fs::File,
    io::{self, Read},
    net::Ipv6Addr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// No file and no command is read further than this for a token, in bytes: a token has 128 at most.
const TOKEN_FILE_MAX: u64 = 4096;

/// What one source says. Where several names have one subject, the first of them that is set counts.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) server: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) token_command: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) timeout: Option<f64>,
    pub(crate) wait: Option<f64>,
    pub(crate) insecure: Option<bool>,
}

/// All sources, the one that goes first first.
pub(crate) struct Sources {
    levels: Vec<Settings>,
    /// The profile that a flag asked for, if one did.
    profile: Option<String>,
}

impl Settings {
    pub(crate) fn of_flags(flags: &ConnectionArgs) -> Self {
        Self {
            server: flags.server.clone(),
            hostname: flags.hostname.clone(),
            port: flags.server_port,
            token: flags.token.clone(),
            token_file: flags.token_file.clone(),
            token_command: flags.token_command.clone(),
            public_key: flags.public_key.clone(),
            timeout: flags.timeout,
            wait: flags.wait,
            insecure: flags.insecure.then_some(true),
        }
    }

    /// What the environment says; an empty variable says nothing.
    pub(crate) fn of_environment() -> Result<Self, Failure> {
        Ok(Self {
            server: variable("REMOFILE_SERVER")?,
            hostname: variable("REMOFILE_HOSTNAME")?,
            port: number("REMOFILE_PORT", "a port from 0 to 65535")?,
            token: variable("REMOFILE_TOKEN")?,
            token_file: variable("REMOFILE_TOKEN_FILE")?.map(PathBuf::from),
            token_command: None,
            public_key: variable("REMOFILE_PUBLIC_KEY")?,
            timeout: number("REMOFILE_TIMEOUT", "a number of seconds")?,
            wait: None,
            insecure: None,
        })
    }

    pub(crate) fn names_server(&self) -> bool {
        self.server.is_some() || self.hostname.is_some()
    }

    pub(crate) fn names_token(&self) -> bool {
        self.token.is_some() || self.token_file.is_some() || self.token_command.is_some()
    }

    /// The token that this source names, if it names one.
    pub(crate) fn read_token(&self, may_run: bool) -> Result<Option<Token>, Failure> {
        if let Some(text) = &self.token {
            return parse_token(text).map(Some);
        }
        if let Some(file) = &self.token_file {
            return parse_token(first_line(&read_token_file(file)?)).map(Some);
        }
        match &self.token_command {
            Some(command) if may_run => parse_token(first_line(&run_token_command(command)?)).map(Some),
            _ => Ok(None),
        }
    }
}

impl Sources {
    /// Reads the environment and the configuration file beside the flags.
    pub(crate) fn read(flags: &ConnectionArgs) -> Result<Self, Failure> {
        let mut levels = vec![Settings::of_flags(flags), Settings::of_environment()?];
        let config = Config::read(flags.config.as_deref())?;
        let asked = flags.profile.clone().filter(|name| !name.is_empty());
        let named = match &asked {
            Some(name) => Some(name.clone()),
            None => variable("REMOFILE_PROFILE")?,
        };
        levels.extend(config.into_levels(named.as_deref())?);
        Ok(Self { levels, profile: asked })
    }

    /// What a user who asked for a profile by a flag should know: the environment goes before it.
    pub(crate) fn overridden_profile(&self) -> Option<String> {
        let profile = self.profile.as_deref()?;
        let [flags, environment, rest @ ..] = self.levels.as_slice() else { return None };
        let hides = |names: fn(&Settings) -> bool| !names(flags) && names(environment) && rest.iter().any(names);
        let what = match (hides(Settings::names_server), hides(Settings::names_token)) {
            (true, true) => "server and the token",
            (true, false) => "server",
            (false, true) => "token",
            (false, false) => return None,
        };
        Some(format!("the environment goes before profile '{profile}': it names the {what} (REMOFILE_…)"))
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let Some(at) = self.levels.iter().position(Settings::names_server) else {
            return Err(Failure::usage_with(
                "no server is given",
                "set REMOFILE_SERVER=HOST:PORT, use --server, or write a profile into the configuration file",
            ));
        };
        let (before, from) = self.levels.split_at(at);
        // Another port than that of the name, by a source that goes before it; or one for a name without a port.
        let forced = before.iter().find_map(|level| level.port);
        let missing = forced.or_else(|| from.iter().find_map(|level| level.port)).unwrap_or(DEFAULT_PORT);
        let level = &from[0];
        let (text, endpoint) = match (&level.server, &level.hostname) {
            (Some(server), _) => (server.clone(), parse_endpoint(server, missing)),
            (None, host) => {
                let host = host.as_deref().unwrap_or_default();
                let bare = host.parse::<Ipv6Addr>().is_ok();
                let text = if bare { format!("[{host}]:{missing}") } else { format!("{host}:{missing}") };
                let endpoint = text.parse();
                (text, endpoint)
            }
        };
        let bad = |what: &str| {
            Failure::usage_with(
                format!("'{}' is not a server to connect to: {what}", escaped(&text)),
                "write host, host:port, [::1]:port, tcp://host:port or ipc:///path",
            )
        };
        match endpoint.map_err(|error| bad(&error.to_string()))? {
            Endpoint::Tcp { host, port } => {
                let port = forced.unwrap_or(port);
                if host == "*" || port == 0 {
                    return Err(bad("that is where a server listens, not where a client connects"));
                }
                Ok(Endpoint::Tcp { host, port })
            }
            Endpoint::Inproc(_) => Err(bad("inproc:// reaches nothing outside of one program")),
            endpoint @ Endpoint::Ipc(_) => Ok(endpoint),
        }
    }

    /// The token of the first source that names one. `may_run` allows commands of the user's to be run for it.
    pub(crate) fn token(&self, may_run: bool) -> Result<Option<Token>, Failure> {
        let named = self.levels.iter().find(|level| level.names_token());
        named.map_or(Ok(None), |level| level.read_token(may_run))
    }

    pub(crate) fn server_key(&self) -> Result<Option<[u8; 32]>, Failure> {
        let Some(text) = self.first(|level| level.public_key.as_deref()) else { return Ok(None) };
        z85::decode(text).map(Some).map_err(|error| {
            Failure::usage_with(
                format!("the public key is not valid: {error}"),
                "it is the 40 characters that `remofile generate-keys` printed behind `public`",
            )
        })
    }

    /// How long a silent server is waited for, if anything says so.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let timeout = self.first(|level| level.timeout).map(|number| seconds("--timeout", number)).transpose()?;
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Failure::usage("--timeout 0 leaves no time for an answer"));
        }
        Ok(timeout)
    }

    /// How long a session that somebody else holds is waited for, if anything says so.
    pub(crate) fn wait(&self) -> Result<Option<Duration>, Failure> {
        self.first(|level| level.wait).map(|number| seconds("--wait", number)).transpose()
    }

    pub(crate) fn insecure(&self) -> bool {
        self.first(|level| level.insecure).unwrap_or(false)
    }

    fn first<'a, T>(&'a self, of: impl FnMut(&'a Settings) -> Option<T>) -> Option<T> {
        self.levels.iter().find_map(of)
    }
}

/// A variable of the environment, if it is set and not empty.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Failure> {
    let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    value.into_string().map(Some).map_err(|_| Failure::usage(format!("{name} is not UTF-8")))
}

/// Warns of a file with a secret that others than its owner can read.
pub(crate) fn warn_of_readable(file: &File, path: &Path, what: &str) {
    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        super::output::warn(format_args!(
            "the {what} '{0}' holds a token and is open to others (mode {mode:03o}); `chmod 600 '{0}'` closes it",
            path.display()
        ));
    }
}

/// The same with `missing` as its port where it has none.
fn parse_endpoint(text: &str, missing: u16) -> Result<Endpoint, EndpointError> {
    match text.parse() {
        Err(EndpointError::NoPort(_)) if !text.ends_with(':') => format!("{text}:{missing}").parse(),
        parsed => parsed,
    }
}

fn number<T: std::str::FromStr>(name: &str, what: &str) -> Result<Option<T>, Failure> {
    let Some(text) = variable(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Failure::usage(format!("{name} '{}' is not {what}", escaped(&text))))
}

fn seconds(flag: &str, number: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(number).map_err(|_| Failure::usage(format!("{flag} {number} is not a time in seconds")))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end()
}

fn read_token_file(path: &Path) -> Result<String, Failure> {
    let read = || -> io::Result<String> {
        let file = File::open(path)?;
        warn_of_readable(&file, path, "token file");
        read_text(file)
    };
    read().map_err(|error| {
        Failure::usage_with(
            format!("cannot read the token file '{}': {}", escaped(&path.to_string_lossy()), plain(&error)),
            "it holds the token that `remofile run` printed, and nothing else",
        )
    })
}

fn run_token_command(command: &str) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::usage_with(
            format!("cannot get the token by '{}': {why}", escaped(command)),
            "the command must print the token as its first line and succeed",
        )
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(plain(&error)))?;
    let text = child.stdout.take().map_or_else(|| Ok(String::new()), read_text);
    let status = child.wait().map_err(|error| failed(plain(&error)))?;
    // One that writes more than is read may die of it: its first line is all that counts then.
    if !status.success() && text.as_ref().map_or(true, |text| text.is_empty()) {
        return Err(failed(status.to_string()));
    }
    text.map_err(|error| failed(plain(&error)))
}

fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(TOKEN_FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}
