//! What a request without a reply means once its session is lost (spec section 16).

use remofile_proto::Operation;

/// How an unanswered request is settled in a new session [LOST-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recovery {
    /// It is sent again: executing it twice is executing it once.
    Repeat,
    /// `mkdir`: it is sent again; EXISTS, and a directory is there: done.
    RepeatUnlessDirectory,
    /// `remove`: it is sent again; NOT_FOUND: done.
    RepeatUnlessGone,
    /// `put`: `hash` of the path equals that of the content: done; else it is sent again.
    CompareWithContent,
    /// `copy`: `hash` of `from` and `to` are equal: done; else it is sent again.
    CompareBoth,
    /// `move`: `from` is gone and `to` is there: done; else it is sent again.
    LookAtBoth,
    /// `write`, `truncate`: if no other request that changes this file was sent, all that are unanswered are sent
    /// again in order; else they are reported as in doubt.
    AllInOrderOrDoubt,
    /// `append`: `begin`, and go on at its `off`.
    BeginAgain,
    /// `commit`: `begin`; `off` 0, and `hash` of the path equal to the source's: done [UP-8].
    BeginAgainUnlessCommitted,
}

impl Recovery {
    /// The row of the operation in the table; hello, ping and bye are not numbered and need nothing.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Mkdir { .. } => Self::RepeatUnlessDirectory,
            Operation::Remove { .. } => Self::RepeatUnlessGone,
            Operation::Put { .. } => Self::CompareWithContent,
            Operation::Copy { .. } => Self::CompareBoth,
            Operation::Move { .. } => Self::LookAtBoth,
            Operation::Write { .. } | Operation::Truncate { .. } => Self::AllInOrderOrDoubt,
            Operation::Append { .. } => Self::BeginAgain,
            Operation::Commit { .. } => Self::BeginAgainUnlessCommitted,
            _ => Self::Repeat,
        }
    }
}
