//! `sync`: synchronizes a local directory with one on the server.

mod command;
mod conflicts;
mod exclusions;
mod options;
mod report;
mod session;
mod trash;
mod watch;

pub(crate) use self::command::{SyncArgs, run};
