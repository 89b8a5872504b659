//! Helpers of cases in several sections.

pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod messages;
