//! Reference implementation of the Remofile protocol, version 1: server, client and their pure parts.

mod effect;
#[cfg(feature = "transport")]
pub mod transport;

pub use effect::{Outcome, Performed, Storage, Success};
