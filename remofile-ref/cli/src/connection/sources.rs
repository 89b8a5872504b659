//! All sources of settings and their precedence: command line, environment, profile, the rest of the configuration file.

use super::{
    config::Config,
    settings::{DEFAULT_PORT, Settings, variable},
    token::read_token,
};
use crate::{
    failure::Failure,
    options::{ConnectionOptions, WaitOptions},
    render::escaped,
};
use remofile::transport::{Endpoint, EndpointError};
use remofile_proto::{Token, z85};
use std::{net::Ipv6Addr, time::Duration};

/// All sources, that with the highest precedence first.
pub(crate) struct Sources {
    levels: Vec<Settings>,
    /// The profile of `--profile`.
    profile: Option<String>,
}

impl Sources {
    /// Reads the environment and the configuration file.
    pub(crate) fn read(options: &ConnectionOptions, wait: &WaitOptions) -> Result<Self, Failure> {
        let mut levels = vec![Settings::of_options(options, wait), Settings::of_environment()?];
        let config = Config::read(options.server.config.as_deref())?;
        let asked = options.server.profile.clone().filter(|name| !name.is_empty());
        let named = match &asked {
            Some(name) => Some(name.clone()),
            None => variable("REMOFILE_PROFILE")?,
        };
        levels.extend(config.into_levels(named.as_deref())?);
        Ok(Self { levels, profile: asked })
    }

    /// The warning that the environment takes precedence over the profile of `--profile`, if it does.
    pub(crate) fn overridden_profile(&self) -> Option<String> {
        let profile = self.profile.as_deref()?;
        let [options, environment, rest @ ..] = self.levels.as_slice() else { return None };
        let hides = |names: fn(&Settings) -> bool| !names(options) && names(environment) && rest.iter().any(names);
        let what = match (hides(Settings::names_server), hides(Settings::names_token)) {
            (true, true) => "server and token",
            (true, false) => "server",
            (false, true) => "token",
            (false, false) => return None,
        };
        Some(format!("the {what} of the environment (REMOFILE_…) override profile '{profile}'"))
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let Some(at) = self.levels.iter().position(Settings::names_server) else {
            return Err(Failure::usage_with(
                "no server specified",
                "set REMOFILE_SERVER=HOST:PORT, use --server, or add a profile to the configuration file",
            ));
        };
        let (before, from) = self.levels.split_at(at);
        // A source with higher precedence replaces the port of the name; others only fill in a missing one.
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
                format!("invalid server '{}': {what}", escaped(&text)),
                "use host, host:port, [::1]:port, tcp://host:port or ipc:///path",
            )
        };
        match endpoint.map_err(|error| bad(&error.to_string()))? {
            Endpoint::Tcp { host, port } => {
                let port = forced.unwrap_or(port);
                if host == "*" || port == 0 {
                    return Err(bad("a server can listen there, but a client cannot connect to it"));
                }
                Ok(Endpoint::Tcp { host, port })
            }
            Endpoint::Inproc(_) => Err(bad("inproc:// works only within one process")),
            endpoint @ Endpoint::Ipc(_) => Ok(endpoint),
        }
    }

    /// The token of the first source that has one; `may_run` allows it to run the token command.
    pub(crate) fn token(&self, may_run: bool) -> Result<Option<Token>, Failure> {
        let named = self.levels.iter().find(|level| level.names_token());
        named.map_or(Ok(None), |level| read_token(level, may_run))
    }

    pub(crate) fn server_key(&self) -> Result<Option<[u8; 32]>, Failure> {
        let Some(text) = self.first(|level| level.public_key.as_deref()) else { return Ok(None) };
        z85::decode(text).map(Some).map_err(|error| {
            Failure::usage_with(
                format!("invalid public key: {error}"),
                "use the 40 characters that `remofile generate-keys` prints after `public`",
            )
        })
    }

    /// The time to wait for an answer, if a source has one.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.first(|level| level.timeout)
    }

    /// The time to wait while another client holds the session, if a source has one.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.first(|level| level.wait)
    }

    pub(crate) fn insecure(&self) -> bool {
        self.first(|level| level.insecure).unwrap_or(false)
    }

    fn first<'a, T>(&'a self, of: impl FnMut(&'a Settings) -> Option<T>) -> Option<T> {
        self.levels.iter().find_map(of)
    }
}

/// Parses an endpoint; `missing` is its port if it has none.
fn parse_endpoint(text: &str, missing: u16) -> Result<Endpoint, EndpointError> {
    match text.parse() {
        Err(EndpointError::NoPort(_)) if !text.ends_with(':') => format!("{text}:{missing}").parse(),
        parsed => parsed,
    }
}
