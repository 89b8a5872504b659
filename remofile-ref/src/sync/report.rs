//! The reports of a run: each item when it is done, and a summary at the end.

use super::{Action, Side};
use crate::client::ClientError;
use std::fmt;

/// How many failures are kept with their reasons; all are counted.
const NAMED_FAILURES: usize = 100;

/// What a run would do or has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// In the order in which they are executed. Includes those that only change the saved state.
    pub actions: Vec<Action>,
    /// Paths that are left unchanged on both sides, with the reason.
    pub problems: Vec<Problem>,
    /// Conflict copies that earlier runs have left on either side and this one does not take away, by their paths;
    /// those of this run are in [`Change::KeepBoth`](super::Change::KeepBoth).
    pub conflict_copies: Vec<String>,
}

/// A path that is left unchanged on both sides, with all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The path below both roots; where it is no text, with U+FFFD for what is none. It may hold control characters.
    pub path: String,
    /// Why.
    pub why: ProblemReason,
}

/// Why a path is left unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemReason {
    /// One side has a file there and the other one a directory.
    FileAgainstDirectory {
        /// The side that has the directory.
        directory: Side,
    },
    /// A symbolic link on this side.
    Link(Side),
    /// A FIFO, socket or device on this side.
    Special(Side),
    /// A name that the other side does not allow.
    Name {
        /// The side that has it.
        on: Side,
        /// What is wrong with it.
        reason: String,
    },
    /// Another name in the same directory differs only in case or normalisation.
    NameCollision {
        /// The other one's path.
        of: String,
    },
    /// It cannot be read on this side.
    Unreadable {
        /// The side.
        on: Side,
        /// The error.
        reason: String,
    },
    /// It changed during the scan.
    Changing(Side),
    /// So many names on the server that the protocol has no text for.
    Unlisted {
        /// How many.
        names: u64,
    },
}

/// One item of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct SyncItem<'a> {
    /// What is done.
    pub action: &'a Action,
    /// Its outcome.
    pub outcome: SyncOutcome<'a>,
}

/// The outcome of one action.
#[derive(Debug)]
#[non_exhaustive]
pub enum SyncOutcome<'a> {
    /// In a dry run: it would be done.
    Planned,
    /// It is done.
    Done {
        /// How many bytes of content went over the wire for it.
        transferred: u64,
    },
    /// It failed, and the others go on. Both sides have what they had, and the next run looks again.
    Failed(&'a ClientError),
}

/// The summary of a run.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct SyncReport {
    /// What it was to do; all of it is executed unless this is a dry run or counted in `failed`.
    pub plan: Plan,
    /// Files that were uploaded.
    pub uploaded: u64,
    /// Files that were downloaded.
    pub downloaded: u64,
    /// Files that were removed on either side, that is, moved to its trash.
    pub removed: u64,
    /// Files that were renamed on either side.
    pub moved: u64,
    /// Directories that were made or removed on either side.
    pub directories: u64,
    /// Conflicts found by this run: for each there is a conflict copy.
    pub conflicts: u64,
    /// Files and directories that are the same on both sides and needed nothing.
    pub unchanged: u64,
    /// How many bytes of content went over the wire.
    pub transferred: u64,
    /// How many actions failed.
    pub failed: u64,
    /// The first hundred of those, by path and reason.
    pub failures: Vec<(String, ClientError)>,
}

impl Plan {
    /// Whether neither side is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.actions.iter().any(Action::is_change)
    }

    /// The actions that change either side.
    pub fn changes(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.is_change())
    }
}

impl SyncReport {
    /// Whether there is something for the user to decide: conflicts of this run or earlier ones, or a file against a
    /// directory.
    #[must_use]
    pub fn has_conflicts(&self) -> bool {
        let is_conflict = |problem: &Problem| matches!(problem.why, ProblemReason::FileAgainstDirectory { .. });
        self.conflicts > 0 || !self.plan.conflict_copies.is_empty() || self.plan.problems.iter().any(is_conflict)
    }

    /// Whether something could not be synchronised.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.failed > 0 || !self.plan.problems.is_empty()
    }

    pub(super) fn fail(&mut self, path: &str, error: ClientError) {
        self.failed += 1;
        if self.failures.len() < NAMED_FAILURES {
            self.failures.push((path.to_owned(), error));
        }
    }
}

impl fmt::Display for ProblemReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProblemReason::FileAgainstDirectory { directory } => {
                write!(f, "a directory on the {directory} side, and a file on the {} side", directory.other())
            }
            ProblemReason::Link(side) => write!(f, "a symbolic link on the {side} side"),
            ProblemReason::Special(side) => write!(f, "a FIFO, socket or device on the {side} side"),
            ProblemReason::Name { on, reason } => {
                write!(f, "a name on the {on} side that the other does not allow: {reason}")
            }
            ProblemReason::NameCollision { of } => {
                write!(f, "differs from '{}' only in case or normalisation", of.escape_default())
            }
            ProblemReason::Unreadable { on, reason } => write!(f, "cannot be read on the {on} side: {reason}"),
            ProblemReason::Changing(side) => write!(f, "changed on the {side} side during the scan"),
            ProblemReason::Unlisted { names } => {
                write!(f, "{names} names on the server are not UTF-8 or cannot be read")
            }
        }
    }
}
