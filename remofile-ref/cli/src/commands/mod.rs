//! The commands, one module each; those that serve are in `serve`.

pub(crate) mod cat;
pub(crate) mod complete;
pub(crate) mod completion;
pub(crate) mod create;
pub(crate) mod demo;
pub(crate) mod du;
pub(crate) mod generate;
pub(crate) mod hash;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod partials;
pub(crate) mod ping;
pub(crate) mod relocate;
pub(crate) mod remove;
pub(crate) mod stat;
pub(crate) mod sync;
pub(crate) mod transfer;
pub(crate) mod write;
