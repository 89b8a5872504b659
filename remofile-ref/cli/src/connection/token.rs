//! Where a token is read from.

use super::settings::{Settings, warn_of_readable};
use crate::{
    failure::Failure,
    options::{ConnectionOptions, TokenOptions, WaitOptions},
    render::{escaped, warn},
    system_error::system_text,
};
use remofile_proto::Token;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

/// The most that is read of a token file or of the output of a token command, in bytes; a token has 128 at most.
const TOKEN_FILE_MAX: u64 = 4096;

/// Parses a token.
pub(crate) fn parse_token(text: &str) -> Result<Token, Failure> {
    Token::parse(text).map_err(|error| {
        Failure::usage_with(format!("invalid token: {error}"), "`remofile generate-token` prints a new one")
    })
}

/// The token of a server: that of the command line, else that of the environment.
pub(crate) fn serve_token(options: &TokenOptions) -> Result<Option<Token>, Failure> {
    if options.token.is_some() {
        warn_of_visible_token();
    }
    let options = ConnectionOptions { token: options.clone(), ..ConnectionOptions::default() };
    let settings = Settings::of_options(&options, &WaitOptions::default());
    read_token(&if settings.names_token() { settings } else { Settings::of_environment()? }, true)
}

/// Warns of a token that other users can see.
pub(crate) fn warn_of_visible_token() {
    warn("other users can see a token on the command line; use REMOFILE_TOKEN or --token-file");
}

/// The token of a source, if it has one; `may_run` allows it to run the token command.
pub(super) fn read_token(settings: &Settings, may_run: bool) -> Result<Option<Token>, Failure> {
    if let Some(text) = &settings.token {
        return parse_token(text).map(Some);
    }
    if let Some(file) = &settings.token_file {
        return parse_token(first_line(&read_token_file(file)?)).map(Some);
    }
    match &settings.token_command {
        Some(command) if may_run => parse_token(first_line(&run_token_command(command)?)).map(Some),
        _ => Ok(None),
    }
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
            format!("token file '{}': {}", escaped(&path.to_string_lossy()), system_text(&error)),
            "the file must contain the token that `remofile run` printed, and nothing else",
        )
    })
}

fn run_token_command(command: &str) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::usage_with(
            format!("token command '{}': {why}", escaped(command)),
            "the command must print the token on its first line and succeed",
        )
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(system_text(&error)))?;
    let text = child.stdout.take().map_or_else(|| Ok(String::new()), read_text);
    let status = child.wait().map_err(|error| failed(system_text(&error)))?;
    // A command that writes more than the limit may fail because of it: its first line counts.
    if !status.success() && text.as_ref().map_or(true, |text| text.is_empty()) {
        return Err(failed(format!("failed with {status}")));
    }
    text.map_err(|error| failed(system_text(&error)))
}

fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(TOKEN_FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}
