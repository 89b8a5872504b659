//! Reference implementation of the Remofile protocol, version 1: server, client and their pure parts.

mod effect;
pub mod opening;
pub mod service;
pub mod session;
mod store;
pub mod stream;
pub mod unanswered;

pub use effect::{Outcome, Performed, Storage, Success};
pub use store::{Store, StoreError, StoreOptions};
