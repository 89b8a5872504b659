//! The `remofile` command: every command, flag, output mode, error text and exit code, by real processes.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed step of a test is a failed test")]
#![allow(unreachable_pub, reason = "modules of a test binary")]
#![allow(clippy::cast_possible_truncation, reason = "sizes of tests are small")]

mod commands;
mod completion;
mod connection;
mod daemon;
mod downloads;
mod entries;
mod failure;
mod faults;
mod filters;
mod globs;
mod help;
mod hostile;
mod inplace;
mod interrupted;
mod landlock;
mod layout;
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
mod trees;
mod unit;
