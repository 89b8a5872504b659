//! What goes wrong in a client, sorted by what its caller can do about it.

use crate::transport::EndpointError;
use remofile_proto::{Busy, Code, PathError, Refusal, TokenError};
use std::{io, path::PathBuf, time::Duration};

/// Why a call of a client failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text is no endpoint; nothing was opened.
    #[error("the endpoint is not valid")]
    BadEndpoint(#[from] EndpointError),
    /// The text is no token (KEY-1); nothing was opened.
    #[error("the token is not valid")]
    BadToken(#[from] TokenError),
    /// The text is no path (PATH-1); nothing was sent.
    #[error("the remote path is not valid")]
    BadPath(#[from] PathError),
    /// Nobody accepts connections at the endpoint.
    #[error("cannot reach '{endpoint}': {reason}")]
    Unreachable {
        /// The endpoint as it was given.
        endpoint: String,
        /// What was seen of it.
        reason: String,
    },
    /// The server does not admit this token or key, or is not the one that the key belongs to (CURVE-7).
    #[error("'{endpoint}' refused the token or key, or is not the server that they belong to")]
    TokenRefused {
        /// The endpoint as it was given.
        endpoint: String,
    },
    /// Whatever listens there does not speak this protocol.
    #[error("'{endpoint}' does not answer as a Remofile server: {reason}")]
    NotRemofile {
        /// The endpoint as it was given.
        endpoint: String,
        /// What was seen of it.
        reason: String,
    },
    /// Another client holds the session (SES-7).
    #[error("the server is in use by '{}', last heard {} ms ago", .0.client.escape_default(), .0.idle_ms)]
    Busy(Busy),
    /// No answer came in time.
    #[error("no answer to {operation} within {after:?}")]
    TimedOut {
        /// The operation that waited.
        operation: &'static str,
        /// How long it waited.
        after: Duration,
    },
    /// The session was lost, and what became of a request cannot be found out (LOST-1).
    #[error("the connection was lost during {operation} of '{}', which may or may not have been executed", .path.escape_default())]
    InDoubt {
        /// The operation.
        operation: &'static str,
        /// Its path on the server; empty where it has none.
        path: String,
    },
    /// The session was lost; nothing is in doubt.
    #[error("the session was lost: {reason}")]
    SessionLost {
        /// Why.
        reason: String,
    },
    /// The server refused the operation.
    #[error("{operation} of '{}': {}", .path.escape_default(), .refusal.code.text())]
    Refused {
        /// The operation.
        operation: &'static str,
        /// Its path on the server; empty where it has none.
        path: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// The server broke the protocol.
    #[error("the server broke the protocol: {reason}")]
    Protocol {
        /// What it did.
        reason: String,
    },
    /// The source changed while it was transferred (UP-6).
    #[error("'{}' changed while it was read", .path.escape_default())]
    SourceChanged {
        /// The source, local or remote.
        path: String,
    },
    /// The bytes that arrived are not the bytes that were sent.
    #[error("'{}' did not verify: {reason}", .path.escape_default())]
    NotVerified {
        /// The file.
        path: String,
        /// What differs.
        reason: String,
    },
    /// A local file or directory.
    #[error("'{}'", .path.display())]
    Local {
        /// The local path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// This machine cannot open an encrypted connection.
    #[error("no connection could be opened")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ClientError {
    /// The code of a refusal by the server, if this is one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            ClientError::Refused { refusal, .. } => Some(refusal.code),
            ClientError::Busy(_) => Some(Code::Busy),
            _ => None,
        }
    }

    /// Whether something was already there under the target's name.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        self.code() == Some(Code::Exists)
    }

    /// Whether the path does not exist on the server.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(Code::NotFound)
    }

    pub(crate) fn local(path: impl Into<PathBuf>, source: io::Error) -> Self {
        ClientError::Local { path: path.into(), source }
    }
}
