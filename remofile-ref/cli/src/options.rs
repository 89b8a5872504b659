//! Options that several commands share, and how those before the command reach it.

use super::{
    failure::Failure,
    render::ProgressMode,
    units::{parse_port, parse_seconds, parse_size, parse_timeout},
};
use anstream::ColorChoice;
use clap::{Args, ValueEnum, ValueHint};
use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::Duration,
};

/// Every shared option, as it may stand before the command; a command that obeys all of them has the same.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AllOptions {
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
    #[command(flatten)]
    pub(crate) progress: ProgressOptions,
}

/// The options of a command that uses a server.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RemoteOptions {
    #[command(flatten)]
    pub(crate) connection: ConnectionOptions,
    #[command(flatten)]
    pub(crate) wait: WaitOptions,
    #[command(flatten)]
    pub(crate) take: TakeOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// The server and the means of authentication.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectionOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    #[command(flatten)]
    pub(crate) token: TokenOptions,
    #[command(flatten)]
    pub(crate) insecure: InsecureOptions,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct ServerOptions {
    /// Server: host, host:port, [::1]:port, tcp://… or ipc://… [env: REMOFILE_SERVER]
    #[arg(long, value_name = "ENDPOINT", conflicts_with = "hostname")]
    pub(crate) server: Option<String>,
    /// Host name of the server, instead of --server [env: REMOFILE_HOSTNAME]
    #[arg(long, value_name = "HOST", hide_short_help = true)]
    pub(crate) hostname: Option<String>,
    /// Port of the server if its name has none [env: REMOFILE_PORT] [default: 6768]
    #[arg(long, value_name = "PORT", value_parser = parse_port, hide_short_help = true)]
    pub(crate) server_port: Option<u16>,
    /// Public key of a server with its own key pair (see generate-keys) [env: REMOFILE_PUBLIC_KEY]
    #[arg(long, value_name = "KEY", hide_short_help = true)]
    pub(crate) public_key: Option<String>,
    /// Profile of the configuration file [env: REMOFILE_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Configuration file [env: REMOFILE_CONFIG] [default: ~/.config/remofile/config.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub(crate) config: Option<PathBuf>,
    /// Seconds to wait for an answer of the server [env: REMOFILE_TIMEOUT] [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout, hide_short_help = true)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct TokenOptions {
    /// Token; REMOFILE_TOKEN and --token-file are safer, since `ps` shows the command line [env: REMOFILE_TOKEN]
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["token_file", "token_command"])]
    pub(crate) token: Option<String>,
    /// Read the token from a file [env: REMOFILE_TOKEN_FILE]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "token_command")]
    pub(crate) token_file: Option<PathBuf>,
    /// Read the token from the output of a shell command, such as `pass show remofile`
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, hide_short_help = true)]
    pub(crate) token_command: Option<String>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct InsecureOptions {
    /// Disable encryption and authentication; only for tests on one machine
    #[arg(long, hide_short_help = true)]
    pub(crate) insecure: bool,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct WaitOptions {
    /// Seconds to wait while another client holds the session [default: the rest of its lease]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) wait: Option<Duration>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct TakeOptions {
    /// Take over the session from another client
    #[arg(long)]
    pub(crate) take: bool,
}

/// The options of a command that prints data.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OutputOptions {
    #[command(flatten)]
    pub(crate) format: FormatOptions,
    #[command(flatten)]
    pub(crate) messages: MessageOptions,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct FormatOptions {
    /// Print data as JSON, one object per line; errors stay text on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct MessageOptions {
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more details; -vv prints debug messages
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colors [default: auto]
    #[arg(long, value_enum, value_name = "WHEN", hide_short_help = true)]
    pub(crate) color: Option<ColorMode>,
}

/// When output has colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorMode {
    /// On a terminal, unless NO_COLOR or TERM=dumb is set; CLICOLOR_FORCE enables colors in a pipe
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct ProgressOptions {
    /// How to show progress on standard error [default: auto]
    #[arg(long, value_enum, value_name = "HOW", hide_short_help = true)]
    pub(crate) progress: Option<ProgressMode>,
}

/// Patterns of paths to exclude.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ExcludeOptions {
    /// Exclude paths that match PATTERN, in .gitignore syntax, relative to each source
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Read exclude patterns from FILE, one per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) exclude_from: Vec<PathBuf>,
}

