//! From flags, environment and configuration to an open session.

use super::{
    args::{Cli, ConnectionArgs, Take},
    cancel::cancel,
    failure::Failure,
    output::{escaped, human_duration, note, warn},
    prompt::ask_token,
    settings::{Settings, Sources},
};
use remofile::{
    client::{ClientError, ClientOptions, FileClient},
    transport::Endpoint,
};
use remofile_proto::{Busy, Token};
use std::time::Duration;

/// The port where none is given.
pub(crate) const DEFAULT_PORT: u16 = 6768;

/// A server, and how to prove oneself to it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) token: Token,
    /// Nobody is waited for, and nothing taken over.
    pub(crate) options: ClientOptions,
    /// How long to wait while another client holds the session; none is its lease and a little.
    wait: Option<Duration>,
    take: bool,
}

/// Opens a session with the server that flags, environment or configuration name. Where another client holds it, says
/// so, and waits as long as `--wait` has it.
pub(crate) fn connect(cli: &Cli) -> Result<FileClient, Failure> {
    Target::find(cli)?.connect()
}

impl Target {
    /// Finds out where to connect to, and asks for the token where nothing names one and somebody is there to ask.
    pub(crate) fn find(cli: &Cli) -> Result<Self, Failure> {
        let flags = &cli.connection;
        let sources = Sources::read(flags)?;
        let endpoint = sources.endpoint()?;
        if let Some(overridden) = sources.overridden_profile() {
            warn(overridden);
        }
        if flags.token.is_some() {
            warn_of_visible_token();
        }
        let token = match sources.token(true)? {
            Some(token) => Some(token),
            None => ask_token(&endpoint)?,
        };
        Self::with(sources, endpoint, token.ok_or_else(no_token)?, flags)
    }

    /// Opens a session as [`connect`] does.
    pub(crate) fn connect(self) -> Result<FileClient, Failure> {
        let options = self.options.clone().take(self.take);
        let busy = match FileClient::connect(&self.endpoint, &self.token, options) {
            Err(ClientError::Busy(busy)) if self.wait.is_none_or(|wait| !wait.is_zero()) => busy,
            connected => return Ok(connected?),
        };
        note(waiting_for(&busy, self.wait));
        let options = match self.wait {
            Some(wait) => self.options.wait(wait),
            None => self.options.wait_for_lease(),
        };
        Ok(FileClient::connect(&self.endpoint, &self.token, options)?)
    }

    /// The same, where nobody is to be asked and nothing to be said.
    pub(crate) fn find_silently(flags: &ConnectionArgs) -> Result<Self, Failure> {
        let sources = Sources::read(flags)?;
        let endpoint = sources.endpoint()?;
        let token = sources.token(false)?.ok_or_else(no_token)?;
        Self::with(sources, endpoint, token, flags)
    }

    fn with(sources: Sources, endpoint: Endpoint, token: Token, flags: &ConnectionArgs) -> Result<Self, Failure> {
        let mut options = ClientOptions::new().insecure(sources.insecure()).cancel(cancel());
        if let Some(timeout) = sources.timeout()? {
            options = options.timeout(timeout);
        }
        if let Some(key) = sources.server_key()? {
            options = options.server_key(key);
        }
        Ok(Self { endpoint, token, options, wait: sources.wait()?, take: flags.take == Some(Take::Session) })
    }
}

/// The token of a flag or the environment, for one who serves; a token on the command line is worth a warning, since
/// others on the machine can see it.
pub(crate) fn token(flags: &ConnectionArgs) -> Result<Option<Token>, Failure> {
    if flags.token.is_some() {
        warn_of_visible_token();
    }
    let flags = Settings::of_flags(flags);
    let named = if flags.names_token() { flags } else { Settings::of_environment()? };
    named.read_token(true)
}

pub(crate) fn warn_of_visible_token() {
    warn("a token on the command line can be seen by others on this machine; use REMOFILE_TOKEN or --token-file");
}

pub(crate) fn parse_token(text: &str) -> Result<Token, Failure> {
    Token::parse(text).map_err(|error| {
        Failure::usage_with(format!("the token is not valid: {error}"), "`remofile generate-token` prints a new one")
    })
}

fn no_token() -> Failure {
    Failure::usage_with("no token is given", "set REMOFILE_TOKEN to what `remofile run` printed, or use --token-file")
}

fn waiting_for(busy: &Busy, wait: Option<Duration>) -> String {
    let until = match wait {
        Some(wait) => format!("up to {}", human_duration(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))),
        None => format!("until its lease of {} would be over", human_duration(busy.lease_ms)),
    };
    format!(
        "the server is in use by '{}', last heard {} ago; waiting {until} (--take takes over)",
        escaped(&busy.client),
        human_duration(busy.idle_ms)
    )
}
