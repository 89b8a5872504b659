//! What all cases of a run share: where the server is, how patient to be, what else is at hand.

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
    /// The served directory on this machine, with `--root` or `--spawn`.
    pub(crate) root: Option<PathBuf>,
    /// The server's life, where the suite may end and begin it.
    pub(crate) server: RefCell<Server>,
    /// The directory of this run on the server.
    pub(crate) run_directory: String,
    /// What every random choice of a run comes from.
    pub(crate) seed: u64,
    /// The id that last opened a session: what is to be taken over if it was not released.
    pub(crate) last_session: Cell<Option<[u8; 16]>>,
    /// What a long `hash` is answered, once that was tried.
    pub(crate) long_hash: Cell<Option<LongHash>>,
    /// Whether a file stayed `racy` for as long as anybody waits: nobody waits a second time.
    pub(crate) stays_racy: Cell<bool>,
}

impl Environment {
    /// Another connection to the server.
    pub(crate) fn connection(&self, pattern: SocketKind) -> CaseResult<Connection> {
        Connection::open_monitored(&self.context, &self.target.borrow(), pattern)
            .map_err(|error| CaseError::Harness(format!("no socket could be opened: {error}")))
    }

    /// The served directory's own path as text, which no message for people may show.
    pub(crate) fn root_text(&self) -> Option<String> {
        // "/" and the like are in every path.
        self.root.as_ref().map(|root| root.display().to_string()).filter(|root| root.len() > 4)
    }
}

/// What becomes of a `hash` that takes long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LongHash {
    /// So many bytes are enough to be answered PENDING.
    Pending(u64),
    /// It is answered when it is done, and nothing came in all that time.
    Silent(Duration),
}

/// 16 bytes from the operating system.
pub(crate) fn random_id() -> [u8; 16] {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the operating system gives random bytes");
    id
}
