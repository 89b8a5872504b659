//! The server's side of a session.

pub mod capabilities;
pub mod session;
