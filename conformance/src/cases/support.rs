//! What cases of several sections share.

pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod messages;
