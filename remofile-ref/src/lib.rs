//! Reference implementation of the Remofile protocol, version 1: server, client and their pure parts.

mod effect;
pub mod opening;
pub mod service;
pub mod session;
pub mod stream;
pub mod unanswered;

pub use effect::{Outcome, Performed, Storage, Success};
