//! Synchronising a local directory with one of a server.

mod action;
mod archive;
mod compare;
mod conflict;
mod error;
mod execute;
#[cfg(test)]
mod fuse;
mod guard;
mod local;
mod options;
mod plan;
mod report;
mod run;
mod scan;
mod sides;
mod stamp;
mod survey;
pub mod trash;

pub use action::{Action, Change, Expected, LocalVersion, Side};
pub use conflict::ConflictName;
pub use error::{Guard, SyncError};
pub use options::SyncOptions;
pub use report::{Plan, Problem, SyncItem, SyncOutcome, SyncReport, Why};
pub use stamp::Stamp;
