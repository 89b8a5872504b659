//! Ways to a client: from texts or from what was parsed already.

use super::{ClientError, ClientOptions, FileClient, channel::Channel};
use crate::transport::{Endpoint, EndpointError, Socket};
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

    /// Opens a session over a socket that the embedding program made, secured, and connected or bound: DEALER, REQ or
    /// PAIR, over tcp, ipc or inproc. It belongs to the client from now on, and is closed with it.
    ///
    /// The connection is not monitored: only a missing reply shows that something is wrong. Requests are sent again
    /// after a second or so, a lost session is opened again, and a call fails when nothing was heard for as long as
    /// [`ClientOptions::timeout`] says. A server that is not there is [`ClientError::TimedOut`] after the 10 s for
    /// connecting. What libzmq connects again by itself (tcp, ipc) goes on; over inproc the end that *bound* has to stay:
    /// where the server is to be replaced, let the client's socket bind and the server's connect.
    ///
    /// A REQ socket is made relaxed and correlated, or silence would end it, and has one request at a time.
    /// [`ClientOptions::insecure`] and [`ClientOptions::server_key`] are of no effect: on a socket without CURVE
    /// everything travels in clear, and the peer is not authenticated. Set `ZMQ_LINGER`, or closing the context waits for
    /// messages that no peer takes.
    ///
    /// ```
    /// use remofile::zmq::{Context, PAIR};
    /// use remofile::{ClientOptions, FileServer, generate_token};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let context = Context::new();
    /// let (ours, theirs) = (context.socket(PAIR)?, context.socket(PAIR)?);
    /// ours.bind("inproc://files")?;
    /// theirs.connect("inproc://files")?;
    ///
    /// let token = generate_token();
    /// let mut server = FileServer::new(&directory, &token)?.on_socket(ours)?;
    /// let stop = server.stop_handle();
    /// let serving = std::thread::spawn(move || server.run());
    ///
    /// let mut client = ClientOptions::new().over_socket(theirs, &token)?;
    /// client.mkdir(&"/photos".parse()?)?;
    /// client.bye();
    /// stop.stop();
    /// serving.join().expect("the server does not panic")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ClientError::BadToken`]; [`ClientError::Transport`] for a socket of another kind or a libzmq without CURVE;
    /// [`ClientError::TokenRefused`], [`ClientError::Busy`] or [`ClientError::TimedOut`].
    pub fn over_socket<T>(self, socket: Socket, token: T) -> Result<FileClient, ClientError>
    where
        T: TryInto<Token>,
        TokenError: From<T::Error>,
    {
        let token = token.try_into().map_err(TokenError::from)?;
        FileClient::over(Channel::over(socket, &token, self)?)
    }
}
