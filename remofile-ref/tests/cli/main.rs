//! The `remofile` command, room by room: every command, flag, output mode, error text and exit code, by real processes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

mod completion;
mod connection;
mod entries;
mod failure;
mod globs;
mod help;
mod inplace;
mod list;
mod output;
mod partials;
mod table;

#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/place.rs"]
mod place;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/relay.rs"]
mod relay;
#[path = "../common/skip.rs"]
mod skip;
#[path = "../common/terminal.rs"]
mod terminal;
