//! Ending a call from elsewhere: another thread, a signal handler, or a time that was set before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Ends calls of a client from another thread or a signal handler.
///
/// All clones are one: what one of them cancels, each of them shows. A client that was given one by
/// [`ClientOptions::cancel`](super::ClientOptions::cancel) or [`FileClient::set_cancel`](super::FileClient::set_cancel)
/// looks at it at least every 100 ms, while it waits, transfers or hashes, and ends the call with
/// [`ClientError::Cancelled`](super::ClientError::Cancelled). A transfer keeps what it has brought to the other side, so that
/// the same call continues it; whether a change whose answer was awaited has been made is not known.
///
/// The client stays usable: after [`Cancel::reset`], or with another [`Cancel`], calls go on.
///
/// ```
/// use remofile::{Cancel, ClientError, ClientOptions, FileClient, FileServer, generate_token};
///
/// # let directory = tempfile::tempdir()?;
/// # let token = generate_token();
/// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
/// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
/// # std::thread::scope(|scope| {
/// # scope.spawn(|| server.run());
/// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
/// let cancel = Cancel::new();
/// let mut client = ClientOptions::new().cancel(cancel.clone()).connect(endpoint, token)?;
/// cancel.cancel(); // from a signal handler, say
/// assert!(matches!(client.upload("Cargo.toml", "/"), Err(ClientError::Cancelled)));
/// cancel.reset();
/// client.upload("Cargo.toml", "/")?;
/// # Ok(client.bye())
/// # })();
/// # stop.stop();
/// # result
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// Nothing is cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels by itself after `limit` from now: a bound on all that calls take together.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        // A time beyond what the clock can tell never comes.
        Self { flag: Arc::default(), deadline: Instant::now().checked_add(limit) }
    }

    /// Cancels. Only stores an atomic: safe in a signal handler.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Takes [`Cancel::cancel`] back; the time of [`Cancel::after`] stays.
    pub fn reset(&self) {
        self.flag.store(false, Ordering::Relaxed);
    }

    /// Whether it was cancelled, or its time is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// What [`Cancel::cancel`] sets, for those who register flags with signals.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

/// Cancelled while the flag is set.
impl From<Arc<AtomicBool>> for Cancel {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self { flag, deadline: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_cancelled_too() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        cancel.cancel();
        assert!(clone.is_cancelled());
        clone.reset();
        assert!(!cancel.is_cancelled());
    }

    #[test]
    fn time_cancels() {
        assert!(Cancel::after(Duration::ZERO).is_cancelled());
        assert!(!Cancel::after(Duration::MAX).is_cancelled());
    }

    #[test]
    fn a_flag_of_another_program_part_cancels() {
        let flag = Arc::new(AtomicBool::new(false));
        let cancel = Cancel::from(Arc::clone(&flag));
        flag.store(true, Ordering::Relaxed);
        assert!(cancel.is_cancelled());
    }
}
