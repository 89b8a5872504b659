//! Stops a server from another thread or a signal handler, by an event that wakes its wait.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a server, from any thread: [`FileServer::stop_handle`](crate::FileServer::stop_handle) and its like give one.
///
/// ```
/// use remofile::{FileServer, generate_token};
///
/// # let directory = tempfile::tempdir()?;
/// let mut server = FileServer::new(&directory, generate_token())?.bind("127.0.0.1:0")?;
/// let stop = server.stop_handle();
/// let serving = std::thread::spawn(move || server.run());
/// stop.stop();
/// serving.join().expect("the server does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A byte that is written to its descriptor stops the server too, which is all that a signal handler may do:
/// `signal_hook::low_level::pipe::register(SIGTERM, stop.as_fd().try_clone_to_owned()?)`.
#[derive(Clone)]
pub struct StopHandle {
    requested: Arc<AtomicBool>,
    wake: Arc<UnixStream>,
}

/// The stop as a server sees it.
#[derive(Debug)]
pub(super) struct Stop {
    /// Kept so that the other end is never closed.
    handle: StopHandle,
    /// Readable from the stop on: nothing is ever read from it.
    woken: Arc<UnixStream>,
}

impl StopHandle {
    /// Stops the server: a wait for a message ends at once, and a long operation ends after its current slice of about
    /// 10 ms. Staged uploads are kept. A stopped server cannot be started again.
    pub fn stop(&self) {
        self.requested.store(true, Ordering::SeqCst);
        // A full pipe wakes just as well.
        let _ = (&*self.wake).write(&[0]);
    }

    /// Whether [`StopHandle::stop`] was called, on this handle or another one of the same server.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }
}

impl AsFd for StopHandle {
    /// A byte written here stops the server.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let handle = StopHandle { requested: Arc::default(), wake: Arc::new(wake) };
        Ok(Self { handle, woken: Arc::new(woken) })
    }

    /// The same stop, for another server.
    pub(super) fn shared(&self) -> Self {
        Self { handle: self.handle.clone(), woken: Arc::clone(&self.woken) }
    }

    pub(super) fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// A descriptor that is readable from the stop on.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.woken.as_fd().try_clone_to_owned()
    }

    /// Whether [`StopHandle::stop`] was called: cheap enough to check for every message.
    pub(super) fn is_called(&self) -> bool {
        self.handle.is_stopped()
    }

    /// Whether the server is to stop, by a call or by a byte that a signal handler wrote.
    pub(super) fn is_due(&self) -> bool {
        if !self.is_called() {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let mut waiting = [PollFd::new(&*self.woken, PollFlags::IN)];
            // An error can only be a signal: the next check sees what its handler wrote.
            if poll(&mut waiting, Some(&now)).is_ok_and(|ready| ready > 0) {
                self.handle.requested.store(true, Ordering::SeqCst);
            }
        }
        self.is_called()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_new_server_is_not_stopped() {
        assert!(!Stop::new().unwrap().is_due());
    }

    #[test]
    fn a_call_is_seen_by_every_server_that_shares_it() {
        let stop = Stop::new().unwrap();
        let other = stop.shared();
        stop.handle().stop();
        assert!(stop.is_called() && other.is_called() && other.handle().is_stopped());
    }

    #[test]
    fn a_byte_in_the_descriptor_stops() {
        let stop = Stop::new().unwrap();
        let descriptor = stop.handle().as_fd().try_clone_to_owned().unwrap();
        rustix::io::write(descriptor, b"x").unwrap();
        assert!(stop.is_due() && stop.handle().is_stopped());
    }

    #[test]
    fn stopping_for_ever_does_not_block() {
        let stop = Stop::new().unwrap();
        for _ in 0..1_000_000 {
            stop.handle().stop();
        }
        assert!(stop.is_due());
    }

    #[test]
    fn a_handle_that_is_gone_stops_nothing() {
        let stop = Stop::new().unwrap();
        drop(stop.handle());
        assert!(!stop.is_due());
    }
}
