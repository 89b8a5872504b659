//! Client, server, network, clock and disk in one process, without a socket, a thread or a file.
//!
//! Of the product: `Handshake` and `RequestWindow` of the client, the table of operations, and the server's `Service`
//! with its `Session`. Doubles: the network, the clock, a disk that forgets what was not synced, and what a client
//! wants.

pub mod client;
pub mod disk;
mod exhaustive;
pub mod explore;
pub mod world;
mod worlds;
