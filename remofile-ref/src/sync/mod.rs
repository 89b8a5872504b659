//! Synchronising a local directory with one of a server.

mod stamp;
pub mod trash;

pub use stamp::Stamp;
