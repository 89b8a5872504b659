//! What the server passes to storage and gets from it: operations and outcomes as data.

use remofile_proto::{Answer, Operation, Refusal};

/// The result of an operation.
pub type Outcome = Result<Success, Refusal>;

/// An operation that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// The result in the reply's header.
    pub answer: Answer,
    /// The payload frame: READ alone has one.
    pub payload: Option<Vec<u8>>,
}

impl Success {
    /// A result without payload.
    #[must_use]
    pub fn of(answer: Answer) -> Self {
        Self { answer, payload: None }
    }
}

/// Whether an operation has ended.
#[derive(Debug)]
pub enum ExecutionStatus {
    /// It has ended.
    Done(Outcome),
    /// It needs more slices of time: call [`Storage::proceed`].
    Working {
        /// Bytes done so far.
        done: u64,
        /// Of how many bytes.
        total: u64,
    },
}

/// Executes operations, one at a time.
pub trait Storage {
    /// Begins an operation other than hello, ping and bye, and ends it at once where that is short.
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus;

    /// Does the next slice of the operation that answered [`ExecutionStatus::Working`].
    fn proceed(&mut self) -> ExecutionStatus;

    /// Abandons the operation that answered [`ExecutionStatus::Working`]; it has changed nothing.
    fn cancel(&mut self);
}

impl<S: Storage + ?Sized> Storage for Box<S> {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        (**self).perform(operation, payload)
    }

    fn proceed(&mut self) -> ExecutionStatus {
        (**self).proceed()
    }

    fn cancel(&mut self) {
        (**self).cancel();
    }
}
