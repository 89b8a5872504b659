//! What the tests of the library, of the command and of the conformance suite share: relays, scripted peers, servers with
//! storages of their own, and the command as a process.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed step of a test is a failed test")]

pub mod counting;
pub mod fake;
pub mod lockstep;
pub mod own_process;
pub mod peer;
pub mod place;
pub mod process;
pub mod relay;
pub mod scripted;
pub mod session;
pub mod skip;
pub mod storage;
pub mod storage_server;
pub mod terminal;
pub mod unauthenticated;
