//! How often a call opens a lost session again.

use super::{ClientError, FileClient};

/// How often a call goes on in a new session without any progress, or repeats what has failed.
pub(super) const RETRIES: u32 = 3;

/// The losses of a session during one call.
#[derive(Debug, Default)]
pub(super) struct Retry {
    losses: u32,
    progress: u64,
}

impl Retry {
    /// Opens a new session where `error` is the loss of the old one. `progress` is a number that grows with what the call
    /// has done.
    ///
    /// # Errors
    /// `error`, where it is another one, or where the session was lost too often without progress; those of opening.
    pub(super) fn after(
        &mut self,
        client: &mut FileClient,
        error: ClientError,
        progress: u64,
    ) -> Result<(), ClientError> {
        self.count(error, progress)?;
        client.reopen()
    }

    fn count(&mut self, error: ClientError, progress: u64) -> Result<(), ClientError> {
        let has_progressed = progress > self.progress;
        if !matches!(error, ClientError::SessionLost { .. }) || (!has_progressed && self.losses == RETRIES) {
            return Err(error);
        }
        self.losses = if has_progressed { 0 } else { self.losses + 1 };
        self.progress = progress;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> ClientError {
        ClientError::SessionLost { reason: "a test".to_owned() }
    }

    #[test]
    fn a_call_without_progress_fails_after_three_new_sessions() {
        let mut retry = Retry::default();
        for _ in 0..RETRIES {
            retry.count(lost(), 0).unwrap();
        }
        assert!(matches!(retry.count(lost(), 0), Err(ClientError::SessionLost { .. })));
    }

    #[test]
    fn progress_allows_as_many_again() {
        let mut retry = Retry::default();
        for progress in 0..100 {
            retry.count(lost(), progress).unwrap();
        }
        for _ in 0..RETRIES {
            retry.count(lost(), 99).unwrap();
        }
        assert!(retry.count(lost(), 99).is_err());
    }

    #[test]
    fn another_error_is_not_retried() {
        assert!(matches!(Retry::default().count(ClientError::Cancelled, 1), Err(ClientError::Cancelled)));
    }
}
