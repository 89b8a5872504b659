//! Serving: sockets of all patterns, handlers without a socket, stopping.

mod handler;
mod own_sockets;
mod serving;
