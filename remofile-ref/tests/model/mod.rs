//! The real client and server state machines against each other, over a network and a disk made of vectors.

mod cost;
pub mod disk;
mod faults;
mod mutants;
pub mod network;
pub mod peer;
pub mod random;
pub mod server;
pub mod world;
