//! The client's side of a session.

pub mod handshake;
pub mod request_window;
