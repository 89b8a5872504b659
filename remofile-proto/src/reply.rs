//! Replies: a server's results to headers, and headers to what a client can trust.

mod decode;
mod encode;

pub use decode::{Malformed, Reply, ReplyError};
pub use encode::{PAGE_OVERHEAD, encode_reply};
