//! The exit codes: what each means, and which error has which.

use remofile::client::ClientError;
use remofile_proto::Code;
use std::io::{self, ErrorKind};

pub(crate) const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const NOT_FOUND: u8 = 3;
pub(crate) const EXISTS: u8 = 4;
pub(crate) const NETWORK: u8 = 5;
pub(crate) const REFUSED: u8 = 6;
pub(crate) const BUSY: u8 = 7;
pub(crate) const PROTOCOL: u8 = 8;
pub(crate) const NOT_VERIFIED: u8 = 9;
pub(crate) const LIMIT: u8 = 10;
pub(crate) const BAD_NAME: u8 = 11;
pub(crate) const SOME_FAILED: u8 = 23;
pub(crate) const SOURCE_CHANGED: u8 = 24;
pub(crate) const SAFETY_CHECK: u8 = 25;
pub(crate) const CONFLICTS: u8 = 26;
pub(crate) const INTERRUPTED: u8 = 130;
pub(crate) const TERMINATED: u8 = 143;

/// Every code and its meaning, as README lists them.
pub(crate) const MEANINGS: [(u8, &str); 18] = [
    (0, "success"),
    (OTHER, "other error"),
    (USAGE, "invalid command line or configuration"),
    (NOT_FOUND, "no such file or directory"),
    (EXISTS, "the file exists, or has the wrong type"),
    (NETWORK, "network error or timeout"),
    (REFUSED, "token or key rejected"),
    (BUSY, "another client holds the session"),
    (PROTOCOL, "protocol error, or an unsupported version"),
    (NOT_VERIFIED, "checksum mismatch"),
    (LIMIT, "limit reached or disk full"),
    (BAD_NAME, "invalid name or path"),
    (SOME_FAILED, "partial failure: some items failed"),
    (SOURCE_CHANGED, "the source changed while it was read"),
    (SAFETY_CHECK, "a safety check stopped sync before it changed anything"),
    (CONFLICTS, "sync completed, and conflicts remain"),
    (INTERRUPTED, "interrupted by SIGINT"),
    (TERMINATED, "terminated by SIGTERM"),
];

/// The code of an error of the library.
pub(crate) fn of_client_error(error: &ClientError) -> u8 {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::TimedOut { .. }
        | ClientError::SessionLost { .. }
        | ClientError::InDoubt { .. }
        | ClientError::NotFlushed => NETWORK,
        ClientError::TokenRefused { .. } => REFUSED,
        ClientError::BadEndpoint(_) | ClientError::BadToken(_) => USAGE,
        ClientError::BadPath(_) => BAD_NAME,
        ClientError::Busy(_) => BUSY,
        ClientError::NotRemofile { .. } | ClientError::Protocol { .. } => PROTOCOL,
        ClientError::NotVerified { .. } => NOT_VERIFIED,
        ClientError::SourceChanged { .. } => SOURCE_CHANGED,
        ClientError::Local { source, .. } => of_system_error(source),
        ClientError::Refused { refusal, .. } => of_refusal(refusal.code),
        ClientError::Incomplete(_) => SOME_FAILED,
        // Cancelled (see `failure`), Transport, and kinds of errors that later versions of the library add.
        _ => OTHER,
    }
}

/// The code of an error of the local system.
pub(crate) fn of_system_error(error: &io::Error) -> u8 {
    match error.kind() {
        ErrorKind::NotFound => NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::IsADirectory | ErrorKind::NotADirectory => EXISTS,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => LIMIT,
        ErrorKind::InvalidFilename => BAD_NAME,
        _ => OTHER,
    }
}

fn of_refusal(code: Code) -> u8 {
    match code {
        Code::NotFound => NOT_FOUND,
        Code::Exists | Code::NotFile | Code::NotDir | Code::NotEmpty | Code::NameClash | Code::UnsupportedKind => {
            EXISTS
        }
        Code::BadName => BAD_NAME,
        Code::TooLarge | Code::NoSpace | Code::Limit => LIMIT,
        Code::Changed => SOURCE_CHANGED,
        Code::Digest => NOT_VERIFIED,
        Code::BadMessage | Code::BadOp | Code::BadArgs | Code::Version => PROTOCOL,
        _ => OTHER,
    }
}
