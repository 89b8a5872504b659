//! Reference implementation of the Remofile protocol, version 1: server, client and their pure parts.

mod effect;
mod store;

pub use effect::{Outcome, Performed, Storage, Success};
pub use store::{Store, StoreError, StoreOptions};
