//! Waits for stable storage in another thread.

use super::calls::{fcntl_dupfd_cloexec, in_other_thread};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// A sync that runs in a thread of its own, because it may take minutes.
#[derive(Debug)]
pub struct BackgroundSync(Receiver<io::Result<()>>);

impl BackgroundSync {
    /// Runs `sync` in a new thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn spawn(sync: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(1);
        // The receiver may be dropped before the end; then the result is not needed.
        let work = move || sender.send(sync()).unwrap_or_default();
        std::thread::Builder::new().name("sync".to_owned()).spawn(work)?;
        Ok(Self(receiver))
    }

    /// A sync that has ended, for a backend that needs no thread.
    #[must_use]
    pub fn finished(result: io::Result<()>) -> Self {
        let (sender, receiver) = sync_channel(1);
        sender.send(result).unwrap_or_default();
        Self(receiver)
    }

    /// Starts `sync` on a duplicate of `file`.
    pub(crate) fn of_file(file: impl AsFd, sync: fn(OwnedFd) -> Result<(), Errno>) -> io::Result<Self> {
        let (file, sync) = (fcntl_dupfd_cloexec(file, 0)?, in_other_thread(sync));
        Self::spawn(move || Ok(sync(file)?))
    }

    /// The result, if the sync ends within `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<io::Result<()>> {
        match self.0.recv_timeout(timeout) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(Errno::IO.into())),
        }
    }
}
