//! The server: requests from sockets to the session and the storage, and replies back.

#[cfg(feature = "transport")]
mod file_server;
#[cfg(feature = "transport")]
mod handler;
pub(crate) mod landlock;
pub mod service;
#[cfg(feature = "transport")]
mod socket_loop;
#[cfg(feature = "transport")]
mod stop;

#[cfg(feature = "transport")]
pub use self::{
    file_server::{FileServer, ServeError},
    handler::Handler,
    socket_loop::{BoundServer, SocketServer},
    stop::StopHandle,
};
