//! The `remofile` command, room by room: every command, flag, output mode, error text and exit code, by real processes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod completion;
mod connection;
mod daemon;
mod entries;
mod failure;
mod filters;
mod globs;
mod help;
mod hostile;
mod inplace;
mod interrupted;
mod list;
mod logging;
mod notify;
mod output;
mod partials;
mod progress;
mod readme;
mod run;
mod streaming;
mod sync;
mod table;
mod transfer;
mod unit;

#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/place.rs"]
mod place;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/relay.rs"]
mod relay;
#[path = "../common/scripted.rs"]
mod scripted;
#[path = "../common/session.rs"]
mod session;
#[path = "../common/skip.rs"]
mod skip;
#[path = "../common/terminal.rs"]
mod terminal;
