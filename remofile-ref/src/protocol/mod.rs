//! The state machines of both sides: no socket, no file, no clock and no thread.

pub mod client;
pub mod server;
