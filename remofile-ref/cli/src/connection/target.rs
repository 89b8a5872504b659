//! The server to connect to.

use super::{prompt::ask_token, sources::Sources, token::warn_of_visible_token};
use crate::{
    cancel::cancel,
    failure::Failure,
    options::{ConnectionOptions, RemoteOptions, TakeOptions, WaitOptions},
    render::{escaped, human_duration, human_milliseconds, note, warn},
};
use remofile::{
    client::{ClientError, ClientOptions, FileClient},
    transport::Endpoint,
};
use remofile_proto::{Busy, Token};
use std::time::Duration;

/// A server and the credentials for it.
#[derive(Clone)]
pub(crate) struct ServerTarget {
    pub(crate) endpoint: Endpoint,
    pub(crate) token: Token,
    /// Neither waits for a session nor takes it over.
    pub(crate) options: ClientOptions,
    /// The time to wait while another client holds the session; by default, the rest of its lease.
    wait: Option<Duration>,
    take: bool,
}

/// Opens a session with the configured server. While another client holds the session, prints a note and waits as long
/// as `--wait` allows.
pub(crate) fn connect(options: &RemoteOptions) -> Result<FileClient, Failure> {
    ServerTarget::find(&options.connection, &options.wait, &options.take)?.connect()
}

impl ServerTarget {
    /// Finds the server and the token; without a token, asks for it on a terminal.
    pub(crate) fn find(options: &ConnectionOptions, wait: &WaitOptions, take: &TakeOptions) -> Result<Self, Failure> {
        let sources = Sources::read(options, wait)?;
        let endpoint = sources.endpoint()?;
        if let Some(overridden) = sources.overridden_profile() {
            warn(overridden);
        }
        if options.token.token.is_some() {
            warn_of_visible_token();
        }
        let token = match sources.token(true)? {
            Some(token) => Some(token),
            None => ask_token(&endpoint)?,
        };
        Self::with(sources, endpoint, token.ok_or_else(no_token)?, take.take)
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

    /// The same, without a prompt, a token command or a warning.
    pub(crate) fn find_silently(options: &ConnectionOptions) -> Result<Self, Failure> {
        let sources = Sources::read(options, &WaitOptions::default())?;
        let endpoint = sources.endpoint()?;
        let token = sources.token(false)?.ok_or_else(no_token)?;
        Self::with(sources, endpoint, token, false)
    }

    fn with(sources: Sources, endpoint: Endpoint, token: Token, take: bool) -> Result<Self, Failure> {
        let mut options = ClientOptions::new().insecure(sources.insecure()).cancel(cancel());
        if let Some(timeout) = sources.timeout() {
            options = options.timeout(timeout);
        }
        if let Some(key) = sources.server_key()? {
            options = options.server_key(key);
        }
        Ok(Self { endpoint, token, options, wait: sources.wait(), take })
    }
}

fn no_token() -> Failure {
    Failure::usage_with("no token specified", "set REMOFILE_TOKEN to what `remofile run` printed, or use --token-file")
}

fn waiting_for(busy: &Busy, wait: Option<Duration>) -> String {
    let limit = match wait {
        Some(wait) => format!("up to {}", human_duration(wait)),
        None => format!("until its lease of {} expires", human_milliseconds(busy.lease_ms)),
    };
    format!(
        "'{}' holds the session (last active {} ago); waiting {limit} (--take takes it over)",
        escaped(&busy.client),
        human_milliseconds(busy.idle_ms)
    )
}
