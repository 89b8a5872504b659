//! The server's life: somebody else's, or one that the suite starts, kills and starts again.

use crate::stop::{Checked, Stop};

/// Who runs the server.
#[derive(Debug, Default)]
pub(crate) enum Server {
    /// Somebody else: it can neither be stopped nor started.
    #[default]
    Foreign,
}

impl Server {
    /// Whether it can be killed.
    pub(crate) fn can_kill(&self) -> bool {
        false
    }

    /// Whether it can be started again.
    pub(crate) fn can_restart(&self) -> bool {
        false
    }

    /// Ends it at once and starts it again.
    pub(crate) fn kill_and_restart(&mut self) -> Checked {
        Err(Stop::Harness("the server is somebody else's".into()))
    }
}
