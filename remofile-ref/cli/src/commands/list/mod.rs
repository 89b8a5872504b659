//! `list`: directories and files on the server.

mod lines;
mod listing;
mod options;
mod row;
mod tree;

pub(crate) use self::{listing::run, options::ListArgs};