/// A part of a file.
#[derive(Clone, Debug, Args)]
pub(crate) struct RangeOptions {
    /// Start at this byte
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = parse_size)]
    pub(crate) offset: u64,
    /// Stop after this many bytes
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) length: Option<u64>,
}

/// The shared options that a command obeys.
pub(crate) struct ObeyedOptions<'a> {
    server: Option<&'a mut ServerOptions>,
    token: Option<&'a mut TokenOptions>,
    insecure: Option<&'a mut InsecureOptions>,
    wait: Option<&'a mut WaitOptions>,
    take: Option<&'a mut TakeOptions>,
    format: Option<&'a mut FormatOptions>,
    messages: &'a mut MessageOptions,
    progress: Option<&'a mut ProgressOptions>,
}

/// Options of one subject, some of which the command line sets.
trait OptionGroup: Clone {
    /// The first option of the group that is set.
    fn first_set(&self) -> Option<&'static str>;

    /// Takes from `before` what is not set here.
    fn inherit(&mut self, before: &Self);
}

impl AllOptions {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        self.remote.obeyed().with_progress(&mut self.progress)
    }
}

impl From<&RemoteOptions> for AllOptions {
    fn from(remote: &RemoteOptions) -> Self {
        Self { remote: remote.clone(), progress: ProgressOptions::default() }
    }
}

impl RemoteOptions {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        let take = Some(&mut self.take);
        ObeyedOptions { wait: Some(&mut self.wait), take, ..self.output.obeyed().with_connection(&mut self.connection) }
    }
}

impl ConnectionOptions {
    /// Takes from `before` what is not set here.
    pub(crate) fn or(mut self, before: &Self) -> Self {
        self.server.inherit(&before.server);
        self.token.inherit(&before.token);
        self.insecure.inherit(&before.insecure);
        self
    }
}

impl OutputOptions {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        ObeyedOptions { format: Some(&mut self.format), ..self.messages.obeyed() }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format.json
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.messages.quiet
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.messages.verbose > 0
    }
}

impl MessageOptions {
    pub(crate) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        ObeyedOptions {
            server: None,
            token: None,
            insecure: None,
            wait: None,
            take: None,
            format: None,
            messages: self,
            progress: None,
        }
    }

    /// Applies `--color` to all output from now on.
    pub(crate) fn set_color(&self) {
        match self.color {
            None | Some(ColorMode::Auto) => {}
            Some(ColorMode::Always) => ColorChoice::AlwaysAnsi.write_global(),
            Some(ColorMode::Never) => ColorChoice::Never.write_global(),
        }
    }
}

impl ProgressOptions {
    /// The mode to use: never [`ProgressMode::Auto`]. `--quiet` leaves only a mode that the command line names.
    pub(crate) fn mode(&self, is_quiet: bool) -> ProgressMode {
        match self.progress {
            None | Some(ProgressMode::Auto) if !is_quiet && io::stderr().is_terminal() => ProgressMode::Bar,
            None | Some(ProgressMode::Auto) => ProgressMode::None,
            Some(mode) => mode,
        }
    }
}

impl<'a> ObeyedOptions<'a> {
    pub(crate) fn with_connection(self, connection: &'a mut ConnectionOptions) -> Self {
        let server = Some(&mut connection.server);
        Self { server, ..self.with_token(&mut connection.token, &mut connection.insecure) }
    }

    pub(crate) fn with_token(self, token: &'a mut TokenOptions, insecure: &'a mut InsecureOptions) -> Self {
        Self { token: Some(token), insecure: Some(insecure), ..self }
    }

    pub(crate) fn with_wait(self, wait: &'a mut WaitOptions, take: &'a mut TakeOptions) -> Self {
        Self { wait: Some(wait), take: Some(take), ..self }
    }

