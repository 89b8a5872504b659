//! What passes between the session and the store: operations as data, outcomes as data.

use remofile_proto::{Answer, Operation, Refusal};

/// What an executed operation came to.
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

/// How far an operation has come.
#[derive(Debug)]
pub enum ExecutionStatus {
    /// It is over.
    Done(Outcome),
    /// It needs more slices of time: call [`Storage::proceed`].
    Working {
        /// Bytes done so far.
        done: u64,
        /// Of how many bytes.
        total: u64,
    },
}

/// Executes effects: the store, or a double of it in a test. One operation at a time.
pub trait Storage {
    /// Begins an operation other than hello, ping and bye, and ends it at once where that is short.
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus;

    /// Does the next slice of the operation that answered [`ExecutionStatus::Working`].
    fn proceed(&mut self) -> ExecutionStatus;

    /// Abandons the operation that answered [`ExecutionStatus::Working`]; it has changed nothing.
    fn cancel(&mut self);
}
