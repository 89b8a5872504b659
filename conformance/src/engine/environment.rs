//! What all cases of a run share: the server's address, timeouts, hooks, and what earlier cases learnt.

use crate::{
    engine::{
        error::{CaseError, CaseResult},
        server::Server,
    },
    wire::connection::{Connection, ServerTarget, SocketKind, Timeouts},
};
use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    time::Duration,
};

/// What all cases of a run share.
pub(crate) struct Environment {
    pub(crate) context: zmq::Context,
    pub(crate) target: RefCell<ServerTarget>,
    pub(crate) timeouts: Cell<Timeouts>,
    /// Served directory on this machine, with `--root` or `--spawn`.
    pub(crate) root: Option<PathBuf>,
    /// Starts and stops the server, where the suite may.
    pub(crate) server: RefCell<Server>,
    /// The directory of this run on the server.
    pub(crate) run_directory: String,
    /// The seed of all random choices of a run.
    pub(crate) seed: u64,
    /// The id that opened the last session, to take it over if it was not released.
    pub(crate) last_session: Cell<Option<[u8; 16]>>,
    /// How the server answers a long `hash`, once known.
    pub(crate) long_hash: Cell<Option<LongHash>>,
    /// Whether a file stayed `racy` for the longest wait; then no case waits again.
    pub(crate) stays_racy: Cell<bool>,
}

impl Environment {
    /// Another connection to the server.
    pub(crate) fn connection(&self, pattern: SocketKind) -> CaseResult<Connection> {
        Connection::open_monitored(&self.context, &self.target.borrow(), pattern)
            .map_err(|error| CaseError::Harness(format!("cannot open a socket: {error}")))
    }

    /// The path of the served directory as text, which no `msg` may show.
    pub(crate) fn root_text(&self) -> Option<String> {
        // A short path such as "/" is part of every path.
        self.root.as_ref().map(|root| root.display().to_string()).filter(|root| root.len() > 4)
    }
}

/// How the server answers a long `hash`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LongHash {
    /// With PENDING, for at least this many bytes.
    Pending(u64),
    /// Only when it is done, after this time of silence.
    Silent(Duration),
}

/// 16 bytes from the operating system.
pub(crate) fn random_id() -> [u8; 16] {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the operating system gives random bytes");
    id
}
