//! Ways to a client: from texts or from what was parsed already.

use super::{ClientError, ClientOptions, FileClient};
use crate::transport::{Endpoint, EndpointError};
use remofile_proto::{Token, TokenError};

impl FileClient {
    /// Connects with [`ClientOptions::new`] and opens a session. Endpoint and token are texts, or were parsed before.
    ///
    /// # Errors
    /// [`ClientError::BadEndpoint`] or [`ClientError::BadToken`] before anything is opened; those of
    /// [`FileClient::connect`].
    pub fn new<E, T>(endpoint: E, token: T) -> Result<Self, ClientError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
        T: TryInto<Token>,
        TokenError: From<T::Error>,
    {
        ClientOptions::new().connect(endpoint, token)
    }
}

impl ClientOptions {
    /// Connects with these options and opens a session. Endpoint and token are texts, or were parsed before.
    ///
    /// # Errors
    /// Those of [`FileClient::new`].
    pub fn connect<E, T>(self, endpoint: E, token: T) -> Result<FileClient, ClientError>
    where
        E: TryInto<Endpoint>,
        EndpointError: From<E::Error>,
        T: TryInto<Token>,
        TokenError: From<T::Error>,
    {
        let endpoint = endpoint.try_into().map_err(EndpointError::from)?;
        let token = token.try_into().map_err(TokenError::from)?;
        FileClient::connect(&endpoint, &token, self)
    }
}
