//! The library as its users see it: client, server, storage, synchronising and the state machines below them.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed step of a test is a failed test")]
#![allow(unreachable_pub, reason = "modules of a test binary")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes of tests are small")]

mod architecture;
mod client;
mod embedding;
mod examples;
mod faults_table;
mod model;
mod server;
mod simulation;
mod storage;
mod sync;
mod transport;
mod vectors_sequence;
