//! The beginning of a channel: a connection, and the first hello.

use super::{Channel, from_transport};
use crate::{
    client::{ClientError, ClientOptions, congestion::CongestionController, durability::DurabilityTracker},
    keys::new_session,
    protocol::client::request_window::{RequestWindow, RetryPolicy},
    transport::{
        self, Bounds, ClientPattern, ClientSecurity, ClientSocket, Context, CurveKey, Endpoint, Socket, TransportError,
    },
};
use remofile_proto::{Capabilities, HelloReply, Keys, Token, limits};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

impl Channel {
    /// Connects and says hello.
    pub(in crate::client) fn open(
        endpoint: &Endpoint,
        token: &Token,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let endpoint_text = endpoint.to_string();
        let keys = Keys::derive(token);
        let socket = connect(endpoint, &keys, &options).map_err(|error| from_transport(error, &endpoint_text))?;
        Self::begin(socket, endpoint_text, keys, options)
    }

    /// Says hello over a socket of the embedding program.
    pub(in crate::client) fn over(
        socket: Socket,
        token: &Token,
        mut options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let socket = ClientSocket::adopt(socket).map_err(|error| from_transport(error, "the given socket"))?;
        options.lockstep |= socket.is_lockstep();
        Self::begin(socket, "the given socket".to_owned(), Keys::derive(token), options)
    }

    fn begin(socket: ClientSocket, endpoint: String, keys: Keys, options: ClientOptions) -> Result<Self, ClientError> {
        let started = Instant::now();
        let session = new_session();
        let disconnected = socket.is_watched().then_some(started);
        let mut channel = Self {
            socket,
            endpoint,
            requests: RequestWindow::new(Duration::ZERO, session, 1, policy(&options)),
            keys,
            cancel: options.cancel.clone(),
            options,
            started,
            session,
            welcome: Arc::new(unknown_welcome()),
            awaited: HashMap::new(),
            congestion: CongestionController::default(),
            inboxes: HashMap::new(),
            generation: 0,
            loss: String::new(),
            caller: 0,
            is_driven: false,
            wanted: Arc::default(),
            unnumbered: None,
            received_at: started,
            disconnected,
            full: None,
            pending: None,
            is_over: true,
            held: None,
            durability: DurabilityTracker::default(),
        };
        channel.await_connection()?;
        channel.say_hello(None, channel.options.take)?;
        Ok(channel)
    }
}

fn connect(endpoint: &Endpoint, keys: &Keys, options: &ClientOptions) -> Result<ClientSocket, TransportError> {
    let security = if options.insecure {
        ClientSecurity::Null
    } else {
        ClientSecurity::Curve {
            server: CurveKey::new(options.server_key.unwrap_or(*keys.server.public())),
            public: CurveKey::new(*keys.client.public()),
            secret: CurveKey::new(*keys.client.secret()),
        }
    };
    let socket_options = transport::ClientSocketOptions {
        pattern: if options.lockstep { ClientPattern::Req } else { ClientPattern::Dealer },
        bounds: Bounds { chunk: 1_048_576, ..Bounds::default() },
        connect_timeout: options.connect_timeout,
        ..transport::ClientSocketOptions::default()
    };
    ClientSocket::connect(&Context::new(), endpoint, &security, &socket_options)
}

pub(super) fn policy(options: &ClientOptions) -> RetryPolicy {
    let third = options.timeout / 3;
    let default = RetryPolicy::default();
    RetryPolicy {
        initial: default.initial.min(third),
        shortest: default.shortest.min(third),
        longest: default.longest.min(third),
        total: options.timeout,
        ..default
    }
}

/// What holds until hello is answered [SES-11].
fn unknown_welcome() -> HelloReply {
    HelloReply {
        window: limits::BEFORE_HELLO_REPLY,
        chunk: limits::CHUNK_MIN,
        header: limits::HEADER as u64,
        lease_ms: limits::LEASE_MIN_MS,
        boot: remofile_proto::BootId::new([0; 16]),
        root: None,
        names: remofile_proto::Names::Posix,
        folds: false,
        ro: false,
        caps: Capabilities::default(),
    }
}
