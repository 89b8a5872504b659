//! A server over a store of the test's own: the session is right, and what is answered is the test's.

use crate::storage_server::{StorageServer, welcome};
use remofile::transport::{Bounds, ServerPattern};
use remofile::{ExecutionStatus, Outcome, Storage};
use remofile_proto::{HelloReply, Operation};
use std::thread;

/// A server at work in a thread that ends when this is dropped.
pub struct FakeServer {
    pub endpoint: String,
    serving: Option<StorageServer<()>>,
}

struct Script<F>(F);

impl<F: FnMut(&Operation) -> Outcome> Storage for Script<F> {
    fn perform(&mut self, operation: &Operation, _payload: &[u8]) -> ExecutionStatus {
        ExecutionStatus::Done((self.0)(operation))
    }

    fn proceed(&mut self) -> ExecutionStatus {
        unreachable!("everything is done at once")
    }

    fn cancel(&mut self) {}
}

impl FakeServer {
    /// Answers every operation that is numbered by what the test makes up.
    pub fn answering(answer: impl FnMut(&Operation) -> Outcome + Send + 'static) -> Self {
        Self::over(Script(answer))
    }

    /// The same, and hello is answered by what the test makes of the usual answer.
    pub fn welcoming(
        change: impl FnOnce(&mut HelloReply),
        answer: impl FnMut(&Operation) -> Outcome + Send + 'static,
    ) -> Self {
        let mut welcome = welcome(&Bounds::default());
        change(&mut welcome);
        Self::start(Script(answer), welcome)
    }

    /// Executes on this storage.
    pub fn over(storage: impl Storage + Send + 'static) -> Self {
        Self::start(storage, welcome(&Bounds::default()))
    }

    fn start(storage: impl Storage + Send + 'static, welcome: HelloReply) -> Self {
        let serving = StorageServer::start(storage, ServerPattern::Router, Bounds::default(), welcome, |_| ());
        Self { endpoint: format!("127.0.0.1:{}", serving.port), serving: Some(serving) }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take()
            && serving.stop().is_err()
            && !thread::panicking()
        {
            panic!("the server failed");
        }
    }
}
