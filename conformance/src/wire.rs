//! The protocol as it goes over the wire, and peers, relays and proxies made for tests.

pub(crate) mod cbor;
pub(crate) mod code;
pub(crate) mod connection;
pub(crate) mod curve;
pub(crate) mod handshake;
pub(crate) mod malformed;
pub(crate) mod name;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod tcp_relay;
pub(crate) mod zmq_proxy;
pub(crate) mod zmtp;
