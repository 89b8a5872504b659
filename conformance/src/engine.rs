//! What a case is made of: the case itself, its context, its clients, the checks of every reply, and its verdict.

pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod environment;
pub(crate) mod error;
pub(crate) mod journal;
pub(crate) mod lint;
pub(crate) mod server;
pub(crate) mod verdict;
