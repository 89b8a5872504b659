//! The real client and server state machines against each other, over a network and a disk made of vectors.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

pub mod disk;
pub mod network;
pub mod peer;
pub mod random;
pub mod server;
pub mod world;
