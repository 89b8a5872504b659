//! Synchronising a local directory with one of a server.

mod action;
mod conflict;
mod error;
#[cfg(test)]
mod fuse;
mod options;
mod report;
mod run;
mod stamp;
pub mod trash;

pub use action::{Action, Change, Expected, LocalVersion, Side};
pub use conflict::ConflictName;
pub use error::{Guard, SyncError};
pub use options::SyncOptions;
pub use report::{Plan, Problem, SyncItem, SyncOutcome, SyncReport, Why};
pub use stamp::Stamp;
