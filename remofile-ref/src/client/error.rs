//! What goes wrong in a client, sorted by what its caller can do about it.

use super::TreeTransferred;
use crate::transport::EndpointError;
use remofile_proto::{Busy, Code, PathError, Refusal, TokenError};
use std::{io, path::PathBuf, time::Duration};

/// Why a call of a client failed.
///
/// ```
/// use remofile::{ClientError, FileClient, FileServer, generate_token};
///
/// fn advice(error: &ClientError) -> &'static str {
///     match error {
///         error if error.is_exists() => "something else is there already",
///         ClientError::Busy(_) => "another client is at work; wait, or take the session over",
///         ClientError::TokenRefused { .. } => "compare the token with the server's",
///         ClientError::InDoubt { .. } => "look whether it was done before you repeat it",
///         ClientError::SourceChanged { .. } => "try again when no program writes to it",
///         _ => "see what it says",
///     }
/// }
///
/// # let directory = tempfile::tempdir()?;
/// # let token = generate_token();
/// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| server.run());
/// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
/// let client = FileClient::new(&endpoint, &token)?;
/// let busy = FileClient::new(&endpoint, &token).expect_err("one client at a time");
/// assert_eq!(advice(&busy), "another client is at work; wait, or take the session over");
/// client.bye();
/// let refused = FileClient::new(&endpoint, generate_token()).expect_err("another token");
/// assert_eq!(advice(&refused), "compare the token with the server's");
/// # Ok(())
/// # })();
/// # stop.stop();
/// # result
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Nothing accepts connections at the endpoint.
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
        /// Why no session could be opened to look; none where looking does not tell.
        source: Option<Box<ClientError>>,
    },
    /// A flush succeeded, and cannot answer for what an earlier process of the server had acknowledged (DUR-6): a power
    /// cut may have come in between. What a look finds to be there after this error is durable.
    #[error("the server was started again before what it had acknowledged was flushed")]
    NotFlushed,
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
    /// The caller cancelled. What was transferred is kept, and the same call continues it; a change whose answer was
    /// awaited may or may not have been made.
    #[error("cancelled")]
    Cancelled,
    /// Some items of a directory failed; all others were transferred.
    #[error("{} of {} items failed", .0.failed, .0.failed + .0.files + .0.unchanged)]
    Incomplete(Box<TreeTransferred>),
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

    /// Whether something was already there under the target's name, on the server or here.
    #[must_use]
    pub fn is_exists(&self) -> bool {
        match self {
            ClientError::Local { source, .. } => source.kind() == io::ErrorKind::AlreadyExists,
            _ => self.code() == Some(Code::Exists),
        }
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