    pub(crate) fn with_progress(self, progress: &'a mut ProgressOptions) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// How the command prints messages.
    pub(crate) fn messages(self) -> MessageOptions {
        self.messages.clone()
    }

    /// Hands `before`, the options before `command`, to it; one that it does not obey is an error.
    pub(crate) fn inherit(self, before: &AllOptions, command: &str) -> Result<(), Failure> {
        let AllOptions { remote: RemoteOptions { connection, wait, take, output }, progress } = before;
        inherit(self.server, &connection.server, command)?;
        inherit(self.token, &connection.token, command)?;
        inherit(self.insecure, &connection.insecure, command)?;
        inherit(self.wait, wait, command)?;
        inherit(self.take, take, command)?;
        inherit(self.format, &output.format, command)?;
        inherit(self.progress, progress, command)?;
        self.messages.inherit(&output.messages);
        if self.messages.quiet && self.messages.verbose > 0 {
            return Err(Failure::usage("--quiet cannot be used with --verbose"));
        }
        Ok(())
    }
}

fn inherit<G: OptionGroup>(group: Option<&mut G>, before: &G, command: &str) -> Result<(), Failure> {
    match (group, before.first_set()) {
        (Some(group), _) => group.inherit(before),
        (None, Some(option)) => {
            return Err(Failure::usage_with(
                format!("`remofile {command}` does not accept {option}"),
                format!("`remofile {command} --help` lists its options"),
            ));
        }
        (None, None) => {}
    }
    Ok(())
}

/// The name of the first option that is set.
fn first_set<const N: usize>(options: [(bool, &'static str); N]) -> Option<&'static str> {
    options.into_iter().find_map(|(is_set, name)| is_set.then_some(name))
}

impl OptionGroup for ServerOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([
            (self.server.is_some(), "--server"),
            (self.hostname.is_some(), "--hostname"),
            (self.server_port.is_some(), "--server-port"),
            (self.public_key.is_some(), "--public-key"),
            (self.profile.is_some(), "--profile"),
            (self.config.is_some(), "--config"),
            (self.timeout.is_some(), "--timeout"),
        ])
    }

    fn inherit(&mut self, before: &Self) {
        // Two names of the server are one subject.
        if self.server.is_none() && self.hostname.is_none() {
            self.server.clone_from(&before.server);
            self.hostname.clone_from(&before.hostname);
        }
        self.server_port = self.server_port.or(before.server_port);
        self.public_key = self.public_key.take().or_else(|| before.public_key.clone());
        self.profile = self.profile.take().or_else(|| before.profile.clone());
        self.config = self.config.take().or_else(|| before.config.clone());
        self.timeout = self.timeout.or(before.timeout);
    }
}

impl OptionGroup for TokenOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([
            (self.token.is_some(), "--token"),
            (self.token_file.is_some(), "--token-file"),
            (self.token_command.is_some(), "--token-command"),
        ])
    }

    fn inherit(&mut self, before: &Self) {
        if self.first_set().is_none() {
            self.clone_from(before);
        }
    }
}

impl OptionGroup for InsecureOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.insecure, "--insecure")])
    }

    fn inherit(&mut self, before: &Self) {
        self.insecure |= before.insecure;
    }
}

impl OptionGroup for WaitOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.wait.is_some(), "--wait")])
    }

    fn inherit(&mut self, before: &Self) {
        self.wait = self.wait.or(before.wait);
    }
}

impl OptionGroup for TakeOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.take, "--take")])
    }

    fn inherit(&mut self, before: &Self) {
        self.take |= before.take;
    }
}

impl OptionGroup for FormatOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.json, "--json")])
    }

    fn inherit(&mut self, before: &Self) {
        self.json |= before.json;
    }
}

impl OptionGroup for MessageOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.quiet, "--quiet"), (self.verbose > 0, "--verbose"), (self.color.is_some(), "--color")])
    }

    fn inherit(&mut self, before: &Self) {
        self.quiet |= before.quiet;
        self.verbose = self.verbose.saturating_add(before.verbose);
        self.color = self.color.or(before.color);
    }
}

impl OptionGroup for ProgressOptions {
    fn first_set(&self) -> Option<&'static str> {
        first_set([(self.progress.is_some(), "--progress")])
    }

    fn inherit(&mut self, before: &Self) {
        self.progress = self.progress.or(before.progress);
    }
}
